import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, getFips } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isFault } from '#kernel';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { DEFAULT_PROFILE, FIPS_PROFILE, keyDerivationOf } from '../crypto-profile.ts';
import { encryptPrivateKey } from '../encrypted-key.ts';
import { memoryAppender } from '../testing/index.ts';
import { cryptoProfile, opensslModule, readCryptoProfile, requireModule } from './crypto-profiles.ts';
import { makeKeyFiles } from './key-files.ts';
import { readPrivateKey, roleSigners, sealersOf, signingKey } from './keys.ts';
import { effectiveRoot, pinRoot, readRoots } from './roots.ts';
import { createSide } from './side.ts';

const clock = { now: () => Date.parse('2027-01-01T00:00:00Z') };
const HEAD = 'sallyport-crypto: "1.0"\nname: plant\n';

async function faultOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (isFault(error) ? error.code : String(error)),
  );
}

async function site(t: TestContext, profile?: string) {
  const home = join(await temporaryFolder(t), 'home');
  await mkdir(home, { mode: 0o700 });
  if (profile !== undefined) await writeFile(join(home, 'crypto.yaml'), `${HEAD}${profile}`);
  return { home, side: await createSide(nodeFiles, home, { site: 'plant', purpose: 'one-person', clock }) };
}

test('CRY-1: the home, the variable and OpenSSL say together what holds', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'site.yaml');
  await writeFile(file, `${HEAD}verify: [ecdsa-p384]\n`);
  await writeFile(join(folder, 'crypto.yaml'), 'sallyport-crypto: "1.0"\nname: home\nkey-files: [scrypt]\n');
  const read = async (value: string | undefined, home?: string) =>
    readCryptoProfile(nodeFiles, home, value === undefined ? {} : { SALLYPORT_CRYPTO: value });
  const name = getFips() === 1 ? 'fips' : 'default';
  assert.equal((await read(undefined)).name, name);
  assert.equal((await read('')).name, name);
  assert.equal((await read('fips')).name, 'fips');
  assert.deepEqual((await read(file)).verify, ['ecdsa-p384']);
  assert.match((await read(file)).digest ?? '', /^sha256:/);
  const all = await read('fips', folder);
  assert.deepEqual([all.name, all.keyFiles], ['fips+home', []], 'nothing is left that both allow');
});

test('CRY-2: a profile that is missing, too large or wrong stops everything', async (t) => {
  const { home } = await site(t);
  const at = (value: string, place?: string) =>
    faultOf(readCryptoProfile(nodeFiles, place, { SALLYPORT_CRYPTO: value }));
  assert.equal(await at('/nowhere/profile.yaml'), 'trust.crypto-profile');
  await writeFile(join(home, 'crypto.yaml'), 'sallyport-crypto: "9.0"\n');
  assert.equal(await at('', home), 'trust.crypto-profile');
  assert.equal(
    await faultOf(effectiveRoot(nodeFiles, home, join(home, 'trust/root.1.dsse.json'))),
    'trust.crypto-profile',
  );
  assert.equal(await faultOf(sealersOf(nodeFiles, home)), 'trust.crypto-profile');
});

test('CRY-3: keys are made and sign only by what the profile allows', async (t) => {
  const { home, side } = await site(t, 'sign: [ecdsa-p384]\nverify: [ecdsa-p384]\n');
  const profile = await cryptoProfile(nodeFiles, home);
  const [holder] = side.root.holders;
  assert.deepEqual(
    holder?.keys.map(({ algorithm }) => algorithm),
    ['ecdsa-p384', 'ed25519'],
    'the key of the ledger keeps its form',
  );
  const path = join(home, 'keys', 'ada.key');
  const made = (algorithm: 'ed25519' | 'ecdsa-p384') =>
    makeKeyFiles(nodeFiles, path, { holder: 'Ada', algorithm, profile });
  assert.equal(await faultOf(made('ed25519')), 'trust.algorithm-outside');
  assert.equal(await nodeFiles.look(path), undefined, 'nothing is left');
  await made('ecdsa-p384');
  assert.equal((await signingKey(nodeFiles, path, undefined, profile)).algorithm, 'ecdsa-p384');
  const other = join(home, 'keys', 'ben.key');
  await makeKeyFiles(nodeFiles, other, { holder: 'Ben', algorithm: 'ml-dsa-65' });
  assert.equal(await faultOf(signingKey(nodeFiles, other, undefined, profile)), 'trust.algorithm-outside');
  assert.equal((await sealersOf(nodeFiles, home)).length, 1);
});

test('CRY-4, CRY-5: what a person brings is judged by it: roots that are pinned, named, or sign for a role', async (t) => {
  const maker = await site(t);
  const { home } = await site(t, 'verify: [ecdsa-p384]\n');
  const file = maker.side.rootPath;
  const pin = await pinRoot(nodeFiles, home, file, {
    now: clock.now(),
    expected: maker.side.fingerprint,
    ask: async () => '',
    ledger: async () => memoryAppender(),
  });
  assert.deepEqual([pin.verdict, pin.reasons.map(({ code }) => code)], ['refused', ['trust.algorithm']]);
  assert.match(pin.reasons[0]?.detail ?? '', /ed25519.*profile plant/);
  const named = await effectiveRoot(nodeFiles, home, file);
  assert.equal(named.refusal?.code, 'trust.algorithm');
  assert.equal(named.root.profile?.name, 'plant', 'and no signature by it would count');
  const key = join(maker.home, 'keys', 'sealer.key');
  assert.equal(await faultOf(roleSigners(nodeFiles, named.root, 'approver', [key])), 'trust.algorithm-outside');
  assert.equal((await readRoots(nodeFiles, maker.home)).length, 1, 'a side without the profile is as before');
});

test('CRY-6: PBKDF2 under fips, by a standard form; scrypt is not opened there', async (t) => {
  const folder = await temporaryFolder(t);
  const passphrases = async () => ['correct horse battery'];
  const make = (name: string, profile = DEFAULT_PROFILE) =>
    makeKeyFiles(nodeFiles, join(folder, name), { holder: 'Ada', algorithm: 'ed25519', passphrases, profile });
  await make('fips.key', FIPS_PROFILE);
  const pem = await readFile(join(folder, 'fips.key'), 'latin1');
  assert.ok(createPrivateKey({ key: pem, passphrase: 'correct horse battery' }));
  assert.equal(
    (await readPrivateKey(nodeFiles, join(folder, 'fips.key'), passphrases, FIPS_PROFILE)).algorithm,
    'ed25519',
  );
  assert.equal((await readPrivateKey(nodeFiles, join(folder, 'fips.key'), passphrases)).algorithm, 'ed25519');
  await make('plain.key');
  const opened = readPrivateKey(nodeFiles, join(folder, 'plain.key'), passphrases, FIPS_PROFILE);
  assert.equal(await faultOf(opened), 'trust.key-derivation');
});

test('CRY-7, CRY-9: a module that is not allowed does nothing, and none is said to be validated', async (t) => {
  const module = opensslModule();
  assert.match(module.name, new RegExp(process.versions.openssl.replaceAll('.', '\\.')));
  assert.equal(module.validation, getFips() === 1 ? 'not known' : 'not validated');
  const { home } = await site(t);
  await writeFile(join(home, 'crypto.yaml'), `${HEAD}modules: [openssl-fips, pkcs11]\n`);
  const expected = getFips() === 1 ? 'none' : 'trust.crypto-module';
  assert.equal(await faultOf(sealersOf(nodeFiles, home)), expected);
  assert.equal(await faultOf(effectiveRoot(nodeFiles, home, join(home, 'trust/root.1.dsse.json'))), expected);
  const allowed =
    (modules: readonly ('openssl' | 'openssl-fips' | 'pkcs11' | 'ssh-agent')[]) => (kind: (typeof modules)[number]) => {
      try {
        requireModule({ ...DEFAULT_PROFILE, modules }, { kind, name: kind });
        return true;
      } catch (error) {
        assert.ok(isFault(error) && error.code === 'trust.crypto-module');
        return false;
      }
    };
  assert.deepEqual((['openssl', 'openssl-fips', 'pkcs11', 'ssh-agent'] as const).map(allowed(['openssl'])), [
    true,
    true,
    false,
    false,
  ]);
  assert.deepEqual(
    (['openssl', 'openssl-fips', 'pkcs11', 'ssh-agent'] as const).map(allowed(['openssl-fips', 'pkcs11'])),
    [false, true, true, false],
  );
});

test('CRY-6: how a key file is encrypted is read from the file', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const [salt, iv] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)];
  for (const by of ['scrypt', 'pbkdf2'] as const) {
    assert.equal(keyDerivationOf(encryptPrivateKey(privateKey, 'correct horse', salt, iv, by)), by);
  }
  const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'correct horse' } as const;
  assert.equal(keyDerivationOf(privateKey.export(options)), 'pbkdf2', 'as node:crypto writes it');
  assert.equal(keyDerivationOf(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()), undefined);
  const old = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  assert.equal(keyDerivationOf(old.export({ ...options, type: 'sec1' })), 'other', 'MD5 under an old PEM header');
  assert.equal(
    keyDerivationOf('-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----'),
    'other',
  );
});
