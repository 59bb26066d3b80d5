import { rangeText } from './addresses.ts';
import { outsideRows, reasonsOf, together } from './connections.ts';
import { type Answer, type Direction, Engine, type PodClass, type Profile } from './engine.ts';
import type { Cni } from './enforcers.ts';
import { type Cluster, isNamed, NAMESPACE_NAME_LABEL, type Peer, peerName, type PodPeer } from './model.ts';
import { FIRST_PORT, includes, LAST_PORT, portText, type Protocol, PROTOCOLS } from './port-set.ts';
import { EVERYTHING, type Match, NO, type Selector, selectorOf, selects, YES } from './selector.ts';
import { namespaceIn, selectorText } from './selector-text.ts';

/** Pods that may come: in every namespace or in those that a selector selects, with any labels or with some. */
export interface FuturePods {
  /** `entire-cluster`, `NAMESPACE/[all pods]`, `[namespace with {LABELS}]/[pod with {LABELS}]`. */
  readonly name: string;
  readonly namespaces: Selector;
  readonly pods: Selector;
}

/** What a workload would let in from, or could reach of, pods that are in no manifest, or addresses. */
export interface ExposureRow {
  readonly direction: Direction;
  readonly workload: string;
  /** Pods that may come, or a range of addresses. */
  readonly peer: string;
  /** In the form of a map; the names of ports beside the numbers, where a rule names a port of a pod that may come. */
  readonly ports: string;
  readonly certain?: string;
  readonly depends?: readonly string[];
  /** Selectors as kubectl takes them; absent for addresses. */
  readonly namespaces?: string;
  readonly pods?: string;
}

export interface Exposure {
  readonly rows: readonly ExposureRow[];
  /** Workloads that no policy covers in a direction: they are open to whatever comes. */
  readonly unprotected: readonly { readonly workload: string; readonly direction: Direction }[];
}

const EVERY_POD: FuturePods = { name: 'entire-cluster', namespaces: EVERYTHING, pods: EVERYTHING };

const DIRECTIONS: readonly Direction[] = ['egress', 'ingress'];

/**
 * Looks at the walls of each workload alone: what policies around a pod that may come would keep from it is not
 * counted, for such a pod may come with its own. A pod that several rows describe gets what they say together.
 */
export function exposureOf(cluster: Cluster, profile: Profile, cni?: Cni): Exposure {
  const engine = new Engine(cluster, profile, cni);
  const covers = profile === 'np-guard' ? equals : impliedBy(cluster);
  const future = futurePods(cluster);
  const classesOf = new Map<string, Set<PodClass>>();
  for (const pod of cluster.pods) {
    const name = peerName(pod);
    const known = classesOf.get(name);
    if (known === undefined) classesOf.set(name, new Set([engine.classOf(pod)]));
    else known.add(engine.classOf(pod));
  }

  const sides = new Map<string, Side>();
  const sideOf = (own: PodClass, direction: Direction): Side => {
    const reach = engine.reach(own, direction);
    const key = `${direction} ${reach.id}`;
    let side = sides.get(key);
    if (side === undefined) sides.set(key, (side = sideFor(engine, own, direction, future, covers)));
    return side;
  };

  const rows: ExposureRow[] = [];
  const unprotected: { workload: string; direction: Direction }[] = [];
  for (const [workload, classes] of classesOf) {
    const sidesOf = DIRECTIONS.map((direction) => ({
      direction,
      own: [...classes].map((one) => sideOf(one, direction)),
    }));
    const pods = sidesOf.map(({ direction, own }) => ({ direction, found: rowsOf(own) }));
    for (const { direction, found } of pods) for (const row of found) rows.push({ direction, workload, ...row });
    for (const { direction, own } of sidesOf) {
      if (own.some((side) => !side.covered)) unprotected.push({ workload, direction });
      // netpol-analyzer names addresses only of workloads of which it names pods.
      if (profile === 'np-guard' && pods.every(({ found }) => found.length === 0)) continue;
      for (const { range, answer } of outsideRows([...classes].map((one) => engine.reach(one, direction)))) {
        if (!answer.possible.empty) rows.push({ direction, workload, peer: rangeText(range), ...portsOf(answer, []) });
      }
    }
  }
  return { rows, unprotected };
}

/** What one class of pods admits of pods that may come. */
interface Side {
  readonly covered: boolean;
  readonly open: Opening;
  /** By the name of the pods that may come; only what differs from `open`. */
  readonly apart: ReadonlyMap<string, { readonly future: FuturePods; readonly opening: Opening }>;
}

interface Opening {
  readonly answer: Answer;
  /** Ports by the name that the destination gives them: `TCP http`. */
  readonly names: readonly string[];
}

function sideFor(
  engine: Engine,
  own: PodClass,
  direction: Direction,
  future: ReadonlyMap<string, FuturePods>,
  covers: (peer: PodPeer, future: FuturePods) => Match,
): Side {
  const policies = engine.applying(own).filter(({ policy }) => policy[direction] !== undefined);
  const rules = policies.flatMap(({ policy }) => policy[direction] ?? []);
  const named = new Map<string, { name: string; protocol: Protocol }>();
  if (direction === 'egress') {
    for (const { ports } of rules) {
      for (const port of ports === 'all' ? [] : ports.filter(isNamed)) {
        const protocols = port.protocol === undefined ? PROTOCOLS : [port.protocol];
        for (const protocol of protocols) named.set(`${protocol} ${port.name}`, { name: port.name, protocol });
      }
    }
  }
  const opening = (pods: FuturePods): Opening => {
    const match = (peer: PodPeer): Match => covers(peer, pods);
    const answer = engine.imagine(own, direction, match);
    const names: string[] = [];
    for (const [text, { name, protocol }] of named) {
      // A number that is closed if it is not called so; where all are open, the name adds nothing.
      const closed = firstClosed(answer, protocol);
      if (closed === undefined) continue;
      const called = engine.imagine(own, direction, match, [{ name, number: closed, protocol }]);
      if (includes(called.possible, protocol, closed)) names.push(text);
    }
    return { answer, names: names.sort() };
  };
  const open = opening(EVERY_POD);
  const apart = new Map<string, { future: FuturePods; opening: Opening }>();
  for (const { peers, notPods = [] } of rules) {
    for (const peer of [...(peers === 'all' ? [] : peers), ...notPods]) {
      const pods = future.get(keyOf(peer));
      if (pods === undefined || apart.has(pods.name)) continue;
      const one = opening(pods);
      if (one.answer === open.answer && one.names.join() === open.names.join()) continue;
      if (isClosed(one) && isClosed(open)) continue;
      apart.set(pods.name, { future: pods, opening: one });
    }
  }
  return { covered: policies.length > 0, open, apart };
}

function isClosed({ answer, names }: Opening): boolean {
  return answer.possible.empty && names.length === 0;
}

function firstClosed({ possible }: Answer, protocol: Protocol): number | undefined {
  const intervals = possible.intervals[protocol];
  if (intervals.at(-1) !== LAST_PORT) return LAST_PORT;
  const below = intervals.at(-2)! - 1;
  return below < FIRST_PORT ? undefined : below;
}

/** Pods of one owner may be of several classes: open is what one of them opens, certain what all do. */
function rowsOf(sides: readonly Side[]): Omit<ExposureRow, 'direction' | 'workload'>[] {
  const rows: Omit<ExposureRow, 'direction' | 'workload'>[] = [];
  const merged = (openings: readonly Opening[]): Opening => ({
    answer: together(openings.map(({ answer }) => answer)),
    names: [...new Set(openings.flatMap(({ names }) => names))].sort(),
  });
  const open = merged(sides.map((side) => side.open));
  if (!isClosed(open))
    rows.push({ peer: EVERY_POD.name, ...selectorsOf(EVERY_POD), ...portsOf(open.answer, open.names) });
  const future = new Map(sides.flatMap(({ apart }) => [...apart].map(([name, one]) => [name, one.future])));
  for (const [name, pods] of future) {
    const { answer, names } = merged(sides.map((side) => side.apart.get(name)?.opening ?? side.open));
    rows.push({ peer: name, ...selectorsOf(pods), ...portsOf(answer, names) });
  }
  return rows;
}

function selectorsOf({ namespaces, pods }: FuturePods): { namespaces: string; pods: string } {
  return { namespaces: selectorText(namespaces), pods: selectorText(pods) };
}

function portsOf(answer: Answer, names: readonly string[]): Pick<ExposureRow, 'ports' | 'certain' | 'depends'> {
  const ports = withNames(portText(answer.possible), names);
  if (answer.possible === answer.certain) return { ports };
  return { ports, certain: withNames(portText(answer.certain), []), depends: reasonsOf(answer.why) };
}

function withNames(ports: string, names: readonly string[]): string {
  if (names.length === 0) return ports;
  const byProtocol = new Map<string, string[]>();
  let protocol = '';
  for (const word of [...(ports === 'No Connections' ? [] : ports.split(',')), ...names]) {
    const space = word.indexOf(' ');
    if (space !== -1) protocol = word.slice(0, space);
    byProtocol.set(protocol, [...(byProtocol.get(protocol) ?? []), word.slice(space + 1)]);
  }
  return PROTOCOLS.filter((one) => byProtocol.has(one))
    .map((one) => `${one} ${byProtocol.get(one)!.join(',')}`)
    .join(',');
}

/** The pods that the rules of these policies speak of, unless a workload is there of which they speak by plain labels. */
function futurePods(cluster: Cluster): Map<string, FuturePods> {
  const found = new Map<string, FuturePods>();
  for (const { ingress = [], egress = [] } of cluster.policies) {
    for (const { peers, notPods = [] } of [...ingress, ...egress]) {
      for (const peer of [...(peers === 'all' ? [] : peers), ...notPods]) {
        const key = keyOf(peer);
        if (peer.is !== 'pods' || found.has(key)) continue;
        const future = futureOf(peer);
        if (future !== EVERY_POD) found.set(key, future);
      }
    }
  }
  for (const [key, { namespaces, pods }] of found) {
    if (!isPlain(namespaces) || !isPlain(pods)) continue;
    const there = cluster.pods.some(({ namespace, labels }) => {
      if (selects(pods, labels) !== YES) return false;
      const own = cluster.namespaces.get(namespace)?.labels ?? { [NAMESPACE_NAME_LABEL]: namespace };
      return selects(namespaces, own) === YES;
    });
    if (there) found.delete(key);
  }
  return found;
}

/** Labels with one value each, and at least one. */
function isPlain({ requirements }: Selector): boolean {
  return (
    requirements.length > 0 && requirements.every(({ operator, values }) => operator === 'In' && values.length === 1)
  );
}

function keyOf(peer: Peer): string {
  return peer.is === 'pods' ? `${namespacesOf(peer).key}\n${peer.pods.key}` : '';
}

function namespacesOf({ namespaces }: PodPeer): Selector {
  if (typeof namespaces !== 'string') return namespaces;
  return selectorOf([{ label: NAMESPACE_NAME_LABEL, operator: 'In', values: [namespaces] }]);
}

function nameOf(namespaces: Selector, pods: Selector): string {
  const place =
    namespaces.requirements.length === 0
      ? '[all namespaces]'
      : (namespaceIn(namespaces) ?? `[namespace with {${selectorText(namespaces)}}]`);
  return `${place}/${pods.requirements.length === 0 ? '[all pods]' : `[pod with {${selectorText(pods)}}]`}`;
}

/** netpol-analyzer: a rule speaks of what has exactly its selectors, or of everything. */
function equals(peer: PodPeer, future: FuturePods): Match {
  const namespaces = namespacesOf(peer);
  const same = (rule: Selector, own: Selector): boolean => rule.requirements.length === 0 || rule.key === own.key;
  return same(namespaces, future.namespaces) && same(peer.pods, future.pods) ? YES : NO;
}

/** Whether a rule speaks of all these pods: its selectors follow from theirs, and from the labels of a namespace that is there. */
export function impliedBy({ namespaces }: Cluster): (peer: PodPeer, future: FuturePods) => Match {
  return (peer, future) => {
    const name = namespaceIn(future.namespaces);
    const known = name === undefined ? undefined : namespaces.get(name)?.labels;
    const wanted = namespacesOf(peer);
    const inside = known === undefined ? follows(wanted, future.namespaces) : selects(wanted, known) === YES;
    return inside && follows(peer.pods, future.pods) ? YES : NO;
  };
}

/** All pods that may come and of which a peer speaks; undefined is everything. */
export function futureOf(peer: PodPeer | undefined): FuturePods {
  if (peer === undefined) return EVERY_POD;
  const namespaces = namespacesOf(peer);
  if (namespaces.requirements.length === 0 && peer.pods.requirements.length === 0) return EVERY_POD;
  return { name: nameOf(namespaces, peer.pods), namespaces, pods: peer.pods };
}

function follows(rule: Selector, own: Selector): boolean {
  return rule.requirements.every((wanted) =>
    own.requirements.some((given) => {
      if (given.label !== wanted.label) return false;
      switch (wanted.operator) {
        case 'In':
          return given.operator === 'In' && given.values.every((value) => wanted.values.includes(value));
        case 'NotIn':
          return (
            given.operator === 'DoesNotExist' ||
            (given.operator === 'In' && !given.values.some((value) => wanted.values.includes(value))) ||
            (given.operator === 'NotIn' && wanted.values.every((value) => given.values.includes(value)))
          );
        case 'Exists':
          return given.operator === 'In' || given.operator === 'Exists';
        default:
          return given.operator === wanted.operator && given.values.join('\n') === wanted.values.join('\n');
      }
    }),
  );
}
