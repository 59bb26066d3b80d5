import { readFileSync } from 'node:fs';
import { processesIn } from './owner.ts';

/** Milliseconds between two looks: how exact a stall is known. */
const EVERY = 250;
/** Calls that are followed at once. */
const MOST = 10_000;
/** State of a socket that has called and got no answer (include/net/tcp_states.h). */
const SYN_SENT = '02';

/**
 * How long programs wait for calls that get no answer at all. Nothing on the network tells when one gives up; the
 * program's own socket does, while it is there: from when it was first seen waiting until it no longer was.
 */
export class SilentCalls {
  readonly #namespaces: ReadonlyMap<string, () => string | undefined>;
  /** `machine|own port|port that was called`. */
  readonly #calls = new Map<string, { readonly first: number; last: number }>();
  readonly #timer: NodeJS.Timeout;

  /** `namespaces`: of each machine, its network namespace (`net:[4026531840]`). */
  constructor(namespaces: ReadonlyMap<string, () => string | undefined>) {
    this.#namespaces = namespaces;
    this.#timer = setInterval(() => this.#look(), EVERY);
    this.#timer.unref();
  }

  /** Milliseconds, to within a quarter of a second; undefined where the call was never seen waiting. */
  stalled(machine: string, from: number, to: number): number | undefined {
    const call = this.#calls.get(`${machine}|${from}|${to}`);
    return call === undefined ? undefined : Math.round(call.last - call.first);
  }

  #look(): void {
    const now = performance.now();
    for (const [machine, namespace] of this.#namespaces) {
      const id = namespace();
      const one = id === undefined ? undefined : processesIn(id)[0];
      if (one === undefined) continue;
      for (const table of ['tcp', 'tcp6']) {
        for (const [from, to] of waiting(`/proc/${one}/net/${table}`)) {
          const key = `${machine}|${from}|${to}`;
          const known = this.#calls.get(key);
          if (known !== undefined) known.last = now;
          else if (this.#calls.size < MOST) this.#calls.set(key, { first: now, last: now });
        }
      }
    }
  }
}

function waiting(path: string): [number, number][] {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  const port = (field: string | undefined): number => Number.parseInt(field?.split(':').at(-1) ?? '', 16);
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === SYN_SENT)
    .map((fields) => [port(fields[1]), port(fields[2])]);
}
