import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { generateKeyPairSync } from 'node:crypto';
import { NOTE_ED25519, formatNote, isProblem, noteKeyHash, openNote, parseVkey } from '#formats';
import { Fault } from '#kernel';
import { fixedClock } from '#kernel/testing';
import { nodeFiles, openHome } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { mustRead, signedRoot, testDraft, testKey, unflushed } from '../testing/index.ts';
import { readRoot } from '../root.ts';
import { signEnvelope } from '../signing.ts';
import { verifyEnvelope } from '../verification.ts';
import { algorithms } from '../algorithm.ts';
import { ledgerSigner, parsePrivateKey, sealersOf, signerOf } from './keys.ts';
import { effectiveRoot, isRehearsalHome, ownRoot, readRoots } from './roots.ts';
import { createSide } from './side.ts';

const clock = fixedClock();
const disk = unflushed(nodeFiles);
const options = { site: 'test-site', purpose: 'one-person', clock } as const;
const code = (expected: string) => (error: unknown) =>
  error instanceof Fault && error.code === expected && error.fix !== '';

test('a new side: closed folders, ignored by git, a root of its own, a log of its own', async (t) => {
  const home = `${await temporaryFolder(t)}/home`;
  const side = await createSide(disk, home, options);
  await openHome(disk, home);
  assert.equal(await readFile(`${home}/.gitignore`, 'utf8'), '*\n');
  for (const [path, mode] of [
    [home, 0o700],
    [`${home}/keys`, 0o700],
    [`${home}/keys/sealer.key`, 0o600],
    [`${home}/keys/ledger.key`, 0o600],
  ] as const) {
    assert.equal((await disk.look(path))?.mode, mode, path);
  }
  assert.deepEqual((await readdir(`${home}/keys`)).sort(), ['ledger.key', 'sealer.key']);
  assert.equal(side.root.custody, 'one-person');
  assert.equal(side.root.holders.length, 1);
  assert.equal(side.root.expires, '2029-11-21T06:00:00Z');
  assert.match(side.ledger.origin, /^test-site\/[0-9a-f]{16}$/);
  assert.equal((await ownRoot(disk, home)).root.fingerprint, side.fingerprint);
  assert.equal(await isRehearsalHome(disk, home), false);
  const again = `${await temporaryFolder(t)}/home`;
  const other = await createSide(disk, again, options);
  assert.notEqual(other.ledger.origin, side.ledger.origin, 'two homes from one template are two logs');
});

test('nothing is overwritten', async (t) => {
  const home = `${await temporaryFolder(t)}/home`;
  await createSide(disk, home, options);
  const before = await readFile(`${home}/keys/sealer.key`, 'utf8');
  await assert.rejects(createSide(disk, home, options), code('trust.side-exists'));
  assert.equal(await readFile(`${home}/keys/sealer.key`, 'utf8'), before);
});

test('two at once: one makes the side, the other is refused', async (t) => {
  const home = `${await temporaryFolder(t)}/home`;
  const both = await Promise.allSettled([createSide(disk, home, options), createSide(disk, home, options)]);
  assert.equal(both.filter(({ status }) => status === 'fulfilled').length, 1);
  await ledgerSigner(disk, home);
  await sealersOf(disk, home);
});

test('an open folder and a bad site name are refused', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(`${folder}/open`);
  await chmod(`${folder}/open`, 0o755);
  await assert.rejects(createSide(disk, `${folder}/open`, options), code('trust.home-open'));
  await writeFile(`${folder}/file`, '');
  await assert.rejects(createSide(disk, `${folder}/file`, options), code('trust.home-open'));
  for (const site of ['', 'A', 'a b', 'a/b', 'a+b', '-a', 'ä', 'a'.repeat(65)]) {
    await assert.rejects(createSide(disk, `${folder}/x`, { ...options, site }), code('trust.site-name'), site);
  }
});

test('cut short at every touch of the disk, a second run ends it', async (t) => {
  const folder = await temporaryFolder(t);
  const counting = faultyFiles(disk, { failAt: 0, mode: 'error' });
  await createSide(counting, `${folder}/count`, options);
  const calls = counting.calls();
  for (const mode of ['error', 'crash'] as const) {
    for (let failAt = 1; failAt <= calls; failAt++) {
      const home = `${folder}/${mode}-${failAt}`;
      const files = faultyFiles(disk, { failAt, mode, code: 'ENOSPC', torn: true });
      const first = await createSide(files, home, options).then(
        () => undefined,
        (error: unknown) => error,
      );
      if ((await disk.look(`${home}/trust/root.1.dsse.json`)) === undefined) {
        assert.ok(first !== undefined, `${mode} ${failAt}: no root, and no error`);
        await createSide(disk, home, options);
      }
      await openHome(disk, home);
      const [signer] = await sealersOf(disk, home);
      assert.equal(signer?.holder, 'test-site');
      await ledgerSigner(disk, home);
      await rm(home, { recursive: true });
    }
  }
});

test('PIN-2: what a side seals, another one verifies by the root that it was given', async (t) => {
  const folder = await temporaryFolder(t);
  const outside = await createSide(disk, `${folder}/outside`, options);
  await createSide(disk, `${folder}/inside`, { ...options, site: 'inside' });
  const bytes = signEnvelope('application/x', Buffer.from('x'), await sealersOf(disk, `${folder}/outside`));
  await assert.rejects(effectiveRoot(disk, `${folder}/inside`), code('trust.no-root'), 'a side’s own root is no pin');
  await assert.rejects(effectiveRoot(disk, undefined), code('trust.no-root'));
  await assert.rejects(effectiveRoot(disk, undefined, `${folder}/none`), code('trust.no-root'));
  const given = await effectiveRoot(disk, `${folder}/inside`, outside.rootPath);
  assert.deepEqual([given.pinned, given.rehearsal, given.fingerprint], [false, false, outside.fingerprint]);
  const judge = { now: clock.now(), expectRehearsal: given.rehearsal };
  assert.equal(verifyEnvelope(given.root, 'sealer', 'application/x', bytes, judge).verdict, 'verified');
  const own = (await readRoots(disk, `${folder}/inside`))[0];
  assert.ok(own !== undefined);
  assert.equal(verifyEnvelope(own.root, 'sealer', 'application/x', bytes, judge).reasons[0]?.code, 'trust.foreign-key');
});

test('VER-9: a rehearsal’s root is refused by a real side, and taken by a rehearsal', async (t) => {
  const folder = await temporaryFolder(t);
  const play = await createSide(disk, `${folder}/play`, { ...options, purpose: 'rehearsal' });
  await createSide(disk, `${folder}/real`, options);
  const bytes = signEnvelope('application/x', Buffer.from('x'), await sealersOf(disk, `${folder}/play`));
  for (const [home, verdict] of [
    [`${folder}/play`, 'verified'],
    [`${folder}/real`, 'unverified'],
    [undefined, 'unverified'],
  ] as const) {
    const { root, rehearsal } = await effectiveRoot(disk, home, play.rootPath);
    const judge = { now: clock.now(), expectRehearsal: rehearsal };
    assert.equal(verifyEnvelope(root, 'sealer', 'application/x', bytes, judge).verdict, verdict);
  }
});

test('the ledger’s key signs notes that its verifier key opens', async (t) => {
  const home = `${await temporaryFolder(t)}/home`;
  await createSide(disk, home, options);
  const signer = await ledgerSigner(disk, home);
  const vkey = parseVkey(signer.vkey);
  assert.ok(!isProblem(vkey));
  const text = Buffer.from(`${signer.name}\n0\nAAAA\n`);
  const note = formatNote(text, [{ name: signer.name, keyHash: signer.keyHash, signature: signer.sign(text) }]);
  assert.ok(!isProblem(openNote(note, [vkey])));
  const { root } = await ownRoot(disk, home);
  assert.ok(root.holders[0]?.require.get('ledger')?.includes(signer.keyid));
  assert.equal(noteKeyHash(signer.name, NOTE_ED25519, vkey.key), signer.keyHash);
});

test('key files: open mode, somebody else’s, a public one, cut off, of another kind, encrypted, a link, none', async (t) => {
  const folder = await temporaryFolder(t);
  const home = `${folder}/home`;
  await createSide(disk, home, options);
  const key = `${home}/keys/sealer.key`;
  const pem = await readFile(key, 'utf8');
  const file = `${folder}/key.pem`;
  const seal = async (text: string, mode = 0o600): Promise<unknown> => {
    await rm(file, { force: true });
    await writeFile(file, text, { mode });
    await chmod(file, mode);
    return sealersOf(disk, home, [file]);
  };
  assert.ok(await seal(pem));
  await assert.rejects(seal(pem, 0o644), code('trust.key-open-mode'));
  await assert.rejects(seal(pem, 0o620), code('trust.key-open-mode'));
  const stranger = generateKeyPairSync('ed25519');
  await assert.rejects(
    seal(stranger.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()),
    code('trust.key-unknown'),
  );
  await assert.rejects(
    seal(await readFile(`${home}/keys/ledger.key`, 'utf8')),
    code('trust.key-unknown'),
    'the ledger’s key seals nothing',
  );
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const bad = [
    '',
    'hello',
    pem.slice(0, 60),
    pem.replace(/-----END.*/s, ''),
    stranger.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    'x'.repeat(70_000),
  ];
  for (const text of bad) {
    const refused: unknown = await seal(text).catch((error: unknown) => error);
    assert.ok(code('trust.key-unreadable')(refused), text.slice(0, 40));
    assert.ok(refused instanceof Fault);
    const secret = pem.split('\n')[1] ?? '';
    assert.ok(!`${refused.message} ${refused.fix}`.includes(secret), 'a key is never quoted');
  }
  await assert.rejects(
    seal(
      stranger.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
    ),
    code('trust.passphrase-needed'),
  );
  await symlink(key, `${folder}/link`);
  await assert.rejects(sealersOf(disk, home, [`${folder}/link`]), code('trust.key-unreadable'));
  await assert.rejects(sealersOf(disk, home, [folder]), code('trust.key-unreadable'));
  await assert.rejects(sealersOf(disk, home, [`${folder}/none`]), code('trust.key-missing'));
  await assert.rejects(sealersOf(disk, `${folder}/no-home`), code('trust.no-root'));
});

test('one key named twice is one signer', async (t) => {
  const home = `${await temporaryFolder(t)}/home`;
  await createSide(disk, home, options);
  const key = `${home}/keys/sealer.key`;
  assert.equal((await sealersOf(disk, home, [key, key])).length, 1);
});

test('a ledger key that is not the one of its verifier key', async (t) => {
  const home = `${await temporaryFolder(t)}/home`;
  await createSide(disk, home, options);
  const stranger = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
  await writeFile(`${home}/keys/ledger.key`, stranger);
  await assert.rejects(ledgerSigner(disk, home), code('trust.key-differs'));
  await writeFile(`${home}/trust/ledger.vkey`, 'junk\n');
  await assert.rejects(ledgerSigner(disk, home), code('trust.key-differs'));
  await rm(`${home}/trust/ledger.vkey`);
  await assert.rejects(ledgerSigner(disk, home), code('trust.key-missing'));
});

test('files in trust/ that are no root or do not follow one another', async (t) => {
  const home = `${await temporaryFolder(t)}/home`;
  const side = await createSide(disk, home, options);
  const two = `${home}/trust/root.2.dsse.json`;
  await writeFile(two, 'junk');
  await assert.rejects(readRoots(disk, home), code('trust.not-a-root'));
  await writeFile(two, await readFile(side.rootPath));
  await assert.rejects(readRoots(disk, home), code('trust.chain-broken'));
  const eve = testKey();
  const stranger = signedRoot(testDraft({ Eve: { key: eve, roles: ['root'] } }, { version: 2 }), [eve.signer('Eve')]);
  assert.equal(mustRead(stranger).version, 2);
  await writeFile(two, stranger);
  await assert.rejects(readRoots(disk, home), code('trust.chain-broken'));
  assert.equal(readRoot(stranger).ok, true);
});

test('a private key of every algorithm signs what its public key verifies', () => {
  for (const algorithm of algorithms) {
    const made = testKey(algorithm);
    const key = parsePrivateKey(made.private.export({ format: 'pem', type: 'pkcs8' }).toString(), 'test');
    assert.equal(key.keyid, made.keyid);
    const signer = signerOf(key, 'One');
    const root = mustRead(signedRoot(testDraft({ One: { key, roles: ['root', 'sealer'] } }), [signer]));
    const bytes = signEnvelope('application/x', Buffer.from('x'), [signer]);
    const judge = { now: clock.now(), expectRehearsal: false };
    assert.equal(verifyEnvelope(root, 'sealer', 'application/x', bytes, judge).verdict, 'verified', algorithm);
  }
});
