import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { errorMessage } from '#kernel';

/** The encoder that this version writes with, as the index records it. */
export const ENCODER = { name: 'zstd', library: process.versions['zstd'] ?? 'unknown', level: 3 } as const;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** One complete frame: one thread, size given in advance, no checksum (the blob's digest is the check). */
export async function encodeFrame(content: Uint8Array): Promise<Uint8Array> {
  return compress(content, {
    params: { [constants.ZSTD_c_compressionLevel]: ENCODER.level, [constants.ZSTD_c_checksumFlag]: 0 },
    pledgedSrcSize: content.length,
  });
}

export type Decoded =
  | { readonly ok: true; readonly content: Uint8Array }
  | { readonly ok: false; readonly detail: string };

/** The content of a frame of exactly `size` bytes. Nothing larger is ever allocated. */
export async function decodeFrame(frame: Uint8Array, size: number): Promise<Decoded> {
  const problem = frameProblem(frame, size);
  if (problem !== undefined) return { ok: false, detail: problem };
  try {
    const content = await decompress(frame, { maxOutputLength: Math.max(size, 1) });
    return content.length === size
      ? { ok: true, content }
      : { ok: false, detail: `it holds ${content.length} bytes where ${size} are due` };
  } catch (error) {
    return { ok: false, detail: `zstd refuses it (${errorMessage(error)})` };
  }
}

/**
 * Walks the blocks of a frame (RFC 8878 sections 3.1.1.1 and 3.1.1.2): it must be one frame that states `size`, without
 * dictionary and checksum, and end where the member ends. Decoders accept frames in a row, skippable frames and bytes
 * after the last one, in which something could travel that nobody looks at.
 */
export function frameProblem(frame: Uint8Array, size: number): string | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 6 || view.getUint32(0, true) !== 0xfd2fb528) return 'it is not a zstd frame';
  const descriptor = view.getUint8(4);
  const single = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x18) !== 0 || (descriptor & 0x07) !== 0) return 'it has a checksum, a dictionary or reserved bits';
  let at = single ? 5 : 6;
  const flag = descriptor >> 6;
  const field = flag === 0 ? (single ? 1 : 0) : 1 << flag;
  if (field === 0) return 'it does not state its content size';
  if (frame.length < at + field) return 'its header is cut';
  const stated =
    field === 1
      ? view.getUint8(at)
      : field === 2
        ? view.getUint16(at, true) + 256
        : field === 4
          ? view.getUint32(at, true)
          : Number(view.getBigUint64(at, true));
  if (stated !== size) return `it states ${stated} bytes where ${size} are due`;
  at += field;
  for (;;) {
    if (frame.length < at + 3) return 'a block is cut';
    const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const type = (block >> 1) & 3;
    if (type === 3) return 'a block has a reserved type';
    at += 3 + (type === 1 ? 1 : block >> 3);
    if (frame.length < at) return 'a block is cut';
    if ((block & 1) === 1) break;
  }
  return at === frame.length ? undefined : 'bytes follow the frame';
}
