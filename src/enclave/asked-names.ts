/**
 * Which names were asked for, and which of them look like a tunnel: data that is carried out as labels under one suffix,
 * each name another. Bounded: of a tunnel the first names are kept and the rest is counted. Pure.
 */
import type { Attempt } from './attempt.ts';

/** Names below one suffix that are told one by one, before they are only counted. */
const ONE_BY_ONE = 20;
/** A label of data; names that people choose are shorter. */
const LONG_LABEL = 40;
const LONG_NAME = 100;
/** Suffixes, and names, that are remembered. */
const SUFFIXES = 4096;
const NAMES = 50_000;
/** Types that a program asks for one name to connect to it: one attempt. */
const ADDRESSES = new Set(['A', 'AAAA', 'HTTPS', 'SVCB']);

interface Suffix {
  readonly machine: string;
  readonly suffix: string;
  readonly types: Set<string>;
  distinct: number;
  /** Counted and not told one by one, and how many of those stand in no summary yet. */
  untold: number;
  /** A sample of what was carried. */
  readonly first: string;
}

/** `tell`: a new attempt. `again`: told before. `counted`: one more of many, which a summary will say. */
export type Asked = { readonly verdict: 'tell'; readonly tunnel: boolean } | { readonly verdict: 'again' | 'counted' };

export class AskedNames {
  readonly #told = new Set<string>();
  readonly #suffixes = new Map<string, Suffix>();
  #beyond = 0;

  ask(machine: string, name: string, type: string): Asked {
    const group = ADDRESSES.has(type) ? 'address' : type;
    const key = `${machine} ${name} ${group}`;
    if (this.#told.has(key)) return { verdict: 'again' };
    const suffix = suffixOf(name);
    const entry = this.#suffix(machine, suffix, name);
    if (entry === undefined || this.#told.size >= NAMES) {
      this.#beyond += 1;
      return { verdict: 'counted' };
    }
    entry.types.add(type);
    if (name !== suffix) entry.distinct += 1;
    if (entry.distinct > ONE_BY_ONE) {
      entry.untold += 1;
      return { verdict: 'counted' };
    }
    this.#told.add(key);
    return { verdict: 'tell', tunnel: looksLikeData(name) };
  }

  #suffix(machine: string, suffix: string, first: string): Suffix | undefined {
    const key = `${machine} ${suffix}`;
    const known = this.#suffixes.get(key);
    if (known !== undefined) return known;
    if (this.#suffixes.size >= SUFFIXES) return undefined;
    const made: Suffix = { machine, suffix, types: new Set(), distinct: 0, untold: 0, first };
    this.#suffixes.set(key, made);
    return made;
  }

  /** What was only counted since the last time, in one attempt a suffix. */
  summaries(time: string): Attempt[] {
    const out: Attempt[] = [];
    for (const entry of this.#suffixes.values()) {
      if (entry.untold === 0) continue;
      out.push({
        time,
        from: entry.machine,
        kind: 'name',
        protocol: 'dns',
        name: `*.${entry.suffix}`,
        request: [...entry.types].join(', '),
        speaks: 'tunnel',
        firstBytes: Buffer.from(entry.first).subarray(0, 64).toString('hex'),
        answer: 'answered',
        count: entry.untold,
      });
      entry.untold = 0;
    }
    if (this.#beyond > 0) {
      const count = this.#beyond;
      out.push({ time, from: '*', kind: 'name', protocol: 'dns', name: '*', speaks: 'flood', count });
      this.#beyond = 0;
    }
    return out;
  }
}

function looksLikeData(name: string): boolean {
  return name.length > LONG_NAME || name.split('.').some((label) => label.length >= LONG_LABEL);
}

/** The last two labels, or three below a short second one (`example.co.uk`): what somebody can register. */
function suffixOf(name: string): string {
  const labels = name.split('.');
  const short = (labels.at(-1)?.length ?? 0) === 2 && (labels.at(-2)?.length ?? 9) <= 3;
  return labels.slice(short ? -3 : -2).join('.');
}
