import { parseAddress, parseBlock, within } from '../addresses.ts';

/**
 * A second judge of NetworkPolicies: it takes one packet at a time and reads the raw objects by the words of
 * kubernetes/api networking/v1/types.go. It shares nothing with the engine but the reading of addresses, so that a
 * mistake of the engine's sets, classes and orders shows. Blocks cover the addresses of pods, as the end-to-end tests of
 * Kubernetes have it.
 */
export interface RawObject {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  // oxlint-disable-next-line no-explicit-any
  readonly spec?: any;
  // oxlint-disable-next-line no-explicit-any
  readonly status?: any;
}

export interface Packet {
  /** A pod, or an address outside. */
  readonly from: RawObject | string;
  readonly to: RawObject | string;
  readonly protocol: string;
  readonly port: number;
}

/** `blocksCoverPods`: NP-11, which enforcers answer differently. */
export function admitsPacket(objects: readonly RawObject[], packet: Packet, blocksCoverPods = true): boolean {
  return side(objects, packet, 'Egress', blocksCoverPods) && side(objects, packet, 'Ingress', blocksCoverPods);
}

function side(
  objects: readonly RawObject[],
  packet: Packet,
  type: 'Ingress' | 'Egress',
  blocksCoverPods: boolean,
): boolean {
  if (typeof (type === 'Ingress' ? packet.to : packet.from) === 'string') return true;
  let isolated = false;
  for (const policy of objects) {
    if (policy.kind !== 'NetworkPolicy') continue;
    const said = networkPolicyAdmits(objects, policy, packet, type, blocksCoverPods);
    if (said === true) return true;
    if (said === false) isolated = true;
  }
  return !isolated;
}

/** Undefined: the policy is not about this end of the packet. */
export function networkPolicyAdmits(
  objects: readonly RawObject[],
  policy: RawObject,
  packet: Packet,
  type: 'Ingress' | 'Egress',
  blocksCoverPods: boolean,
): boolean | undefined {
  const [subject, peer] = type === 'Ingress' ? [packet.to, packet.from] : [packet.from, packet.to];
  if (typeof subject === 'string' || policy.metadata.namespace !== subject.metadata.namespace) return undefined;
  const spec = policy.spec ?? {};
  const types: string[] =
    (spec.policyTypes?.length ?? 0) > 0
      ? spec.policyTypes
      : ['Ingress', ...((spec.egress?.length ?? 0) > 0 ? ['Egress'] : [])];
  if (!types.includes(type) || !labelsMatch(spec.podSelector ?? {}, subject.metadata.labels ?? {})) return undefined;
  for (const rule of spec[type.toLowerCase()] ?? []) {
    const peers = (type === 'Ingress' ? rule.from : rule.to) ?? [];
    const ports = rule.ports ?? [];
    const peerFits =
      peers.length === 0 || peers.some((one: never) => peerMatches(objects, policy, one, peer, blocksCoverPods));
    const portFits = ports.length === 0 || ports.some((one: never) => portMatches(one, packet));
    if (peerFits && portFits) return true;
  }
  return false;
}

export function labelsMatch(
  selector: {
    matchLabels?: Record<string, string>;
    matchExpressions?: { key: string; operator: string; values?: string[] }[];
  },
  labels: Readonly<Record<string, string>>,
): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (!(key in labels) || labels[key] !== value) return false;
  }
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const has = key in labels;
    if (operator === 'Exists' && !has) return false;
    if (operator === 'DoesNotExist' && has) return false;
    if (operator === 'In' && !(has && values.includes(labels[key]!))) return false;
    if (operator === 'NotIn' && has && values.includes(labels[key]!)) return false;
  }
  return true;
}

interface RawPeer {
  readonly podSelector?: object | null;
  readonly namespaceSelector?: object | null;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

function peerMatches(
  objects: readonly RawObject[],
  policy: RawObject,
  rule: RawPeer,
  peer: RawObject | string,
  blocksCoverPods: boolean,
): boolean {
  if (rule.ipBlock) {
    if (typeof peer !== 'string' && !blocksCoverPods) return false;
    const { cidr, except = [] } = rule.ipBlock;
    const addresses: string[] =
      typeof peer === 'string' ? [peer] : (peer.status?.podIPs ?? []).map(({ ip }: { ip: string }) => ip);
    return addresses.some((text) => inside(cidr, text) && !except.some((hole) => inside(hole, text)));
  }
  if (typeof peer === 'string') return false;
  if (rule.namespaceSelector) {
    const namespace = objects.find(
      ({ kind, metadata }) => kind === 'Namespace' && metadata.name === peer.metadata.namespace,
    );
    if (!labelsMatch(rule.namespaceSelector, namespace?.metadata.labels ?? {})) return false;
  } else if (peer.metadata.namespace !== policy.metadata.namespace) return false;
  return rule.podSelector ? labelsMatch(rule.podSelector, peer.metadata.labels ?? {}) : true;
}

export function inside(block: string, text: string): boolean {
  const { family, value } = parseAddress(text)!;
  return within(parseBlock(block)!, family, value);
}

function portMatches(
  rule: { port?: number | string; endPort?: number; protocol?: string },
  { to, protocol, port }: Packet,
): boolean {
  if ((rule.protocol ?? 'TCP') !== protocol) return false;
  if (rule.port === undefined) return true;
  if (typeof rule.port === 'number') return port >= rule.port && port <= (rule.endPort ?? rule.port);
  return portNumbers(to, rule.port, protocol).includes(port);
}

/** The numbers that a destination calls so; an address calls none. */
export function portNumbers(to: RawObject | string, name: string, protocol: string): number[] {
  if (typeof to === 'string') return [];
  const ports = (
    to.spec.containers as { ports?: { name?: string; containerPort: number; protocol?: string }[] }[]
  ).flatMap((container) => container.ports ?? []);
  return ports
    .filter((one) => one.name === name && (one.protocol ?? 'TCP') === protocol)
    .map(({ containerPort }) => containerPort);
}
