import { readdirSync, readlinkSync, statSync } from 'node:fs';
import type { Machine } from '../network.ts';

/** Processes of one machine, without their threads: beyond it, something makes them without end. */
const PROCESS_LIMIT = 1000;
/** Milliseconds between two looks. */
const PAUSE = 100;

/**
 * Watches how many processes each machine has, and tells of one that has too many. It counts what is there, so that it
 * works where there are no cgroups, and where the host's root, whom process limits do not hold, runs the enclave.
 */
export function watchCrowds(
  machines: readonly Machine[],
  tell: (machine: string) => void,
  limit = PROCESS_LIMIT,
): void {
  const spaces = new Map(machines.map(({ id, name }) => [statSync(`/run/netns/${id}`).ino, name]));
  setInterval(() => {
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    if (processes.length <= limit) return;
    const counts = new Map<string, number>();
    for (const pid of processes) {
      const name = spaces.get(networkOf(pid));
      if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const [name, count] of counts) if (count > limit) tell(name);
  }, PAUSE).unref();
}

/** Inode of a process's network namespace; 0 where it has ended. */
function networkOf(pid: string): number {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
