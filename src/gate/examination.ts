import { ArchiveProblem, type ArchiveTrouble } from '#formats';
import type { Clock, Reason } from '#kernel';
import { reason, type ReasonCode } from './faults.ts';
import { type Bounds, LIMITS } from './limits.ts';

/** `accept`: as it is. `neutralised`: safe once what the reasons name is dropped. `refuse`: not to be unpacked. */
export type Answer = 'accept' | 'neutralised' | 'refuse';

/** Reasons that name what is dropped; every other one refuses. */
export const DROPPED: ReadonlySet<string> = new Set<ReasonCode>(['examine.mode', 'examine.attributes']);

const TROUBLES: Readonly<Record<ArchiveTrouble, ReasonCode>> = {
  truncated: 'examine.truncated',
  header: 'examine.header',
  extended: 'examine.extended',
  sparse: 'examine.sparse',
  'size-differs': 'examine.size-differs',
  trailing: 'examine.trailing',
  concatenated: 'examine.concatenated',
  prefix: 'examine.prefix',
  overlap: 'examine.overlap',
  gap: 'examine.gap',
  'headers-differ': 'examine.headers-differ',
  padding: 'examine.padding',
  checksum: 'examine.checksum',
  compressed: 'examine.compressed',
  unreadable: 'examine.unreadable',
  'name-nul': 'examine.name-nul',
  'name-encoding': 'examine.name-encoding',
  entries: 'examine.entries',
};

export function codeOf(trouble: ArchiveTrouble): ReasonCode {
  return TROUBLES[trouble];
}

/** Ends an examination: going on would break a bound. The reason is in the findings already. */
class Enough extends Error {}

/** One examination: what it found, and what it may still spend. */
export class Examination {
  readonly signal: AbortSignal;
  readonly bounds: Bounds;
  readonly #clock: Clock;
  readonly #until: number;
  readonly #reasons: Reason[] = [];
  readonly #notes: Reason[] = [];
  /** Of reasons that were given before, so that each is said once a member. */
  readonly #given = new Set<string>();
  #answer: Answer = 'accept';
  #entries = 0;
  #expanded = 0;
  /** How many parts around this one are only noted. */
  #noting = 0;
  /** Bytes of the file or folder under examination. */
  size = 0;

  constructor(clock: Clock, signal: AbortSignal, bounds: Bounds = LIMITS) {
    this.#clock = clock;
    this.signal = signal;
    this.bounds = bounds;
    this.#until = clock.now() + bounds.time;
  }

  get reasons(): readonly Reason[] {
    return this.#reasons;
  }

  /** What is written down and does not change the answer. */
  get notes(): readonly Reason[] {
    return this.#notes;
  }

  /** How much was found so far, of every kind. */
  get findings(): number {
    return this.#reasons.length + this.#notes.length;
  }

  get answer(): Answer {
    return this.#answer;
  }

  found(code: ReasonCode, where: string, detail: string): void {
    if (this.#given.has(`${code} ${where}`)) return;
    if (this.#noting > 0 || this.bounds.noted.has(code)) {
      if (this.#notes.length >= LIMITS.reasons) return;
      this.#given.add(`${code} ${where}`);
      this.#notes.push(reason(code, where, detail));
      return;
    }
    if (this.#reasons.length >= LIMITS.reasons)
      this.#stop('examine.stopped', '', `It stopped after ${LIMITS.reasons} reasons.`);
    this.#given.add(`${code} ${where}`);
    this.#reasons.push(reason(code, where, detail));
    if (!DROPPED.has(code)) this.#answer = 'refuse';
    else if (this.#answer === 'accept') this.#answer = 'neutralised';
  }

  /** A reason from another catalogue, which refuses. */
  refused(one: Reason): void {
    this.#reasons.push(one);
    this.#answer = 'refuse';
  }

  #stop(code: ReasonCode, where: string, detail: string): never {
    this.#reasons.push(reason(code, where, detail));
    this.#answer = 'refuse';
    throw new Enough();
  }

  /** Counts a member or file. */
  entry(where: string): void {
    this.#entries += 1;
    if (this.#entries > this.bounds.entries)
      this.#stop('examine.entries', where, `There are more than ${this.bounds.entries} members.`);
    if (this.#entries % 64 === 0) this.time();
  }

  /** Counts expanded bytes. */
  spend(bytes: number): void {
    this.#expanded += bytes;
    if (this.#expanded > this.bounds.expanded)
      this.#stop('examine.bytes', '', `It expands to more than ${this.bounds.expanded} bytes.`);
    if (this.#expanded > LIMITS.ratioFloor && this.#expanded > this.size * LIMITS.ratio) {
      this.#stop('examine.ratio', '', `${this.size} bytes expand to more than ${LIMITS.ratio} times as many.`);
    }
    this.time();
  }

  /** Gives up when the time is over; also where a person stopped the command. */
  time(): void {
    this.signal.throwIfAborted();
    if (this.#clock.now() > this.#until)
      this.#stop('examine.time', '', `After ${this.bounds.time / 1000} s it was not examined to its end.`);
  }

  /** Runs one part; what is wrong with its bytes becomes a reason at `where`, and the examination goes on. */
  async part(where: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof ArchiveProblem)) throw error;
      this.found(codeOf(error.trouble), where, error.message);
    }
  }

  /** Runs a part of which nobody but a person ever unpacks anything: what is found there is written down, no more. */
  async noting(run: () => Promise<void>): Promise<void> {
    this.#noting += 1;
    try {
      await run();
    } finally {
      this.#noting -= 1;
    }
  }

  /** Runs the whole; returns when it ended or had to stop. */
  async whole(run: () => Promise<void>): Promise<void> {
    try {
      await this.part('', run);
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
  }
}
