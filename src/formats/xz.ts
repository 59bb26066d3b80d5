import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ArchiveProblem, ByteSource } from './byte-source.ts';
import { Lzma2 } from './lzma.ts';

/** Largest dictionary, in bytes, for which memory is given; `xz -9` uses 64 MiB. */
export const XZ_WINDOW_LIMIT = 64 * 1024 * 1024;
const MAGIC = 'fd377a585a00';
const LZMA2 = 0x21;
/** Records of the index are counted, not kept. */
const BLOCKS = 65_536;

/**
 * The content of an xz file (the .xz file format 1.2.1): one stream, its blocks of LZMA2 alone, checks and index
 * compared, nothing after it. Other filters and larger dictionaries are `unreadable`.
 */
export function xzExpanded(source: ByteSource, spend: (bytes: number) => void): ByteSource {
  const contents = stream(source);
  return new ByteSource(async () => {
    const { value } = await contents.next();
    if (value !== undefined) spend(value.length);
    return value;
  });
}

async function* stream(source: ByteSource): AsyncGenerator<Uint8Array, undefined> {
  const header = await take(source, 12);
  if (Buffer.from(header.subarray(0, 6)).toString('hex') !== MAGIC) throw problem('header', 'It is no xz stream.');
  const flags = header.subarray(6, 8);
  if (crc32(flags) !== number32(header, 8)) throw problem('checksum', 'The checksum of the xz header is wrong.');
  const check = checkOf(flags);
  const records: { readonly unpadded: number; readonly size: number }[] = [];
  for (;;) {
    const first = (await take(source, 1))[0]!;
    if (first === 0) break;
    if (records.length === BLOCKS) throw problem('header', `The xz stream has more than ${BLOCKS} blocks.`);
    const rest = await take(source, first * 4 + 3);
    const block = Buffer.concat([Buffer.of(first), rest]);
    const stated = readBlockHeader(block);
    const sum = summing(check);
    const counted = { stored: 0, size: 0 };
    for await (const chunk of chunks(source, stated.window, counted)) {
      sum.update(chunk);
      yield chunk;
    }
    if (stated.stored !== undefined && stated.stored !== counted.stored)
      throw problem('size-differs', 'An xz block has another length than it says.');
    if (stated.size !== undefined && stated.size !== counted.size)
      throw problem('size-differs', 'An xz block expands to another size than it says.');
    await zeros(source, -counted.stored & 3);
    const due = await take(source, CHECKS[check]!);
    if (!sum.digest().equals(due)) throw problem('checksum', 'The checksum of an xz block is wrong.');
    records.push({ unpadded: block.length + counted.stored + due.length, size: counted.size });
  }
  const indexSize = await readIndex(source, records);
  const footer = await take(source, 12);
  if (crc32(footer.subarray(4, 10)) !== number32(footer, 0))
    throw problem('checksum', 'The checksum of the xz footer is wrong.');
  const end = Buffer.from(footer.subarray(10)).toString('latin1');
  if (end !== 'YZ' || (number32(footer, 4) + 1) * 4 !== indexSize || !flags.every((one, at) => one === footer[8 + at]))
    throw problem('headers-differ', 'The end of the xz stream is not that of its beginning.');
  const more = await source.peek(6);
  if (more.length > 0) {
    const again = Buffer.from(more).toString('hex') === MAGIC;
    throw again
      ? problem('concatenated', 'A second xz stream follows; some readers see it and some do not.')
      : problem('trailing', 'Bytes follow the xz stream.');
  }
  return undefined;
}

type Check = 0 | 1 | 4 | 10;
/** Bytes of each check. */
const CHECKS: Readonly<Record<Check, number>> = { 0: 0, 1: 4, 4: 8, 10: 32 };

function checkOf(flags: Uint8Array): Check {
  const [first, kind] = flags;
  if (first !== 0 || (kind! & 0xf0) !== 0) throw problem('header', 'The xz header has reserved flags.');
  if (kind !== 0 && kind !== 1 && kind !== 4 && kind !== 10)
    throw problem('unreadable', `The xz stream has a check of the kind ${kind}.`);
  return kind;
}

function summing(check: Check): { update(bytes: Uint8Array): unknown; digest(): Buffer } {
  if (check === 10) return createHash('sha256');
  if (check === 4) return new Crc64();
  let sum = 0;
  return {
    update: (bytes) => (sum = crc32(bytes, sum)),
    digest: () => {
      const bytes = Buffer.alloc(CHECKS[check]);
      if (check === 1) bytes.writeUInt32LE(sum);
      return bytes;
    },
  };
}

/** CRC-64 of ECMA-182, reflected, in two halves. */
class Crc64 {
  static readonly #low = new Int32Array(256);
  static readonly #high = new Int32Array(256);
  static {
    for (let at = 0; at < 256; at++) {
      let low = at;
      let high = 0;
      for (let bit = 0; bit < 8; bit++) {
        const odd = (low & 1) === 1;
        low = (low >>> 1) | (high << 31);
        high >>>= 1;
        if (odd) {
          low ^= 0xd7870f42;
          high ^= 0xc96c5795;
        }
      }
      Crc64.#low[at] = low;
      Crc64.#high[at] = high;
    }
  }
  #lowSum = -1;
  #highSum = -1;

  update(bytes: Uint8Array): void {
    let low = this.#lowSum;
    let high = this.#highSum;
    for (const byte of bytes) {
      const at = (low ^ byte) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ Crc64.#low[at]!;
      high = (high >>> 8) ^ Crc64.#high[at]!;
    }
    this.#lowSum = low;
    this.#highSum = high;
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32LE(~this.#lowSum, 0);
    bytes.writeInt32LE(~this.#highSum, 4);
    return bytes;
  }
}

interface BlockHeader {
  readonly stored: number | undefined;
  readonly size: number | undefined;
  readonly window: number;
}

function readBlockHeader(block: Uint8Array): BlockHeader {
  if (crc32(block.subarray(0, -4)) !== number32(block, block.length - 4))
    throw problem('checksum', 'The checksum of an xz block header is wrong.');
  const flags = block[1]!;
  if ((flags & 0x3c) !== 0) throw problem('header', 'An xz block has reserved flags.');
  const at = { at: 2 };
  const fields = block.subarray(0, -4);
  const stored = (flags & 0x40) === 0 ? undefined : variable(fields, at);
  const size = (flags & 0x80) === 0 ? undefined : variable(fields, at);
  const filter = variable(fields, at);
  if ((flags & 3) !== 0 || filter !== LZMA2) throw problem('unreadable', 'An xz block uses other filters than LZMA2.');
  const length = variable(fields, at);
  const bits = fields[at.at]!;
  if (length !== 1 || bits > 40) throw problem('header', 'An xz block has no proper dictionary.');
  const window = bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
  if (window > XZ_WINDOW_LIMIT) throw problem('unreadable', `An xz block needs a dictionary of ${window} bytes.`);
  if (fields.subarray(at.at + 1).some((byte) => byte !== 0)) throw problem('padding', 'An xz header is padded.');
  return { stored, size, window };
}

/** A number of up to nine bytes of seven bits, in its shortest form. */
function variable(bytes: Uint8Array, place: { at: number }): number {
  let value = 0;
  for (let count = 0; count < 9; count++) {
    const byte = bytes[place.at++];
    if (byte === undefined) throw problem('header', 'A number in xz is cut.');
    value += (byte & 0x7f) * 2 ** (7 * count);
    if ((byte & 0x80) !== 0) continue;
    if ((byte === 0 && count > 0) || !Number.isSafeInteger(value)) break;
    return value;
  }
  throw problem('header', 'A number in xz is too large or not in its shortest form.');
}

async function* chunks(
  source: ByteSource,
  window: number,
  counted: { stored: number; size: number },
): AsyncGenerator<Uint8Array, undefined> {
  const lzma = new Lzma2(window);
  const next = async (count: number): Promise<Uint8Array> => {
    counted.stored += count;
    return take(source, count);
  };
  for (;;) {
    const control = (await next(1))[0]!;
    if (control === 0) return undefined;
    let content: Uint8Array;
    if (control < 0x80) {
      if (control > 2) throw problem('compressed', 'An LZMA2 chunk is of no kind.');
      const size = number16(await next(2)) + 1;
      content = lzma.stored(await next(size), control === 1);
    } else {
      const sizes = await next(4);
      const size = ((control & 0x1f) << 16) + number16(sizes) + 1;
      const properties = control >= 0xc0 ? (await next(1))[0] : undefined;
      content = lzma.expanded(control, properties, await next(number16(sizes.subarray(2)) + 1), size);
    }
    counted.size += content.length;
    yield content;
  }
}

/** Reads the index behind its first byte, and says how many bytes it has. */
async function readIndex(
  source: ByteSource,
  records: readonly { readonly unpadded: number; readonly size: number }[],
): Promise<number> {
  let sum = crc32(Buffer.of(0));
  let length = 1;
  const next = async (): Promise<number> => {
    const bytes: number[] = [];
    for (;;) {
      const byte = (await take(source, 1))[0]!;
      bytes.push(byte);
      if ((byte & 0x80) === 0 || bytes.length === 9) break;
    }
    sum = crc32(Buffer.from(bytes), sum);
    length += bytes.length;
    return variable(Buffer.from(bytes), { at: 0 });
  };
  let same = (await next()) === records.length;
  for (const { unpadded, size } of same ? records : []) {
    same &&= (await next()) === unpadded;
    same &&= (await next()) === size;
  }
  if (!same) throw problem('headers-differ', 'The index of the xz stream is not that of its blocks.');
  const padding = -length & 3;
  await zeros(source, padding);
  sum = crc32(Buffer.alloc(padding), sum);
  if (number32(await take(source, 4), 0) !== sum) throw problem('checksum', 'The checksum of the xz index is wrong.');
  return length + padding + 4;
}

async function take(source: ByteSource, count: number): Promise<Uint8Array> {
  const bytes = await source.take(count);
  if (bytes.length < count) throw problem('truncated', 'The xz stream is cut.');
  return bytes;
}

async function zeros(source: ByteSource, count: number): Promise<void> {
  if ((await take(source, count)).some((byte) => byte !== 0)) throw problem('padding', 'An xz stream is padded.');
}

function number32(bytes: Uint8Array, at: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32LE(at);
}

function number16(bytes: Uint8Array): number {
  return bytes[0]! * 256 + bytes[1]!;
}

function problem(
  trouble:
    | 'header'
    | 'checksum'
    | 'unreadable'
    | 'size-differs'
    | 'headers-differ'
    | 'truncated'
    | 'padding'
    | 'concatenated'
    | 'trailing'
    | 'compressed',
  message: string,
): ArchiveProblem {
  return new ArchiveProblem(trouble, message);
}
