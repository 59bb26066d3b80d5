import { type Cluster, EnforcedCluster, FAMILIES, type Family, placementOf, type Question } from '#policy';
import { provingFault } from './faults.ts';
import { MOST_PODS, MOST_QUESTIONS, podsOf } from './limits.ts';

/** Both states with every pod at one place. */
export function enforcedStates(
  before: Cluster,
  after: Cluster,
): { readonly before: EnforcedCluster; readonly after: EnforcedCluster } {
  const placement = placementOf({ ...before, policies: [...before.policies, ...after.policies] });
  return { before: new EnforcedCluster(before, placement), after: new EnforcedCluster(after, placement) };
}

/** What can be asked of both states: the samples of each. Throws proving.too-large. */
export function questionsOf(
  before: EnforcedCluster,
  after: EnforcedCluster,
  families: readonly Family[] = FAMILIES,
): Question[] {
  const known = new Map<string, Question>();
  for (const cluster of [before, after]) {
    const own = cluster.questions(MOST_QUESTIONS);
    if (own === undefined) throw provingFault('proving.too-large', { where: `more than ${MOST_QUESTIONS} probes` });
    for (const one of own) {
      if (!families.includes(one.family)) continue;
      if (before.untestable(one) !== undefined || after.untestable(one) !== undefined) continue;
      known.set(`${questionText(before, one)} IPv${one.family}`, one);
    }
  }
  const questions = [...known.values()];
  const pods = podsOf(questions);
  if (pods > MOST_PODS) throw provingFault('proving.too-large', { where: `${pods} pods` });
  return questions;
}

/** As a report has it. */
export function questionText(cluster: EnforcedCluster, { from, to, family, protocol, port }: Question): string {
  return `${cluster.nameOf(from, family)} -> ${cluster.nameOf(to, family)} ${port}/${protocol.toLowerCase()}`;
}
