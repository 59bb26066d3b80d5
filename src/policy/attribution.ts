import { type AddressRange, parseAddress } from './addresses.ts';
import { type ClusterChange, clusterChanges } from './cluster-changes.ts';
import { connectivity, type Connectivity } from './connections.ts';
import type { ConnectivityDifference } from './difference.ts';
import type { Profile } from './engine.ts';
import type { Cni } from './enforcers.ts';
import { CONTROLLER } from './entrances.ts';
import { type Cluster, peerName, type Pod, type PodPeer, type Policy } from './model.ts';
import { NO_PORTS, type PortSet, portText } from './port-set.ts';
import { NAMESPACE_NAME_LABEL } from './model.ts';
import { selects, NO } from './selector.ts';

/** Which changes make a connection what it is in the later state. */
export interface Cause {
  /**
   * `alone`: this one change does it, the others set aside. `each`: each of these does. `together`: it takes them all, or
   * several of them. `unproved`: there are too many changes to try them one by one; these may have to do with it.
   */
  readonly by: 'alone' | 'each' | 'together' | 'unproved';
  /** Positions among the changes. */
  readonly changes: readonly number[];
}

export interface Attribution {
  readonly changes: readonly ClusterChange[];
  /** Beside the rows of `added`, `removed` and `changed`. */
  readonly added: readonly Cause[];
  readonly removed: readonly Cause[];
  readonly changed: readonly Cause[];
}

/** Changes that are tried one by one; each takes two maps. */
const TRIED = 100;

/**
 * Proves by which change each row of a difference comes about: every change that may bear on a row is made alone in the
 * earlier state, and taken back alone in the later one.
 */
export function attribute(
  before: { readonly cluster: Cluster; readonly map: Connectivity },
  after: { readonly cluster: Cluster; readonly map: Connectivity },
  { added, removed, changed }: ConnectivityDifference,
  profile: Profile,
  cni: Cni | undefined,
): Attribution {
  const changes = clusterChanges(before.cluster, after.cluster);
  const bears = bearing(changes, before.cluster, after.cluster);
  const rows = [...added, ...removed, ...changed].map(({ from, to }) => ({ from, to, relevant: bears(from, to) }));
  const tried = new Set(rows.flatMap(({ relevant }) => relevant));
  const prove = tried.size <= TRIED;
  const trials = new Map<number, { alone: MapIndex; without: MapIndex }>();
  for (const id of prove && changes.length > 1 ? tried : []) {
    const change = changes[id]!;
    const alone = connectivity(change.apply(before.cluster, 'to'), profile, cni);
    const without = connectivity(change.apply(after.cluster, 'from'), profile, cni);
    trials.set(id, { alone: new MapIndex(alone), without: new MapIndex(without) });
  }
  const now = new MapIndex(after.map);
  const causes = rows.map(({ from, to, relevant }): Cause => {
    if (changes.length === 1) return { by: 'alone', changes: [0] };
    if (!prove) return { by: 'unproved', changes: relevant };
    const wanted = now.at(from, to);
    const enough = relevant.filter((id) => trials.get(id)!.alone.at(from, to) === wanted);
    if (enough.length === 1) return { by: 'alone', changes: enough };
    if (enough.length > 1) return { by: 'each', changes: enough };
    const needed = relevant.filter((id) => trials.get(id)!.without.at(from, to) !== wanted);
    return { by: 'together', changes: needed.length > 0 ? needed : relevant };
  });
  return {
    changes,
    added: causes.slice(0, added.length),
    removed: causes.slice(added.length, added.length + removed.length),
    changed: causes.slice(added.length + removed.length),
  };
}

/** What a map says of a pair, as text that can be compared. */
class MapIndex {
  readonly #pairs = new Map<string, PortSet>();
  readonly #outside = new Map<string, { range: AddressRange; ports: PortSet }[]>();

  constructor({ peers, pairs, outside, entrances }: Connectivity) {
    for (const { from, to, answer } of pairs) this.#pairs.set(`${peers[from]}\n${peers[to]}`, answer.possible);
    for (const { to, answer } of entrances) this.#pairs.set(`${CONTROLLER}\n${peers[to]}`, answer.possible);
    for (const { peer, direction, range, answer } of outside) {
      const key = `${direction} ${peers[peer]}`;
      const list = this.#outside.get(key);
      if (list === undefined) this.#outside.set(key, [{ range, ports: answer.possible }]);
      else list.push({ range, ports: answer.possible });
    }
  }

  at(from: string, to: string): string {
    const range = rangeIn(to);
    const source = range === undefined ? rangeIn(from) : undefined;
    if (range !== undefined) return this.#along(`egress ${from}`, range);
    if (source !== undefined) return this.#along(`ingress ${to}`, source);
    return portText(this.#pairs.get(`${from}\n${to}`) ?? NO_PORTS);
  }

  /** The ports along a range, with the places where they change. */
  #along(key: string, { family, from, to }: AddressRange): string {
    const own = (this.#outside.get(key) ?? []).filter(
      (one) => one.range.family === family && one.range.from <= to && one.range.to >= from,
    );
    const parts: string[] = [];
    let next = from;
    for (const { range, ports } of own.toSorted((a, b) => (a.range.from < b.range.from ? -1 : 1))) {
      if (range.from > next) parts.push(portText(NO_PORTS));
      parts.push(portText(ports));
      next = range.to + 1n;
    }
    if (next <= to) parts.push(portText(NO_PORTS));
    return parts.filter((part, i) => part !== parts[i - 1]).join(' | ');
  }
}

function rangeIn(text: string): AddressRange | undefined {
  const match = /^([0-9a-f.:]+)-([0-9a-f.:]+)$/.exec(text);
  const [from, to] = [match?.[1], match?.[2]].map((one) => (one === undefined ? undefined : parseAddress(one)));
  return from === undefined || to === undefined ? undefined : { family: from.family, from: from.value, to: to.value };
}

/** Which changes may bear on a row: policies that select an end of it, ends themselves, their namespaces, entrances. */
function bearing(
  changes: readonly ClusterChange[],
  before: Cluster,
  after: Cluster,
): (from: string, to: string) => number[] {
  const states = [before, after];
  const podsOf = states.map(({ pods }) => Map.groupBy(pods, peerName));
  const byName = new Map<string, number[]>();
  const everywhere: number[] = [];
  const note = (name: string, id: number): void => {
    const list = byName.get(name);
    if (list === undefined) byName.set(name, [id]);
    else if (list.at(-1) !== id) list.push(id);
  };
  changes.forEach((change, id) => {
    if (change.kind === 'workload') note(change.name, id);
    else if (change.kind === 'policy') {
      const policies = states.flatMap(({ policies }) =>
        policies.filter(
          (one) => `${one.kind} ${one.namespace === '' ? '' : `${one.namespace}/`}${one.name}` === change.name,
        ),
      );
      for (const [i, cluster] of states.entries()) {
        for (const [name, pods] of podsOf[i]!) {
          if (pods.some((pod) => policies.some((policy) => mayCover(policy, pod, cluster)))) note(name, id);
        }
      }
    } else everywhere.push(id);
  });
  return (from, to) =>
    [...new Set([...(byName.get(from) ?? []), ...(byName.get(to) ?? []), ...everywhere])].sort((a, b) => a - b);
}

function mayCover({ subject, alsoSubject = [] }: Policy, pod: Pod, cluster: Cluster): boolean {
  return [subject, ...alsoSubject].some((peer) => maySelect(peer, pod, cluster));
}

function maySelect({ namespaces, pods }: PodPeer, pod: Pod, { namespaces: known }: Cluster): boolean {
  if (selects(pods, pod.labels) === NO && pods.requirements.every(({ label }) => !label.startsWith('serviceaccount()')))
    return false;
  if (typeof namespaces === 'string') return namespaces === pod.namespace;
  const labels = known.get(pod.namespace)?.labels;
  return (
    labels === undefined ||
    selects(namespaces, labels) !== NO ||
    namespaces.requirements.some(({ label }) => label !== NAMESPACE_NAME_LABEL)
  );
}
