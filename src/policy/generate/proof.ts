import { addressText, type AddressRange, FAMILIES, type Family, rangeText, WHOLE, within } from '../addresses.ts';
import { reasonsOf } from '../connections.ts';
import { type Answer, type Direction, Engine, type PodClass } from '../engine.ts';
import type { Cni } from '../enforcers.ts';
import type { Finding } from '../findings.ts';
import { type BlockPeer, type Cluster, isNamed, peerName, type Pod, type PortRule } from '../model.ts';
import { ALL_PORTS, NO_PORTS, portRange, type PortSet, portText, subtract, unite } from '../port-set.ts';
import { readCluster } from '../read-cluster.ts';
import type { Rendering } from './renderings.ts';
import type { ResolvedEnd, ResolvedFlow } from './resolve.ts';

/** What a rendering admits in another way than was declared. */
export interface Difference {
  /** `depends`: on the network plugin, or on what no manifest says. Else it is a defect of the rendering. */
  readonly is: 'depends' | 'wider' | 'narrower';
  readonly direction: Direction;
  readonly workload: string;
  /** A workload or a range of addresses. */
  readonly peer: string;
  readonly declared: string;
  /** What may be open, and what certainly is. */
  readonly possible: string;
  readonly certain: string;
  readonly why: readonly string[];
}

export interface Proof {
  /** `depends`: where it is certain it is as declared. `unknown`: the policies do not read back. */
  readonly verdict: 'proved' | 'depends' | 'refuted' | 'unknown';
  /** Questions that were asked: pairs of kinds of pods, and ranges of addresses, each in one direction. */
  readonly asked: number;
  /** The first of them, defects first. */
  readonly differences: readonly Difference[];
  readonly count: number;
  readonly errors: readonly Finding[];
}

/** So many differences are listed. */
const LISTED = 200;

/** The plugin that speaks each dialect, where there is one alone. */
const CNI_OF: Readonly<Record<Rendering, Cni | undefined>> = {
  kubernetes: undefined,
  cluster: undefined,
  calico: 'calico',
  cilium: 'cilium',
};

interface Group {
  readonly of: PodClass;
  readonly pods: readonly Pod[];
  readonly from: readonly number[];
  readonly to: ReadonlySet<number>;
  readonly toList: readonly number[];
  readonly fromSet: ReadonlySet<number>;
}

/**
 * Reads policies back by the engine and compares what they admit with the flows: every direction of every pod against
 * every pod, and against all addresses of both families, on all ports. What flows mean is taken from their pods here, and
 * not from the selectors in which they were rendered.
 */
export function prove(
  dialect: Rendering,
  text: string,
  cluster: Cluster,
  flows: readonly ResolvedFlow[],
  closed: readonly string[],
  podRanges: readonly AddressRange[] = [],
  cni = CNI_OF[dialect],
): Proof {
  const bytes = new TextEncoder().encode(text);
  const read = readCluster([{ name: `${dialect}.yaml`, bytes }], { profile: 'specification', cni });
  if (read.findings.errors.length > 0) {
    return { verdict: 'unknown', asked: 0, differences: [], count: 0, errors: [...read.findings.errors] };
  }
  const unplaced = podRanges.map(({ family, from }) => addressText(family, from));
  const pods = cluster.pods.map((pod) =>
    // A pod without known address has one of the ranges of pods, which every block leaves out as a whole.
    pod.addresses.length > 0 || pod.hostNetwork || unplaced.length === 0 ? pod : { ...pod, addresses: unplaced },
  );
  const engine = new Engine({ ...cluster, entrances: [], pods, policies: read.cluster.policies }, 'specification', cni);
  return new Prover(engine, pods, cluster.pods, flows, new Set(closed)).proof();
}

class Prover {
  readonly #engine: Engine;
  readonly #flows: readonly ResolvedFlow[];
  readonly #closed: ReadonlySet<string>;
  readonly #groups: readonly Group[];
  readonly #found: Difference[] = [];
  readonly #byPort = new Map<string, PortSet>();
  #asked = 0;
  #depends = 0;
  #wrong = 0;

  constructor(
    engine: Engine,
    pods: readonly Pod[],
    originals: readonly Pod[],
    flows: readonly ResolvedFlow[],
    closed: ReadonlySet<string>,
  ) {
    this.#engine = engine;
    this.#flows = flows;
    this.#closed = closed;
    const sides = flows.map(({ meant }) => ({ from: new Set(meant.from), to: new Set(meant.to) }));
    const named = flows.some(({ ports }) => ports.some(isNamed));
    const groups = new Map<string, Group & { pods: Pod[] }>();
    pods.forEach((pod, i) => {
      const from = sides.flatMap((side, f) => (side.from.has(originals[i]!) ? [f] : []));
      const to = sides.flatMap((side, f) => (side.to.has(originals[i]!) ? [f] : []));
      const of = engine.classOf(pod);
      const ports = named ? JSON.stringify(pod.ports) : '';
      const key = `${of.id};${from.join()};${to.join()};${ports}`;
      const group = groups.get(key);
      if (group === undefined) {
        groups.set(key, { of, pods: [pod], from, fromSet: new Set(from), to: new Set(to), toList: to });
      } else group.pods.push(pod);
    });
    this.#groups = [...groups.values()];
  }

  proof(): Proof {
    for (const group of this.#groups) {
      // NP-16: what a pod in its node's network may do is no policy's to say.
      if (group.of.hostNetwork) continue;
      for (const direction of ['ingress', 'egress'] as const) {
        this.#pods(group, direction);
        this.#addresses(group, direction);
      }
    }
    const differences = [
      ...this.#found.filter(({ is }) => is !== 'depends'),
      ...this.#found.filter(({ is }) => is === 'depends'),
    ].slice(0, LISTED);
    return {
      verdict: this.#wrong > 0 ? 'refuted' : this.#depends > 0 ? 'depends' : 'proved',
      asked: this.#asked,
      differences,
      count: this.#wrong + this.#depends,
      errors: [],
    };
  }

  #pods(group: Group, direction: Direction): void {
    const reach = this.#engine.reach(group.of, direction);
    const answers = new Map(reach.named.map((id, i) => [id, reach.answers[i]!]));
    for (const peer of this.#groups) {
      // NP-17: what a pod says to itself is not asked.
      if (peer === group && group.pods.length === 1) continue;
      const answer = answers.get(peer.of.id) ?? reach.others(peer.of);
      this.#compare(group, direction, peerName(peer.pods[0]!), this.#declared(group, direction, peer), answer);
    }
  }

  #declared(group: Group, direction: Direction, peer: Group): PortSet {
    if (!this.#closed.has(group.of.namespace)) return ALL_PORTS;
    const own = direction === 'egress' ? group.from : group.toList;
    const other = direction === 'egress' ? peer.to : peer.fromSet;
    const destination = direction === 'egress' ? peer : group;
    let ports = NO_PORTS;
    for (const index of own) {
      const { flow, ports: rules } = this.#flows[index]!;
      if (!other.has(index) || (flow.direction !== 'both' && flow.direction !== direction)) continue;
      for (const rule of rules) ports = unite(ports, this.#portOf(rule, destination.pods[0]!));
    }
    return ports;
  }

  #addresses(group: Group, direction: Direction): void {
    const { addresses } = this.#engine.reach(group.of, direction);
    const declared: { blocks: readonly BlockPeer[]; ports: PortSet }[] = [];
    for (const index of direction === 'egress' ? group.from : group.toList) {
      const { flow, from, to, ports } = this.#flows[index]!;
      const end: ResolvedEnd = direction === 'egress' ? to : from;
      if (end.is === 'pods' || (flow.direction !== 'both' && flow.direction !== direction)) continue;
      const own = direction === 'ingress' ? group.pods[0]! : undefined;
      declared.push({
        blocks: end.blocks,
        ports: ports.reduce((set, rule) => unite(set, this.#portOf(rule, own)), NO_PORTS),
      });
    }
    const open = !this.#closed.has(group.of.namespace);
    for (const family of FAMILIES) {
      for (const range of pieces(
        family,
        addresses,
        declared.flatMap(({ blocks }) => blocks),
      )) {
        const { answer } = addresses.find((one) => one.family === family && within(one, family, range.from))!;
        let ports = open ? ALL_PORTS : NO_PORTS;
        for (const one of declared)
          if (one.blocks.some((block) => covers(block, range))) ports = unite(ports, one.ports);
        this.#compare(group, direction, rangeText(range), ports, answer);
      }
    }
  }

  #compare(
    group: Group,
    direction: Direction,
    peer: string,
    declared: PortSet,
    { possible, certain, why }: Answer,
  ): void {
    this.#asked++;
    if (possible === declared && certain === declared) return;
    const wider = !subtract(certain, declared).empty;
    const narrower = !subtract(declared, possible).empty;
    const is = wider ? 'wider' : narrower ? 'narrower' : 'depends';
    if (is === 'depends') this.#depends++;
    else this.#wrong++;
    if (is === 'depends' && this.#depends > LISTED) return;
    this.#found.push({
      is,
      direction,
      workload: peerName(group.pods[0]!),
      peer,
      declared: portText(declared),
      possible: portText(possible),
      certain: portText(certain),
      why: reasonsOf(why),
    });
  }

  /** The numbers that a port has on a pod; names are no numbers anywhere else. */
  #portOf(rule: PortRule, pod: Pod | undefined): PortSet {
    if (!isNamed(rule)) {
      const key = `${rule.protocol} ${rule.from} ${rule.to}`;
      let set = this.#byPort.get(key);
      if (set === undefined) this.#byPort.set(key, (set = portRange(rule.protocol, rule.from, rule.to)));
      return set;
    }
    let ports = NO_PORTS;
    for (const { name, number, protocol } of pod?.ports ?? []) {
      if (name === rule.name && protocol === rule.protocol) ports = unite(ports, portRange(protocol, number, number));
    }
    return ports;
  }
}

function covers({ range, except }: BlockPeer, { family, from }: AddressRange): boolean {
  return within(range, family, from) && !except.some((hole) => within(hole, family, from));
}

/** A family cut wherever the answer or the declaration may change. */
function pieces(family: Family, addresses: readonly AddressRange[], blocks: readonly BlockPeer[]): AddressRange[] {
  const starts = new Set<bigint>([WHOLE[family].from]);
  for (const one of [...addresses, ...blocks.flatMap(({ range, except }) => [range, ...except])]) {
    if (one.family !== family) continue;
    starts.add(one.from);
    if (one.to < WHOLE[family].to) starts.add(one.to + 1n);
  }
  const sorted = [...starts].sort((a, b) => (a < b ? -1 : 1));
  return sorted.map((from, i) => ({ family, from, to: (sorted[i + 1] ?? WHOLE[family].to + 1n) - 1n }));
}
