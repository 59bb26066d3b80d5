import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Controller,
  CONTROLLERS,
  memoryRefused,
  processRefused,
  readHierarchies,
  settingsFor,
} from '../cgroups.ts';
import type { Limits, Usage } from '../limits.ts';

/** Of one program. */
export interface Cgroup {
  /** What holds. */
  readonly controllers: readonly Controller[];
  /** Files into which a process writes 0 to belong here. */
  readonly doors: readonly string[];
  usage(): Partial<Usage>;
  remove(): void;
}

interface Place {
  readonly version: 1 | 2;
  readonly controllers: readonly Controller[];
  readonly folder: string;
}

/** The cgroups of one enclave, where this user may make some. */
export class Cgroups {
  readonly #places: readonly Place[];

  private constructor(places: readonly Place[]) {
    this.#places = places;
  }

  /** `moved`: the folder in which the machine's cgroup mounts are found here, where no runtime looks for them. */
  static open(name: string, moved: string): Cgroups {
    const mounts = text('/proc/self/mountinfo')
      .split('\n')
      .filter((line) => line.includes(` ${moved}`))
      .join('\n');
    const hierarchies = name === '' ? [] : readHierarchies(mounts, text('/proc/self/cgroup'));
    const places: Place[] = [];
    const taken = new Set<Controller>();
    for (const { version, controllers, place } of hierarchies) {
      // What the machine has not switched on for its children stays off: that would be a change of the machine.
      const on = version === 1 ? controllers : words(text(join(place, 'cgroup.subtree_control')));
      const ours = CONTROLLERS.filter((controller) => on.includes(controller) && !taken.has(controller));
      if (ours.length === 0) continue;
      const folder = join(place, name);
      try {
        mkdirSync(folder, { recursive: true });
        if (version === 2)
          writeFileSync(join(folder, 'cgroup.subtree_control'), ours.map((one) => `+${one}`).join(' '));
        if (!admits(join(folder, 'probe'))) throw new Error('no process may be put there');
        places.push({ version, controllers: ours, folder });
        for (const controller of ours) taken.add(controller);
      } catch {
        remove(folder);
      }
    }
    return new Cgroups(places);
  }

  get controllers(): readonly Controller[] {
    return this.#places.flatMap(({ controllers }) => controllers);
  }

  /** For a program; one whose limits cannot be written is left out. */
  make(number: number, limits: Limits): Cgroup {
    const made: Place[] = [];
    for (const { version, controllers, folder } of this.#places) {
      const own = join(folder, `p${number}`);
      const held: Controller[] = [];
      try {
        mkdirSync(own);
        for (const controller of controllers) if (this.#set(version, controller, own, limits)) held.push(controller);
      } catch {
        // Said by what is held.
      }
      if (held.length > 0) made.push({ version, controllers: held, folder: own });
      else remove(own);
    }
    return {
      controllers: made.flatMap(({ controllers }) => controllers),
      doors: made.map(({ folder }) => join(folder, 'cgroup.procs')),
      usage: () => Object.assign({}, ...made.map(usageOf)) as Partial<Usage>,
      remove: () => {
        for (const { folder } of made) remove(folder);
      },
    };
  }

  #set(version: 1 | 2, controller: Controller, folder: string, limits: Limits): boolean {
    for (const { file, value, needed } of settingsFor(version, controller, limits)) {
      try {
        writeFileSync(join(folder, file), value);
      } catch {
        // What is not needed is missing in older kernels, or without accounting of swap.
        if (needed) return false;
      }
    }
    return true;
  }
}

/** Whether a process of ours may be put into a cgroup below: that takes rights over more than the folder. */
function admits(folder: string): boolean {
  mkdirSync(folder);
  const door = join(folder, 'cgroup.procs');
  const { status } = spawnSync('/bin/sh', ['-c', 'echo 0 > "$0"', door], { stdio: 'ignore' });
  remove(folder);
  return status === 0;
}

function usageOf({ version, controllers, folder }: Place): Partial<Usage> {
  const usage: { -readonly [K in keyof Usage]?: Usage[K] } = {};
  if (controllers.includes('memory')) {
    usage.memoryRefused = memoryRefused(text(join(folder, version === 2 ? 'memory.events' : 'memory.oom_control')));
    // Below the limit by what the kernel holds it to.
    usage.memory = 0;
  }
  if (controllers.includes('pids')) {
    usage.processRefused = processRefused(text(join(folder, 'pids.events')));
    usage.processes = Number(text(join(folder, 'pids.current'))) || 0;
  }
  return usage;
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function words(list: string): string[] {
  return list.trim().split(/\s+/);
}

function remove(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something in it is not gone yet: the product clears the rest away when the enclave has ended.
  }
}
