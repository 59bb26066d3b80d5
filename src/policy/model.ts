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
}

export interface ServicePort {
  readonly name: string;
  readonly number: number;
  readonly protocol: Protocol;
  readonly target: number | string;
}

/** What an Ingress or a Route opens: a port of a Service, or all of its ports. */
export interface Entrance {
  readonly namespace: string;
  readonly service: string;
  readonly port: number | string | undefined;
  readonly place: Place;
}

export type Tier = 'admin' | 'network' | 'baseline';
export type PolicyKind = 'NetworkPolicy' | 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy' | 'ClusterNetworkPolicy';

export interface Policy {
  readonly kind: PolicyKind;
  /** '' for policies of the whole cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly tier: Tier;
  /** Lower comes first; 0 where the kind has none. */
  readonly priority: number;
  readonly subject: PodPeer;
  /** Undefined: it does not cover this direction. */
  readonly ingress: readonly Rule[] | undefined;
  readonly egress: readonly Rule[] | undefined;
  readonly place: Place;
}

export interface Rule {
  readonly action: 'allow' | 'deny' | 'pass';
  readonly name: string;
  /** `all`: pods and addresses. Never an empty list, which Kubernetes reads as everything in one kind and not in another. */
  readonly peers: readonly Peer[] | 'all';
  readonly ports: readonly PortRule[] | 'all';
  readonly place: Place;
}

export type Peer = PodPeer | BlockPeer | ElusivePeer;

export interface PodPeer {
  readonly is: 'pods';
  /** A namespace by its name, or those that a selector selects. */
  readonly namespaces: string | Selector;
  readonly pods: Selector;
}

export interface BlockPeer {
  readonly is: 'block';
  readonly range: AddressRange;
  readonly except: readonly AddressRange[];
}

/** Nodes or domain names: which addresses they are is in no manifest. */
export interface ElusivePeer {
  readonly is: 'nodes' | 'domains';
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
