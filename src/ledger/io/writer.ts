import { dirname } from 'node:path';
import { errorCode, errorMessage, type Fault, type FileHandle, type Files, isFault } from '#kernel';
import { ledgerFault } from '../faults.ts';

/** A file to put into a log's folder; the path is below that folder. */
export interface Write {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** What one commit writes, by how it becomes part of the log. */
export interface Commit {
  /** Under names that nothing published refers to yet, so that no reader minds how they come to be. */
  readonly fresh?: readonly Write[];
  /** By rename, because the same name may be there already and be referred to. */
  readonly whole?: readonly Write[];
  /** By rename, one after the other, when everything else is durable. */
  readonly last: readonly Write[];
}

/** Puts files into a log's folder so that they are durable under their names. */
export interface LogWriter {
  /** All of it is durable, with the names of its folders, when it returns. */
  commit(commit: Commit): Promise<void>;
}

/** Files that are flushed at once: the file system joins flushes that wait together. */
const AT_ONCE = 16;

/** `scratch` is where temporaries lie: on the same file system, outside everything that tlog-tiles names. */
export function logWriter(files: Files, folder: string, scratch: string): LogWriter {
  /** Folders whose names this process has made durable: existing is not enough after a crash between the two. */
  const durable = new Set<string>(['.']);
  let counter = 0;

  const place = (path: string): string => (path === '.' ? folder : `${folder}/${path}`);
  const foldersOf = (writes: readonly Write[]): Set<string> => new Set(writes.map(({ path }) => dirname(path)));
  const flushFolders = (paths: Iterable<string>): Promise<void> =>
    eachOf([...paths], (path) => files.syncFolder(place(path)));

  /** Makes the folders of these files; says which names of folders are not durable before their parents are flushed. */
  async function makeFolders(writes: readonly Write[]): Promise<Set<string>> {
    const paths = foldersOf(writes);
    const missing = new Set<string>();
    for (const path of paths) for (let at = path; !durable.has(at); at = dirname(at)) missing.add(at);
    await eachOf(
      [...paths].filter((path) => missing.has(path)),
      (path) => files.makeFolder(place(path)),
    );
    return missing;
  }

  /** Renames temporaries to their names, and flushes the folders of these. */
  async function publish(writes: readonly Staged[]): Promise<void> {
    await eachOf(writes, ({ temporary, path }) => files.rename(temporary, place(path)));
    await flushFolders(foldersOf(writes));
  }

  return {
    /**
     * One round of flushes for all content and for the names of what is fresh; one for what is renamed into place, if
     * there is any; one for each of the last. Nothing of a later round has its name before the round before it is over.
     */
    async commit({ fresh = [], whole = [], last }) {
      const staged = (write: Write): Staged => {
        counter += 1;
        return { ...write, temporary: `${scratch}/${counter}.sallyport-tmp` };
      };
      const renamed = whole.map(staged);
      const final = last.map(staged);
      const missing = await makeFolders([...fresh, ...whole, ...last]);
      const contents = [
        ...fresh.map(({ path, bytes }) => ({ place: place(path), bytes })),
        ...[...renamed, ...final].map(({ temporary, bytes }) => ({ place: temporary, bytes })),
      ];
      const handles: FileHandle[] = [];
      try {
        await eachOf(contents, async ({ place: at, bytes }) => {
          const file = await files.open(at, 'w');
          handles.push(file);
          await file.write(bytes);
        });
        const parents = new Set([...foldersOf(fresh), ...[...missing].map((path) => dirname(path))]);
        await eachOf(
          [
            ...handles.map((file) => () => file.sync()),
            ...[...parents].map((path) => () => files.syncFolder(place(path))),
          ],
          (flush) => flush(),
        );
      } finally {
        await Promise.all(handles.map((file) => file.close()));
      }
      for (const path of missing) durable.add(path);
      if (renamed.length > 0) await publish(renamed);
      for (const write of final) await publish([write]);
    },
  };
}

/** A file whose content lies in a temporary until it gets its name. */
interface Staged extends Write {
  readonly temporary: string;
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
