import { stringify } from 'yaml';
import { compareUtf8 } from '#kernel';
import { policyFault } from '../faults.ts';
import type { FlowSet } from '../flow-set.ts';
import { type Cluster, isNamed, peerName } from '../model.ts';
import { planOf } from './plan.ts';
import { type Proof, prove } from './proof.ts';
import { type PolicyObject, render } from './render.ts';
import type { Rendering } from './renderings.ts';
import { closedNamespaces, type ResolvedFlow, resolveFlows } from './resolve.ts';

/** The first line of each file: what carries it may be replaced and removed by the next run. */
const MARK = '# Made by sallyport policy generate. Change the flows, not this file.';

export interface Generated {
  readonly dialect: Rendering;
  /** By path below the folder, in the order of paths. */
  readonly files: ReadonlyMap<string, string>;
  readonly policies: number;
  readonly proof: Proof;
}

/**
 * Policies that admit exactly the flows of a set among the workloads of a cluster, each dialect with its proof. The
 * cluster's own policies do not count. Throws for what is not there.
 *
 * @param today `YYYY-MM-DD`: flows that have expired by then are left out
 */
export function generate(
  set: FlowSet,
  cluster: Cluster,
  dialects: readonly Rendering[],
  today: string,
): { readonly generated: readonly Generated[]; readonly expired: readonly string[] } {
  const isExpired = ({ expires }: FlowSet['flows'][number]): boolean => expires !== undefined && expires < today;
  const expired = set.flows.filter(isExpired).map(({ id }) => id);
  const live = { ...set, flows: set.flows.filter((flow) => !isExpired(flow)) };
  const closed = closedNamespaces(live, cluster);
  const flows = resolveFlows(live, cluster);
  if (dialects.includes('cluster')) flows.forEach(checkNames);
  const plan = planOf(flows, closed);
  const generated = dialects.map((dialect): Generated => {
    const objects = render(plan, dialect);
    const files = filesOf(dialect, objects);
    const text = [...files.values()].join('---\n');
    const proof = prove(dialect, text, cluster, flows, closed, set.cluster.pods);
    return { dialect, files, policies: objects.length, proof };
  });
  return { generated, expired };
}

/** A `destinationNamedPort` of a ClusterNetworkPolicy has no protocol: it is every port of that name. */
function checkNames({ flow, ports, meant }: ResolvedFlow): void {
  for (const port of ports.filter(isNamed)) {
    const other = meant.to.find(({ ports: own }) =>
      own.some(({ name, protocol }) => name === port.name && protocol !== port.protocol),
    );
    if (other === undefined) continue;
    throw policyFault('policy.flow-widens', {
      where: flow.where,
      detail: `In a ClusterNetworkPolicy '${port.name}' would be the port of another protocol of ${peerName(other)} too.`,
      fix: 'Write the number of the port in place of its name, or leave the dialect cluster out.',
    });
  }
}

/** A file for each namespace, and one for the policies of the whole cluster. */
function filesOf(dialect: Rendering, objects: readonly PolicyObject[]): ReadonlyMap<string, string> {
  const groups = Map.groupBy(objects, ({ metadata }) => metadata.namespace ?? '');
  const files = [...groups].map(([namespace, list]): [string, string] => [
    // A name with an underscore is no namespace's.
    `${dialect}/${namespace === '' ? '_cluster' : namespace}.yaml`,
    `${MARK}\n${list.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n')}`,
  ]);
  return new Map(files.sort(([a], [b]) => compareUtf8(a, b)));
}

/** Whether a file was made by an earlier run. */
export function isMarked(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, MARK.length)) === MARK;
}
