import { type AddressRange, FAMILIES, type Family, WHOLE } from './addresses.ts';
import { conjunctsOf, type Expression, expressionHolds, parseExpression } from './calico-selector.ts';
import { blockOrAddressIn, type Field, labelsOf, portNameIn, portNumberIn } from './decode.ts';
import { CALICO_TIERS } from './enforcers.ts';
import {
  ACCOUNT_NAME,
  type BlockPeer,
  type CalicoOrder,
  type Namespace,
  NAMESPACE_NAME_LABEL,
  type OwnCondition,
  type Peer,
  type PodPeer,
  type Policy,
  type PortRule,
  type Rule,
  type Service,
} from './model.ts';
import { FIRST_PORT, LAST_PORT, type Protocol, PROTOCOLS } from './port-set.ts';
import { EVERYTHING, type Labels, selectorOf } from './selector.ts';

/** What policies of Calico may refer to. */
export interface CalicoSurroundings {
  readonly services: readonly Service[];
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly sets: readonly NetworkSet[];
  readonly tiers: ReadonlyMap<string, { readonly order: number; readonly otherwise: 'deny' | 'pass' }>;
}

/** A NetworkSet, or a GlobalNetworkSet, whose namespace is ''. */
export interface NetworkSet {
  readonly namespace: string;
  readonly labels: Labels;
  readonly nets: readonly AddressRange[];
}

type Kind = 'CalicoNetworkPolicy' | 'GlobalNetworkPolicy';

const SPEC = ['tier', 'order', 'ingress', 'egress', 'selector', 'types', 'serviceAccountSelector', 'performanceHints'];
const GLOBAL = ['doNotTrack', 'preDNAT', 'applyOnForward', 'namespaceSelector'];
const RULE = [
  'action',
  'ipVersion',
  'protocol',
  'notProtocol',
  'icmp',
  'notICMP',
  'source',
  'destination',
  'http',
  'metadata',
];
const ENTITY = [
  'nets',
  'notNets',
  'selector',
  'notSelector',
  'namespaceSelector',
  'services',
  'serviceAccounts',
  'ports',
  'notPorts',
];

/** A Tier of projectcalico.org (api/pkg/apis/projectcalico/v3/tier.go). */
export function readTier(object: Field): { order: number; otherwise: 'deny' | 'pass' } {
  const spec = object.at('spec');
  if (!spec.absent) spec.only('order', 'defaultAction');
  const action = spec.at('defaultAction');
  const chosen = action.absent ? 'Deny' : action.choice(['Deny', 'Pass']);
  return { order: orderIn(spec.at('order')), otherwise: chosen === 'Pass' ? 'pass' : 'deny' };
}

/** A NetworkSet or GlobalNetworkSet of projectcalico.org. */
export function readNetworkSet(object: Field, namespace: string): NetworkSet {
  const spec = object.at('spec');
  if (!spec.absent) spec.only('nets');
  const nets = spec
    .at('nets')
    .items()
    .map((item) => blockOrAddressIn(item))
    .filter((net) => net !== undefined);
  return { namespace, labels: labelsOf(object.at('metadata').at('labels')), nets };
}

/** "If the order is omitted, it may be considered to be infinite" (networkpolicy.go, tier.go). */
function orderIn(field: Field): number {
  if (field.absent) return Infinity;
  if (typeof field.value === 'number') return field.value;
  field.wrong('The order is no number.');
  return Infinity;
}

/**
 * A NetworkPolicy or GlobalNetworkPolicy of projectcalico.org/v3, or of crd.projectcalico.org/v1, which has the same
 * spec. Undefined: it is not valid, or it applies to no pod, and the findings say why.
 */
export function readCalicoPolicy(
  object: Field,
  kind: Kind,
  namespace: string,
  name: string,
  around: CalicoSurroundings,
): Policy | undefined {
  object.only('apiVersion', 'kind', 'metadata', 'spec', 'status');
  const spec = object.at('spec');
  if (!spec.absent) spec.only(...SPEC, ...(kind === 'GlobalNetworkPolicy' ? GLOBAL : []));
  if (spec.at('preDNAT').value === true || spec.at('doNotTrack').value === true) {
    // "applies to host endpoints only" (docs.tigera.io reference/resources/globalnetworkpolicy).
    object.findings.note('policy.for-nodes', object.place, 'It applies to the endpoints of hosts.');
    return undefined;
  }
  return new CalicoReader(namespace, around).policy(object, spec, kind, name);
}

class CalicoReader {
  readonly #namespace: string;
  readonly #around: CalicoSurroundings;

  constructor(namespace: string, around: CalicoSurroundings) {
    this.#namespace = namespace;
    this.#around = around;
  }

  policy(object: Field, spec: Field, kind: Kind, name: string): Policy | undefined {
    const calico = this.#order(spec);
    const parts = [
      expressionIn(spec.at('selector'), 'pod'),
      expressionIn(spec.at('serviceAccountSelector'), 'account'),
      expressionIn(spec.at('namespaceSelector'), 'namespace'),
    ];
    if (parts.includes('invalid') || calico === undefined) return undefined;
    const subjects = this.#pods(spec, all(parts as (Expression | undefined)[]), this.#namespace);
    if (subjects === undefined) return undefined;
    const rules = (direction: 'ingress' | 'egress'): Rule[] =>
      spec
        .at(direction)
        .items()
        .flatMap((item) => this.#rule(item, direction));
    const [ingress, egress] = [rules('ingress'), rules('egress')];
    const types = spec
      .at('types')
      .items()
      .map((type) => type.choice(['Ingress', 'Egress']));
    const [into, out] = [spec.at('ingress').items().length > 0, spec.at('egress').items().length > 0];
    const covers = (type: 'Ingress' | 'Egress'): boolean => {
      if (types.length > 0) return types.includes(type);
      return type === 'Ingress' ? into || !out : out;
    };
    const [subject = NOWHERE, ...alsoSubject] = subjects;
    return {
      kind,
      namespace: this.#namespace,
      name,
      tier: 'calico',
      priority: 0,
      subject,
      ...(alsoSubject.length === 0 ? {} : { alsoSubject }),
      ingress: covers('Ingress') ? ingress : undefined,
      egress: covers('Egress') ? egress : undefined,
      calico,
      place: object.place,
    };
  }

  #order(spec: Field): CalicoOrder | undefined {
    const field = spec.at('tier');
    const tier = field.absent || field.value === '' ? 'default' : field.text();
    if (tier === undefined) return undefined;
    const known = this.#around.tiers.get(tier) ?? CALICO_TIERS[tier];
    if (known === undefined) return field.wrong(`Tier '${tier}' is in no manifest.`, 'policy.tier-unknown');
    return { tier, tierOrder: known.order, otherwise: known.otherwise, order: orderIn(spec.at('order')) };
  }

  /** The pods for which an expression holds, in one namespace if it is named. Undefined: there are too many ways. */
  #pods(field: Field, expression: Expression, namespace: string): PodPeer[] | undefined {
    const conjuncts = conjunctsOf(expression);
    if (conjuncts === undefined) {
      return field.wrong('The selectors hold in more ways than are looked at.', 'policy.not-modelled');
    }
    return conjuncts.map(({ pods, namespaces }) => ({
      is: 'pods',
      namespaces:
        namespace === ''
          ? selectorOf(namespaces)
          : namespaces.length === 0
            ? namespace
            : selectorOf([{ label: NAMESPACE_NAME_LABEL, operator: 'In', values: [namespace] }, ...namespaces]),
      pods: selectorOf(pods),
    }));
  }

  #rule(item: Field, direction: 'ingress' | 'egress'): Rule[] {
    if (!item.only(...RULE)) return [];
    const action = item.at('action').choice(['Allow', 'Deny', 'Log', 'Pass']);
    const [source, destination] = [item.at('source'), item.at('destination')];
    for (const entity of [source, destination]) if (!entity.absent && !entity.only(...ENTITY)) return [];
    const protocols = this.#protocols(item);
    const families = this.#families(item);
    const [peerField, ownField] = direction === 'ingress' ? [source, destination] : [destination, source];
    const peer = this.#entity(peerField, direction === 'egress');
    const own = this.#entity(ownField, false);
    if (action === undefined || peer === undefined || own === undefined || protocols === undefined) return [];
    const sourcePorts = !source.at('ports').absent || !source.at('notPorts').absent;
    for (const key of ['ports', 'notPorts']) portsIn(source.at(key), PROTOCOLS);
    const ports = this.#ports(destination, protocols, peer.service);
    const notPorts = portsIn(destination.at('notPorts'), protocols);
    // Log decides nothing. What is about other protocols than these is about nothing that is asked here.
    if (action === 'Log' || families.length === 0) return [];
    if (protocols.length === 0 || (ports !== 'all' && ports.length === 0)) {
      item.findings.note('policy.icmp', item.place, 'The rule is about ICMP, or about a protocol without ports.');
      return [];
    }
    const narrower = sourcePorts ? 'source ports' : item.at('http').absent ? undefined : 'requests';
    const peerWithin = blocksIn(peer, families);
    // Of both ends the one with nets says the family.
    const asksOwn = own.nets.length + own.notNets.length + own.exclude.length > 0;
    const ownWithin = asksOwn ? blocksIn(own, families) : undefined;
    const base = {
      action: action === 'Allow' ? ('allow' as const) : action === 'Deny' ? ('deny' as const) : ('pass' as const),
      name: '',
      ports,
      ...(notPorts.length === 0 ? {} : { notPorts }),
      ...(narrower === undefined ? {} : ({ narrower } as const)),
      place: item.place,
    };
    const ownBlocks: BlockPeer[] =
      own.peers === 'all' ? [] : own.peers.filter((one) => one.is === 'block').filter((one) => one.podsApart !== true);
    const condition: OwnCondition | undefined =
      own.peers === 'all' && ownWithin === undefined
        ? undefined
        : {
            pods: own.peers === 'all' ? 'all' : own.peers.filter((one) => one.is === 'pods'),
            ...(ownBlocks.length === 0 ? {} : { blocks: ownBlocks, notPods: own.notPods }),
            ...(ownWithin === undefined ? {} : { within: ownWithin }),
          };
    const ownRule = condition === undefined ? {} : { own: condition };
    if (peer.peers === 'all') {
      return [{ ...base, ...ownRule, peers: peerWithin ?? 'all' }];
    }
    if (peer.peers.length === 0) return [];
    const byAddress = peer.peers.some((one) => one.is === 'block' && one.podsApart !== true);
    const notPods = byAddress && peer.notPods.length > 0 ? { notPods: peer.notPods } : {};
    return [
      {
        ...base,
        ...ownRule,
        ...notPods,
        peers: peer.peers,
        ...(peerWithin === undefined ? {} : { within: peerWithin }),
      },
    ];
  }

  /** Of the protocols that are asked about here, those that the rule is about. Undefined: it is not valid. */
  #protocols(item: Field): readonly Protocol[] | undefined {
    const [yes, no] = [protocolName(item.at('protocol')), protocolName(item.at('notProtocol'))];
    if (yes === 'invalid' || no === 'invalid') return undefined;
    return PROTOCOLS.filter((one) => (yes === undefined || yes === one) && no !== one);
  }

  /**
   * A rule is there for a family unless its nets, or the nets that it excludes, are all of the other one (felix/rules,
   * FilterRuleToIPVersion).
   */
  #families(item: Field): Family[] {
    const version = item.at('ipVersion');
    const lists = (['source', 'destination'] as const).flatMap((side) =>
      ['nets', 'notNets'].map((key) => item.at(side).at(key).items()),
    );
    return FAMILIES.filter((family) => {
      if (!version.absent && version.value !== family) return false;
      return lists.every(
        (list) => list.length === 0 || list.some(({ value }) => String(value).includes(':') === (family === 6)),
      );
    });
  }

  /** An EntityRule (policy_common.go): all that it asks for must hold. */
  #entity(field: Field, isDestination: boolean): Entity | undefined {
    const nets = rangesIn(field.at('nets'));
    const notNets = rangesIn(field.at('notNets'));
    const given = { selector: present(field, 'selector'), not: present(field, 'notSelector') };
    const namespaceGiven = present(field, 'namespaceSelector');
    const accounts = field.at('serviceAccounts');
    const services = field.at('services');
    const base = { nets, notNets, service: undefined };
    if (!services.absent) {
      if (given.selector || given.not || namespaceGiven || !accounts.absent || nets.length + notNets.length > 0) {
        return services.wrong("'services' stand beside no other selector.");
      }
      return this.#service(services, isDestination);
    }
    const selector = expressionIn(field.at('selector'), 'pod');
    const not = expressionIn(field.at('notSelector'), 'pod');
    const namespaces = expressionIn(field.at('namespaceSelector'), 'namespace');
    const account = this.#accounts(accounts);
    if (selector === 'invalid' || not === 'invalid' || namespaces === 'invalid' || account === 'invalid')
      return undefined;
    if (!given.selector && !given.not && !namespaceGiven && account === undefined) {
      return { ...base, peers: 'all', exclude: [], notPods: [] };
    }
    // The negative selector is not limited to a namespace, the positive one is, as soon as any is there
    // (libcalico-go/lib/backend/syncersv1/updateprocessors/rules.go, getEndpointSelector).
    const own: Expression | undefined =
      this.#namespace === ''
        ? undefined
        : {
            is: 'label',
            scope: 'namespace',
            requirement: { label: NAMESPACE_NAME_LABEL, operator: 'In', values: [this.#namespace] },
          };
    const place = namespaceGiven ? namespaces : own;
    const positive = [given.selector ? selector : undefined, account, place].filter((one) => one !== undefined);
    const negative: Expression | undefined = given.not && not !== undefined ? { is: 'not', inner: not } : undefined;
    const whole = all([...positive, negative]);
    const pods = this.#pods(field, whole, '');
    if (pods === undefined) return undefined;
    const exclude = given.not && not !== undefined ? this.#setsFor(not) : [];
    // A pod that the negative selector selects is out, even where a set that is not has its address.
    const notPods = given.not && not !== undefined ? this.#pods(field, not, '') : [];
    if (notPods === undefined) return undefined;
    const peers: Peer[] = [...pods];
    for (const range of positive.length === 0 ? [] : this.#setsFor(all(positive))) {
      peers.push({ is: 'block', range, except: [] });
    }
    // What is no endpoint of Calico matches a rule that says only what it is not.
    if (positive.length === 0) {
      for (const family of FAMILIES) peers.push({ is: 'block', range: WHOLE[family], except: [], podsApart: true });
      peers.push({ is: 'entities', outside: false, hosts: true });
    }
    return { ...base, peers, exclude, notPods };
  }

  #accounts(field: Field): Expression | undefined | 'invalid' {
    if (field.absent) return undefined;
    if (!field.only('names', 'selector')) return 'invalid';
    const names = field
      .at('names')
      .items()
      .map((item) => item.text());
    const selector = expressionIn(field.at('selector'), 'account');
    if (selector === 'invalid' || names.includes(undefined)) return 'invalid';
    const named: Expression = {
      is: 'label',
      scope: 'pod',
      requirement: { label: ACCOUNT_NAME, operator: 'In', values: names as string[] },
    };
    const parts = [names.length > 0 ? named : undefined, present(field, 'selector') ? selector : undefined];
    // Neither names nor a selector ask for nothing.
    return parts.some((one) => one !== undefined) ? all(parts) : undefined;
  }

  /** Ranges of the network sets for which a selector holds. */
  #setsFor(expression: Expression): AddressRange[] {
    return this.#around.sets
      .filter(({ namespace, labels }) => {
        const known = this.#around.namespaces.get(namespace)?.labels ?? { [NAMESPACE_NAME_LABEL]: namespace };
        return expressionHolds(expression, { pod: labels, namespace: namespace === '' ? {} : known, account: {} });
      })
      .flatMap(({ nets }) => nets);
  }

  /** The pods behind a Service, and as a destination only the ports that it leads to (policy_common.go, ServiceMatch). */
  #service(field: Field, isDestination: boolean): Entity | undefined {
    if (!field.only('name', 'namespace')) return undefined;
    const name = field.at('name').text();
    const namespace = field.at('namespace').absent ? this.#namespace : field.at('namespace').text();
    if (name === undefined || namespace === undefined) return undefined;
    const service = this.#around.services.find((one) => one.name === name && one.namespace === namespace);
    const base = { nets: [], notNets: [], exclude: [], notPods: [] };
    if (service?.selector === undefined) {
      const detail = `Where Service '${namespace}/${name}' leads to is in no manifest.`;
      field.findings.warning('policy.reference-unknown', field.place, detail);
      return { ...base, peers: [{ is: 'groups', names: [`${namespace}/${name}`] }], service: undefined };
    }
    return {
      ...base,
      peers: [{ is: 'pods', namespaces: namespace, pods: service.selector }],
      service: isDestination ? service : undefined,
    };
  }

  #ports(destination: Field, protocols: readonly Protocol[], service: Service | undefined): PortRule[] | 'all' {
    if (service !== undefined) {
      return service.ports
        .filter(({ protocol }) => protocols.includes(protocol))
        .map(({ protocol, target }) =>
          typeof target === 'number' ? { protocol, from: target, to: target } : { protocol, name: target },
        );
    }
    const listed = portsIn(destination.at('ports'), protocols);
    if (destination.at('ports').items().length > 0) return listed;
    if (protocols.length === PROTOCOLS.length) return 'all';
    return protocols.map((protocol) => ({ protocol, from: FIRST_PORT, to: LAST_PORT }));
  }
}

interface Entity {
  readonly peers: readonly Peer[] | 'all';
  readonly nets: readonly AddressRange[];
  readonly notNets: readonly AddressRange[];
  /** Ranges of network sets that it must not be in. */
  readonly exclude: readonly AddressRange[];
  readonly notPods: readonly PodPeer[];
  readonly service: Service | undefined;
}

const NOWHERE: PodPeer = { is: 'pods', namespaces: '', pods: EVERYTHING };

/** Undefined: any address will do. */
function blocksIn({ nets, notNets, exclude }: Entity, families: readonly Family[]): BlockPeer[] | undefined {
  const except = [...notNets, ...exclude];
  if (nets.length + except.length === 0 && families.length === FAMILIES.length) return undefined;
  const ranges = nets.length > 0 ? nets : FAMILIES.map((family) => WHOLE[family]);
  return ranges
    .filter(({ family }) => families.includes(family))
    .map((range) => ({ is: 'block', range, except: except.filter(({ family }) => family === range.family) }));
}

function all(parts: readonly (Expression | undefined)[]): Expression {
  return { is: 'and', inner: parts.filter((part) => part !== undefined) };
}

function present(field: Field, key: string): boolean {
  return !field.at(key).absent && field.at(key).value !== '';
}

/** Undefined: absent, which asks for nothing. */
function expressionIn(field: Field, scope: 'pod' | 'namespace' | 'account'): Expression | undefined | 'invalid' {
  if (field.absent || field.value === '') return undefined;
  const text = field.text();
  const expression = text === undefined ? 'It is no text.' : parseExpression(text, scope);
  if (typeof expression !== 'string') return expression;
  if (text !== undefined) field.wrong(`The selector cannot be read: ${expression}`, 'policy.selector-invalid');
  return 'invalid';
}

function rangesIn(field: Field): AddressRange[] {
  return field
    .items()
    .map((item) => blockOrAddressIn(item))
    .filter((range) => range !== undefined);
}

/** By name or number; undefined: absent. */
function protocolName(field: Field): string | undefined | 'invalid' {
  if (field.absent) return undefined;
  if (typeof field.value === 'number') {
    const number = field.integer(1, 255);
    if (number === undefined) return 'invalid';
    return { 6: 'TCP', 17: 'UDP', 132: 'SCTP' }[number] ?? `protocol ${number}`;
  }
  return field.choice(['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 'UDPLite']) ?? 'invalid';
}

/** Numbers, ranges `a:b` and names (numorstring.Port). */
function portsIn(field: Field, protocols: readonly Protocol[]): PortRule[] {
  return field.items().flatMap((item): PortRule[] => {
    const { value } = item;
    if (typeof value === 'string' && /^\d+(?::\d+)?$/.test(value)) {
      const [from = 0, to = from] = value.split(':').map(Number);
      if (from > to || to > LAST_PORT) {
        item.wrong(`'${value}' is no range of ports.`, 'policy.port-invalid');
        return [];
      }
      return protocols.map((protocol) => ({ protocol, from, to }));
    }
    if (typeof value === 'string') {
      const name = portNameIn(item);
      return name === undefined ? [] : protocols.map((protocol) => ({ protocol, name }));
    }
    if (value === 0) return [];
    const port = portNumberIn(item);
    return port === undefined ? [] : protocols.map((protocol) => ({ protocol, from: port, to: port }));
  });
}
