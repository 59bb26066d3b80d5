import { type AddressRange, FAMILIES, type Family, parseAddress, WHOLE, within } from './addresses.ts';
import {
  type BlockPeer,
  type Cluster,
  type ContainerPort,
  isNamed,
  NAMESPACE_NAME_LABEL,
  type Peer,
  type Pod,
  type PodPeer,
  type Policy,
  type PortRule,
  type Rule,
  type Tier,
} from './model.ts';
import {
  ALL_PORTS,
  includes,
  intersect,
  NO_PORTS,
  portRange,
  type PortSet,
  type Protocol,
  subtract,
  unite,
} from './port-set.ts';
import { holds, type Labels, type Match, MAYBE, NO, type Selector, selects, YES } from './selector.ts';

/** `np-guard`: blocks never cover pods, every question has one answer. `specification`: what the documents of Kubernetes say. */
export type Profile = 'np-guard' | 'specification';
export type Direction = 'ingress' | 'egress';

/** Why an answer is not certain; bits, so that answers carry several. */
export const WHY = {
  /** NP-11: whether a block of addresses covers pods. */
  blockAndPod: 1,
  /** A pod's address is in no manifest. */
  addressUnknown: 2,
  /** NP-16: a pod in its node's network. */
  hostNetwork: 4,
  /** NP-25: a Baseline policy where a NetworkPolicy covers the other direction only. */
  baseline: 8,
  /** NP-05: a namespace whose labels are in no manifest. */
  namespaceUnknown: 16,
  /** Nodes or domain names as peers. */
  elusivePeer: 32,
  /** Pods of one owner for which the answers differ. */
  podsDiffer: 64,
} as const;

/** Ports that may be allowed and those that are certainly allowed; all that is in `possible` alone depends on `why`. */
export interface Answer {
  readonly possible: PortSet;
  readonly certain: PortSet;
  readonly why: number;
}

const answersKnown = new Map<number, Map<number, Answer>>();

/** Equal answers are the same object. Where both sets are equal nothing depends, and there is no reason. */
export function answerOf(possible: PortSet, certain: PortSet, why: number): Answer {
  const reason = possible === certain ? 0 : why;
  let inner = answersKnown.get(possible.id);
  if (inner === undefined) answersKnown.set(possible.id, (inner = new Map()));
  const key = certain.id * 256 + reason;
  let answer = inner.get(key);
  if (answer === undefined) inner.set(key, (answer = { possible, certain, why: reason }));
  return answer;
}

export const NOTHING: Answer = answerOf(NO_PORTS, NO_PORTS, 0);

/** What both sides let through. */
export function both(a: Answer, b: Answer): Answer {
  if (a === b) return a;
  return answerOf(intersect(a.possible, b.possible), intersect(a.certain, b.certain), a.why | b.why);
}

interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** Pods that no selector, block or named port of these policies can tell apart. */
export interface PodClass {
  readonly id: number;
  readonly namespace: string;
  readonly labels: Labels;
  readonly ports: PortMap;
  readonly hostNetwork: boolean;
  /** Parsed; empty where no manifest says them. */
  readonly addresses: readonly Address[];
  readonly pods: Pod[];
}

interface PortMap {
  readonly id: number;
  readonly ports: readonly ContainerPort[];
}

/** What one direction of some classes of pods admits. Pods that are not named stand for all that no rule tells apart. */
export interface Reach {
  /** Reaches are numbered in each direction; classes to which the same policies apply share one. */
  readonly id: number;
  /** Ids of the classes that a rule names, and beside them what is admitted. */
  readonly named: readonly number[];
  readonly answers: readonly Answer[];
  /** For a pod that is not named; its named ports count in the direction egress. */
  others(peer: PodClass): Answer;
  /** False where `others` never allows anything. */
  readonly othersAllowed: boolean;
  readonly addresses: readonly (AddressRange & { readonly answer: Answer })[];
}

/** A rule with its peers found among the classes, once for all policies that share them. */
interface ResolvedRule {
  readonly rule: Rule;
  /** It holds for every pod, whatever its labels. */
  readonly everyPod: boolean;
  readonly pods: ReadonlyMap<number, Match>;
  readonly blocks: readonly BlockPeer[];
  readonly everyAddress: boolean;
  readonly elusive: boolean;
  /** It is not certain that its policy applies to the subject. */
  readonly unsure: boolean;
  readonly why: number;
  /** A set, where it has no named port. */
  readonly ports: PortSet | undefined;
}

interface ResolvedPolicy {
  readonly id: number;
  /** Whether its ingress rules name ports, which are those of the subject. */
  readonly namedPorts: boolean;
  readonly policy: Policy;
  readonly subjects: ReadonlyMap<number, Match>;
  readonly ingress: readonly ResolvedRule[] | undefined;
  readonly egress: readonly ResolvedRule[] | undefined;
}

/** The rules for one direction of one class, in the order in which they decide. */
interface Stack {
  readonly admin: readonly ResolvedRule[];
  /** Undefined: no NetworkPolicy covers this direction. */
  readonly network: readonly ResolvedRule[] | undefined;
  readonly baseline: readonly ResolvedRule[];
  /** Whether a NetworkPolicy covers the other direction only. */
  readonly half: boolean;
}

interface PodsFound {
  readonly everyPod: boolean;
  readonly pods: ReadonlyMap<number, Match>;
  readonly why: number;
}

/** A rule that matches a packet. */
interface TraceStep {
  readonly policy: Policy;
  readonly rule: Rule;
  /** False where it is not known whether it matches. */
  readonly certain: boolean;
}

interface Trace {
  readonly answer: Answer;
  readonly steps: readonly TraceStep[];
  /** The NetworkPolicies that cover the subject in this direction: what none of them allows is denied. */
  readonly isolating: readonly Policy[];
}

const TIERS: readonly Tier[] = ['admin', 'network', 'baseline'];

/** Leaves out what a rule before it decided. */
function deciding(steps: readonly TraceStep[], isolated: boolean): TraceStep[] {
  const out: TraceStep[] = [];
  for (const tier of TIERS) {
    if (tier === 'baseline' && isolated) break;
    for (const step of steps.filter(({ policy }) => policy.tier === tier)) {
      out.push(step);
      if (tier === 'network' || !step.certain) continue;
      if (step.rule.action !== 'pass') return out;
      break;
    }
  }
  return out;
}

/** The namespace of the pod that stands for a controller of Ingress or Route. */
export const CONTROLLER_NAMESPACE = 'ingress-controller-ns';

export class Engine {
  readonly classes: PodClass[] = [];
  readonly profile: Profile;
  /** The controller of Ingress and Route, where the manifests have one of these. */
  readonly controller: PodClass | undefined;
  readonly #cluster: Cluster;
  readonly #byNamespace = new Map<string, PodClass[]>();
  readonly #byLabel = new Map<string, PodClass[]>();
  readonly #classOf = new Map<Pod, PodClass>();
  readonly #portMaps = new Map<string, PortMap>();
  readonly #found = new Map<string, PodsFound>();
  readonly #selected = new Map<string, readonly PodClass[]>();
  readonly #blockMatches = new Map<string, PodsFound>();
  readonly #namedPorts = new Map<PortRule, Map<number, PortSet>>();
  readonly #rules = new Map<Rule, ResolvedRule>();
  readonly #bySubject = new Map<number, { resolved: ResolvedPolicy; match: Match }[]>();
  readonly #reaches = { ingress: new Map<string, Reach>(), egress: new Map<string, Reach>() };
  #imagined = 0;
  /** The state of each class while a reach is computed; 0 between. */
  readonly #states: Uint32Array;
  readonly policies: readonly ResolvedPolicy[];

  constructor(cluster: Cluster, profile: Profile) {
    this.#cluster = cluster;
    this.profile = profile;
    this.#classify();
    if (cluster.entrances.length > 0) {
      const pod: Pod = {
        namespace: CONTROLLER_NAMESPACE,
        name: 'ingress-controller',
        kind: 'Pod',
        labels: {},
        ports: [],
        hostNetwork: false,
        addresses: [],
        place: cluster.entrances[0]!.place,
      };
      this.controller = this.#addClass(pod, {});
    }
    this.policies = [...cluster.policies]
      .sort((a, b) => a.priority - b.priority)
      .map((policy, id) => this.#resolvePolicy(policy, id));
    this.#states = new Uint32Array(this.classes.length);
    for (const resolved of this.policies) {
      for (const [id, match] of resolved.subjects) {
        const list = this.#bySubject.get(id);
        if (list === undefined) this.#bySubject.set(id, [{ resolved, match }]);
        else list.push({ resolved, match });
      }
    }
  }

  classOf(pod: Pod): PodClass {
    return this.#classOf.get(pod)!;
  }

  /** ALG-1: labels that no selector mentions tell nothing apart. */
  #classify(): void {
    const keys = new Set<string>();
    const mention = (selector: Selector): void => {
      for (const { label } of selector.requirements) keys.add(label);
    };
    const blocks: AddressRange[] = [];
    let namedPorts = false;
    for (const { subject, ingress = [], egress = [] } of this.#cluster.policies) {
      mention(subject.pods);
      for (const { peers, ports } of [...ingress, ...egress]) {
        if (ports !== 'all' && ports.some(isNamed)) namedPorts = true;
        if (peers === 'all') continue;
        for (const peer of peers) {
          if (peer.is === 'pods') mention(peer.pods);
          else if (peer.is === 'block') blocks.push(peer.range, ...peer.except);
        }
      }
    }
    const sorted = [...keys].sort();
    const distinctBlocks = [
      ...new Map(blocks.map((block) => [`${block.family} ${block.from} ${block.to}`, block])).values(),
    ];
    const known = new Map<string, PodClass>();
    for (const pod of this.#cluster.pods) {
      const labels: Record<string, string> = {};
      for (const key of sorted) if (Object.hasOwn(pod.labels, key)) labels[key] = pod.labels[key]!;
      const addresses = this.profile === 'np-guard' ? [] : pod.addresses.map((text) => parseAddress(text)!);
      // ALG-3: of its addresses only their place among the blocks counts.
      const places = addresses
        .map(
          ({ family, value }) =>
            `${family}:${distinctBlocks.map((block) => (within(block, family, value) ? 1 : 0)).join('')}`,
        )
        .sort();
      const ports = this.#portMap(namedPorts ? pod.ports.filter(({ name }) => name !== '') : []);
      const key = JSON.stringify([pod.namespace, labels, ports.id, pod.hostNetwork, places]);
      let found = known.get(key);
      if (found === undefined) {
        found = this.#addClass(pod, labels, ports, addresses);
        known.set(key, found);
      }
      found.pods.push(pod);
      this.#classOf.set(pod, found);
    }
  }

  #portMap(ports: readonly ContainerPort[]): PortMap {
    const key = ports
      .map(({ name, number, protocol }) => `${name} ${protocol} ${number}`)
      .sort()
      .join();
    let map = this.#portMaps.get(key);
    if (map === undefined) {
      map = { id: this.#portMaps.size, ports };
      this.#portMaps.set(key, map);
    }
    return map;
  }

  #addClass(
    pod: Pod,
    labels: Labels,
    ports: PortMap = this.#portMap([]),
    addresses: PodClass['addresses'] = [],
  ): PodClass {
    const added: PodClass = {
      id: this.classes.length,
      namespace: pod.namespace,
      labels,
      ports,
      hostNetwork: this.profile === 'specification' && pod.hostNetwork,
      addresses,
      pods: [],
    };
    this.classes.push(added);
    push(this.#byNamespace, pod.namespace, added);
    for (const [key, value] of Object.entries(labels)) push(this.#byLabel, `${pod.namespace}\n${key}\n${value}`, added);
    return added;
  }

  /** ALG-2: the classes of a namespace that a selector selects; each pair is answered once. */
  #select(namespace: string, selector: Selector): readonly PodClass[] {
    const key = `${namespace}\n${selector.key}`;
    let found = this.#selected.get(key);
    if (found === undefined) {
      const all = this.#byNamespace.get(namespace) ?? [];
      const anchor = selector.requirements.find(({ operator }) => operator === 'In');
      const candidates =
        anchor === undefined
          ? all
          : anchor.values.flatMap((value) => this.#byLabel.get(`${namespace}\n${anchor.label}\n${value}`) ?? []);
      found = candidates.filter(({ labels }) => selector.requirements.every((one) => holds(one, labels)));
      this.#selected.set(key, found);
    }
    return found;
  }

  /** A namespace that is in no manifest has one certain label; np-guard takes it for its only one (CONTRACTS, point 8). */
  #namespaceMatch(name: string, selector: Selector): Match {
    const known = this.#cluster.namespaces.get(name);
    if (known !== undefined) return selects(selector, known.labels);
    const labels = { [NAMESPACE_NAME_LABEL]: name };
    const certain = this.profile === 'np-guard' || name === CONTROLLER_NAMESPACE;
    return selects(selector, labels, certain ? undefined : new Set([NAMESPACE_NAME_LABEL]));
  }

  /** `hostMatch`: what a selector that selects a pod in its node's network is worth. */
  #findPods(peer: PodPeer, hostMatch: Match): PodsFound {
    const { namespaces, pods } = peer;
    const key = `${typeof namespaces === 'string' ? `=${namespaces}` : `~${namespaces.key}`}\n${pods.key}\n${hostMatch}`;
    let found = this.#found.get(key);
    if (found !== undefined) return found;
    const matches = new Map<number, Match>();
    let why = 0;
    let hosts = false;
    const take = (name: string, match: Match): void => {
      if (match === MAYBE) why |= WHY.namespaceUnknown;
      for (const { id, hostNetwork } of this.#select(name, pods)) {
        if (!hostNetwork) matches.set(id, match);
        else {
          hosts = true;
          if (hostMatch === NO) continue;
          why |= WHY.hostNetwork;
          matches.set(id, MAYBE);
        }
      }
    };
    if (typeof namespaces === 'string') take(namespaces, YES);
    else {
      for (const name of this.#byNamespace.keys()) {
        const match = this.#namespaceMatch(name, namespaces);
        if (match !== NO) take(name, match);
      }
    }
    const everyPod =
      typeof namespaces !== 'string' &&
      namespaces.requirements.length === 0 &&
      pods.requirements.length === 0 &&
      !hosts;
    found = { everyPod, pods: matches, why };
    this.#found.set(key, found);
    return found;
  }

  #resolvePolicy(policy: Policy, id: number): ResolvedPolicy {
    const ingress = policy.ingress?.map((rule) => this.#resolveRule(rule, policy));
    return {
      id,
      namedPorts: ingress?.some(({ ports }) => ports === undefined) ?? false,
      policy,
      subjects: this.#findPods(policy.subject, hostMatchOf(policy)).pods,
      ingress,
      egress: policy.egress?.map((rule) => this.#resolveRule(rule, policy)),
    };
  }

  #resolveRule(rule: Rule, policy: Policy): ResolvedRule {
    let resolved = this.#rules.get(rule);
    if (resolved !== undefined) return resolved;
    const ports =
      rule.ports === 'all'
        ? ALL_PORTS
        : rule.ports.some(isNamed)
          ? undefined
          : rule.ports.reduce((set, port) => unite(set, isNamed(port) ? NO_PORTS : plainRange(port)), NO_PORTS);
    if (rule.peers === 'all') {
      resolved = {
        rule,
        everyPod: true,
        pods: new Map(),
        blocks: [],
        everyAddress: true,
        elusive: false,
        unsure: false,
        why: 0,
        ports,
      };
    } else {
      const matches = rule.peers.map((peer) => this.#findPeer(peer, policy));
      // Both families whole cover a pod wherever its address is.
      if (policy.kind !== 'NetworkPolicy' && this.profile === 'specification' && coversAll(rule.peers)) {
        const all = this.classes.filter(({ hostNetwork }) => !hostNetwork).map(({ id }) => [id, YES] as const);
        matches.push({ everyPod: false, pods: new Map(all), why: 0 });
      }
      const everyPod = matches.some((match) => match.everyPod);
      resolved = {
        rule,
        everyPod,
        pods: everyPod
          ? new Map()
          : matches.length === 1
            ? matches[0]!.pods
            : strongest(matches.map(({ pods }) => pods)),
        blocks: rule.peers.filter((peer) => peer.is === 'block'),
        everyAddress: false,
        elusive: rule.peers.some(({ is }) => is === 'nodes' || is === 'domains'),
        unsure: false,
        why: matches.reduce((why, match) => why | match.why, 0),
        ports,
      };
    }
    this.#rules.set(rule, resolved);
    return resolved;
  }

  #findPeer(peer: Peer, policy: Policy): PodsFound {
    if (peer.is === 'pods') return this.#findPods(peer, hostMatchOf(policy));
    if (peer.is !== 'block' || this.profile === 'np-guard') return { everyPod: false, pods: new Map(), why: 0 };
    return this.#blockPods(peer, policy.kind !== 'NetworkPolicy');
  }

  /**
   * Which pods a block covers. Of a NetworkPolicy never certainly, for some enforcers let its blocks cover no pod
   * (NP-11); `networks` of an admin policy do cover pods (NP-23). A pod without known address is covered perhaps
   * by a whole family and by admin policies, which may deny; otherwise the row about the range speaks of it, for to name
   * every such pod in every row would say nothing more.
   */
  #blockPods(block: BlockPeer, coversPods: boolean): PodsFound {
    const { range, except } = block;
    const key = `${range.family} ${range.from} ${range.to} ${except.map(({ from, to }) => `${from}-${to}`).join()} ${coversPods}`;
    let found = this.#blockMatches.get(key);
    if (found === undefined) {
      const pods = new Map<number, Match>();
      let why = 0;
      for (const { id, addresses, hostNetwork } of this.classes) {
        const known = addresses.some(({ family, value }) => covers(block, family, value));
        if (!known && (addresses.length > 0 || !(coversPods || isWhole(range)))) continue;
        const certain =
          known && coversPods && !hostNetwork && addresses.every(({ family, value }) => covers(block, family, value));
        pods.set(id, certain ? YES : MAYBE);
        if (!known) why |= WHY.addressUnknown;
        if (!coversPods) why |= WHY.blockAndPod;
        if (hostNetwork) why |= WHY.hostNetwork;
      }
      found = { everyPod: false, pods, why };
      this.#blockMatches.set(key, found);
    }
    return found;
  }

  /** What one direction of a class admits, for every peer there is. */
  reach(subject: PodClass, direction: Direction): Reach {
    const known = this.#reaches[direction];
    const applying = this.#bySubject.get(subject.id) ?? [];
    const named = direction === 'ingress' && applying.some(({ resolved }) => resolved.namedPorts);
    const ports = named ? subject.ports.id : '';
    const key = `${applying.map(({ resolved, match }) => `${resolved.id}.${match}`).join()};${ports};${subject.hostNetwork}`;
    let found = known.get(key);
    if (found === undefined) {
      found = this.#reachOf(subject, direction, known.size);
      known.set(key, found);
    }
    return found;
  }

  /** What `reach` says of one peer. */
  admits(subject: PodClass, direction: Direction, peer: PodClass): Answer {
    const reach = this.reach(subject, direction);
    return reach.answers[reach.named.indexOf(peer.id)] ?? reach.others(peer);
  }

  /** What one direction would admit if some rules were not there; policies without rules still close what they cover. */
  reachWithout(subject: PodClass, direction: Direction, without: ReadonlySet<Rule>): Reach {
    return this.#reachOf(subject, direction, -1, without);
  }

  #reachOf(subject: PodClass, direction: Direction, id: number, without?: ReadonlySet<Rule>): Reach {
    const stack = this.#stackOf(subject, direction, without);
    const rules = [...stack.admin, ...(stack.network ?? []), ...stack.baseline];
    const general: number[] = [];
    // Each list of rules that match a peer is a state, reached from the list without its last by that one.
    const states: (readonly number[])[] = [[]];
    const steps = new Map<number, number>();
    const stateOf = this.#states;
    const named: number[] = [];
    rules.forEach((rule, index) => {
      if (rule.everyPod) general.push(index * 2);
      for (const [peer, match] of rule.pods) {
        const entry = index * 2 + (match === MAYBE ? 1 : 0);
        const state = stateOf[peer]!;
        if (state === 0) named.push(peer);
        const step = state * rules.length * 2 + entry;
        let next = steps.get(step);
        if (next === undefined) {
          next = states.length;
          states.push([...states[state]!, entry]);
          steps.set(step, next);
        }
        stateOf[peer] = next;
      }
    });
    // Without named ports the peer's ports do not count; in the direction ingress they are those of the subject.
    const byPeer = direction === 'egress' && rules.some(({ ports }) => ports === undefined);
    const memo = new Map<number, Answer>();
    const answer = (state: number, ports: PortMap): Answer => {
      const key = byPeer ? state * this.#portMaps.size + ports.id : state;
      let decided = memo.get(key);
      if (decided === undefined) {
        const matched = [...general, ...states[state]!].sort((a, b) => a - b);
        decided = this.#decide(subject, stack, rules, matched, direction === 'egress' ? ports : subject.ports);
        memo.set(key, decided);
      }
      return decided;
    };
    const answers = named.map((peer) => {
      const decided = answer(stateOf[peer]!, this.classes[peer]!.ports);
      stateOf[peer] = 0;
      return decided;
    });
    // What answers without a named peer needs no other state than the first, and lives as long as the map.
    states.length = 1;
    steps.clear();
    const maps = byPeer ? [...this.#portMaps.values()] : [subject.ports];
    return {
      id,
      named,
      answers,
      others: (peer) => answer(0, peer.ports),
      othersAllowed: maps.some((ports) => !answer(0, ports).possible.empty),
      addresses: this.#addresses(subject, stack, rules, direction),
    };
  }

  /** The policies that apply to a class, or perhaps do, lower priorities first. */
  applying(subject: PodClass): readonly { readonly policy: Policy; readonly match: Match }[] {
    return (this.#bySubject.get(subject.id) ?? []).map(({ resolved, match }) => ({ policy: resolved.policy, match }));
  }

  /**
   * What one direction of a class admits for a pod that is in no manifest. `match` says whether a selector selects it;
   * `ports` are what it calls its own ports.
   */
  imagine(
    subject: PodClass,
    direction: Direction,
    match: (peer: PodPeer) => Match,
    ports: readonly ContainerPort[] = [],
    without?: ReadonlySet<Rule>,
  ): Answer {
    const stack = this.#stackOf(subject, direction, without);
    const rules = [...stack.admin, ...(stack.network ?? []), ...stack.baseline];
    const matched: number[] = [];
    let unplaced = 0;
    rules.forEach(({ rule: { peers } }, index) => {
      let best: Match = peers === 'all' ? YES : NO;
      for (const peer of peers === 'all' ? [] : peers) {
        if (peer.is === 'pods') best = Math.max(best, match(peer)) as Match;
        else if (this.profile === 'specification' && best === NO) {
          // Which address a pod will have is not known.
          best = MAYBE;
          unplaced |= peer.is === 'block' ? WHY.addressUnknown : WHY.elusivePeer;
        }
      }
      if (best !== NO) matched.push(index * 2 + (best === MAYBE ? 1 : 0));
    });
    // Numbers below zero are of ports that no manifest has.
    const own = ports.length === 0 ? undefined : { id: -1 - this.#imagined++, ports };
    const answer = this.#decide(subject, stack, rules, matched, direction === 'egress' ? own : subject.ports);
    return answerOf(answer.possible, answer.certain, answer.why | unplaced);
  }

  /** The rules that decide one packet in one direction, in the order in which they do, and the answer. */
  trace(subject: PodClass, direction: Direction, peer: PodClass | Address, protocol: Protocol, port: number): Trace {
    const isPod = 'labels' in peer;
    const destination = direction === 'ingress' ? subject.ports : isPod ? peer.ports : undefined;
    const steps: TraceStep[] = [];
    for (const { resolved } of this.#bySubject.get(subject.id) ?? []) {
      for (const one of resolved[direction] ?? []) {
        const match = isPod
          ? one.everyPod
            ? YES
            : (one.pods.get(peer.id) ?? NO)
          : one.everyAddress || one.blocks.some((block) => covers(block, peer.family, peer.value))
            ? YES
            : one.elusive && this.profile === 'specification'
              ? MAYBE
              : NO;
        if (match === NO || !includes(this.#portsOf(one, destination), protocol, port)) continue;
        steps.push({ policy: resolved.policy, rule: one.rule, certain: match === YES });
      }
    }
    const rank = ({ policy }: TraceStep): number => TIERS.indexOf(policy.tier);
    const ordered = steps.sort((a, b) => rank(a) - rank(b));
    const isolating = (this.#bySubject.get(subject.id) ?? [])
      .map(({ resolved }) => resolved)
      .filter((resolved) => resolved.policy.tier === 'network' && resolved[direction] !== undefined)
      .map(({ policy }) => policy);
    const reach = this.reach(subject, direction);
    const answer = isPod
      ? this.admits(subject, direction, peer)
      : reach.addresses.find(
          ({ family, from, to }) => family === peer.family && from <= peer.value && to >= peer.value,
        )!.answer;
    return { answer, steps: deciding(ordered, isolating.length > 0), isolating };
  }

  #stackOf(subject: PodClass, direction: Direction, without?: ReadonlySet<Rule>): Stack {
    const admin: ResolvedRule[] = [];
    const baseline: ResolvedRule[] = [];
    let network: ResolvedRule[] | undefined;
    let half = false;
    for (const { resolved, match } of this.#bySubject.get(subject.id) ?? []) {
      const unsure = match === MAYBE && !subject.hostNetwork;
      const kept =
        without === undefined ? resolved[direction] : resolved[direction]?.filter(({ rule }) => !without.has(rule));
      const rules = unsure ? kept?.map((rule) => ({ ...rule, unsure, why: rule.why | WHY.namespaceUnknown })) : kept;
      if (resolved.policy.tier === 'network') {
        if (rules === undefined) half = true;
        else network = [...(network ?? []), ...rules];
      } else if (rules !== undefined) {
        (resolved.policy.tier === 'admin' ? admin : baseline).push(...rules);
      }
    }
    return { admin, network, baseline, half: half && network === undefined };
  }

  /**
   * Lets all ports fall through the tiers. `open` are those that may still be undecided where they stand; a rule that
   * matches perhaps decides them perhaps, and lets them fall on as well.
   */
  #decide(
    subject: PodClass,
    { admin, network, baseline, half }: Stack,
    rules: readonly ResolvedRule[],
    matched: readonly number[],
    destination: PortMap | undefined,
  ): Answer {
    const of = new Map(
      matched.map((entry) => [rules[entry >> 1]!, (entry & 1) === 1 || rules[entry >> 1]!.unsure ? MAYBE : YES]),
    );
    let allowed = NO_PORTS;
    let denied = NO_PORTS;
    let why = 0;
    const tier = (tierRules: readonly ResolvedRule[], entering: PortSet): PortSet => {
      let open = entering;
      let passed = NO_PORTS;
      for (const rule of tierRules) {
        const match = of.get(rule);
        if (match === undefined) continue;
        if (match === MAYBE) why |= rule.why;
        const ports = intersect(open, this.#portsOf(rule, destination));
        if (rule.rule.action === 'allow') allowed = unite(allowed, ports);
        else if (rule.rule.action === 'deny') denied = unite(denied, ports);
        else passed = unite(passed, ports);
        if (match === YES) open = subtract(open, ports);
      }
      return unite(open, passed);
    };
    let open = tier(admin, ALL_PORTS);
    if (network !== undefined) {
      let certain = NO_PORTS;
      let possible = NO_PORTS;
      for (const rule of network) {
        const match = of.get(rule);
        if (match === undefined) continue;
        const ports = this.#portsOf(rule, destination);
        possible = unite(possible, ports);
        if (match === YES) certain = unite(certain, ports);
        else why |= rule.why;
      }
      allowed = unite(allowed, intersect(open, possible));
      denied = unite(denied, subtract(open, certain));
    } else {
      const skipped = half && this.profile === 'specification' ? open : NO_PORTS;
      if (!skipped.empty && baseline.length > 0) why |= WHY.baseline;
      open = tier(baseline, open);
      allowed = unite(allowed, unite(open, skipped));
    }
    if (subject.hostNetwork) {
      why |= WHY.hostNetwork;
      allowed = ALL_PORTS;
    }
    return answerOf(allowed, subtract(allowed, denied), why);
  }

  #portsOf({ rule, ports }: ResolvedRule, destination: PortMap | undefined): PortSet {
    if (ports !== undefined) return ports;
    if (rule.ports === 'all') return ALL_PORTS;
    return rule.ports.reduce((set, port) => unite(set, this.#portOf(port, destination)), NO_PORTS);
  }

  /** NP-08: a named port is what the destination calls so, with the same protocol; an address has no names. */
  #portOf(port: PortRule, destination: PortMap | undefined): PortSet {
    if (!isNamed(port)) return plainRange(port);
    if (destination === undefined) return NO_PORTS;
    let memo = this.#namedPorts.get(port);
    if (memo === undefined) this.#namedPorts.set(port, (memo = new Map()));
    let set = memo.get(destination.id);
    if (set === undefined) {
      set = NO_PORTS;
      for (const { name, number, protocol } of destination.ports) {
        if (name !== port.name || (port.protocol !== undefined && port.protocol !== protocol)) continue;
        set = unite(set, portRange(protocol, number, number));
      }
      memo.set(destination.id, set);
    }
    return set;
  }

  /** ALG-3: both families cut at the bounds of the blocks that count here, and equal neighbours joined. */
  #addresses(
    subject: PodClass,
    stack: Stack,
    rules: readonly ResolvedRule[],
    direction: Direction,
  ): (AddressRange & { answer: Answer })[] {
    const destination = direction === 'egress' ? undefined : subject.ports;
    const memo = new Map<string, Answer>();
    const out: (AddressRange & { answer: Answer })[] = [];
    for (const family of FAMILIES) {
      const cuts = new Set<bigint>([WHOLE[family].from]);
      for (const { blocks } of rules) {
        for (const { range, except } of blocks) {
          for (const bound of [range, ...except]) {
            if (bound.family !== family) continue;
            cuts.add(bound.from);
            cuts.add(bound.to + 1n);
          }
        }
      }
      cuts.delete(WHOLE[family].to + 1n);
      const starts = [...cuts].sort((a, b) => (a < b ? -1 : 1));
      let last: (AddressRange & { answer: Answer }) | undefined;
      starts.forEach((from, i) => {
        const to = (starts[i + 1] ?? WHOLE[family].to + 1n) - 1n;
        const matched: number[] = [];
        rules.forEach((rule, index) => {
          if (rule.everyAddress || rule.blocks.some((block) => covers(block, family, from))) matched.push(index * 2);
          else if (rule.elusive && this.profile === 'specification') matched.push(index * 2 + 1);
        });
        const key = matched.join();
        let answer = memo.get(key);
        if (answer === undefined) {
          answer = this.#decide(subject, stack, rules, matched, destination);
          if (answer.possible !== answer.certain && matched.some((entry) => (entry & 1) === 1)) {
            answer = answerOf(answer.possible, answer.certain, answer.why | WHY.elusivePeer);
          }
          memo.set(key, answer);
        }
        if (last?.answer === answer) {
          last = { ...last, to };
          out[out.length - 1] = last;
        } else {
          last = { family, from, to, answer };
          out.push(last);
        }
      });
    }
    return out;
  }
}

/** NP-16: of pods in their node's network a NetworkPolicy says nothing; a ClusterNetworkPolicy does not select them. */
function hostMatchOf({ kind }: Policy): Match {
  return kind === 'ClusterNetworkPolicy' ? NO : MAYBE;
}

function isWhole({ family, from, to }: AddressRange): boolean {
  return from === WHOLE[family].from && to === WHOLE[family].to;
}

function coversAll(peers: readonly Peer[]): boolean {
  return FAMILIES.every((family) =>
    peers.some((peer) => peer.is === 'block' && peer.range.family === family && isWhole(peer.range)),
  );
}

function covers({ range, except }: BlockPeer, family: Family, value: bigint): boolean {
  return within(range, family, value) && !except.some((hole) => within(hole, family, value));
}

function plainRange({ protocol, from, to }: Exclude<PortRule, { readonly name: string }>): PortSet {
  return portRange(protocol, from, to);
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function strongest(all: readonly ReadonlyMap<number, Match>[]): ReadonlyMap<number, Match> {
  const out = new Map<number, Match>();
  for (const one of all) {
    for (const [id, match] of one) if (match > (out.get(id) ?? NO)) out.set(id, match);
  }
  return out;
}
