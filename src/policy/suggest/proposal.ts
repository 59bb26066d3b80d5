import { compareUtf8, printable } from '#kernel';
import { type AddressRange, parseAddress, within } from '../addresses.ts';
import { portRuleText } from '../flow-set.ts';
import { type Cluster, isNamed, peerName, type Pod, type PortRule } from '../model.ts';
import type { ResolvedEnd, ResolvedFlow } from '../generate/resolve.ts';
import { selects, YES } from '../selector.ts';

/** Why a flow is proposed. */
export interface Evidence {
  readonly source: 'environment' | 'entrance' | 'dns' | 'compose' | 'connection log';
  /** `file:line`. */
  readonly where: string;
  readonly detail: string;
}

/** What some source says of one end: a text as FlowSet files have it, and the pods that it means. */
export interface ProposedEnd {
  readonly text: string;
  readonly pods: readonly Pod[];
}

/** One connection that some source speaks of. */
export interface Sighting {
  readonly from: ProposedEnd;
  readonly to: ProposedEnd;
  readonly port: PortRule;
  readonly evidence: Evidence;
  /** It was seen, and stopped. */
  readonly denied?: true;
}

/** A source speaks of a connection, and it cannot be said as a flow. */
export interface Unclear extends Evidence {
  readonly why: string;
}

export interface Proposal {
  /** Unique, and the same as long as the flow is. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** As FlowSet files have it. */
  readonly port: string;
  readonly evidence: readonly Evidence[];
  /** How many pieces of evidence there are, of which the first are listed. */
  readonly seen: number;
  /** How many of them were stopped. */
  readonly denied: number;
}

const LISTED = 5;

/** Sightings of one flow together, without those that are declared. Sorted by name. */
export function proposalsOf(sightings: readonly Sighting[], declared: readonly ResolvedFlow[]): Proposal[] {
  const groups = Map.groupBy(
    sightings.filter((one) => !declared.some((flow) => says(flow, one))),
    ({ from, to, port }) => `${from.text}\n${to.text}\n${portRuleText(port)}`,
  );
  const proposals = [...groups.values()]
    .map((group): Proposal => {
      const { from, to, port } = group[0]!;
      const text = `${from.text}-to-${to.text}-${portRuleText(port)}`;
      return {
        id: text
          .toLowerCase()
          .replaceAll('*', 'all')
          .replaceAll(/[^a-z0-9]+/g, '-')
          .replaceAll(/^-|-$/g, '')
          .slice(0, 200),
        from: from.text,
        to: to.text,
        port: portRuleText(port),
        evidence: group.slice(0, LISTED).map(({ evidence }) => evidence),
        seen: group.length,
        denied: group.filter(({ denied }) => denied === true).length,
      };
    })
    .sort((a, b) => compareUtf8(`${a.id} ${a.from} ${a.to}`, `${b.id} ${b.from} ${b.to}`));
  // Other marks between the same words give the same name.
  const seen = new Map<string, number>();
  return proposals.map((one) => {
    const count = (seen.get(one.id) ?? 0) + 1;
    seen.set(one.id, count);
    return count === 1 ? one : { ...one, id: `${one.id}.${count}` };
  });
}

/** Whether a declared flow has all that was seen in it. */
function says({ flow, meant, ports, ...sides }: ResolvedFlow, { from, to, port }: Sighting): boolean {
  if (flow.direction !== 'both') return false;
  const covers = (pods: readonly Pod[], end: ProposedEnd, side: ResolvedEnd, is: string): boolean => {
    if (end.pods.length > 0) return end.pods.every((pod) => pods.includes(pod));
    const address = parseAddress(end.text);
    if (address === undefined || side.is !== 'addresses') return end.text === is;
    const inside = (range: AddressRange): boolean => within(range, address.family, address.value);
    return side.blocks.some(({ range, except }) => inside(range) && !except.some(inside));
  };
  if (!covers(meant.from, from, sides.from, flow.from.is) || !covers(meant.to, to, sides.to, flow.to.is)) return false;
  return ports.some((one) => isPort(one, port, to.pods));
}

/** Whether a declared port is the one that was seen, on every pod that was meant. */
function isPort(declared: PortRule, seen: PortRule, pods: readonly Pod[]): boolean {
  if (isNamed(seen)) return isNamed(declared) && portRuleText(declared) === portRuleText(seen);
  if (!isNamed(declared)) {
    return declared.protocol === seen.protocol && declared.from <= seen.from && declared.to >= seen.to;
  }
  return (
    seen.from === seen.to &&
    pods.length > 0 &&
    pods.every(({ ports }) =>
      ports.some(
        ({ name, number, protocol }) =>
          name === declared.name &&
          protocol === declared.protocol &&
          protocol === seen.protocol &&
          number === seen.from,
      ),
    )
  );
}

/** The number of a named port, where it is the same on all pods. */
function numbered(port: PortRule, pods: readonly Pod[]): PortRule {
  if (!isNamed(port)) return port;
  const numbers = new Set(
    pods.map(
      ({ ports }) => ports.find(({ name, protocol }) => name === port.name && protocol === port.protocol)?.number,
    ),
  );
  const [number] = numbers;
  if (numbers.size !== 1 || number === undefined || port.protocol === undefined) return port;
  return { protocol: port.protocol, from: number, to: number };
}

/** A workload by its name, with its kind where another one is called so too. Undefined: there is none, or several. */
export function workloadEnd(
  cluster: Cluster,
  name: string,
  namespace?: string,
  kind?: string,
): ProposedEnd | undefined {
  const pods = cluster.pods.filter(
    (pod) =>
      pod.name === name &&
      (namespace === undefined || pod.namespace === namespace) &&
      (kind === undefined || pod.kind === kind),
  );
  return endOfPods(cluster, pods);
}

/** The one workload of which these pods are. */
export function endOfPods(cluster: Cluster, pods: readonly Pod[]): ProposedEnd | undefined {
  const [first, ...rest] = [...new Set(pods.map(peerName))];
  if (first === undefined || rest.length > 0) return undefined;
  const { namespace, name, kind } = pods[0]!;
  const alone = cluster.pods.every((pod) => pod.namespace !== namespace || pod.name !== name || pod.kind === kind);
  return { text: alone ? `${namespace}/${name}` : first, pods: cluster.pods.filter((pod) => peerName(pod) === first) };
}

/** Where a port of a Service leads: the pods behind it, and their port. A text says why that is not known. */
export function throughService(
  cluster: Cluster,
  namespace: string,
  name: string,
  wanted: number | string | undefined,
): readonly { readonly to: ProposedEnd; readonly port: PortRule }[] | string {
  const service = cluster.services.find((one) => one.namespace === namespace && one.name === name);
  const title = `Service ${printable(namespace)}/${printable(name)}`;
  if (service === undefined) return `${title} is in no manifest.`;
  const { selector } = service;
  if (selector === undefined || selector.requirements.length === 0) return `${title} selects no pods.`;
  const pods = cluster.pods.filter((pod) => pod.namespace === namespace && selects(selector, pod.labels) === YES);
  if (pods.length === 0) return `${title} selects no pod of these manifests.`;
  const labels = selector.requirements.map(({ label, values }) => `${label}=${values[0]}`).join(',');
  const to = endOfPods(cluster, pods) ?? { text: `${namespace}/${labels}`, pods };
  const ports = service.ports.filter(
    ({ number, name: own }) =>
      wanted === undefined || (typeof wanted === 'number' ? number === wanted : own === wanted),
  );
  if (ports.length === 0) return `${title} has no port ${wanted ?? ''}.`;
  // Which of several ports is meant is not said.
  if (wanted === undefined && ports.length > 1) return `${title} has several ports, and none is named.`;
  return ports.map(({ protocol, target }) => ({
    to,
    port: numbered(
      typeof target === 'number' ? { protocol, from: target, to: target } : { protocol, name: target },
      pods,
    ),
  }));
}
