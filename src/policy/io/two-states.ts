import { printable, type World } from '#kernel';
import { analyse } from '../analysis.ts';
import { placeText } from '../document.ts';
import type { Profile } from '../engine.ts';
import type { Cni } from '../enforcers.ts';
import { type Finding, Findings } from '../findings.ts';
import type { Cluster } from '../model.ts';
import { referredChanges } from '../rollout/not-policies.ts';
import { otherChanges } from '../rollout/plan.ts';
import { manifestsOf } from './manifests.ts';

/** Two states that differ in their policies alone, or why they are none. */
export type TwoStates = { readonly before: Cluster; readonly after: Cluster } | { readonly errors: readonly Finding[] };

/** What stands in two places, as a rollout of policies leads from one to the other. */
export async function statesOf(
  world: World,
  named: {
    readonly from: string;
    readonly to: string;
    readonly root?: string | undefined;
    readonly home?: string | undefined;
  },
  profile: Profile,
  cni?: Cni,
): Promise<TwoStates> {
  const { from, to } = named;
  const [old, now] = [await manifestsOf(from, named, world), await manifestsOf(to, named, world)];
  const [before, after] = [analyse(old, profile, cni), analyse(now, profile, cni)];
  const errors: Finding[] = [
    ...before.findings.map((one) => ({ ...one, where: `${printable(from)}: ${one.where}` })),
    ...after.findings.map((one) => ({ ...one, where: `${printable(to)}: ${one.where}` })),
  ].filter(({ severity }) => severity === 'error');
  if (before.connectivity === undefined || after.connectivity === undefined) return { errors };
  const others = new Findings();
  for (const { name, how, detail, place } of otherChanges(before.cluster, after.cluster)) {
    const folder = how === 'removed' ? from : to;
    const where = place === undefined ? folder : `${folder}: ${placeText(place)}`;
    others.error('policy.rollout-not-policy', where, `${name} ${how}${detail === '' ? '' : `, ${detail}`}.`);
  }
  for (const name of referredChanges(old, now)) {
    others.error('policy.rollout-not-policy', to, `${name} is not the same in both.`);
  }
  return others.list.length > 0 ? { errors: others.list } : { before: before.cluster, after: after.cluster };
}
