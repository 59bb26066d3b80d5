import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ImageRoot } from '#enclave';
import type { Service } from '#project';
import { LogTail } from '../log-tail.ts';
import { StepFailure } from '../story.ts';
import { DEPOT_PORT, type Stage } from './stage.ts';
import { type Launch, SupervisedService } from './supervised-service.ts';

const READY_TIME = 60_000;

/** `journal`: where it writes what went out, if that is not the home. */
export async function startDepot(stage: Stage, machine: string, journal?: string): Promise<boolean> {
  const { inside } = stage.place;
  const done = await stage.story.step('depot', 'The depot serves what was admitted', 'enclave', async () => {
    const [program = '', ...leading] = stage.world.self;
    const args = ['serve', '--listen', `0.0.0.0:${DEPOT_PORT}`, '--insecure-no-auth', '--home', inside, '--json'];
    if (journal !== undefined) args.push('--journal', journal);
    const lines: string[] = [];
    const depot = await stage.enclave.start(machine, program, [...leading, ...args], {
      cwd: inside,
      env: stage.environment({}),
      // Our own program, as the user whose home it is: nothing foreign runs in it.
      as: 'owner',
      readable: await productFiles(),
      writable: [inside, ...(journal === undefined ? [] : [journal])],
      onLine: (line) => lines.length < 100 && lines.push(line),
    });
    if (!(await depot.listening(DEPOT_PORT, READY_TIME))) {
      throw new StepFailure(`It did not listen: ${lines.slice(-5).join(' ')}`);
    }
    return { value: true, detail: stage.base, command: `sallyport ${args.join(' ')}` };
  });
  return done === true;
}

/** Starts each as soon as all that it needs is ready: what does not wait for one another starts side by side. */
export async function startServices(stage: Stage, images: ReadonlyMap<string, ImageRoot>): Promise<void> {
  const started = new Map<string, Promise<boolean>>();
  for (const service of inOrder(stage.crossed.project.services)) {
    started.set(service.name, startWhenNeeded(stage, service, images, started));
  }
  await Promise.all(started.values());
}

async function startWhenNeeded(
  stage: Stage,
  service: Service,
  images: ReadonlyMap<string, ImageRoot>,
  started: ReadonlyMap<string, Promise<boolean>>,
): Promise<boolean> {
  const id = `service-${service.name}`;
  const title = `The service ${service.name} runs`;
  const missing: string[] = [];
  for (const name of service.needs) if ((await started.get(name)) !== true) missing.push(name);
  if (missing.length > 0) {
    stage.story.skip(id, title, 'enclave', `It needs ${missing.join(', ')}, which did not start.`);
    return false;
  }
  return (await stage.story.step(id, title, 'enclave', () => start(stage, service, images))) !== undefined;
}

/** What ran must still run after everything that was asked of it. */
export async function checkServices(stage: Stage): Promise<void> {
  const { services } = stage;
  if (services.size === 0) return;
  await stage.story.step('services', 'The services ran to the end', 'enclave', async () => {
    const fallen = [...services.values()].filter(({ trouble }) => trouble !== '');
    if (fallen.length > 0) throw new StepFailure(fallen.map(({ name, trouble }) => `${name}: ${trouble}`).join(' '));
    const again = [...services.values()].filter(({ restarts }) => restarts > 0);
    const logged = await stage.enclave.logs();
    const cut = logged
      .filter((log) => log.cut)
      .map(({ path, bytes }) => `${basename(path)} is the end of ${bytes} bytes`);
    const notes = [...again.map(({ name, restarts }) => `${name} was started again (${restarts})`), ...cut];
    return { value: true, detail: [`${services.size} services; logs in ${stage.place.logs}`, ...notes].join('; ') };
  });
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
  const beside: Launch['beside'] = ([program = '', ...words]) =>
    image === undefined ? { command: '/usr/bin/env', args: [program, ...words] } : { command: program, args: words };
  const options = {
    cwd: folder,
    env,
    limits: stage.limits,
    ...(image === undefined
      ? { readable: [stage.copy, ...(python === undefined ? [] : [python])], writable: [folder] }
      : {}),
    ...(image === undefined ? {} : { root: image }),
    log: join(stage.place.logs, `${service.name}.log`),
  };
  const running = new SupervisedService(
    stage.enclave,
    service,
    { ...beside([command, ...args]), options, beside },
    log,
  );
  stage.services.set(service.name, running);
  const detail = await running.start();
  return { value: true, detail, command: line.join(' '), ...(image === undefined ? {} : { digest: image.manifest }) };
}

/** What `sallyport` itself is made of, without what else lies beside it: projects, and keys in them. */
async function productFiles(): Promise<string[]> {
  const product = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
  const own = ['sallyport', 'src', 'node_modules', 'runtime', 'package.json'];
  return (await readdir(product)).filter((name) => own.includes(name)).map((name) => join(product, name));
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
