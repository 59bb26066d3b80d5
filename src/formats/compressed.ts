import {
  constants,
  crc32,
  createInflateRaw,
  createZstdDecompress,
  type InflateRaw,
  type ZstdDecompress,
} from 'node:zlib';
import { ArchiveProblem, ByteSource } from './byte-source.ts';

/** Largest zstd window, in bytes, for which memory is given. `zstd -19` uses 8 MiB. */
export const ZSTD_WINDOW_LIMIT = 32 * 1024 * 1024;
const CHUNK = 64 * 1024;

export interface ExpandOptions {
  /** Called with the size of every expanded chunk before anybody sees it; throws to stop. */
  readonly spend: (bytes: number) => void;
  /** Whether several members or frames in a row are one content (RFC 1952, section 2.2). */
  readonly many: boolean;
}

/** Runs a decompressor of node:zlib one chunk at a time, so that it never runs ahead of its reader. */
class Pump {
  readonly #engine: InflateRaw | ZstdDecompress;
  readonly #next: () => Promise<Uint8Array | undefined>;
  #error: Error | undefined;
  #ended = false;
  #writing = false;
  #finished = false;
  #wake: () => void = () => {};
  fed = 0;
  last: Uint8Array = new Uint8Array(0);

  constructor(engine: InflateRaw | ZstdDecompress, next: () => Promise<Uint8Array | undefined>) {
    this.#engine = engine;
    this.#next = next;
    const wake = (): void => this.#wake();
    engine.on('readable', wake);
    engine.on('end', () => {
      this.#ended = true;
      wake();
    });
    engine.on('error', (error: Error) => {
      this.#error = error;
      wake();
    });
  }

  async pull(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#engine.read() as Uint8Array | null;
      if (chunk !== null) return chunk;
      if (this.#error !== undefined)
        throw new ArchiveProblem('compressed', `Compressed data are damaged (${this.#error.message}).`);
      if (this.#ended) return undefined;
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (!this.#writing && !this.#finished) {
        const input = await this.#next();
        if (input === undefined) {
          this.#finished = true;
          this.#engine.end();
        } else {
          this.#writing = true;
          this.fed += input.length;
          this.last = input;
          this.#engine.write(input, () => {
            this.#writing = false;
            this.#wake();
          });
        }
      }
      await woken;
    }
  }

  /** Bytes of the last input that the decompressor did not want. */
  leftover(): Uint8Array {
    const unused = this.fed - this.#engine.bytesWritten;
    return unused === 0 ? new Uint8Array(0) : this.last.subarray(this.last.length - unused);
  }

  close(): void {
    this.#engine.destroy();
  }
}

/** Deflated bytes of exactly `source`; one that ends early or late is an ArchiveProblem. */
export function inflated(source: ByteSource, spend: (bytes: number) => void): ByteSource {
  let pump: Pump | undefined = new Pump(createInflateRaw({ chunkSize: CHUNK }), () => source.some(CHUNK));
  return new ByteSource(async () => {
    if (pump === undefined) return undefined;
    const chunk = await pump.pull();
    if (chunk !== undefined) {
      spend(chunk.length);
      return chunk;
    }
    const late = pump.leftover().length > 0 || (await source.some(1)) !== undefined;
    pump.close();
    pump = undefined;
    if (late) throw new ArchiveProblem('trailing', 'Bytes follow the end of deflated data.');
    return undefined;
  });
}

/** The content of a gzip file (RFC 1952), its checksum and length compared, nothing after it. */
export function gunzipped(input: ByteSource, options: ExpandOptions): ByteSource {
  let source = input;
  let pump: Pump | undefined;
  let sum = 0;
  let length = 0;
  let members = 0;
  return new ByteSource(async () => {
    for (;;) {
      if (pump === undefined) {
        const next = await source.peek(2);
        if (members > 0 && next.length === 0) return undefined;
        if (members > 0 && !(next[0] === 0x1f && next[1] === 0x8b)) {
          throw new ArchiveProblem('trailing', 'Bytes follow the end of the gzip file.');
        }
        if (members > 0 && !options.many) {
          throw new ArchiveProblem(
            'concatenated',
            'A second gzip member follows; some readers see it and some do not.',
          );
        }
        await gzipHeader(source);
        members += 1;
        sum = 0;
        length = 0;
        const from = source;
        pump = new Pump(createInflateRaw({ chunkSize: CHUNK }), () => from.some(CHUNK));
      }
      const chunk = await pump.pull();
      if (chunk !== undefined) {
        options.spend(chunk.length);
        sum = crc32(chunk, sum);
        length = (length + chunk.length) % 2 ** 32;
        return chunk;
      }
      const before = source;
      let left: Uint8Array | undefined = pump.leftover();
      pump.close();
      pump = undefined;
      source = new ByteSource(async () => {
        if (left === undefined) return before.some(CHUNK);
        const first = left;
        left = undefined;
        return first;
      });
      const trailer = await source.take(8);
      if (trailer.length < 8) throw new ArchiveProblem('truncated', 'The gzip file ends before its checksum.');
      const view = new DataView(trailer.buffer, trailer.byteOffset, 8);
      if (view.getUint32(0, true) !== sum)
        throw new ArchiveProblem('checksum', 'The checksum of the gzip file is wrong.');
      if (view.getUint32(4, true) !== length)
        throw new ArchiveProblem('checksum', 'The length in the gzip file is wrong.');
    }
  });
}

async function gzipHeader(source: ByteSource): Promise<void> {
  const header = await source.take(10);
  if (header.length < 10) throw new ArchiveProblem('truncated', 'The gzip header is cut.');
  if (header[0] !== 0x1f || header[1] !== 0x8b || header[2] !== 8)
    throw new ArchiveProblem('header', 'It is no gzip header.');
  const flags = header[3]!;
  if ((flags & 0xe0) !== 0) throw new ArchiveProblem('header', 'The gzip header has reserved flags.');
  let sum = crc32(header);
  const take = async (count: number): Promise<Uint8Array> => {
    const bytes = await source.take(count);
    if (bytes.length < count) throw new ArchiveProblem('truncated', 'The gzip header is cut.');
    sum = crc32(bytes, sum);
    return bytes;
  };
  if ((flags & 4) !== 0) {
    const size = await take(2);
    await take(size[0]! + size[1]! * 256);
  }
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    let count = 0;
    while ((await take(1))[0] !== 0) {
      count += 1;
      if (count > 4096) throw new ArchiveProblem('header', 'A text in the gzip header is too long.');
    }
  }
  if ((flags & 2) !== 0) {
    const due = sum & 0xffff;
    const bytes = await take(2);
    if (bytes[0]! + bytes[1]! * 256 !== due)
      throw new ArchiveProblem('checksum', 'The checksum of the gzip header is wrong.');
  }
}

/** The content of zstd frames (RFC 8878). Frames are walked here, so that it is known where each ends. */
export function zstdExpanded(source: ByteSource, options: ExpandOptions): ByteSource {
  let frames = 0;
  let pump: Pump | undefined;
  return new ByteSource(async () => {
    for (;;) {
      if (pump === undefined) {
        const magic = await source.peek(4);
        if (frames > 0 && magic.length === 0) return undefined;
        const number = magic.length < 4 ? 0 : new DataView(magic.buffer, magic.byteOffset, 4).getUint32(0, true);
        if (options.many && frames > 0 && number >>> 4 === 0x184d2a5) {
          const skippable = await source.take(8);
          if (skippable.length < 8) throw new ArchiveProblem('truncated', 'A skippable zstd frame is cut.');
          const size = new DataView(skippable.buffer, skippable.byteOffset, 8).getUint32(4, true);
          if ((await source.skip(size)) < size) throw new ArchiveProblem('truncated', 'A skippable zstd frame is cut.');
          continue;
        }
        if (number !== 0xfd2fb528) {
          throw frames === 0
            ? new ArchiveProblem('header', 'It is no zstd frame.')
            : new ArchiveProblem('trailing', 'Bytes follow the zstd frame.');
        }
        if (frames > 0 && !options.many)
          throw new ArchiveProblem('concatenated', 'A second zstd frame follows the first.');
        frames += 1;
        const parts = zstdFrame(source);
        pump = new Pump(
          createZstdDecompress({ chunkSize: CHUNK, params: { [constants.ZSTD_d_windowLogMax]: 25 } }),
          async () => (await parts.next()).value as Uint8Array | undefined,
        );
      }
      const chunk = await pump.pull();
      if (chunk !== undefined) {
        options.spend(chunk.length);
        return chunk;
      }
      pump.close();
      pump = undefined;
    }
  });
}

/** The bytes of one frame, part by part (RFC 8878, section 3.1.1). */
async function* zstdFrame(source: ByteSource): AsyncGenerator<Uint8Array, undefined> {
  const take = async (count: number): Promise<Uint8Array> => {
    const bytes = await source.take(count);
    if (bytes.length < count) throw new ArchiveProblem('truncated', 'A zstd frame is cut.');
    return bytes;
  };
  const start = await take(5);
  const descriptor = start[4]!;
  const single = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw new ArchiveProblem('header', 'A zstd frame uses a reserved bit.');
  if ((descriptor & 0x03) !== 0) throw new ArchiveProblem('unreadable', 'A zstd frame needs a dictionary.');
  const flag = descriptor >> 6;
  const sized = flag === 0 ? (single ? 1 : 0) : 1 << flag;
  const fields = await take((single ? 0 : 1) + sized);
  const view = new DataView(fields.buffer, fields.byteOffset, fields.length);
  if (single) {
    const size =
      sized === 1
        ? view.getUint8(0)
        : sized === 2
          ? view.getUint16(0, true) + 256
          : sized === 4
            ? view.getUint32(0, true)
            : Number(view.getBigUint64(0, true));
    if (size > ZSTD_WINDOW_LIMIT)
      throw new ArchiveProblem('unreadable', `A zstd frame needs a window of ${size} bytes.`);
  } else {
    const exponent = view.getUint8(0) >> 3;
    const base = 2 ** (10 + exponent);
    const size = base + (base / 8) * (view.getUint8(0) & 7);
    if (size > ZSTD_WINDOW_LIMIT)
      throw new ArchiveProblem('unreadable', `A zstd frame needs a window of ${size} bytes.`);
  }
  yield Buffer.concat([start, fields]);
  for (;;) {
    const head = await take(3);
    const block = head[0]! | (head[1]! << 8) | (head[2]! << 16);
    const type = (block >> 1) & 3;
    if (type === 3) throw new ArchiveProblem('compressed', 'A zstd block has a reserved type.');
    const body = await take(type === 1 ? 1 : block >> 3);
    yield Buffer.concat([head, body]);
    if ((block & 1) === 1) break;
  }
  if ((descriptor & 0x04) !== 0) yield await take(4);
  return undefined;
}
