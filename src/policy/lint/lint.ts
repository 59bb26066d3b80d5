import { type Cni, foreignTo } from '../enforcers.ts';
import type { Finding, FindingCode } from '../findings.ts';
import { dialectOf, NAMESPACE_NAME_LABEL } from '../model.ts';
import { type ManifestFile, readCluster } from '../read-cluster.ts';
import { lintReach } from './reach.ts';
import { type Remark, Remarks } from './remark.ts';
import { type Level, LEVELS, type LintCode } from './rules.ts';
import { lintSource, PodIndex, policyText } from './source.ts';

export interface Linting {
  readonly remarks: readonly Remark[];
  /** What could not be read: nothing was analysed, for it would be wrong. */
  readonly errors: readonly Finding[];
}

/** `cni`: the network plugin that is known to be there. */
export function lint(files: readonly ManifestFile[], cni: Cni | undefined): Linting {
  const { cluster, findings } = readCluster(files, { profile: 'specification', cni });
  const remarks = new Remarks();
  for (const { code, severity, where, detail } of findings.list) {
    const rule = OF_READING[code];
    if (rule !== undefined) remarks.add(rule, where, detail, severity === 'error' ? 'error' : undefined);
  }
  if (findings.errors.length > 0) return { remarks: remarks.list, errors: findings.errors };
  const pods = new PodIndex(cluster);
  for (const policy of cluster.policies) {
    const selected = [policy.subject, ...(policy.alsoSubject ?? [])].some((peer) => pods.selected(peer).length > 0);
    if (!selected) remarks.add('lint.selects-nothing', policy.place, `${policyText(policy)} selects none.`);
  }
  if (cni !== undefined) {
    const foreign = foreignTo(new Set(cluster.policies.map(({ kind }) => dialectOf(kind))), cni);
    for (const policy of cluster.policies) {
      if (!foreign.includes(dialectOf(policy.kind))) continue;
      remarks.add('lint.dialect', policy.place, `${policyText(policy)} under ${cni}.`);
    }
  }
  const orders = new Map<string, string>();
  for (const policy of cluster.policies) {
    if (policy.calico === undefined) continue;
    const { tier, order } = policy.calico;
    const key = `${tier}\n${order}\n${policy.namespace}`;
    const other = orders.get(key);
    if (other === undefined) orders.set(key, policyText(policy));
    else {
      remarks.add('lint.equal-priority', policy.place, `${policyText(policy)} and ${other} in the tier '${tier}'.`);
    }
  }
  lintNamespaces(pods, remarks);
  lintSource(pods, remarks);
  lintReach(pods, cni, remarks);
  return { remarks: remarks.list, errors: [] };
}

/** NP-05: only where a policy asks for another label than the name. */
function lintNamespaces({ cluster }: PodIndex, remarks: Remarks): void {
  const asks = cluster.policies.some(({ subject, ingress = [], egress = [] }) =>
    [subject, ...[...ingress, ...egress].flatMap(({ peers }) => (peers === 'all' ? [] : peers))].some(
      (peer) =>
        peer.is === 'pods' &&
        typeof peer.namespaces !== 'string' &&
        peer.namespaces.requirements.some(({ label }) => label !== NAMESPACE_NAME_LABEL),
    ),
  );
  const seen = new Set<string>();
  for (const { namespace, place } of asks ? cluster.pods : []) {
    if (cluster.namespaces.has(namespace) || seen.has(namespace)) continue;
    seen.add(namespace);
    remarks.add('lint.namespace-unknown', place, `The labels of the namespace '${namespace}' are not known.`);
  }
}

/** What reading finds, as lint says it. */
const OF_READING: Partial<Record<FindingCode, LintCode>> = {
  'policy.bundle-refused': 'lint.unreadable',
  'policy.unreadable': 'lint.unreadable',
  'policy.malformed': 'lint.unreadable',
  'policy.field-unknown': 'lint.unreadable',
  'policy.kind-unknown': 'lint.unreadable',
  'policy.selector-invalid': 'lint.unreadable',
  'policy.cidr-invalid': 'lint.unreadable',
  'policy.port-invalid': 'lint.unreadable',
  'policy.cidr-not-canonical': 'lint.block-not-canonical',
  'policy.priority-equal': 'lint.equal-priority',
  'policy.duplicate': 'lint.duplicate',
};

/** Whether a remark is as grave as a level, or more. */
export function atLeast({ level }: Remark, wanted: Level): boolean {
  return LEVELS.indexOf(level) <= LEVELS.indexOf(wanted);
}
