import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Limits, overstepped, type Stopped, type Usage } from '../limits.ts';
import type { Cgroup } from './cgroups.ts';

const PAUSE = 100;
/** Files that were made or changed, beyond which a program fills a disk as well: each takes an inode. */
const FILES = 1_000_000;
const PAGE = 4096;
/** Looks between two at open files. */
const HELD = 10;

/** One program that is watched. */
export interface Watched {
  readonly limits: Limits;
  readonly cgroup: Cgroup;
  /** The first process of its PID namespace, once it is there. */
  init(): number | undefined;
  /** Folders that it may write to, where the agent has them. */
  readonly writable: readonly string[];
  output(): number;
  /** Called once. */
  stop(why: Stopped): void;
}

interface Entry {
  readonly watched: Watched;
  /** Seconds since the epoch. */
  readonly since: number;
  readonly free: ReadonlyMap<string, Space>;
  written: number;
  /** Memory in files without a name (memfd_create(2), deleted files of a tmpfs): no process has it as its own. */
  held: number;
  measuring: boolean;
  /** When it may be measured again. */
  next: number;
}

interface Space {
  readonly device: number;
  readonly bytes: number;
  readonly files: number;
}

const run = promisify(execFile);

/**
 * Holds programs to limits that the kernel does not hold them to, and notices those that it does. It looks at what is
 * there, so it works without cgroups, without quotas, and for whoever runs the enclave.
 */
export class Watchdog {
  readonly #entries = new Map<number, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;

  add(number: number, watched: Watched): void {
    const free = new Map(watched.writable.map((folder) => [folder, spaceOf(folder)]));
    const since = Date.now() / 1000;
    this.#entries.set(number, { watched, since, free, written: 0, held: 0, measuring: false, next: 0 });
    this.#timer ??= setInterval(() => this.#look(), PAUSE).unref();
  }

  /** What can be said at its end: whether a limit was the reason. */
  remove(number: number): Stopped | undefined {
    const entry = this.#entries.get(number);
    if (entry === undefined) return undefined;
    this.#entries.delete(number);
    if (this.#entries.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const { watched } = entry;
    return overstepped(watched.limits, { output: watched.output(), ...watched.cgroup.usage() });
  }

  #look(): void {
    this.#looks += 1;
    let processes: Map<string, { count: number; memory: number }> | undefined;
    for (const [number, entry] of this.#entries) {
      const { watched } = entry;
      const usage: { -readonly [K in keyof Usage]: Usage[K] } = {
        output: watched.output(),
        written: entry.written,
        ...watched.cgroup.usage(),
      };
      const init = watched.init();
      if ((usage.memory === undefined || usage.processes === undefined) && init !== undefined) {
        processes ??= processesBySpace();
        const here = processes.get(spaceOfProcess(init));
        if (usage.memory === undefined && this.#looks % HELD === 0) entry.held = nameless(init, entry.free).memory;
        usage.memory ??= (here?.memory ?? 0) + entry.held;
        usage.processes ??= here?.count ?? 0;
      }
      const why = overstepped(watched.limits, usage);
      if (why !== undefined) {
        this.#entries.delete(number);
        watched.stop(why);
      } else if (!entry.measuring && performance.now() > entry.next && this.#suspicious(entry)) {
        void this.#measure(entry, init);
      }
    }
  }

  /** Looking through folders costs; it is worth it once their disk has lost as much as a good part of the limit. */
  #suspicious({ watched, free }: Entry): boolean {
    for (const [folder, before] of free) {
      const now = spaceOf(folder);
      if (before.bytes - now.bytes > watched.limits.disk / 2 || before.files - now.files > FILES / 2) return true;
    }
    return false;
  }

  async #measure(entry: Entry, init: number | undefined): Promise<void> {
    entry.measuring = true;
    const started = performance.now();
    const { watched, since } = entry;
    let written = init === undefined ? 0 : nameless(init, entry.free).disk;
    let files = 0;
    try {
      const args = [...watched.writable, '-xdev', '-newerct', `@${since.toFixed(3)}`, '-printf', '%b\\n'];
      const { stdout } = await run('find', args, { maxBuffer: 64 * 1024 * 1024 });
      for (const line of stdout.split('\n')) {
        if (line === '') continue;
        written += Number(line) * 512;
        files += 1;
      }
      entry.written = files > FILES ? Infinity : written;
    } catch (error) {
      // More lines than fit are more files than may be.
      if ((error as NodeJS.ErrnoException).code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') entry.written = Infinity;
      else entry.written = Math.max(entry.written, written);
    }
    // At most a tenth of the time goes into looking.
    entry.next = performance.now() + Math.max(PAUSE, 9 * (performance.now() - started));
    entry.measuring = false;
  }
}

function spaceOf(folder: string): Space {
  const { bsize, bfree, ffree } = statfsSync(folder);
  return { device: statSync(folder).dev, bytes: bsize * bfree, files: ffree };
}

/** Processes and threads, and memory that is theirs alone, for each PID namespace. */
function processesBySpace(): Map<string, { count: number; memory: number }> {
  const found = new Map<string, { count: number; memory: number }>();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const space = spaceOfProcess(pid);
    if (space === '') continue;
    const sum = found.get(space) ?? { count: 0, memory: 0 };
    found.set(space, sum);
    const [, resident = 0, shared = 0] = text(`/proc/${pid}/statm`).split(' ').map(Number);
    sum.memory += (resident - shared) * PAGE;
    // "Threads:" of its status would say the same and cost more.
    sum.count += statOf(`/proc/${pid}/task`)?.nlink ?? 3;
    // Of a folder that holds one folder a thread, beside `.` and its own name.
    sum.count -= 2;
  }
  return found;
}

/** Bytes of open files that have no name any more, on the disks of the writable folders and elsewhere: in memory. */
function nameless(init: number, free: ReadonlyMap<string, Space>): { disk: number; memory: number } {
  const space = spaceOfProcess(init);
  const disks = new Set([...free.values()].map(({ device }) => device));
  const seen = new Set<string>();
  const sum = { disk: 0, memory: 0 };
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || spaceOfProcess(pid) !== space) continue;
    for (const file of list(`/proc/${pid}/fd`)) {
      const stat = statOf(`/proc/${pid}/fd/${file}`);
      const key = `${stat?.dev}:${stat?.ino}`;
      if (stat?.isFile() !== true || stat.nlink !== 0 || seen.has(key)) continue;
      seen.add(key);
      sum[disks.has(stat.dev) ? 'disk' : 'memory'] += stat.blocks * 512;
    }
  }
  return sum;
}

function spaceOfProcess(pid: number | string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return '';
  }
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
