import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { errorMessage } from '#kernel';
import { debianTools, type Ended, findProgram, runtimeEnvironment, startAgent } from '#system';
import type { Attempt } from '../attempt.ts';
import type { Controller } from '../cgroups.ts';
import { enclaveFault } from '../faults.ts';
import type { Who } from '../identity.ts';
import { type Limits, LIMITS, type Stopped } from '../limits.ts';
import { type EnclaveFlow, type FlowUse, type Routes, SINK_ANSWERS, type SinkAnswers } from '../network.ts';
import type { Event, Logged, Observation, ReadyCheck, Request } from '../protocol.ts';
import { HOME, isBelow, type Root } from '../surroundings.ts';
import { clearCgroups, ownCgroupName } from './cgroups.ts';
import { enclaveIds, giveIds } from './ids.ts';

/** Attempts that are kept of one enclave: a program that tries without end is known by the first of them. */
const ATTEMPTS = 100_000;
/** Milliseconds that everything together may take to stop. */
const STOP_TIME = 15_000;

export interface EnclaveOptions {
  /** Names of the machines: services, and the places where steps run. Each has a network namespace of its own. */
  readonly machines: readonly string[];
  /** All that is open between them. */
  readonly flows: readonly EnclaveFlow[];
  /**
   * Takes TCP connections to these ports, reads the HTTP in them, also below TLS, and hands each request to us over the
   * channel, which is attached once. Everything else ends in the sink as ever.
   */
  readonly recorder?: { readonly ports: readonly number[]; attach(channel: Duplex): Promise<void> };
  /** Default `sink`. With `none` there are only routes to machines: nothing else is reachable, and nothing is seen. */
  readonly routes?: Routes;
  /** What the sink answers. Default: names get an address, calls are accepted and reset. */
  readonly answers?: Partial<SinkAnswers>;
  /** What is watched besides the network; by default calls and writes, and there are no keys of a side. */
  readonly observe?: Partial<Observation>;
  /** Absolute folders in which programs may be given places to write to. Nobody else may write there meanwhile. */
  readonly writable: readonly string[];
  /** Absolute paths that every program without an image sees, to read: its tools. */
  readonly readable?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute paths; runc is looked for, or unpacked, where it is not given. */
  readonly tools: { readonly ip: string; readonly nft: string; readonly runc?: string };
  /** False: limits are watched and not held by cgroups, as where none can be made. */
  readonly cgroups?: boolean;
  readonly signal: AbortSignal;
  readonly onAttempt?: (attempt: Attempt) => void;
}

export interface InsideOptions {
  /** Of an image: the one that it names. */
  readonly cwd: string;
  /** All of the environment. HOME and TMPDIR are set to empty folders in memory where they are not given. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeout?: number;
  /** Bytes kept of each of stdout and stderr. Default 256 KiB. */
  readonly keep?: number;
  /** Absolute paths of the host that it sees, to read, beside its tools. Nothing else is there. */
  readonly readable?: readonly string[];
  /**
   * Absolute folders that it may write to, in those of the enclave. Default: the working folder if it lies there, for a
   * program without an image.
   */
  readonly writable?: readonly string[];
  /** An unpacked image in place of the tools of the host. */
  readonly root?: Root;
  /** `owner` is for Sallyport itself: it runs as the user who started it. */
  readonly as?: Who;
  readonly limits?: Partial<Limits>;
  /** Standard input is the caller's (`write`), and all of its output comes to onOutput. Default: no input. */
  readonly interactive?: boolean;
  readonly onOutput?: (piece: Buffer, from: 'stdout' | 'stderr') => void;
  /** Whole lines of its output, as they come. */
  readonly onLine?: (line: string, from: 'stdout' | 'stderr') => void;
  /** File for all of its output, bounded, below a writable folder; processes that follow one another may share it. */
  readonly log?: string;
}

export interface InsideEnded extends Ended {
  /** The limit that it overstepped; null where it ended by itself or was stopped by its caller. */
  readonly stopped: Stopped | null;
  /** It was stopped because it made too many processes. */
  readonly crowded: boolean;
}

export interface InsideProcess {
  readonly machine: string;
  readonly ended: Promise<InsideEnded>;
  /** Waits until it is ready; not ok where the time is over or the process has ended, with the last answer. */
  ready(check: ReadyCheck, timeout: number): Promise<{ readonly ok: boolean; readonly detail: string }>;
  /** True once the port accepts. */
  listening(port: number, timeout: number): Promise<boolean>;
  /** For one that is interactive; undefined ends its input. */
  write(data: Uint8Array | undefined): void;
  /** SIGTERM, after two seconds SIGKILL to everything that it started. */
  stop(): Promise<InsideEnded>;
}

export interface Enclave {
  start(machine: string, command: string, args: readonly string[], options: InsideOptions): Promise<InsideProcess>;
  run(machine: string, command: string, args: readonly string[], options: InsideOptions): Promise<InsideEnded>;
  /** Everything that was attempted until now, in order. */
  attempts(): Promise<readonly Attempt[]>;
  /** Declared flows that were used until now, and how often. */
  uses(): Promise<readonly FlowUse[]>;
  /**
   * Writes packets into a new pcap file below a writable folder, until it is stopped or `limit` bytes are written: of one
   * machine's link, or of all links where `machine` is undefined. `tcpdump` is the program's absolute path.
   */
  capture(machine: string | undefined, tcpdump: string, file: string, limit: number): InsideProcess;
  /** What went into log files until now. */
  logs(): Promise<readonly Logged[]>;
  readonly ipv6: boolean;
  /** Why it is not known which program an attempt is of; '' where it is. */
  readonly unwatched: string;
  /** Limits that cgroups hold; the others are watched. */
  readonly cgroups: readonly Controller[];
  /** Programs have ids that are nobody's outside: files of an image keep their owners, and whoever started us removes them. */
  readonly keepsOwners: boolean;
  /** Certificate of the recorder's authority (PEM), or ''. Its key is the agent's alone, and gone with it. */
  readonly authority: string;
  /** Settles when nothing of it is left, however it ended. */
  readonly over: Promise<void>;
  /** Stops what runs, the last started first, and waits until nothing of it is left. */
  close(): Promise<void>;
}

/**
 * Opens an enclave: namespaces without any uplink, whose every route ends in a sink that writes down who tried what.
 * It is gone with this process, however this process ends. Throws enclave.failed.
 */
export async function openEnclave(options: EnclaveOptions): Promise<Enclave> {
  const unshare = await programOf('unshare', options.env);
  const nsenter = await programOf('nsenter', options.env);
  const [runc, ids, cgroup] = await Promise.all([
    options.tools.runc ?? debianTools(['runc'], { env: options.env }).then((tools) => tools.runc.path),
    enclaveIds(options.env),
    options.cgroups === false ? '' : ownCgroupName(),
    clearCgroups(),
  ]);
  const { running, stdin, stdout, lastWords } = await startAgent(unshare, import.meta.url, {
    env: options.env,
    given: ids.given,
    channel: options.recorder !== undefined,
  });

  const attempts: Attempt[] = [];
  const processes = new Map<
    number,
    { output(from: 'stdout' | 'stderr', data: Buffer): void; end(event: Event & { event: 'ended' }): void }
  >();
  const calls = new Map<number, (event: Event | undefined) => void>();
  const opened = Promise.withResolvers<Event & { event: 'open' }>();
  // Whoever asks next learns it; nobody may be waiting right now.
  opened.promise.catch(() => undefined);
  let counter = 0;
  let gone = false;
  let closing = false;
  const send = (request: Request): void => {
    if (!gone) stdin.write(`${JSON.stringify(request)}\n`);
  };
  const receive = (event: Event): void => {
    switch (event.event) {
      case 'open':
        return opened.resolve(event);
      case 'failed':
        lastWords.push(event.detail);
        return opened.reject(enclaveFault('enclave.failed', { detail: event.detail }));
      case 'attempt':
        if (attempts.length >= ATTEMPTS) return;
        attempts.push(event.attempt);
        return options.onAttempt?.(event.attempt);
      case 'output':
        return processes.get(event.process)?.output(event.from, Buffer.from(event.data, 'base64'));
      case 'ended':
        return processes.get(event.process)?.end(event);
      case 'ready':
      case 'flushed':
      case 'uses':
        calls.get(event.call)?.(event);
        calls.delete(event.call);
        return;
      case 'started':
        return;
    }
  };
  createInterface({ input: stdout, crlfDelay: Infinity }).on('line', (line) => receive(JSON.parse(line) as Event));
  const over = running.ended.then(() => {
    gone = true;
    const detail = lastWords.join('').trim().split('\n').slice(-5).join('\n');
    opened.reject(enclaveFault('enclave.failed', { detail }));
    for (const [number, one] of processes) {
      one.end({
        event: 'ended',
        process: number,
        code: null,
        signal: 'SIGKILL',
        timedOut: false,
        stopped: null,
        milliseconds: 0,
      });
    }
    for (const answer of calls.values()) answer(undefined);
    return clearCgroups(cgroup);
  });
  const ask = (make: (call: number) => Request): Promise<Event | undefined> =>
    new Promise((resolve) => {
      if (gone) return resolve(undefined);
      const call = ++counter;
      calls.set(call, resolve);
      send(make(call));
    });

  const abort = (): void => void close();
  const live: InsideProcess[] = [];
  /** Machines in the order in which something was first started in them: a program that was started again keeps its place. */
  const order = new Map<string, number>();
  const stopAll = async (): Promise<void> => {
    const last = (one: InsideProcess): number => order.get(one.machine) ?? 0;
    for (const one of [...live].sort((a, b) => last(b) - last(a))) await one.stop();
  };
  const close = async (): Promise<void> => {
    if (!closing) {
      closing = true;
      options.signal.removeEventListener('abort', abort);
      // With the agent all of it ends at once: manners have their limit.
      const enough = setTimeout(() => stdin.end(), STOP_TIME);
      await stopAll();
      clearTimeout(enough);
      stdin.end();
    }
    await over;
  };
  options.signal.addEventListener('abort', abort);

  try {
    options.signal.throwIfAborted();
    await giveIds(running.pid, ids, stdin);
    await options.recorder?.attach(running.child.stdio[3] as Duplex);
    send({
      do: 'open',
      machines: options.machines,
      flows: options.flows,
      routes: options.routes ?? 'sink',
      answers: { ...SINK_ANSWERS, ...options.answers },
      observe: { calls: true, writes: true, keys: [], ...options.observe },
      recorded: options.recorder?.ports ?? [],
      writable: options.writable,
      ids: ids.ids,
      cgroup,
      ip: options.tools.ip,
      nft: options.tools.nft,
      nsenter,
      runc,
    });
    const { ipv6, cgroups, authority, unwatched } = await opened.promise;
    const available = (machine: string): void => {
      options.signal.throwIfAborted();
      if (gone || closing) throw enclaveFault('enclave.failed', { where: machine, detail: lastWords.join('\n') });
    };
    /** The process of this number, as the caller sees it: what it says, and its end. */
    const follow = (
      number: number,
      machine: string,
      inside: Pick<InsideOptions, 'keep' | 'onLine' | 'onOutput'>,
    ): InsideProcess => {
      const keep = inside.keep ?? 256 * 1024;
      const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
      const sizes = { stdout: 0, stderr: 0 };
      const rest = { stdout: '', stderr: '' };
      const settled = Promise.withResolvers<InsideEnded>();
      const lines = (from: 'stdout' | 'stderr', text: string): void => {
        if (inside.onLine === undefined) return;
        const parts = (rest[from] + text).split('\n');
        rest[from] = (parts.pop() ?? '').slice(-65536);
        for (const part of parts) inside.onLine(part, from);
      };
      processes.set(number, {
        output(from, data) {
          inside.onOutput?.(data, from);
          const room = Math.max(0, keep - sizes[from]);
          kept[from].push(data.subarray(0, room));
          sizes[from] += data.length;
          lines(from, data.toString('utf8'));
        },
        end(event) {
          processes.delete(number);
          live.splice(live.indexOf(one), 1);
          settled.resolve({
            code: event.code,
            signal: event.signal as NodeJS.Signals | null,
            stdout: Buffer.concat(kept.stdout).toString('utf8'),
            stderr: Buffer.concat(kept.stderr).toString('utf8'),
            cut: sizes.stdout > keep || sizes.stderr > keep,
            timedOut: event.timedOut,
            stopped: event.stopped,
            crowded: event.stopped === 'processes',
            milliseconds: event.milliseconds,
          });
        },
      });
      const ended = settled.promise;
      const one: InsideProcess = {
        machine,
        ended,
        async ready(check, timeout) {
          const answer = await ask((call) => ({ do: 'ready', call, machine, check, timeout, process: number }));
          return answer?.event === 'ready' ? answer : { ok: false, detail: 'the enclave has ended' };
        },
        async listening(port, timeout) {
          return (await one.ready({ kind: 'tcp', port }, timeout)).ok;
        },
        write(data) {
          const text = data === undefined ? null : Buffer.from(data).toString('base64');
          send({ do: 'input', process: number, data: text });
        },
        async stop() {
          send({ do: 'stop', process: number });
          return ended;
        },
      };
      live.push(one);
      if (!order.has(machine)) order.set(machine, order.size);
      return one;
    };
    const start: Enclave['start'] = async (machine, command, args, inside) => {
      available(machine);
      const number = ++counter;
      const one = follow(number, machine, inside);
      const ours = options.writable.some((folder) => inside.cwd === folder || isBelow(inside.cwd, folder));
      const tools = [process.execPath, ...Object.values(runtimeEnvironment(options.env)), ...(options.readable ?? [])];
      send({
        do: 'start',
        process: number,
        machine,
        command,
        args,
        cwd: inside.root?.cwd ?? inside.cwd,
        env:
          inside.root === undefined
            ? { HOME, TMPDIR: '/tmp', ...runtimeEnvironment(options.env), ...inside.env }
            : inside.env,
        readable: [...(inside.root === undefined ? tools : []), ...(inside.readable ?? [])],
        writable: inside.writable ?? (ours && inside.root === undefined ? [inside.cwd] : []),
        ...(inside.root === undefined ? {} : { root: inside.root }),
        ...(inside.as === undefined ? {} : { as: inside.as }),
        limits: { ...LIMITS, ...inside.limits },
        timeout: inside.timeout ?? 0,
        ...(inside.log === undefined ? {} : { log: inside.log }),
        interactive: inside.interactive ?? false,
      });
      return one;
    };
    return {
      ipv6,
      unwatched,
      cgroups,
      keepsOwners: ids.ids.root,
      authority,
      start,
      async run(machine, command, args, inside) {
        const one = await start(machine, command, args, inside);
        const ended = await one.ended;
        options.signal.throwIfAborted();
        return ended;
      },
      capture(machine, tcpdump, file, limit) {
        const where = machine ?? '';
        available(where);
        const number = ++counter;
        const one = follow(number, where, {});
        const link = machine === undefined ? {} : { machine };
        send({ do: 'capture', process: number, ...link, tcpdump, file, limit });
        return one;
      },
      over,
      async attempts() {
        await ask((call) => ({ do: 'flush', call }));
        return [...attempts];
      },
      async uses() {
        const answer = await ask((call) => ({ do: 'uses', call }));
        return answer?.event === 'uses' ? answer.uses : [];
      },
      async logs() {
        const answer = await ask((call) => ({ do: 'flush', call }));
        return answer?.event === 'flushed' ? answer.logs : [];
      },
      close,
    };
  } catch (error) {
    await running.stop();
    throw options.signal.aborted ? error : asFault(error);
  }
}

function asFault(error: unknown): unknown {
  return error instanceof Error ? error : enclaveFault('enclave.failed', { detail: errorMessage(error) });
}

async function programOf(name: string, env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const path = await findProgram(name, env);
  if (path === undefined)
    throw enclaveFault('enclave.failed', { where: name, detail: `The program '${name}' (util-linux) is missing.` });
  return path;
}
