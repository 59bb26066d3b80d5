import { inside, labelsMatch, networkPolicyAdmits, type Packet, portNumbers, type RawObject } from './packets.ts';
import type { RandomCluster } from './random-cluster.ts';

/**
 * Judges of single packets in a cluster with Cilium and in one with Calico, written from their documents and apart from
 * the engine: no sets, no classes, no normal forms; a selector of Calico means what its maker wrote down.
 */

type Type = 'Ingress' | 'Egress';

/** docs.cilium.io: security/policy/intro, layer3, layer4, deny; pkg/policy/api. */
export function ciliumAdmits({ objects }: RandomCluster, packet: Packet): boolean {
  return (['Egress', 'Ingress'] as const).every((type) => ciliumSide(objects, packet, type));
}

function ciliumSide(objects: readonly RawObject[], packet: Packet, type: Type): boolean {
  const [subject, peer] = type === 'Ingress' ? [packet.to, packet.from] : [packet.from, packet.to];
  if (typeof subject === 'string') return true;
  let closed = false;
  let allowed = false;
  for (const policy of objects) {
    if (policy.kind === 'NetworkPolicy') {
      const said = networkPolicyAdmits(objects, policy, packet, type, false);
      if (said === undefined) continue;
      closed = true;
      allowed ||= said;
    }
    if (policy.kind !== 'CiliumNetworkPolicy' && policy.kind !== 'CiliumClusterwideNetworkPolicy') continue;
    const { spec } = policy;
    const wide = policy.kind === 'CiliumClusterwideNetworkPolicy';
    if (!wide && policy.metadata.namespace !== subject.metadata.namespace) continue;
    if (!ciliumSelects(objects, spec.endpointSelector, subject)) continue;
    const direction = type.toLowerCase();
    const allows = spec[direction] ?? [];
    const denies = spec[`${direction}Deny`] ?? [];
    if (spec.enableDefaultDeny?.[direction] ?? allows.length + denies.length > 0) closed = true;
    const way = type === 'Ingress' ? 'from' : 'to';
    const matches = (rule: never): boolean =>
      ciliumPeer(objects, rule, way, peer, wide ? undefined : policy.metadata.namespace) && ciliumPorts(rule, packet);
    if (denies.some(matches)) return false;
    allowed ||= allows.some(matches);
  }
  return allowed || !closed;
}

/** The labels of an endpoint, with the namespace's as Cilium adds them; sources k8s and any are the same here. */
function ciliumSelects(objects: readonly RawObject[], selector: object, pod: RawObject): boolean {
  const space = objects.find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === pod.metadata.namespace)!;
  const labels: Record<string, string> = { ...pod.metadata.labels };
  labels['io.kubernetes.pod.namespace'] = pod.metadata.namespace!;
  for (const [key, value] of Object.entries(space.metadata.labels ?? {})) {
    labels[`io.cilium.k8s.namespace.labels.${key}`] = value;
  }
  return labelsMatch(JSON.parse(JSON.stringify(selector).replaceAll(/"(?:k8s|any):/g, '"')), labels);
}

function ciliumPeer(
  objects: readonly RawObject[],
  rule: Record<string, unknown>,
  way: 'from' | 'to',
  peer: RawObject | string,
  own: string | undefined,
): boolean {
  const endpoints = rule[`${way}Endpoints`] as object[] | undefined;
  const entities = rule[`${way}Entities`] as string[] | undefined;
  const cidrs = rule[`${way}CIDR`] as string[] | undefined;
  const sets = rule[`${way}CIDRSet`] as { cidr: string; except?: string[] }[] | undefined;
  if (!endpoints && !entities && !cidrs && !sets) return rule['toPorts'] !== undefined;
  if (typeof peer === 'string') {
    return (
      (entities ?? []).some((name) => name === 'world' || name === 'all') ||
      (cidrs ?? []).some((cidr) => inside(cidr, peer)) ||
      (sets ?? []).some(({ cidr, except = [] }) => inside(cidr, peer) && !except.some((hole) => inside(hole, peer)))
    );
  }
  if ((entities ?? []).some((name) => name === 'cluster' || name === 'all')) return true;
  return (endpoints ?? []).some((selector) => {
    const speaks = JSON.stringify(selector).includes('namespace');
    if (own !== undefined && !speaks && peer.metadata.namespace !== own) return false;
    return ciliumSelects(objects, selector, peer);
  });
}

function ciliumPorts(rule: Record<string, unknown>, { to, protocol, port }: Packet): boolean {
  const groups = rule['toPorts'] as { ports: { port: string; protocol?: string; endPort?: number }[] }[] | undefined;
  if (groups === undefined) return true;
  return groups.some(
    ({ ports }) =>
      ports.length === 0 ||
      ports.some((one) => {
        if ((one.protocol ?? 'ANY') !== 'ANY' && one.protocol !== protocol) return false;
        if (!/^\d/.test(one.port)) return portNumbers(to, one.port, protocol).includes(port);
        const first = Number(one.port);
        return first === 0 || (port >= first && port <= (one.endPort ?? first));
      }),
  );
}

/** docs.tigera.io reference/resources: networkpolicy, globalnetworkpolicy, tier, networkset; api/pkg/apis/projectcalico/v3. */
export function calicoAdmits(cluster: RandomCluster, packet: Packet): boolean {
  return (['Egress', 'Ingress'] as const).every((type) => calicoSide(cluster, packet, type));
}

interface Standing {
  readonly tier: string;
  readonly order: number;
  readonly policy: RawObject;
}

function calicoSide(cluster: RandomCluster, packet: Packet, type: Type): boolean {
  const { objects } = cluster;
  const subject = type === 'Ingress' ? packet.to : packet.from;
  if (typeof subject === 'string') return true;
  const standing: Standing[] = [];
  for (const policy of objects) {
    const { spec, metadata } = policy;
    const calico = policy.apiVersion === 'projectcalico.org/v3';
    if (calico && (policy.kind === 'NetworkPolicy' || policy.kind === 'GlobalNetworkPolicy')) {
      if (policy.kind === 'NetworkPolicy' && metadata.namespace !== subject.metadata.namespace) continue;
      const types: string[] =
        spec.types ??
        (spec.egress?.length > 0 ? (spec.ingress?.length > 0 ? ['Ingress', 'Egress'] : ['Egress']) : ['Ingress']);
      if (!types.includes(type)) continue;
      if (spec.selector && !holds(cluster, spec.selector, endpointLabels(subject))) continue;
      if (spec.namespaceSelector && !inNamespace(cluster, spec.namespaceSelector, subject.metadata.namespace!))
        continue;
      standing.push({ tier: spec.tier ?? 'default', order: spec.order ?? Infinity, policy });
    } else if (policy.kind === 'NetworkPolicy') standing.push({ tier: 'default', order: 1000, policy });
  }
  const tiers = ['early', 'default', 'late'];
  for (const tier of tiers) {
    const own = standing
      .filter((one) => one.tier === tier)
      .sort((a, b) => a.order - b.order || (a.policy.metadata.name < b.policy.metadata.name ? -1 : 1));
    let applies = false;
    let verdict: string | undefined;
    for (const { policy } of own) {
      if (policy.apiVersion !== 'projectcalico.org/v3') {
        const said = networkPolicyAdmits(objects, policy, packet, type, true);
        if (said === undefined) continue;
        applies = true;
        if (said) verdict = 'Allow';
      } else {
        applies = true;
        const rules: Record<string, unknown>[] = policy.spec[type.toLowerCase()] ?? [];
        verdict = rules.find((rule) => rule['action'] !== 'Log' && ruleMatches(cluster, policy, rule, packet))?.[
          'action'
        ] as string | undefined;
      }
      if (verdict !== undefined) break;
    }
    if (verdict === 'Allow') return true;
    if (verdict === 'Deny') return false;
    if (verdict === 'Pass' || !applies) continue;
    const action = objects.find(({ kind, metadata }) => kind === 'Tier' && metadata.name === tier)?.spec.defaultAction;
    if ((action ?? 'Deny') === 'Deny') return false;
  }
  return true;
}

function endpointLabels({ metadata }: RawObject): Record<string, string> {
  return { ...metadata.labels, 'projectcalico.org/namespace': metadata.namespace! };
}

function holds({ meanings }: RandomCluster, text: string, labels: Record<string, string>): boolean {
  return meanings.get(`pod ${text}`)!(labels);
}

function inNamespace(cluster: RandomCluster, text: string, name: string): boolean {
  if (text === 'global()') return false;
  const space = cluster.objects.find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === name)!;
  return cluster.meanings.get(`namespace ${text}`)!({ ...space.metadata.labels, 'projectcalico.org/name': name });
}

function ruleMatches(
  cluster: RandomCluster,
  policy: RawObject,
  rule: Record<string, unknown>,
  packet: Packet,
): boolean {
  const { from, to, protocol, port } = packet;
  const numbers: Record<string, number> = { TCP: 6, UDP: 17, SCTP: 132, ICMP: 1 };
  const number = (value: unknown): number => (typeof value === 'number' ? value : numbers[value as string]!);
  if (rule['protocol'] !== undefined && number(rule['protocol']) !== numbers[protocol]) return false;
  if (rule['notProtocol'] !== undefined && number(rule['notProtocol']) === numbers[protocol]) return false;
  const source = (rule['source'] ?? {}) as EntityRule;
  const destination = (rule['destination'] ?? {}) as EntityRule;
  const six = addressOf(from).includes(':');
  if (rule['ipVersion'] !== undefined && rule['ipVersion'] !== (six ? 6 : 4)) return false;
  for (const list of [source.nets, source.notNets, destination.nets, destination.notNets]) {
    if (list !== undefined && list.every((net) => net.includes(':') !== six)) return false;
  }
  if (!entityMatches(cluster, policy, source, from) || !entityMatches(cluster, policy, destination, to)) return false;
  const isIn = (list: readonly (string | number)[]): boolean =>
    list.some((one) => {
      if (typeof one === 'number' || /^\d+$/.test(one)) return Number(one) === port;
      const range = /^(\d+):(\d+)$/.exec(one);
      if (range !== null) return port >= Number(range[1]) && port <= Number(range[2]);
      return portNumbers(to, one, protocol).includes(port);
    });
  if (destination.ports !== undefined && !isIn(destination.ports)) return false;
  return destination.notPorts === undefined || !isIn(destination.notPorts);
}

interface EntityRule {
  readonly selector?: string;
  readonly notSelector?: string;
  readonly namespaceSelector?: string;
  readonly serviceAccounts?: { readonly names: readonly string[] };
  readonly nets?: readonly string[];
  readonly notNets?: readonly string[];
  readonly ports?: readonly (string | number)[];
  readonly notPorts?: readonly (string | number)[];
}

function addressOf(end: RawObject | string): string {
  return typeof end === 'string' ? end : end.status.podIPs[0].ip;
}

/** What an address is to Calico: the endpoint that has it, and every network set in whose nets it lies. */
function identities(cluster: RandomCluster, end: RawObject | string): RawObject[] {
  const sets = cluster.objects.filter(
    ({ kind, spec }) =>
      /NetworkSet$/.test(kind) &&
      spec.nets.some((net: string) =>
        inside(net.includes('/') ? net : `${net}/${net.includes(':') ? 128 : 32}`, addressOf(end)),
      ),
  );
  return typeof end === 'string' ? sets : [end, ...sets];
}

function entityMatches(
  cluster: RandomCluster,
  policy: RawObject,
  entity: EntityRule,
  end: RawObject | string,
): boolean {
  const address = addressOf(end);
  if (entity.nets !== undefined && !entity.nets.some((net) => inside(net, address))) return false;
  if (entity.notNets?.some((net) => inside(net, address)) === true) return false;
  const all = identities(cluster, end);
  const labels = (one: RawObject): Record<string, string> =>
    one.metadata.namespace === undefined ? { ...one.metadata.labels } : endpointLabels(one);
  const { selector, notSelector, namespaceSelector, serviceAccounts } = entity;
  if (notSelector !== undefined && all.some((one) => holds(cluster, notSelector, labels(one)))) return false;
  if (selector === undefined && notSelector === undefined && namespaceSelector === undefined && !serviceAccounts)
    return true;
  const own = policy.kind === 'NetworkPolicy' ? policy.metadata.namespace : undefined;
  if (selector === undefined && namespaceSelector === undefined && !serviceAccounts && own === undefined) return true;
  return all.some((one) => {
    const space = one.metadata.namespace;
    if (namespaceSelector !== undefined) {
      if (namespaceSelector === 'global()') {
        if (space !== undefined) return false;
      } else if (space === undefined) {
        if (!cluster.meanings.get(`namespace ${namespaceSelector}`)!({})) return false;
      } else if (!inNamespace(cluster, namespaceSelector, space)) return false;
    } else if (own !== undefined && space !== own) return false;
    if (serviceAccounts !== undefined) {
      if (one.kind !== 'Pod' || !serviceAccounts.names.includes(one.spec.serviceAccountName ?? 'default')) return false;
    }
    return selector === undefined || holds(cluster, selector, labels(one));
  });
}
