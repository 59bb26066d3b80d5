import { FAMILIES, WHOLE, within } from './addresses.ts';
import { blockIn, blockOrAddressIn, type Field, labelsOf, portNameIn, requirementsIn, selectorIn } from './decode.ts';
import { WHY } from './engine.ts';
import {
  ACCOUNT_NAME,
  type BlockPeer,
  type ElusivePeer,
  NAMESPACE_NAME_LABEL,
  type Peer,
  type PodPeer,
  type Policy,
  type PortRule,
  type Rule,
  type Service,
} from './model.ts';
import { FIRST_PORT, LAST_PORT, type Protocol, PROTOCOLS } from './port-set.ts';
import { EVERYTHING, type Labels, type Requirement, selectorOf, selects, YES } from './selector.ts';

/** What policies of Cilium may refer to. */
export interface CiliumSurroundings {
  readonly services: readonly Service[];
  readonly groups: ReadonlyMap<string, CidrGroup>;
}

/** A CiliumCIDRGroup. */
export interface CidrGroup {
  readonly labels: Labels;
  readonly blocks: readonly BlockPeer[];
}

type Kind = 'CiliumNetworkPolicy' | 'CiliumClusterwideNetworkPolicy';
type Direction = 'ingress' | 'egress';

const RULE = ['endpointSelector', 'nodeSelector', 'ingress', 'ingressDeny', 'egress', 'egressDeny'] as const;
const ABOUT = ['enableDefaultDeny', 'labels', 'description', 'log'] as const;

/**
 * The rules of a CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy (cilium.io/v2, pkg/policy/api), one Policy for
 * `spec` and one for each of `specs`. Policies for nodes are left out: no pod is subject to them but those in their
 * node's network, of which nothing is certain anyway.
 */
export function readCiliumPolicy(
  object: Field,
  kind: Kind,
  namespace: string,
  name: string,
  around: CiliumSurroundings,
): Policy[] {
  object.only('apiVersion', 'kind', 'metadata', 'spec', 'specs', 'status');
  const specs = [...(object.at('spec').absent ? [] : [object.at('spec')]), ...object.at('specs').items()];
  if (specs.length === 0) object.wrong("A policy of Cilium needs a 'spec' or 'specs'.");
  return specs
    .map((spec) => new CiliumReader(kind, namespace, name, around).rule(spec))
    .filter((policy) => policy !== undefined);
}

/** A CiliumCIDRGroup of v2 or v2alpha1. */
export function readCidrGroup(object: Field): CidrGroup {
  const spec = object.at('spec');
  const blocks: BlockPeer[] = [];
  if (spec.only('externalCIDRs')) {
    for (const item of spec.at('externalCIDRs').items()) {
      const range = blockIn(item);
      if (range !== undefined) blocks.push({ is: 'block', range, except: [] });
    }
  }
  return { labels: labelsOf(object.at('metadata').at('labels')), blocks };
}

class CiliumReader {
  readonly #kind: Kind;
  readonly #namespace: string;
  readonly #name: string;
  readonly #around: CiliumSurroundings;

  constructor(kind: Kind, namespace: string, name: string, around: CiliumSurroundings) {
    this.#kind = kind;
    this.#namespace = namespace;
    this.#name = name;
    this.#around = around;
  }

  rule(spec: Field): Policy | undefined {
    if (!spec.only(...RULE, ...ABOUT)) return undefined;
    const [endpoints, nodes] = [spec.at('endpointSelector'), spec.at('nodeSelector')];
    // pkg/policy/api/rule_validation.go: exactly one of the two.
    if (endpoints.absent === nodes.absent) {
      return spec.wrong("Exactly one of 'endpointSelector' and 'nodeSelector' is wanted.");
    }
    const [ingress, egress] = [this.#direction(spec, 'ingress'), this.#direction(spec, 'egress')];
    if (!nodes.absent) {
      if (this.#kind === 'CiliumNetworkPolicy')
        return nodes.wrong("A 'nodeSelector' stands in clusterwide policies only.");
      selectorIn(nodes);
      spec.findings.note('policy.for-nodes', spec.place, 'It selects nodes.');
      return undefined;
    }
    const subject = this.#subject(endpoints);
    if (subject === undefined) return undefined;
    const leavesOpen = (['ingress', 'egress'] as const).filter((direction) => this.#leavesOpen(spec, direction));
    return {
      kind: this.#kind,
      namespace: this.#namespace,
      name: this.#name,
      tier: 'cilium',
      priority: 0,
      subject,
      ingress,
      egress,
      ...(leavesOpen.length === 0 ? {} : { leavesOpen }),
      place: spec.place,
    };
  }

  /**
   * Undefined: it does not apply to this direction. An empty list does not; `enableDefaultDeny` may apply it without
   * rules (pkg/policy/api/rule.go, "If omitted or empty, this rule does not apply at ingress").
   */
  #direction(spec: Field, direction: Direction): Rule[] | undefined {
    const denied = spec.at(`${direction}Deny`).items();
    const allowed = spec.at(direction).items();
    const rules = [
      ...denied.flatMap((item) => this.#item(item, direction, 'deny')),
      ...allowed.flatMap((item) => this.#item(item, direction, 'allow')),
    ];
    const forced = spec.at('enableDefaultDeny').at(direction).value === true;
    return denied.length + allowed.length > 0 || forced ? rules : undefined;
  }

  #leavesOpen(spec: Field, direction: Direction): boolean {
    const field = spec.at('enableDefaultDeny');
    if (field.absent) return false;
    if (!field.only('ingress', 'egress')) return false;
    const own = field.at(direction);
    if (!own.absent && typeof own.value !== 'boolean') own.wrong(`${own.name} is no truth value.`);
    return own.value === false;
  }

  /** Always of the policy's namespace, whatever the selector says of namespaces (pkg/k8s/apis/cilium.io/utils). */
  #subject(field: Field): PodPeer | undefined {
    const parts = this.#selector(field);
    if (parts === undefined) return undefined;
    if (parts.entity !== undefined) {
      return field.wrong('A selector of reserved labels is not analysed here.', 'policy.not-modelled');
    }
    const { pods, namespaces, unsure } = parts;
    const named = this.#namespace === '' ? selectorOf(namespaces) : this.#namespace;
    return { is: 'pods', namespaces: named, pods: selectorOf(pods), ...(unsure === 0 ? {} : { unsure }) };
  }

  /** A selector's requirements of pods and of their namespaces; keys have the prefixes of docs.cilium.io, "Labels". */
  #selector(
    field: Field,
  ): { pods: Requirement[]; namespaces: Requirement[]; unsure: number; entity: string | undefined } | undefined {
    const requirements = requirementsIn(field, keyOf);
    if (requirements === undefined) return undefined;
    const pods: Requirement[] = [];
    const namespaces: Requirement[] = [];
    let unsure = 0;
    let entity: string | undefined;
    for (const requirement of requirements) {
      const source = sourceOf(requirement.label);
      const label = keyOf(requirement.label);
      if (source === 'reserved') {
        if (requirements.length > 1 || (requirement.operator !== 'In' && requirement.operator !== 'Exists')) {
          return field.wrong('Reserved labels beside others are not analysed.', 'policy.not-modelled');
        }
        entity = label;
      } else if (source !== '' && source !== 'k8s' && source !== 'any') {
        return field.wrong(`Labels of the source '${source}' are not analysed.`, 'policy.not-modelled');
      } else if (label === 'io.kubernetes.pod.namespace')
        namespaces.push({ ...requirement, label: NAMESPACE_NAME_LABEL });
      else if (label.startsWith(NAMESPACE_LABELS)) {
        namespaces.push({ ...requirement, label: label.slice(NAMESPACE_LABELS.length) });
      } else if (label === 'io.cilium.k8s.policy.serviceaccount') pods.push({ ...requirement, label: ACCOUNT_NAME });
      else if (label === 'io.cilium.k8s.policy.cluster') unsure |= WHY.setting;
      else pods.push({ ...requirement, label });
    }
    return { pods, namespaces, unsure, entity };
  }

  /**
   * A peer of a namespaced policy is of its namespace, unless the selector speaks of namespaces; a clusterwide one speaks
   * of all pods (pkg/k8s/apis/cilium.io/utils, getEndpointSelector; docs.cilium.io security/policy/layer3).
   */
  #endpoint(field: Field): Peer[] {
    const parts = this.#selector(field);
    if (parts === undefined) return [];
    if (parts.entity !== undefined) return entityPeers(parts.entity) ?? unknownEntity(field, parts.entity);
    const { pods, namespaces, unsure } = parts;
    const own = this.#namespace !== '' && namespaces.length === 0;
    return [
      {
        is: 'pods',
        namespaces: own ? this.#namespace : selectorOf(namespaces),
        pods: selectorOf(pods),
        ...(unsure === 0 ? {} : { unsure }),
      },
    ];
  }

  #item(item: Field, direction: Direction, action: 'allow' | 'deny'): Rule[] {
    const way = direction === 'ingress' ? 'from' : 'to';
    const peerFields = [
      `${way}Endpoints`,
      `${way}Entities`,
      `${way}CIDR`,
      `${way}CIDRSet`,
      `${way}Nodes`,
      `${way}Groups`,
    ];
    if (direction === 'egress') peerFields.push('toServices', ...(action === 'allow' ? ['toFQDNs'] : []));
    const others = ['toPorts', 'icmps', ...(action === 'allow' ? ['authentication'] : [])];
    // `fromRequires` and `toRequires` are gone since 1.19, and before narrowed rules elsewhere.
    if (!item.absent && !item.only(...peerFields, ...others)) return [];
    if (item.absent) return [];
    const given = peerFields.filter((key) => !item.at(key).absent);
    const icmp = !item.at('icmps').absent;
    const ports = item.at('toPorts');
    // "nil FromEndpoints is implicitly treated as a wildcard selector if ToPorts are also specified", and an empty list
    // selects nothing (pkg/policy/api/ingress.go); a rule without anything allows nothing.
    const everything = item
      .at(`${way}Entities`)
      .items()
      .some(({ value }) => value === 'all');
    const peers: readonly Peer[] | 'all' =
      given.length === 0 || everything ? 'all' : given.flatMap((key) => this.#peers(item.at(key)));
    if (given.filter((key) => item.at(key).items().length > 0).length > 1) {
      // pkg/policy/api/rule_validation.go refuses such a rule, so that it is not known what was meant.
      item.wrong(`A rule has one of ${given.join(', ')}, not several.`);
    }
    if (given.length === 0 && ports.absent && !icmp) {
      if (action === 'allow') return [];
      return [
        { action, name: '', peers: 'all', ports: 'all', narrower: 'cases that are not documented', place: item.place },
      ];
    }
    if (icmp) {
      item.findings.note('policy.icmp', item.at('icmps').place, 'The rule is about ICMP.');
      return [];
    }
    if (peers !== 'all' && peers.length === 0) return [];
    return this.#rules(item, action, peers, ports);
  }

  #rules(item: Field, action: 'allow' | 'deny', peers: readonly Peer[] | 'all', ports: Field): Rule[] {
    const mode = item.at('authentication').at('mode').value;
    const authenticated = mode === 'required' || mode === 'test-always-fail';
    const base = { action, name: '', peers, place: item.place } as const;
    const groups = ports.items();
    if (groups.length === 0) {
      return [{ ...base, ports: 'all', ...(authenticated ? { narrower: 'authenticated peers' as const } : {}) }];
    }
    return groups.flatMap((group) => {
      const known = ['ports', 'rules', 'serverNames', 'listener', 'originatingTLS', 'terminatingTLS'];
      if (!group.only(...(action === 'deny' ? ['ports'] : known))) return [];
      const narrower =
        isNarrowed(group.at('rules')) || group.at('serverNames').items().length > 0 || !group.at('listener').absent;
      const list = group.at('ports').items().flatMap(portsIn);
      // Of protocols without ports.
      if (list.length === 0 && group.at('ports').items().length > 0) return [];
      return [
        {
          ...base,
          ports: group.at('ports').items().length === 0 ? ('all' as const) : list,
          ...(narrower
            ? { narrower: 'requests' as const }
            : authenticated
              ? { narrower: 'authenticated peers' as const }
              : {}),
        },
      ];
    });
  }

  #peers(field: Field): Peer[] {
    const items = field.items();
    switch (field.name.replace(/^(?:from|to)/, '')) {
      case 'Endpoints':
        return items.flatMap((item) => this.#endpoint(item));
      case 'Entities':
        return items.flatMap((item) => {
          const name = item.text();
          return name === undefined ? [] : (entityPeers(name) ?? unknownEntity(item, name));
        });
      case 'CIDR':
        return items.flatMap((item) => {
          const range = blockOrAddressIn(item);
          return range === undefined ? [] : [{ is: 'block' as const, range, except: [] }];
        });
      case 'CIDRSet':
        return items.flatMap((item) => this.#cidrRule(item));
      case 'Services':
        return items.flatMap((item) => this.#service(item));
      case 'FQDNs':
        return items.flatMap((item) => {
          if (!item.only('matchName', 'matchPattern')) return [];
          const name = item.at('matchName').absent ? item.at('matchPattern').text() : item.at('matchName').text();
          return name === undefined ? [] : [{ is: 'domains' as const, names: [name] }];
        });
      case 'Nodes':
        items.forEach((item) => requirementsIn(item, keyOf));
        return [{ is: 'nodes', hosts: true }];
      default:
        return [{ is: 'groups' }];
    }
  }

  #cidrRule(item: Field): Peer[] {
    if (!item.only('cidr', 'except', 'cidrGroupRef', 'cidrGroupSelector')) return [];
    const given = ['cidr', 'cidrGroupRef', 'cidrGroupSelector'].filter((key) => !item.at(key).absent);
    if (given.length !== 1) {
      item.wrong('Exactly one of cidr, cidrGroupRef, cidrGroupSelector is wanted.');
      return [];
    }
    let blocks: readonly BlockPeer[] = [];
    if (given[0] === 'cidr') {
      const range = blockIn(item.at('cidr'));
      if (range === undefined) return [];
      blocks = [{ is: 'block', range, except: [] }];
    } else if (given[0] === 'cidrGroupRef') {
      const name = item.at('cidrGroupRef').text();
      const group = name === undefined ? undefined : this.#around.groups.get(name);
      if (group === undefined) {
        item.findings.warning('policy.reference-unknown', item.place, `CiliumCIDRGroup '${name}' is in no manifest.`);
        return [{ is: 'groups', names: [name ?? ''] }];
      }
      ({ blocks } = group);
    } else {
      const selector = selectorIn(item.at('cidrGroupSelector'));
      if (selector === undefined) return [];
      blocks = [...this.#around.groups.values()]
        .filter(({ labels }) => selects(selector, labels) === YES)
        .flatMap((group) => group.blocks);
    }
    const except = item
      .at('except')
      .items()
      .map((hole) => blockIn(hole))
      .filter((hole) => hole !== undefined);
    // "These exceptions are only applied to the Cidr in this CIDRRule" (pkg/policy/api/cidr.go).
    return blocks.map(({ range, except: own }) => {
      const holes = except.filter(({ family, from, to }) => within(range, family, from) || within(range, family, to));
      if (given[0] === 'cidr' && holes.length < except.length) {
        item.at('except').wrong('An exception does not lie in its block.', 'policy.cidr-invalid');
      }
      return { is: 'block', range, except: [...own, ...holes] };
    });
  }

  /**
   * A Service with a selector stands for the pods that it selects, whatever its ports; another one for the addresses of
   * its endpoints, which are not looked at (docs.cilium.io security/policy/layer3, "Services based"). Versions before took
   * Services without selectors only, so that nothing of it is certain.
   */
  #service(item: Field): Peer[] {
    if (!item.only('k8sService', 'k8sServiceSelector')) return [];
    const [named, selected] = [item.at('k8sService'), item.at('k8sServiceSelector')];
    if (named.absent === selected.absent) {
      item.wrong('Exactly one of k8sService, k8sServiceSelector is wanted.');
      return [];
    }
    const field = named.absent ? selected : named;
    if (!field.only(...(named.absent ? ['selector', 'namespace'] : ['serviceName', 'namespace']))) return [];
    const namespace = field.at('namespace').absent ? undefined : field.at('namespace').text();
    const requirements = named.absent ? requirementsIn(field.at('selector'), keyOf) : [];
    const name = named.absent ? undefined : named.at('serviceName').text();
    if (requirements === undefined) return [];
    const selector = selectorOf(requirements.map((one) => ({ ...one, label: keyOf(one.label) })));
    const services = this.#around.services.filter(
      (service) =>
        (namespace === undefined || service.namespace === namespace) &&
        (named.absent ? selects(selector, service.labels ?? {}) === YES : service.name === name),
    );
    if (services.length === 0) {
      item.findings.warning('policy.reference-unknown', item.place, 'No Service of these manifests is meant by it.');
      return [{ is: 'groups' }];
    }
    return services.map((service) =>
      service.selector === undefined
        ? { is: 'groups', names: [`${service.namespace}/${service.name}`] }
        : { is: 'pods', namespaces: service.namespace, pods: service.selector, unsure: WHY.setting },
    );
  }
}

const NAMESPACE_LABELS = 'io.cilium.k8s.namespace.labels.';

function sourceOf(key: string): string {
  const colon = key.indexOf(':');
  return colon === -1 ? '' : key.slice(0, colon);
}

function keyOf(key: string): string {
  return key.slice(key.indexOf(':') + 1);
}

function isNarrowed(rules: Field): boolean {
  if (rules.absent) return false;
  if (!rules.only('http', 'kafka', 'dns', 'l7proto', 'l7')) return false;
  return ['http', 'kafka', 'dns', 'l7proto', 'l7'].some((key) => !rules.at(key).absent);
}

const EVERY_POD: PodPeer = { is: 'pods', namespaces: EVERYTHING, pods: EVERYTHING };
const WORLD: readonly BlockPeer[] = FAMILIES.map((family) => ({ is: 'block', range: WHOLE[family], except: [] }));
const NODES = { is: 'entities', outside: true, hosts: true } as const satisfies ElusivePeer;

/** docs.cilium.io security/policy/layer3, "Entities based". Undefined: there is no such entity. */
function entityPeers(name: string): Peer[] | undefined {
  switch (name) {
    case 'all':
      return [...WORLD, EVERY_POD, { ...NODES, names: [name] }];
    case 'world':
      return [...WORLD];
    case 'world-ipv4':
      return [WORLD[0]!];
    case 'world-ipv6':
      return [WORLD[1]!];
    case 'cluster':
    case 'cluster-mesh':
      return [EVERY_POD, { ...NODES, names: [name] }];
    case 'host':
    case 'remote-node':
    case 'kube-apiserver':
      return [{ ...NODES, names: [name] }];
    // None of these is a workload or an address outside.
    case 'none':
    case 'init':
    case 'health':
    case 'ingress':
    case 'unmanaged':
      return [{ is: 'entities', names: [name], outside: false }];
    default:
      return undefined;
  }
}

function unknownEntity(field: Field, name: string): [] {
  field.wrong(`There is no entity '${name}'.`);
  return [];
}

const PROTOCOL_NAMES = ['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPV6', 'ICMPv6', 'VRRP', 'IGMP', 'ANY'] as const;

/** Ports are text; 0 is every port, and no protocol any (pkg/policy/api/l4.go, PortProtocol). */
function portsIn(field: Field): PortRule[] {
  if (!field.only('port', 'protocol', 'endPort')) return [];
  const protocolField = field.at('protocol');
  const protocol = protocolField.absent || protocolField.value === '' ? 'ANY' : protocolField.choice(PROTOCOL_NAMES);
  const port = field.at('port');
  const text = typeof port.value === 'number' ? String(port.value) : port.text();
  if (protocol === undefined || text === undefined) return [];
  const protocols: readonly Protocol[] =
    protocol === 'ANY' ? PROTOCOLS : PROTOCOLS.filter((one) => (one as string) === protocol);
  const end = field.at('endPort');
  if (!/^\d+$/.test(text)) {
    const name = portNameIn(port);
    return name === undefined ? [] : protocols.map((one) => ({ name, protocol: one }));
  }
  const from = Number(text);
  if (from > LAST_PORT) {
    port.wrong(`'${text}' is no port.`, 'policy.port-invalid');
    return [];
  }
  if (from === 0) return protocols.map((one) => ({ protocol: one, from: FIRST_PORT, to: LAST_PORT }));
  const to = end.absent || end.value === 0 ? from : end.integer(from, LAST_PORT, 'policy.port-invalid');
  return to === undefined ? [] : protocols.map((one) => ({ protocol: one, from, to }));
}
