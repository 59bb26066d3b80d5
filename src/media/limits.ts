/** Bounds of reading a medium; docs/spec/media.md names them. */
export const LIMITS = {
  /** Files and folders of one medium. */
  entries: 50_000,
  /** Slots of folders that are looked at, deleted and unused ones counted. */
  slots: 1_000_000,
  /** Folders inside one another. */
  depth: 64,
  /** Bytes of all paths together. */
  pathBytes: 16 * 1024 * 1024,
  /** Pieces in which all files lie. */
  extents: 250_000,
  /** Bytes of folders, tables and headers that are read from one medium. */
  structure: 64 * 1024 * 1024,
  partitions: 128,
  /** Bytes at the start of a partition that must be zero where it counts as empty. */
  empty: 128 * 1024,
} as const;
