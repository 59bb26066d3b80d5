import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { findProgram } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';
import { sallyport } from '../../scripts/sallyport.ts';

// A whole crossing with OpenSSL's FIPS provider active in Node: what it lacks fails there, so whatever works used it.
// Debian has no such provider. One that was built from OpenSSL's source is named by SALLYPORT_TEST_FIPS_MODULE.

const PLACES = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/local/lib64',
  '/usr/local/lib',
  '/usr/lib64',
];
const named = process.env['SALLYPORT_TEST_FIPS_MODULE'];
const provider = [
  ...(named === undefined ? [] : [named]),
  ...PLACES.map((folder) => `${folder}/ossl-modules/fips.so`),
].find((path) => existsSync(path));
const openssl = await findProgram('openssl', process.env);
const reason =
  provider === undefined
    ? 'no FIPS provider of OpenSSL on this machine; Debian has none, and SALLYPORT_TEST_FIPS_MODULE names none'
    : openssl === undefined
      ? 'no openssl to install the FIPS provider of OpenSSL by'
      : undefined;

test('a crossing with the FIPS provider: keys, roots, a seal, an admission; and nothing falls back', async (t) => {
  if (reason !== undefined) return t.skip(skipped('FIPS provider of OpenSSL', reason));
  const folder = await temporaryFolder(t);
  // The integrity check and the self-tests of the provider run here; their result is what OpenSSL reads at start.
  const installed = join(folder, 'fipsmodule.cnf');
  execFileSync('openssl', ['fipsinstall', '-module', provider ?? '', '-out', installed], { stdio: 'ignore' });
  const section = (await readFile(installed, 'utf8')).replace(/^activate = 1$/m, `activate = 1\nmodule = ${provider}`);
  const config = join(folder, 'openssl.cnf');
  await writeFile(
    config,
    `nodejs_conf = fips\nopenssl_conf = fips\n[fips]\nproviders = providers\nalg_section = algorithms\n[providers]\nfips = fips_sect\nbase = base\n[base]\nactivate = 1\n[algorithms]\ndefault_properties = fips=yes\n${section}`,
  );
  const env = { OPENSSL_CONF: config };
  const run = async (command: string, code = 0, more: Record<string, string> = env) => {
    const ran = await sallyport(folder, [...command.split(' '), '--json'], { env: more });
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'files', 'note.txt'), 'sealed by approved algorithms\n');
  const target = '{ os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }';
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: fips\nchannel: main\ntargets:\n  linux-amd64: ${target}\ninputs:\n  - files: files\n`,
  );
  await writeFile(join(folder, 'pass'), 'correct horse battery staple\n', { mode: 0o600 });
  await run('init --home out --site low');
  await run('init --home in --site high');
  const { crypto } = await run('trust show --home out');
  assert.deepEqual(
    [crypto.profile, crypto.module.kind, crypto.module.validation],
    ['fips', 'openssl-fips', 'not known'],
  );
  assert.match(crypto.module.name, /FIPS provider active/);
  used('FIPS provider of OpenSSL', crypto.module.name, 'built from source');

  const add: string[] = [];
  const roles: string[] = [];
  const algorithms = ['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'ml-dsa-65', 'ml-dsa-87'];
  for (const algorithm of algorithms) {
    const made = await run(
      `trust key new ${algorithm}.key --holder ${algorithm} --algorithm ${algorithm} --passphrase-file pass`,
    );
    assert.deepEqual([made.derivation, made.profile, made.validation], ['pbkdf2', 'fips', 'not known'], algorithm);
    add.push(`--add ${algorithm}.key.pub.json`);
    roles.push(`--role ${algorithm}=sealer`);
  }
  const threshold = `--threshold sealer=${algorithms.length}`;
  await run(`trust propose --home out -o two ${add.join(' ')} ${roles.join(' ')} --role low=root,ledger ${threshold}`);
  await run('trust sign two --key out/keys/sealer.key');
  await run('trust accept two --home out');
  const { path, fingerprint } = (await run('trust show --home out')).root;
  await run(`trust pin ${path} --fingerprint ${fingerprint} --home in`);
  await run('capture --home out');
  const keys = algorithms.map((algorithm) => `--key ${algorithm}.key`).join(' ');
  await run(`seal -o one --home out ${keys} --passphrase-file pass`);
  assert.equal((await run('admit one --home in')).verdict, 'admitted');
  await run('ledger verify in/ledger');
  await run('ledger verify out/ledger');

  // The entry of the seal says what did each operation.
  const listed = JSON.stringify(await run('ledger list --home out'));
  assert.match(listed, /sallyport\/sealed\/v1/);

  // A key file by scrypt was made elsewhere: it is refused by name, and the provider would not derive it either.
  await run('trust key new plain.key --holder Zoe --passphrase-file pass', 0, {});
  const refused = await run('trust key public plain.key --holder Zoe -o zoe.json --passphrase-file pass', 3);
  assert.equal(refused.fault.code, 'trust.key-derivation');
  // What was sealed with the provider holds without it, and a side that demands the provider stops without it.
  await writeFile(
    join(folder, 'in', 'crypto.yaml'),
    'sallyport-crypto: "1.0"\nname: strict\nmodules: [openssl-fips, pkcs11]\n',
  );
  assert.equal((await run('admit one --home in')).verdict, 'already-here');
  assert.equal((await run('admit one --home in', 3, {})).fault.code, 'trust.crypto-module');
  assert.equal((await run(`verify one --root ${path}`, 0, {})).verdict, 'verified');
});
