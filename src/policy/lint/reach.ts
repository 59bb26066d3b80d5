import { placeText } from '../document.ts';
import { type Answer, type Direction, Engine, type PodClass, type Reach } from '../engine.ts';
import type { Cni } from '../enforcers.ts';
import { futureOf, impliedBy } from '../exposure.ts';
import { type Cluster, type ContainerPort, isNamed, peerName, type Pod, type Policy, type Rule } from '../model.ts';
import { ALL_PORTS, includes, intersect, NO_PORTS, portRange, portText, type PortSet, unite } from '../port-set.ts';
import { NO, YES } from '../selector.ts';
import { type Remarks, some } from './remark.ts';
import { isWhole, namesOf, type PodIndex, policyText } from './source.ts';

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

/** What only an analysis shows: rules that change nothing, walls that are not closed. */
export function lintReach(pods: PodIndex, cni: Cni | undefined, remarks: Remarks): void {
  const { cluster } = pods;
  const engine = new Engine(cluster, 'specification', cni);
  const subjects = subjectsOf(engine);
  lintRedundant(engine, cluster, subjects, remarks);
  lintPortNames(pods, remarks);
  lintHosts(pods, remarks);
  lintBlocks(engine, cluster, subjects, remarks);
  lintBaseline(engine, remarks);
  lintOpen(cluster, cni, remarks);
}

/** The classes to which each policy applies. */
function subjectsOf(engine: Engine): Map<Policy, PodClass[]> {
  const subjects = new Map<Policy, PodClass[]>();
  for (const one of engine.classes) {
    for (const { policy } of engine.applying(one)) {
      const list = subjects.get(policy);
      if (list === undefined) subjects.set(policy, [one]);
      else list.push(one);
    }
  }
  return subjects;
}

/** One class for each answer that the classes have. */
function distinct(engine: Engine, classes: readonly PodClass[], direction: Direction): PodClass[] {
  return [...new Map(classes.map((one) => [engine.reach(one, direction).id, one])).values()];
}

function lintRedundant(
  engine: Engine,
  cluster: Cluster,
  subjects: ReadonlyMap<Policy, readonly PodClass[]>,
  remarks: Remarks,
): void {
  const without = new Set<Rule>();
  const compare = new Comparison(engine, cluster);
  // Those of lesser rank first, so that of two that say the same the later one is needless.
  for (const { policy } of engine.policies.toReversed()) {
    const classes = subjects.get(policy) ?? [];
    if (classes.length === 0) continue;
    for (const direction of DIRECTIONS) {
      const own = distinct(engine, classes, direction);
      for (const rule of (policy[direction] ?? []).toReversed()) {
        const removed = new Set([...without, rule]);
        if (!own.every((one) => compare.same(one, direction, without, removed, rule))) continue;
        without.add(rule);
        const reason = shadowing(compare, engine, own, direction, rule);
        remarks.add('lint.redundant-rule', rule.place, `An ${direction} rule of ${policyText(policy)}: ${reason}.`);
      }
    }
  }
}

/** A rule without which the needless one would not be needless. */
function shadowing(
  compare: Comparison,
  engine: Engine,
  own: readonly PodClass[],
  direction: Direction,
  rule: Rule,
): string {
  const seen = new Set<Rule>([rule]);
  for (const one of own) {
    for (const { policy } of engine.applying(one)) {
      for (const other of policy[direction] ?? []) {
        if (seen.has(other) || seen.size > 500) continue;
        seen.add(other);
        if (!compare.same(one, direction, new Set([other]), new Set([other, rule]), rule)) {
          return `${placeText(other.place)} of ${policyText(policy)} decides all of it already`;
        }
      }
    }
  }
  switch (rule.action) {
    case 'pass':
      return 'no later rule of its tier would decide what it passes on';
    case 'deny':
      return 'what it denies is closed without it too, or nothing can match it';
    case 'allow':
      return 'what it allows is open without it too, or nothing can match it';
  }
}

/** Whether two sets of rules say the same for pods that are there, pods that may come, and addresses. */
class Comparison {
  readonly #engine: Engine;
  readonly #implied: ReturnType<typeof impliedBy>;
  readonly #byPorts: readonly PodClass[];

  constructor(engine: Engine, cluster: Cluster) {
    this.#engine = engine;
    this.#implied = impliedBy(cluster);
    this.#byPorts = [...new Map(engine.classes.map((one) => [one.ports, one])).values()];
  }

  same(
    subject: PodClass,
    direction: Direction,
    before: ReadonlySet<Rule>,
    after: ReadonlySet<Rule>,
    rule: Rule,
  ): boolean {
    const [a, b] = [before, after].map((without) => this.#engine.reachWithout(subject, direction, without)) as [
      Reach,
      Reach,
    ];
    return this.#sameReach(a, b) && this.#sameFuture(subject, direction, before, after, rule);
  }

  #sameReach(a: Reach, b: Reach): boolean {
    if (!this.#byPorts.every((one) => equal(a.others(one), b.others(one)))) return false;
    const [named, other] = [answersOf(a), answersOf(b)];
    for (const id of new Set([...named.keys(), ...other.keys()])) {
      const peer = this.#engine.classes[id]!;
      if (!equal(named.get(id) ?? a.others(peer), other.get(id) ?? b.others(peer))) return false;
    }
    const text = ({ addresses }: Reach): string => {
      const parts: string[] = [];
      let last = '';
      for (const { family, from, answer } of addresses) {
        const now = `${family} ${answer.possible.id} ${answer.certain.id}`;
        if (now !== last) parts.push(`${from} ${now}`);
        last = now;
      }
      return parts.join();
    };
    return text(a) === text(b);
  }

  /** Only what the rule speaks of can differ. */
  #sameFuture(
    subject: PodClass,
    direction: Direction,
    before: ReadonlySet<Rule>,
    after: ReadonlySet<Rule>,
    rule: Rule,
  ): boolean {
    const ports: ContainerPort[] =
      rule.ports === 'all'
        ? []
        : rule.ports.filter(isNamed).map(({ name, protocol = 'TCP' }, i) => ({ name, protocol, number: 65535 - i }));
    const peers = rule.peers === 'all' ? [undefined] : rule.peers.filter((peer) => peer.is === 'pods');
    return peers.every((peer) => {
      const future = futureOf(peer);
      const [a, b] = [before, after].map((without) =>
        this.#engine.imagine(subject, direction, (one) => this.#implied(one, future), ports, without),
      ) as [Answer, Answer];
      return equal(a, b);
    });
  }
}

function answersOf({ named, answers }: Reach): Map<number, Answer> {
  return new Map(named.map((id, i) => [id, answers[i]!]));
}

function equal(a: Answer, b: Answer): boolean {
  return a.possible === b.possible && a.certain === b.certain;
}

/** NP-08. */
function lintPortNames(pods: PodIndex, remarks: Remarks): void {
  for (const policy of pods.cluster.policies) {
    for (const direction of DIRECTIONS) {
      for (const rule of policy[direction] ?? []) {
        const names = rule.ports === 'all' ? [] : rule.ports.filter(isNamed);
        if (names.length === 0) continue;
        const peers = rule.peers === 'all' ? undefined : rule.peers.filter((peer) => peer.is === 'pods');
        const destinations =
          direction === 'ingress'
            ? [policy.subject, ...(policy.alsoSubject ?? [])].flatMap((peer) => pods.selected(peer))
            : peers === undefined
              ? pods.cluster.pods
              : peers.flatMap((peer) => pods.selected(peer));
        if (direction === 'egress' && peers?.length === 0) {
          remarks.add(
            'lint.port-name',
            rule.place,
            `'${names[0]!.name}' of ${policyText(policy)} names a port of addresses.`,
          );
          continue;
        }
        if (destinations.length === 0) continue;
        for (const { name, protocol } of names) {
          const called = destinations.flatMap(({ ports }) => ports.filter((port) => port.name === name));
          if (called.some((port) => protocol === undefined || port.protocol === protocol)) continue;
          const with_ = protocol === undefined ? '' : ` ${protocol}`;
          const others = [...new Set(called.map((port) => port.protocol))];
          const but = others.length === 0 ? '' : `, only as a port of ${others.join(' and ')}`;
          remarks.add(
            'lint.port-name',
            rule.place,
            `${policyText(policy)}: no port '${name}'${with_} on ${some(namesOf(destinations))}${but}.`,
          );
        }
      }
    }
  }
}

/** NP-16. */
function lintHosts(pods: PodIndex, remarks: Remarks): void {
  const selecting = new Map<Pod, string[]>();
  for (const policy of pods.cluster.policies) {
    for (const pod of [policy.subject, ...(policy.alsoSubject ?? [])].flatMap((peer) => pods.selected(peer))) {
      if (pod.hostNetwork) selecting.set(pod, [...(selecting.get(pod) ?? []), policyText(policy)]);
    }
  }
  for (const [pod, policies] of selecting) {
    remarks.add('lint.host-network', pod.place, `${peerName(pod)} is selected by ${some([...new Set(policies)])}.`);
  }
}

/** NP-12 and NP-23. */
function lintBlocks(
  engine: Engine,
  cluster: Cluster,
  subjects: ReadonlyMap<Policy, readonly PodClass[]>,
  remarks: Remarks,
): void {
  for (const policy of cluster.policies) {
    const classes = subjects.get(policy) ?? [];
    for (const direction of DIRECTIONS) {
      for (const rule of policy[direction] ?? []) {
        if (rule.peers === 'all') continue;
        const blocks = rule.peers.filter((peer) => peer.is === 'block');
        const holes = rule.action === 'allow' ? blocks.flatMap(({ except }) => except) : [];
        const ports = portsOf(rule);
        for (const hole of holes) {
          for (const own of distinct(engine, classes, direction)) {
            const piece = engine
              .reach(own, direction)
              .addresses.find(
                ({ family, from, to, answer }) =>
                  family === hole.family &&
                  from <= hole.to &&
                  to >= hole.from &&
                  !intersect(answer.possible, ports).empty,
              );
            if (piece === undefined) continue;
            const open = portText(intersect(piece.answer.possible, ports));
            remarks.add(
              'lint.except-again',
              rule.place,
              `${policyText(policy)} excepts addresses that another rule for ${some(namesOf(own.pods))} lets through: ${open}.`,
            );
            break;
          }
        }
        if (rule.action !== 'deny' || policy.kind === 'NetworkPolicy' || !blocks.some(({ range }) => isWhole(range)))
          continue;
        for (const own of distinct(engine, classes, direction)) {
          const [now, then] = [engine.reach(own, direction), engine.reachWithout(own, direction, new Set([rule]))];
          const [a, b] = [answersOf(now), answersOf(then)];
          const closed = engine.classes.find((peer) => {
            const [with_, without] = [a.get(peer.id) ?? now.others(peer), b.get(peer.id) ?? then.others(peer)];
            return !equal(with_, without) && peer.pods.length > 0 && peer !== own;
          });
          if (closed === undefined) continue;
          remarks.add(
            'lint.deny-covers-pods',
            rule.place,
            `${policyText(policy)} closes ${some(namesOf(closed.pods), 1)} to ${some(namesOf(own.pods), 1)}.`,
          );
          break;
        }
      }
    }
  }
}

function portsOf({ ports }: Rule): PortSet {
  if (ports === 'all') return ALL_PORTS;
  return ports.reduce(
    (set, port) => (isNamed(port) ? set : unite(set, portRange(port.protocol, port.from, port.to))),
    NO_PORTS,
  );
}

/** NP-25. */
function lintBaseline(engine: Engine, remarks: Remarks): void {
  for (const own of engine.classes) {
    const applying = engine.applying(own).map(({ policy }) => policy);
    const network = applying.filter(({ tier }) => tier === 'network');
    for (const direction of DIRECTIONS) {
      if (network.length === 0 || network.some((policy) => policy[direction] !== undefined)) continue;
      const baseline = applying.find((policy) => policy.tier === 'baseline' && (policy[direction] ?? []).length > 0);
      if (baseline === undefined) continue;
      remarks.add(
        'lint.one-direction',
        network[0]!.place,
        `${policyText(network[0]!)} covers the other direction of ${some(namesOf(own.pods))}, and ${policyText(baseline)} has ${direction} rules for it.`,
      );
    }
  }
}

const DNS_LABELS: readonly (readonly [string, string])[] = [
  ['k8s-app', 'kube-dns'],
  ['k8s-app', 'coredns'],
  ['app.kubernetes.io/name', 'coredns'],
  ['dns.operator.openshift.io/daemonset-dns', 'default'],
];

/** Pods that may come without labels into each namespace, and the DNS of the cluster, where the manifests do not have it. */
function lintOpen(cluster: Cluster, cni: Cni | undefined, remarks: Remarks): void {
  const spaces = [...new Set(cluster.pods.map(({ namespace }) => namespace))];
  const first = new Map(cluster.pods.toReversed().map((pod) => [pod.namespace, pod]));
  const come = new Map(spaces.map((namespace) => [namespace, imagined(namespace, {}, first.get(namespace)!)]));
  const known = cluster.pods.filter(({ labels }) => DNS_LABELS.some(([key, value]) => labels[key] === value));
  const assumed = cluster.pods[0] && imagined('kube-system', { 'k8s-app': 'kube-dns' }, cluster.pods[0]);
  const dns = known.length > 0 || assumed === undefined ? known : [assumed];
  const namespaces = new Map(cluster.namespaces);
  const grown: Cluster = {
    ...cluster,
    namespaces,
    pods: [...cluster.pods, ...come.values(), ...(assumed !== undefined && dns.includes(assumed) ? [assumed] : [])],
  };
  const engine = new Engine(grown, 'specification', cni);
  const covered = (own: PodClass, direction: Direction): boolean =>
    engine.applying(own).some(({ policy }) => isClosing(policy, direction));
  const open = (own: PodClass, direction: Direction): boolean =>
    !covered(own, direction) &&
    !engine.imagine(own, direction, (peer) => (futureOf(peer) === futureOf(undefined) ? YES : NO)).possible.empty;

  for (const [namespace, pod] of come) {
    const place = cluster.namespaces.get(namespace)?.place ?? first.get(namespace)!.place;
    const directions = DIRECTIONS.filter((direction) => open(engine.classOf(pod), direction));
    if (directions.length === 0) continue;
    const now = cluster.pods.filter(
      (one) => one.namespace === namespace && directions.some((direction) => open(engine.classOf(one), direction)),
    );
    const list = now.length === 0 ? 'no workload of today is' : `today ${some(namesOf(now))}`;
    remarks.add('lint.no-default-deny', place, `Namespace '${namespace}', ${directions.join(' and ')}: ${list}.`);
  }

  const closed = new Map<string, Pod[]>();
  for (const pod of cluster.pods) {
    const own = engine.classOf(pod);
    if (pod.hostNetwork || !covered(own, 'egress') || dns.includes(pod)) continue;
    const asked = engine
      .applying(own)
      .some(({ policy }) => (policy.egress ?? []).some((rule) => rule.action === 'allow' && speaksOfDns(rule)));
    if (asked) continue;
    const reached = dns.some((one) => includes(engine.admits(own, 'egress', engine.classOf(one)).possible, 'UDP', 53));
    if (!reached) closed.set(pod.namespace, [...(closed.get(pod.namespace) ?? []), pod]);
  }
  for (const [namespace, pods] of closed) {
    const policy = engine.applying(engine.classOf(pods[0]!)).find((one) => isClosing(one.policy, 'egress'))!.policy;
    remarks.add('lint.dns-closed', policy.place, `Namespace '${namespace}': ${some(namesOf(pods))}.`);
  }
}

function isClosing(policy: Policy, direction: Direction): boolean {
  return (
    policy[direction] !== undefined &&
    policy.tier !== 'admin' &&
    policy.tier !== 'baseline' &&
    policy.leavesOpen?.includes(direction) !== true
  );
}

/** Port 53, or 5353, which the DNS of OpenShift listens on. */
function speaksOfDns({ ports }: Rule): boolean {
  if (ports === 'all') return false;
  return ports.some((port) =>
    isNamed(port)
      ? port.name.startsWith('dns')
      : port.protocol === 'UDP' && [53, 5353].some((number) => port.from <= number && port.to >= number),
  );
}

function imagined(namespace: string, labels: Pod['labels'], like: Pod): Pod {
  return {
    namespace,
    name: '(a pod that may come)',
    kind: 'Pod',
    labels,
    ports: [],
    hostNetwork: false,
    addresses: [],
    place: like.place,
  };
}
