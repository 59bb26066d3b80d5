import { parseAddress, within } from './addresses.ts';
import type { Logged, LoggedEnd } from './connection-log.ts';
import { type DeclaredFlow, endText, type FlowEnd } from './flow-set.ts';

/** What Cilium calls the ends that are no pods (docs.cilium.io, "Special Identities"). */
const RESERVED: Readonly<Record<string, readonly string[]>> = {
  'api-server': ['reserved:kube-apiserver'],
  kubelet: ['reserved:host'],
  nodes: ['reserved:host', 'reserved:remote-node'],
};

/**
 * Whether a connection in a log is a use of a declared flow. Undefined: the log does not say enough; it names pods and
 * numbers, and the flow a Service, the cluster's DNS or a port by its name.
 */
export function isUseOf({ from, to, ports }: DeclaredFlow, logged: Logged): boolean | undefined {
  const protocol = logged.protocol.toUpperCase();
  const port = ports.map((one): boolean | undefined => {
    if ('name' in one) return one.protocol === undefined || one.protocol === protocol ? undefined : false;
    return one.protocol === protocol && one.from <= logged.port && logged.port <= one.to;
  });
  // Without ports it is to DNS, on 53.
  if (ports.length === 0) port.push(logged.port === 53 && protocol !== 'SCTP');
  const answers = [isEnd(from, logged.from), isEnd(to, logged.to), some(port)];
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}

function isEnd(end: FlowEnd, { namespace, workload, labels = [], address }: LoggedEnd): boolean | undefined {
  const name = namespace === undefined ? workload : `${namespace}/${workload ?? ''}`;
  if (workload !== undefined && name === endText(end)) return true;
  switch (end.is) {
    case 'workload':
      if (namespace !== undefined && namespace !== end.namespace) return false;
      return workload === undefined
        ? namespace === undefined
          ? false
          : undefined
        : name === `${end.namespace}/${end.name}`;
    case 'pods':
      if (namespace !== end.namespace) return false;
      if (Object.keys(end.labels).length === 0) return true;
      return labels.length === 0
        ? undefined
        : Object.entries(end.labels).every(([key, value]) => labels.includes(`${key}=${value}`));
    case 'name':
      return false;
    case 'service':
      return namespace === end.namespace ? undefined : false;
    case 'dns':
      return namespace === undefined && address !== undefined ? false : undefined;
    case 'addresses': {
      const parsed =
        workload === undefined && namespace === undefined && address !== undefined ? parseAddress(address) : undefined;
      if (parsed === undefined) return false;
      const lies = (block: (typeof end.blocks)[number]): boolean => within(block, parsed.family, parsed.value);
      return end.blocks.some(lies) && !end.except.some(lies);
    }
    default:
      if (workload !== undefined || namespace !== undefined) return false;
      return labels.length === 0 ? undefined : (RESERVED[end.is] ?? []).some((label) => labels.includes(label));
  }
}

function some(answers: readonly (boolean | undefined)[]): boolean | undefined {
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}
