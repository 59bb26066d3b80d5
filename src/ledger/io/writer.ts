import { dirname } from 'node:path';
import { errorCode, errorMessage, type Fault, type Files, isFault } from '#kernel';
import { ledgerFault } from '../faults.ts';

/** Puts whole files into a log's folder so that they are durable under their names. Paths are below that folder. */
export interface LogWriter {
  /** All of them durable, with the names of their folders, when it returns; in no order among themselves. */
  write(writes: readonly { readonly path: string; readonly bytes: Uint8Array }[]): Promise<void>;
}

/** Files that are flushed at once: the file system joins flushes that wait together. */
const AT_ONCE = 16;

/** `scratch` is where temporaries lie: on the same file system, outside everything that tlog-tiles names. */
export function logWriter(files: Files, folder: string, scratch: string): LogWriter {
  /** Folders whose names this process has made durable: existing is not enough after a crash between the two. */
  const durable = new Set<string>(['.']);
  let counter = 0;

  async function makeFolders(paths: Iterable<string>): Promise<void> {
    const missing = new Set<string>();
    for (const path of paths) for (let at = path; !durable.has(at); at = dirname(at)) missing.add(at);
    if (missing.size === 0) return;
    await eachOf([...paths], (path) => files.makeFolder(`${folder}/${path}`));
    const parents = new Set([...missing].map((path) => dirname(path)));
    await eachOf([...parents], (path) => files.syncFolder(path === '.' ? folder : `${folder}/${path}`));
    for (const path of missing) durable.add(path);
  }

  async function writeOne(path: string, bytes: Uint8Array): Promise<void> {
    counter += 1;
    const temporary = `${scratch}/${counter}.sallyport-tmp`;
    const file = await files.open(temporary, 'w');
    try {
      await file.write(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, `${folder}/${path}`);
  }

  return {
    async write(writes) {
      const folders = new Set(writes.map(({ path }) => dirname(path)));
      await makeFolders(folders);
      await eachOf(writes, ({ path, bytes }) => writeOne(path, bytes));
      await eachOf([...folders], (path) => files.syncFolder(path === '.' ? folder : `${folder}/${path}`));
    },
  };
}

/** Runs all, some at once; after the first failure no further one begins, and none is left running. */
async function eachOf<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (errors.length > 0) return;
      try {
        await run(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  if (errors.length > 0) throw errors[0];
}

/** The fault for what the system said; errors without a code are bugs and go on as they are. */
export function writeFault(error: unknown, where: string): Fault | unknown {
  if (isFault(error)) return error;
  const code = errorCode(error);
  if (code === '') return error;
  const detail = { where, detail: errorMessage(error), cause: error };
  if (code === 'ENOSPC' || code === 'EDQUOT') return ledgerFault('ledger.full', detail);
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return ledgerFault('ledger.read-only', detail);
  return ledgerFault('ledger.write-failed', detail);
}
