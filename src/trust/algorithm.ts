import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { CryptoModule } from './crypto-profile.ts';
import { decodeBase64, isSoundEd25519 } from '#formats';

/** Algorithms for artifacts and roots. Ed25519 is what `init` makes; all are verified. */
export const algorithms = ['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'ml-dsa-65', 'ml-dsa-87'] as const;
export type Algorithm = (typeof algorithms)[number];

/** Digest by which ECDSA signs; the others hash by themselves, and node:crypto refuses a name for them. */
const HASH: Readonly<Record<Algorithm, string | null>> = {
  ed25519: null,
  'ecdsa-p256': 'sha256',
  'ecdsa-p384': 'sha384',
  'ml-dsa-65': null,
  'ml-dsa-87': null,
};

/** The algorithm of a key, or undefined where it is none of ours. */
export function algorithmOf(key: KeyObject): Algorithm | undefined {
  // The types of node:crypto do not know every name that its keys have.
  const type = key.asymmetricKeyType as string | undefined;
  if (type === 'ec') {
    const curve = key.asymmetricKeyDetails?.namedCurve;
    return curve === 'prime256v1' ? 'ecdsa-p256' : curve === 'secp384r1' ? 'ecdsa-p384' : undefined;
  }
  return algorithms.find((algorithm) => algorithm === type);
}

/** A public key that was read and found to be exactly what it says. */
export interface PublicKey {
  /** sha256 over the SubjectPublicKeyInfo (DER), 64 hex digits. */
  readonly keyid: string;
  readonly algorithm: Algorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly object: KeyObject;
}

export function keyidOf(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex');
}

export function publicKeyOf(key: KeyObject): PublicKey | undefined {
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) return undefined;
  const object = key.type === 'private' ? createPublicKey(key) : key;
  const spki = object.export({ format: 'der', type: 'spki' });
  return { keyid: keyidOf(spki), algorithm, spki, object };
}

/**
 * A key from base64 SubjectPublicKeyInfo. Refused (undefined): private keys, which `createPublicKey` would take in PEM;
 * a second encoding of a key (compressed points, other parameters), because one key must have one id; Ed25519 points of
 * small order, for which one signature fits many messages.
 */
export function readPublicKey(text: string): PublicKey | undefined {
  const spki = decodeBase64(text);
  if (spki === undefined) return undefined;
  let object: KeyObject;
  try {
    object = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
  const key = publicKeyOf(object);
  if (key === undefined || !Buffer.from(key.spki).equals(spki)) return undefined;
  if (key.algorithm === 'ed25519' && !isSoundEd25519(key.spki.subarray(-32))) return undefined;
  return key;
}

/** Whether a signature fits. ECDSA signatures are DER (as in sigstore); anything malformed does not fit. */
export function signatureFits(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(HASH[key.algorithm], message, key.object, signature);
  } catch {
    return false;
  }
}

/** A private key at work, wherever it lies. */
export interface SigningKey extends PublicKey {
  /** What does the operation: this process's OpenSSL, a token's module, an agent. */
  readonly module: CryptoModule;
  sign(message: Uint8Array): Uint8Array;
}

/** r and s beside each other, as tokens and agents give them, in DER (RFC 3279 section 2.2.3), as envelopes have them. */
export function derSignature(raw: Uint8Array): Uint8Array {
  const number = (part: Uint8Array): Buffer => {
    let start = 0;
    while (start < part.length - 1 && part[start] === 0) start += 1;
    const digits = part.subarray(start);
    const positive = (digits[0] ?? 0) < 0x80 ? digits : Buffer.concat([Uint8Array.of(0), digits]);
    return Buffer.concat([Uint8Array.of(0x02, positive.length), positive]);
  };
  const both = Buffer.concat([number(raw.subarray(0, raw.length / 2)), number(raw.subarray(raw.length / 2))]);
  return Buffer.concat([Uint8Array.of(0x30, both.length), both]);
}

export function signWith(algorithm: Algorithm, key: KeyObject, message: Uint8Array): Uint8Array {
  return sign(HASH[algorithm], message, key);
}
