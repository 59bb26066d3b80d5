import { join } from 'node:path';
import { type Attempt, type EnclaveFlow, type FlowUse, type ImageRoot, openEnclave, runtimeHosts } from '#enclave';
import { homeAt, instantOf, type World } from '#kernel';
import type { Project } from '#project';
import { factsOf } from '../enclave-facts.ts';
import { machineOutcomes } from '../machine-outcomes.ts';
import type { EnclaveFacts, Report, ReportedAttempt, RuntimeHost, ServiceLog } from '../report.ts';
import { StepFailure, type Story } from '../story.ts';
import { tryEdges, tryRequest } from './checks.ts';
import { copyProject } from './copy-project.ts';
import type { Crossed } from './crossing.ts';
import { servedSize, tellDigests } from './digests.ts';
import { tellInstalled } from './installed-files.ts';
import { clientEnvironment, install, installationsOf } from './installations.ts';
import { tryMisdeed } from './misdeed.ts';
import type { Place } from './place.ts';
import { runWithoutRoutes } from './second-pass.ts';
import { serveHere } from './serve-here.ts';
import { checkServices, startDepot, startServices } from './services.ts';
import { DEPOT_PORT, Stage } from './stage.ts';
import { type Clients, findClients } from './tools.ts';
import { witnessFrom } from './witness.ts';
import type { Hold } from './keep.ts';

export interface InsideResult {
  readonly attempts: readonly ReportedAttempt[];
  readonly uses: NonNullable<Report['uses']>;
  readonly artifacts: NonNullable<Report['artifacts']> | undefined;
  readonly enclave: EnclaveFacts | undefined;
  readonly logs: readonly ServiceLog[];
  readonly runtimeHosts: readonly RuntimeHost[];
}

export const NOTHING_INSIDE: InsideResult = {
  attempts: [],
  uses: [],
  artifacts: undefined,
  enclave: undefined,
  logs: [],
  runtimeHosts: [],
};

/** Finds what the enclave needs; beside the crossing, since programs that only say their version take seconds. */
export function clientsAtHand(
  world: World,
  place: Place,
  story: Story,
  project: Project,
): Promise<Clients | undefined> {
  return story.step('clients', 'Namespaces and the real clients are at hand', 'enclave', async () => {
    const has = (name: string): boolean => project.inputs.some(({ ecosystem }) => ecosystem === name);
    const value = await findClients(world, place.work, { images: has('oci'), npm: true, pip: has('pypi') });
    return { value, detail: value.versions };
  });
}

/** Runs the project where there is no network, with the depot as the only place that has anything. */
export async function runInside(
  world: World,
  place: Place,
  story: Story,
  crossed: Crossed,
  {
    clients: atHand,
    everyInstall = false,
    hold,
  }: { readonly clients: Promise<Clients | undefined>; readonly everyInstall?: boolean; readonly hold?: Hold },
): Promise<InsideResult> {
  const { project } = crossed;
  const nothing = NOTHING_INSIDE;
  const names = new Set(project.services.map(({ name }) => name));
  const unique = (name: string): string => {
    let free = name;
    for (let n = 2; names.has(free); n++) free = `${name}-${n}`;
    names.add(free);
    return free;
  };
  const depot = unique('depot');
  const user = unique('user');
  const installations = installationsOf(crossed, unique);
  const misdeed = unique('misdeed');

  const clients = await atHand;
  if (clients === undefined) {
    await serveHere(world, place, story, crossed);
    return nothing;
  }

  const copy = join(place.work, 'project');
  await copyProject(world, project.folder, copy);
  const machineOf = (name: string): string => (name === 'outside' ? user : name);
  const flows: EnclaveFlow[] = [
    ...[...installations.map(({ machine }) => machine), user, misdeed].map((from) => ({
      from,
      to: depot,
      port: DEPOT_PORT,
      protocol: 'tcp' as const,
    })),
    ...project.flows.flatMap(({ from, to, port, protocol }) =>
      protocol === 'sctp' ? [] : [{ from: machineOf(from), to: machineOf(to), port, protocol }],
    ),
    // What a user asks for from outside the system is declared by asking for it.
    ...project.requests.flatMap(({ from, to }) => {
      const port = project.services.find(({ name }) => name === to)?.port;
      return from === 'outside' && port !== undefined ? [{ from: user, to, port, protocol: 'tcp' as const }] : [];
    }),
  ];

  const distinct = [...new Map(flows.map((flow) => [JSON.stringify(flow), flow])).values()];
  const requests = project.requests.map((request) => ({ ...request, from: machineOf(request.from) }));

  const keys = await keysOf(world, place);
  const attempts: Attempt[] = [];
  const enclave = await story.step('enclave', 'An enclave without any uplink stands', 'enclave', async () => {
    const value = await openEnclave({
      machines: [...names],
      flows: distinct,
      writable: [place.work, place.inside, place.logs],
      readable: clients.folders,
      observe: { keys },
      env: world.env,
      tools: clients,
      signal: world.signal,
      onAttempt: (attempt) => attempts.push(attempt),
    });
    const families = value.ipv6 ? 'IPv4 and IPv6' : 'IPv4 (this kernel has no IPv6)';
    return { value, detail: `${names.size} machines, ${families}, every route ends in the sink` };
  });
  if (enclave === undefined) return nothing;
  const base = `http://${depot}:${DEPOT_PORT}`;
  const stage = new Stage({ world, place, story, crossed, clients, enclave, copy, base });
  const deliberate = new Set<string>();
  let over = false;
  const enclaves = [enclave];
  const limit = setTimeout(() => {
    over = true;
    for (const one of enclaves) void one.close();
  }, project.timeLimit * 1000);
  try {
    const before = await servedSize(stage);
    const witness = witnessFrom(stage, user).catch(() => undefined);
    if (!(await startDepot(stage, depot))) return nothing;
    const through = {
      installed: Promise.withResolvers<ReadonlyMap<string, ImageRoot>>(),
      served: Promise.withResolvers<void>(),
      asked: Promise.withResolvers<void>(),
    };
    // Beside this one, since either waits much; nothing of it can reach the other.
    const second = runWithoutRoutes({
      ...{
        world,
        first: stage,
        machines: [...names],
        flows: distinct,
        depot,
        keys,
        installations,
        requests,
        everyInstall,
      },
      onOpen: (other) => {
        enclaves.push(other);
        if (over) void other.close();
      },
      through: {
        installed: through.installed.promise,
        served: through.served.promise,
        asked: through.asked.promise,
      },
    });
    // Whoever waits for it learns it; the first pass may be under way still.
    second.catch(() => undefined);
    try {
      const images = await install(stage, installations);
      through.installed.resolve(images);
      // In machines of their own, beside the services: neither sees the other.
      const beside = Promise.all([tellInstalled(stage), tryMisdeed(stage, misdeed)]);
      beside.catch(() => undefined);
      await startServices(stage, images);
      through.served.resolve();
      for (const [index, request] of requests.entries()) await tryRequest(stage, index, request);
      await beside;
    } finally {
      // Also after a failure: the second pass must not wait for ever.
      through.installed.resolve(new Map());
      through.served.resolve();
      through.asked.resolve();
      await second;
    }
    // Before the rehearsal itself tries who may talk to whom.
    const uses = usesOf(project.flows, await enclave.uses(), machineOf, instantOf(world.clock.now()));
    for (const key of await tryEdges(stage)) deliberate.add(key);
    deliberate.add(misdeed);
    await checkServices(stage);
    await enclave.attempts();
    const artifacts = await tellDigests(stage, before);
    const marked = countedAttempts(attempts).map((attempt) => ({
      ...attempt,
      deliberate:
        deliberate.has(attempt.from) || deliberate.has(`${attempt.from}>${attempt.to ?? ''}:${attempt.port ?? 0}`),
    }));
    if (over) {
      await story.step('time-limit', 'All of it is over within its time', 'enclave', () => {
        const detail = `It took longer than ${project.timeLimit} s; what was not finished was ended.`;
        return Promise.reject(new StepFailure(detail));
      });
    }
    if (hold !== undefined && !over) Object.assign(hold, { stage, machines: [...names], user });
    return {
      attempts: marked,
      uses,
      artifacts,
      enclave: factsOf(enclave, names.size, await witness),
      logs: [...stage.logs].map(([service, log]) => log.told(service)),
      runtimeHosts: runtimeHosts(
        marked.filter((attempt) => !attempt.deliberate),
        machineOutcomes(story.steps, { installations, services: project.services, requests }),
        await environmentInside(stage),
      ),
    };
  } finally {
    clearTimeout(limit);
    if (hold?.stage === undefined) await enclave.close();
  }
}

/** How often each flow of the project was used; SCTP is not carried in there, so that nothing is known of it. */
function usesOf(
  flows: Project['flows'],
  uses: readonly FlowUse[],
  machineOf: (name: string) => string,
  until: string,
): NonNullable<Report['uses']> {
  return flows
    .filter(({ protocol }) => protocol !== 'sctp')
    .map(({ from, to, port, protocol }) => {
      const same = (use: FlowUse): boolean =>
        use.from === machineOf(from) && use.to === machineOf(to) && use.port === port && use.protocol === protocol;
      return { from, to, port, protocol, count: uses.find(same)?.count ?? 0, until };
    });
}

/** What programs in there are given: settings that silence one of them stand in it. */
async function environmentInside(stage: Stage): Promise<Record<string, string>> {
  const given = stage.environment({
    ...(await clientEnvironment('npm', 'npm', stage.base)),
    ...(await clientEnvironment('pypi', 'pip', stage.base)),
  });
  for (const { environment } of stage.crossed.project.services) Object.assign(given, environment);
  return given;
}

/** Files of both sides' keys: nobody in there sees one, and something stands in its place. */
async function keysOf(world: World, { outside, inside }: Place): Promise<string[]> {
  const folders = [homeAt(outside).keys, homeAt(inside).keys];
  const files = await Promise.all(
    folders.map(async (folder) => (await world.files.list(folder)).map((entry) => join(folder, entry.name))),
  );
  return files.flat();
}

/** The same attempt again is one attempt with a count: a service that tries once a second would fill the report. */
function countedAttempts(attempts: readonly Attempt[]): (Attempt & { count: number })[] {
  const counted = new Map<string, Attempt & { count: number }>();
  for (const attempt of attempts) {
    const { from, kind, name, to, address, port, protocol, serverName, request, path, leaks } = attempt;
    // Whose it was and what it carried out are never lost among others of its sort.
    const whose = [attempt.package, leaks];
    const key = JSON.stringify([from, kind, name, to, address, port, protocol, serverName, request, path, ...whose]);
    const first = counted.get(key);
    const stalled = Math.max(first?.stalledMs ?? 0, attempt.stalledMs ?? 0);
    counted.set(key, {
      ...(first ?? attempt),
      count: (first?.count ?? 0) + (attempt.count ?? 1),
      ...(stalled === 0 ? {} : { stalledMs: stalled }),
    });
  }
  return [...counted.values()];
}
