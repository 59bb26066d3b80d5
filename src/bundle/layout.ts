/** Names and limits of `sallyport-bundle/1` (docs/spec/bundle.md). */
export const FOLDER = 'sallyport-bundle';
export const MAJOR = 1;
export const MARKER = `${FOLDER}/${MAJOR}`;
export const MARKER_TEXT =
  'A Sallyport bundle, format 1. docs/spec/bundle.md says how to check it with tar, openssl, zstd and sha256sum.\n';
export const ENVELOPES = `${FOLDER}/envelopes/`;
export const SEAL = `${ENVELOPES}seal.dsse.json`;
export const PAE = `${ENVELOPES}seal.pae`;
export const INDEX = `${FOLDER}/index.jsonl`;
export const SEEK = `${FOLDER}/seek`;
export const SEEK_LINE = 17;
export const END = `${FOLDER}/end`;
export const END_TEXT = 'The end. Two blocks of zeros follow, and nothing else.\n';

export const MAX_ENVELOPES = 256;
export const MAX_ENVELOPE_BYTES = 1024 ** 2;
export const MAX_ENVELOPES_BYTES = 16 * 1024 ** 2;
export const MAX_SIGNATURES = 16;
export const MAX_INDEX_BYTES = 64 * 1024 ** 2;
export const MAX_INDEX_LINE_BYTES = 4096;
export const MAX_BLOBS = 250_000;
export const MAX_LOCK_BYTES = 64 * 1024 ** 2;
export const MAX_BLOB_BYTES = 1024 ** 4;
export const MAX_FRAME_BYTES = 8 * 1024 ** 2;
export const MAX_DEPTH = 16;
/** A content of at most this many bytes gains nothing from compression, because members are padded to blocks. */
export const RAW_BYTES = 512;

/** What a stored frame of so much content may take: zstd's raw blocks and headers, rounded up generously. */
export function largestStoredFrame(content: number): number {
  return content + (content >> 7) + 1024;
}

export function rawName(hex: string): string {
  return `${FOLDER}/blobs/${hex}`;
}

export function frameName(hex: string, frame: number): string {
  return `${FOLDER}/blobs/${hex}.${String(frame).padStart(6, '0')}.zst`;
}
