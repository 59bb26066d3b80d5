import {
  type ArtifactRow,
  compareUtf8,
  describeIdentity,
  type Digest,
  digestOf,
  type DocumentRow,
  isDigest,
  isObject,
  type LockRow,
  printable,
  type Reason,
} from '#kernel';
import { parseStrictJson } from '#formats';
import {
  MAX_BLOB_BYTES,
  MAX_BLOBS,
  MAX_DEPTH,
  MAX_FRAME_BYTES,
  MAX_INDEX_BYTES,
  MAX_INDEX_LINE_BYTES,
  MAX_LOCK_BYTES,
} from './layout.ts';
import type { Stored } from './stored-form.ts';
import { reason } from './faults.ts';

export interface IndexedBlob {
  readonly digest: Digest;
  /** Uncompressed bytes. */
  readonly size: number;
  readonly stored: Stored;
}

export interface Encoder {
  readonly name: string;
  readonly library: string;
  readonly level: number;
  /** Bytes of content in a frame; the last of a blob holds the rest. */
  readonly frame: number;
}

/** What a bundle holds: a function of the lock, its contents and the encoder. */
export interface BundleIndex {
  /** sha256 of the index's exact bytes: the bundle's identity and the seal's subject. */
  readonly digest: Digest;
  /** Bytes of the index itself. */
  readonly length: number;
  readonly lock: Digest;
  readonly encoder: Encoder;
  /** The lock first, then ascending by digest. */
  readonly blobs: readonly IndexedBlob[];
  /** Sum of the uncompressed sizes. */
  readonly bytes: number;
}

export interface NamedContent {
  readonly digest: Digest;
  readonly size: number;
  /** One of the rows that name it, for messages. */
  readonly row: ArtifactRow | DocumentRow;
}

/**
 * Every content that the artifacts and documents of a lock name, once, ascending by digest. Inputs stay outside: a
 * project's own files may hold addresses with credentials, and the lock has their digests.
 */
export function contentsOf(rows: readonly LockRow[]): NamedContent[] {
  const seen = new Map<Digest, NamedContent>();
  for (const row of rows) {
    if (row.row === 'pointer' || row.row === 'input' || seen.has(row.digest)) continue;
    seen.set(row.digest, { digest: row.digest, size: row.size, row });
  }
  return [...seen.values()].sort((a, b) => compareUtf8(a.digest, b.digest));
}

export function encodeIndex(
  lock: Digest,
  encoder: Encoder,
  blobs: readonly IndexedBlob[],
): { bytes: Uint8Array; index: BundleIndex } {
  const bytes = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const { name, library, level, frame } = encoder;
  const lines = [
    JSON.stringify({
      format: 'sallyport-index',
      version: '1.0',
      critical: [],
      lock,
      encoder: { name, library, level, frame },
      blobs: blobs.length,
      bytes,
    }),
    ...blobs.map(({ digest, size, stored }) => JSON.stringify({ digest, size, stored })),
  ];
  const encoded = Buffer.from(`${lines.join('\n')}\n`, 'utf8');
  return {
    bytes: encoded,
    index: { digest: digestOf(encoded), length: encoded.length, lock, encoder, blobs, bytes },
  };
}

/** The index in these bytes, or why they hold none. */
export function decodeIndex(encoded: Uint8Array): BundleIndex | Reason {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  if (bytes.length > MAX_INDEX_BYTES) return reason('bundle.limit', 'index.jsonl', `It has ${bytes.length} bytes.`);
  if (bytes.length === 0 || bytes[bytes.length - 1] !== 0x0a) return bad(1, 'The last line does not end.');
  let header: Omit<BundleIndex, 'digest' | 'length' | 'blobs'> | undefined;
  let count = 0;
  let sum = 0;
  const blobs: IndexedBlob[] = [];
  for (let at = 0, number = 1; at < bytes.length; number++) {
    const end = bytes.indexOf(0x0a, at);
    const line = bytes.subarray(at, end);
    at = end + 1;
    if (line.length > MAX_INDEX_LINE_BYTES)
      return reason('bundle.limit', `index.jsonl line ${number}`, 'It is too long.');
    const parsed = parseStrictJson(line, { depth: MAX_DEPTH });
    if (!parsed.ok) return bad(number, parsed.detail);
    const value = parsed.value;
    if (!isObject(value)) return bad(number, 'It is no object.');
    if (header === undefined) {
      const refused = versionProblem(value['version'], value['critical'], 'index.jsonl');
      if (refused !== undefined) return refused;
      const { format, lock, encoder } = value;
      if (format !== 'sallyport-index' || !isDigest(lock) || !isObject(encoder)) return bad(number, 'It is no header.');
      const { name, library, level, frame } = encoder;
      if (name !== 'zstd')
        return reason('bundle.unknown-critical', 'index.jsonl', 'It needs another encoder than zstd.');
      if (
        typeof library !== 'string' ||
        !isCount(level) ||
        !isCount(frame) ||
        frame < 65536 ||
        frame > MAX_FRAME_BYTES
      ) {
        return bad(number, 'The encoder is not one that this format has.');
      }
      if (!isCount(value['blobs']) || !isCount(value['bytes'])) return bad(number, 'The totals are no counts.');
      if (value['blobs'] > MAX_BLOBS) return reason('bundle.limit', 'index.jsonl', `It names ${value['blobs']} blobs.`);
      count = value['blobs'];
      header = { lock, encoder: { name, library, level, frame }, bytes: value['bytes'] };
      continue;
    }
    const { digest, size, stored } = value;
    if (!isDigest(digest) || !isCount(size) || (stored !== 'raw' && stored !== 'zstd'))
      return bad(number, 'It is no blob.');
    if (size > MAX_BLOB_BYTES)
      return reason('bundle.limit', `index.jsonl line ${number}`, `The blob has ${size} bytes.`);
    if (stored === 'zstd' && size === 0) return bad(number, 'An empty blob has no frames.');
    if (blobs.length === count) return bad(number, `There are more blobs than the ${count} of the header.`);
    const before = blobs[blobs.length - 1];
    if (before === undefined) {
      if (digest !== header.lock) return bad(number, 'The first blob is not the lock.');
      if (size > MAX_LOCK_BYTES) return reason('bundle.limit', 'sallyport.lock', `It has ${size} bytes.`);
    } else if (digest === header.lock || (blobs.length > 1 && compareUtf8(before.digest, digest) !== -1)) {
      return bad(number, 'The blobs are not in order, or one is named twice.');
    }
    sum += size;
    if (!Number.isSafeInteger(sum)) return bad(number, 'The sizes add up to more than a number holds.');
    blobs.push({ digest, size, stored });
  }
  if (header === undefined || blobs.length === 0) return bad(1, 'It names nothing.');
  if (blobs.length !== count || sum !== header.bytes) return bad(1, 'The totals of the header are wrong.');
  return { digest: digestOf(bytes), length: bytes.length, ...header, blobs };
}

/** Where index and lock disagree about what must be here: nothing if they agree. */
export function lockDifference(index: BundleIndex, rows: readonly LockRow[]): Reason | undefined {
  const wanted = contentsOf(rows).filter((content) => content.digest !== index.lock);
  const found = new Map(index.blobs.slice(1).map((blob) => [blob.digest, blob.size]));
  for (const { digest, size, row } of wanted) {
    const where = printable(describeIdentity(row));
    if (!found.has(digest)) return reason('bundle.lock', where, 'The lock names it and the index does not.');
    if (found.get(digest) !== size) return reason('bundle.lock', where, 'The lock and the index give it two sizes.');
    found.delete(digest);
  }
  for (const digest of found.keys()) return reason('bundle.lock', digest, 'The index names it and the lock does not.');
  return undefined;
}

/** Major version and critical list of a document (DECISIONS: versions). */
export function versionProblem(version: unknown, critical: unknown, where: string): Reason | undefined {
  if (typeof version !== 'string' || !/^[1-9]\d{0,3}\.(?:0|[1-9]\d{0,3})$/.test(version)) {
    return reason('bundle.index', where, 'It has no version.');
  }
  if (!version.startsWith('1.')) {
    return reason('bundle.unknown-version', where, `It is version ${version}; this reader knows major 1.`);
  }
  if (!Array.isArray(critical) || critical.some((name) => typeof name !== 'string')) {
    return reason('bundle.index', where, 'Its list of critical features is no list of names.');
  }
  if (critical.length > 0) {
    return reason('bundle.unknown-critical', where, `It needs ${critical.slice(0, 8).map(String).join(', ')}.`);
  }
  return undefined;
}

function bad(line: number, detail: string): Reason {
  return reason('bundle.index', `index.jsonl line ${line}`, detail);
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
