import { cp, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Attempt, openEnclave } from '#enclave';
import type { World } from '#kernel';
import { factsOf } from '../enclave-facts.ts';
import type { EnclaveFacts, Report, ReportedAttempt, RuntimeHost, ServiceLog } from '../report.ts';
import { StepFailure, type Story } from '../story.ts';
import { tryEdges, tryRequest } from './checks.ts';
import type { Crossed } from './crossing.ts';
import { servedSize, tellDigests } from './digests.ts';
import { install, type Installation, installationsOf } from './installations.ts';
import { tryMisdeed } from './misdeed.ts';
import type { Place } from './place.ts';
import { checkServices, startDepot, startServices } from './services.ts';
import { DEPOT_PORT, Stage } from './stage.ts';
import { findClients } from './tools.ts';

/** Folders of a project that are no input of it. */
const LEFT_OUT = new Set(['node_modules', '.git', '.sallyport', '.venv', '__pycache__']);

export interface InsideResult {
  readonly attempts: readonly ReportedAttempt[];
  readonly artifacts: NonNullable<Report['artifacts']> | undefined;
  readonly enclave: EnclaveFacts | undefined;
  readonly logs: readonly ServiceLog[];
  readonly runtimeHosts: readonly RuntimeHost[];
}

export const NOTHING_INSIDE: InsideResult = {
  attempts: [],
  artifacts: undefined,
  enclave: undefined,
  logs: [],
  runtimeHosts: [],
};

/** Runs the project where there is no network, with the depot as the only place that has anything. */
export async function runInside(world: World, place: Place, story: Story, crossed: Crossed): Promise<InsideResult> {
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

  const clients = await story.step('clients', 'Namespaces and the real clients are at hand', 'enclave', async () => {
    const has = (kind: Installation['kind']): boolean => installations.some((one) => one.kind === kind);
    const value = await findClients(world, place.work, { images: has('image'), npm: true, pip: has('pip') });
    return { value, detail: value.versions };
  });
  if (clients === undefined) return nothing;

  const copy = join(place.work, 'project');
  await mkdir(copy);
  // Entry by entry: the copy lies below the folder itself, which a copy of the whole would refuse.
  for (const { name } of await world.files.list(project.folder)) {
    if (LEFT_OUT.has(name)) continue;
    await cp(join(project.folder, name), join(copy, name), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !LEFT_OUT.has(basename(source)),
    });
  }
  const machineOf = (name: string): string => (name === 'outside' ? user : name);
  const flows = [
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

  const attempts: Attempt[] = [];
  const enclave = await story.step('enclave', 'An enclave without any uplink stands', 'enclave', async () => {
    const value = await openEnclave({
      machines: [...names],
      flows: [...new Map(flows.map((flow) => [JSON.stringify(flow), flow])).values()],
      writable: [place.work, place.inside, place.logs],
      needed: [place.folder, ...clients.folders],
      env: world.env,
      tools: clients,
      signal: world.signal,
      onAttempt: (attempt) => attempts.push(attempt),
    });
    const open = value.writableMounts.length === 0 ? '' : `; still writable: ${value.writableMounts.join(', ')}`;
    const families = value.ipv6 ? 'IPv4 and IPv6' : 'IPv4 (this kernel has no IPv6)';
    return { value, detail: `${names.size} machines, ${families}, every route ends in the sink${open}` };
  });
  if (enclave === undefined) return nothing;
  const base = `http://${depot}:${DEPOT_PORT}`;
  const stage = new Stage({ world, place, story, crossed, clients, enclave, copy, base });
  const deliberate = new Set<string>();
  let over = false;
  const limit = setTimeout(() => {
    over = true;
    void enclave.close();
  }, project.timeLimit * 1000);
  try {
    const before = await servedSize(stage);
    if (!(await startDepot(stage, depot))) return nothing;
    const images = await install(stage, installations);
    await startServices(stage, images);
    for (const [index, request] of project.requests.entries()) {
      await tryRequest(stage, index, { ...request, from: machineOf(request.from) });
    }
    for (const key of await tryEdges(stage)) deliberate.add(key);
    deliberate.add(misdeed);
    await tryMisdeed(stage, misdeed);
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
    return {
      attempts: marked,
      artifacts,
      enclave: factsOf(enclave, names.size),
      logs: [...stage.logs].map(([service, log]) => log.told(service)),
      runtimeHosts: [],
    };
  } finally {
    clearTimeout(limit);
    await enclave.close();
  }
}

/** The same attempt again is one attempt with a count: a service that tries once a second would fill the report. */
function countedAttempts(attempts: readonly Attempt[]): (Attempt & { count: number })[] {
  const counted = new Map<string, Attempt & { count: number }>();
  for (const attempt of attempts) {
    const { from, kind, name, to, address, port, protocol, serverName, request, path } = attempt;
    const key = JSON.stringify([from, kind, name, to, address, port, protocol, serverName, request, path]);
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
