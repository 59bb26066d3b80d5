/**
 * The file system, as a port. Everything that must survive a crash or a full disk does its I/O through it, so that
 * tests can fail the n-th call. Errors are the system's own, with `code` (`ENOSPC`, `ENOENT`, …).
 */
export interface Files {
  /** `wx` creates and refuses what exists; no flag follows a final symbolic link when `follow` is false. */
  open(
    path: string,
    flags: 'r' | 'w' | 'wx' | 'r+' | 'a',
    options?: { mode?: number; follow?: boolean },
  ): Promise<FileHandle>;
  /** The whole file; more than `limit` bytes is an EFBIG error. */
  read(path: string, limit: number): Promise<Uint8Array>;
  /** Names in a folder, sorted by UTF-8 bytes, with what they are (links are not followed). */
  list(path: string): Promise<readonly Entry[]>;
  /** Undefined where nothing is. Links are not followed. */
  look(path: string): Promise<Look | undefined>;
  /** With parents; what exists is left alone. */
  makeFolder(path: string, mode?: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  /** Removes a file; nothing there is no error. */
  remove(path: string): Promise<void>;
  /** Removes a folder and all below it; nothing there is no error. */
  removeTree(path: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  space(path: string): Promise<Space>;
}

export interface FileHandle {
  /** Fills `into` from `position` (or from where the last read ended) and says how many bytes; less only at the end. */
  read(into: Uint8Array, position?: number): Promise<number>;
  /** Writes all of `bytes` at `position`, or where the last write ended. */
  write(bytes: Uint8Array, position?: number): Promise<void>;
  /** Bytes of a file, or of a block device. */
  size(): Promise<number>;
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export type Kind = 'file' | 'folder' | 'link' | 'other';
export interface Entry {
  readonly name: string;
  readonly kind: Kind;
}
export interface Look {
  readonly kind: Kind;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  readonly modified: number;
  readonly device: number;
  /** Whether it is a block device; then `kind` is `other`. */
  readonly block: boolean;
}
export interface Space {
  /** Bytes that this user may still write. */
  readonly free: number;
  /** Largest file that the file system can hold (FAT32: 4 GiB − 1). */
  readonly largestFile: number;
}
