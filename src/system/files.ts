import { constants } from 'node:fs';
import { link, lstat, mkdir, open, readdir, readFile, rename, rm, statfs, unlink } from 'node:fs/promises';
import { compareUtf8, type Entry, errorCode, type FileHandle, type Files, type Kind, type Look } from '#kernel';

const FLAGS = {
  r: constants.O_RDONLY,
  w: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
  wx: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
  'r+': constants.O_RDWR,
  a: constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND,
} as const;

/** Largest file by file system type (statfs magic): FAT holds 4 GiB − 1; others more than we ever write. */
const MSDOS_SUPER_MAGIC = 0x4d44;
const FAT_LARGEST = 4 * 1024 ** 3 - 1;

function kindOf(look: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): Kind {
  if (look.isFile()) return 'file';
  if (look.isDirectory()) return 'folder';
  return look.isSymbolicLink() ? 'link' : 'other';
}

/** The machine's file system. */
export const nodeFiles: Files = {
  async open(path, flags, options = {}) {
    const bits = FLAGS[flags] | (options.follow === false ? constants.O_NOFOLLOW : 0);
    return handleOf(await open(path, bits, options.mode ?? 0o644));
  },

  async read(path, limit) {
    const file = await open(path, constants.O_RDONLY);
    try {
      const { size } = await file.stat();
      if (size > limit) throw tooBig(path, limit);
      const bytes = Buffer.allocUnsafe(Math.min(limit, Math.max(size, 4096)) + 1);
      let length = 0;
      let into = bytes;
      for (;;) {
        const { bytesRead } = await file.read(into, length, into.length - length, null);
        if (bytesRead === 0) break;
        length += bytesRead;
        if (length > limit) throw tooBig(path, limit);
        if (length === into.length) {
          const larger = Buffer.allocUnsafe(Math.min(limit + 1, into.length * 2));
          into.copy(larger, 0, 0, length);
          into = larger;
        }
      }
      return into.subarray(0, length);
    } finally {
      await file.close();
    }
  },

  async list(path) {
    const entries: Entry[] = (await readdir(path, { withFileTypes: true })).map((entry) => ({
      name: entry.name,
      kind: kindOf(entry),
    }));
    return entries.sort((a, b) => compareUtf8(a.name, b.name));
  },

  async look(path): Promise<Look | undefined> {
    try {
      const look = await lstat(path);
      return {
        kind: kindOf(look),
        size: look.size,
        mode: look.mode & 0o7777,
        modified: look.mtimeMs,
        device: look.dev,
        block: look.isBlockDevice(),
      };
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  },

  async makeFolder(path, mode = 0o755) {
    await mkdir(path, { recursive: true, mode });
  },

  rename,
  link,

  async remove(path) {
    try {
      await unlink(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  },

  async removeTree(path) {
    await rm(path, { recursive: true, force: true });
  },

  async syncFolder(path) {
    const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },

  async space(path) {
    const { bavail, bsize, type } = await statfs(path);
    return {
      free: bavail * bsize,
      largestFile: type === MSDOS_SUPER_MAGIC ? FAT_LARGEST : Number.MAX_SAFE_INTEGER,
    };
  },
};

function handleOf(file: Awaited<ReturnType<typeof open>>): FileHandle {
  return {
    async read(into, position) {
      let done = 0;
      while (done < into.length) {
        const at = position === undefined ? null : position + done;
        const { bytesRead } = await file.read(into, done, into.length - done, at);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    async write(bytes, position) {
      let done = 0;
      while (done < bytes.length) {
        const at = position === undefined ? null : position + done;
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at);
        done += bytesWritten;
      }
    },
    async size() {
      const look = await file.stat();
      return look.isBlockDevice() ? deviceSize(look.rdev) : look.size;
    },
    truncate: (size) => file.truncate(size),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}

/** Linux counts sectors of 512 bytes here, whatever the device's own have: what ioctl BLKGETSIZE64 gives. */
async function deviceSize(number: number): Promise<number> {
  const [low, high] = [number % 2 ** 32, Math.floor(number / 2 ** 32)];
  const major = ((low >>> 8) & 0xfff) + ((high & 0xfffff000) >>> 0);
  const minor = (low & 0xff) + ((low >>> 12) & 0xfff00) + (high & 0xfff) * 2 ** 20;
  const text = await readFile(`/sys/dev/block/${major}:${minor}/size`, 'latin1');
  const sectors = Number(/^(\d{1,13})\n$/.exec(text)?.[1]);
  if (!Number.isSafeInteger(sectors * 512)) throw new Error(`the size of device ${major}:${minor} is ${text}`);
  return sectors * 512;
}

function tooBig(path: string, limit: number): Error {
  return Object.assign(new Error(`EFBIG: ${path} holds more than ${limit} bytes`), { code: 'EFBIG' });
}
