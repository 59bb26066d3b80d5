import { type Connectivity, type MapState, mapState } from './connections.ts';
import type { Profile } from './engine.ts';
import type { Cni } from './enforcers.ts';
import { selects, NO } from './selector.ts';
import type { Finding, Findings } from './findings.ts';
import { type Cluster, NAMESPACE_NAME_LABEL, peerName } from './model.ts';
import { type ClusterReading, type ManifestFile, readCluster } from './read-cluster.ts';
import { type Walls, wallsOf } from './walls.ts';

/** What manifests say, or why it cannot be told. */
export interface Analysis {
  /** What was read; incomplete where there are errors. */
  readonly cluster: Cluster;
  /** Undefined: there are errors among the findings, and a map without what they concern would be wrong. */
  readonly connectivity: Connectivity | undefined;
  /** In place of the map, where walls were asked for. */
  readonly walls?: Walls | undefined;
  readonly findings: readonly Finding[];
  readonly counts: { readonly workloads: number; readonly policies: number; readonly namespaces: number };
  readonly ignored: readonly { readonly kind: string; readonly count: number }[];
}

/** `cni`: the network plugin, where it is known; what plugins do differently then has one answer. */
export function analyse(files: readonly ManifestFile[], profile: Profile, cni?: Cni): Analysis {
  return analysisOf(readCluster(files, { profile, cni }), { profile, cni }).analysis;
}

/** The same of what was read; `state` is what the analysis of the next reading may start from. */
export function analysisOf(
  reading: ClusterReading,
  { profile, cni }: { readonly profile: Profile; readonly cni?: Cni | undefined },
  before?: MapState,
): { readonly analysis: Analysis; readonly state: MapState | undefined } {
  const { cluster, findings } = reading;
  if (profile === 'specification') remark(cluster, findings);
  const state = findings.errors.length === 0 ? mapState(cluster, profile, cni, before) : undefined;
  if (state !== undefined && profile === 'np-guard') {
    for (const pod of state.found.mixed) {
      findings.error('policy.owner-mixed', pod.place, `The pods of ${peerName(pod)} may do different things.`);
    }
  }
  const found = findings.errors.length === 0 ? state?.found : undefined;
  return { analysis: { ...told(reading), connectivity: found }, state };
}

/** Why these manifests have no answer; empty where they have one. */
export function whyUnknown(files: readonly ManifestFile[]): readonly Finding[] {
  return readCluster(files, { profile: 'specification' }).findings.errors;
}

/** The same without rows: what there is of policies and walls (wallsOf). */
export function analyseWalls(files: readonly ManifestFile[], profile: Profile, cni?: Cni): Analysis {
  const reading = readCluster(files, { profile, cni });
  const { cluster, findings } = reading;
  if (profile === 'specification') remark(cluster, findings);
  const walls = findings.errors.length === 0 ? wallsOf(cluster, profile, cni) : undefined;
  return { ...told(reading), connectivity: undefined, walls };
}

function told({ cluster, findings, ignored }: ClusterReading): Omit<Analysis, 'connectivity'> {
  const used = new Set(cluster.pods.map(({ namespace }) => namespace));
  return {
    cluster,
    findings: findings.list,
    counts: {
      workloads: new Set(cluster.pods.map(peerName)).size,
      policies: cluster.policies.length,
      namespaces: used.size,
    },
    ignored: [...ignored].map(([kind, count]) => ({ kind, count })),
  };
}

/** What does not make the answer wrong, and should be known with it. */
function remark(cluster: Cluster, findings: Findings): void {
  const missing = new Map<string, (typeof cluster.pods)[number]>();
  for (const pod of cluster.pods) {
    if (!cluster.namespaces.has(pod.namespace) && !missing.has(pod.namespace)) missing.set(pod.namespace, pod);
  }
  const asks = cluster.policies.some(({ subject, ingress = [], egress = [] }) =>
    [subject, ...[...ingress, ...egress].flatMap(({ peers }) => (peers === 'all' ? [] : peers))].some(
      (peer) =>
        peer.is === 'pods' &&
        typeof peer.namespaces !== 'string' &&
        peer.namespaces.requirements.some(({ label }) => label !== NAMESPACE_NAME_LABEL),
    ),
  );
  if (asks) {
    for (const [name, pod] of missing) {
      findings.warning('policy.namespace-unknown', pod.place, `The labels of namespace '${name}' are not known.`);
    }
  }
  const block = cluster.policies
    .flatMap(({ ingress = [], egress = [] }) => [...ingress, ...egress])
    .find(({ peers }) => peers !== 'all' && peers.some(({ is }) => is === 'block'));
  const unplaced = new Set(cluster.pods.filter(({ addresses }) => addresses.length === 0).map(peerName)).size;
  if (block !== undefined && unplaced > 0) {
    findings.note('policy.address-unknown', block.place, `It is so for ${unplaced} workloads.`);
  }
  const podsOf = Map.groupBy(cluster.pods, ({ namespace }) => namespace);
  for (const { kind, namespace, name, subject, place } of cluster.policies) {
    if (typeof subject.namespaces !== 'string') continue;
    const some = podsOf.get(namespace)?.some(({ labels }) => selects(subject.pods, labels) !== NO) ?? false;
    if (!some) findings.warning('policy.selects-nothing', place, `${kind} '${namespace}/${name}' selects none.`);
  }
}
