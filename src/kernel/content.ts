import type { Digest } from './digest.ts';

/** Reading content by digest. The store implements it; capture, seal, the depot and the ecosystems use it. */
export interface ContentReader {
  /** Size in bytes, or undefined where the content is not here. */
  size(digest: Digest): Promise<number | undefined>;
  /** The whole content, at most `limit` bytes; undefined where it is not here. */
  read(digest: Digest, limit: number): Promise<Uint8Array | undefined>;
  /** An open content for positioned reads; the caller closes it. Undefined where it is not here. */
  open(digest: Digest): Promise<Content | undefined>;
}

export interface Content {
  readonly size: number;
  /** Fills `into` from `position` and says how many bytes; less only at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** Writing content: hashed while it is written, durable and visible only when it is whole and right. */
export interface ContentWriter {
  /** Stores bytes from memory. */
  put(bytes: Uint8Array): Promise<Digest>;
  /** A content that arrives in pieces. `commit` returns its digest; `abort` leaves nothing behind. */
  begin(): Promise<Incoming>;
}

export interface Incoming {
  write(bytes: Uint8Array): Promise<void>;
  /** Bytes so far. */
  readonly size: number;
  /** Makes it durable and visible under its digest, and says which that is. Content that is already here is no error. */
  commit(): Promise<Digest>;
  abort(): Promise<void>;
}
