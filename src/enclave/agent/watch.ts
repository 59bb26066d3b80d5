import { existsSync, readFileSync, writeSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { errorMessage } from '#kernel';
import type { Attempt } from '../attempt.ts';
import type { SeccompListener } from '../seccomp.ts';
import type { WatchedFile } from './decoy-posts.ts';
import type { Owner } from './owner.ts';
import type { Seen, WatcherData, WatcherMetadata, WatcherWord } from './watcher.ts';

export interface WatchOptions {
  /** Where the container runtime connects to; at most 107 bytes. */
  readonly path: string;
  /** Files opened for writing are told as well: a tenth of a millisecond each (docs/operate/stalls.md). */
  readonly writes: boolean;
  readonly tell: (attempt: Attempt) => void;
  /** Machine to the file of its network namespace. */
  readonly namespaces: Readonly<Record<string, string>>;
  /** What stands there for hosts' sockets and keys: whoever connects is told by the socket, and only named here. */
  readonly decoys?: { readonly sockets: ReadonlySet<string>; readonly files: readonly WatchedFile[] } | undefined;
}

/** Who tried what, as far as system calls show it. */
export interface Watch {
  /** '' while it watches; else why it does not, and then nobody is named. */
  readonly unavailable: string;
  /** Whether reads of decoy files are seen. */
  readonly reads: boolean;
  /** For the profile of a program of this machine. Undefined where nobody watches. */
  listener(machine: string, writable: readonly string[]): SeccompListener | undefined;
  /** Who last called this address, asked for this name or connected to this socket of late. */
  caller(machine: string, address: string, port: number | undefined): Owner | undefined;
  asker(machine: string, name: string): Owner | undefined;
  connected(machine: string, path: string): Owner | undefined;
  close(): Promise<void>;
}

/** What eventfd(2) counts up by. */
const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
/** Milliseconds for which a call explains a packet: as long as the kernel's sets remember one; the last call counts. */
const LATE = 600_000;
/** Calls that are remembered. */
const REMEMBERED = 20_000;

/** Never throws: without it the network is watched all the same, and nobody is named. */
export async function openWatch(options: WatchOptions): Promise<Watch> {
  const missing = missingInKernel();
  if (missing !== '') return { ...NOBODY, unavailable: missing };
  const here = fileURLToPath(import.meta.url);
  const stopping = new SharedArrayBuffer(4);
  const data: WatcherData = {
    path: options.path,
    files: options.decoys?.files ?? [],
    namespaces: options.namespaces,
    stop: stopping,
  };
  // A lease that is broken is told by SIGIO, to the whole process; the thread cannot be told by itself.
  const look = (): void => {
    if (wake !== undefined) writeSync(wake, ONE);
  };
  process.on('SIGIO', look);
  const worker = new Worker(new URL(`./watcher${extname(here)}`, import.meta.url), {
    execArgv: ['--experimental-ffi', '--no-warnings'],
    workerData: data,
    // It needs next to nothing, and there may be fifty enclaves.
    resourceLimits: { maxOldGenerationSizeMb: 64 },
  });
  let wake: number | undefined;
  let reads = false;
  const remembered = new Map<string, { readonly owner: Owner; readonly until: number }>();
  const remember = (key: string, owner: Owner | undefined): void => {
    if (owner === undefined) return;
    remembered.delete(key);
    remembered.set(key, { owner, until: performance.now() + LATE });
    if (remembered.size <= REMEMBERED) return;
    for (const oldest of remembered.keys()) {
      remembered.delete(oldest);
      break;
    }
  };
  const recall = (key: string): Owner | undefined => {
    const found = remembered.get(key);
    return found === undefined || found.until < performance.now() ? undefined : found.owner;
  };
  const take = (seen: Seen): void => {
    const { machine, owner } = seen;
    const attempt = (rest: Omit<Attempt, 'time' | 'from'>): void =>
      options.tell({ time: new Date().toISOString(), from: machine, ...rest, ...owner });
    switch (seen.seen) {
      case 'address':
        return remember(`${machine}|${seen.address}|${seen.port}`, owner);
      case 'question':
        return remember(`${machine}|?${seen.name}`, owner);
      case 'unix': {
        remember(`${machine}|${seen.path}`, owner);
        if (seen.there || options.decoys?.sockets.has(seen.path) === true) return;
        const protocol = seen.path.startsWith('@') ? 'abstract' : 'unix';
        return attempt({ kind: 'socket', protocol, path: seen.path, answer: 'refused' });
      }
      case 'socket':
        return attempt({ kind: 'socket', protocol: seen.family, answer: 'denied' });
      case 'write':
        // A decoy is read-only: opening it for writing was refused, and was tried.
        return attempt({ kind: 'write', protocol: 'file', path: seen.path, answer: 'denied' });
      case 'read':
        return attempt({ kind: 'read', protocol: 'file', path: seen.path, answer: 'decoy' });
    }
  };
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  let unavailable = await new Promise<string>((resolve) => {
    worker.on('message', (word: WatcherWord) => {
      if (word.word === 'seen') for (const one of word.seen) take(one);
      else if (word.word === 'unavailable') resolve(word.reason);
      else {
        ({ wake, leases: reads } = word);
        resolve('');
      }
    });
    worker.on('error', (error) => resolve(errorMessage(error)));
    worker.on('exit', () => resolve('the watching thread ended'));
  });
  worker.unref();
  worker.once('exit', () => (unavailable ||= 'the watching thread ended'));
  const stop = (): void => {
    Atomics.store(new Int32Array(stopping), 0, 1);
    look();
    wake = undefined;
    process.off('SIGIO', look);
  };
  // It waits inside the kernel, and the end of the process would wait for it.
  process.on('exit', stop);
  return {
    get unavailable() {
      return unavailable;
    },
    reads,
    listener(machine, writable) {
      if (unavailable !== '' || !existsSync(options.path)) return undefined;
      const metadata: WatcherMetadata = { machine, writable };
      return { path: options.path, metadata: JSON.stringify(metadata), writes: options.writes };
    },
    caller: (machine, address, port) => recall(`${machine}|${address}|${port ?? ''}`),
    asker: (machine, name) => recall(`${machine}|?${name}`),
    connected: (machine, path) => recall(`${machine}|${path}`),
    async close() {
      process.off('exit', stop);
      worker.ref();
      stop();
      await ended;
    },
  };
}

const NOBODY: Watch = {
  unavailable: '',
  reads: false,
  listener: () => undefined,
  caller: () => undefined,
  asker: () => undefined,
  connected: () => undefined,
  close: () => Promise.resolve(),
};

/** Why programs could not even be started with somebody watching (Linux 5.0, SECCOMP_RET_USER_NOTIF), or ''. */
function missingInKernel(): string {
  try {
    const actions = readFileSync('/proc/sys/kernel/seccomp/actions_avail', 'utf8').trim().split(' ');
    return actions.includes('user_notif') ? '' : 'this kernel tells nobody of system calls (seccomp has no user_notif)';
  } catch {
    return 'this kernel does not say what its seccomp can do';
  }
}
