import { type AddressRange, rangeText } from '../addresses.ts';
import { connectivity, type Connectivity, type OutsideRow, reasonsOf } from '../connections.ts';
import { type Answer, Engine, NOTHING, WHY } from '../engine.ts';
import type { Cni } from '../enforcers.ts';
import { CONTROLLER } from '../entrances.ts';
import { type Decision, endOf, explainConnection } from '../explanation.ts';
import { type Cluster, NAMESPACE_NAME_LABEL, peerName, type Pod } from '../model.ts';
import { intersect, portText, type PortSet, PROTOCOLS, subtract } from '../port-set.ts';
import { type Labels, type Match, MAYBE, NO, type Selector, selects, YES } from '../selector.ts';
import { selectorText } from '../selector-text.ts';
import { complementOf, type Endpoint, type Invariant } from './invariant.ts';

export type InvariantVerdict = 'holds' | 'violated' | 'depends' | 'vacuous';

export interface InvariantAnswer {
  readonly invariant: Invariant;
  readonly verdict: InvariantVerdict;
  readonly detail: string;
  /** How many pairs speak against it; `witnesses` are the first of them, those first that are certain. */
  readonly against: number;
  readonly witnesses: readonly Witness[];
}

export interface Witness {
  readonly from: string;
  readonly to: string;
  /** That are open and should not be, or closed and should not be. */
  readonly ports: string;
  /** False: it depends on `depends`. */
  readonly certain: boolean;
  readonly depends: readonly string[];
  /** Who decides, of its first port. */
  readonly decisions: readonly Decision[];
}

const WITNESSES = 10;

/** Answers invariants about one cluster. */
export class InvariantChecker {
  readonly #worlds = new Map<string, { cluster: Cluster; engine: Engine; map: Connectivity; index: PeerIndex }>();
  readonly #cluster: Cluster;
  readonly #cni: Cni | undefined;

  constructor(cluster: Cluster, cni: Cni | undefined) {
    this.#cluster = cluster;
    this.#cni = cni;
  }

  check(invariant: Invariant): InvariantAnswer {
    const world = this.#worldFor(invariant);
    const { map, index } = world;
    const [from, to] = [new Side(invariant.from, index), new Side(invariant.to, index)];
    const empty = [
      ['from', from],
      ['to', to],
    ].filter(([, side]) => (side as Side).empty);
    if (empty.length > 0 && !invariant.mayBeEmpty) {
      const words = empty.map(([name]) => `'${String(name)}'`).join(' and ');
      return { invariant, verdict: 'vacuous', detail: `${words} is nothing that is there.`, against: 0, witnesses: [] };
    }
    const found: Against[] =
      invariant.demand === 'allow' ? closed(map, from, to, invariant.ports) : opened(map, from, to, invariant);
    const certain = found.filter((one) => one.certain);
    const verdict = certain.length > 0 ? 'violated' : found.length > 0 ? 'depends' : 'holds';
    const shown = [...certain, ...found.filter((one) => !one.certain)].slice(0, WITNESSES);
    return {
      invariant,
      verdict,
      detail: detailOf(invariant, found.length, certain.length),
      against: found.length,
      witnesses: shown.map((one) => witnessOf(one, world.cluster, world.engine)),
    };
  }

  #worldFor(invariant: Invariant) {
    const come = invariant.future ? futurePods(this.#cluster, invariant) : [];
    const key = JSON.stringify(come.map((pod) => [pod.namespace, pod.name]));
    let world = this.#worlds.get(key);
    if (world === undefined) {
      const cluster = come.length === 0 ? this.#cluster : { ...this.#cluster, pods: [...this.#cluster.pods, ...come] };
      const map = connectivity(cluster, 'specification', this.#cni);
      world = {
        cluster,
        engine: new Engine(cluster, 'specification', this.#cni),
        map,
        index: new PeerIndex(cluster, map),
      };
      this.#worlds.set(key, world);
    }
    return world;
  }
}

function detailOf({ demand }: Invariant, against: number, certain: number): string {
  if (against === 0) return demand === 'allow' ? 'Every pair is open.' : 'No pair is open.';
  const what = demand === 'allow' ? 'closed' : 'open';
  const pairs = (count: number): string => `${count} ${count === 1 ? 'pair' : 'pairs'}`;
  if (certain === against) return `${pairs(against)} ${against === 1 ? 'is' : 'are'} ${what}.`;
  return certain === 0
    ? `Whether ${pairs(against)} ${against === 1 ? 'is' : 'are'} ${what} is not certain.`
    : `${pairs(certain)} certainly ${what}, of ${against} perhaps.`;
}

/** What speaks against an invariant. */
interface Against {
  readonly from: string;
  readonly to: string;
  readonly ports: PortSet;
  readonly certain: boolean;
  readonly why: number;
}

/** Which peers of a map are there, and which of them an endpoint means. */
class PeerIndex {
  readonly peers: readonly string[];
  readonly #cluster: Cluster;
  readonly #podsOf: Map<string, Pod[]>;

  constructor(cluster: Cluster, { peers }: Connectivity) {
    this.peers = peers;
    this.#cluster = cluster;
    this.#podsOf = Map.groupBy(cluster.pods, peerName);
  }

  /** `maybe`: the labels of its namespace are in no manifest, and decide. */
  meant(endpoint: Extract<Endpoint, { is: 'pods' }>): Map<number, Match> {
    const found = new Map<number, Match>();
    this.peers.forEach((name, peer) => {
      if (endpoint.workload !== undefined && endpoint.workload !== name) return;
      let best: Match = NO;
      for (const pod of this.#podsOf.get(name) ?? []) {
        const match =
          selects(endpoint.pods, pod.labels) === YES ? this.#namespace(endpoint.namespaces, pod.namespace) : NO;
        if (match > best) best = match;
      }
      if (best !== NO) found.set(peer, best);
    });
    return found;
  }

  #namespace(wanted: string | Selector, name: string): Match {
    if (typeof wanted === 'string') return wanted === name ? YES : NO;
    const known = this.#cluster.namespaces.get(name);
    if (known !== undefined) return selects(wanted, known.labels);
    return selects(wanted, { [NAMESPACE_NAME_LABEL]: name }, new Set([NAMESPACE_NAME_LABEL]));
  }
}

/** One end of an invariant, looked up. */
class Side {
  readonly peers = new Map<number, Match>();
  readonly ranges: readonly AddressRange[];
  readonly entrances: boolean;

  constructor(endpoints: readonly Endpoint[], index: PeerIndex) {
    for (const endpoint of endpoints) {
      if (endpoint.is !== 'pods') continue;
      for (const [peer, match] of index.meant(endpoint)) {
        if (match > (this.peers.get(peer) ?? NO)) this.peers.set(peer, match);
      }
    }
    this.ranges = endpoints.flatMap((one) => (one.is === 'addresses' ? one.ranges : []));
    this.entrances = endpoints.some(({ is }) => is === 'entrances');
  }

  get empty(): boolean {
    return this.peers.size === 0 && this.ranges.length === 0 && !this.entrances;
  }

  peer(id: number): Match {
    return this.peers.get(id) ?? NO;
  }
}

/** Of `deny` and `only`: what is open between the two sides, or into the second from all that is not the first. */
function opened(map: Connectivity, from: Side, to: Side, { demand, ports }: Invariant): Against[] {
  const found: Against[] = [];
  const { peers } = map;
  const source = (id: number): Match => (demand === 'deny' ? from.peer(id) : ((YES - from.peer(id)) as Match));
  const sources = demand === 'deny' ? from.ranges : complementOf(from.ranges);
  const add = (fromText: string, toText: string, answer: Answer, sure: Match): void => {
    if (sure === NO) return;
    const open = intersect(answer.possible, ports);
    if (open.empty) return;
    const certainly = intersect(answer.certain, ports);
    const certain = !certainly.empty && sure === YES;
    const why = answer.why | (sure === MAYBE ? WHY.namespaceUnknown : 0);
    found.push({ from: fromText, to: toText, ports: certain ? certainly : open, certain, why });
  };
  const weaker = (a: Match, b: Match): Match => (a < b ? a : b);
  for (const pair of map.pairs) {
    add(peers[pair.from]!, peers[pair.to]!, pair.answer, weaker(source(pair.from), to.peer(pair.to)));
  }
  for (const { peer, direction, range, answer } of map.outside) {
    if (direction === 'egress') {
      for (const piece of overlap(range, to.ranges)) add(peers[peer]!, rangeText(piece), answer, source(peer));
    } else {
      for (const piece of overlap(range, sources)) add(rangeText(piece), peers[peer]!, answer, to.peer(peer));
    }
  }
  if (from.entrances === (demand === 'deny')) {
    for (const { to: target, answer } of map.entrances) add(CONTROLLER, peers[target]!, answer, to.peer(target));
  }
  return found;
}

/** Of `allow`: the ports that are not open, pair by pair. */
function closed(map: Connectivity, from: Side, to: Side, ports: PortSet): Against[] {
  const found: Against[] = [];
  const { peers } = map;
  const compare = (fromText: string, toText: string, { possible, certain, why }: Answer): void => {
    const missing = subtract(ports, possible);
    const unsure = subtract(ports, certain);
    if (unsure.empty) return;
    found.push({ from: fromText, to: toText, ports: missing.empty ? unsure : missing, certain: !missing.empty, why });
  };
  if (from.peers.size > 0 && to.peers.size > 0) {
    const answers = new Map(
      map.pairs
        .filter((pair) => from.peers.has(pair.from) && to.peers.has(pair.to))
        .map((pair) => [pair.from * peers.length + pair.to, pair.answer]),
    );
    for (const source of from.peers.keys()) {
      for (const target of to.peers.keys()) {
        if (source === target) continue;
        compare(peers[source]!, peers[target]!, answers.get(source * peers.length + target) ?? NOTHING);
      }
    }
  }
  const rows = Map.groupBy(map.outside, ({ peer, direction }) => `${direction} ${peer}`);
  for (const [side, other, direction] of [
    [from, to, 'egress'],
    [to, from, 'ingress'],
  ] as const) {
    for (const peer of side.peers.keys()) {
      for (const { range, answer } of pieces(rows.get(`${direction} ${peer}`) ?? [], other.ranges)) {
        const ends = [peers[peer]!, rangeText(range)];
        if (direction === 'ingress') ends.reverse();
        compare(ends[0]!, ends[1]!, answer);
      }
    }
  }
  if (from.entrances) {
    const answers = new Map(map.entrances.map((row) => [row.to, row.answer]));
    for (const target of to.peers.keys()) compare(CONTROLLER, peers[target]!, answers.get(target) ?? NOTHING);
  }
  return found;
}

function overlap(range: AddressRange, others: readonly AddressRange[]): AddressRange[] {
  return others
    .filter(({ family, from, to }) => family === range.family && from <= range.to && to >= range.from)
    .map(({ family, from, to }) => ({
      family,
      from: from > range.from ? from : range.from,
      to: to < range.to ? to : range.to,
    }));
}

/** What rows say of ranges, and nothing where no row does. */
function pieces(
  rows: readonly OutsideRow[],
  ranges: readonly AddressRange[],
): { range: AddressRange; answer: Answer }[] {
  return ranges.flatMap((wanted) => {
    const said = rows.flatMap(({ range, answer }) =>
      overlap(range, [wanted]).map((piece) => ({ range: piece, answer })),
    );
    const silent = complementOf(said.map(({ range }) => range)).flatMap((rest) => overlap(rest, [wanted]));
    return [...said, ...silent.map((range) => ({ range, answer: NOTHING }))];
  });
}

function witnessOf({ from, to, ports, certain, why }: Against, cluster: Cluster, engine: Engine): Witness {
  const protocol = PROTOCOLS.toSorted((a, b) => (a === 'TCP' ? -1 : b === 'TCP' ? 1 : 0)).find(
    (one) => ports.intervals[one].length > 0,
  )!;
  const port = ports.intervals[protocol][0]!;
  const [source, target] = [from, to].map((one) => endOf(firstAddress(one), cluster, engine));
  const decisions =
    source === undefined || target === undefined
      ? []
      : explainConnection(cluster, engine, source, target, protocol, port).decisions;
  return { from, to, ports: portText(ports), certain, depends: certain ? [] : reasonsOf(why), decisions };
}

/** The first address of a range that is written out; other words as they are. */
function firstAddress(text: string): string {
  return /^([0-9a-f.:]+)-[0-9a-f.:]+$/.exec(text)?.[1] ?? text;
}

/**
 * Pods that may come to the ends of an invariant: with no label more than the end asks for, and with those that a policy
 * speaks of.
 */
function futurePods(cluster: Cluster, { from, to }: Invariant): Pod[] {
  const spoken = new Map<string, Labels>([['', {}]]);
  for (const { subject, ingress = [], egress = [] } of cluster.policies) {
    for (const peer of [subject, ...[...ingress, ...egress].flatMap(({ peers }) => (peers === 'all' ? [] : peers))]) {
      if (peer.is === 'pods') spoken.set(selectorText(peer.pods), satisfying(peer.pods));
    }
  }
  const place = cluster.pods[0]?.place ?? cluster.policies[0]?.place;
  const come = new Map<string, Pod>();
  if (place === undefined) return [];
  for (const end of [...from, ...to]) {
    if (end.is !== 'pods' || end.workload !== undefined) continue;
    const spaces =
      typeof end.namespaces === 'string'
        ? [end.namespaces]
        : [...new Set([...cluster.namespaces.keys(), ...cluster.pods.map(({ namespace }) => namespace)])].filter(
            (name) => {
              const labels = cluster.namespaces.get(name)?.labels ?? { [NAMESPACE_NAME_LABEL]: name };
              return selects(end.namespaces as Selector, labels) === YES;
            },
          );
    for (const extra of spoken.values()) {
      const labels = { ...extra, ...satisfying(end.pods) };
      if (selects(end.pods, labels) !== YES) continue;
      const words = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
      for (const namespace of spaces) {
        const name = `(a pod that may come${words.length === 0 ? '' : ` with ${words.join(',')}`})`;
        const pod: Pod = { namespace, name, kind: 'Pod', labels, ports: [], hostNetwork: false, addresses: [], place };
        come.set(peerName(pod), pod);
      }
    }
  }
  return [...come.values()];
}

/** Few labels that a selector selects. */
function satisfying({ requirements }: Selector): Labels {
  const labels: Record<string, string> = {};
  for (const { label, operator, values } of requirements) {
    if (operator === 'In') labels[label] = values[0]!;
    else if (operator === 'Exists') labels[label] ??= 'any';
  }
  return labels;
}
