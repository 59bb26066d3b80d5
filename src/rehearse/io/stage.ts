import { type Enclave, type InsideEnded, probeFrom } from '#enclave';
import { printable, type World } from '#kernel';
import type { Project } from '#project';
import { lastWords } from '#system';
import type { LogTail } from '../log-tail.ts';
import type { Story } from '../story.ts';
import type { Crossed } from './crossing.ts';
import type { Place } from './place.ts';
import type { SupervisedService } from './supervised-service.ts';
import type { Clients } from './tools.ts';

export const DEPOT_PORT = 4873;

/** One enclave with what plays in it: what every step in there needs. */
export class Stage {
  readonly world: World;
  readonly place: Place;
  readonly story: Story;
  readonly crossed: Crossed;
  readonly clients: Clients;
  readonly enclave: Enclave;
  /** The project's folder as the enclave has it. */
  readonly copy: string;
  /** The depot, as clients in there name it. */
  readonly base: string;
  /** Those that were started, whether they became ready or not. */
  readonly services = new Map<string, SupervisedService>();
  /** What services wrote, by name. */
  readonly logs = new Map<string, LogTail>();
  readonly pythonFolders = new Map<string, string>();
  /** Lockfiles from which npm installed to the end. */
  readonly npmInstalled = new Set<string>();

  constructor(parts: Pick<Stage, 'world' | 'place' | 'story' | 'crossed' | 'clients' | 'enclave' | 'copy' | 'base'>) {
    this.world = parts.world;
    this.place = parts.place;
    this.story = parts.story;
    this.crossed = parts.crossed;
    this.clients = parts.clients;
    this.enclave = parts.enclave;
    this.copy = parts.copy;
    this.base = parts.base;
  }

  probe(machine: string, probe: Parameters<typeof probeFrom>[2]): ReturnType<typeof probeFrom> {
    return probeFrom(this.enclave, machine, probe, { cwd: '/tmp', env: this.environment({}) });
  }

  /** Whether a service is ready now. */
  runs(name: string): boolean {
    return this.services.get(name)?.ready === true;
  }

  /** What each program may use, where the project says. */
  get limits(): Project['limits'] {
    return this.crossed.project.limits;
  }

  get path(): string {
    return `${this.clients.bin}:/usr/local/bin:/usr/bin:/bin`;
  }

  environment(also: Readonly<Record<string, string>>): Record<string, string> {
    return { PATH: this.path, LANG: 'C.UTF-8', CI: 'true', ...also };
  }
}

/** How a program ended that should have ended well; the last line of one that was stopped says why. */
export function ending(name: string, ended: InsideEnded): string {
  const how = ended.stopped === null ? `ended with ${ended.code ?? ended.signal}` : 'was stopped';
  return `${name} ${how}: ${words(ended)}`;
}

/** The last lines of a program, on one line and fit for a terminal. */
export function words(ended: Parameters<typeof lastWords>[0]): string {
  return lastWords(ended, 8)
    .split('\n')
    .map((line) => printable(line.trim()))
    .join(' | ');
}
