/**
 * The configuration of a container for an OCI runtime (runtime-spec 1.0.2, config.md and config-linux.md). Pure: which
 * paths, ids and system calls a confined program has stands here and nowhere else.
 */
import type { Identity } from './identity.ts';
import type { HardLimits, Limits } from './limits.ts';
import type { SeccompProfile } from './seccomp.ts';

/** A file or folder that the program sees. */
export interface Shown {
  /** Where the agent has it. */
  readonly source: string;
  /** Where the program sees it. */
  readonly path: string;
  readonly writable: boolean;
}

export interface Confined {
  /** Folder that becomes `/`; read-only. The mount points of what is shown are there already. */
  readonly rootfs: string;
  /** A throw-away layer lies over it, which may be written to. */
  readonly writableRoot: boolean;
  readonly hostname: string;
  /** Network namespace of the machine, as a path. */
  readonly network: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly identity: Identity;
  /** Root of its own ids, with capabilities over them: images that start as root, and the unpacking of their layers. */
  readonly ownIds: boolean;
  readonly shown: readonly Shown[];
  /** Empty folders in memory that it may write to, bounded. */
  readonly temporary: readonly string[];
  readonly limits: Limits;
  readonly hard: HardLimits;
  /** Of the agent: a program's may not be lower. */
  readonly oomScore: number;
  /** Where no cgroup holds the memory: a bound for what each process reserves, far above what it may use. */
  readonly boundData: boolean;
  readonly seccomp: SeccompProfile;
}

const SLACK = { bytes: 64 * 1024 * 1024, processes: 2000, data: 4 * 1024 ** 3 } as const;

/** What the root of a user namespace needs to be another of its ids, and no more. */
const OWN_IDS = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID'];

/**
 * Of /proc: what says something of the whole machine, and what acts on it. A mask is an empty file or folder. (/proc/kcore
 * is the machine's memory; /proc/keys ignores namespaces; sysrq-trigger reboots.)
 */
export const MASKED = [
  'acpi',
  'asound',
  'bootconfig',
  'buddyinfo',
  'bus',
  'cgroups',
  'config.gz',
  'consoles',
  'crypto',
  'devices',
  'diskstats',
  'dma',
  'driver',
  'dynamic_debug',
  'execdomains',
  'fb',
  'fs',
  'interrupts',
  'iomem',
  'ioports',
  'irq',
  'kallsyms',
  'kcore',
  'key-users',
  'keys',
  'kmsg',
  'kpagecgroup',
  'kpagecount',
  'kpageflags',
  'latency_stats',
  'locks',
  'mdstat',
  'misc',
  'modules',
  'mtrr',
  'pagetypeinfo',
  'partitions',
  'pressure',
  'sched_debug',
  'schedstat',
  'scsi',
  'slabinfo',
  'softirqs',
  'swaps',
  'sysrq-trigger',
  'sysvipc',
  'timer_list',
  'timer_stats',
  'tty',
  'vmallocinfo',
  'zoneinfo',
].map((name) => `/proc/${name}`);

/** The same where there is one id: its own files, whatever their modes say. Layers of images take that away from themselves. */
const OWN_FILES = ['CAP_DAC_OVERRIDE', 'CAP_FOWNER'];

/** The whole configuration, to be written as config.json of a bundle. */
export function runtimeSpec(confined: Confined): Record<string, unknown> {
  const { identity, limits, hard } = confined;
  const capabilities = !confined.ownIds ? [] : identity.several ? OWN_IDS : OWN_FILES;
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: identity.uid, gid: identity.gid, umask: 0o022 },
      args: confined.args,
      env: Object.entries(confined.env).map(([name, value]) => `${name}=${value}`),
      cwd: confined.cwd,
      capabilities: {
        bounding: capabilities,
        effective: identity.uid === 0 ? capabilities : [],
        permitted: identity.uid === 0 ? capabilities : [],
        inheritable: [],
        ambient: [],
      },
      noNewPrivileges: true,
      // Where the machine runs out of memory, programs go before what is not theirs.
      oomScoreAdj: Math.max(500, confined.oomScore),
      rlimits: [
        rlimit('RLIMIT_CORE', 0),
        rlimit('RLIMIT_NOFILE', Math.min(limits.files, hard.files)),
        // A little beyond the limits, so that whoever watches sees them overstepped, and says so.
        rlimit('RLIMIT_FSIZE', Math.min(limits.disk + SLACK.bytes, hard.fileSize)),
        rlimit('RLIMIT_NPROC', Math.min(limits.processes + SLACK.processes, hard.processes)),
        rlimit('RLIMIT_MEMLOCK', Math.min(64 * 1024, hard.locked)),
        ...(confined.boundData ? [rlimit('RLIMIT_DATA', Math.min(limits.memory + SLACK.data, hard.data))] : []),
      ],
    },
    root: { path: confined.rootfs, readonly: !confined.writableRoot },
    hostname: confined.hostname,
    mounts: [...own(limits), ...content(confined)],
    linux: {
      uidMappings: identity.uidMappings,
      gidMappings: identity.gidMappings,
      namespaces: [
        ...['user', 'mount', 'pid', 'ipc', 'uts', 'cgroup'].map((type) => ({ type })),
        { type: 'network', path: confined.network },
      ],
      maskedPaths: MASKED,
      readonlyPaths: ['/proc/sys'],
      rootfsPropagation: 'private',
      seccomp: confined.seccomp,
    },
  };
}

function rlimit(type: string, value: number): Record<string, unknown> {
  return { type, soft: value, hard: value };
}

interface Mount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

function own(limits: Limits): Mount[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'nodev', 'noexec'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'noexec', 'mode=755', 'size=64k', 'nr_inodes=64'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
    },
    memory('/dev/shm', Math.min(limits.temporary, 256 * 1024 * 1024), ['noexec']),
  ];
}

function content({ shown, temporary, limits }: Confined): Mount[] {
  // What lies deeper is mounted later.
  const depth = (path: string): number => path.split('/').length;
  const mounts = [
    ...temporary.map((path) => memory(path, limits.temporary, [])),
    ...shown.map(({ source, path, writable }) => ({
      destination: path,
      type: 'bind',
      source,
      // With `r`: for all mounts below it as well (mount_setattr(2)).
      options: ['rbind', 'rnosuid', 'rnodev', ...(writable ? [] : ['rro'])],
    })),
  ];
  return mounts.sort((a, b) => depth(a.destination) - depth(b.destination));
}

function memory(destination: string, size: number, also: readonly string[]): Mount {
  // Inodes take memory of the kernel as well.
  const options = ['nosuid', 'nodev', ...also, 'mode=1777', `size=${size}`, 'nr_inodes=200k'];
  return { destination, type: 'tmpfs', source: 'tmpfs', options };
}
