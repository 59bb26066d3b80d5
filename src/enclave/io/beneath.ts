/**
 * Opening what lies in a folder that foreign programs may write to. They may put a link, a pipe or a device in the place
 * of anything there, at any moment; so each part of the path is opened from the one before it, and no link is followed.
 */
import { close, constants, fstatSync, openSync, read as readCallback } from 'node:fs';
import { promisify } from 'node:util';
import { isBelow } from '../surroundings.ts';

/** Of open(2); Node has no name for it. A descriptor that leads to a file and can do nothing with it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

const closeFile = promisify(close);
const readFrom = promisify(readCallback);

/**
 * Opens a file or folder below `root`, as a descriptor that stands for the place and cannot read or write. `path` is
 * absolute, `root` or below it. The caller closes it. Throws ELOOP or ENOTDIR where a link stands in the way.
 */
export function openBeneath(root: string, path: string): number {
  let at = openSync(root, O_PATH | O_DIRECTORY);
  try {
    const parts = partsBelow(root, path);
    for (const [index, part] of parts.entries()) {
      const last = index === parts.length - 1;
      const next = openSync(`/proc/self/fd/${at}/${part}`, O_PATH | O_NOFOLLOW | (last ? 0 : O_DIRECTORY));
      close(at);
      at = next;
      // With O_PATH, O_NOFOLLOW opens the link itself.
      if (fstatSync(at).isSymbolicLink()) throw linkFault(path);
    }
    return at;
  } catch (error) {
    close(at);
    throw error;
  }
}

/**
 * The bytes of a plain file below `root`, at most `limit`; undefined where there is none. Throws where something else
 * stands there, or it is larger.
 */
export async function readBeneath(root: string, path: string, limit: number): Promise<Buffer | undefined> {
  let place: number;
  try {
    place = openBeneath(root, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const file = openPlain(place, path);
    try {
      const pieces: Buffer[] = [];
      let size = 0;
      for (;;) {
        const piece = Buffer.alloc(64 * 1024);
        const { bytesRead } = await readFrom(file, piece, 0, piece.length, null);
        if (bytesRead === 0) return Buffer.concat(pieces);
        size += bytesRead;
        if (size > limit) throw new Error(`${path} is larger than ${limit} bytes`);
        pieces.push(piece.subarray(0, bytesRead));
      }
    } finally {
      await closeFile(file);
    }
  } finally {
    await closeFile(place);
  }
}

/** Opens a plain file below `root` to be read, as a descriptor that the caller closes. Throws where it is none. */
export function openFileBeneath(root: string, path: string): number {
  const place = openBeneath(root, path);
  try {
    return openPlain(place, path);
  } finally {
    close(place);
  }
}

/** Not before it is known to be one: opening a pipe waits, and opening a device does something. */
function openPlain(place: number, path: string): number {
  if (!fstatSync(place).isFile()) throw new Error(`${path} is no plain file`);
  return openSync(`/proc/self/fd/${place}`, O_RDONLY | O_NONBLOCK);
}

function partsBelow(root: string, path: string): string[] {
  if (path !== root && !isBelow(path, root)) throw new Error(`${path} is not below ${root}`);
  const parts = path
    .slice(root.length)
    .split('/')
    .filter((part) => part !== '');
  if (parts.some((part) => part === '.' || part === '..')) throw new Error(`${path} is not a plain path`);
  return parts;
}

function linkFault(path: string): Error {
  return Object.assign(new Error(`${path}: a symbolic link stands in a folder that programs may write to`), {
    code: 'ELOOP',
  });
}
