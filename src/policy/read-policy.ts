import type { AddressRange } from './addresses.ts';
import { blockIn, Field, portNameIn, portNumberIn, protocolIn, selectorIn } from './decode.ts';
import type { Peer, PodPeer, Policy, PolicyKind, PortRule, Rule } from './model.ts';
import { FIRST_PORT, LAST_PORT, type Protocol, PROTOCOLS } from './port-set.ts';
import { EVERYTHING } from './selector.ts';

/**
 * A NetworkPolicy of networking.k8s.io/v1 (kubernetes/api networking/v1/types.go). Undefined: it is not valid, and the
 * findings say why.
 */
export function readNetworkPolicy(object: Field, namespace: string, name: string): Policy | undefined {
  object.only('apiVersion', 'kind', 'metadata', 'spec', 'status');
  const spec = object.at('spec');
  if (!spec.absent) spec.only('podSelector', 'ingress', 'egress', 'policyTypes');
  const pods = selectorIn(spec.at('podSelector'));
  const types = spec
    .at('policyTypes')
    .items()
    .map((type) => type.choice(['Ingress', 'Egress']));
  if (pods === undefined) return undefined;
  const rules = (direction: 'ingress' | 'egress', peers: 'from' | 'to') =>
    spec
      .at(direction)
      .items()
      .map((rule) => networkRule(rule, peers, namespace));
  const ingress = rules('ingress', 'from');
  const egress = rules('egress', 'to');
  // NP-03: Ingress always, Egress only where it has rules.
  const covers = (type: 'Ingress' | 'Egress'): boolean =>
    types.length > 0 ? types.includes(type) : type === 'Ingress' || egress.length > 0;
  return {
    kind: 'NetworkPolicy',
    namespace,
    name,
    tier: 'network',
    priority: 0,
    subject: { is: 'pods', namespaces: namespace, pods },
    ingress: covers('Ingress') ? ingress : undefined,
    egress: covers('Egress') ? egress : undefined,
    place: object.place,
  };
}

function networkRule(rule: Field, peersKey: 'from' | 'to', namespace: string): Rule {
  const peers: Peer[] = [];
  let ports: PortRule[] = [];
  // A rule that is `null` in a list is an empty one.
  if (!rule.absent && rule.only(peersKey, 'ports')) {
    for (const item of rule.at(peersKey).items()) {
      const peer = networkPeer(item, namespace);
      if (peer !== undefined) peers.push(peer);
    }
    ports = rule
      .at('ports')
      .items()
      .map(networkPort)
      .filter((port) => port !== undefined);
  }
  // NP-02: no peers and no ports are everything. What did not decode is an error, so that nothing is widened by it.
  return {
    action: 'allow',
    name: '',
    peers: peers.length === 0 ? 'all' : peers,
    ports: orAll(ports),
    place: rule.place,
  };
}

function orAll(ports: readonly PortRule[]): readonly PortRule[] | 'all' {
  return ports.length === 0 ? 'all' : ports;
}

function networkPeer(item: Field, namespace: string): Peer | undefined {
  if (item.absent) return item.wrong('A peer is absent; it needs a selector or an ipBlock.');
  if (!item.only('podSelector', 'namespaceSelector', 'ipBlock')) return undefined;
  const [podField, namespaceField, blockField] = [
    item.at('podSelector'),
    item.at('namespaceSelector'),
    item.at('ipBlock'),
  ];
  if (!blockField.absent) {
    if (!podField.absent || !namespaceField.absent) return item.wrong('An ipBlock stands beside no selector.');
    return blockPeer(blockField);
  }
  if (podField.absent && namespaceField.absent) {
    return item.wrong('A peer needs a podSelector, a namespaceSelector or an ipBlock.');
  }
  const pods = selectorIn(podField);
  const namespaces = namespaceField.absent ? namespace : selectorIn(namespaceField);
  return pods === undefined || namespaces === undefined ? undefined : { is: 'pods', namespaces, pods };
}

function blockPeer(field: Field): Peer | undefined {
  if (!field.only('cidr', 'except')) return undefined;
  const range = blockIn(field.at('cidr'));
  if (range === undefined) return undefined;
  const except: AddressRange[] = [];
  for (const item of field.at('except').items()) {
    const hole = blockIn(item);
    if (hole === undefined) continue;
    const inside = hole.family === range.family && hole.from >= range.from && hole.to <= range.to;
    if (!inside || (hole.from === range.from && hole.to === range.to)) {
      item.wrong(`'${String(item.value)}' does not lie strictly within the block.`, 'policy.cidr-invalid');
    } else except.push(hole);
  }
  return { is: 'block', range, except };
}

function networkPort(item: Field): PortRule | undefined {
  if (!item.only('port', 'protocol', 'endPort')) return undefined;
  const protocol = protocolIn(item.at('protocol'));
  if (protocol === undefined) return undefined;
  const port = item.at('port');
  const end = item.at('endPort');
  if (typeof port.value === 'string') {
    if (!end.absent) return end.wrong('An endPort needs a numeric port.', 'policy.port-invalid');
    const name = portNameIn(port);
    return name === undefined ? undefined : { name, protocol };
  }
  if (port.absent) {
    if (!end.absent) return end.wrong('An endPort needs a port.', 'policy.port-invalid');
    return { protocol, from: FIRST_PORT, to: LAST_PORT };
  }
  const from = portNumberIn(port);
  if (from === undefined) return undefined;
  if (end.absent) return { protocol, from, to: from };
  const to = portNumberIn(end);
  if (to === undefined) return undefined;
  if (to < from) return end.wrong(`The endPort ${to} is below the port ${from}.`, 'policy.port-invalid');
  return { protocol, from, to };
}

const ACTIONS = { Allow: 'allow', Accept: 'allow', Deny: 'deny', Pass: 'pass' } as const;

/** AdminNetworkPolicy and BaselineAdminNetworkPolicy v1alpha1, ClusterNetworkPolicy v1alpha2 (network-policy-api). */
export function readAdminPolicy(
  object: Field,
  kind: Exclude<PolicyKind, 'NetworkPolicy'>,
  name: string,
): Policy | undefined {
  object.only('apiVersion', 'kind', 'metadata', 'spec', 'status');
  const spec = object.at('spec');
  if (spec.absent) return spec.wrong('A policy of this kind needs a spec.');
  const cluster = kind === 'ClusterNetworkPolicy';
  const baselineKind = kind === 'BaselineAdminNetworkPolicy';
  spec.only('subject', 'ingress', 'egress', ...(baselineKind ? [] : ['priority']), ...(cluster ? ['tier'] : []));
  if (baselineKind && name !== 'default') {
    object.at('metadata').at('name').wrong("A BaselineAdminNetworkPolicy is named 'default'; another is refused.");
  }
  const tier = cluster
    ? spec.at('tier').choice(['Admin', 'Baseline'] as const) === 'Baseline'
      ? 'baseline'
      : 'admin'
    : baselineKind
      ? 'baseline'
      : 'admin';
  const priority = baselineKind ? 0 : (spec.at('priority').integer(0, 1000) ?? 0);
  const subject = podPeer(spec.at('subject'));
  if (subject === undefined) return undefined;
  const actions = cluster ? ['Accept', 'Deny', 'Pass'] : baselineKind ? ['Allow', 'Deny'] : ['Allow', 'Deny', 'Pass'];
  const limit = cluster ? 25 : 100;
  const rules = (direction: 'ingress' | 'egress', peersKey: 'from' | 'to'): Rule[] | undefined => {
    const field = spec.at(direction);
    if (field.absent) return undefined;
    const items = field.items();
    if (items.length > limit) field.wrong(`There are ${items.length} rules; at most ${limit} are allowed.`);
    return items
      .map((item) => adminRule(item, peersKey, actions as readonly (keyof typeof ACTIONS)[], cluster, limit))
      .filter((rule) => rule !== undefined);
  };
  return {
    kind,
    namespace: '',
    name,
    tier,
    priority,
    subject,
    ingress: rules('ingress', 'from'),
    egress: rules('egress', 'to'),
    place: object.place,
  };
}

function adminRule(
  item: Field,
  peersKey: 'from' | 'to',
  actions: readonly (keyof typeof ACTIONS)[],
  cluster: boolean,
  limit: number,
): Rule | undefined {
  const portsKey = cluster ? 'protocols' : 'ports';
  if (!item.only('name', 'action', peersKey, portsKey)) return undefined;
  const action = item.at('action').choice(actions);
  const name = item.at('name').absent ? '' : (item.at('name').text() ?? '');
  if (name.length > 100) item.at('name').wrong('The name of a rule has at most 100 characters.');
  const peerFields = item.at(peersKey).items();
  if (peerFields.length === 0) {
    return item.wrong(`A rule of this kind needs at least one peer in '${peersKey}'.`);
  }
  if (peerFields.length > limit) item.at(peersKey).wrong(`There are ${peerFields.length} peers; at most ${limit}.`);
  const peers = peerFields.flatMap((field) => adminPeers(field, peersKey === 'to', cluster, action));
  const portFields = item.at(portsKey).items();
  if (portFields.length > limit) item.at(portsKey).wrong(`There are ${portFields.length} ports; at most ${limit}.`);
  const ports = portFields.map(cluster ? clusterPort : adminPort).filter((port) => port !== undefined);
  if (action === undefined) return undefined;
  return { action: ACTIONS[action], name, peers, ports: orAll(ports), place: item.place };
}

/** Exactly one of `namespaces` and `pods`. */
function podPeer(field: Field): PodPeer | undefined {
  if (field.absent) return field.wrong('A policy of this kind needs a subject.');
  if (!field.only('namespaces', 'pods')) return undefined;
  const [namespaces, pods] = [field.at('namespaces'), field.at('pods')];
  if (namespaces.absent === pods.absent) return field.wrong("Exactly one of 'namespaces' and 'pods' is wanted.");
  if (pods.absent) {
    const selector = selectorIn(namespaces);
    return selector === undefined ? undefined : { is: 'pods', namespaces: selector, pods: EVERYTHING };
  }
  if (!pods.only('namespaceSelector', 'podSelector')) return undefined;
  const inNamespaces = selectorIn(pods.at('namespaceSelector'));
  const selected = selectorIn(pods.at('podSelector'));
  if (inNamespaces === undefined || selected === undefined) return undefined;
  return { is: 'pods', namespaces: inNamespaces, pods: selected };
}

function adminPeers(field: Field, egress: boolean, cluster: boolean, action: string | undefined): Peer[] {
  const known = ['namespaces', 'pods', ...(egress ? ['nodes', 'networks', ...(cluster ? ['domainNames'] : [])] : [])];
  if (!field.only(...known)) return [];
  const given = known.filter((key) => !field.at(key).absent);
  if (given.length !== 1) {
    field.wrong(
      `Exactly one of ${known.join(', ')} is wanted; there ${given.length === 0 ? 'is none' : `are ${given.length}`}.`,
    );
    return [];
  }
  const value = field.at(given[0]!);
  switch (given[0]) {
    case 'networks': {
      const items = value.items();
      if (items.length === 0 || items.length > 25) {
        value.wrong(`There are ${items.length} networks; from 1 to 25 are allowed.`);
      }
      return items
        .map((item) => blockIn(item))
        .filter((range) => range !== undefined)
        .map((range) => ({ is: 'block', range, except: [] }));
    }
    case 'nodes':
      selectorIn(value);
      field.findings.note('policy.elusive-peer', value.place, "The rule names 'nodes'.");
      return [{ is: 'nodes' }];
    case 'domainNames':
      for (const item of value.items()) item.text();
      if (action !== 'Accept') value.wrong("'domainNames' stand in rules with the action Accept only.");
      field.findings.note('policy.elusive-peer', value.place, "The rule names 'domainNames'.");
      return [{ is: 'domains' }];
    default: {
      const peer = podPeer(field);
      return peer === undefined ? [] : [peer];
    }
  }
}

/** `ports` of v1alpha1: exactly one of portNumber, portRange, namedPort. */
function adminPort(field: Field): PortRule | undefined {
  const known = ['portNumber', 'portRange', 'namedPort'];
  if (!field.only(...known)) return undefined;
  if (known.filter((key) => !field.at(key).absent).length !== 1) {
    return field.wrong(`Exactly one of ${known.join(', ')} is wanted.`, 'policy.port-invalid');
  }
  const [number, range, name] = known.map((key) => field.at(key));
  if (!name!.absent) {
    const text = portNameIn(name!);
    return text === undefined ? undefined : { name: text, protocol: undefined };
  }
  if (!number!.absent) {
    if (!number!.only('protocol', 'port')) return undefined;
    const protocol = protocolIn(number!.at('protocol'));
    const port = portNumberIn(number!.at('port'));
    return protocol === undefined || port === undefined ? undefined : { protocol, from: port, to: port };
  }
  if (!range!.only('protocol', 'start', 'end')) return undefined;
  return rangeIn(range!, protocolIn(range!.at('protocol')), false);
}

/** NP-09: the range of a ClusterNetworkPolicy has its start below its end; that of v1alpha1 may have one port. */
function rangeIn(field: Field, protocol: Protocol | undefined, strict: boolean): PortRule | undefined {
  const from = portNumberIn(field.at('start'));
  const to = portNumberIn(field.at('end'));
  if (protocol === undefined || from === undefined || to === undefined) return undefined;
  if (strict ? from >= to : from > to) {
    return field.wrong(`The range ${from} to ${to} does not ascend.`, 'policy.port-invalid');
  }
  return { protocol, from, to };
}

/** `protocols` of v1alpha2: exactly one of tcp, udp, sctp, destinationNamedPort. */
function clusterPort(field: Field): PortRule | undefined {
  const known = ['tcp', 'udp', 'sctp', 'destinationNamedPort'];
  if (!field.only(...known)) return undefined;
  const given = known.filter((key) => !field.at(key).absent);
  if (given.length !== 1) {
    return field.wrong(`Exactly one of ${known.join(', ')} is wanted.`, 'policy.port-invalid');
  }
  const value = field.at(given[0]!);
  if (given[0] === 'destinationNamedPort') {
    const name = portNameIn(value);
    return name === undefined ? undefined : { name, protocol: undefined };
  }
  const protocol = PROTOCOLS.find((one) => one.toLowerCase() === given[0])!;
  if (!value.only('destinationPort')) return undefined;
  const port = value.at('destinationPort');
  if (port.absent) return value.wrong("A protocol needs a 'destinationPort' here.", 'policy.port-invalid');
  if (!port.only('number', 'range')) return undefined;
  const [number, range] = [port.at('number'), port.at('range')];
  if (number.absent === range.absent) {
    return port.wrong("Exactly one of 'number' and 'range' is wanted.", 'policy.port-invalid');
  }
  if (range.absent) {
    const one = portNumberIn(number);
    return one === undefined ? undefined : { protocol, from: one, to: one };
  }
  return range.only('start', 'end') ? rangeIn(range, protocol, true) : undefined;
}
