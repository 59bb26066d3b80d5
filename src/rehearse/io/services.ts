import { join, resolve } from 'node:path';
import type { ImageRoot } from '#enclave';
import type { Service } from '#project';
import { LogTail } from '../log-tail.ts';
import { StepFailure } from '../story.ts';
import { DEPOT_PORT, type Stage } from './stage.ts';

const READY_TIME = 60_000;

export async function startDepot(stage: Stage, machine: string): Promise<boolean> {
  const { inside, outside, media, work } = stage.place;
  const done = await stage.story.step('depot', 'The depot serves what was admitted', 'enclave', async () => {
    const [program = '', ...leading] = stage.world.self;
    const args = ['serve', '--listen', `0.0.0.0:${DEPOT_PORT}`, '--insecure-no-auth', '--home', inside, '--json'];
    const lines: string[] = [];
    const depot = await stage.enclave.start(machine, program, [...leading, ...args], {
      cwd: work,
      env: stage.environment({}),
      hide: [outside, media],
      onLine: (line) => lines.length < 100 && lines.push(line),
    });
    if (!(await depot.listening(DEPOT_PORT, READY_TIME))) {
      throw new StepFailure(`It did not listen: ${lines.slice(-5).join(' ')}`);
    }
    stage.running.set(machine, depot);
    return { value: true, detail: stage.base, command: `sallyport ${args.join(' ')}` };
  });
  return done === true;
}

export async function startServices(stage: Stage, images: ReadonlyMap<string, ImageRoot>): Promise<void> {
  const done = new Set<string>();
  for (const service of inOrder(stage.crossed.project.services)) {
    const id = `service-${service.name}`;
    const title = `The service ${service.name} runs`;
    const missing = service.needs.filter((name) => !done.has(name));
    if (missing.length > 0) {
      stage.story.skip(id, title, 'enclave', `It needs ${missing.join(', ')}, which did not start.`);
      continue;
    }
    const started = await stage.story.step(id, title, 'enclave', () => start(stage, service, images));
    if (started !== undefined) done.add(service.name);
  }
}

async function start(stage: Stage, service: Service, images: ReadonlyMap<string, ImageRoot>) {
  const image = service.image === undefined ? undefined : images.get(service.image);
  if (service.image !== undefined && image === undefined)
    throw new StepFailure(`Its image ${service.image} was not pulled.`);
  const line =
    image === undefined
      ? [...(service.run ?? []), ...service.arguments]
      : [
          ...(service.run ?? image.entrypoint),
          ...(service.run === undefined && service.arguments.length === 0 ? image.command : service.arguments),
        ];
  const [command, ...args] = line;
  if (command === undefined) throw new StepFailure('It names no command to run.');
  const folder = resolve(stage.copy, service.folder ?? '.');
  const python = stage.pythonFolders.get(folder);
  const env =
    image === undefined
      ? stage.environment({
          ...(python === undefined ? {} : { PYTHONPATH: python, PATH: `${join(python, 'bin')}:${stage.path}` }),
          PYTHONDONTWRITEBYTECODE: '1',
          ...(service.port === undefined ? {} : { PORT: String(service.port), HOST: '0.0.0.0' }),
          ...service.environment,
        })
      : { ...image.env, ...service.environment };
  const log = new LogTail();
  stage.logs.set(service.name, log);
  // Looked up by env(1) inside, with the service's own PATH.
  const [program, rest] = image === undefined ? ['/usr/bin/env', [command, ...args]] : [command, args];
  const running = await stage.enclave.start(service.name, program, rest, {
    cwd: folder,
    env,
    hide: stage.hidden,
    ...(image === undefined ? {} : { root: image }),
    onLine: (line) => log.add(line),
  });
  const started = performance.now();
  if (service.port !== undefined && !(await running.listening(service.port, READY_TIME))) {
    throw new StepFailure(`Port ${service.port} does not answer. Its last words: ${log.last(6).join(' | ')}`);
  }
  stage.running.set(service.name, running);
  const ready =
    service.port === undefined
      ? 'started'
      : `answers on ${service.port} after ${Math.round(performance.now() - started)} ms`;
  return {
    value: true,
    detail: ready,
    command: line.join(' '),
    ...(image === undefined ? {} : { digest: image.manifest }),
  };
}

/** Services with what they need before them. */
function inOrder(services: readonly Service[]): Service[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  const order: Service[] = [];
  const visit = (service: Service): void => {
    if (order.includes(service)) return;
    for (const name of service.needs) {
      const needed = byName.get(name);
      if (needed !== undefined) visit(needed);
    }
    order.push(service);
  };
  for (const service of services) visit(service);
  return order;
}
