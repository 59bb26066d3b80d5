import type { Cluster } from '../model.ts';
import { parseAddress } from '../addresses.ts';
import { type Logged, type LoggedEnd, readConnectionLog } from '../connection-log.ts';
import type { Protocol } from '../port-set.ts';
import { endOfPods, type ProposedEnd, type Sighting, type Unclear, workloadEnd } from './proposal.ts';

/** What a connection log says of the workloads of a cluster. */
export function sightingsInLog(
  file: string,
  bytes: Uint8Array,
  cluster: Cluster,
): { sightings: Sighting[]; unclear: Unclear[] } {
  const sightings: Sighting[] = [];
  const unclear: Unclear[] = [];
  const take = (logged: Logged): void => {
    const { where } = logged;
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
  for (const logged of readConnectionLog(file, bytes)) take(logged);
  return { sightings, unclear };
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
