import type { EnforcedCluster, Established, Question } from '#policy';
import { Observations, type Observed, planProbes } from '../probe-plan.ts';
import { type Ground, openGround } from './ground.ts';

/** What enforced the policies. */
export interface Enforcer {
  readonly kernel: string;
  readonly nft: string;
  readonly established: Established;
}

export interface LiveAnswers {
  readonly enforcer: Enforcer;
  /** In the order of the questions. */
  readonly observed: readonly Observed[];
  readonly rounds: number;
  /** Probes of one round, controls among them. */
  readonly probes: number;
  /** That the rounds took. */
  readonly milliseconds: number;
}

export interface LiveOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly established: Established;
  /** Milliseconds for which a round waits for probes of which nothing is heard. */
  readonly patience?: number;
  /** Changes the rules before the kernel has them: for tests that break them on purpose. */
  readonly rules?: (text: string) => string;
}

/** Of the kernel a connection on one machine takes well below a millisecond. */
const PATIENCE = 250;

/** Puts a cluster into namespaces and asks its kernel. Throws proving.failed. */
export async function askKernel(
  cluster: EnforcedCluster,
  questions: readonly Question[],
  { env, signal, established, patience = PATIENCE, rules = (text) => text }: LiveOptions,
): Promise<LiveAnswers | { readonly forbidden: string }> {
  const plan = planProbes(cluster, questions);
  const ground = await openGround({ env, signal, places: plan.places });
  if ('forbidden' in ground) return ground;
  try {
    await ground.rules(rules(cluster.ruleset({ established }).text));
    await ground.listen(plan.listeners);
    const { observations, milliseconds } = await roundsIn(ground, plan, patience);
    return {
      enforcer: { kernel: ground.kernel, nft: ground.nft, established },
      observed: questions.map((_, i) => observations.of(i)),
      rounds: observations.rounds,
      probes: plan.probes.length,
      milliseconds,
    };
  } finally {
    await ground.close();
  }
}

/** Rounds until they agree, or their number is over. */
export async function roundsIn(
  ground: Ground,
  plan: ReturnType<typeof planProbes>,
  patience = PATIENCE,
): Promise<{ readonly observations: Observations; readonly milliseconds: number }> {
  const observations = new Observations(plan);
  let all = 0;
  while (observations.more) {
    const { seen, milliseconds } = await ground.round(plan.probes, patience, plan.controls.length);
    observations.add(seen);
    all += milliseconds;
  }
  return { observations, milliseconds: all };
}
