import { createHash } from 'node:crypto';
import { type Digest, digestFromHex, type Entry, errorCode, errorMessage, type FileHandle, type Files } from '#kernel';
import { decodeEntries, FULL_BUNDLE_LIMIT, FULL_TILE_BYTES, TILE_WIDTH, type Tile, tilePath } from '../tile.ts';
import { HASH_BYTES } from '../tree.ts';

/** Why a file of a log could not be had. `path` is below the log's folder. */
export interface ReadProblem {
  readonly problem: 'missing' | 'not-a-file' | 'unreadable' | 'too-large';
  readonly path: string;
  readonly detail: string;
}

/** Reads a log's folder, which may be hostile: plain files and folders only, every read bounded, no link followed. */
export interface LogReader {
  file(path: string, limit: number): Promise<Uint8Array | ReadProblem>;
  /** Digest and size, in constant memory. */
  digest(path: string): Promise<{ digest: Digest; size: number } | ReadProblem>;
  /** Nothing where there is no such folder. */
  list(path: string): Promise<readonly Entry[] | ReadProblem>;
}

const KNOWN_FOLDERS = 2048;
const CHUNK = 64 * 1024;

/** Narrows what a read returned to why it failed, whichever of the reasons it is. */
export function isReadProblem<T extends object>(value: T): value is Extract<T, { readonly problem: string }> {
  return 'problem' in value;
}

export function logReader(files: Files, folder: string): LogReader {
  const known = new Set<string>();

  /** Checks each folder on the way, because only the last part of a path is protected by O_NOFOLLOW. */
  async function folderOf(path: string): Promise<ReadProblem | undefined> {
    const parts = path.split('/');
    let at = '';
    for (const part of parts) {
      at = at === '' ? part : `${at}/${part}`;
      if (known.has(at)) continue;
      const look = await files.look(`${folder}/${at}`);
      if (look === undefined) return { problem: 'missing', path: at, detail: 'It is not there.' };
      if (look.kind !== 'folder') return { problem: 'not-a-file', path: at, detail: `It is a ${look.kind}.` };
      if (known.size >= KNOWN_FOLDERS) known.clear();
      known.add(at);
    }
    return undefined;
  }

  async function withFile<T>(
    path: string,
    use: (file: FileHandle, size: number) => Promise<T>,
  ): Promise<T | ReadProblem> {
    try {
      const slash = path.lastIndexOf('/');
      if (slash > 0) {
        const bad = await folderOf(path.slice(0, slash));
        if (bad !== undefined) return bad.problem === 'missing' ? { ...bad, path } : bad;
      }
      const look = await files.look(`${folder}/${path}`);
      if (look === undefined) return { problem: 'missing', path, detail: 'It is not there.' };
      if (look.kind !== 'file') return { problem: 'not-a-file', path, detail: `It is a ${look.kind}.` };
      const file = await files.open(`${folder}/${path}`, 'r', { follow: false });
      try {
        return await use(file, await file.size());
      } finally {
        await file.close();
      }
    } catch (error) {
      return problemOf(path, error);
    }
  }

  return {
    file: (path, limit) =>
      withFile(path, async (file, size) => {
        if (size > limit) return tooLarge(path, size, limit);
        const bytes = Buffer.alloc(size);
        return bytes.subarray(0, await file.read(bytes, 0));
      }),

    digest: (path) =>
      withFile(path, async (file) => {
        const hash = createHash('sha256');
        const chunk = Buffer.allocUnsafe(CHUNK);
        let size = 0;
        for (;;) {
          const read = await file.read(chunk, size);
          if (read === 0) break;
          hash.update(chunk.subarray(0, read));
          size += read;
        }
        return { digest: digestFromHex(hash.digest('hex')), size };
      }),

    async list(path) {
      try {
        const bad = await folderOf(path);
        if (bad !== undefined) return bad.problem === 'missing' ? [] : bad;
        return await files.list(`${folder}/${path}`);
      } catch (error) {
        return problemOf(path, error);
      }
    },
  };
}

function tooLarge(path: string, size: number, limit: number): ReadProblem {
  return { problem: 'too-large', path, detail: `It has ${size} bytes; at most ${limit} fit.` };
}

function problemOf(path: string, error: unknown): ReadProblem {
  const code = errorCode(error);
  if (code === '') throw error;
  if (code === 'ENOENT' || code === 'ENOTDIR') return { problem: 'missing', path, detail: 'It is not there.' };
  if (code === 'ELOOP') return { problem: 'not-a-file', path, detail: 'It is a link.' };
  return { problem: 'unreadable', path, detail: errorMessage(error) };
}

/** A tile's file has another size than its name says. */
export interface SizeProblem {
  readonly problem: 'size';
  readonly path: string;
  readonly detail: string;
}

/** The hashes of a tile. A partial one that is gone is read from the full one (C2SP tlog-tiles, "Partial Tiles"). */
export async function readTile(reader: LogReader, tile: Tile): Promise<Uint8Array | ReadProblem | SizeProblem> {
  let width = tile.width;
  let bytes = await reader.file(tilePath(tile), FULL_TILE_BYTES);
  if (width < TILE_WIDTH && isReadProblem(bytes) && bytes.problem === 'missing') {
    const full = await reader.file(tilePath({ ...tile, width: TILE_WIDTH }), FULL_TILE_BYTES);
    if (isReadProblem(full)) return full.problem === 'missing' ? bytes : full;
    bytes = full;
    width = TILE_WIDTH;
  }
  const path = tilePath({ ...tile, width });
  if (isReadProblem(bytes)) {
    return bytes.problem === 'too-large' ? { problem: 'size', path, detail: bytes.detail } : bytes;
  }
  if (bytes.length !== width * HASH_BYTES) {
    return {
      problem: 'size',
      path,
      detail: `It has ${bytes.length} bytes; ${width} hashes are ${width * HASH_BYTES}.`,
    };
  }
  return bytes.subarray(0, tile.width * HASH_BYTES);
}

/** An entry bundle cannot be cut into as many entries as its name says. */
export interface BundleProblem {
  readonly problem: 'bundle-malformed' | 'bundle-count';
  readonly path: string;
  readonly detail: string;
}

/** The entries of a bundle, from the full one where the partial one is gone. */
export async function readBundle(
  reader: LogReader,
  index: number,
  wanted: number,
): Promise<Uint8Array[] | ReadProblem | BundleProblem> {
  let width = wanted;
  let bytes = await reader.file(tilePath({ level: 'entries', index, width }), FULL_BUNDLE_LIMIT);
  if (width < TILE_WIDTH && isReadProblem(bytes) && bytes.problem === 'missing') {
    const path = tilePath({ level: 'entries', index, width: TILE_WIDTH });
    const full = await reader.file(path, FULL_BUNDLE_LIMIT);
    if (isReadProblem(full)) return full.problem === 'missing' ? bytes : full;
    bytes = full;
    width = TILE_WIDTH;
  }
  const path = tilePath({ level: 'entries', index, width });
  if (isReadProblem(bytes)) {
    return bytes.problem === 'too-large' ? { problem: 'bundle-malformed', path, detail: bytes.detail } : bytes;
  }
  const entries = decodeEntries(bytes);
  if (entries === undefined) return { problem: 'bundle-malformed', path, detail: 'It ends inside an entry.' };
  if (entries.length !== width) {
    return { problem: 'bundle-count', path, detail: `It has ${entries.length} entries; its name says ${width}.` };
  }
  return entries.slice(0, wanted);
}
