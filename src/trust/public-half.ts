import { encodeBase64, needsNewer, parseStrictJson } from '#formats';
import { isObject } from '#kernel';
import { type PublicKey, readPublicKey } from './algorithm.ts';
import { isHolderName } from './root.ts';

export const PUBLIC_HALF_SIZE_LIMIT = 64 * 1024;

/** What people exchange: the public half of a key and whose it says it is (docs/spec/root.md, "Key files"). */
export interface PublicHalf {
  readonly holder: string;
  readonly key: PublicKey;
}

export function encodePublicHalf(holder: string, key: Pick<PublicKey, 'keyid' | 'algorithm' | 'spki'>): Uint8Array {
  const document = {
    'sallyport-key': '1.0',
    holder,
    algorithm: key.algorithm,
    keyid: key.keyid,
    public: encodeBase64(key.spki),
  };
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`, 'utf8');
}

/** The public half, or one sentence on what is wrong with it. */
export function parsePublicHalf(bytes: Uint8Array): PublicHalf | string {
  const parsed = parseStrictJson(bytes, { size: PUBLIC_HALF_SIZE_LIMIT });
  if (!parsed.ok) return `It is no strict JSON: ${parsed.detail}`;
  if (!isObject(parsed.value)) return 'It is no JSON object.';
  const { 'sallyport-key': format, critical, holder, algorithm, keyid, public: text } = parsed.value;
  if (format === undefined) return "It is no public half: it has no 'sallyport-key'.";
  const newer = needsNewer(format, critical);
  if (newer !== undefined) return newer;
  if (!isHolderName(holder)) return "The holder's name is empty, too long or not plain text.";
  const key = typeof text === 'string' ? readPublicKey(text) : undefined;
  if (key === undefined) return "'public' is no public key that can be used, as base64 of its DER.";
  if (algorithm !== key.algorithm) return `The key is of ${key.algorithm}; the file says otherwise.`;
  if (keyid !== key.keyid) return 'The key id is not the digest of the key.';
  return { holder, key };
}
