import { createHash } from 'node:crypto';
import { type Digest, digestOf, hexOf, type Reason } from '#kernel';
import {
  decodeEnvelope,
  decodeTarHeader,
  encodeEnvelope,
  encodeTarHeader,
  isProblem,
  pae,
  STATEMENT_PAYLOAD_TYPE,
  TAR_BLOCK,
  tarPadding,
} from '#formats';
import type { BundleHead } from './bundle-head.ts';
import { decodeIndex, type IndexedBlob } from './bundle-index.ts';
import { reason } from './faults.ts';
import {
  END,
  END_TEXT,
  ENVELOPES,
  FOLDER,
  frameName,
  INDEX,
  largestStoredFrame,
  MARKER,
  MARKER_TEXT,
  MAX_ENVELOPE_BYTES,
  MAX_ENVELOPES_BYTES,
  MAX_INDEX_BYTES,
  MAX_SIGNATURES,
  PAE,
  rawName,
  SEAL,
  SEEK,
  SEEK_LINE,
} from './layout.ts';
import type { Medium } from './medium.ts';
import { ReadAhead } from './read-ahead.ts';
import { decodeSeal } from './seal-statement.ts';
import { decodeFrame, type Decoded } from './zstd-frame.ts';

/** Who listens while a bundle is read. Reasons that a call returns end the reading. */
export interface BundleSink {
  /** Envelopes and index are read and agree with one another; nothing is verified yet. */
  head?(head: BundleHead): Promise<readonly Reason[]>;
  /** The lock is read and right. */
  lock?(lock: Uint8Array, head: BundleHead): Promise<readonly Reason[]>;
  /** A blob begins. Undefined: it is checked and not kept. */
  begin?(blob: IndexedBlob, number: number): Promise<BlobSink | undefined>;
}

export interface BlobSink {
  /** `bytes` belong to the reader again when the promise settles. */
  write(bytes: Uint8Array): Promise<void>;
  /** All bytes came, and size and digest are right. */
  end(): Promise<void>;
  /** They are not; whatever was kept must go. */
  abort(): Promise<void>;
}

export interface BundleReading {
  /** `whole`: every byte up to `until` is as it must be. It says nothing about who sealed it. */
  readonly verdict: 'whole' | 'refused';
  readonly reasons: readonly Reason[];
  readonly head?: BundleHead;
  readonly lock?: Uint8Array;
  /** Bytes of the bundle that were read. */
  readonly read: number;
}

export interface ReadOptions {
  readonly until: 'head' | 'lock' | 'end';
  readonly signal?: AbortSignal;
  /** Called with the bytes read so far, once a member or a mebibyte. */
  readonly progress?: (read: number) => void;
}

/** Ends the reading of hostile or damaged bytes; never leaves this file. */
class Refusal extends Error {
  readonly reasons: readonly Reason[];
  constructor(reasons: readonly Reason[]) {
    super('refused');
    this.reasons = reasons;
  }
}

/**
 * Reads a bundle once, in order, and judges every byte of it. Memory is bounded by the limits of the format. It throws
 * what the medium and the sink throw; whatever the bytes are is a verdict.
 */
export async function readBundle(medium: Medium, sink: BundleSink, options: ReadOptions): Promise<BundleReading> {
  if (medium.refusal !== undefined && medium.refusal.length > 0) {
    return { verdict: 'refused', reasons: medium.refusal, read: 0 };
  }
  const input = new ReadAhead(medium);
  const members = new Members(input, options);
  let head: BundleHead | undefined;
  let lock: Uint8Array | undefined;
  const so = () => ({ ...(head && { head }), ...(lock && { lock }), read: input.offset });
  try {
    head = await readHead(members);
    stopOn(await sink.head?.(head));
    if (options.until === 'head') return { verdict: 'whole', reasons: [], ...so() };
    const offsets: number[] = [];
    for (const [number, blob] of head.index.blobs.entries()) {
      offsets.push(input.offset);
      const kept: Uint8Array[] | undefined = number === 0 ? [] : undefined;
      await readBlob(members, head, blob, await sink.begin?.(blob, number), kept);
      if (kept === undefined) continue;
      lock = Buffer.concat(kept);
      stopOn(await sink.lock?.(lock, head));
      if (options.until === 'lock') return { verdict: 'whole', reasons: [], ...so() };
    }
    await readEnd(members, offsets);
    return { verdict: 'whole', reasons: [], ...so() };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { verdict: 'refused', reasons: error.reasons, ...so() };
  } finally {
    await input.settle();
  }
}

function stopOn(reasons: readonly Reason[] | undefined): void {
  if (reasons !== undefined && reasons.length > 0) throw new Refusal(reasons);
}

function refuse(...[code, where, detail]: Parameters<typeof reason>): never {
  throw new Refusal([reason(code, where, detail)]);
}

/** Members in canonical form, one after the other. */
class Members {
  readonly input: ReadAhead;
  readonly #options: ReadOptions;

  constructor(input: ReadAhead, options: ReadOptions) {
    this.input = input;
    this.#options = options;
  }

  step(): void {
    this.#options.signal?.throwIfAborted();
    this.#options.progress?.(this.input.offset);
  }

  async need(length: number, where: string): Promise<Uint8Array> {
    const bytes = await this.input.exactly(length);
    if (bytes.length < length) refuse('bundle.truncated', where, `It ends after ${this.input.offset} bytes.`);
    return bytes;
  }

  /** The header of a member whose name and size are known. */
  async header(name: string, size: number, first?: Uint8Array): Promise<void> {
    this.step();
    const expected = Buffer.from(encodeTarHeader(name, size));
    const block = first ?? (await this.need(TAR_BLOCK, name));
    if (!expected.subarray(0, TAR_BLOCK).equals(block)) this.#wrong(block, name, size);
    if (expected.length === TAR_BLOCK) return;
    const rest = await this.need(expected.length - TAR_BLOCK, name);
    if (!expected.subarray(TAR_BLOCK).equals(rest)) refuse('bundle.header', name, 'Its pax header is not the due one.');
  }

  /** The header of a member whose name is known and whose size has a bound; returns the size. */
  async sizedHeader(name: string, most: number): Promise<number> {
    this.step();
    const block = await this.need(TAR_BLOCK, name);
    const header = decodeTarHeader(block);
    if (header.kind !== 'file' || header.name !== name) return this.#wrong(block, name, undefined);
    if (header.size > most) refuse('bundle.limit', name, `It has ${header.size} bytes; at most ${most} are allowed.`);
    return header.size;
  }

  #wrong(block: Uint8Array, name: string, size: number | undefined): never {
    const header = decodeTarHeader(block);
    switch (header.kind) {
      case 'end':
        return refuse('bundle.member', name, 'The bundle ends where this member is due.');
      case 'problem':
        return refuse('bundle.header', name, `Its header is wrong: ${header.detail}.`);
      case 'pax':
        return refuse('bundle.header', name, 'It has a pax header where none is due.');
      case 'file':
        return header.name === name
          ? refuse('bundle.size', name, `It has ${header.size} bytes where ${size} are due.`)
          : refuse('bundle.member', name, `${header.name} stands where it is due.`);
    }
  }

  async padding(size: number, name: string): Promise<void> {
    const length = tarPadding(size);
    if (length === 0) return;
    const bytes = await this.need(length, name);
    if (bytes.some((byte) => byte !== 0)) refuse('bundle.padding', name, 'The bytes after it are not zero.');
  }

  /** A small member of any size up to `most`. */
  async document(name: string, most: number): Promise<Uint8Array> {
    const size = await this.sizedHeader(name, most);
    const bytes = await this.need(size, name);
    await this.padding(size, name);
    return bytes;
  }

  /** A small member whose bytes are known. */
  async exact(
    name: string,
    expected: Uint8Array,
    code: 'bundle.envelope' | 'bundle.header' | 'bundle.seek',
    first?: Uint8Array,
  ): Promise<void> {
    await this.header(name, expected.length, first);
    const bytes = await this.need(expected.length, name);
    if (Buffer.compare(bytes, expected) !== 0) refuse(code, name, 'Its bytes are not the due ones.');
    await this.padding(expected.length, name);
  }
}

async function readHead(members: Members): Promise<BundleHead> {
  const first = await members.input.exactly(TAR_BLOCK);
  if (first.length === 0) refuse('bundle.empty', '', 'It has no byte.');
  const start = Buffer.from(first).toString('latin1', 0, 40);
  const major = /^sallyport-bundle\/(\d{1,9})\0/.exec(start)?.[1];
  if (major === undefined) refuse('bundle.foreign', '', `It does not begin with ${FOLDER}/ and a number.`);
  if (`${FOLDER}/${major}` !== MARKER) {
    refuse('bundle.unknown-version', '', `It is format ${major}; this reader knows format 1.`);
  }
  if (first.length < TAR_BLOCK) refuse('bundle.truncated', MARKER, `It ends after ${first.length} bytes.`);
  await members.exact(MARKER, Buffer.from(MARKER_TEXT, 'utf8'), 'bundle.header', first);

  const sealEnvelope = await members.document(SEAL, MAX_ENVELOPE_BYTES);
  const envelope = decodeEnvelope(sealEnvelope);
  if ('ok' in envelope && isProblem(envelope)) refuse('bundle.envelope', SEAL, `${envelope.where} ${envelope.detail}`);
  if (Buffer.compare(encodeEnvelope(envelope), sealEnvelope) !== 0) {
    refuse('bundle.envelope', SEAL, 'It is not in the one form that we write.');
  }
  if (envelope.payloadType !== STATEMENT_PAYLOAD_TYPE) {
    refuse('bundle.envelope', SEAL, `Its payload type is ${envelope.payloadType}.`);
  }
  if (envelope.signatures.length > MAX_SIGNATURES) {
    refuse(
      'bundle.limit',
      SEAL,
      `It has ${envelope.signatures.length} signatures; at most ${MAX_SIGNATURES} are allowed.`,
    );
  }
  const seal = decodeSeal(envelope.payload);
  if ('code' in seal) throw new Refusal([seal]);
  const keyids = envelope.signatures.map(({ keyid }) => keyid);
  if (keyids.length !== seal.signers.length || keyids.some((keyid, i) => keyid !== seal.signers[i])) {
    refuse('bundle.envelope', SEAL, 'Its signatures are not by the keys that the seal names.');
  }
  await members.exact(PAE, pae(envelope.payloadType, envelope.payload), 'bundle.envelope');
  for (const [number, { sig }] of envelope.signatures.entries()) {
    await members.exact(`${ENVELOPES}seal.${number}.sig`, sig, 'bundle.envelope');
  }
  const carried = new Map<string, Uint8Array>();
  let total = 0;
  for (const { name, sha256 } of seal.carries) {
    const bytes = await members.document(ENVELOPES + name, Math.min(MAX_ENVELOPE_BYTES, MAX_ENVELOPES_BYTES - total));
    if (hexOf(digestOf(bytes)) !== sha256) {
      refuse('bundle.envelope', ENVELOPES + name, 'It is not what the seal says that it carries.');
    }
    total += bytes.length;
    carried.set(name, bytes);
  }

  const indexBytes = await members.document(INDEX, MAX_INDEX_BYTES);
  if (digestOf(indexBytes) !== seal.index) {
    refuse('bundle.subject', INDEX, `The seal is for ${seal.index}; this is ${digestOf(indexBytes)}.`);
  }
  const index = decodeIndex(indexBytes);
  if ('code' in index) throw new Refusal([index]);
  if (
    seal.indexBytes !== index.length ||
    seal.lock !== index.lock ||
    seal.blobs !== index.blobs.length ||
    seal.bytes !== index.bytes
  ) {
    refuse('bundle.statement', SEAL, 'What the seal says about the index is not so.');
  }
  return { sealEnvelope, seal, keyids, carried, index, indexBytes };
}

async function readBlob(
  members: Members,
  head: BundleHead,
  blob: IndexedBlob,
  sink: BlobSink | undefined,
  kept: Uint8Array[] | undefined,
): Promise<void> {
  const hex = hexOf(blob.digest);
  const name = rawName(hex);
  const hash = createHash('sha256');
  const use = async (bytes: Uint8Array): Promise<void> => {
    const written = sink?.write(bytes);
    // Hashing takes this thread while the write takes another.
    hash.update(bytes);
    if (kept !== undefined) kept.push(Uint8Array.from(bytes));
    await written;
  };
  try {
    if (blob.stored === 'raw') {
      await members.header(name, blob.size);
      for (let left = blob.size; left > 0;) {
        const piece = await members.input.take(left);
        if (piece.length === 0) refuse('bundle.truncated', name, `It ends after ${members.input.offset} bytes.`);
        left -= piece.length;
        await use(piece);
        members.step();
      }
      await members.padding(blob.size, name);
    } else {
      await readFrames(members, head.index.encoder.frame, blob, use);
    }
    const found: Digest = `sha256:${hash.digest('hex')}`;
    if (found !== blob.digest) refuse('bundle.digest', blob.digest, `Its content has ${found}.`);
  } catch (error) {
    await sink?.abort();
    throw error;
  }
  await sink?.end();
}

/** One frame is decompressed on another thread while the one before it is hashed and written. */
async function readFrames(
  members: Members,
  frameBytes: number,
  blob: IndexedBlob,
  use: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  let before: { name: string; decoded: Promise<Decoded> } | undefined;
  const finish = async ({ name, decoded }: NonNullable<typeof before>): Promise<void> => {
    const frame = await decoded;
    if (!frame.ok) refuse('bundle.frame', name, `The frame is wrong: ${frame.detail}.`);
    await use(frame.content);
  };
  try {
    for (let at = 0, number = 0; at < blob.size; at += frameBytes, number++) {
      const due = Math.min(frameBytes, blob.size - at);
      const name = frameName(hexOf(blob.digest), number);
      const stored = await members.document(name, largestStoredFrame(due));
      const current = { name, decoded: decodeFrame(stored, due) };
      if (before !== undefined) await finish(before);
      before = current;
    }
    if (before !== undefined) await finish(before);
  } finally {
    await before?.decoded;
  }
}

async function readEnd(members: Members, offsets: readonly number[]): Promise<void> {
  const seek = seekTable(offsets);
  await members.exact(SEEK, seek, 'bundle.seek');
  await members.exact(END, Buffer.from(END_TEXT, 'utf8'), 'bundle.header');
  const zeros = await members.need(2 * TAR_BLOCK, 'end');
  if (zeros.some((byte) => byte !== 0)) refuse('bundle.trailing', 'end', 'A member stands where the end is due.');
  if ((await members.input.take(1)).length > 0) {
    refuse('bundle.trailing', 'end', `The bundle ends after ${members.input.offset - 1} bytes; more follows.`);
  }
}

export function seekTable(offsets: readonly number[]): Uint8Array {
  const table = Buffer.allocUnsafe(offsets.length * SEEK_LINE);
  for (const [number, offset] of offsets.entries()) {
    table.write(`${String(offset).padStart(SEEK_LINE - 1, '0')}\n`, number * SEEK_LINE, 'latin1');
  }
  return table;
}
