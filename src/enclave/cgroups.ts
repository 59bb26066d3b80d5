/**
 * Where limits can be set by cgroup, and how they are written (cgroups(7); Documentation/admin-guide/cgroup-v1 and
 * cgroup-v2.rst of Linux). The runtime is not asked to: it refuses some layouts, and each in its own way. Pure.
 */
import type { Limits } from './limits.ts';

export const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
export type Controller = (typeof CONTROLLERS)[number];

export interface Hierarchy {
  readonly version: 1 | 2;
  /** Of a first version: which of ours it has. Of the second: the folder says which are on. */
  readonly controllers: readonly Controller[];
  /** Mount point. */
  readonly mount: string;
  /** Folder below which an enclave makes its own; absolute. */
  readonly place: string;
}

/** Hierarchies from /proc/self/mountinfo (proc_pid_mountinfo(5)) and /proc/self/cgroup (cgroups(7)). */
export function readHierarchies(mountinfo: string, membership: string): Hierarchy[] {
  const own = new Map<string, string>();
  for (const line of membership.split('\n')) {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names === undefined || path === undefined) continue;
    for (const name of names.split(',')) own.set(name, path);
  }
  const found = new Map<string, Hierarchy>();
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '', mount = ''] = left.split(' ');
    const [type, , options = ''] = right.split(' ');
    if (type === 'cgroup2') {
      const path = below(own.get('') ?? '/', root);
      // No processes beside children: our own cgroup cannot have both, so the enclave's stands beside it.
      const parent = path === '/' ? '' : path.slice(0, path.lastIndexOf('/'));
      found.set('2', { version: 2, controllers: [], mount, place: mount + parent });
    } else if (type === 'cgroup') {
      const names = options.split(',');
      const controllers = CONTROLLERS.filter((name) => names.includes(name));
      const [first] = controllers;
      if (first === undefined) continue;
      const path = below(own.get(first) ?? '/', root);
      found.set(first, { version: 1, controllers, mount, place: mount + (path === '/' ? '' : path) });
    }
  }
  return [...found.values()];
}

/** A path of the hierarchy as seen below a mount of its `root`. */
function below(path: string, root: string): string {
  if (root === '/' || root === '') return path;
  if (path === root) return '/';
  return path.startsWith(`${root}/`) ? path.slice(root.length) : path;
}

export interface Setting {
  readonly file: string;
  readonly value: string;
  /** Without it there is no limit; else it only makes one sharper, and some kernels lack it. */
  readonly needed: boolean;
}

const PERIOD = 100_000;

/** What is written into the files of a program's cgroup. */
export function settingsFor(version: 1 | 2, controller: Controller, limits: Limits): Setting[] {
  const must = (file: string, value: number | string): Setting => ({ file, value: String(value), needed: true });
  const may = (file: string, value: number | string): Setting => ({ file, value: String(value), needed: false });
  switch (controller) {
    case 'memory':
      return version === 2
        ? [must('memory.max', limits.memory), may('memory.swap.max', 0), may('memory.oom.group', 1)]
        : [
            must('memory.limit_in_bytes', limits.memory),
            may('memory.memsw.limit_in_bytes', limits.memory),
            // Whoever needs more waits, and all of it is ended: the kernel alone would pick one of its processes.
            may('memory.oom_control', 1),
          ];
    case 'pids':
      return [must('pids.max', limits.processes)];
    case 'cpu': {
      if (limits.cpus === undefined) return [];
      const quota = Math.max(1000, Math.round(limits.cpus * PERIOD));
      return version === 2
        ? [must('cpu.max', `${quota} ${PERIOD}`)]
        : [must('cpu.cfs_period_us', PERIOD), must('cpu.cfs_quota_us', quota)];
    }
  }
}

/** Whether the kernel has refused memory: `memory.events` of the second version, `memory.oom_control` of the first. */
export function memoryRefused(text: string): boolean {
  return /^(oom_kill|under_oom) [1-9]/m.test(text);
}

/** Whether the kernel has refused a process: `pids.events`. */
export function processRefused(text: string): boolean {
  return /^max [1-9]/m.test(text);
}

const NAME = /^sallyport-(\d+)-(\d+)-(\d+)-[0-9a-f]+$/;

/** The name of an enclave's cgroup says whose it is, so that what a killed process left is known as such. */
export function cgroupName(pid: number, start: string, space: string, unique: string): string {
  return `sallyport-${pid}-${start}-${space}-${unique}`;
}

/** Whose it is; undefined where it is none of ours. */
export function cgroupOwner(name: string): { pid: number; start: string; space: string } | undefined {
  const [, pid, start, space] = NAME.exec(name) ?? [];
  if (pid === undefined || start === undefined || space === undefined) return undefined;
  return { pid: Number(pid), start, space };
}
