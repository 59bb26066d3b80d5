import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Attempt, type Enclave, type EnclaveFlow, type ImageRoot, openEnclave } from '#enclave';
import type { World } from '#kernel';
import type { ProjectRequest } from '#project';
import { lastWords } from '#system';
import { describeLeaning, hadAnAnswer, leanings } from '../passes.ts';
import { StepFailure, Story } from '../story.ts';
import { tryRequest } from './checks.ts';
import { copyProject } from './copy-project.ts';
import { install, type Installation } from './installations.ts';
import { startDepot, startServices } from './services.ts';
import { Stage } from './stage.ts';

export interface SecondPass {
  readonly world: World;
  /** The first pass; its steps are what this one's are compared with. */
  readonly first: Stage;
  readonly machines: readonly string[];
  readonly flows: readonly EnclaveFlow[];
  readonly depot: string;
  /** Where the keys of either side lie, so that the same stands there. */
  readonly keys: readonly string[];
  readonly installations: readonly Installation[];
  /** With the names of machines. */
  readonly requests: readonly ProjectRequest[];
  /** Installs everything again, and not only what had asked for something outside. */
  readonly everyInstall: boolean;
  /** Told of the enclave, which may be closed from outside; it is closed in the end anyhow. */
  readonly onOpen: (enclave: Enclave) => void;
  /** Each resolves when the first pass is through with it. */
  readonly through: {
    readonly installed: Promise<ReadonlyMap<string, ImageRoot>>;
    readonly served: Promise<unknown>;
    readonly asked: Promise<unknown>;
  };
}

/**
 * Installs, starts and asks again, beside the first pass, in an enclave whose machines have no route but to one another
 * and no names but their own: what ended well only because the sink answered ends otherwise here. An install that had
 * asked for nothing outside had no answer to lean on: it is not repeated, and what it installed is used.
 */
export async function runWithoutRoutes(parts: SecondPass): Promise<void> {
  const { world, first, requests } = parts;
  const { story, place: outer, crossed, clients, base } = first;
  const quiet = new Story({ ...world, report: () => undefined });
  const place = { ...outer, work: join(outer.work, 'alone'), logs: join(outer.work, 'alone', 'logs') };
  const copy = join(place.work, 'project');
  let enclave: Enclave | undefined;
  try {
    const title = 'A second enclave stands, whose machines have no route and no name but one another’s';
    const stage = await story.step('alone', title, 'enclave', async () => {
      await mkdir(place.logs, { recursive: true });
      await copyProject(world, crossed.project.folder, copy);
      enclave = await openEnclave({
        machines: parts.machines,
        flows: parts.flows,
        routes: 'none',
        writable: [outer.work, outer.inside],
        readable: clients.folders,
        observe: { keys: parts.keys },
        env: world.env,
        tools: clients,
        signal: world.signal,
      });
      parts.onOpen(enclave);
      const value = new Stage({ world, place, story: quiet, crossed, clients, enclave, copy, base });
      return { value, detail: `${parts.machines.length} machines` };
    });
    if (stage === undefined) return;

    /** A step about steps: it fails with each that ended otherwise than in the first pass. */
    const told = (id: string, what: string, work: () => Promise<string>): Promise<true | undefined> =>
      story.step(id, what, 'enclave', async () => {
        const from = quiet.steps.length;
        const detail = await work();
        const mine = quiet.steps.slice(from);
        const found = leanings(story.steps, mine, await first.enclave.attempts(), machineOf);
        if (found.length > 0) {
          throw new StepFailure(found.map(describeLeaning).join('; '), 'failed', 'rehearse.leans-on-outside');
        }
        return { value: true, detail };
      });
    const machines = new Map([
      ...parts.installations.map((one) => [one.id, one.machine] as const),
      ...requests.map(({ to }, index) => [`request-${index + 1}`, to] as const),
    ]);
    const machineOf = (step: string): string => machines.get(step) ?? step.replace(/^service-/, '');

    let images: ReadonlyMap<string, ImageRoot> = new Map();
    await told('alone-installs', 'Without any route installs end as before', async () => {
      images = await parts.through.installed;
      const { repeated, kept } = await divided(parts, await first.enclave.attempts());
      for (const one of kept) await takeOver(one, first, stage);
      if (repeated.length > 0) {
        // What it serves must not be counted with what the first pass was served.
        if (!(await startDepot(stage, parts.depot, place.work))) {
          throw new StepFailure(`Its depot: ${quiet.reasons.at(-1)?.detail ?? ''}`, 'not-tested');
        }
        images = new Map([...images, ...(await install(stage, repeated))]);
      }
      const asked = repeated.map(({ input }) => input).join(', ');
      const rest = `${kept.length} had asked for nothing outside`;
      return repeated.length === 0 ? rest : `again ${asked}, as with the sink; ${rest}`;
    });
    await told('alone-services', 'Without any route services run as before', async () => {
      await startServices(stage, images);
      await parts.through.served;
      return `${crossed.project.services.length} services, as with the sink`;
    });
    await told('alone-requests', 'Without any route requests are answered as before', async () => {
      for (const [index, request] of requests.entries()) await tryRequest(stage, index, request);
      await parts.through.asked;
      return `${requests.length} requests, as with the sink`;
    });
  } finally {
    await enclave?.close();
  }
}

async function divided(
  { installations, everyInstall }: SecondPass,
  attempts: readonly Attempt[],
): Promise<{ readonly repeated: readonly Installation[]; readonly kept: readonly Installation[] }> {
  // Files are fetched by a program of ours, which leans on nothing.
  const all = installations.filter(({ kind }) => kind !== 'file');
  const again = new Set(all.filter(({ machine }) => everyInstall || hadAnAnswer(machine, attempts)));
  return { repeated: [...again], kept: all.filter((one) => !again.has(one)) };
}

/** What the first pass installed becomes what this one uses. Images are not written to, and need no copy. */
async function takeOver({ kind, input, machine }: Installation, from: Stage, to: Stage): Promise<void> {
  const folder = dirname(input);
  if (kind === 'pip') {
    const target = from.pythonFolders.get(resolve(from.copy, folder));
    if (target !== undefined) to.pythonFolders.set(resolve(to.copy, folder), target);
  }
  const modules = join(from.copy, folder, 'node_modules');
  if (kind !== 'npm' || (await from.world.files.look(modules)) === undefined) return;
  // Its services may be running already: what they do to those folders meanwhile must lead nowhere.
  const target = join(to.copy, folder);
  const ended = await to.enclave.run(machine, '/bin/cp', ['-a', '--', modules, target], {
    cwd: '/tmp',
    env: to.environment({}),
    readable: [join(from.copy, folder)],
    writable: [target],
  });
  if (ended.code !== 0) throw new StepFailure(`What was installed could not be copied: ${lastWords(ended)}`);
}
