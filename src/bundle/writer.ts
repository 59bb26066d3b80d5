import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import {
  type Content,
  type ContentReader,
  describeIdentity,
  type Digest,
  digestOf,
  errorCode,
  errorMessage,
  type Fault,
  type Files,
  hexOf,
  type Identity,
  type Instant,
  isFault,
  type LockRow,
  printable,
  type Report,
} from '#kernel';
import {
  decodeEnvelope,
  encodeTarHeader,
  isProblem,
  pae,
  STATEMENT_PAYLOAD_TYPE,
  TAR_BLOCK,
  tarHeaderLength,
  tarPadding,
} from '#formats';
import { type BundleIndex, contentsOf, encodeIndex, type IndexedBlob } from './bundle-index.ts';
import { bundleFault } from './faults.ts';
import { removeLeftovers, temporaryFor } from './io/leftovers.ts';
import {
  END,
  END_TEXT,
  ENVELOPES,
  frameName,
  INDEX,
  largestStoredFrame,
  MARKER,
  MARKER_TEXT,
  MAX_BLOB_BYTES,
  MAX_BLOBS,
  MAX_ENVELOPE_BYTES,
  MAX_FRAME_BYTES,
  MAX_INDEX_BYTES,
  MAX_LOCK_BYTES,
  PAE,
  rawName,
  SEAL,
  SEEK,
  SEEK_LINE,
} from './layout.ts';
import { Output } from './output.ts';
import { seekTable } from './reader.ts';
import { encodeSeal, type SealStatement } from './seal-statement.ts';
import { HEAD_BYTES, storedForm } from './stored-form.ts';
import { encodeFrame, ENCODER } from './zstd-frame.ts';

const CHUNK = 1024 ** 2;
/** Contents that are looked at side by side before anything is written. */
const LOOKING = 16;
/** What envelopes, index and tables may take, for the question about space. */
const SLACK = 4 * 1024 ** 2;

export interface SealOptions {
  readonly files: Files;
  readonly content: ContentReader;
  /** Exact bytes of sallyport.lock, and its rows. */
  readonly lock: Uint8Array;
  readonly rows: readonly LockRow[];
  /** Path of the bundle; it appears there whole or not at all. */
  readonly target: string;
  readonly about: {
    readonly sealed: Instant;
    readonly channel: string;
    readonly sequence: number;
    readonly project: string;
    readonly site: string;
    readonly destinations: readonly string[];
    readonly rings: SealStatement['rings'];
    readonly previous: SealStatement['previous'];
    readonly tool: SealStatement['tool'];
  };
  /** Called when everything has been looked at and before anything is written: records the seal and says what it carries. */
  readonly carry: (index: BundleIndex) => Promise<readonly { name: string; bytes: Uint8Array }[]>;
  /** Key ids of the signatures that `sign` makes, in order. */
  readonly signers: readonly string[];
  /** Signs an in-toto statement: the exact bytes of a DSSE envelope. */
  readonly sign: (payload: Uint8Array) => Uint8Array;
  readonly report?: Report;
  readonly signal?: AbortSignal;
}

export interface Sealed {
  readonly index: BundleIndex;
  readonly seal: SealStatement;
  readonly sealEnvelope: Uint8Array;
  /** Bytes of the bundle. */
  readonly bytes: number;
}

interface Planned extends IndexedBlob {
  /** For messages. */
  readonly name: string;
}

/**
 * Seals a lock and its contents. Throws seal.* faults; then nothing stands at the target that was not there before.
 * Memory: three mebibyte buffers and two frames, whatever the size of the bundle.
 */
export async function sealBundle(options: SealOptions): Promise<Sealed> {
  const { files, target, about } = options;
  const plan = await planOf(options);
  const { bytes: indexBytes, index } = encodeIndex(
    digestOf(options.lock),
    { ...ENCODER, frame: MAX_FRAME_BYTES },
    plan.map(({ digest, size, stored }) => ({ digest, size, stored })),
  );
  if (indexBytes.length > MAX_INDEX_BYTES) {
    throw bundleFault('seal.too-large', { detail: `The index would have ${indexBytes.length} bytes.` });
  }
  await askForSpace(files, target, index);

  const carried = await options.carry(index);
  const seal: SealStatement = {
    index: index.digest,
    indexBytes: index.length,
    sealed: about.sealed,
    channel: about.channel,
    sequence: about.sequence,
    project: about.project,
    site: about.site,
    destinations: about.destinations,
    rings: about.rings,
    lock: index.lock,
    blobs: index.blobs.length,
    bytes: index.bytes,
    previous: about.previous,
    signers: options.signers,
    carries: carried.map(({ name, bytes }) => ({ name, sha256: hexOf(digestOf(bytes)) })),
    tool: about.tool,
  };
  const payload = encodeSeal(seal);
  const sealEnvelope = options.sign(payload);
  const envelope = decodeEnvelope(sealEnvelope);
  if ('ok' in envelope && isProblem(envelope)) throw new Error(`the seal is no envelope: ${envelope.detail}`);
  if (sealEnvelope.length > MAX_ENVELOPE_BYTES) {
    throw bundleFault('seal.too-large', { detail: `The seal would have ${sealEnvelope.length} bytes.` });
  }

  const temporary = temporaryFor(target);
  let written = 0;
  try {
    await removeLeftovers(files, target);
    const file = await files.open(temporary, 'wx', { mode: 0o644 });
    const output = new Output(file);
    try {
      await member(output, MARKER, Buffer.from(MARKER_TEXT, 'utf8'));
      await member(output, SEAL, sealEnvelope);
      await member(output, PAE, pae(STATEMENT_PAYLOAD_TYPE, payload));
      for (const [number, { sig }] of envelope.signatures.entries()) {
        await member(output, `${ENVELOPES}seal.${number}.sig`, sig);
      }
      for (const { name, bytes } of carried) await member(output, ENVELOPES + name, bytes);
      await member(output, INDEX, indexBytes);
      const offsets = await writeBlobs(output, plan, index, options);
      await member(output, SEEK, seekTable(offsets));
      await member(output, END, Buffer.from(END_TEXT, 'utf8'));
      await output.append(Buffer.alloc(2 * TAR_BLOCK));
      await output.finish();
      written = output.offset;
      await file.sync();
    } finally {
      await output.settle();
      await file.close();
    }
    await files.rename(temporary, target);
  } catch (error) {
    await files.remove(temporary).catch(() => undefined);
    throw sealFault(error, target, options.signal);
  }
  try {
    await files.syncFolder(dirname(target));
  } catch (error) {
    throw sealFault(error, target, options.signal);
  }
  return { index, seal, sealEnvelope, bytes: written };
}

/** Looks at everything that must be sealed: is it here, has it its size, is it compressed already. */
async function planOf({ lock, rows, content }: SealOptions): Promise<Planned[]> {
  if (lock.length > MAX_LOCK_BYTES) {
    throw bundleFault('seal.too-large', { where: 'sallyport.lock', detail: `It has ${lock.length} bytes.` });
  }
  const lockDigest = digestOf(lock);
  const wanted = contentsOf(rows).filter(({ digest }) => digest !== lockDigest);
  if (wanted.length + 1 > MAX_BLOBS) {
    throw bundleFault('seal.too-large', {
      where: 'sallyport.lock',
      detail: `It names ${wanted.length} contents; a bundle holds ${MAX_BLOBS}.`,
    });
  }
  const plan: Planned[] = [
    { digest: lockDigest, size: lock.length, stored: storedForm(lock, lock.length), name: 'sallyport.lock' },
  ];
  const missing: string[] = [];
  let next = 0;
  const look = async (): Promise<void> => {
    for (let at = next++; at < wanted.length; at = next++) {
      const { digest, size, row } = wanted[at]!;
      const name = nameOf(row);
      if (size > MAX_BLOB_BYTES) throw bundleFault('seal.too-large', { where: name, detail: `It has ${size} bytes.` });
      const open = await content.open(digest);
      if (open === undefined) {
        missing.push(name);
        continue;
      }
      try {
        if (open.size !== size) throw rotten(name, digest, `It has ${open.size} bytes; the lock says ${size}.`);
        const head = new Uint8Array(HEAD_BYTES);
        const got = size > 0 ? await open.read(head, 0) : 0;
        plan[at + 1] = { digest, size, stored: storedForm(head.subarray(0, got), size), name };
      } finally {
        await open.close();
      }
    }
  };
  const lookers = await Promise.allSettled(Array.from({ length: LOOKING }, look));
  for (const looker of lookers) if (looker.status === 'rejected') throw looker.reason;
  if (missing.length > 0) {
    const more = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
    throw bundleFault('seal.missing-content', {
      where: missing[0]!,
      detail: `${missing.sort().slice(0, 5).join(', ')}${more}.`,
    });
  }
  return plan;
}

/** Compressed contents are counted as if compression gained nothing, because nobody knows before. */
async function askForSpace(files: Files, target: string, index: BundleIndex): Promise<void> {
  let need = SLACK + index.length + index.blobs.length * SEEK_LINE;
  for (const { size, stored } of index.blobs) {
    const frames = stored === 'raw' ? 1 : Math.ceil(size / MAX_FRAME_BYTES);
    need += stored === 'raw' ? size : largestStoredFrame(size);
    need += frames * (tarHeaderLength(size) + TAR_BLOCK);
  }
  let space: Awaited<ReturnType<Files['space']>>;
  try {
    space = await files.space(dirname(target));
  } catch (error) {
    throw bundleFault('seal.write', { where: dirname(target), detail: `(${errorMessage(error)})`, cause: error });
  }
  if (need > space.largestFile) {
    throw bundleFault('seal.file-too-large', {
      where: target,
      detail: `The bundle may need ${need} bytes; a file there holds ${space.largestFile}.`,
    });
  }
  if (need > space.free) {
    throw bundleFault('seal.no-space', {
      where: target,
      detail: `The bundle may need ${need} bytes; ${space.free} are free.`,
    });
  }
}

async function writeBlobs(
  output: Output,
  plan: readonly Planned[],
  index: BundleIndex,
  options: SealOptions,
): Promise<number[]> {
  const { content, signal, report } = options;
  const buffers: [Uint8Array, Uint8Array] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  const offsets: number[] = [];
  let done = 0;
  for (const [number, blob] of plan.entries()) {
    signal?.throwIfAborted();
    offsets.push(output.offset);
    const source = number === 0 ? inMemory(options.lock) : await content.open(blob.digest);
    if (source === undefined) throw bundleFault('seal.missing-content', { where: blob.name });
    try {
      const step = (bytes: number): void => {
        signal?.throwIfAborted();
        done += bytes;
        report?.({ type: 'amount', step: 'seal', done, total: index.bytes, unit: 'bytes', current: blob.name });
      };
      const found =
        blob.stored === 'raw'
          ? await writeRaw(output, blob, source, buffers, step)
          : await writeFrames(output, blob, source, step);
      if (found !== blob.digest) throw rotten(blob.name, blob.digest, `Its content has ${found}.`);
    } finally {
      // A write from one of the buffers may be under way; they are not touched before it has ended.
      await source.close();
    }
  }
  return offsets;
}

async function writeRaw(
  output: Output,
  blob: Planned,
  source: Content,
  [a, b]: readonly [Uint8Array, Uint8Array],
  step: (bytes: number) => void,
): Promise<Digest> {
  const hash = createHash('sha256');
  await output.append(encodeTarHeader(rawName(hexOf(blob.digest)), blob.size));
  if (blob.size <= CHUNK >> 2) {
    const piece = a.subarray(0, blob.size);
    if ((await source.read(piece, 0)) !== blob.size) throw rotten(blob.name, blob.digest, 'It is cut.');
    hash.update(piece);
    await output.append(piece);
    step(blob.size);
  } else {
    const slice = (buffer: Uint8Array, at: number): Uint8Array => buffer.subarray(0, Math.min(CHUNK, blob.size - at));
    await output.finish();
    let [current, other] = [a, b];
    let reading = source.read(slice(current, 0), 0);
    for (let at = 0; at < blob.size;) {
      const piece = slice(current, at);
      if ((await reading) !== piece.length) throw rotten(blob.name, blob.digest, 'It is cut.');
      // Waits for the write from the other buffer, then begins this one: write, read and hash go on side by side.
      await output.direct(piece);
      at += piece.length;
      if (at < blob.size) {
        reading = source.read(slice(other, at), at);
        reading.catch(() => undefined);
      }
      hash.update(piece);
      step(piece.length);
      [current, other] = [other, current];
    }
    await output.finish();
  }
  await output.append(new Uint8Array(tarPadding(blob.size)));
  return `sha256:${hash.digest('hex')}`;
}

async function writeFrames(
  output: Output,
  blob: Planned,
  source: Content,
  step: (bytes: number) => void,
): Promise<Digest> {
  const hash = createHash('sha256');
  const hex = hexOf(blob.digest);
  let before: Promise<Uint8Array> | undefined;
  let frames = 0;
  const put = async (frame: Uint8Array): Promise<void> => {
    await member(output, frameName(hex, frames++), frame);
  };
  const buffers = [Buffer.allocUnsafe(Math.min(MAX_FRAME_BYTES, blob.size))];
  if (blob.size > MAX_FRAME_BYTES) buffers.push(Buffer.allocUnsafe(MAX_FRAME_BYTES));
  try {
    for (let at = 0, number = 0; at < blob.size; at += MAX_FRAME_BYTES, number++) {
      const piece = buffers[number % 2]!.subarray(0, Math.min(MAX_FRAME_BYTES, blob.size - at));
      if ((await source.read(piece, at)) !== piece.length) throw rotten(blob.name, blob.digest, 'It is cut.');
      const current = encodeFrame(piece);
      current.catch(() => undefined);
      hash.update(piece);
      if (before !== undefined) await put(await before);
      before = current;
      step(piece.length);
    }
    if (before !== undefined) await put(await before);
  } finally {
    await before?.catch(() => undefined);
  }
  return `sha256:${hash.digest('hex')}`;
}

async function member(output: Output, name: string, bytes: Uint8Array): Promise<void> {
  await output.append(encodeTarHeader(name, bytes.length));
  await output.append(bytes);
  await output.append(new Uint8Array(tarPadding(bytes.length)));
}

function inMemory(bytes: Uint8Array): Content {
  return {
    size: bytes.length,
    async read(into, position) {
      const piece = bytes.subarray(position, position + into.length);
      into.set(piece);
      return piece.length;
    },
    async close() {},
  };
}

function nameOf(row: Identity): string {
  return printable(describeIdentity(row));
}

function rotten(name: string, digest: Digest, detail: string): Fault {
  return bundleFault('seal.rotten-content', { where: name, detail: `${name} should have ${digest}. ${detail}` });
}

/** System errors on the way become faults that say what to do; everything else is as it was. */
export function sealFault(error: unknown, target: string, signal: AbortSignal | undefined): unknown {
  if (isFault(error) || (signal?.aborted === true && error === signal.reason)) return error;
  const code = errorCode(error);
  if (!/^E[A-Z0-9]+$/.test(code)) return error;
  const fault =
    code === 'ENOSPC' || code === 'EDQUOT' ? 'seal.no-space' : code === 'EFBIG' ? 'seal.file-too-large' : 'seal.write';
  return bundleFault(fault, { where: target, detail: `(${errorMessage(error)})`, cause: error });
}
