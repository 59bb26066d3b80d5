import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EnclaveIds, identityOf, NOBODY } from '../identity.ts';
import { describeStop, readHardLimits, type Stopped } from '../limits.ts';
import type { Machine } from '../network.ts';
import type { Event, Logged, StartRequest } from '../protocol.ts';
import { runtimeSpec, type Shown } from '../runtime-spec.ts';
import { type SeccompListener, seccompProfile } from '../seccomp.ts';
import { INIT } from '../surroundings.ts';
import type { Cgroup, Cgroups } from './cgroups.ts';
import { LogFile } from './log-file.ts';
import type { View } from './view.ts';
import { Watchdog } from './watchdog.ts';

/** Bytes of output of one process that are passed on; the rest is read and dropped. */
const OUTPUT_LIMIT = 8 * 1024 * 1024;
const GRACE = 2000;
/** Ended by SIGXFSZ (setrlimit(2)). */
const FILE_TOO_LARGE = 128 + 25;

/** What programs are started with. */
export interface Surroundings {
  readonly machines: readonly Machine[];
  readonly view: View;
  readonly cgroups: Cgroups;
  readonly ids: EnclaveIds;
  readonly runc: string;
  /** Who is told of a program's calls; undefined where nobody is. `writable`: where it may write, as it sees it. */
  readonly listener?: (machine: string, writable: readonly string[]) => SeccompListener | undefined;
  /** What stands in this machine for sockets and keys of the host. */
  readonly decoys?: (machine: string, image: boolean) => readonly Shown[];
}

interface Running {
  readonly machine: string;
  child: ChildProcess | undefined;
  cgroup: Cgroup | undefined;
  /** It is to end, before or after it is there. */
  stopping: boolean;
  stopped: Stopped | undefined;
}

/**
 * Programs in the machines of the enclave: each an OCI container that runc runs, in user, mount, PID, IPC, UTS and cgroup
 * namespaces of its own and in its machine's network namespace.
 */
export class Processes {
  readonly #send: (event: Event) => void;
  readonly #running = new Map<number, Running>();
  readonly #logs = new Map<string, LogFile>();
  readonly #watchdog = new Watchdog();
  readonly #hard = readHardLimits(readFileSync('/proc/self/limits', 'utf8'));
  readonly #oomScore = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  #surroundings: Surroundings | undefined;

  constructor(send: (event: Event) => void) {
    this.#send = send;
  }

  use(surroundings: Surroundings): void {
    this.#surroundings = surroundings;
  }

  async start(request: StartRequest): Promise<void> {
    const surroundings = this.#surroundings;
    const machine = surroundings?.machines.find(({ name }) => name === request.machine);
    if (surroundings === undefined || machine === undefined) throw new Error(`no machine ${request.machine}`);
    const number = request.process;
    const running: Running = {
      machine: request.machine,
      child: undefined,
      cgroup: undefined,
      stopping: false,
      stopped: undefined,
    };
    this.#running.set(number, running);
    try {
      await this.#run(request, running, machine, surroundings);
    } catch (error) {
      this.#running.delete(number);
      this.#watchdog.remove(number);
      await this.#clear(number, running, surroundings);
      throw error;
    }
  }

  async #run(request: StartRequest, running: Running, machine: Machine, surroundings: Surroundings): Promise<void> {
    const { view, cgroups, ids, runc, listener, decoys } = surroundings;
    const { root, limits } = request;
    const number = request.process;
    const started = performance.now();
    const who = request.as ?? root?.user ?? NOBODY;
    const identity = identityOf(ids, who);
    const zero = identity.uidMappings.find(({ containerID }) => containerID === 0)?.hostID ?? 0;
    const group = identity.gidMappings.find(({ containerID }) => containerID === 0)?.hostID ?? 0;
    const prepared = await view.prepare(number, {
      readable: request.readable,
      writable: request.writable,
      decoys: decoys?.(request.machine, root !== undefined) ?? [],
      ...(root === undefined ? {} : { root }),
      ...(ids.root && request.as !== 'owner' ? { owner: identity.owner } : {}),
      layer: { size: limits.temporary, uid: zero, gid: group },
    });
    const writable = root?.writable === true ? ['/'] : [...request.writable, ...prepared.temporary];
    const cgroup = cgroups.make(number, limits);
    running.cgroup = cgroup;
    const bundle = view.bundle(number);
    const program = [request.command, ...request.args];
    const spec = runtimeSpec({
      ...prepared,
      hostname: machine.name,
      network: `/run/netns/${machine.id}`,
      // An image brings a first process of its own, or needs none.
      args: root !== undefined ? program : ['/bin/sh', '-c', INIT, '-', ...program],
      env: request.env,
      cwd: request.cwd,
      identity,
      ownIds: who !== 'owner' && who.uid === 0,
      limits,
      hard: this.#hard,
      oomScore: this.#oomScore,
      boundData: !cgroup.controllers.includes('memory'),
      seccomp: seccompProfile(process.arch === 'arm64' ? 'arm64' : 'x64', listener?.(request.machine, writable)),
    });
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
    const words = [
      ...[runc, '--root', '/run/sallyport/runc', '--log', join(bundle, 'log'), '--log-format', 'json'],
      ...['run', '--bundle', bundle, '--pid-file', join(bundle, 'pid'), `${machine.id}-${number}`],
    ];
    if (running.stopping) throw new Error('It was stopped before it began.');
    const child = spawn('/bin/sh', ['-c', LAUNCH, '-', ...cgroup.doors, '--', ...words], {
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', SHELL: '/bin/sh' },
      detached: true,
      stdio: [request.interactive ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error('a process without output');
    // A program that closes its input early is its own decision.
    child.stdin?.on('error', () => undefined);
    running.child = child;
    let timedOut = false;
    const log = request.log === undefined ? undefined : this.#logOf(request.log);
    log?.note('started');
    const timer =
      request.timeout === 0
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            running.stopped ??= 'time';
            this.stop(number);
          }, request.timeout);
    let output = 0;
    for (const from of ['stdout', 'stderr'] as const) {
      let passed = 0;
      ({ stdout, stderr })[from].on('data', (piece: Buffer) => {
        log?.write(piece);
        const part = request.interactive ? piece : piece.subarray(0, Math.max(0, OUTPUT_LIMIT - passed));
        passed += piece.length;
        output += piece.length;
        if (part.length > 0) this.#send({ event: 'output', process: number, from, data: part.toString('base64') });
      });
    }
    this.#watchdog.add(number, {
      limits,
      cgroup,
      init: () => pidIn(bundle),
      writable: prepared.writable,
      output: () => (request.interactive ? 0 : output),
      stop: (why) => this.#end(number, why),
    });
    const tell = (text: string): void => {
      log?.note(text);
      const data = Buffer.from(`${text}\n`).toString('base64');
      this.#send({ event: 'output', process: number, from: 'stderr', data });
    };
    const end = async (code: number | null, signal: string | null): Promise<void> => {
      if (!this.#running.delete(number)) return;
      clearTimeout(timer);
      // Whoever hits a limit of the kernel may be gone before somebody looks.
      running.stopped ??= this.#watchdog.remove(number) ?? (code === FILE_TOO_LARGE ? 'disk' : undefined);
      // What it was stands among the output already.
      const failed = neverBegan(bundle);
      if (running.stopped !== undefined) tell(`sallyport: stopped: ${describeStop(running.stopped, limits)}`);
      log?.note(code === null ? `ended by ${signal}` : `ended with ${code}`);
      await this.#clear(number, running, surroundings);
      this.#send({
        event: 'ended',
        process: number,
        code: failed ? 127 : code,
        signal,
        timedOut,
        stopped: running.stopped ?? null,
        milliseconds: Math.round(performance.now() - started),
      });
    };
    child.once('error', (error) => {
      tell(error.message);
      void end(127, null);
    });
    child.once('close', (code, signal) => void end(code, signal));
    child.once('spawn', () => this.#send({ event: 'started', process: number }));
  }

  stop(number: number): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    running.stopping = true;
    // runc hands it on to the program.
    signal(running.child?.pid, 'SIGTERM');
    setTimeout(() => {
      if (this.#running.get(number) === running) this.#kill(number, running);
    }, GRACE);
  }

  /** At once, because of a limit. */
  #end(number: number, why: Stopped): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    running.stopped ??= why;
    running.stopping = true;
    this.#kill(number, running);
  }

  /** The first process of a PID namespace takes all others with it; runc then ends by itself. */
  #kill(number: number, running: Running): void {
    const init = this.#surroundings === undefined ? undefined : pidIn(this.#surroundings.view.bundle(number));
    if (init !== undefined) signal(init, 'SIGKILL');
    else if (running.child?.pid !== undefined) signal(-running.child.pid, 'SIGKILL');
  }

  async #clear(number: number, running: Running, { view }: Surroundings): Promise<void> {
    running.cgroup?.remove();
    await view.release(number);
  }

  input(number: number, data: string | null): void {
    const stdin = this.#running.get(number)?.child?.stdin;
    if (data === null) stdin?.end();
    else stdin?.write(Buffer.from(data, 'base64'));
  }

  get logged(): readonly Logged[] {
    return [...this.#logs.values()].map(({ logged }) => logged);
  }

  #logOf(path: string): LogFile {
    const log = this.#logs.get(path) ?? new LogFile(path);
    this.#logs.set(path, log);
    return log;
  }

  isRunning(number: number): boolean {
    return this.#running.has(number);
  }
}

/** Enters the cgroups before `--`, then becomes what follows. */
const LAUNCH = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; exec "$@"';

/** The first process of a container, once there is one. */
function pidIn(bundle: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(bundle, 'pid'), 'utf8'));
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it was the runtime that failed, and not the program. */
function neverBegan(bundle: string): boolean {
  try {
    for (const line of readFileSync(join(bundle, 'log'), 'utf8').split('\n')) {
      if (line === '') continue;
      const { level, msg } = JSON.parse(line) as { level?: string; msg?: string };
      if (level === 'error' && msg?.startsWith('runc run failed') === true) return true;
    }
  } catch {
    // Nothing was said.
  }
  return false;
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}
