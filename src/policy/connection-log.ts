import { instantOf, isObject, type Json } from '#kernel';
import { parseAddress } from './addresses.ts';
import { policyFault } from './faults.ts';

type Tree = Readonly<Record<string, unknown>>;

/** One connection in a log, before its ends are found among workloads or flows. */
export interface Logged {
  readonly from: LoggedEnd;
  readonly to: LoggedEnd;
  readonly port: number;
  readonly protocol: string;
  readonly denied: boolean;
  /** RFC 3339; where the log says none, it is not known. */
  readonly time?: string;
  /** `file:line`, or which attempt. */
  readonly where: string;
}

export interface LoggedEnd {
  readonly namespace?: string | undefined;
  readonly workload?: string | undefined;
  /** `app=web`, or `reserved:host` as Cilium names what is no pod. */
  readonly labels?: readonly string[];
  readonly address?: string | undefined;
}

type Line = Omit<Logged, 'where'>;

/**
 * Connections of a log: the `report.json` of a rehearsal (what its machines used and tried), flows of Hubble or of Calico
 * as JSON lines, or lines with `from`, `to`, `port`, `protocol`. A line that is none of these makes the whole unreadable:
 * policy.evidence-unreadable.
 */
export function readConnectionLog(file: string, bytes: Uint8Array): Logged[] {
  const found: Logged[] = [];
  const source = new TextDecoder().decode(bytes);
  const whole = parsed(source);
  const attempts = whole === undefined ? undefined : whole['attempts'];
  if (Array.isArray(attempts)) {
    attempts.forEach((raw, i) => {
      const one = tree(raw);
      if (one['kind'] !== 'edge' || one['deliberate'] === true) return;
      const logged = plain({ ...one, verdict: 'denied' });
      if (logged !== undefined) found.push({ ...logged, where: `${file}: attempt ${i + 1}` });
    });
    list(whole!['uses']).forEach((raw, i) => {
      const { until, count, ...one } = tree(raw);
      const logged = Number(count) > 0 ? plain({ ...one, time: until }) : undefined;
      if (logged !== undefined) found.push({ ...logged, where: `${file}: use ${i + 1}` });
    });
    return found;
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
    if (read !== 'nothing') found.push({ ...read, where: `${file}:${i + 1}` });
  }
  return found;
}

/** `nothing`: it is a line of such a log, and no new connection. */
function lineOf(value: Tree): Line | 'nothing' | undefined {
  const flow = tree(value['flow']);
  if ('verdict' in flow || ('verdict' in value && isObject(value['source'] as Json))) {
    return hubble('verdict' in flow ? flow : value, value['time']);
  }
  // Events of an exporter that are no flows.
  if ('node_status' in value || 'lost_events' in value || 'agent_event' in value) return 'nothing';
  if ('reporter' in value && 'action' in value) return calico(value);
  return plain(value);
}

/** A flow as `hubble observe -o json` and the exporter write it (cilium api/v1/flow/flow.proto). */
function hubble(flow: Tree, time: unknown): Line | 'nothing' {
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
  const denied = flow['verdict'] === 'DROPPED';
  return { from: end('source'), to: end('destination'), port, protocol, denied, ...timeOf(flow['time'] ?? time) };
}

/** A line of Calico's flow logs (docs.tigera.io, "Flow log data types"). */
function calico(value: Tree): Line | 'nothing' {
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
  const seconds = value['end_time'];
  const time = typeof seconds === 'number' ? instantOf(seconds * 1000) : seconds;
  return { from: end('source'), to: end('dest'), port, protocol, denied: value['action'] === 'deny', ...timeOf(time) };
}

function plain({ from, to, port, protocol, verdict, time }: Tree): Line | undefined {
  if (typeof from !== 'string' || typeof to !== 'string' || typeof port !== 'number' || typeof protocol !== 'string')
    return undefined;
  const end = (name: string): LoggedEnd => {
    if (parseAddress(name) !== undefined) return { address: name };
    const [namespace, workload] = name.includes('/') ? name.split('/') : [undefined, name];
    return { namespace, workload };
  };
  if (verdict !== undefined && verdict !== 'allowed' && verdict !== 'denied') return undefined;
  if (time !== undefined && (typeof time !== 'string' || Number.isNaN(Date.parse(time)))) return undefined;
  return { from: end(from), to: end(to), port, protocol, denied: verdict === 'denied', ...timeOf(time) };
}

function timeOf(time: unknown): { time?: string } {
  return typeof time === 'string' && !Number.isNaN(Date.parse(time)) ? { time } : {};
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
