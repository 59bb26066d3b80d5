import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { digestOf, hexOf, type Home, type JsonObject, printable, type World } from '#kernel';
import { type Attempt, describeAttempt, openRecorder, type RecordedRequest, type Recorder } from '#enclave';
import { openLedger } from '#ledger';
import type { Preparation, Project } from '#project';
import {
  childEnvironment,
  debianTools,
  type Ended,
  isAlive,
  lastWords,
  namespacesAllowed,
  openNetwork,
  pipProgram,
  removeTree,
  runProcess,
} from '#system';
import { captureFault } from '../faults.ts';
import type { Prepared } from '../operations.ts';
import { type Programs, putPrograms } from './programs.ts';
import { type WayOut, wayOutOf } from './way-out.ts';
import { copyProject, type Made, takeOut } from './workplace.ts';

/** Milliseconds that one command may take. */
const TIME_LIMIT = 60 * 60_000;
/** Bytes that stay free on the file system of the home, and how often that is looked at. */
const RESERVE = 256 * 1024 * 1024;
const LOOK = 1000;
/**
 * More than a service of a rehearsal has: compilers are hungry, and what they write goes to the disk of the home, of which
 * RESERVE stays free whatever they do.
 */
const LIMITS = {
  memory: Math.max(2 * 1024 ** 3, Math.floor(totalmem() / 2)),
  processes: 4096,
  disk: 64 * 1024 ** 3,
} as const;
/** Attempts that one statement names; more are counted. */
const ATTEMPTS = 1000;

/**
 * Runs the commands of `prepare` in sallyport.yaml whose results are not there yet. Each works on a copy of the project,
 * in an enclave whose only way out performs and writes down every request; only what it makes comes back, and only after
 * the ledger knows where it came from. Unconfined, it runs as the user, with all that the user may do, and the record
 * says so. Throws capture.prepare-failed, capture.not-confined and capture.no-space.
 */
export async function prepareInputs(
  world: World,
  home: Home,
  project: Project,
  options: { readonly unconfined: boolean },
): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  for (const preparation of project.prepare) {
    if ((await world.files.look(join(project.folder, preparation.makes))) !== undefined) continue;
    const shown = printable(preparation.run.join(' '));
    world.report({ type: 'step', step: 'prepare', title: `Make ${printable(preparation.makes)}: ${shown}` });
    let isMade = false;
    try {
      const made = options.unconfined
        ? await unconfined(world, home, project, preparation)
        : await confined(world, home, project, preparation);
      prepared.push(made);
      isMade = true;
    } finally {
      const title = `${isMade ? 'Made' : 'Did not make'} ${printable(preparation.makes)}`;
      world.report({ type: 'end', step: 'prepare', title, ok: isMade });
    }
  }
  return prepared;
}

async function confined(world: World, home: Home, project: Project, preparation: Preparation): Promise<Prepared> {
  const { env, report, signal, files } = world;
  const tools = await debianTools(['ip', 'nft'], { env, report, signal });
  const allowed = await namespacesAllowed(env, { ip: tools.ip.path, nft: tools.nft.path });
  if (!allowed.allowed) {
    throw captureFault('capture.not-confined', { where: printable(preparation.makes), detail: allowed.reason });
  }
  const folder = `${home.path}/capture`;
  await files.makeFolder(folder, 0o700);
  await removeLeftovers(world, folder);
  const place = join(folder, `prepare-${process.pid}-${randomBytes(6).toString('hex')}`);
  const work = join(place, 'project');
  const bin = join(place, 'bin');
  const scratch = join(place, 'scratch');
  await mkdir(place, { mode: 0o700 });
  await mkdir(scratch);
  try {
    await copyProject(project.folder, work, {
      ...(preparation.reads === undefined ? {} : { reads: preparation.reads }),
      without: [home.path],
      signal,
    });
    const wayOut = await wayOutOf(world, preparation, project.folder);
    for (const text of wayOut.notes) report({ type: 'note', level: 'warn', text });
    const programs = await putPrograms(world, preparation, bin);
    await writeFile(join(bin, '.npmrc'), wayOut.npmrc);
    const space = new AbortController();
    const watch = setInterval(() => {
      files.space(home.path).then(
        ({ free }) => free < RESERVE && space.abort(),
        () => undefined,
      );
    }, LOOK);
    const stop = AbortSignal.any([signal, space.signal]);
    let ended: Ended;
    let requests: readonly RecordedRequest[];
    let unkept: number;
    let attempts: readonly Attempt[];
    try {
      const recorder = await openRecorder({
        permission: wayOut.permission,
        openNetwork,
        routeFor: wayOut.routeFor,
        ports: wayOut.ports,
        agent: `sallyport/${world.version}`,
        folder: place,
        writable: [work, scratch],
        readable: programs.readable,
        keys: (await files.list(home.keys)).map(({ name }) => `${home.keys}/${name}`),
        env,
        tools: { ip: tools.ip.path, nft: tools.nft.path },
        signal: stop,
      });
      try {
        ended = await run(world, recorder, preparation, { work, scratch, bin, wayOut, programs });
        attempts = await recorder.attempts();
        requests = recorder.requests();
        unkept = recorder.unkept();
      } finally {
        // Before anything is taken out: nothing may change it any more.
        await recorder.close();
      }
    } catch (error) {
      if (!space.signal.aborted) throw error;
      throw captureFault('capture.no-space', {
        where: home.path,
        detail: `The command of 'prepare' left less than ${RESERVE} bytes free.`,
      });
    } finally {
      clearInterval(watch);
    }
    const record = { confined: true, requests, unkept, attempts };
    let made: Made | undefined;
    try {
      if (ended.code !== 0) throw failed(preparation, ended, record);
      if ((await files.look(join(work, preparation.makes))) === undefined) throw failed(preparation, ended, record);
      made = await takeOut(files, work, preparation.makes, project.folder, signal);
      const prepared = await enter(world, home, project, preparation, record, made);
      await made.place();
      return prepared;
    } catch (error) {
      if (made === undefined) await enter(world, home, project, preparation, record, undefined);
      throw error;
    } finally {
      await made?.discard();
    }
  } finally {
    await removeTree(place);
  }
}

async function run(
  world: World,
  recorder: Recorder,
  preparation: Preparation,
  at: {
    readonly work: string;
    readonly scratch: string;
    readonly bin: string;
    readonly wayOut: WayOut;
    readonly programs: Programs;
  },
): Promise<Ended> {
  const [program = '', ...words] = preparation.run;
  const env = childEnvironment(world.env, {
    set: {
      HOME: undefined,
      ...onDisk(at.scratch),
      PATH: [at.bin, ...at.programs.path, world.env['PATH'] ?? ''].join(':'),
      ...at.wayOut.environment,
      ...at.programs.environment,
      npm_config_userconfig: join(at.bin, '.npmrc'),
    },
  });
  return recorder.run(program, words, {
    cwd: at.work,
    env,
    timeout: TIME_LIMIT,
    keep: 1024 * 1024,
    limits: LIMITS,
    writable: [at.work, at.scratch],
    readable: [at.bin],
  });
}

/** Temporary files and caches of clients: the home folder is in memory, and small. */
function onDisk(folder: string): Record<string, string> {
  return {
    TMPDIR: folder,
    XDG_CACHE_HOME: join(folder, 'cache'),
    npm_config_cache: join(folder, 'npm'),
    GOPATH: join(folder, 'go'),
    CARGO_HOME: join(folder, 'cargo'),
    GRADLE_USER_HOME: join(folder, 'gradle'),
    // Its script cuts it at every space, and knows no quotes.
    ...(/\s/.test(folder) ? {} : { MAVEN_OPTS: `-Dmaven.repo.local=${join(folder, 'maven')}` }),
  };
}

/** Folders of runs that did not come to their end. */
async function removeLeftovers(world: World, folder: string): Promise<void> {
  for (const { name } of await world.files.list(folder)) {
    const pid = Number(/^prepare-(\d+)-[0-9a-f]+$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isInteger(pid) && !isAlive(pid)) await removeTree(join(folder, name));
  }
}

/** As the user's own process, with the user's environment: what is made, and how, is known to the command alone. */
async function unconfined(world: World, home: Home, project: Project, preparation: Preparation): Promise<Prepared> {
  const [program = '', ...words] = preparation.run;
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(world.env)) if (value !== undefined) env[name] = value;
  if (preparation.needs.includes('pip')) {
    const pip = await pipProgram({ env: world.env, report: world.report, signal: world.signal });
    if (pip.source === 'cache') env['PATH'] = `${dirname(pip.command)}:${env['PATH'] ?? ''}`;
  }
  const ended = await runProcess(program, words, { cwd: project.folder, env, signal: world.signal });
  const record: Account = { confined: false, requests: [], unkept: 0, attempts: [] };
  const isThere = (await world.files.look(join(project.folder, preparation.makes))) !== undefined;
  if (ended.code !== 0 || !isThere) throw failed(preparation, ended, record);
  return enter(world, home, project, preparation, record, undefined);
}

/** What is known of one run. */
interface Account {
  readonly confined: boolean;
  readonly requests: readonly RecordedRequest[];
  readonly unkept: number;
  readonly attempts: readonly Attempt[];
}

/** Appends the record to the ledger, with what was made as its subject where that is known. */
async function enter(
  world: World,
  home: Home,
  project: Project,
  { run: command, makes }: Preparation,
  record: Account,
  made: Made | undefined,
): Promise<Prepared> {
  const attempts = record.attempts.slice(0, ATTEMPTS);
  const prepared = {
    makes,
    run: [...command],
    confined: record.confined,
    ...(made === undefined ? {} : { digest: made.digest, files: made.files, bytes: made.bytes }),
    requests: record.requests.map((one) => ({ ...one, redirects: [...one.redirects] })),
    attempts: attempts.map((one) => ({ ...one })),
    /** What is not shown one by one. */
    more: { requests: record.unkept, attempts: record.attempts.length - attempts.length },
  };
  const configuration = digestOf(await world.files.read(project.path, 1024 * 1024));
  const ledger = await openLedger(world.files, home, world.clock);
  try {
    const { index } = await ledger.append({
      predicateType: 'sallyport/prepared/v1',
      subject: [
        ...(made === undefined ? [] : [{ name: makes, digest: { sha256: hexOf(made.digest) } }]),
        { name: 'sallyport.yaml', digest: { sha256: hexOf(configuration) } },
      ],
      predicate: JSON.parse(JSON.stringify({ project: project.name, ...prepared })) as JsonObject,
    });
    return { ...prepared, ledger: { index } };
  } finally {
    await ledger.close();
  }
}

function failed(preparation: Preparation, ended: Ended, { requests, attempts }: Account): Error {
  const how = ended.timedOut
    ? `It did not end within ${TIME_LIMIT / 60_000} minutes.`
    : ended.code === 0
      ? `It ended well and did not make ${preparation.makes}.`
      : `It ended with ${ended.code ?? ended.signal}: ${lastWords(ended)}`;
  const denied = [
    ...requests
      .filter(({ outcome }) => outcome === 'refused')
      .map(({ method, url, detail }) => `${method} ${url}: ${detail ?? ''}`),
    ...attempts.map(describeAttempt),
  ];
  const shown = denied.slice(0, 5).join('; ');
  const more = denied.length > 5 ? `; and ${denied.length - 5} more` : '';
  const tried = denied.length === 0 ? '' : ` It tried what was not allowed: ${shown}${more}.`;
  return captureFault('capture.prepare-failed', {
    where: printable(preparation.run.join(' ')),
    detail: printable(`${how}${tried}`),
  });
}
