import { addressText, type EnforcedCluster, type ProbeEnd, type Question } from '#policy';
import { type Listener, NODE, OUTSIDE, type PlaceAddresses, type Probe, type Seen } from './protocol.ts';

/** Ports of the node by which a source shows that it is alive. */
const ALIVE = 65_533;

/** What is asked of a ground, and how its letters are read. */
export interface ProbePlan {
  readonly places: readonly PlaceAddresses[];
  readonly listeners: readonly Listener[];
  /** The questions, in their order, and then the controls. */
  readonly probes: readonly Probe[];
  /** For each question the positions of its controls among the probes: to its listener from the node, and from its source to the node. */
  readonly controls: readonly (readonly [number, number])[];
}

/**
 * One probe for each question, one from the node to each listener (LIVE-1: what comes from the node is never stopped),
 * and one from each source to the node, so that a source which cannot send is not taken for a wall.
 */
export function planProbes(cluster: EnforcedCluster, questions: readonly Question[]): ProbePlan {
  const { node } = cluster.placement;
  const places: PlaceAddresses[] = [{ ipv4: addressText(4, node[4]), ipv6: addressText(6, node[6]) }, {}];
  const placeOf = new Map<number, number>();
  const place = (end: ProbeEnd): number => {
    if (end.is === 'address') return OUTSIDE;
    let found = placeOf.get(end.pod);
    if (found === undefined) {
      placeOf.set(end.pod, (found = places.length));
      const { addresses } = cluster.placement.pods[end.pod]!;
      places.push({
        ...(addresses[4] === undefined ? {} : { ipv4: addressText(4, addresses[4]) }),
        ...(addresses[6] === undefined ? {} : { ipv6: addressText(6, addresses[6]) }),
      });
    }
    return found;
  };
  const listeners: Listener[] = [];
  const listenerOf = new Map<string, number>();
  const listener = (one: Listener): number => {
    const key = `${one.place} ${one.protocol} ${one.address} ${one.port}`;
    let found = listenerOf.get(key);
    if (found === undefined) {
      listenerOf.set(key, (found = listeners.length));
      listeners.push(one);
    }
    return found;
  };
  const asked: Probe[] = [];
  const controls: Probe[] = [];
  const controlOf = new Map<string, number>();
  const control = (probe: Probe): number => {
    const key = `${probe.place} ${probe.source} ${probe.to}`;
    let found = controlOf.get(key);
    if (found === undefined) {
      controlOf.set(key, (found = questions.length + controls.length));
      controls.push(probe);
    }
    return found;
  };
  const pairs = questions.map(({ from, to, family, protocol, port }): [number, number] => {
    const hex = (value: bigint): string => value.toString(16).padStart(family === 4 ? 8 : 32, '0');
    const [source, target] = [hex(cluster.addressOf(from, family)!), hex(cluster.addressOf(to, family)!)];
    const number = listener({ place: place(to), protocol, address: target, port });
    asked.push({ place: place(from), source, to: number });
    const home = listener({ place: NODE, protocol, address: hex(node[family]), port: ALIVE });
    return [
      control({ place: NODE, source: hex(node[family]), to: number }),
      control({ place: place(from), source, to: home }),
    ];
  });
  return { places, listeners, probes: [...asked, ...controls], controls: pairs };
}

/** What a kernel said about a question, over all rounds. */
export interface Observed {
  /**
   * `open` and `closed` with certainty; `refused`: something answered no (LIVE-2); `one way`: it arrived and was not
   * answered, or the other way round; `unstable`: rounds disagree (LIVE-3); `unknown`: too few rounds had their controls.
   */
  readonly live: 'open' | 'closed' | 'refused' | 'one way' | 'unstable' | 'unknown';
  /** Rounds that count. */
  readonly rounds: number;
}

/** Rounds that must agree, and rounds that are made at most. */
export const AGREEING = 3;
export const ROUNDS = 6;

/** Takes in one round after another. */
export class Observations {
  readonly #plan: ProbePlan;
  readonly #seen: Map<Seen, number>[];
  rounds = 0;

  constructor(plan: ProbePlan) {
    this.#plan = plan;
    this.#seen = plan.controls.map(() => new Map());
  }

  add(seen: readonly Seen[]): void {
    this.rounds++;
    for (const [i, [target, source]] of this.#plan.controls.entries()) {
      const one = seen[i]!;
      // What went through shows by itself that both ends are alive; silence does not.
      if (one === 'e' || (one !== 'o' && (seen[target] !== 'o' || seen[source] !== 'o'))) continue;
      const own = this.#seen[i]!;
      own.set(one, (own.get(one) ?? 0) + 1);
    }
  }

  /** Whether another round is needed. */
  get more(): boolean {
    if (this.rounds < AGREEING) return true;
    return this.rounds < ROUNDS && this.#seen.some((own) => own.size < 2 && countOf(own) < AGREEING);
  }

  of(question: number): Observed {
    const own = this.#seen[question]!;
    const rounds = countOf(own);
    if (own.size > 1) return { live: 'unstable', rounds };
    if (rounds < AGREEING) return { live: 'unknown', rounds };
    const [one] = own.keys();
    const live = ({ o: 'open', n: 'closed', r: 'refused', h: 'one way', e: 'unknown' } as const)[one!];
    return { live, rounds };
  }
}

function countOf(seen: ReadonlyMap<Seen, number>): number {
  return [...seen.values()].reduce((sum, count) => sum + count, 0);
}
