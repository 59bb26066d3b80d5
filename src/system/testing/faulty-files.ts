import type { FileHandle, Files } from '#kernel';

export interface FaultPlan {
  /** 1 fails the first call, 2 the second, …; 0 fails none (for counting). */
  readonly failAt: number;
  /** `error`: the call fails with `code`, later ones work. `crash`: it and every later call fail, as after a power cut. */
  readonly mode: 'error' | 'crash';
  readonly code?: string;
  /** What a failing write leaves behind: nothing, or its first half (a torn write). */
  readonly torn?: boolean;
}

/**
 * A file system that fails at the n-th call that touches the disk. `calls()` says how many there were, so that a test
 * can run once without a fault, and then once for every n.
 */
export function faultyFiles(real: Files, plan: FaultPlan): Files & { calls(): number; failed(): string | undefined } {
  let calls = 0;
  let failure: string | undefined;

  const step = (what: string): boolean => {
    calls += 1;
    const hit = calls === plan.failAt || (plan.mode === 'crash' && failure !== undefined);
    if (hit) failure ??= what;
    return hit;
  };
  const error = (what: string): Error => {
    const code = plan.mode === 'crash' ? 'ECRASH' : (plan.code ?? 'EIO');
    return Object.assign(new Error(`${code}: injected at ${what}`), { code });
  };
  const wrap =
    <A extends unknown[], R>(what: string, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (step(`${what} ${String(args[0])}`)) throw error(what);
      return call(...args);
    };

  const wrapHandle = (handle: FileHandle, path: string): FileHandle => ({
    read: wrap(`read ${path}`, (into: Uint8Array, position?: number) => handle.read(into, position)),
    async write(bytes, position) {
      if (step(`write ${path}`)) {
        if (plan.torn === true && calls === plan.failAt) {
          await handle.write(bytes.subarray(0, bytes.length >> 1), position);
        }
        throw error('write');
      }
      await handle.write(bytes, position);
    },
    size: wrap(`size ${path}`, () => handle.size()),
    truncate: wrap(`truncate ${path}`, (size: number) => handle.truncate(size)),
    sync: wrap(`sync ${path}`, () => handle.sync()),
    // Closing never fails in a way that code could answer, and the test must not leak descriptors.
    close: () => handle.close(),
  });

  return {
    async open(path, flags, options) {
      if (step(`open ${path}`)) throw error('open');
      return wrapHandle(await real.open(path, flags, options), path);
    },
    read: wrap('readFile', (path: string, limit: number) => real.read(path, limit)),
    list: wrap('list', (path: string) => real.list(path)),
    look: wrap('look', (path: string) => real.look(path)),
    makeFolder: wrap('makeFolder', (path: string, mode?: number) => real.makeFolder(path, mode)),
    rename: wrap('rename', (from: string, to: string) => real.rename(from, to)),
    link: wrap('link', (from: string, to: string) => real.link(from, to)),
    remove: wrap('remove', (path: string) => real.remove(path)),
    removeTree: wrap('removeTree', (path: string) => real.removeTree(path)),
    syncFolder: wrap('syncFolder', (path: string) => real.syncFolder(path)),
    space: wrap('space', (path: string) => real.space(path)),
    calls: () => calls,
    failed: () => failure,
  };
}
