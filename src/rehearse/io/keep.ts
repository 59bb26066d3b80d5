import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { keepEnclave } from '#enclave';
import { Fault, isObject, type Progress, type World } from '#kernel';
import { debianTools, findProgram, toolsFolder } from '#system';
import { rehearseFault } from '../faults.ts';
import type { Stage } from './stage.ts';
import type { RehearseInput, RehearseOutput } from '../operations.ts';
import type { Report } from '../report.ts';

/** Set for the process that keeps: it does all of the rehearsal, and whoever asked for it shows what it says. */
const KEEPER = 'SALLYPORT_KEEPER';
const AGE = '8h';

/** Where a rehearsal leaves what is kept in place of ending it. */
export interface Hold {
  stage?: Stage;
  machines?: readonly string[];
  user?: string;
  /** Gives the project's folder back. */
  release?: () => Promise<void>;
}

/** `90s`, `30m`, `8h`, at most 30 days, in milliseconds. Throws rehearse.age. */
export function ageOf(text: string = AGE): number {
  const [, number = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const factor = { s: 1, m: 60, h: 3600, d: 86_400 }[unit] ?? 0;
  const age = Number(number) * factor * 1000;
  // A timer of Node holds no more than 2^31 ms.
  if (age === 0 || age > 24 * 86_400_000) throw rehearseFault('rehearse.age', { where: text });
  return age;
}

export function isKeeper(world: World): boolean {
  return world.env[KEEPER] === '1';
}

/** In the process that keeps: gives the result, and stays until it is told to end. */
export async function keepHere(
  input: RehearseInput,
  world: World,
  rehearse: (hold: Hold) => Promise<Report>,
  emit: (output: RehearseOutput) => void,
): Promise<void> {
  const age = ageOf(input.keepFor);
  const hold: Hold = {};
  try {
    const report = await rehearse(hold);
    const { stage } = hold;
    if (stage === undefined) return emit(report);
    const { place, crossed, enclave } = stage;
    await bringCurl(world, stage);
    const keeper = await keepEnclave({
      world,
      enclave,
      folder: place.enclaves,
      name: crossed.project.name,
      project: place.folder,
      machines: hold.machines ?? [],
      user: hold.user ?? '',
      logs: place.logs,
      work: place.work,
      age,
      services: () =>
        [...stage.services.values()].map(({ name, ready, restarts, trouble }) => ({
          name,
          state: ready ? 'ready' : 'ended',
          restarts,
          trouble,
        })),
      inside: { cwd: '/tmp', env: stage.environment({}), readable: [stage.copy] },
    });
    try {
      const { name, since, until } = keeper.record;
      emit({ ...report, kept: { name, since, until } });
      await Promise.race([keeper.over, enclave.over]);
    } finally {
      // First nobody is let in any more.
      await keeper.close();
    }
  } finally {
    await hold.stage?.enclave.close();
    await hold.release?.();
  }
}

/** In the process that was asked: starts the other one, shows what it says, and leaves it behind. */
export async function keepElsewhere(input: RehearseInput, world: World): Promise<RehearseOutput> {
  ageOf(input.keepFor);
  world.signal.throwIfAborted();
  const [program = '', ...leading] = world.self;
  const args = [
    ...leading,
    'rehearse',
    ...(input.folder === undefined ? [] : [input.folder]),
    ...(input.report === undefined ? [] : ['--report', input.report]),
    ...(input.keepFor === undefined ? [] : ['--keep-for', input.keepFor]),
    ...['--keep', '--json', '--log', 'ndjson'],
  ];
  const child = spawn(program, args, {
    cwd: world.cwd,
    env: { ...world.env, [KEEPER]: '1' },
    // A session of its own: what ends this terminal does not end it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): void => void child.kill('SIGTERM');
  world.signal.addEventListener('abort', stop);
  try {
    const words: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      const event = read(line);
      if (event === undefined) words.push(line);
      else if (typeof event['type'] === 'string') world.report(event as unknown as Progress);
    });
    const said = new Promise<Record<string, unknown> | undefined>((resolve) => {
      createInterface({ input: child.stdout }).once('line', (line) => resolve(read(line)));
      child.once('close', () => resolve(undefined));
      child.once('error', (error) => {
        words.push(error.message);
        resolve(undefined);
      });
    });
    const output = await said;
    world.signal.throwIfAborted();
    const fault = output?.['fault'];
    if (isObject(fault)) {
      const [code = '', message = '', fix = '', where = ''] = ['code', 'message', 'fix', 'where'].map((key) =>
        String(fault[key]),
      );
      throw new Fault(code, message, fix, where, 3);
    }
    if (output === undefined) {
      throw rehearseFault('rehearse.keeper', { detail: words.slice(-5).join(' ') });
    }
    return output as unknown as RehearseOutput;
  } catch (error) {
    // Whatever went wrong here, nothing stays behind that nobody knows of.
    if (child.exitCode === null && child.signalCode === null) {
      stop();
      await new Promise((resolve) => child.once('exit', resolve));
    }
    throw error;
  } finally {
    world.signal.removeEventListener('abort', stop);
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }
}

/** What a person types first. A machine that lacks it gets it unpacked; without it all else still works. */
async function bringCurl(world: World, stage: Stage): Promise<void> {
  if ((await findProgram('curl', world.env)) !== undefined) return;
  try {
    const { curl } = await debianTools(['curl'], { env: world.env, report: world.report, signal: world.signal });
    await symlink(curl.path, join(stage.clients.bin, 'curl'));
  } catch {
    const text = `curl is not on this machine and could not be unpacked into ${toolsFolder(world.env)}.`;
    world.report({ type: 'note', level: 'warn', text });
  }
}

function read(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
