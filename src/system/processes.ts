import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { errorCode } from '#kernel';
import { systemFault } from './faults.ts';

/** Variables that a child may inherit: where programs are, how they print, and where temporary files go. */
const INHERITED = ['PATH', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR', 'TERM', 'USER', 'LOGNAME'] as const;
/** What a program that goes out needs beside that: the machine's own way to the network. */
const NETWORK = ['SSL_CERT_FILE', 'SSL_CERT_DIR', ...['http', 'https', 'all', 'no'].flatMap(proxyNames)] as const;

function proxyNames(scheme: string): readonly string[] {
  return [`${scheme}_proxy`, `${scheme.toUpperCase()}_PROXY`];
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment of a child, built from an allow-list: a variable of this machine (PIP_FIND_LINKS, npm_config_…) could
 * otherwise decide what is tested. `also` names further variables to inherit; `set` wins over everything.
 */
export function childEnvironment(
  env: Environment,
  options: { also?: readonly string[]; network?: boolean; set?: Environment } = {},
): Record<string, string> {
  const result: Record<string, string> = {};
  const names = [...INHERITED, ...(options.network === true ? NETWORK : []), ...(options.also ?? [])];
  for (const name of names) {
    const value = env[name];
    if (value !== undefined) result[name] = value;
  }
  Object.assign(result, runtimeEnvironment(env));
  for (const [name, value] of Object.entries(options.set ?? {})) {
    if (value === undefined) delete result[name];
    else result[name] = value;
  }
  return result;
}

/** What the pinned Node needs to start where the launcher had to bring a library for it; else nothing. */
export function runtimeEnvironment(env: Environment): Record<string, string> {
  const libraries = env['SALLYPORT_LIBRARIES'] ?? '';
  return libraries === '' ? {} : { SALLYPORT_LIBRARIES: libraries, LD_LIBRARY_PATH: libraries };
}

export interface ProcessOptions {
  readonly cwd?: string;
  /** Exactly these variables, nothing inherited beside them: see childEnvironment. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes for standard input, which is closed after them. */
  readonly input?: Uint8Array | string;
  /** Milliseconds until the whole process group is stopped. Default: no limit. */
  readonly timeout?: number;
  /** Bytes kept of each of stdout and stderr; the rest is read and dropped, the first bytes stay. Default 1 MiB. */
  readonly keep?: number;
  /** Aborting stops the whole process group. */
  readonly signal?: AbortSignal;
  /** Milliseconds between SIGTERM and SIGKILL when it is stopped. Default 3000. */
  readonly grace?: number;
  /** Each piece of output as it comes. */
  readonly onOutput?: (piece: Buffer, from: 'stdout' | 'stderr') => void;
  /** Keeps standard input open for the caller. */
  readonly interactive?: boolean;
  /** Gives the child a socket to us as descriptor 3: `child.stdio[3]` is our end. */
  readonly channel?: boolean;
}

export interface Ended {
  /** Exit code, or null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether output was longer than what was kept. */
  readonly cut: boolean;
  readonly timedOut: boolean;
  readonly milliseconds: number;
}

export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Settles once the process has ended and its output is read. Never rejects after the start. */
  readonly ended: Promise<Ended>;
  /** SIGTERM to the group, SIGKILL after the grace; resolves when it is gone. */
  stop(): Promise<Ended>;
}

/** Starts a program as leader of its own process group. Throws process.missing where there is no such program. */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: ProcessOptions,
): Promise<Running> {
  options.signal?.throwIfAborted();
  const started = performance.now();
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env,
    detached: true,
    stdio: [
      options.input === undefined && options.interactive !== true ? 'ignore' : 'pipe',
      'pipe',
      'pipe',
      ...(options.channel === true ? (['pipe'] as const) : []),
    ],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => {
      const missing = errorCode(error) === 'ENOENT';
      reject(
        missing
          ? systemFault('process.missing', { where: command, cause: error })
          : new Error(error.message, { cause: error }),
      );
    });
  });
  // A failing signal to a child that is just gone is an 'error' event too, and says nothing new.
  child.on('error', () => undefined);
  const pid = child.pid ?? 0;
  const keep = options.keep ?? 1024 * 1024;
  let cut = false;
  let timedOut = false;
  const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const sizes = { stdout: 0, stderr: 0 };
  for (const from of ['stdout', 'stderr'] as const) {
    child[from]?.on('data', (piece: Buffer) => {
      options.onOutput?.(piece, from);
      const room = keep - sizes[from];
      if (piece.length > room) cut = true;
      if (room > 0) kept[from].push(piece.subarray(0, room));
      sizes[from] += Math.min(room, piece.length);
    });
  }
  if (child.stdin !== null) {
    // A child that closes its input early is its own decision; its exit code tells.
    child.stdin.on('error', () => undefined);
    if (options.input !== undefined) child.stdin.end(options.input);
  }

  let kill: NodeJS.Timeout | undefined;
  const stopNow = (): void => {
    if (kill !== undefined) return;
    signalGroup(pid, 'SIGTERM');
    kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), options.grace ?? 3000);
  };
  const timer =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          stopNow();
        }, options.timeout);
  options.signal?.addEventListener('abort', stopNow);

  const ended = new Promise<Ended>((resolve) => {
    child.once('exit', () => {
      // What the leader left in its group would hold the pipes open, so it goes with it.
      signalGroup(pid, 'SIGKILL');
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      clearTimeout(kill);
      options.signal?.removeEventListener('abort', stopNow);
      resolve({
        code,
        signal,
        stdout: Buffer.concat(kept.stdout).toString('utf8'),
        stderr: Buffer.concat(kept.stderr).toString('utf8'),
        cut,
        timedOut,
        milliseconds: Math.round(performance.now() - started),
      });
    });
  });
  return {
    pid,
    child,
    ended,
    async stop() {
      stopNow();
      return ended;
    },
  };
}

/** Runs a program to its end. Throws the signal's reason when it was aborted. */
export async function runProcess(command: string, args: readonly string[], options: ProcessOptions): Promise<Ended> {
  const running = await startProcess(command, args, options);
  const ended = await running.ended;
  options.signal?.throwIfAborted();
  return ended;
}

/** The last lines of what a program said, for the detail of a fault. */
export function lastWords(ended: Pick<Ended, 'stdout' | 'stderr'>, lines = 5): string {
  const text = ended.stderr.trim() === '' ? ended.stdout : ended.stderr;
  return text.trim().split('\n').slice(-lines).join('\n');
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (pid <= 1) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH' && errorCode(error) !== 'EPERM') throw error;
  }
}

/**
 * When a process started, in the kernel's ticks (proc_pid_stat(5), field 22); '' where there is none. With the number it
 * names one process: a number alone may belong to another by now.
 */
export async function processStart(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Whether a process of this PID namespace is there, whoever's it is. */
export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}
