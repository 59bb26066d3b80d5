import { decodeHashes, edgeOf, edgeRoot, encodeEntries, encodeHashes, type Tile, TILE_WIDTH } from './tile.ts';
import { emptyRoot, type Hash, leafHash, perfectRoot } from './tree.ts';

/** What must be in memory to append: the partial tile of every level and the partial entry bundle. */
export interface RightEdge {
  readonly size: number;
  /** Hashes of the partial tile of each level, level 0 first. */
  readonly levels: readonly (readonly Hash[])[];
  /** Entries of the partial bundle, as many as `levels[0]` has hashes. */
  readonly bundle: readonly Uint8Array[];
}

/** A tile to write, with its bytes. */
export interface TileBytes {
  readonly tile: Tile;
  readonly bytes: Uint8Array;
}

export const emptyEdge: RightEdge = { size: 0, levels: [], bundle: [] };

export function rootOf(edge: RightEdge): Hash {
  return edgeRoot(edge.levels) ?? emptyRoot();
}

/** The edge after these entries, and every tile, full or partial, that a checkpoint of its size needs anew. */
export function grow(edge: RightEdge, entries: readonly Uint8Array[]): { edge: RightEdge; tiles: TileBytes[] } {
  const levels = edge.levels.map((hashes) => [...hashes]);
  let bundle = [...edge.bundle];
  let size = edge.size;
  const tiles: TileBytes[] = [];
  const touched = new Set<number>();

  const push = (level: number, hashed: Hash): void => {
    const hashes = (levels[level] ??= []);
    hashes.push(hashed);
    touched.add(level);
    if (hashes.length < TILE_WIDTH) return;
    const { full } = edgeOf(level, size);
    tiles.push({ tile: { level, index: full - 1, width: TILE_WIDTH }, bytes: encodeHashes(hashes) });
    levels[level] = [];
    push(level + 1, perfectRoot(hashes));
  };

  for (const entry of entries) {
    size += 1;
    bundle.push(entry);
    if (bundle.length === TILE_WIDTH) {
      const { full } = edgeOf('entries', size);
      tiles.push({ tile: { level: 'entries', index: full - 1, width: TILE_WIDTH }, bytes: encodeEntries(bundle) });
      bundle = [];
    }
    push(0, leafHash(entry));
  }
  if (bundle.length > 0 && touched.has(0)) {
    const { full, width } = edgeOf('entries', size);
    tiles.push({ tile: { level: 'entries', index: full, width }, bytes: encodeEntries(bundle) });
  }
  for (const level of touched) {
    const hashes = levels[level];
    if (hashes === undefined || hashes.length === 0) continue;
    tiles.push({ tile: { level, index: edgeOf(level, size).full, width: hashes.length }, bytes: encodeHashes(hashes) });
  }
  return { edge: { size, levels, bundle }, tiles };
}

/** An edge from the bytes of its tiles; undefined where they contradict one another. */
export function edgeFrom(
  size: number,
  levels: readonly Uint8Array[],
  bundle: readonly Uint8Array[],
): RightEdge | undefined {
  const hashes = levels.map((bytes) => decodeHashes(bytes).map((hashed) => Uint8Array.from(hashed)));
  const leaves = hashes[0] ?? [];
  if (leaves.length !== bundle.length) return undefined;
  const same = bundle.every((entry, i) => Buffer.compare(leafHash(entry), leaves[i] ?? Buffer.alloc(0)) === 0);
  return same ? { size, levels: hashes, bundle: bundle.map((entry) => Uint8Array.from(entry)) } : undefined;
}
