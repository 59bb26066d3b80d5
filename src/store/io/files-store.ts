import { createHash, randomBytes } from 'node:crypto';
import {
  type Content,
  type Digest,
  digestFromHex,
  digestOf,
  errorCode,
  type FileHandle,
  type Files,
  hexOf,
  type Home,
  homeAt,
  type Incoming,
} from '#kernel';
import { isAlive, makeFolderDurably } from '#system';
import { storeFault } from '../faults.ts';
import type { Store } from '../store.ts';

const CHUNK = 1024 * 1024;
const SUFFIX = '.sallyport-tmp';
/** Age after which a temporary file cannot belong to a running command, in milliseconds. */
const STALE = 24 * 60 * 60 * 1000;

/**
 * Opens the store of a home, given as a Home or as its path; makes its folder if it is not there. Temporary files that
 * a crash left are removed: those of a dead process at once, others after a day.
 */
export async function openStore(files: Files, home: Home | string): Promise<Store> {
  const { store: root } = typeof home === 'string' ? homeAt(home) : home;
  const folder = `${root}/sha256`;
  const incoming = `${root}/incoming`;
  await orFull(files, root, async () => {
    await makeFolderDurably(files, folder, 0o700);
    await makeFolderDurably(files, incoming, 0o700);
  });
  await sweep(files, incoming);

  const known = new Set<string>();
  const adopted = new Set<string>();

  const folderOf = (digest: Digest): string => `${folder}/${hexOf(digest).slice(0, 2)}`;
  const pathOf = (digest: Digest): string => `${folderOf(digest)}/${hexOf(digest)}`;

  async function makeFolderOf(digest: Digest): Promise<void> {
    const path = folderOf(digest);
    if (known.has(path)) return;
    await makeFolderDurably(files, path, 0o700);
    known.add(path);
  }

  async function sizeOf(digest: Digest): Promise<number | undefined> {
    const look = await files.look(pathOf(digest));
    return look?.kind === 'file' ? look.size : undefined;
  }

  async function read(digest: Digest, limit: number): Promise<Uint8Array | undefined> {
    try {
      return await files.read(pathOf(digest), limit);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async function open(digest: Digest): Promise<Content | undefined> {
    let file: FileHandle;
    try {
      file = await files.open(pathOf(digest), 'r', { follow: false });
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    try {
      const size = await file.size();
      return { size, read: (into, position) => file.read(into, position), close: () => file.close() };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async function verify(digest: Digest): Promise<'whole' | 'rotten' | 'absent'> {
    const content = await open(digest);
    if (content === undefined) return 'absent';
    try {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, content.size) || 1);
      for (let at = 0; at < content.size;) {
        const length = await content.read(buffer, at);
        if (length === 0) break;
        hash.update(buffer.subarray(0, length));
        at += length;
      }
      return hash.digest('hex') === hexOf(digest) ? 'whole' : 'rotten';
    } finally {
      await content.close();
    }
  }

  function temporary(): string {
    return `${incoming}/${process.pid}-${randomBytes(8).toString('hex')}${SUFFIX}`;
  }

  async function begin(): Promise<Incoming> {
    const path = temporary();
    const file = await orFull(files, root, () => files.open(path, 'wx', { mode: 0o444, follow: false }));
    const hash = createHash('sha256');
    let size = 0;
    let open = true;
    const abort = async (): Promise<void> => {
      if (!open) return;
      open = false;
      await file.close().catch(() => undefined);
      await files.remove(path).catch(() => undefined);
    };
    return {
      get size() {
        return size;
      },
      async write(bytes) {
        try {
          await orFull(files, root, () => file.write(bytes));
        } catch (error) {
          await abort();
          throw error;
        }
        hash.update(bytes);
        size += bytes.length;
      },
      async commit() {
        if (!open) throw new Error('the content was aborted or committed before');
        try {
          const digest = digestFromHex(hash.digest('hex'));
          await orFull(files, root, async () => {
            await file.sync();
            await makeFolderOf(digest);
          });
          open = false;
          await file.close();
          // The rename replaces what is there: equal bytes if it is whole, and the cure if it has rotted.
          await orFull(files, root, () => files.rename(path, pathOf(digest)));
          await files.syncFolder(folderOf(digest));
          return digest;
        } catch (error) {
          open = true;
          await abort();
          throw error;
        }
      },
      abort,
    };
  }

  return {
    size: sizeOf,
    read,
    open,
    verify,
    pathOf,
    begin,

    async put(bytes) {
      const digest = digestOf(bytes);
      if ((await sizeOf(digest)) === bytes.length && (await verify(digest)) === 'whole') return digest;
      const content = await begin();
      try {
        await content.write(bytes);
        return await content.commit();
      } finally {
        await content.abort();
      }
    },

    async has(digest) {
      return (await sizeOf(digest)) !== undefined;
    },

    async adopt(path, digest, size) {
      const look = await files.look(path);
      if (look === undefined || look.kind !== 'file' || look.size !== size) {
        throw storeFault('store.digest', {
          where: digest,
          detail: `Announced were ${size} bytes, found ${look === undefined ? 'nothing' : `a ${look.kind} of ${look.size}`}.`,
        });
      }
      await orFull(files, root, async () => {
        await makeFolderOf(digest);
        await files.rename(path, pathOf(digest));
      });
      adopted.add(folderOf(digest));
    },

    async syncAdopted() {
      for (const path of adopted) {
        await files.syncFolder(path);
        adopted.delete(path);
      }
    },

    async *digests() {
      for (const { name, kind } of await files.list(folder)) {
        if (kind !== 'folder' || !/^[0-9a-f]{2}$/.test(name)) continue;
        for (const entry of await files.list(`${folder}/${name}`)) {
          if (entry.kind === 'file' && /^[0-9a-f]{64}$/.test(entry.name) && entry.name.startsWith(name)) {
            yield digestFromHex(entry.name);
          }
        }
      }
    },

    async remove(digest) {
      await files.remove(pathOf(digest));
      if ((await files.look(folderOf(digest))) !== undefined) await files.syncFolder(folderOf(digest));
    },
  };
}

/** Turns a full disk or quota into store.full with its figures; lets everything else through. */
async function orFull<T>(files: Files, path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    const space = await files.space(path).catch(() => undefined);
    const detail = space === undefined ? '' : `${space.free} bytes are free.`;
    throw storeFault('store.full', { where: path, ...(detail === '' ? {} : { detail }), cause: error });
  }
}

async function sweep(files: Files, folder: string): Promise<void> {
  for (const { name, kind } of await files.list(folder)) {
    if (kind !== 'file' || !name.endsWith(SUFFIX)) continue;
    const pid = Number.parseInt(name, 10);
    const look = await files.look(`${folder}/${name}`);
    if (look === undefined) continue;
    if (pid === process.pid) continue;
    if (isAlive(pid) && Date.now() - look.modified < STALE) continue;
    await files.remove(`${folder}/${name}`);
  }
}
