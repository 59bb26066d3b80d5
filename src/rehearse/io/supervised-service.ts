import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Enclave, InsideEnded, InsideOptions, InsideProcess } from '#enclave';
import { errorMessage } from '#kernel';
import type { Readiness, Service } from '#project';
import type { LogTail } from '../log-tail.ts';
import { StepFailure } from '../story.ts';

/** What is started for a service, each time that it is started. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly options: Omit<InsideOptions, 'onLine'>;
  /** A command of the service's own, made into one that runs beside it. */
  readonly beside: (run: readonly string[]) => { readonly command: string; readonly args: readonly string[] };
}

/** Milliseconds before the first restart, and at most before any. */
const BACKOFF = { first: 250, most: 10_000 } as const;
/** Milliseconds between two runs of a check command, and for one of them. */
const CHECK = { pause: 200, time: 10_000 } as const;
/** What the agent answers too. */
const ENDED = 'it has ended';
/** Characters of a line that a pattern is held against. */
const LINE = 4096;

/** A service from its first start to its stop: it waits until it is ready, and starts it again where that was asked. */
export class SupervisedService {
  readonly name: string;
  readonly #enclave: Enclave;
  readonly #service: Service;
  readonly #launch: Launch;
  readonly #log: LogTail;
  #process: InsideProcess | undefined;
  #ready = false;
  #stopping = false;
  #restarts = 0;
  /** Why it does not run, in words; '' while it does. */
  #trouble = '';
  #supervision: Promise<void> = Promise.resolve();
  readonly #halt = new AbortController();

  constructor(enclave: Enclave, service: Service, launch: Launch, log: LogTail) {
    this.name = service.name;
    this.#enclave = enclave;
    this.#service = service;
    this.#launch = launch;
    this.#log = log;
  }

  /** Whether it is ready now. */
  get ready(): boolean {
    return this.#ready;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Why it does not run now, or '' . */
  get trouble(): string {
    return this.#trouble;
  }

  /** Starts it, and says how it became ready. Throws StepFailure where it did not. */
  async start(): Promise<string> {
    const began = performance.now();
    for (;;) {
      const end = await this.#once();
      if (end === undefined) break;
      if (!(await this.#again(end.ended))) throw new StepFailure(this.#fail(end.detail, end.ended));
    }
    const how = describeReady(this.#service.ready);
    const times = this.#restarts === 0 ? '' : `, started again ${timesOf(this.#restarts)}`;
    this.#supervision = this.#watch();
    return this.#service.ready === undefined
      ? 'started'
      : `${how} after ${Math.round(performance.now() - began)} ms${times}`;
  }

  /** SIGTERM, and later SIGKILL; it is not started again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#halt.abort();
    await this.#process?.stop();
    await this.#supervision;
  }

  /** One start: undefined once it is ready, or how it failed. */
  async #once(): Promise<{ readonly detail: string; readonly ended: InsideEnded | undefined } | undefined> {
    const { ready, startWithin } = this.#service;
    const pattern = ready?.kind === 'log' ? new RegExp(ready.pattern, 'u') : undefined;
    const matched = Promise.withResolvers<void>();
    const { command, args, options } = this.#launch;
    const process = await this.#enclave.start(this.name, command, args, {
      ...options,
      onLine: (line) => {
        this.#log.add(line);
        if (pattern?.test(line.slice(0, LINE)) === true) matched.resolve();
      },
    });
    this.#process = process;
    const answer = await this.#becomesReady(process, matched.promise);
    if (answer === '') {
      this.#ready = true;
      return undefined;
    }
    const ended = answer === ENDED ? await process.ended : undefined;
    if (ended !== undefined) return { detail: '', ended };
    const failed = { detail: `It was not ready within ${startWithin} s: ${answer}. ${this.#words}`, ended: undefined };
    await process.stop();
    return failed;
  }

  /** '' once it is, or what the last look at it showed. */
  async #becomesReady(process: InsideProcess, matched: Promise<void>): Promise<string> {
    const { ready, startWithin } = this.#service;
    const time = startWithin * 1000;
    if (ready === undefined) return '';
    if (ready.kind === 'tcp' || ready.kind === 'http') return (await process.ready(ready, time)).detail;
    const limit = new AbortController();
    const over = sleep(time, 'over' as const, { signal: limit.signal }).catch(() => 'over' as const);
    const ended = process.ended.then(() => 'ended' as const);
    try {
      if (ready.kind === 'log') {
        const first = await Promise.race([matched.then(() => 'matched' as const), ended, over]);
        if (first === 'matched') return '';
        return first === 'ended' ? ENDED : 'no line of its output matches';
      }
      const end = performance.now() + time;
      const { command, args } = this.#launch.beside(ready.run);
      const { log: _, ...options } = this.#launch.options;
      for (;;) {
        const check = this.#enclave
          .run(this.name, command, args, {
            ...options,
            timeout: Math.ceil(Math.min(CHECK.time, end - performance.now() + CHECK.pause)),
          })
          .catch((error: unknown) => errorMessage(error));
        const first = await Promise.race([check, ended]);
        if (first === 'ended') return ENDED;
        if (typeof first === 'string') return first;
        if (first.code === 0) return '';
        if (performance.now() + CHECK.pause > end) return `its check ended with ${first.code ?? first.signal}`;
        await Promise.race([sleep(CHECK.pause), ended]);
      }
    } finally {
      limit.abort();
    }
  }

  /** Whether it is started again after this end: waits until it is time. */
  async #again(ended: InsideEnded | undefined): Promise<boolean> {
    const { restart, restarts } = this.#service;
    if (restart === 'never' || this.#stopping || ended?.code === 0 || ended?.crowded === true) return false;
    if (this.#restarts >= restarts) return false;
    const pause = Math.min(BACKOFF.most, BACKOFF.first * 2 ** this.#restarts);
    this.#restarts += 1;
    await sleep(pause, undefined, { signal: this.#halt.signal }).catch(() => undefined);
    return !this.#stopping;
  }

  async #watch(): Promise<void> {
    for (;;) {
      const ended = await this.#process?.ended;
      this.#ready = false;
      if (this.#stopping || ended === undefined) return;
      if (ended.code === 0 && this.#service.ready === undefined) return;
      try {
        for (let last: InsideEnded | undefined = ended; ;) {
          if (!(await this.#again(last))) {
            if (!this.#stopping) this.#fail('', last);
            return;
          }
          const end = await this.#once();
          if (end === undefined) break;
          last = end.ended;
        }
      } catch (error) {
        // The enclave ends, and with it everything.
        this.#trouble = errorMessage(error);
        return;
      }
    }
  }

  #fail(detail: string, ended: InsideEnded | undefined): string {
    const { restart } = this.#service;
    const end =
      ended === undefined
        ? ''
        : ended.crowded
          ? 'It made processes without end, and was stopped.'
          : ended.signal === null
            ? `It ended with ${codeOf(ended.code ?? 0)}.`
            : `It was ended by ${ended.signal}.`;
    const loop =
      restart === 'on-failure' && this.#restarts > 0
        ? ` It was started again ${timesOf(this.#restarts)}, to no avail.`
        : '';
    this.#trouble = ended === undefined ? detail : `${end}${loop} ${this.#words}`;
    return this.#trouble;
  }

  get #words(): string {
    const words = this.#log.last(6).join(' | ');
    return words === '' ? 'It said nothing.' : `Its last words: ${words}`;
  }
}

function describeReady(ready: Readiness | undefined): string {
  switch (ready?.kind) {
    case 'tcp':
      return `answers on ${ready.port}`;
    case 'http':
      return `answers ${ready.status} on ${ready.port}${ready.path}`;
    case 'run':
      return 'its check passed';
    case 'log':
      return 'its output says that it is ready';
    case undefined:
      return 'started';
  }
}

/** What started it reports a signal as 128 and its number. */
function codeOf(code: number): string {
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  return signal === undefined ? String(code) : `${code} (${signal})`;
}

function timesOf(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
