import { type ChildProcess, spawn } from 'node:child_process';
import { initScript } from '../confinement.ts';
import type { Machine } from '../network.ts';
import type { Event, Logged, OpenRequest, StartRequest } from '../protocol.ts';
import { LogFile } from './log-file.ts';

/** Bytes of output of one process that are passed on; the rest is read and dropped. */
const OUTPUT_LIMIT = 8 * 1024 * 1024;
const GRACE = 2000;

/** Programs in the machines of the enclave, each in its own PID, mount, IPC and UTS namespaces. */
export class Processes {
  readonly #send: (event: Event) => void;
  readonly #running = new Map<number, { readonly child: ChildProcess; readonly machine: string; crowded: boolean }>();
  readonly #logs = new Map<string, LogFile>();
  #machines = new Map<string, Machine>();
  #tools: Pick<OpenRequest, 'nsenter' | 'unshare'> | undefined;

  constructor(send: (event: Event) => void) {
    this.#send = send;
  }

  useNetwork(machines: readonly Machine[], tools: Pick<OpenRequest, 'nsenter' | 'unshare'>): void {
    this.#machines = new Map(machines.map((machine) => [machine.name, machine]));
    this.#tools = tools;
  }

  start(request: StartRequest): void {
    const machine = this.#machines.get(request.machine);
    if (machine === undefined || this.#tools === undefined) throw new Error(`no machine ${request.machine}`);
    const { nsenter, unshare } = this.#tools;
    const args = [
      `--net=/run/netns/${machine.id}`,
      '--',
      unshare,
      ...['--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child', '--mount-proc'],
      '--',
      ...['/bin/sh', '-c', initScript(unshare, request.hide, request.root), '-'],
      request.command,
      ...request.args,
    ];
    const started = performance.now();
    const child = spawn(nsenter, args, {
      cwd: request.cwd,
      env: request.env,
      detached: true,
      stdio: [request.interactive ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error('a process without output');
    // A program that closes its input early is its own decision.
    child.stdin?.on('error', () => undefined);
    const running = { child, machine: request.machine, crowded: false };
    this.#running.set(request.process, running);
    let timedOut = false;
    const log = request.log === undefined ? undefined : this.#logOf(request.log);
    log?.note('started');
    const timer =
      request.timeout === 0
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            this.stop(request.process);
          }, request.timeout);
    for (const from of ['stdout', 'stderr'] as const) {
      let passed = 0;
      ({ stdout, stderr })[from].on('data', (piece: Buffer) => {
        log?.write(piece);
        const part = request.interactive ? piece : piece.subarray(0, Math.max(0, OUTPUT_LIMIT - passed));
        passed += piece.length;
        if (part.length > 0) {
          this.#send({ event: 'output', process: request.process, from, data: part.toString('base64') });
        }
      });
    }
    const end = (code: number | null, signal: string | null): void => {
      if (!this.#running.delete(request.process)) return;
      clearTimeout(timer);
      log?.note(code === null ? `ended by ${signal}` : `ended with ${code}`);
      this.#send({
        event: 'ended',
        process: request.process,
        code,
        signal,
        timedOut,
        crowded: running.crowded,
        milliseconds: Math.round(performance.now() - started),
      });
    };
    child.once('error', (error) => {
      const data = Buffer.from(`${error.message}\n`).toString('base64');
      this.#send({ event: 'output', process: request.process, from: 'stderr', data });
      end(127, null);
    });
    child.once('close', (code, signal) => end(code, signal));
    child.once('spawn', () => this.#send({ event: 'started', process: request.process }));
  }

  stop(number: number): void {
    const pid = this.#running.get(number)?.child.pid;
    if (pid === undefined) return;
    signalGroup(pid, 'SIGTERM');
    // --kill-child: the end of the leader is the end of the whole PID namespace below it.
    setTimeout(() => {
      if (this.#running.has(number)) signalGroup(pid, 'SIGKILL');
    }, GRACE);
  }

  input(number: number, data: string | null): void {
    const stdin = this.#running.get(number)?.child.stdin;
    if (data === null) stdin?.end();
    else stdin?.write(Buffer.from(data, 'base64'));
  }

  /** Ends at once everything in a machine that makes processes without end. */
  endCrowd(machine: string): void {
    for (const one of this.#running.values()) {
      if (one.machine !== machine || one.child.pid === undefined) continue;
      one.crowded = true;
      signalGroup(one.child.pid, 'SIGKILL');
    }
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

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone already.
  }
}
