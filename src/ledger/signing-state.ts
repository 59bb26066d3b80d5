import { decodeBase64, encodeBase64, isProblem, parseStrictJson } from '#formats';
import { isObject } from '#kernel';
import { HASH_BYTES, type Hash } from './tree.ts';

/**
 * The largest tree that this log ever signed (DECISIONS 14): durable before the signature leaves, so that neither a
 * smaller size nor another root for the same size is ever signed.
 */
export interface SigningState {
  readonly size: number;
  readonly root: Hash;
  /** The signed checkpoint, exact bytes. */
  readonly note: Uint8Array;
}

const MARK = 'sallyport-signing-state';
const VERSION = '1.0';

export function encodeSigningState({ size, root, note }: SigningState): Uint8Array {
  const text = Buffer.from(note).toString('utf8');
  return Buffer.from(`${JSON.stringify({ [MARK]: VERSION, size, root: encodeBase64(root), note: text })}\n`, 'utf8');
}

/** Undefined where the bytes are not exactly what {@link encodeSigningState} writes. */
export function decodeSigningState(bytes: Uint8Array): SigningState | undefined {
  const parsed = parseStrictJson(bytes);
  if (isProblem(parsed) || !isObject(parsed.value)) return undefined;
  const { size, root, note } = parsed.value;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  if (typeof root !== 'string' || typeof note !== 'string') return undefined;
  const hashed = decodeBase64(root);
  if (hashed === undefined || hashed.length !== HASH_BYTES) return undefined;
  const state = { size, root: hashed, note: Buffer.from(note, 'utf8') };
  return Buffer.compare(encodeSigningState(state), bytes) === 0 ? state : undefined;
}
