import { HASH_BYTES, type Hash, joinRight, nodesOf, perfectRoot } from './tree.ts';

/** Tiles of C2SP tlog-tiles: 256 hashes of one level, or 256 entries. */
export const TILE_WIDTH = 256;
export const FULL_TILE_BYTES = TILE_WIDTH * HASH_BYTES;
/** An entry bundle prefixes each entry with a uint16. */
export const ENTRY_LIMIT = 65_535;
export const FULL_BUNDLE_LIMIT = TILE_WIDTH * (2 + ENTRY_LIMIT);

export type TileLevel = number | 'entries';

/** Where a tile is: `tile/0/x001/x234/067`, `tile/entries/000.p/12`. */
export interface Tile {
  readonly level: TileLevel;
  readonly index: number;
  /** 1 to 256; 256 is a full tile. */
  readonly width: number;
}

/** The parts of a tile index: 1234067 is `x001`, `x234`, `067`. */
export function indexParts(index: number): string[] {
  const parts = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    parts.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  }
  return parts;
}

/** Path below the log's folder. */
export function tilePath(tile: Tile): string {
  const base = `tile/${tile.level}/${indexParts(tile.index).join('/')}`;
  return tile.width === TILE_WIDTH ? base : `${base}.p/${tile.width}`;
}

/** How many hashes (or entries) a level holds in a tree of this size. */
export function countAt(level: TileLevel, size: number): number {
  return level === 'entries' ? size : Math.floor(size / TILE_WIDTH ** level);
}

/** The levels that a tree of this size has tiles of: 0, 1, … */
export function levelsOf(size: number): number[] {
  const levels: number[] = [];
  for (let level = 0; countAt(level, size) > 0; level++) levels.push(level);
  return levels;
}

/** Where a level ends: full tiles, and the width of the partial one after them (0: none). */
export function edgeOf(level: TileLevel, size: number): { full: number; width: number } {
  const count = countAt(level, size);
  return { full: Math.floor(count / TILE_WIDTH), width: count % TILE_WIDTH };
}

/** Root of the tree from the hashes of the partial tile of each level (level 0 first), as its right edge. */
export function edgeRoot(edge: readonly (readonly Hash[])[]): Hash | undefined {
  const subtrees: Hash[] = [];
  for (const hashes of [...edge].reverse()) {
    for (const node of nodesOf(0, hashes.length)) {
      const start = node.index * 2 ** node.level;
      subtrees.push(perfectRoot(hashes.slice(start, start + 2 ** node.level)));
    }
  }
  return subtrees.length === 0 ? undefined : joinRight(subtrees);
}

export function encodeHashes(hashes: readonly Hash[]): Uint8Array {
  return Buffer.concat(hashes);
}

/** The hashes of a tile's bytes, whose length the caller has checked. */
export function decodeHashes(bytes: Uint8Array): Hash[] {
  const hashes: Hash[] = [];
  for (let at = 0; at + HASH_BYTES <= bytes.length; at += HASH_BYTES) hashes.push(bytes.subarray(at, at + HASH_BYTES));
  return hashes;
}

export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
  const bundle = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    at = bundle.writeUInt16BE(entry.length, at);
    bundle.set(entry, at);
    at += entry.length;
  }
  return bundle;
}

/** The entries of a bundle, or undefined where it ends inside one. */
export function decodeEntries(bundle: Uint8Array): Uint8Array[] | undefined {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bundle.length) {
    const high = bundle[at];
    const low = bundle[at + 1];
    if (high === undefined || low === undefined) return undefined;
    const end = at + 2 + high * 256 + low;
    if (end > bundle.length) return undefined;
    entries.push(bundle.subarray(at + 2, end));
    at = end;
  }
  return entries;
}
