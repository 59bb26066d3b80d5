import { type AddressRange, FAMILIES, type Family, isWhole, parseAddress, WHOLE, within } from './addresses.ts';
import {
  afterTranslation,
  type Applying,
  baselineDecides,
  blocksCoverPods,
  type Cni,
  type Stage,
  stagesOf,
  type World,
  worldsOf,
} from './enforcers.ts';
import {
  ACCOUNT_LABEL,
  ACCOUNT_NAME,
  type BlockPeer,
  type Cluster,
  type ContainerPort,
  dialectOf,
  type ElusivePeer,
  isNamed,
  NAMESPACE_NAME_LABEL,
  type OwnCondition,
  type Peer,
  type Pod,
  type PodPeer,
  type Policy,
  type PortRule,
  type Rule,
  type ServicePort,
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
  /** Policies that some network plugins enforce and others do not. */
  dialect: 128,
  /** A rule that matches a part of the traffic only: some requests, some source ports. */
  narrower: 256,
  /** A service account whose labels are in no manifest. */
  accountUnknown: 512,
  /** What versions of a plugin, or its settings, do differently. */
  setting: 1024,
  /** NP-13: whether a policy sees the address of a Service or that of the pod behind it. */
  service: 2048,
} as const;
const WHY_END = 4096;

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
  const key = certain.id * WHY_END + reason;
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
  /** A selector asks for labels of its service account, which are in no manifest. */
  readonly accountUnknown: boolean;
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
  /** Whether `others` is the same for every peer. */
  readonly othersAlike: boolean;
  readonly addresses: readonly (AddressRange & { readonly answer: Answer })[];
}

/** A rule whose peers are found among the classes when they are asked for, once for all policies that share them. */
class ResolvedRule {
  readonly rule: Rule;
  /** The rule as it is written, of which this one is a consequence. */
  readonly origin: Rule;
  readonly blocks: readonly BlockPeer[];
  readonly everyAddress: boolean;
  readonly elusive: boolean;
  /** Blocks of its policy may cover pods. */
  readonly coversPods: boolean;
  /** The peer's address must lie in one of these too. */
  readonly within: readonly BlockPeer[] | undefined;
  /** For which subjects it is there; undefined: for all of its policy. */
  readonly own: ReadonlyMap<number, Match> | undefined;
  /** A set, where it has no named port. */
  readonly ports: PortSet | undefined;
  /** It matches perhaps, whatever the peer, for these reasons. */
  readonly doubts: number;
  readonly #find: () => PodsFound;
  #found: PodsFound | undefined;

  constructor(known: Omit<ResolvedRule, 'everyPod' | 'pods' | 'why' | 'unsure' | 'doubted'>, find: () => PodsFound) {
    this.rule = known.rule;
    this.origin = known.origin;
    this.blocks = known.blocks;
    this.everyAddress = known.everyAddress;
    this.elusive = known.elusive;
    this.coversPods = known.coversPods;
    this.within = known.within;
    this.own = known.own;
    this.ports = known.ports;
    this.doubts = known.doubts;
    this.#find = find;
  }

  get unsure(): boolean {
    return this.doubts !== 0;
  }

  /** It holds for every pod, whatever its labels. */
  get everyPod(): boolean {
    return this.#peers.everyPod;
  }

  /** Empty where it holds for every pod. */
  get pods(): ReadonlyMap<number, Match> {
    return this.#peers.pods;
  }

  get why(): number {
    return this.#peers.why | this.doubts;
  }

  /** The same, where it is not certain that it applies to the subject. */
  doubted(why: number): ResolvedRule {
    return new ResolvedRule({ ...this, doubts: this.doubts | why }, () => this.#peers);
  }

  get #peers(): PodsFound {
    this.#found ??= this.#find();
    return this.#found;
  }
}

interface ResolvedService {
  readonly namespace: string;
  readonly selector: Selector;
  readonly ports: readonly ServicePort[];
  readonly addresses: readonly Address[];
}

interface ResolvedPolicy {
  readonly id: number;
  /** Whether its ingress rules name ports, which are those of the subject. */
  readonly namedPorts: boolean;
  /** Whether some of its rules hold for some of its subjects only. */
  readonly partial: boolean;
  readonly policy: Policy;
  readonly subjects: ReadonlyMap<number, Match>;
  readonly ingress: readonly ResolvedRule[] | undefined;
  readonly egress: readonly ResolvedRule[] | undefined;
}

/** The rules for one direction of one class. */
interface Stack {
  readonly rules: readonly ResolvedRule[];
  /** By world and enforcer, the stages in which these rules decide. */
  readonly worlds: readonly (readonly (readonly Stage<ResolvedRule>[])[])[];
}

type ReachParts = Pick<Reach, 'named' | 'answers' | 'others' | 'othersAllowed' | 'othersAlike'>;

/** Who is named is found when it is asked for: to know that a wall is there takes much less. */
class LazyReach implements Reach {
  readonly id: number;
  readonly #makeParts: () => ReachParts;
  readonly #makeAddresses: () => Reach['addresses'];
  #parts: ReachParts | undefined;
  #addresses: Reach['addresses'] | undefined;

  constructor(id: number, parts: () => ReachParts, addresses: () => Reach['addresses']) {
    this.id = id;
    this.#makeParts = parts;
    this.#makeAddresses = addresses;
  }

  get named(): readonly number[] {
    return this.#own.named;
  }

  get answers(): readonly Answer[] {
    return this.#own.answers;
  }

  others(peer: PodClass): Answer {
    return this.#own.others(peer);
  }

  get othersAllowed(): boolean {
    return this.#own.othersAllowed;
  }

  get othersAlike(): boolean {
    return this.#own.othersAlike;
  }

  get addresses(): Reach['addresses'] {
    this.#addresses ??= this.#makeAddresses();
    return this.#addresses;
  }

  get #own(): ReachParts {
    this.#parts ??= this.#makeParts();
    return this.#parts;
  }
}

interface Coverage {
  /** For a pod whose address lies in a block. */
  readonly known: Match;
  /** Whether a pod without known address counts as covered perhaps. */
  readonly unknown: boolean;
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

/** The namespace of the pod that stands for a controller of Ingress or Route. */
export const CONTROLLER_NAMESPACE = 'ingress-controller-ns';

export class Engine {
  readonly classes: PodClass[] = [];
  readonly profile: Profile;
  readonly cni: Cni | undefined;
  /** The controller of Ingress and Route, where the manifests have one of these. */
  readonly controller: PodClass | undefined;
  readonly #worlds: readonly World[];
  readonly #cluster: Cluster;
  readonly #byNamespace = new Map<string, PodClass[]>();
  /** By namespace and label, made when a selector asks: the classes by the value of the label. */
  #byLabel = new Map<string, ReadonlyMap<string, PodClass[]>>();
  readonly #classOf = new Map<Pod, PodClass>();
  readonly #portMaps = new Map<string, PortMap>();
  #found = new Map<string, PodsFound>();
  #selected = new Map<string, readonly PodClass[]>();
  #blockMatches = new Map<string, PodsFound>();
  #namedPorts = new Map<PortRule, Map<number, PortSet>>();
  #rules = new Map<Rule, ResolvedRule>();
  readonly #bySubject = new Map<number, { resolved: ResolvedPolicy; match: Match }[]>();
  #reaches = { ingress: new Map<number | string, Reach>(), egress: new Map<number | string, Reach>() };
  #signatures = new Map<string, number>();
  readonly #signatureOf: number[] = [];
  #resolved = new Map<Policy, ResolvedPolicy>();
  #imagined = 0;
  #resolvedServices: readonly ResolvedService[] | undefined;
  /** The state of each class while a reach is computed; 0 between. */
  readonly #states: Uint32Array;
  readonly policies: readonly ResolvedPolicy[];

  /** Of the engine before it takes what is as it was: classes, and reaches of those whose policies are the same objects. */
  readonly continued: boolean;

  /**
   * `cni`: the network plugin, if it is known; without it, what plugins do differently stays open. `before`: an engine for
   * a cluster of which most objects are the same.
   */
  constructor(cluster: Cluster, profile: Profile, cni?: Cni, before?: Engine) {
    this.#cluster = cluster;
    this.profile = profile;
    this.cni = cni;
    const present = new Set(cluster.policies.map(({ kind }) => dialectOf(kind)));
    this.#worlds = worldsOf(profile === 'np-guard' ? new Set() : present, cni);
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
    this.continued = before !== undefined && this.#continues(before);
    if (before !== undefined && this.continued) {
      this.#found = before.#found;
      this.#selected = before.#selected;
      this.#byLabel = before.#byLabel;
      this.#blockMatches = before.#blockMatches;
      this.#namedPorts = before.#namedPorts;
      this.#rules = before.#rules;
      this.#resolved = before.#resolved;
      this.#signatures = before.#signatures;
      this.#reaches = before.#reaches;
    }
    this.policies = [...cluster.policies]
      .sort((a, b) => a.priority - b.priority)
      .map((policy) => {
        let resolved = this.#resolved.get(policy);
        if (resolved === undefined) {
          resolved = this.#resolvePolicy(policy, this.#resolved.size);
          this.#resolved.set(policy, resolved);
        }
        return resolved;
      });
    this.#states = new Uint32Array(this.classes.length);
    for (const resolved of this.policies) {
      for (const [id, match] of resolved.subjects) {
        const list = this.#bySubject.get(id);
        if (list === undefined) this.#bySubject.set(id, [{ resolved, match }]);
        else list.push({ resolved, match });
      }
    }
  }

  /** Whether all that rules find among pods is as it was, so that only policies may have changed. */
  #continues(before: Engine): boolean {
    const [old, now] = [before.#cluster, this.#cluster];
    const alike = <T>(a: readonly T[], b: readonly T[]): boolean =>
      a.length === b.length && a.every((one, i) => one === b[i]);
    // What came and went is kept too, so that from time to time all is made anew.
    if (before.#resolved.size > 2 * now.policies.length + 100) return false;
    return (
      before.profile === this.profile &&
      before.cni === this.cni &&
      JSON.stringify(before.#worlds.map((world) => world.map(({ order, dialects }) => [order, [...dialects]]))) ===
        JSON.stringify(this.#worlds.map((world) => world.map(({ order, dialects }) => [order, [...dialects]]))) &&
      alike([...old.namespaces.values()], [...now.namespaces.values()]) &&
      alike(old.services, now.services) &&
      JSON.stringify([...(old.accounts ?? [])]) === JSON.stringify([...(now.accounts ?? [])]) &&
      (before.controller === undefined) === (this.controller === undefined) &&
      before.classes.length === this.classes.length &&
      [...before.#portMaps.keys()].join('\n') === [...this.#portMaps.keys()].join('\n') &&
      before.classes.every((one, i) => {
        const own = this.classes[i]!;
        return (
          one.namespace === own.namespace &&
          one.ports.id === own.ports.id &&
          one.accountUnknown === own.accountUnknown &&
          alike(one.pods, own.pods) &&
          JSON.stringify(one.labels) === JSON.stringify(own.labels)
        );
      })
    );
  }

  classOf(pod: Pod): PodClass {
    return this.#classOf.get(pod)!;
  }

  /** ALG-1: labels that no selector mentions tell nothing apart. */
  #classify(): void {
    const keys = new Set<string>();
    const mention = ({ pods }: PodPeer): void => {
      for (const { label } of pods.requirements) keys.add(label);
    };
    const blocks: AddressRange[] = [];
    const cover = (list: readonly BlockPeer[] = []): void => {
      for (const { range, except } of list) blocks.push(range, ...except);
    };
    let namedPorts = false;
    for (const { subject, alsoSubject = [], ingress = [], egress = [] } of this.#cluster.policies) {
      [subject, ...alsoSubject].forEach(mention);
      for (const { peers, ports, notPorts = [], notPods = [], within, own } of [...ingress, ...egress]) {
        notPods.forEach(mention);
        if ((ports !== 'all' && ports.some(isNamed)) || notPorts.some(isNamed)) namedPorts = true;
        if (own !== undefined && own.pods !== 'all') own.pods.forEach(mention);
        cover(own?.within);
        cover(own?.blocks);
        own?.notPods?.forEach(mention);
        cover(within);
        if (peers === 'all') continue;
        for (const peer of peers) {
          if (peer.is === 'pods') mention(peer);
          else if (peer.is === 'block') cover([peer]);
        }
      }
    }
    // Blocks may speak of the pods behind a Service, which it selects by labels and by names of ports.
    if (blocks.length > 0 && this.profile === 'specification') {
      for (const { selector, ports } of this.#services()) {
        for (const { label } of selector.requirements) keys.add(label);
        if (ports.some(({ target }) => typeof target === 'string')) namedPorts = true;
      }
    }
    const sorted = [...keys].sort();
    const accounts = sorted.filter((key) => key.startsWith(ACCOUNT_LABEL));
    const placeOf = placesAmong(blocks);
    const known = new Map<string, PodClass>();
    for (const pod of this.#cluster.pods) {
      const labels: Record<string, string> = {};
      let text = '';
      for (const key of sorted) {
        const value = pod.labels[key];
        // What every object has is no text.
        if (typeof value !== 'string') continue;
        labels[key] = value;
        text += `${key}=${value}\n`;
      }
      if (keys.has(ACCOUNT_NAME)) labels[ACCOUNT_NAME] = pod.account ?? 'default';
      const account =
        accounts.length === 0 ? undefined : this.#cluster.accounts?.get(`${pod.namespace}/${pod.account ?? 'default'}`);
      for (const key of accounts) {
        const label = key.slice(ACCOUNT_LABEL.length);
        if (account !== undefined && Object.hasOwn(account, label)) labels[key] = account[label]!;
      }
      const addresses = this.profile === 'np-guard' ? [] : pod.addresses.map((text) => parseAddress(text)!);
      // ALG-3: of its addresses only their place among the blocks counts.
      const places = addresses.map(placeOf).sort();
      const ports = this.#portMap(namedPorts ? pod.ports.filter(({ name }) => name !== '') : []);
      const accountUnknown = accounts.length > 0 && account === undefined;
      const accountText = keys.has(ACCOUNT_NAME) || accounts.length > 0 ? JSON.stringify(labels) : '';
      const key = `${pod.namespace}\n${text}${ports.id} ${pod.hostNetwork} ${places.join()} ${accountUnknown}${accountText}`;
      let found = known.get(key);
      if (found === undefined) {
        found = this.#addClass(pod, labels, ports, addresses, accountUnknown);
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
    accountUnknown = false,
  ): PodClass {
    const added: PodClass = {
      id: this.classes.length,
      namespace: pod.namespace,
      labels,
      ports,
      hostNetwork: this.profile === 'specification' && pod.hostNetwork,
      addresses,
      accountUnknown,
      pods: [],
    };
    this.classes.push(added);
    push(this.#byNamespace, pod.namespace, added);
    return added;
  }

  /** ALG-2: the classes of a namespace that a selector selects; each pair is answered once. */
  #select(namespace: string, selector: Selector): readonly PodClass[] {
    const key = `${namespace}\n${selector.key}`;
    let found = this.#selected.get(key);
    if (found === undefined) {
      const all = this.#byNamespace.get(namespace) ?? [];
      const anchor = selector.requirements.find(
        ({ operator, label }) => operator === 'In' && !label.startsWith(ACCOUNT_LABEL),
      );
      const candidates =
        anchor === undefined
          ? all
          : anchor.values.flatMap((value) => this.#valuesOf(namespace, anchor.label, all).get(value) ?? []);
      found = candidates.filter(({ labels, accountUnknown }) =>
        selector.requirements.every(
          (one) => (accountUnknown && one.label.startsWith(ACCOUNT_LABEL)) || holds(one, labels),
        ),
      );
      this.#selected.set(key, found);
    }
    return found;
  }

  #valuesOf(namespace: string, label: string, all: readonly PodClass[]): ReadonlyMap<string, PodClass[]> {
    const key = `${namespace}\n${label}`;
    let values = this.#byLabel.get(key);
    if (values === undefined) {
      const made = new Map<string, PodClass[]>();
      for (const one of all) if (Object.hasOwn(one.labels, label)) push(made, one.labels[label]!, one);
      this.#byLabel.set(key, (values = made));
    }
    return values;
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
    const { namespaces, pods, unsure = 0 } = peer;
    const key = `${typeof namespaces === 'string' ? `=${namespaces}` : `~${namespaces.key}`}\n${pods.key}\n${hostMatch} ${unsure}`;
    let found = this.#found.get(key);
    if (found !== undefined) return found;
    const matches = new Map<number, Match>();
    let why = unsure;
    let hosts = false;
    const asksAccount = pods.requirements.some(({ label }) => label.startsWith(ACCOUNT_LABEL));
    const take = (name: string, match: Match): void => {
      if (match === MAYBE) why |= WHY.namespaceUnknown;
      for (const { id, hostNetwork, accountUnknown } of this.#select(name, pods)) {
        if (accountUnknown && asksAccount) why |= WHY.accountUnknown;
        if (!hostNetwork) matches.set(id, unsure !== 0 || (accountUnknown && asksAccount) ? MAYBE : match);
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
      unsure === 0 &&
      !hosts;
    found = { everyPod, pods: matches, why };
    this.#found.set(key, found);
    return found;
  }

  #resolvePolicy(policy: Policy, id: number): ResolvedPolicy {
    const ingress = policy.ingress?.map((rule) => this.#resolveRule(rule, policy));
    const egress = policy.egress?.flatMap((rule) =>
      [rule, ...this.#throughServices(rule, policy)].map((one) => this.#resolveRule(one, policy, rule)),
    );
    return {
      id,
      namedPorts: ingress?.some(namesPorts) ?? false,
      partial: [...(ingress ?? []), ...(egress ?? [])].some(({ own }) => own !== undefined),
      policy,
      subjects: this.#anyPods([policy.subject, ...(policy.alsoSubject ?? [])], policy).pods,
      ingress,
      egress,
    };
  }

  #anyPods(peers: readonly PodPeer[], policy: Policy): PodsFound {
    const found = peers.map((peer) => this.#findPods(peer, hostMatchOf(policy)));
    return found.length === 1 ? found[0]! : strongest(found);
  }

  /**
   * NP-13: where a policy is enforced before the address of a Service is translated, a block with that address in it
   * speaks of the pods behind the Service. Calico and Cilium enforce after the translation.
   */
  #throughServices(rule: Rule, policy: Policy): Rule[] {
    const settled = afterTranslation(this.cni);
    if (rule.peers === 'all' || this.profile === 'np-guard' || settled || policy.tier === 'cilium') return [];
    if (policy.tier === 'calico') return [];
    const blocks = rule.peers.filter((peer) => peer.is === 'block');
    if (blocks.length === 0) return [];
    const through: Rule[] = [];
    for (const { namespace, selector, ports, addresses } of this.#services()) {
      if (!addresses.some(({ family, value }) => blocks.some((block) => covers(block, family, value)))) continue;
      const led = ports.filter(
        ({ protocol, number }) =>
          rule.ports === 'all' ||
          rule.ports.some(
            (port) => !isNamed(port) && port.protocol === protocol && port.from <= number && number <= port.to,
          ),
      );
      if (led.length === 0) continue;
      through.push({
        ...rule,
        peers: [{ is: 'pods', namespaces: namespace, pods: selector, unsure: WHY.service }],
        ports: led.map(({ protocol, target }) =>
          typeof target === 'number' ? { protocol, from: target, to: target } : { protocol, name: target },
        ),
      });
    }
    return through;
  }

  /** Services with a selector and with known addresses. */
  #services(): readonly ResolvedService[] {
    this.#resolvedServices ??= this.#cluster.services.flatMap(({ namespace, selector, ports, addresses = [] }) =>
      selector === undefined || addresses.length === 0
        ? []
        : [{ namespace, selector, ports, addresses: addresses.map((text) => parseAddress(text)!) }],
    );
    return this.#resolvedServices;
  }

  #resolveRule(rule: Rule, policy: Policy, origin = rule): ResolvedRule {
    let resolved = this.#rules.get(rule);
    if (resolved !== undefined) return resolved;
    const ports =
      rule.ports === 'all'
        ? ALL_PORTS
        : rule.ports.some(isNamed)
          ? undefined
          : rule.ports.reduce((set, port) => unite(set, isNamed(port) ? NO_PORTS : plainRange(port)), NO_PORTS);
    const { peers } = rule;
    const coversPods = this.#coverage(policy, rule.action).known !== NO;
    resolved = new ResolvedRule(
      {
        rule,
        origin,
        blocks: peers === 'all' ? [] : peers.filter((peer) => peer.is === 'block'),
        everyAddress: peers === 'all',
        elusive: peers !== 'all' && peers.some((peer) => isElusive(peer) && peer.outside !== false),
        coversPods,
        within: rule.within,
        own: rule.own === undefined ? undefined : this.#ownOf(rule.own, policy),
        ports,
        doubts: rule.narrower === undefined ? 0 : WHY.narrower,
      },
      () => this.#findPeers(rule, policy),
    );
    this.#rules.set(rule, resolved);
    return resolved;
  }

  #findPeers({ peers, action, within, notPods }: Rule, policy: Policy): PodsFound {
    let found: PodsFound = { everyPod: true, pods: new Map(), why: 0 };
    if (peers !== 'all') {
      const matches = peers.map((peer) => this.#findPeer(peer, policy, action));
      // Both families whole cover a pod wherever its address is.
      if (this.#coverage(policy, action).known === YES && this.profile === 'specification' && coversAll(peers)) {
        matches.push(this.#everyOther());
      }
      found = matches.length === 1 ? matches[0]! : strongest(matches);
      if (found.everyPod) found = { ...found, pods: new Map() };
    }
    if (within !== undefined) found = this.#inside(found, within, policy);
    if (notPods !== undefined) found = this.#without(found, this.#anyPods(notPods, policy));
    return found;
  }

  /** All pods but those in their node's network. */
  #everyOther(): PodsFound {
    const all = this.classes.filter(({ hostNetwork }) => !hostNetwork).map(({ id }) => [id, YES] as const);
    return { everyPod: false, pods: new Map(all), why: 0 };
  }

  /** Those of the pods found whose address lies in one of these blocks. */
  #inside(found: PodsFound, blocks: readonly BlockPeer[], policy: Policy): PodsFound {
    const pods = found.everyPod ? new Map(this.classes.map(({ id }) => [id, YES as Match])) : found.pods;
    const coverage = { ...this.#coverage(policy, 'deny'), unknown: true };
    const inside = strongest(blocks.map((block) => this.#blockPods(block, coverage)));
    // Both families whole cover a pod wherever its address is.
    if (coversAll(blocks)) return { everyPod: found.everyPod, pods: found.pods, why: found.why };
    const out = new Map<number, Match>();
    for (const [id, match] of pods) {
      const other = inside.pods.get(id) ?? NO;
      if (other !== NO) out.set(id, match < other ? match : other);
    }
    return { everyPod: false, pods: out, why: found.why | inside.why };
  }

  #without(found: PodsFound, not: PodsFound): PodsFound {
    const pods = found.everyPod ? new Map(this.classes.map(({ id }) => [id, YES as Match])) : new Map(found.pods);
    for (const id of [...pods.keys()]) {
      const match = not.everyPod ? YES : (not.pods.get(id) ?? NO);
      if (match === YES) pods.delete(id);
      else if (match === MAYBE) pods.set(id, MAYBE);
    }
    return { everyPod: false, pods, why: found.why | not.why };
  }

  #ownOf({ pods, blocks = [], notPods = [], within }: OwnCondition, policy: Policy): ReadonlyMap<number, Match> {
    let found: PodsFound =
      pods === 'all'
        ? { everyPod: true, pods: new Map(), why: 0 }
        : strongest([
            this.#anyPods(pods, policy),
            ...blocks.map((block) => this.#blockPods(block, this.#coverage(policy, 'allow'))),
          ]);
    if (within !== undefined) found = this.#inside(found, within, policy);
    if (notPods.length > 0) found = this.#without(found, this.#anyPods(notPods, policy));
    if (!found.everyPod || found.pods.size > 0) return found.pods;
    return new Map(this.classes.map(({ id }) => [id, YES as Match]));
  }

  #findPeer(peer: Peer, policy: Policy, action: Rule['action']): PodsFound {
    if (peer.is === 'pods') return this.#findPods(peer, hostMatchOf(policy));
    if (this.profile === 'np-guard') return { everyPod: false, pods: new Map(), why: 0 };
    if (peer.is === 'block' && peer.podsApart === true) return { everyPod: false, pods: new Map(), why: 0 };
    if (peer.is === 'block') return this.#blockPods(peer, this.#coverage(policy, action));
    const hosts = peer.hosts === true ? this.classes.filter(({ hostNetwork }) => hostNetwork) : [];
    return { everyPod: false, pods: new Map(hosts.map(({ id }) => [id, MAYBE])), why: WHY.hostNetwork };
  }

  /**
   * Whether blocks of a policy cover pods (NP-11), and whether pods without known address count among those. Blocks of
   * Cilium never do (docs.cilium.io security/policy/layer3, "IP/CIDR based"); nets of Calico are looked up by the
   * packet's address (felix/rules); `networks` of an admin policy do (NP-23).
   */
  #coverage({ kind }: Policy, action: Rule['action']): Coverage {
    const dialect = dialectOf(kind);
    if (dialect === 'Cilium') return { known: NO, unknown: false };
    if (dialect === 'Calico') return { known: YES, unknown: action !== 'allow' };
    if (dialect !== 'NetworkPolicy') return { known: YES, unknown: true };
    return { known: blocksCoverPods(this.cni), unknown: false };
  }

  /**
   * Which pods a block covers. A pod without known address is covered perhaps by a whole family and by policies that may
   * deny; otherwise the row about the range speaks of it, for to name every such pod in every row would say nothing more.
   */
  #blockPods(block: BlockPeer, coverage: Coverage): PodsFound {
    const { range, except } = block;
    const key = `${range.family} ${range.from} ${range.to} ${except.map(({ from, to }) => `${from}-${to}`).join()} ${coverage.known}${coverage.unknown}`;
    let found = this.#blockMatches.get(key);
    if (found === undefined) {
      const pods = new Map<number, Match>();
      let why = 0;
      for (const { id, addresses, hostNetwork } of coverage.known === NO ? [] : this.classes) {
        const known = addresses.some(({ family, value }) => covers(block, family, value));
        if (!known && (addresses.length > 0 || !(coverage.unknown || isWhole(range)))) continue;
        const all = addresses.every(({ family, value }) => covers(block, family, value));
        pods.set(id, known && all && coverage.known === YES && !hostNetwork ? YES : MAYBE);
        if (!known || !all) why |= WHY.addressUnknown;
        if (coverage.known !== YES) why |= WHY.blockAndPod;
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
    const signature = this.#signature(subject, applying) * 2 + (subject.hostNetwork ? 1 : 0);
    const key = ports === '' ? signature : `${signature};${ports}`;
    let found = known.get(key);
    if (found === undefined) {
      found = this.#reachOf(subject, direction, known.size);
      known.set(key, found);
    }
    return found;
  }

  /** Equal for classes to which the same policies apply in the same way. */
  #signature(
    subject: PodClass,
    applying: readonly { readonly resolved: ResolvedPolicy; readonly match: Match }[],
  ): number {
    let known = this.#signatureOf[subject.id];
    if (known === undefined) {
      let text = '';
      let partial = false;
      for (const { resolved, match } of applying) {
        text += `${resolved.id * 4 + match},`;
        partial ||= resolved.partial;
      }
      if (partial) text += this.#ownKey(subject, applying);
      known = this.#signatures.get(text);
      if (known === undefined) this.#signatures.set(text, (known = this.#signatures.size));
      this.#signatureOf[subject.id] = known;
    }
    return known;
  }

  #ownKey(subject: PodClass, applying: readonly { readonly resolved: ResolvedPolicy }[]): string {
    const parts: string[] = [];
    for (const { resolved } of applying) {
      for (const { own } of [...(resolved.ingress ?? []), ...(resolved.egress ?? [])]) {
        if (own !== undefined) parts.push(String(own.get(subject.id) ?? NO));
      }
    }
    return `;${parts.join('')}`;
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
    return new LazyReach(
      id,
      () => this.#reachParts(subject, direction, stack),
      () => this.#addresses(subject, stack, stack.rules, direction),
    );
  }

  #reachParts(subject: PodClass, direction: Direction, stack: Stack): ReachParts {
    const { rules } = stack;
    const general: number[] = [];
    // Each list of rules that match a peer is a state, reached from the list without its last by that one.
    const states: (readonly number[])[] = [[]];
    const steps = new Map<number, number>();
    const stateOf = this.#states;
    const named: number[] = [];
    rules.forEach((rule, index) => {
      if (rule.everyPod) general.push(index * 2);
      rule.pods.forEach((match, peer) => {
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
      });
    });
    // Without named ports the peer's ports do not count; in the direction ingress they are those of the subject.
    const byPeer = direction === 'egress' && rules.some(namesPorts);
    const memo = new Map<number, Answer>();
    const answer = (state: number, ports: PortMap): Answer => {
      const key = byPeer ? state * this.#portMaps.size + ports.id : state;
      let decided = memo.get(key);
      if (decided === undefined) {
        const own = states[state]!;
        const matched = general.length === 0 ? own : [...general, ...own].sort((a, b) => a - b);
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
      named,
      answers,
      others: (peer) => answer(0, peer.ports),
      othersAllowed: maps.some((ports) => !answer(0, ports).possible.empty),
      othersAlike: !byPeer,
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
    const { rules } = stack;
    const matched: number[] = [];
    let unplaced = 0;
    rules.forEach(({ rule: { peers, within, notPods = [] }, coversPods }, index) => {
      let best: Match = peers === 'all' ? YES : NO;
      for (const peer of peers === 'all' ? [] : peers) {
        if (peer.is === 'pods') best = Math.max(best, match(peer)) as Match;
        else if (this.profile === 'specification' && best === NO && coversPods) {
          // Which address a pod will have is not known.
          best = MAYBE;
          unplaced |= peer.is === 'block' ? WHY.addressUnknown : WHY.elusivePeer;
        }
      }
      const not = Math.max(NO, ...notPods.map(match));
      if (not === YES) best = NO;
      else if (not === MAYBE && best === YES) best = MAYBE;
      if (best === YES && within !== undefined) {
        best = MAYBE;
        unplaced |= WHY.addressUnknown;
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
    const { rules, worlds } = this.#stackOf(subject, direction);
    const matches = new Map<Rule, Match>();
    for (const one of rules) {
      const match = isPod
        ? one.everyPod
          ? YES
          : (one.pods.get(peer.id) ?? NO)
        : this.#addressMatch(one, peer.family, peer.value);
      if (match === NO || !includes(this.#portsOf(one, destination), protocol, port)) continue;
      matches.set(one.rule, one.unsure ? MAYBE : match);
    }
    const policyOf = new Map<Rule, Policy>();
    const applying = this.#bySubject.get(subject.id) ?? [];
    for (const { resolved } of applying) {
      for (const { rule } of resolved[direction] ?? []) policyOf.set(rule, resolved.policy);
    }
    const steps = new Map<Rule, TraceStep>();
    for (const stages of worlds.flat()) {
      for (const { rule, certain } of deciding(stages, matches)) {
        if (!steps.has(rule)) steps.set(rule, { policy: policyOf.get(rule)!, rule, certain });
      }
    }
    const isolating = applying
      .map(({ resolved }) => resolved)
      .filter(
        ({ policy, [direction]: own }) =>
          own !== undefined &&
          policy.tier !== 'admin' &&
          policy.tier !== 'baseline' &&
          policy.calico?.otherwise !== 'pass' &&
          policy.leavesOpen?.includes(direction) !== true,
      )
      .map(({ policy }) => policy);
    const reach = this.reach(subject, direction);
    const answer = isPod
      ? this.admits(subject, direction, peer)
      : reach.addresses.find(
          ({ family, from, to }) => family === peer.family && from <= peer.value && to >= peer.value,
        )!.answer;
    return { answer, steps: [...steps.values()], isolating };
  }

  #stackOf(subject: PodClass, direction: Direction, without?: ReadonlySet<Rule>): Stack {
    const applying: Applying<ResolvedRule>[] = [];
    for (const { resolved, match } of this.#bySubject.get(subject.id) ?? []) {
      const sure = match === YES || subject.hostNetwork;
      const rules = resolved[direction]?.flatMap((rule) => {
        const own = rule.own === undefined ? YES : (rule.own.get(subject.id) ?? NO);
        if (own === NO || without?.has(rule.origin) === true) return [];
        if (sure && own === YES) return [rule];
        return [rule.doubted(sure ? WHY.addressUnknown : WHY.namespaceUnknown)];
      });
      applying.push({ policy: resolved.policy, rules, match: subject.hostNetwork ? YES : match });
    }
    return {
      rules: applying.flatMap(({ rules = [] }) => rules),
      worlds: this.#worlds.map((world) => world.map((enforcer) => stagesOf(enforcer, applying, direction))),
    };
  }

  /** What passes is what every enforcer of a world lets through; what differs among worlds depends on the plugin. */
  #decide(
    subject: PodClass,
    { worlds }: Stack,
    rules: readonly ResolvedRule[],
    matched: readonly number[],
    destination: PortMap | undefined,
  ): Answer {
    const of = new Map<ResolvedRule, Match>(
      matched.map((entry) => [rules[entry >> 1]!, (entry & 1) === 1 || rules[entry >> 1]!.unsure ? MAYBE : YES]),
    );
    let answer: Answer | undefined;
    for (const world of worlds) {
      let inWorld: Answer | undefined;
      for (const stages of world) {
        const own = this.#fall(stages, of, destination);
        inWorld = inWorld === undefined ? own : both(inWorld, own);
      }
      if (inWorld === undefined || answer === inWorld) continue;
      answer = answer === undefined ? inWorld : either(answer, inWorld);
    }
    const { certain, why } = answer!;
    return subject.hostNetwork ? answerOf(ALL_PORTS, certain, why | WHY.hostNetwork) : answer!;
  }

  /**
   * Lets all ports fall through the stages. `open` are those that may still be undecided where they stand; a rule that
   * matches perhaps decides them perhaps, and lets them fall on as well.
   */
  #fall(
    stages: readonly Stage<ResolvedRule>[],
    of: ReadonlyMap<ResolvedRule, Match>,
    destination: PortMap | undefined,
  ): Answer {
    let allowed = NO_PORTS;
    let denied = NO_PORTS;
    let why = 0;
    let open = ALL_PORTS;
    for (const { rules, closes, half } of stages) {
      let skipped = NO_PORTS;
      if (half && this.profile === 'specification' && !baselineDecides(this.cni) && rules.length > 0 && !open.empty) {
        skipped = open;
        why |= WHY.baseline;
      }
      let passed = NO_PORTS;
      for (const rule of rules) {
        const match = of.get(rule);
        if (match === undefined) continue;
        if (match === MAYBE) why |= rule.why;
        const ports = intersect(open, this.#portsOf(rule, destination));
        if (rule.rule.action === 'allow') allowed = unite(allowed, ports);
        else if (rule.rule.action === 'deny') denied = unite(denied, ports);
        else passed = unite(passed, ports);
        if (match === YES) open = subtract(open, ports);
      }
      if (closes !== NO) denied = unite(denied, open);
      if (closes === YES) open = NO_PORTS;
      else if (closes === MAYBE) why |= WHY.namespaceUnknown;
      open = unite(unite(open, passed), skipped);
      if (!skipped.empty) allowed = unite(allowed, skipped);
    }
    allowed = unite(allowed, open);
    return answerOf(allowed, subtract(allowed, denied), why);
  }

  #portsOf({ rule, ports }: ResolvedRule, destination: PortMap | undefined): PortSet {
    const all =
      ports ??
      (rule.ports === 'all'
        ? ALL_PORTS
        : rule.ports.reduce((set, port) => unite(set, this.#portOf(port, destination)), NO_PORTS));
    if (rule.notPorts === undefined) return all;
    return rule.notPorts.reduce((set, port) => subtract(set, this.#portOf(port, destination)), all);
  }

  #addressMatch({ everyAddress, blocks, within, elusive }: ResolvedRule, family: Family, value: bigint): Match {
    if (within !== undefined && !within.some((block) => covers(block, family, value))) return NO;
    if (everyAddress || blocks.some((block) => covers(block, family, value))) return YES;
    return elusive && this.profile === 'specification' ? MAYBE : NO;
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
    if (!rules.some(({ everyAddress, blocks, elusive }) => everyAddress || elusive || blocks.length > 0)) {
      const answer = this.#decide(subject, stack, rules, [], destination);
      return FAMILIES.map((family) => ({ ...WHOLE[family], answer }));
    }
    for (const family of FAMILIES) {
      const cuts = new Set<bigint>([WHOLE[family].from]);
      for (const { blocks, within = [] } of rules) {
        for (const { range, except } of [...blocks, ...within]) {
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
          const match = this.#addressMatch(rule, family, from);
          if (match !== NO) matched.push(index * 2 + (match === MAYBE ? 1 : 0));
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

/**
 * NP-16: of pods in their node's network a NetworkPolicy says nothing; a ClusterNetworkPolicy does not select them, and
 * in Cilium and Calico they are no endpoints that a selector could select.
 */
function hostMatchOf({ kind }: Policy): Match {
  return kind === 'NetworkPolicy' || dialectOf(kind) === 'AdminNetworkPolicy' ? MAYBE : NO;
}

function coversAll(peers: readonly Peer[]): boolean {
  return FAMILIES.every((family) =>
    peers.some(
      (peer) =>
        peer.is === 'block' &&
        peer.range.family === family &&
        isWhole(peer.range) &&
        peer.except.length === 0 &&
        peer.podsApart !== true,
    ),
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

function strongest(all: readonly PodsFound[]): PodsFound {
  const some = all.filter(({ pods }) => pods.size > 0).sort((a, b) => b.pods.size - a.pods.size);
  let pods: ReadonlyMap<number, Match> = some[0]?.pods ?? new Map();
  if (some.length > 1) {
    // The largest is copied whole, which takes less than to put its pods in one by one.
    const merged = new Map(pods);
    for (const one of some.slice(1)) {
      for (const [id, match] of one.pods) if (match > (merged.get(id) ?? NO)) merged.set(id, match);
    }
    pods = merged;
  }
  return {
    everyPod: all.some(({ everyPod }) => everyPod),
    pods,
    why: all.reduce((why, one) => why | one.why, 0),
  };
}

/** The rules that decide, in order: what a rule before them decided is left out. */
function deciding(
  stages: readonly Stage<ResolvedRule>[],
  matches: ReadonlyMap<Rule, Match>,
): { readonly rule: Rule; readonly certain: boolean }[] {
  const out: { rule: Rule; certain: boolean }[] = [];
  for (const { rules, union, closes } of stages) {
    let passed = false;
    let decided = false;
    for (const { rule } of rules) {
      const match = matches.get(rule);
      if (match === undefined) continue;
      out.push({ rule, certain: match === YES });
      if (match !== YES) continue;
      passed = rule.action === 'pass';
      decided ||= !passed;
      if (!union) break;
    }
    if (decided || (closes === YES && !passed)) break;
  }
  return out;
}

/** What one of two worlds lets through, and what both do. */
function either(a: Answer, b: Answer): Answer {
  const dialect = a.possible === b.possible && a.certain === b.certain ? 0 : WHY.dialect;
  return answerOf(unite(a.possible, b.possible), intersect(a.certain, b.certain), a.why | b.why | dialect);
}

/** What it covers depends on what the destination calls its ports. */
function namesPorts({ rule, ports }: ResolvedRule): boolean {
  return ports === undefined || (rule.notPorts?.some(isNamed) ?? false);
}

function isElusive(peer: Peer): peer is ElusivePeer {
  return peer.is !== 'pods' && peer.is !== 'block';
}

/** Where an address lies among blocks: equal for two addresses if each block covers both or neither. */
function placesAmong(blocks: readonly AddressRange[]): (address: Address) => string {
  const distinct = [...new Map(blocks.map((block) => [`${block.family} ${block.from} ${block.to}`, block])).values()];
  const cuts = Object.fromEntries(
    FAMILIES.map((family) => {
      const own = distinct.filter((block) => block.family === family);
      return [
        family,
        [...new Set([0n, ...own.flatMap(({ from, to }) => [from, to + 1n])])].sort((a, b) => (a < b ? -1 : 1)),
      ];
    }),
  ) as Record<Family, bigint[]>;
  const texts = new Map<string, string>();
  return ({ family, value }) => {
    const starts = cuts[family];
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= value) low = middle;
      else high = middle;
    }
    const key = `${family} ${low}`;
    let text = texts.get(key);
    if (text === undefined) {
      text = `${family}:${distinct.map((block) => (within(block, family, value) ? 1 : 0)).join('')}`;
      texts.set(key, text);
    }
    return text;
  };
}
