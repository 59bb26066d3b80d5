import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { errorMessage } from '#kernel';
import { debianTools, findProgram } from '#system';
import { temporaryFolder } from '#system/testing';
import { sallyport } from '../../scripts/sallyport.ts';

// Keys that lie in no file: on a token (SoftHSM, through pkcs11-tool) and with OpenSSH's agent. Each seals, signs roots
// and approves, and nobody inside can tell it from a key in a file.

const tools = await debianTools(['pkcs11-tool', 'softhsm2-util'], { env: process.env }).catch((error: unknown) =>
  errorMessage(error),
);
const agent = await findProgram('ssh-agent', process.env);

// oxlint-disable-next-line no-explicit-any
type Run = (command: readonly string[], code?: number) => Promise<any>;

async function sides(folder: string, env: Readonly<Record<string, string>>): Promise<Run> {
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'files', 'note.txt'), 'sealed by a token\n');
  const target = '{ os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }';
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: keys\nchannel: main\ntargets:\n  linux-amd64: ${target}\ninputs:\n  - files: files\n`,
  );
  const run: Run = async (command, code = 0) => {
    const ran = await sallyport(folder, [...command, '--json'], { env });
    assert.equal(ran.code, code, `${command.join(' ')}: ${ran.out}${ran.err}`);
    assert.doesNotMatch(ran.out + ran.err, /24681357/, 'the PIN stands in no output');
    return ran.json;
  };
  await run(['init', '--home', 'out', '--site', 'low']);
  await run(['init', '--home', 'in', '--site', 'high']);
  await run(['capture', '--home', 'out']);
  return run;
}

/** A root whose sealers and root holders are these keys; the bundle that they seal comes in. */
async function crossing(
  run: Run,
  keys: readonly { readonly name: string; readonly holder: string }[],
): Promise<{ signed: { algorithm: string; module: string }[] }> {
  const add: string[] = [];
  const roles: string[] = [];
  for (const [index, { name, holder }] of keys.entries()) {
    const made = await run(['trust', 'key', 'public', name, '--holder', holder, '-o', `${index}.pub.json`]);
    assert.equal(made.holder, holder);
    add.push('--add', `${index}.pub.json`);
    roles.push('--role', `${holder}=root,sealer`);
  }
  const threshold = ['--threshold', `root=${keys.length}`, '--threshold', `sealer=${keys.length}`];
  const low = ['--role', 'low=ledger'];
  await run(['trust', 'propose', '--home', 'out', '-o', 'two', ...add, ...roles, ...low, ...threshold]);
  const named = keys.flatMap(({ name }) => ['--key', name]);
  const signed = await run(['trust', 'sign', 'two', '--key', 'out/keys/sealer.key', ...named]);
  assert.equal(signed.signatures.ready, true);
  await run(['trust', 'accept', 'two', '--home', 'out']);
  const { path, fingerprint } = (await run(['trust', 'show', '--home', 'out'])).root;
  await run(['trust', 'pin', path, '--fingerprint', fingerprint, '--home', 'in']);
  const sealed = await run(['seal', '-o', 'one', '--home', 'out', ...named]);
  const admitted = await run(['admit', 'one', '--home', 'in']);
  assert.deepEqual(
    [admitted.verdict, [...admitted.trust.holders].sort()],
    ['admitted', keys.map(({ holder }) => holder).sort()],
  );
  return (await run(['ledger', 'show', String(sealed.ledger.index), '--home', 'out'])).predicate;
}

test('keys on a token hold the root and seal', { skip: typeof tools === 'string' ? tools : false }, async (t) => {
  assert.ok(typeof tools !== 'string');
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'tokens'), { mode: 0o700 });
  await writeFile(join(folder, 'softhsm2.conf'), `directories.tokendir = ${join(folder, 'tokens')}\n`);
  const tool = tools['pkcs11-tool'].path;
  const library = 'lib/softhsm/libsofthsm2.so';
  const module = [
    '/usr',
    join(dirname(tools['softhsm2-util'].path), '..', 'usr'),
    join(dirname(tools['softhsm2-util'].path), '..', 'root', 'usr'),
  ]
    .map((root) => join(root, library))
    .find((path) => existsSync(path));
  if (module === undefined) return t.skip('the module of SoftHSM: it is not on this machine');
  const env = { SOFTHSM2_CONF: join(folder, 'softhsm2.conf'), PATH: `${dirname(tool)}:${process.env['PATH'] ?? ''}` };
  const must = (program: string, args: readonly string[]): void => {
    const ended = spawnSync(program, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
    assert.equal(ended.status, 0, `${program} ${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
  };
  must(tools['softhsm2-util'].path, [
    '--init-token',
    '--free',
    '--label',
    'site',
    '--pin',
    '24681357',
    '--so-pin',
    '987654',
  ]);
  for (const [index, type] of ['EC:prime256v1', 'EC:secp384r1', 'EC:edwards25519'].entries()) {
    const base = ['--module', module, '--token-label', 'site', '--login', '--pin', '24681357'];
    must(tool, [...base, '--keypairgen', '--key-type', type, '--label', `key ${index}`, '--id', `0${index + 1}`]);
  }
  await writeFile(join(folder, 'pin'), '24681357\n', { mode: 0o600 });
  const run = await sides(folder, env);
  const uri = (index: number, pin = 'pin') =>
    `pkcs11:token=site;object=key%20${index}?module-path=${module}&pin-source=${join(folder, pin)}`;
  const { signed } = await crossing(run, [
    { name: uri(0), holder: 'Ada' },
    { name: uri(1), holder: 'Ben' },
  ]);
  assert.deepEqual(signed.map(({ algorithm }) => algorithm).sort(), ['ecdsa-p256', 'ecdsa-p384']);
  for (const { module: by } of signed) assert.match(by, /token model SoftHSM v2/, 'the ledger has what signed');
  const shown = await run(['trust', 'key', 'public', uri(0), '--holder', 'Ada', '-o', 'shown.json']);
  assert.match(shown.module, /libsofthsm2\.so: library .*SoftHSM.*token model SoftHSM v2.*SoftHSM project/);
  assert.equal(shown.validation, 'not known');
  const edwards = await run(['trust', 'key', 'public', uri(2), '--holder', 'Cat', '-o', 'no.json'], 3);
  assert.match(edwards.fault.message, /P-256 or P-384/);
  const fault = async (name: string): Promise<string> =>
    (await run(['seal', '-o', 'no', '--home', 'out', '--key', name], 3)).fault.code;
  await writeFile(join(folder, 'wrong'), '00000000\n', { mode: 0o600 });
  assert.equal(await fault(uri(0, 'wrong')), 'trust.token');
  await writeFile(join(folder, 'open'), '24681357\n', { mode: 0o644 });
  assert.equal(await fault(uri(0, 'open')), 'trust.passphrase-file');
  assert.equal(await fault(uri(7)), 'trust.token');
  assert.equal(await fault(`${uri(0)}&pin-value=24681357`.replace('24681357', '1')), 'trust.token');
  assert.equal(await fault('pkcs11:token=site;object=a?module-path=/nowhere.so'), 'trust.passphrase-needed');
});

test(
  'keys of an ssh-agent hold the root and seal',
  { skip: agent === undefined ? 'ssh-agent: it is not on this machine' : false },
  async (t) => {
    const folder = await temporaryFolder(t);
    const socket = join(folder, 'agent');
    const running = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    t.after(async () => void running.kill());
    for (let tries = 0; !existsSync(socket) && tries < 200; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const env = { SSH_AUTH_SOCK: socket };
    const must = (program: string, args: readonly string[]): string => {
      const ended = spawnSync(program, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
      assert.equal(ended.status, 0, `${program}: ${ended.stderr}`);
      return ended.stdout;
    };
    for (const [name, type] of [
      ['ada', ['ed25519']],
      ['ben', ['ecdsa', '-b', '256']],
      ['cat', ['ecdsa', '-b', '384']],
      ['rsa', ['rsa', '-b', '2048']],
    ] as const) {
      must('ssh-keygen', ['-q', '-t', ...type, '-N', '', '-C', `${name}@site`, '-f', join(folder, name)]);
      must('ssh-add', ['-q', join(folder, name)]);
    }
    const fingerprint = /SHA256:\S+/.exec(must('ssh-keygen', ['-l', '-f', join(folder, 'ben.pub')]))?.[0] ?? '';
    const run = await sides(folder, env);
    await crossing(run, [
      { name: 'ssh-agent:ada@site', holder: 'Ada' },
      { name: `ssh-agent:${fingerprint}`, holder: 'Ben' },
      { name: 'ssh-agent:cat@site', holder: 'Cat' },
    ]);
    const fault = async (name: string): Promise<string> =>
      (await run(['seal', '-o', 'no', '--home', 'out', '--key', name], 3)).fault.code;
    // An agent does not say what works in it: the profile of approved algorithms does not let it sign.
    await writeFile(join(folder, 'out', 'crypto.yaml'), 'sallyport-crypto: "1.0"\nname: approved\nbase: fips\n');
    assert.equal(await fault('ssh-agent:ada@site'), 'trust.crypto-module');
    await rm(join(folder, 'out', 'crypto.yaml'));
    assert.equal(await fault('ssh-agent:nobody@site'), 'trust.agent');
    assert.equal(await fault('ssh-agent:rsa@site'), 'trust.agent');
    must('ssh-add', ['-q', '-D']);
    assert.equal(await fault('ssh-agent:ada@site'), 'trust.agent');
  },
);
