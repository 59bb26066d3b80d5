import { type ClusterChange, clusterChanges } from '../cluster-changes.ts';
import { type Connectivity, type MapState, mapState } from '../connections.ts';
import type { Profile } from '../engine.ts';
import type { Cni } from '../enforcers.ts';
import type { Place } from '../document.ts';
import type { Cluster, Policy } from '../model.ts';
import { type PortSet, subtract } from '../port-set.ts';
import { compareMaps, equalPriorities, objectName, type Trouble, troublesOf } from './comparison.ts';
import { type WindowObject, windowOf } from './union-window.ts';

/** One write to the cluster. */
export interface RolloutStep {
  readonly action: 'create' | 'replace' | 'delete';
  /** `NetworkPolicy shop/web`. */
  readonly object: string;
  /** Where the object stands; of what is deleted, in the earlier state. Undefined: only in `manifest`. */
  readonly place: Place | undefined;
  /** An object that is in neither state, and stands only during the rollout. */
  readonly window: WindowObject | undefined;
  readonly opens: readonly Opened[];
  readonly closes: readonly Opened[];
  /** Of the state after this step. */
  readonly troubles: readonly Trouble[];
  /** All that are there after this step. */
  readonly policies: readonly Policy[];
}

export interface Opened {
  readonly from: string;
  readonly to: string;
  readonly ports: PortSet;
}

export interface RolloutPlan {
  /**
   * `safe`: no state between exposes or loses a connection. `unsafe`: every order has such a state.
   * `unknown`: none was found, and not every order was tried, or it depends on what no manifest says.
   */
  readonly verdict: 'safe' | 'unsafe' | 'unknown';
  readonly steps: readonly RolloutStep[];
  /** States that were analysed. */
  readonly analysed: number;
  /** A safe order was found, or it is certain that there is none. */
  readonly complete: boolean;
  /** The last state answers all as the later manifests do. */
  readonly reached: boolean;
}

/** States that are analysed in search of an order, before it is given up. */
const STATES = 2000;

/** Connections of which it is tried whether any order spares them, and states that are analysed for one. */
const PROOFS = 3;
const PROOF_STATES = 500;
/** As a map names workloads; and policies that cover pods of their own namespace only. */
const POD = /^([^/]+)\/[^/]+\[\w+\]$/;
const NAMESPACED = /^(?:NetworkPolicy|CiliumNetworkPolicy|CalicoNetworkPolicy) ([^/]+)\//;

/** A part of the search: from where, what must not be, and until how many states are analysed. */
interface Within {
  readonly start: readonly Level[];
  readonly wrong: (state: readonly Level[]) => boolean;
  readonly limit: number;
}

/** A change: as it was, its window object beside or in place of it, as it will be. */
type Level = 0 | 1 | 2;

interface Unit {
  readonly change: ClusterChange;
  readonly window: WindowObject | undefined;
}

/** What differs between two states and is no policy: a rollout of policies cannot bring it about. */
export function otherChanges(from: Cluster, to: Cluster): ClusterChange[] {
  return clusterChanges(from, to).filter(({ kind }) => kind !== 'policy');
}

/** The order in which the policies of `from` become those of `to`. The clusters must differ in policies only. */
export function planRollout(from: Cluster, to: Cluster, profile: Profile, cni?: Cni): RolloutPlan {
  const search = new Search(from, to, profile, cni);
  const plan = search.plan();
  const wanted = mapState(to, profile, cni).found;
  const reached = compareMaps([search.last(), wanted]).length === 0;
  return reached ? plan : { ...plan, reached, verdict: 'unknown' };
}

class Search {
  readonly #from: Cluster;
  readonly #units: readonly Unit[];
  readonly #profile: Profile;
  readonly #cni: Cni | undefined;
  readonly #maps = new Map<string, Connectivity>();
  readonly #troubles = new Map<string, readonly Trouble[]>();
  readonly #start: readonly Level[];
  readonly #end: readonly Level[];
  #memory: MapState | undefined;
  #analysed = 0;

  constructor(from: Cluster, to: Cluster, profile: Profile, cni: Cni | undefined) {
    this.#from = from;
    this.#profile = profile;
    this.#cni = cni;
    const taken = new Set([...from.policies, ...to.policies].map((one) => `${one.namespace}/${one.name}`));
    const [old, now] = [byObject(from.policies), byObject(to.policies)];
    this.#units = clusterChanges(from, to)
      .filter(({ kind }) => kind === 'policy')
      .map((change) => {
        const [before, after] = [old.get(change.name), now.get(change.name)];
        const single = before?.length === 1 && after?.length === 1;
        const window = single ? windowOf(before[0]!, after[0]!, taken) : undefined;
        if (window?.how === 'copy') taken.add(`${window.policy.namespace}/${window.policy.name}`);
        return { change, window };
      })
      .sort((a, b) => rank(a) - rank(b));
    this.#start = this.#units.map(() => 0);
    this.#end = this.#units.map(() => 2);
  }

  plan(): RolloutPlan {
    // Objects whose subject changes are not swapped in place where it can be helped (a plugin may handle such a swap as a
    // deletion and a creation); the others are swapped at once where that is safe.
    for (const windows of ['copies', 'none', 'all'] as const) {
      const found = this.#search(windows);
      if (found !== undefined) return this.#told(found, true);
    }
    const complete = this.#analysed < STATES;
    const least = this.#least();
    return this.#told(least, complete || this.#impossible(least));
  }

  /**
   * Whether one of the connections that this order exposes or loses is so in every order of the changes that may bear on
   * it. The other changes do not matter then, however many there are.
   */
  #impossible(path: Path): boolean {
    const troubles = path.slice(1, -1).flatMap((state) => this.#troublesAt(state));
    const rows = new Map(troubles.map((one) => [`${one.from}\n${one.to}`, one]));
    return [...rows.values()]
      .filter(({ is, from, to }) => (is === 'exposed' || is === 'lost') && POD.test(from) && POD.test(to))
      .slice(0, PROOFS)
      .some(({ from, to }) => {
        const namespaces = [from, to].map((end) => POD.exec(end)![1]);
        const bears = ({ change: { name } }: Unit): boolean => {
          const namespaced = NAMESPACED.exec(name);
          return namespaced === null || namespaces.includes(namespaced[1]);
        };
        const start = this.#units.map((unit): Level => (bears(unit) ? 0 : 2));
        const wrong = (state: readonly Level[]): boolean =>
          this.#troublesAt(state).some((one) => one.is !== 'unsure' && one.from === from && one.to === to);
        const limit = this.#analysed + PROOF_STATES;
        const found = this.#search('all', { start, wrong, limit });
        return found === undefined && this.#analysed < limit;
      });
  }

  last(): Connectivity {
    return this.#mapAt(this.#end);
  }

  /** An order through states without trouble; undefined: there is none, or the search was given up. */
  #search(windows: 'copies' | 'none' | 'all', within?: Within): Path | undefined {
    const { start, wrong, limit } = within ?? {
      start: this.#start,
      wrong: (state: readonly Level[]) => this.#troublesAt(state).length > 0,
      limit: STATES,
    };
    const dead = new Set<string>();
    const path: (readonly Level[])[] = [start];
    const goal = this.#end.join('');
    const walk: { state: readonly Level[]; moves: (readonly Level[])[] }[] = [
      { state: start, moves: this.#moves(start, windows) },
    ];
    if (this.#start.length === 0) return path;
    for (let top = walk.at(-1); top !== undefined; top = walk.at(-1)) {
      const next = top.moves.shift();
      if (next === undefined) {
        dead.add(top.state.join(''));
        walk.pop();
        path.pop();
        continue;
      }
      const key = next.join('');
      if (dead.has(key)) continue;
      if (key !== goal && !this.#troubles.has(key) && this.#analysed >= limit) return undefined;
      if (key !== goal && wrong(next)) {
        dead.add(key);
        continue;
      }
      path.push(next);
      if (key === goal) return path;
      walk.push({ state: next, moves: this.#moves(next, windows) });
    }
    return undefined;
  }

  /** Where no order is without trouble: at each step the state with the least. */
  #least(): Path {
    const path: (readonly Level[])[] = [this.#start];
    const goal = this.#end.join('');
    for (let state = this.#start; state.join('') !== goal; state = path.at(-1)!) {
      let best: { state: readonly Level[]; cost: number } | undefined;
      for (const next of this.#moves(state, 'all')) {
        const cost = next.join('') === goal ? 0 : this.#troublesAt(next).length;
        if (best === undefined || cost < best.cost) best = { state: next, cost };
        if (cost === 0) break;
      }
      path.push(best!.state);
    }
    return path;
  }

  /** States that one change leads to: what is created first, then what is replaced, then what is deleted. */
  #moves(state: readonly Level[], windows: 'copies' | 'none' | 'all'): (readonly Level[])[] {
    const [swaps, opened]: [(readonly Level[])[], (readonly Level[])[]] = [[], []];
    state.forEach((level, i) => {
      const { window } = this.#units[i]!;
      const at = (to: Level): readonly Level[] => state.with(i, to);
      const may = window !== undefined && (windows === 'all' || (windows === 'copies' && window.how === 'copy'));
      if (level === 0 && may) opened.push(at(1));
      if (level === 1 || (level === 0 && !(may && windows === 'copies'))) swaps.push(at(2));
    });
    return windows === 'copies' ? [...opened, ...swaps] : [...swaps, ...opened];
  }

  #troublesAt(state: readonly Level[]): readonly Trouble[] {
    const key = state.join('');
    let found = this.#troubles.get(key);
    if (found === undefined) {
      found = troublesOf(this.#mapAt(this.#start), this.#mapAt(this.#end), this.#mapAt(state));
      found = [...found, ...equalPriorities(this.#clusterAt(state).policies)];
      this.#troubles.set(key, found);
    }
    return found;
  }

  #clusterAt(state: readonly Level[]): Cluster {
    let cluster = this.#from;
    const beside: Policy[] = [];
    const instead = new Map<string, Policy>();
    state.forEach((level, i) => {
      const { change, window } = this.#units[i]!;
      if (level === 2) cluster = change.apply(cluster, 'to');
      else if (level === 1 && window!.how === 'copy') beside.push(window!.policy);
      else if (level === 1) instead.set(change.name, window!.policy);
    });
    if (beside.length + instead.size === 0) return cluster;
    const policies = cluster.policies.map((one) => instead.get(objectName(one)) ?? one);
    return { ...cluster, policies: [...policies, ...beside] };
  }

  #mapAt(state: readonly Level[]): Connectivity {
    const key = state.join('');
    let map = this.#maps.get(key);
    if (map === undefined) {
      this.#memory = mapState(this.#clusterAt(state), this.#profile, this.#cni, this.#memory);
      this.#analysed++;
      map = this.#memory.found;
      // Only the ends are asked for again and again; the others would fill the memory.
      if (state === this.#start || key === this.#end.join('')) this.#maps.set(key, map);
    }
    return map;
  }

  #told(path: Path, complete: boolean): RolloutPlan {
    const steps: RolloutStep[] = [];
    let map = this.#mapAt(this.#start);
    path.slice(1).forEach((state, n) => {
      const before = path[n]!;
      const i = state.findIndex((level, at) => level !== before[at]);
      const { change, window } = this.#units[i]!;
      const next = this.#mapAt(state);
      const { opens, closes } = between(map, next);
      map = next;
      const last = n === path.length - 2;
      const troubles = last ? [] : this.#troublesAt(state);
      const copy = window?.how === 'copy' ? window : undefined;
      const { policies } = this.#clusterAt(state);
      if (state[i] === 1) {
        const action = copy === undefined ? 'replace' : 'create';
        steps.push({
          action,
          object: objectName(window!.policy),
          place: undefined,
          window,
          opens,
          closes,
          troubles,
          policies,
        });
        return;
      }
      const action = change.how === 'added' ? 'create' : change.how === 'removed' ? 'delete' : 'replace';
      const step = { action, object: change.name, place: change.place, window: undefined } as const;
      if (before[i] === 0 || copy === undefined) {
        steps.push({ ...step, opens, closes, troubles, policies });
        return;
      }
      // The object becomes what its copy is already, and the copy goes: the first closes, the second changes nothing.
      steps.push({ ...step, opens, closes, troubles, policies: [...policies, copy.policy] });
      const gone = { action: 'delete', object: objectName(copy.policy), place: undefined, window: copy } as const;
      steps.push({ ...gone, opens: [], closes: [], troubles, policies });
    });
    const troubled = steps.flatMap(({ troubles }) => troubles);
    const verdict =
      troubled.length === 0
        ? 'safe'
        : !complete || !troubled.some(({ is }) => is === 'exposed' || is === 'lost')
          ? 'unknown'
          : 'unsafe';
    return { verdict, steps, analysed: this.#analysed, complete, reached: true };
  }
}

type Path = (readonly Level[])[];

/** Allow before deny: what is created, then what is replaced, then what is deleted. */
function rank({ change: { how } }: Unit): number {
  return how === 'added' ? 0 : how === 'changed' ? 1 : 2;
}

function between(before: Connectivity, after: Connectivity): { opens: Opened[]; closes: Opened[] } {
  const [opens, closes]: [Opened[], Opened[]] = [[], []];
  for (const { from, to, answers } of compareMaps([before, after])) {
    const [old, now] = [answers[0]!.possible, answers[1]!.possible];
    const [opened, closed] = [subtract(now, old), subtract(old, now)];
    if (!opened.empty) opens.push({ from, to, ports: opened });
    if (!closed.empty) closes.push({ from, to, ports: closed });
  }
  return { opens, closes };
}

function byObject(policies: readonly Policy[]): Map<string, Policy[]> {
  return Map.groupBy(policies, objectName);
}
