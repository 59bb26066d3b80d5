import { type AddressRange, addressText, parseAddress, within } from '../addresses.ts';
import { policyFault } from '../faults.ts';
import {
  type DeclaredFlow,
  endText,
  type FlowEnd,
  type FlowPort,
  type FlowSet,
  portRuleText,
  type SpecialEnd,
} from '../flow-set.ts';
import { type BlockPeer, type Cluster, isNamed, peerName, type Pod, type PortRule } from '../model.ts';
import { type Labels, selectorOf, selects, YES } from '../selector.ts';

/** Pods that one selector in one namespace selects: a workload, those with some labels, or all of a namespace. */
export interface Unit {
  readonly key: string;
  /** What its policies are named after. */
  readonly title: string;
  readonly namespace: string;
  /** Empty: all pods of the namespace. */
  readonly labels: Labels;
}

/** Addresses of machines, which some plugins know by another name than their addresses. */
export interface Hosts {
  readonly is: 'hosts';
  readonly who: Exclude<SpecialEnd, 'dns'>;
  readonly blocks: readonly BlockPeer[];
}

/** A side of a flow as policies can say it. Never empty. */
export type ResolvedEnd =
  | { readonly is: 'pods'; readonly units: readonly Unit[] }
  | { readonly is: 'addresses'; readonly blocks: readonly BlockPeer[] }
  | Hosts;

export interface ResolvedFlow {
  readonly flow: DeclaredFlow;
  readonly from: ResolvedEnd;
  readonly to: ResolvedEnd;
  /** Of the pods, also where the flow names ports of a Service. Never empty. */
  readonly ports: readonly PortRule[];
  /** What the flow says of pods, apart from the selectors in which it is written. */
  readonly meant: { readonly from: readonly Pod[]; readonly to: readonly Pod[] };
}

/** Labels that tell workloads apart and stay when a new version comes, in the order of the documents of Kubernetes. */
const STEADY = [
  'app.kubernetes.io/name',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/component',
  'app',
  'k8s-app',
  'component',
  'tier',
  'role',
  'name',
];
/** Labels that controllers give, each pod or each version another value. */
const PASSING = new Set([
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/controller-uid',
  'controller-uid',
]);

/** Finds what flows speak of among the workloads. Throws for what is not there: nothing is made wider than declared. */
export function resolveFlows(set: FlowSet, cluster: Cluster): ResolvedFlow[] {
  const resolver = new Resolver(set, cluster);
  return set.flows.map((flow) => resolver.flow(flow));
}

/** The namespaces that are there, by an object or by a workload; without those left open. */
export function closedNamespaces(set: FlowSet, cluster: Cluster): string[] {
  const all = new Set([...cluster.namespaces.keys(), ...cluster.pods.map(({ namespace }) => namespace)]);
  for (const { namespace, where } of set.open) {
    if (!all.delete(namespace)) throw unresolved(where, `There is no namespace '${namespace}'.`);
  }
  return [...all].sort();
}

function unresolved(where: string, detail: string): Error {
  return policyFault('policy.flow-unresolved', { where, detail });
}

class Resolver {
  readonly #set: FlowSet;
  readonly #cluster: Cluster;
  readonly #byName: ReadonlyMap<string, readonly Pod[]>;
  readonly #byNamespace: ReadonlyMap<string, readonly Pod[]>;

  constructor(set: FlowSet, cluster: Cluster) {
    this.#set = set;
    this.#cluster = cluster;
    this.#byName = Map.groupBy(cluster.pods, ({ name }) => name);
    this.#byNamespace = Map.groupBy(cluster.pods, ({ namespace }) => namespace);
  }

  flow(flow: DeclaredFlow): ResolvedFlow {
    const from = this.#end(flow.from);
    const to = this.#end(flow.to);
    const destination = flow.to.is === 'dns' ? (this.#set.cluster.dns ?? DNS) : flow.to;
    const ports = destination.is === 'service' ? this.#throughService(destination, flow.ports) : flow.ports;
    if (to.end.is !== 'pods') {
      const named = ports.find(isNamed);
      if (named !== undefined) {
        throw unresolved(flow.where, `Port '${named.name}': machines have no names for their ports; write the number.`);
      }
    }
    for (const port of to.end.is === 'pods' ? ports : []) this.#named(port, to.pods, flow);
    if (from.end.is !== 'pods' && to.end.is !== 'pods') {
      throw unresolved(flow.where, 'Neither end is a pod that a policy selects.');
    }
    for (const [side, end] of [
      ['egress', from.end],
      ['ingress', to.end],
    ] as const) {
      if (flow.direction === side && end.is !== 'pods') {
        throw unresolved(flow.where, `The side of '${side}' is no pod that a policy selects.`);
      }
    }
    return { flow, from: from.end, to: to.end, ports: distinct(ports), meant: { from: from.pods, to: to.pods } };
  }

  #end(end: FlowEnd): { readonly end: ResolvedEnd; readonly pods: readonly Pod[] } {
    switch (end.is) {
      case 'workload':
      case 'name':
        return this.#pods(end, this.#workload(end), true);
      case 'pods':
        return this.#pods(end, this.#selected(end.namespace, end.labels, end), false);
      case 'service': {
        const { selector, namespace } = this.#service(end);
        const labels: Record<string, string> = {};
        for (const { label, values } of selector.requirements) labels[label] = values[0]!;
        return this.#pods({ ...end, is: 'pods', namespace, labels }, this.#selected(namespace, labels, end), false);
      }
      case 'dns': {
        if (this.#set.cluster.dns !== undefined) return this.#end(this.#set.cluster.dns);
        const known = this.#cluster.services.some((one) => one.namespace === 'kube-system' && one.name === 'kube-dns');
        if (known) return this.#end({ ...DNS, where: end.where });
        throw unresolved(
          end.where,
          "Service 'kube-system/kube-dns' is in no manifest; say in 'cluster: { dns: … }' which pods answer for DNS.",
        );
      }
      case 'addresses':
        return { end: { is: 'addresses', blocks: this.#blocks(end.blocks, end.except, end.where) }, pods: [] };
      case 'nodes':
      case 'kubelet':
      case 'api-server':
        return { end: this.#hosts(end.is, end.where), pods: [] };
    }
  }

  #hosts(who: Hosts['who'], where: string): Hosts {
    const key = who === 'api-server' ? 'api-server' : 'nodes';
    const ranges = who === 'api-server' ? this.#set.cluster.apiServer : this.#set.cluster.nodes;
    if (ranges.length === 0) {
      throw unresolved(
        where,
        `Which addresses '${who}' has is not said; write them in 'cluster: { ${key}: [BLOCK] }'.`,
      );
    }
    return { is: 'hosts', who, blocks: this.#blocks(ranges, [], where, true) };
  }

  /** Blocks without the ranges of pods: a block means what is outside, and some plugins compare it with pods too. */
  #blocks(ranges: readonly AddressRange[], except: readonly AddressRange[], where: string, hosts = false): BlockPeer[] {
    const holes = [...except, ...this.#set.cluster.pods];
    const blocks = ranges.flatMap((range): BlockPeer[] => {
      const own = holes.filter(
        ({ family, from, to }) => family === range.family && from <= range.to && to >= range.from,
      );
      if (own.some(({ from, to }) => from <= range.from && to >= range.to)) return [];
      return [{ is: 'block', range, except: own }];
    });
    if (blocks.length === 0)
      throw unresolved(where, 'Nothing is left of these addresses without the exceptions and the ranges of pods.');
    for (const pod of this.#cluster.pods) {
      // A pod in its node's network has the node's address.
      if (pod.hostNetwork && hosts) continue;
      for (const text of pod.addresses) {
        const { family, value } = parseAddress(text)!;
        const inside = blocks.some(
          ({ range, except: own }) => within(range, family, value) && !own.some((hole) => within(hole, family, value)),
        );
        if (inside) {
          throw policyFault('policy.flow-widens', {
            where,
            detail: `The block has the address ${addressText(family, value)} of ${peerName(pod)} in it.`,
          });
        }
      }
    }
    return blocks;
  }

  #workload(end: Extract<FlowEnd, { is: 'workload' | 'name' }>): Pod[] {
    const own = (this.#byName.get(end.name) ?? []).filter(
      (pod) =>
        end.is === 'name' || (pod.namespace === end.namespace && (end.kind === undefined || pod.kind === end.kind)),
    );
    const names = [...new Set(own.map(peerName))];
    if (names.length === 0) {
      if (end.is === 'workload') this.#namespace(end.namespace, end.where);
      throw unresolved(end.where, `There is no workload '${endText(end)}'.${this.#nearest(end)}`);
    }
    if (names.length > 1) {
      const fix =
        end.is === 'name'
          ? 'Write the flows in a FlowSet file, with namespaces.'
          : 'Add the kind: NAMESPACE/NAME[KIND].';
      throw unresolved(end.where, `'${endText(end)}' may be ${names.join(' or ')}. ${fix}`);
    }
    return own;
  }

  #nearest(end: Extract<FlowEnd, { is: 'workload' | 'name' }>): string {
    const elsewhere = [...new Set((this.#byName.get(end.name) ?? []).map(peerName))];
    if (elsewhere.length > 0) return ` There is ${elsewhere.slice(0, 3).join(', ')}.`;
    if (end.is === 'name') return '';
    const own = [...new Set((this.#byNamespace.get(end.namespace) ?? []).map(({ name }) => name))];
    return own.length === 0
      ? ''
      : ` In '${end.namespace}' there are ${own.slice(0, 8).join(', ')}${own.length > 8 ? ', …' : ''}.`;
  }

  #namespace(name: string, where: string): void {
    if (!this.#cluster.namespaces.has(name) && !this.#byNamespace.has(name)) {
      throw unresolved(where, `There is no namespace '${name}'.`);
    }
  }

  #selected(namespace: string, labels: Labels, end: FlowEnd): Pod[] {
    this.#namespace(namespace, end.where);
    const selector = selectorFor(labels);
    const found = (this.#byNamespace.get(namespace) ?? []).filter((pod) => selects(selector, pod.labels) === YES);
    if (found.length === 0) throw unresolved(end.where, `'${endText(end)}' selects no pod.`);
    return found;
  }

  #service(end: Extract<FlowEnd, { is: 'service' }>) {
    this.#namespace(end.namespace, end.where);
    const found = this.#cluster.services.find(
      ({ namespace, name }) => namespace === end.namespace && name === end.name,
    );
    if (found === undefined) throw unresolved(end.where, `There is no Service '${end.namespace}/${end.name}'.`);
    const { selector } = found;
    if (selector === undefined || selector.requirements.length === 0) {
      throw unresolved(end.where, `Service '${end.namespace}/${end.name}' selects no pods; name its addresses.`);
    }
    return { ...found, selector };
  }

  /** Policies are about the ports of pods: a Service's are led to these. */
  #throughService(end: Extract<FlowEnd, { is: 'service' }>, ports: readonly FlowPort[]): PortRule[] {
    const { ports: own } = this.#service(end);
    return ports.flatMap((port): PortRule[] => {
      const led = own.filter(({ name, number, protocol }) =>
        protocol !== port.protocol
          ? false
          : isNamed(port)
            ? name === port.name
            : port.from === number && port.to === number,
      );
      if (led.length === 0) {
        const known = own.map(({ number, protocol }) => `${number}/${protocol.toLowerCase()}`).join(', ');
        throw unresolved(
          port.where,
          `Service '${end.namespace}/${end.name}' has no port ${portRuleText(port)}; it has ${known}.`,
        );
      }
      return led.map(({ protocol, target }) =>
        typeof target === 'number' ? { protocol, from: target, to: target } : { protocol, name: target },
      );
    });
  }

  #named(port: PortRule, pods: readonly Pod[], flow: DeclaredFlow): void {
    if (!isNamed(port)) return;
    const known = pods.some(({ ports }) =>
      ports.some(({ name, protocol }) => name === port.name && protocol === port.protocol),
    );
    if (known) return;
    const names = [...new Set(pods.flatMap(({ ports }) => ports.map(({ name }) => name)))].filter(
      (name) => name !== '',
    );
    throw unresolved(
      'where' in port ? String(port.where) : flow.where,
      `No pod of '${endText(flow.to)}' has a port '${portRuleText(port)}'${names.length === 0 ? '' : `; known are ${names.join(', ')}`}.`,
    );
  }

  #pods(
    end: FlowEnd,
    pods: readonly Pod[],
    workload: boolean,
  ): { readonly end: ResolvedEnd; readonly pods: readonly Pod[] } {
    const hosts = pods.filter(({ hostNetwork }) => hostNetwork);
    if (hosts.length === pods.length) {
      // NP-16: it has the address of its node, and no selector is sure to select it.
      return { end: this.#hosts('nodes', end.where), pods: [] };
    }
    if (hosts.length > 0) {
      throw unresolved(
        end.where,
        `'${endText(end)}' is also ${peerName(hosts[0]!)}, which is in its node's network; declare 'nodes' for it in a flow of its own.`,
      );
    }
    const namespace = pods[0]!.namespace;
    const labels = workload ? this.#labelsFor(pods, end) : end.is === 'pods' ? end.labels : {};
    const key = `${namespace}\n${selectorFor(labels).key}`;
    const title = workload
      ? pods[0]!.name
      : Object.keys(labels).length === 0
        ? 'all'
        : Object.entries(labels)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([label, value]) => `${label.split('/').at(-1)}-${value}`)
            .join('-');
    return { end: { is: 'pods', units: [{ key, title, namespace, labels }] }, pods };
  }

  /** Labels that select the pods of a workload and no others of its namespace. */
  #labelsFor(pods: readonly Pod[], end: FlowEnd): Labels {
    const [first, ...rest] = pods;
    const common = Object.entries(first!.labels).filter(
      ([key, value]) => !PASSING.has(key) && rest.every(({ labels }) => labels[key] === value),
    );
    const name = peerName(first!);
    const others = this.#byNamespace.get(first!.namespace)!.filter((pod) => peerName(pod) !== name);
    const apart = (labels: Labels): Pod | undefined => {
      const selector = selectorFor(labels);
      return others.find((pod) => selects(selector, pod.labels) === YES);
    };
    const steady = Object.fromEntries(common.filter(([key]) => STEADY.includes(key)));
    const all = Object.fromEntries(common);
    for (const labels of [steady, all]) {
      if (Object.keys(labels).length > 0 && apart(labels) === undefined) return labels;
    }
    if (common.length === 0) {
      throw unresolved(end.where, `${name} has no labels, so that no policy can select it alone; give it one.`);
    }
    throw policyFault('policy.flow-widens', {
      where: end.where,
      detail: `What selects ${name} selects ${peerName(apart(all)!)} too; give it a label of its own, or declare the flow for both: NAMESPACE/LABEL=VALUE.`,
    });
  }
}

const DNS = { is: 'service', namespace: 'kube-system', name: 'kube-dns', where: '' } as const;

export function selectorFor(labels: Labels) {
  return selectorOf(Object.entries(labels).map(([label, value]) => ({ label, operator: 'In', values: [value] })));
}

function distinct(ports: readonly PortRule[]): PortRule[] {
  const seen = new Map<string, PortRule>();
  for (const port of ports) {
    const { protocol } = port;
    const bare = isNamed(port)
      ? { name: port.name, protocol }
      : { protocol: port.protocol, from: port.from, to: port.to };
    seen.set(portRuleText(bare), bare);
  }
  return [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, port]) => port);
}
