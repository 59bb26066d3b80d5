import { type AddressRange, addressText } from '../addresses.ts';
import { policyFault } from '../faults.ts';
import { type BlockPeer, isNamed, NAMESPACE_NAME_LABEL, type PortRule } from '../model.ts';
import type { Labels } from '../selector.ts';
import { annotationsOf, DEFAULT_DENY, type Plan, type PlannedPolicy, type PlannedRule } from './plan.ts';
import type { Rendering } from './renderings.ts';
import type { ResolvedEnd } from './resolve.ts';

/** A policy object, as an API server takes it. */
export interface PolicyObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string } & Readonly<Record<string, unknown>>;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** The policies of a plan in one dialect, by namespace in the order of names; '' has those of the whole cluster. */
export function render(plan: Plan, dialect: Rendering): PolicyObject[] {
  switch (dialect) {
    case 'kubernetes':
      return [...plan.closed.map(networkDeny), ...plan.policies.map((one) => networkPolicy(one))];
    case 'cluster':
      return clusterPolicies(plan);
    case 'calico':
      return [
        ...plan.closed.map(calicoDeny),
        ...[...Map.groupBy(plan.policies, ({ unit }) => unit.namespace).values()].flatMap((own) =>
          own.map(calicoPolicy),
        ),
      ];
    case 'cilium':
      return [...plan.closed.map(ciliumDeny), ...plan.policies.map(ciliumPolicy)];
  }
}

const LABELS = { 'app.kubernetes.io/managed-by': 'sallyport' };

function metadata(name: string, namespace: string | undefined, rules: readonly PlannedRule[]) {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels: LABELS,
    ...(rules.length === 0 ? {} : { annotations: annotationsOf(rules) }),
  };
}

// networking.k8s.io/v1

function networkDeny(namespace: string): PolicyObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadata(DEFAULT_DENY, namespace, []),
    // NP-03: both types are written, for an empty list alone closes nothing.
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  };
}

function networkPolicy({ name, unit, direction, rules }: PlannedPolicy): PolicyObject {
  const peersKey = direction === 'ingress' ? 'from' : 'to';
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadata(name, unit.namespace, rules),
    spec: {
      podSelector: selector(unit.labels),
      policyTypes: [direction === 'ingress' ? 'Ingress' : 'Egress'],
      [direction]: rules.map(({ peer, ports }) => ({
        [peersKey]: some(networkPeers(peer)),
        ports: some(ports.map(networkPort)),
      })),
    },
  };
}

function networkPeers(end: ResolvedEnd): object[] {
  if (end.is !== 'pods') return end.blocks.map((block) => ({ ipBlock: cidrSet(block) }));
  return end.units.map(({ namespace, labels }) => ({
    namespaceSelector: { matchLabels: { [NAMESPACE_NAME_LABEL]: namespace } },
    podSelector: selector(labels),
  }));
}

function networkPort(port: PortRule): object {
  if (isNamed(port)) return { protocol: port.protocol, port: port.name };
  const { protocol, from, to } = port;
  return { protocol, port: from, ...(to > from ? { endPort: to } : {}) };
}

// policy.networking.k8s.io/v1alpha2

/** NP-21: at most so many rules, peers and ports; each policy of a tier has a priority of its own, from 0 to 1000. */
const LIMIT = 25;
const PRIORITIES = 1001;

/**
 * A ClusterNetworkPolicy closes nothing by itself (NP-22), and in the direction ingress it can name no addresses. So the
 * walls are those of NetworkPolicy, what comes in from addresses is one too, and all else is accepted in the tier Admin.
 */
function clusterPolicies(plan: Plan): PolicyObject[] {
  const objects: PolicyObject[] = plan.closed.map(networkDeny);
  let priority = 0;
  for (const policy of plan.policies) {
    const { name, unit, direction, rules } = policy;
    const outside = direction === 'ingress' ? rules.filter(({ peer }) => peer.is !== 'pods') : [];
    if (outside.length > 0) objects.push(networkPolicy({ ...policy, name: `${name}-addresses`, rules: outside }));
    const accepted = rules
      .filter((rule) => !outside.includes(rule))
      .flatMap((rule) =>
        chunks(clusterPeers(rule.peer), LIMIT).flatMap((peers) =>
          chunks(rule.ports.map(clusterPort), LIMIT).map((ports) => ({ rule, peers, ports })),
        ),
      );
    for (const [part, list] of chunks(accepted, LIMIT).entries()) {
      if (priority === PRIORITIES) {
        throw policyFault('policy.too-many-priorities', { where: `${plan.policies.length} policies` });
      }
      objects.push({
        apiVersion: 'policy.networking.k8s.io/v1alpha2',
        kind: 'ClusterNetworkPolicy',
        // No namespace has a dot in its name, so that these are unique.
        metadata: metadata(
          `${unit.namespace}.${name}${part === 0 ? '' : `.${part + 1}`}`,
          undefined,
          list.map(({ rule }) => rule),
        ),
        spec: {
          tier: 'Admin',
          priority: priority++,
          subject: clusterPods(unit.namespace, unit.labels),
          [direction]: list.map(({ rule, peers, ports }) => ({
            name: rule.flow.id.slice(0, 100),
            action: 'Accept',
            [direction === 'ingress' ? 'from' : 'to']: some(peers),
            protocols: some(ports),
          })),
        },
      });
    }
  }
  return objects;
}

function clusterPods(namespace: string, labels: Labels): object {
  const namespaceSelector = { matchLabels: { [NAMESPACE_NAME_LABEL]: namespace } };
  if (Object.keys(labels).length === 0) return { namespaces: namespaceSelector };
  return { pods: { namespaceSelector, podSelector: selector(labels) } };
}

function clusterPeers(end: ResolvedEnd): object[] {
  if (end.is === 'pods') return end.units.map(({ namespace, labels }) => clusterPods(namespace, labels));
  // `networks` has no exceptions.
  const blocks = end.blocks.flatMap((block) => without(block));
  return chunks(blocks.map(cidr), LIMIT).map((networks) => ({ networks }));
}

function clusterPort(port: PortRule): object {
  if (isNamed(port)) return { destinationNamedPort: port.name };
  const { protocol, from, to } = port;
  // NP-09: a range of one port is refused.
  const destinationPort = from === to ? { number: from } : { range: { start: from, end: to } };
  return { [protocol.toLowerCase()]: { destinationPort } };
}

// projectcalico.org/v3

/** Of the first policy of a namespace; each has an order of its own. */
const FLOW_ORDER = 1000;
const DENY_ORDER = 1_000_000;

function calicoDeny(namespace: string): PolicyObject {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: metadata(DEFAULT_DENY, namespace, []),
    // What no rule of a tier decides is denied at its end (CAL-2).
    spec: { tier: 'default', order: DENY_ORDER, selector: 'all()', types: ['Ingress', 'Egress'] },
  };
}

function calicoPolicy({ name, unit, direction, rules }: PlannedPolicy, place: number): PolicyObject {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: metadata(name, unit.namespace, rules),
    spec: {
      tier: 'default',
      order: FLOW_ORDER + place,
      selector: calicoSelector(unit.labels),
      types: [direction === 'ingress' ? 'Ingress' : 'Egress'],
      [direction]: rules.flatMap(({ peer, ports }) =>
        calicoPeers(peer).flatMap((entity) =>
          [...Map.groupBy(ports, ({ protocol }) => protocol!)].map(([protocol, list]) => {
            const numbers = some(list.map(calicoPort));
            return direction === 'ingress'
              ? { action: 'Allow', protocol, source: entity, destination: { ports: numbers } }
              : { action: 'Allow', protocol, destination: { ...entity, ports: numbers } };
          }),
        ),
      ),
    },
  };
}

function calicoPeers(end: ResolvedEnd): object[] {
  if (end.is === 'pods') {
    return end.units.map(({ namespace, labels }) => ({
      namespaceSelector: `projectcalico.org/name == '${namespace}'`,
      selector: calicoSelector(labels),
    }));
  }
  const entity = (blocks: readonly BlockPeer[]): object => {
    const except = blocks.flatMap((block) => block.except);
    return {
      nets: blocks.map(({ range }) => cidr(range)),
      ...(except.length === 0 ? {} : { notNets: except.map(cidr) }),
    };
  };
  // An exception counts for all nets of its rule, and a rule whose exceptions are all of one family is left out for the
  // other (felix/rules, FilterRuleToIPVersion).
  const { blocks } = end;
  const apart = blocks.every((one) => blocks.every((other) => one === other || !touches(one.range, other.range)));
  const families = (ranges: readonly AddressRange[]): number => new Set(ranges.map(({ family }) => family)).size;
  const except = blocks.flatMap((block) => block.except);
  const together = except.length === 0 || (apart && families(except) === families(blocks.map(({ range }) => range)));
  return together ? [entity(blocks)] : blocks.map((block) => entity([block]));
}

function touches(a: AddressRange, b: AddressRange): boolean {
  return a.family === b.family && a.from <= b.to && b.from <= a.to;
}

function calicoSelector(labels: Labels): string {
  const parts = entries(labels).map(([key, value]) => `${key} == '${value}'`);
  return parts.length === 0 ? 'all()' : parts.join(' && ');
}

function calicoPort(port: PortRule): number | string {
  if (isNamed(port)) return port.name;
  return port.from === port.to ? port.from : `${port.from}:${port.to}`;
}

// cilium.io/v2

/** pkg/policy/api/rule_validation.go, maxPorts. */
const CILIUM_PORTS = 40;

function ciliumDeny(namespace: string): PolicyObject {
  return {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: metadata(DEFAULT_DENY, namespace, []),
    // CIL-1: an empty rule closes, an empty list does nothing.
    spec: { endpointSelector: {}, ingress: [{}], egress: [{}] },
  };
}

function ciliumPolicy({ name, unit, direction, rules }: PlannedPolicy): PolicyObject {
  const way = direction === 'ingress' ? 'from' : 'to';
  return {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: metadata(name, unit.namespace, rules),
    spec: {
      endpointSelector: ciliumSelector(unit.labels),
      [direction]: rules.map(({ peer, ports }) => ({
        ...ciliumPeers(peer, way),
        toPorts: chunks(ports.map(ciliumPort), CILIUM_PORTS).map((list) => ({ ports: some(list) })),
      })),
    },
  };
}

/** CIL-5: blocks match no nodes and no API server, which are entities. */
const ENTITIES = { kubelet: ['host'], nodes: ['host', 'remote-node'], 'api-server': ['kube-apiserver'] } as const;

function ciliumPeers(end: ResolvedEnd, way: 'from' | 'to'): object {
  switch (end.is) {
    case 'pods':
      return {
        [`${way}Endpoints`]: some(
          end.units.map(({ namespace, labels }) => ({
            matchLabels: { 'k8s:io.kubernetes.pod.namespace': namespace, ...ciliumLabels(labels) },
          })),
        ),
      };
    case 'addresses':
      return { [`${way}CIDRSet`]: some(end.blocks.map(cidrSet)) };
    case 'hosts':
      return { [`${way}Entities`]: ENTITIES[end.who] };
  }
}

function ciliumSelector(labels: Labels): object {
  return Object.keys(labels).length === 0 ? {} : { matchLabels: ciliumLabels(labels) };
}

function ciliumLabels(labels: Labels): Record<string, string> {
  return Object.fromEntries(entries(labels).map(([key, value]) => [`k8s:${key}`, value]));
}

function ciliumPort(port: PortRule): object {
  if (isNamed(port)) return { port: port.name, protocol: port.protocol };
  const { protocol, from, to } = port;
  return { port: String(from), ...(to > from ? { endPort: to } : {}), protocol };
}

// Parts

/** NP-02: a list that is empty means everything, so that none is ever written. */
function some<T>(list: readonly T[]): readonly T[] {
  if (list.length === 0) throw new Error('a policy without peers or ports would admit everything');
  return list;
}

function entries(labels: Labels): [string, string][] {
  return Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
}

function selector(labels: Labels): object {
  return Object.keys(labels).length === 0 ? {} : { matchLabels: Object.fromEntries(entries(labels)) };
}

function cidrSet({ range, except }: BlockPeer): object {
  return { cidr: cidr(range), ...(except.length === 0 ? {} : { except: except.map(cidr) }) };
}

function cidr({ family, from, to }: AddressRange): string {
  const bits = family === 4 ? 32 : 128;
  const size = to - from + 1n;
  return `${addressText(family, from)}/${bits - (size.toString(2).length - 1)}`;
}

/** A block without its exceptions, as blocks: each is halved until a half is inside an exception or apart from all. */
export function without({ range, except }: BlockPeer): AddressRange[] {
  const cut = except.filter(({ from, to }) => from <= range.to && to >= range.from);
  if (cut.length === 0) return [range];
  if (cut.some(({ from, to }) => from <= range.from && to >= range.to)) return [];
  const middle = range.from + (range.to - range.from + 1n) / 2n;
  const { family, from, to } = range;
  return [
    ...without({ is: 'block', range: { family, from, to: middle - 1n }, except: cut }),
    ...without({ is: 'block', range: { family, from: middle, to }, except: cut }),
  ];
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  const out: T[][] = [];
  for (let i = 0; i < list.length; i += size) out.push(list.slice(i, i + size));
  return out;
}
