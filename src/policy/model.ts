import type { AddressRange } from './addresses.ts';
import type { Place } from './document.ts';
import type { Protocol } from './port-set.ts';
import type { Labels, Selector } from './selector.ts';

/** What the manifests say of a cluster, as far as it bears on who can talk to whom. */
export interface Cluster {
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly entrances: readonly Entrance[];
  readonly policies: readonly Policy[];
  /** Labels of ServiceAccount objects, by `namespace/name`. */
  readonly accounts?: ReadonlyMap<string, Labels>;
}

export interface Namespace {
  readonly name: string;
  readonly labels: Labels;
  readonly place: Place;
}

/** The pods of a workload that are alike: one for a template, perhaps several for Pod manifests of one owner. */
export interface Pod {
  readonly namespace: string;
  /** Of the owner, or of the pod itself. */
  readonly name: string;
  readonly kind: string;
  readonly labels: Labels;
  readonly ports: readonly ContainerPort[];
  readonly hostNetwork: boolean;
  /** The name of its service account; undefined is `default`. */
  readonly account?: string;
  /** Every address of `status.podIPs`, where the manifest has a status. */
  readonly addresses: readonly string[];
  readonly place: Place;
}

export interface ContainerPort {
  readonly name: string;
  readonly number: number;
  readonly protocol: Protocol;
}

export interface Service {
  readonly namespace: string;
  readonly name: string;
  /** Undefined: its endpoints are made by hand. */
  readonly selector: Selector | undefined;
  readonly ports: readonly ServicePort[];
  readonly labels?: Labels;
  /** `clusterIPs`, where the manifest has them. */
  readonly addresses?: readonly string[];
  readonly place?: Place;
}

export interface ServicePort {
  readonly name: string;
  readonly number: number;
  readonly protocol: Protocol;
  readonly target: number | string;
}

/** What an Ingress, a Route or a route of a Gateway opens: a port of a Service, or all of its ports. */
export interface Entrance {
  readonly namespace: string;
  readonly service: string;
  readonly port: number | string | undefined;
  readonly place: Place;
  /** TCP if absent. */
  readonly protocol?: Protocol;
  /** It is a route of a Gateway, of which netpol-analyzer knows nothing. */
  readonly gateway?: true;
}

/** Whose order of evaluation a policy stands in; `cilium` and `calico` mix with `network` where these enforce. */
export type Tier = 'admin' | 'network' | 'baseline' | 'cilium' | 'calico';
export type PolicyKind =
  | 'NetworkPolicy'
  | 'AdminNetworkPolicy'
  | 'BaselineAdminNetworkPolicy'
  | 'ClusterNetworkPolicy'
  | 'CiliumNetworkPolicy'
  | 'CiliumClusterwideNetworkPolicy'
  /** `NetworkPolicy` of projectcalico.org. */
  | 'CalicoNetworkPolicy'
  | 'GlobalNetworkPolicy';

/** The API that a policy is of, which some network plugins implement and others do not. */
export const DIALECTS = ['NetworkPolicy', 'AdminNetworkPolicy', 'ClusterNetworkPolicy', 'Cilium', 'Calico'] as const;
export type Dialect = (typeof DIALECTS)[number];

export function dialectOf(kind: PolicyKind): Dialect {
  switch (kind) {
    case 'NetworkPolicy':
    case 'ClusterNetworkPolicy':
    case 'AdminNetworkPolicy':
      return kind;
    case 'BaselineAdminNetworkPolicy':
      return 'AdminNetworkPolicy';
    case 'CiliumNetworkPolicy':
    case 'CiliumClusterwideNetworkPolicy':
      return 'Cilium';
    case 'CalicoNetworkPolicy':
    case 'GlobalNetworkPolicy':
      return 'Calico';
  }
}

export interface Policy {
  readonly kind: PolicyKind;
  /** '' for policies of the whole cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly tier: Tier;
  /** Lower comes first; 0 where the kind has none. */
  readonly priority: number;
  readonly subject: PodPeer;
  /** Further pods that it selects, where one selector cannot say them all (`||` of Calico). */
  readonly alsoSubject?: readonly PodPeer[];
  /** Undefined: it does not cover this direction. */
  readonly ingress: readonly Rule[] | undefined;
  readonly egress: readonly Rule[] | undefined;
  /** Directions that it covers without closing what its rules do not allow (`enableDefaultDeny` of Cilium). */
  readonly leavesOpen?: readonly ('ingress' | 'egress')[];
  /** Where a policy of Calico stands among the others. */
  readonly calico?: CalicoOrder;
  readonly place: Place;
}

/** Lower orders come first; of equal ones the lesser name. No order is infinite (projectcalico.org/v3 tier.go). */
export interface CalicoOrder {
  readonly tier: string;
  readonly tierOrder: number;
  /** What happens to traffic that no rule of the tier decides, if one of its policies applies. */
  readonly otherwise: 'deny' | 'pass';
  readonly order: number;
}

export interface Rule {
  readonly action: 'allow' | 'deny' | 'pass';
  readonly name: string;
  /** `all`: pods and addresses. Never an empty list, which Kubernetes reads as everything in one kind and not in another. */
  readonly peers: readonly Peer[] | 'all';
  readonly ports: readonly PortRule[] | 'all';
  /** Ports that are taken out of `ports`. */
  readonly notPorts?: readonly PortRule[];
  /** The peer's address must lie in one of these too. */
  readonly within?: readonly BlockPeer[];
  /** Pods that it does not match in any case, by whatever peer they would be covered. */
  readonly notPods?: readonly PodPeer[];
  /** The pod that the policy selects must itself be one of these. */
  readonly own?: OwnCondition;
  /** It matches only a part of the traffic on its ports: what tells that part apart. */
  readonly narrower?: 'requests' | 'source ports' | 'authenticated peers' | 'cases that are not documented';
  readonly place: Place;
}

export interface OwnCondition {
  readonly pods: readonly PodPeer[] | 'all';
  /** Or one whose address lies in one of these. */
  readonly blocks?: readonly BlockPeer[];
  /** And none of these. */
  readonly notPods?: readonly PodPeer[];
  /** And in any case its address must lie in one of these. */
  readonly within?: readonly BlockPeer[];
}

export type Peer = PodPeer | BlockPeer | ElusivePeer;

export interface PodPeer {
  readonly is: 'pods';
  /** A namespace by its name, or those that a selector selects. */
  readonly namespaces: string | Selector;
  readonly pods: Selector;
  /** Whether it selects what it seems to is not certain: bits of `WHY` in engine.ts. */
  readonly unsure?: number;
}

export interface BlockPeer {
  readonly is: 'block';
  readonly range: AddressRange;
  readonly except: readonly AddressRange[];
  /** It stands for what is no pod: a pod in the range is not meant. */
  readonly podsApart?: true;
}

/** Nodes, domain names and the like: which addresses they are is in no manifest. */
export interface ElusivePeer {
  readonly is: 'nodes' | 'domains' | 'groups' | 'entities';
  /** As the manifest has them. */
  readonly names?: readonly string[];
  /** False: it is no address that a row about ranges speaks of. */
  readonly outside?: boolean;
  /** It covers pods in their node's network. */
  readonly hosts?: boolean;
}

export type PortRule =
  | { readonly protocol: Protocol; readonly from: number; readonly to: number }
  | {
      readonly name: string;
      /** Undefined: any protocol. */
      readonly protocol: Protocol | undefined;
    };

export function isNamed(rule: PortRule): rule is Extract<PortRule, { readonly name: string }> {
  return 'name' in rule;
}

/** How a map names a workload: `namespace/name[Kind]`. */
export function peerName({ namespace, name, kind }: Pick<Pod, 'namespace' | 'name' | 'kind'>): string {
  return `${namespace}/${name}[${kind}]`;
}

export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

/**
 * Labels that no manifest can write, by which selectors ask for a pod's service account: its name, and behind a `/` its
 * labels.
 */
export const ACCOUNT_NAME = 'serviceaccount()';
export const ACCOUNT_LABEL = 'serviceaccount()/';
