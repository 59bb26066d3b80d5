import { RAW_BYTES } from './layout.ts';

/** How a blob lies in a bundle: as it is, or as a run of zstd frames. */
export type Stored = 'raw' | 'zstd';

/** Bytes of a content that `storedForm` wants to see. */
export const HEAD_BYTES = 12;

const MAGIC: readonly (readonly [offset: number, bytes: string])[] = [
  [0, '1f8b'], // gzip
  [0, '504b0304'], // zip: wheels, jars
  [0, '28b52ffd'], // zstd
  [0, 'fd377a585a00'], // xz
  [0, '425a68'], // bzip2
  [0, '04224d18'], // lz4
  [0, '377abcaf271c'], // 7z
  [0, '89504e470d0a1a0a'], // PNG
  [0, 'ffd8ff'], // JPEG
  [0, '47494638'], // GIF
  [8, '57454250'], // WebP
  [0, '774f4646'], // WOFF
  [0, '774f4632'], // WOFF2
];

/** A function of content alone: what its first bytes say is compressed already is not compressed again. */
export function storedForm(head: Uint8Array, size: number): Stored {
  if (size <= RAW_BYTES) return 'raw';
  const hex = Buffer.from(head.buffer, head.byteOffset, Math.min(HEAD_BYTES, head.byteLength)).toString('hex');
  return MAGIC.some(([offset, bytes]) => hex.startsWith(bytes, offset * 2)) ? 'raw' : 'zstd';
}
