/**
 * Attempts that are told once, and counted after that. Bounded: of a flood the first are told one by one, and a summary
 * says how many more there were. Pure.
 */
import type { Attempt } from './attempt.ts';

/** Attempts of one enclave that are told one by one; with the summaries they stay below what the door keeps. */
const TOLD = 90_000;
/** Of one machine, so that one that floods does not take the place of the others. */
const TOLD_BY_ONE = 20_000;

/** Things that are known to have been told or counted. */
const KEYS = 300_000;

export class Tally {
  readonly #keys = new Set<string>();
  readonly #byMachine = new Map<string, number>();
  /** Machine, kind and protocol to how many were not told. */
  readonly #beyond = new Map<string, { readonly sample: Attempt; count: number }>();
  #told = 0;

  /** Whether this is to be told. `key`: the same thing is told once. */
  isNew(attempt: Attempt, key?: string): boolean {
    if (key !== undefined && this.#keys.has(key)) return false;
    const own = this.#byMachine.get(attempt.from) ?? 0;
    if (this.#told >= TOLD || own >= TOLD_BY_ONE) {
      const sort = `${attempt.from} ${attempt.kind} ${attempt.protocol}`;
      const known = this.#beyond.get(sort);
      if (known !== undefined) known.count += 1;
      else this.#beyond.set(sort, { sample: attempt, count: 1 });
      // Counted once, as long as there is room to know that.
      if (key !== undefined && this.#keys.size < KEYS) this.#keys.add(key);
      return false;
    }
    if (key !== undefined) this.#keys.add(key);
    this.#told += 1;
    this.#byMachine.set(attempt.from, own + 1);
    return true;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** What was counted and not told since the last time: one attempt for each machine, kind and protocol. */
  summaries(time: string): Attempt[] {
    const out: Attempt[] = [];
    for (const { sample, count } of this.#beyond.values()) {
      const { from, kind, protocol, to } = sample;
      // No single target: they are beyond the limit because they are many.
      out.push({
        time,
        from,
        kind,
        protocol,
        address: '*',
        speaks: 'flood',
        count,
        ...(to === undefined ? {} : { to }),
      });
    }
    this.#beyond.clear();
    return out;
  }
}
