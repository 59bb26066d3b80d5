import { isObject, type Json } from '#kernel';
import { parseAddress } from '../addresses.ts';
import { policyFault } from '../faults.ts';
import type { Cluster } from '../model.ts';
import type { Protocol } from '../port-set.ts';
import { endOfPods, type ProposedEnd, type Sighting, type Unclear, workloadEnd } from './proposal.ts';

type Tree = Readonly<Record<string, unknown>>;

/** One connection in a log, before its ends are found among the workloads. */
interface Logged {
  readonly from: LoggedEnd;
  readonly to: LoggedEnd;
  readonly port: number;
  readonly protocol: string;
  readonly denied: boolean;
}

interface LoggedEnd {
  readonly namespace?: string | undefined;
  readonly workload?: string | undefined;
  readonly labels?: readonly string[];
  readonly address?: string | undefined;
}

/**
 * Flows of a connection log: the `report.json` of a rehearsal (its attempts between machines), flows of Hubble or of
 * Calico as JSON lines, or lines with `from`, `to`, `port`, `protocol`. A line that is none of these makes the whole
 * unreadable.
 */
export function sightingsInLog(
  file: string,
  bytes: Uint8Array,
  cluster: Cluster,
): { sightings: Sighting[]; unclear: Unclear[] } {
  const sightings: Sighting[] = [];
  const unclear: Unclear[] = [];
  const take = (logged: Logged, where: string): void => {
    const [from, to] = [endIn(logged.from, cluster), endIn(logged.to, cluster)];
    const detail = `${endName(logged.from)} to ${endName(logged.to)} ${logged.port}/${logged.protocol.toLowerCase()}${logged.denied ? ', stopped' : ''}`;
    const evidence = { source: 'connection log', where, detail } as const;
    const protocol = (['TCP', 'UDP', 'SCTP'] as const).find(
      (one): one is Protocol => one === logged.protocol.toUpperCase(),
    );
    if (protocol === undefined) return;
    if (from === undefined || to === undefined) {
      unclear.push({
        ...evidence,
        why: `Which workload ${endName(from === undefined ? logged.from : logged.to)} is cannot be told from the manifests.`,
      });
    } else if (from.pods.length + to.pods.length === 0 || from.text === to.text) return;
    else {
      const port = { protocol, from: logged.port, to: logged.port };
      sightings.push({ from, to, port, evidence, ...(logged.denied ? { denied: true as const } : {}) });
    }
  };
  const source = new TextDecoder().decode(bytes);
  const whole = parsed(source);
  const attempts = whole === undefined ? undefined : whole['attempts'];
  if (Array.isArray(attempts)) {
    attempts.forEach((raw, i) => {
      const one = tree(raw);
      if (one['kind'] !== 'edge' || one['deliberate'] === true) return;
      const logged = plain({ ...one, verdict: 'denied' });
      if (logged !== undefined) take(logged, `${file}: attempt ${i + 1}`);
    });
    return { sightings, unclear };
  }
  for (const [i, line] of source.split('\n').entries()) {
    if (line.trim() === '') continue;
    const value = parsed(line);
    const read = value === undefined ? undefined : lineOf(value);
    if (read === undefined) {
      throw policyFault('policy.evidence-unreadable', {
        where: `${file}:${i + 1}`,
        detail: 'It is no flow of Hubble or Calico, and no object with from, to, port and protocol.',
      });
    }
    if (read !== 'nothing') take(read, `${file}:${i + 1}`);
  }
  return { sightings, unclear };
}

/** `nothing`: it is a line of such a log, and no new connection. */
function lineOf(value: Tree): Logged | 'nothing' | undefined {
  const flow = tree(value['flow']);
  if ('verdict' in flow || ('verdict' in value && isObject(value['source'] as Json))) {
    return hubble('verdict' in flow ? flow : value);
  }
  // Events of an exporter that are no flows.
  if ('node_status' in value || 'lost_events' in value || 'agent_event' in value) return 'nothing';
  if ('reporter' in value && 'action' in value) return calico(value);
  return plain(value);
}

/** A flow as `hubble observe -o json` and the exporter write it (cilium api/v1/flow/flow.proto). */
function hubble(flow: Tree): Logged | 'nothing' {
  const l4 = tree(flow['l4']);
  const [protocol] = Object.keys(l4);
  const port = protocol === undefined ? undefined : tree(l4[protocol])['destination_port'];
  // A reply is of a connection that went the other way.
  if (protocol === undefined || typeof port !== 'number' || flow['is_reply'] === true || flow['reply'] === true)
    return 'nothing';
  if (flow['verdict'] !== 'FORWARDED' && flow['verdict'] !== 'DROPPED') return 'nothing';
  const addresses = tree(flow['IP']);
  const end = (key: 'source' | 'destination'): LoggedEnd => {
    const one = tree(flow[key]);
    const [workload] = list(one['workloads']).map(tree);
    return {
      namespace: text(one['namespace']),
      workload: text(workload?.['name']),
      labels: list(one['labels']).map((label) => String(label).replace(/^k8s:/, '')),
      address: text(addresses[key]),
    };
  };
  return { from: end('source'), to: end('destination'), port, protocol, denied: flow['verdict'] === 'DROPPED' };
}

/** A line of Calico's flow logs (docs.tigera.io, "Flow log data types"). */
function calico(value: Tree): Logged | 'nothing' {
  const port = value['dest_port'];
  if (typeof port !== 'number' || port === 0) return 'nothing';
  const end = (side: 'source' | 'dest'): LoggedEnd => {
    const labels = list(tree(value[`${side}_labels`])['labels']).map(String);
    if (value[`${side}_type`] !== 'wep')
      return { address: text(value[`${side}_ip`]), labels: [`reserved:${String(value[`${side}_type`])}`] };
    // `web-5d8f7-*`: pods whose names a controller made.
    const name = (text(value[`${side}_name_aggr`]) ?? '').replace(/-[a-z0-9]+-\*$|-\*$/, '');
    return { namespace: text(value[`${side}_namespace`]), workload: name, labels };
  };
  const protocol = text(value['proto']) ?? String(value['proto']);
  return { from: end('source'), to: end('dest'), port, protocol, denied: value['action'] === 'deny' };
}

function plain({ from, to, port, protocol, verdict }: Tree): Logged | undefined {
  if (typeof from !== 'string' || typeof to !== 'string' || typeof port !== 'number' || typeof protocol !== 'string')
    return undefined;
  const end = (name: string): LoggedEnd => {
    if (parseAddress(name) !== undefined) return { address: name };
    const [namespace, workload] = name.includes('/') ? name.split('/') : [undefined, name];
    return { namespace, workload };
  };
  return { from: end(from), to: end(to), port, protocol, denied: verdict === 'denied' };
}

/** Undefined: it cannot be told. */
function endIn({ namespace, workload, labels = [], address }: LoggedEnd, cluster: Cluster): ProposedEnd | undefined {
  if (labels.includes('reserved:kube-apiserver')) return { text: 'api-server', pods: [] };
  if (labels.includes('reserved:host')) return { text: 'kubelet', pods: [] };
  if (labels.includes('reserved:remote-node')) return { text: 'nodes', pods: [] };
  if (workload !== undefined) {
    const found = workloadEnd(cluster, workload, namespace);
    if (found !== undefined) return found;
  }
  if (namespace !== undefined && labels.length > 0) {
    const known = new Set(labels);
    const pods = cluster.pods.filter(
      (pod) =>
        pod.namespace === namespace &&
        Object.keys(pod.labels).length > 0 &&
        Object.entries(pod.labels).every(([key, value]) => known.has(`${key}=${value}`)),
    );
    return endOfPods(cluster, pods);
  }
  if (namespace !== undefined || workload !== undefined || address === undefined) return undefined;
  const parsedAddress = parseAddress(address);
  return parsedAddress === undefined ? undefined : { text: address, pods: [] };
}

function endName({ namespace, workload, labels = [], address }: LoggedEnd): string {
  if (workload !== undefined && workload !== '') return namespace === undefined ? workload : `${namespace}/${workload}`;
  if (namespace !== undefined) return `${namespace}/${labels.join(',')}`;
  return address ?? labels.join(',');
}

function parsed(source: string): Tree | undefined {
  try {
    const value = JSON.parse(source) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function tree(value: unknown): Tree {
  return isObject(value as Json) ? (value as Tree) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
