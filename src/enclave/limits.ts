/** What one confined program and everything that it starts may use. Sizes in bytes. */
export interface Limits {
  /** Of memory, without the pages of files: by cgroup where there is one, else by a look at its processes. */
  readonly memory: number;
  /** Processes and threads. */
  readonly processes: number;
  /** Processors, as a share: 0.5 is half of one. Only where there is a cgroup; absent is no limit. */
  readonly cpus?: number;
  /** Written below its writable folders. */
  readonly disk: number;
  /** Of /tmp, /run and the home folder each, which are in memory. */
  readonly temporary: number;
  /** Of both outputs together. */
  readonly output: number;
  /** Open files of one process. */
  readonly files: number;
}

const MIB = 1024 * 1024;

/** What our own hard limits allow to be handed on (proc_pid_limits(5)); Infinity where there is none. */
export interface HardLimits {
  readonly files: number;
  readonly fileSize: number;
  readonly processes: number;
  readonly locked: number;
  readonly data: number;
}

/** From /proc/self/limits: nobody can raise them again without a right over the machine. */
export function readHardLimits(text: string): HardLimits {
  const hard = (name: string): number => {
    const word = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(text)?.[1];
    return word !== undefined && /^\d+$/.test(word) ? Number(word) : Infinity;
  };
  return {
    files: hard('Max open files'),
    fileSize: hard('Max file size'),
    processes: hard('Max processes'),
    locked: hard('Max locked memory'),
    data: hard('Max data size'),
  };
}

export const LIMITS: Limits = {
  memory: 2048 * MIB,
  processes: 1024,
  disk: 8192 * MIB,
  temporary: 1024 * MIB,
  output: 1024 * MIB,
  files: 65_536,
};

/** Which limit ended a program. */
export const STOPPED = ['memory', 'processes', 'disk', 'output', 'time'] as const;
export type Stopped = (typeof STOPPED)[number];

/** What the agent has seen of one program. Absent: not known. */
export interface Usage {
  readonly memory?: number;
  readonly processes?: number;
  readonly written?: number;
  readonly output: number;
  /** The kernel has refused memory, or a process. */
  readonly memoryRefused?: boolean;
  readonly processRefused?: boolean;
}

/** The limit that is overstepped, if one is. */
export function overstepped(limits: Limits, usage: Usage): Stopped | undefined {
  if (usage.memoryRefused === true || (usage.memory ?? 0) > limits.memory) return 'memory';
  if (usage.processRefused === true || (usage.processes ?? 0) > limits.processes) return 'processes';
  if ((usage.written ?? 0) > limits.disk) return 'disk';
  if (usage.output > limits.output) return 'output';
  return undefined;
}

/** `stopped: more than 2048 MiB of memory`. */
export function describeStop(stopped: Stopped, limits: Limits): string {
  const size = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;
  switch (stopped) {
    case 'memory':
      return `more than ${size(limits.memory)} of memory`;
    case 'processes':
      return `more than ${limits.processes} processes and threads`;
    case 'disk':
      return `more than ${size(limits.disk)} written`;
    case 'output':
      return `more than ${size(limits.output)} of output`;
    case 'time':
      return 'its time is over';
  }
}
