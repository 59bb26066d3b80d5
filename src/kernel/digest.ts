import { createHash } from 'node:crypto';

/** Content identity: sha256 over the exact bytes, written `sha256:` and 64 lower-case hex digits. */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && DIGEST.test(value);
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The 64 hex digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** A digest from 64 lower-case hex digits; throws on anything else, because the caller has checked its input. */
export function digestFromHex(hex: string): Digest {
  const digest = `sha256:${hex}`;
  if (!isDigest(digest)) throw new TypeError(`not 64 lower-case hex digits: ${JSON.stringify(hex)}`);
  return digest;
}
