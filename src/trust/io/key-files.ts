import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { errorCode, type Files } from '#kernel';
import { readIfThere, writeDurably } from '#system';
import type { Algorithm } from '../algorithm.ts';
import { allowsAlgorithm, type CryptoProfile, DEFAULT_PROFILE } from '../crypto-profile.ts';
import { encryptPrivateKey, IV_SIZE, SALT_SIZE } from '../encrypted-key.ts';
import { trustFault } from '../faults.ts';
import { encodePublicHalf, parsePublicHalf, PUBLIC_HALF_SIZE_LIMIT, type PublicHalf } from '../public-half.ts';
import { isHolderName } from '../root.ts';
import { opensslModule, requireModule } from './crypto-profiles.ts';
import { type Passphrases, type PrivateKey, readPrivateKey } from './keys.ts';

export interface NewKey {
  readonly holder: string;
  readonly algorithm: Algorithm;
  /** Absent: the file is not encrypted. */
  readonly passphrases?: Passphrases;
  /** What may be made, and by what the file is encrypted. */
  readonly profile?: CryptoProfile;
}

/**
 * Makes a private key and its public half beside it, `FILE.pub.json`. The public half is written last: a run that was
 * cut short is continued with the key that it left, and where both are there nothing is touched (trust.key-exists).
 */
export async function makeKeyFiles(
  files: Files,
  path: string,
  options: NewKey,
): Promise<{ key: PrivateKey; publicPath: string }> {
  const { holder, algorithm, passphrases, profile = DEFAULT_PROFILE } = options;
  if (!isHolderName(holder)) throw trustFault('trust.holder-name', { where: '--holder' });
  if (!allowsAlgorithm(profile, 'sign', algorithm)) {
    const detail = `The profile ${profile.name} signs by ${profile.sign.join(', ') || 'nothing'}.`;
    throw trustFault('trust.algorithm-outside', { where: algorithm, detail });
  }
  requireModule(profile, opensslModule());
  const publicPath = `${path}.pub.json`;
  if ((await files.look(publicPath)) !== undefined) throw trustFault('trust.key-exists', { where: publicPath });
  const given = passphrases === undefined ? undefined : await passphrases(path);
  const passphrase = given?.[0];
  if (passphrase !== undefined && (passphrase.length < 8 || passphrase.length > 1024)) {
    throw trustFault('trust.passphrase-file', { where: path, detail: `It has ${passphrase.length} characters.` });
  }
  if ((await files.look(path)) === undefined) {
    await onlyOnce(
      () => writeDurably(files, path, pemOf(algorithm, passphrase, profile), { mode: 0o600, exclusive: true }),
      path,
    );
  }
  const key = await readPrivateKey(files, path, passphrases, profile);
  const encrypted = Buffer.from(await files.read(path, PUBLIC_HALF_SIZE_LIMIT)).includes('ENCRYPTED');
  if (key.algorithm !== algorithm || encrypted !== (passphrase !== undefined)) {
    throw trustFault('trust.key-exists', {
      where: path,
      detail: `It is ${encrypted ? 'an encrypted' : 'a plain'} key of ${key.algorithm}.`,
    });
  }
  // In a home's folder of keys nothing may be open to others, whatever it is.
  await onlyOnce(
    () => writeDurably(files, publicPath, encodePublicHalf(holder, key), { mode: 0o600, exclusive: true }),
    publicPath,
  );
  return { key, publicPath };
}

function pemOf(algorithm: Algorithm, passphrase: string | undefined, profile: CryptoProfile): string {
  if (passphrase === undefined)
    return generatePrivateKey(algorithm).export({ format: 'pem', type: 'pkcs8' }).toString();
  const by = profile.keyFiles.find((one) => one !== 'other');
  if (by === undefined) {
    throw trustFault('trust.key-derivation', {
      detail: `The profile ${profile.name} allows none that is written here.`,
    });
  }
  const key = generatePrivateKey(algorithm);
  const pem = encryptPrivateKey(key, passphrase, randomBytes(SALT_SIZE), randomBytes(IV_SIZE), by);
  // A key that cannot be opened again must not be left as the only copy.
  if (!createPrivateKey({ key: pem, passphrase }).equals(key)) throw new Error('the encrypted key does not open');
  return pem;
}

export function generatePrivateKey(algorithm: Algorithm): KeyObject {
  switch (algorithm) {
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    case 'ecdsa-p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    case 'ecdsa-p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    case 'ml-dsa-65':
      return generateKeyPairSync('ml-dsa-65').privateKey;
    case 'ml-dsa-87':
      return generateKeyPairSync('ml-dsa-87').privateKey;
  }
}

async function onlyOnce(write: () => Promise<void>, path: string): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw trustFault('trust.key-exists', { where: path, cause: error });
    throw error;
  }
}

export async function readPublicHalf(files: Files, path: string): Promise<PublicHalf> {
  const unfit = (detail: string, cause?: unknown) =>
    trustFault('trust.not-a-public-half', { where: path, detail, cause });
  let bytes: Uint8Array | undefined;
  try {
    if ((await files.look(path))?.kind === 'other') throw unfit('It is no plain file.');
    bytes = await readIfThere(files, path, PUBLIC_HALF_SIZE_LIMIT);
  } catch (cause) {
    if (!/^E[A-Z0-9]+$/.test(errorCode(cause))) throw cause;
    throw unfit(`Reading it failed: ${errorCode(cause)}.`, cause);
  }
  if (bytes === undefined) throw unfit('It does not exist.');
  const half = parsePublicHalf(bytes);
  if (typeof half === 'string') throw unfit(half);
  return half;
}
