import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Fault } from '#kernel';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { algorithms, signatureFits, signWith } from '../algorithm.ts';
import { SCRYPT } from '../encrypted-key.ts';
import { encodePublicHalf, parsePublicHalf } from '../public-half.ts';
import { testKey, unflushed } from '../testing/index.ts';
import { keyNewVerb } from '../verbs/key-new.ts';
import { makeKeyFiles, readPublicHalf } from './key-files.ts';
import { type Passphrases, passphrasesOf, readPrivateKey } from './keys.ts';

const disk = unflushed(nodeFiles);
const code = (expected: string) => (error: unknown) => error instanceof Fault && error.code === expected;
const words =
  (...passphrases: string[]): Passphrases =>
  async () =>
    passphrases;
const PASSPHRASE = 'correct horse — Größe';

test('KEY-1: a key of every algorithm, its public half, closed to others, encrypted or not', async (t) => {
  const folder = await temporaryFolder(t);
  for (const algorithm of algorithms) {
    // Deriving costs a third of a second each time, so only the smallest and the largest are encrypted here.
    const closed = algorithm === 'ed25519' || algorithm === 'ecdsa-p384';
    for (const passphrases of closed ? [undefined, words(PASSPHRASE)] : [undefined]) {
      const path = `${folder}/${algorithm}-${passphrases === undefined ? 'plain' : 'closed'}`;
      const made = await makeKeyFiles(disk, path, {
        holder: 'Ada',
        algorithm,
        ...(passphrases === undefined ? {} : { passphrases }),
      });
      assert.equal((await disk.look(path))?.mode, 0o600);
      assert.equal((await disk.look(made.publicPath))?.mode, 0o600, 'it may lie in a folder of keys');
      const half = await readPublicHalf(disk, made.publicPath);
      assert.deepEqual([half.holder, half.key.keyid, half.key.algorithm], ['Ada', made.key.keyid, algorithm]);
      const key = await readPrivateKey(disk, path, passphrases);
      const message = Buffer.from('message');
      assert.ok(signatureFits(half.key, message, signWith(algorithm, key.private, message)));
      assert.equal((await readFile(path, 'latin1')).includes('ENCRYPTED'), passphrases !== undefined);
    }
  }
});

test('KEY-2: an encrypted key opens by its passphrase only, tried among several', async (t) => {
  const path = `${await temporaryFolder(t)}/key`;
  await makeKeyFiles(disk, path, { holder: 'Ada', algorithm: 'ed25519', passphrases: words(PASSPHRASE) });
  assert.ok(await readPrivateKey(disk, path, words('another one', PASSPHRASE)));
  await assert.rejects(readPrivateKey(disk, path), code('trust.passphrase-needed'));
  await assert.rejects(readPrivateKey(disk, path, words()), code('trust.passphrase-needed'));
  await assert.rejects(readPrivateKey(disk, path, words('another one')), code('trust.passphrase-wrong'));
  const pem = await readFile(path, 'latin1');
  const lines = pem.split('\n');
  await writeFile(path, [...lines.slice(0, 2), ...lines.slice(3)].join('\n'), { mode: 0o600 });
  await assert.rejects(readPrivateKey(disk, path, words(PASSPHRASE)), code('trust.passphrase-wrong'), 'damaged');
  await writeFile(path, pem.replace(/-----END.*/s, ''));
  await assert.rejects(readPrivateKey(disk, path, words(PASSPHRASE)), code('trust.key-unreadable'));
});

test('KEY-2: the form is a standard one with a strong derivation, which OpenSSL opens', async (t) => {
  const folder = await temporaryFolder(t);
  await makeKeyFiles(disk, `${folder}/key`, { holder: 'A', algorithm: 'ed25519', passphrases: words(PASSPHRASE) });
  assert.ok(128 * SCRYPT.N * SCRYPT.r * SCRYPT.p >= 128 * 1024 * 1024, 'as much work as 128 MiB at once');
  const der = Buffer.from((await readFile(`${folder}/key`, 'latin1')).replace(/-----.*-----|\n/g, ''), 'base64');
  assert.ok(der.includes(Buffer.from('2b06010401da47040b', 'hex')), 'scrypt');
  const look = spawnSync('openssl', ['version']);
  if (look.status !== 0) return t.skip('openssl is not installed');
  await writeFile(`${folder}/pass`, PASSPHRASE);
  const args = ['pkey', '-in', `${folder}/key`, '-passin', `file:${folder}/pass`, '-pubout', '-outform', 'DER'];
  const opened = spawnSync('openssl', args);
  assert.equal(opened.status, 0, opened.stderr.toString());
  const half = await readPublicHalf(disk, `${folder}/key.pub.json`);
  assert.deepEqual(opened.stdout, Buffer.from(half.key.spki));
});

test('KEY-3: nothing is overwritten; a run that was cut short goes on with the key that it left', async (t) => {
  const path = `${await temporaryFolder(t)}/key`;
  const options = { holder: 'Ada', algorithm: 'ed25519' } as const;
  const { key } = await makeKeyFiles(disk, path, options);
  await assert.rejects(makeKeyFiles(disk, path, options), code('trust.key-exists'));
  await rm(`${path}.pub.json`);
  await assert.rejects(makeKeyFiles(disk, path, { ...options, algorithm: 'ml-dsa-65' }), code('trust.key-exists'));
  const encrypted = { ...options, passphrases: words(PASSPHRASE) };
  await assert.rejects(makeKeyFiles(disk, path, encrypted), code('trust.key-exists'));
  assert.equal((await makeKeyFiles(disk, path, options)).key.keyid, key.keyid);
  for (const holder of ['', ' a', 'a\nb', 'a\u202eb', 'x'.repeat(129)]) {
    await assert.rejects(makeKeyFiles(disk, `${path}2`, { ...options, holder }), code('trust.holder-name'));
  }
  const short = { ...options, passphrases: words('short') };
  await assert.rejects(makeKeyFiles(disk, `${path}2`, short), code('trust.passphrase-file'));
  assert.equal(await disk.look(`${path}2`), undefined);
});

test('KEY-3: cut short at every touch of the disk, a second run ends it', async (t) => {
  const folder = await temporaryFolder(t);
  const options = { holder: 'Ada', algorithm: 'ed25519' } as const;
  const counting = faultyFiles(disk, { failAt: 0, mode: 'error' });
  await makeKeyFiles(counting, `${folder}/count`, options);
  assert.ok(counting.calls() > 10, `${counting.calls()} calls`);
  for (const mode of ['error', 'crash'] as const) {
    for (let failAt = 1; failAt <= counting.calls(); failAt++) {
      const home = `${folder}/${mode}-${failAt}`;
      await mkdir(home);
      const files = faultyFiles(disk, { failAt, mode, code: 'ENOSPC', torn: true });
      await makeKeyFiles(files, `${home}/key`, options).catch(() => undefined);
      if ((await disk.look(`${home}/key.pub.json`)) === undefined) await makeKeyFiles(disk, `${home}/key`, options);
      const half = await readPublicHalf(disk, `${home}/key.pub.json`);
      assert.equal((await readPrivateKey(disk, `${home}/key`)).keyid, half.key.keyid, `${mode} at ${failAt}`);
      if (mode === 'error' && failAt > 1) {
        const left = (await readdir(home)).filter((name) => !['key', 'key.pub.json'].includes(name));
        assert.ok(left.length <= 1, left.join());
      }
    }
  }
});

test('KEY-4: passphrase files: first line, closed to others, never quoted', async (t) => {
  const folder = await temporaryFolder(t);
  const file = `${folder}/pass`;
  const world = { ...testWorld(disk, folder), env: {} };
  const read = async (content: string | Uint8Array, mode = 0o600): Promise<readonly string[]> => {
    await rm(file, { force: true });
    await writeFile(file, content, { mode });
    await chmod(file, mode);
    return passphrasesOf(world, ['pass'])('key');
  };
  assert.deepEqual(await read('one two\nsecond line\n'), ['one two']);
  assert.deepEqual(await read('one two\r\n'), ['one two']);
  assert.deepEqual(await read('one two'), ['one two']);
  assert.deepEqual(await passphrasesOf({ ...world, env: { SALLYPORT_PASSPHRASE_FILE: file } })('key'), ['one two']);
  assert.deepEqual(await passphrasesOf({ ...world, env: { SALLYPORT_PASSPHRASE_FILE: '' } })('key'), []);
  for (const bad of ['', '\nsecond', Buffer.from([0x61, 0xff, 0x62]), 'x'.repeat(5000)]) {
    await assert.rejects(read(bad), code('trust.passphrase-file'));
  }
  await assert.rejects(read('secret words', 0o640), (error) => {
    assert.ok(error instanceof Fault && error.code === 'trust.passphrase-file');
    return !`${error.message}${error.fix}`.includes('secret words');
  });
  await assert.rejects(passphrasesOf(world, ['none'])('key'), code('trust.passphrase-file'));
  await symlink(file, `${folder}/link`);
  await assert.rejects(passphrasesOf(world, ['link'])('key'), code('trust.passphrase-file'));
  await assert.rejects(passphrasesOf(world, ['.'])('key'), code('trust.passphrase-file'));
});

test('KEY-5: public halves: everything in them is checked', async (t) => {
  const { spki, keyid, algorithm } = testKey();
  const good = Buffer.from(encodePublicHalf('Ada', { spki, keyid, algorithm })).toString();
  assert.equal(typeof parsePublicHalf(Buffer.from(good)), 'object');
  const document = JSON.parse(good) as Record<string, unknown>;
  const other = testKey('ecdsa-p256');
  const bad: readonly (Record<string, unknown> | string)[] = [
    '',
    '[]',
    good.replace('{', '{"holder":"Eve",'),
    { ...document, 'sallyport-key': '2.0' },
    { ...document, 'sallyport-key': undefined },
    { ...document, holder: '' },
    { ...document, holder: 7 },
    { ...document, holder: 'A\u0000' },
    { ...document, algorithm: 'ml-dsa-65' },
    { ...document, keyid: other.keyid },
    { ...document, public: Buffer.from(other.spki).toString('base64') },
    { ...document, public: 'AAAA' },
    { ...document, public: Buffer.from(other.private.export({ format: 'der', type: 'pkcs8' })).toString('base64') },
  ];
  const file = `${await temporaryFolder(t)}/half`;
  for (const text of bad) {
    await writeFile(file, typeof text === 'string' ? text : JSON.stringify(text));
    await assert.rejects(readPublicHalf(disk, file), code('trust.not-a-public-half'), JSON.stringify(text));
  }
  await assert.rejects(readPublicHalf(disk, `${file}-none`), code('trust.not-a-public-half'));
  await assert.rejects(readPublicHalf(disk, '/dev/null'), code('trust.not-a-public-half'));
});

test('the verb: files, and no passphrase in what it says', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(`${folder}/pass`, `${PASSPHRASE}\n`, { mode: 0o600 });
  const made = await keyNewVerb.run(
    { file: 'ada.key', holder: 'Ada', passphraseFile: ['pass'] },
    testWorld(disk, folder),
  );
  assert.deepEqual([made.encrypted, made.algorithm, made.public], [true, 'ed25519', `${folder}/ada.key.pub.json`]);
  const style = { bold: String, dim: String, good: String, bad: String, warn: String, width: 100 };
  assert.ok(!`${keyNewVerb.show(made, style)}${JSON.stringify(made)}`.includes('correct'));
  const plain = await keyNewVerb.run({ file: 'ben.key', holder: 'Ben' }, testWorld(disk, folder));
  assert.match(keyNewVerb.show(plain, style), /not encrypted/);
});

test('KEY-4: on a terminal it is asked for unseen: twice for a new key, once for one that is there', async (t) => {
  const folder = await temporaryFolder(t);
  const asked: string[] = [];
  const answering = (...answers: string[]) => ({
    ...testWorld(disk, folder),
    askSecret: async (question: string) => (asked.push(question), answers.shift() ?? assert.fail('asked too often')),
  });
  const input = { file: 'ada.key', holder: 'Ada' };
  await assert.rejects(keyNewVerb.run(input, answering(PASSPHRASE, 'other words')), code('trust.passphrases-differ'));
  assert.equal(await disk.look(`${folder}/ada.key`), undefined);
  assert.equal((await keyNewVerb.run(input, answering(PASSPHRASE, PASSPHRASE))).encrypted, true);
  assert.equal((await keyNewVerb.run({ ...input, file: 'ben.key' }, answering(''))).encrypted, false);
  const path = `${folder}/ada.key`;
  asked.length = 0;
  assert.ok(await readPrivateKey(disk, path, passphrasesOf(answering(PASSPHRASE))));
  assert.deepEqual([asked.length, asked[0]?.includes('ada.key')], [1, true]);
  await assert.rejects(readPrivateKey(disk, path, passphrasesOf(answering('wrong'))), code('trust.passphrase-wrong'));
  await assert.rejects(readPrivateKey(disk, path, passphrasesOf(answering(''))), code('trust.passphrase-needed'));
  await writeFile(`${folder}/pass`, PASSPHRASE, { mode: 0o600 });
  assert.ok(await readPrivateKey(disk, path, passphrasesOf(answering(), ['pass'])), 'a file comes first');
});
