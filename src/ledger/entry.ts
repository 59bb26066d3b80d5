import { isProblem, parseStrictJson } from '#formats';
import { type Digest, hexOf, isDigest, isObject } from '#kernel';

/** What one of our entries says: which statement, how large, of which type. The log holds digests (DECISIONS 15). */
export interface LedgerEntry {
  readonly statement: Digest;
  /** Bytes of the statement's envelope. */
  readonly size: number;
  /** Predicate type of the statement. */
  readonly type: string;
}

const MARK = 'sallyport-entry';
const VERSION = '1.0';
const READABLE_VERSION = /^1\.(0|[1-9][0-9]{0,3})$/;
const PREFIX = Buffer.from(`{"${MARK}":`);

/** One line of JSON without a line end, in this key order. */
export function encodeEntry(entry: LedgerEntry): Uint8Array {
  return Buffer.from(
    JSON.stringify({ [MARK]: VERSION, statement: entry.statement, size: entry.size, type: entry.type }),
    'utf8',
  );
}

/**
 * `opaque` is what others wrote into a log in our layout. What begins as a record of ours and cannot be understood is
 * `malformed`: otherwise the duty to show a statement could be escaped by one more space. Later minor versions may add
 * fields; a `critical` list names those that must be understood, and this version understands none.
 */
export function decodeEntry(bytes: Uint8Array): LedgerEntry | 'opaque' | 'malformed' {
  if (Buffer.compare(bytes.subarray(0, PREFIX.length), PREFIX) !== 0) return 'opaque';
  const parsed = parseStrictJson(bytes);
  if (isProblem(parsed) || !isObject(parsed.value)) return 'malformed';
  if (Buffer.compare(Buffer.from(JSON.stringify(parsed.value), 'utf8'), bytes) !== 0) return 'malformed';
  const { [MARK]: version, statement, size, type, critical } = parsed.value;
  if (typeof version !== 'string' || !READABLE_VERSION.test(version) || critical !== undefined) return 'malformed';
  if (!isDigest(statement) || typeof type !== 'string') return 'malformed';
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return 'malformed';
  return { statement, size, type };
}

/** Path of a statement below the log's folder. */
export function statementPath(statement: Digest): string {
  const hex = hexOf(statement);
  return `statements/sha256/${hex.slice(0, 2)}/${hex}`;
}
