import { deletionOf, type EnforcedCluster, type Established, type Policy, type Question, TABLES } from '#policy';
import type { Load } from '../protocol.ts';
import { type Observed, planProbes } from '../probe-plan.ts';
import { openGround } from './ground.ts';
import { type Enforcer, roundsIn } from './proof.ts';

export interface RolloutOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly established: Established;
  /** The policies after each change: their table is added, and then that of the earlier ones is deleted. */
  readonly changes: readonly (readonly Policy[])[];
  /** How often all the changes are made, one after the other; more than once only where they lead back. */
  readonly times?: number;
  /** Milliseconds of load between two changes. */
  readonly rest: number;
  /** Questions that are under load in any case: those on which a state between is not as both ends are. */
  readonly watched?: readonly number[];
  /** In which order the calls of nft of a change are made: for tests that break it on purpose. */
  readonly order?: (calls: readonly string[]) => readonly string[];
}

export interface LiveRollout {
  readonly enforcer: Enforcer;
  readonly before: readonly Observed[];
  readonly after: readonly Observed[];
  readonly load: Load;
  /** Of the load: which question each closed and each open probe is. */
  readonly closed: readonly number[];
  readonly open: readonly number[];
}

/** Flows of each kind that are under load, taken evenly from all. */
const LOADED = 24;

/**
 * Puts a cluster into namespaces, asks it, makes the changes under load, and asks the cluster that it has become.
 * `questions` are asked of both. Throws proving.failed.
 */
export async function performRollout(
  before: EnforcedCluster,
  after: EnforcedCluster,
  questions: readonly Question[],
  { env, signal, established, changes, times = 1, rest, watched = [], order = (calls) => calls }: RolloutOptions,
): Promise<LiveRollout | { readonly forbidden: string }> {
  const plan = planProbes(before, questions);
  const positions = [...questions.keys()];
  const known = new Set(watched);
  const both = (analysed: string): number[] => {
    const own = positions.filter((i) => [before, after].every((cluster) => cluster.answer(questions[i]!) === analysed));
    const [first, others] = [own.filter((i) => known.has(i)), own.filter((i) => !known.has(i))];
    return [...evenly(first, LOADED), ...evenly(others, LOADED)];
  };
  const [closed, open] = [both('denied'), both('allowed')];
  /** The calls of the i-th change. */
  const change = (policies: readonly Policy[], i: number): string[] => {
    const [table, earlier] = [TABLES[(i + 1) % 2]!, TABLES[i % 2]!];
    return [before.ruleset({ established, policies, table }).text, deletionOf(earlier)];
  };
  const ground = await openGround({ env, signal, places: plan.places });
  if ('forbidden' in ground) return ground;
  try {
    await ground.rules(before.ruleset({ established }).text);
    await ground.listen(plan.listeners);
    const first = await roundsIn(ground, plan);
    const probes = (of: readonly number[]) => of.map((i) => plan.probes[i]!);
    const load = await ground.load({
      closed: probes(closed),
      open: probes(open),
      changes: changes.map((policies, i) => order(change(policies, i))),
      times,
      rest,
    });
    // After changes there and back the earlier state stands again.
    await ground.rules(...change(after.placement.cluster.policies, changes.length));
    const last = await roundsIn(ground, plan);
    return {
      enforcer: { kernel: ground.kernel, nft: ground.nft, established },
      before: questions.map((_, i) => first.observations.of(i)),
      after: questions.map((_, i) => last.observations.of(i)),
      load,
      closed,
      open,
    };
  } finally {
    await ground.close();
  }
}

/** At most so many, spread over all. */
function evenly<T>(list: readonly T[], most: number): T[] {
  return list.length <= most
    ? [...list]
    : Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]!);
}
