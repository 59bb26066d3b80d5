import type { Digest, Reason } from '#kernel';
import { type Algorithm, algorithms } from './algorithm.ts';

/** Hashes that a signature or a content identity rests on; upstream's weaker ones are evidence of another grade. */
export const hashes = ['sha256', 'sha384', 'sha512', 'shake256'] as const;
export type Hash = (typeof hashes)[number];

/** How the passphrase of a key file becomes a key. `other` is every older form; none of them is written here. */
export const keyDerivations = ['scrypt', 'pbkdf2', 'other'] as const;
export type KeyDerivation = (typeof keyDerivations)[number];

/** What can do an operation: this process's OpenSSL, the same with an active FIPS provider, a token, an agent. */
export const moduleKinds = ['openssl', 'openssl-fips', 'pkcs11', 'ssh-agent'] as const;
export type ModuleKind = (typeof moduleKinds)[number];

/** Something that does operations, by what it says of itself. */
export interface CryptoModule {
  readonly kind: ModuleKind;
  readonly name: string;
  /** Never a claim: whether a certificate covers exactly this build in this place is known to its owner alone. */
  readonly validation: 'not validated' | 'not known';
}

/** Which algorithms and modules count on a side or machine (docs/spec/crypto-profile.md). */
export interface CryptoProfile {
  readonly name: string;
  readonly sign: readonly Algorithm[];
  readonly verify: readonly Algorithm[];
  readonly hashes: readonly Hash[];
  /** What key files may be encrypted by; the first that can be written is. */
  readonly keyFiles: readonly KeyDerivation[];
  readonly modules: readonly ModuleKind[];
  /** Of the file's bytes, where a file says it. */
  readonly digest: Digest | undefined;
}

/** The hash that an algorithm rests on (RFC 8032; FIPS 186-5; FIPS 204). */
export const HASH_OF: Readonly<Record<Algorithm, Hash>> = {
  ed25519: 'sha512',
  'ecdsa-p256': 'sha256',
  'ecdsa-p384': 'sha384',
  'ml-dsa-65': 'shake256',
  'ml-dsa-87': 'shake256',
};

export const DEFAULT_PROFILE: CryptoProfile = {
  name: 'default',
  sign: algorithms,
  verify: algorithms,
  hashes,
  keyFiles: ['scrypt', 'pbkdf2', 'other'],
  modules: moduleKinds,
  digest: undefined,
};

/**
 * Approved algorithms only: signatures of FIPS 186-5 (ECDSA, EdDSA) and FIPS 204 (ML-DSA), hashes of FIPS 180-4 and 202,
 * PBKDF2 of SP 800-132. An agent says nothing of what works in it. This is about algorithms: whether a module is
 * validated is another question, which a profile cannot answer.
 */
export const FIPS_PROFILE: CryptoProfile = {
  name: 'fips',
  sign: algorithms,
  verify: algorithms,
  hashes,
  keyFiles: ['pbkdf2'],
  modules: ['openssl', 'openssl-fips', 'pkcs11'],
  digest: undefined,
};

/** What two profiles both allow. */
export function both(a: CryptoProfile, b: CryptoProfile): CryptoProfile {
  const common = <T>(left: readonly T[], right: readonly T[]): readonly T[] =>
    left.filter((one) => right.includes(one));
  const names = [...new Set([a.name, b.name])].filter((name, _, all) => all.length === 1 || name !== 'default');
  return {
    name: names.join('+'),
    sign: common(a.sign, b.sign),
    verify: common(a.verify, b.verify),
    hashes: common(a.hashes, b.hashes),
    keyFiles: common(a.keyFiles, b.keyFiles),
    modules: common(a.modules, b.modules),
    digest: b.digest ?? a.digest,
  };
}

export function allowsAlgorithm(profile: CryptoProfile, purpose: 'sign' | 'verify', algorithm: Algorithm): boolean {
  return profile[purpose].includes(algorithm) && profile.hashes.includes(HASH_OF[algorithm]);
}

/** Whether a profile takes anything away. */
export function restricts(profile: CryptoProfile): boolean {
  const lists = ['sign', 'verify', 'hashes', 'keyFiles', 'modules'] as const;
  return lists.some((list) => profile[list].length < DEFAULT_PROFILE[list].length);
}

export function algorithmReason(profile: CryptoProfile, keyid: string, algorithm: Algorithm, detail = ''): Reason {
  const said = `Key ${keyid} is of ${algorithm}, by which the crypto profile ${profile.name} verifies nothing.`;
  return { code: 'trust.algorithm', where: '', detail: detail === '' ? said : `${said} ${detail}` };
}

const OIDS: readonly (readonly [KeyDerivation, string])[] = [
  ['scrypt', '06092b06010401da47040b'],
  ['pbkdf2', '06092a864886f70d01050c'],
];

/** How a PEM private key is encrypted; undefined where it is not. */
export function keyDerivationOf(pem: string): KeyDerivation | undefined {
  if (!/ENCRYPTED/.test(pem)) return undefined;
  const body = /-----BEGIN ENCRYPTED PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)-----END/.exec(pem)?.[1] ?? '';
  // The algorithm stands before the encrypted key, in its first bytes (RFC 5958, RFC 8018 appendix A.4).
  const start = Buffer.from(body.replace(/\s/g, '').slice(0, 128), 'base64').subarray(0, 64).toString('hex');
  return OIDS.find(([, oid]) => start.includes(oid))?.[0] ?? 'other';
}
