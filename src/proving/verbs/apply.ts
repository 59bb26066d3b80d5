import type { z } from 'zod';
import { type Implementation, printable } from '#kernel';
import { ENCLAVE_CHOICES, EnforcedCluster, planRollout, type Policy, type Question, statesOf } from '#policy';
import { provingFault } from '../faults.ts';
import { kernelFamilies } from '../io/ground.ts';
import { performRollout } from '../io/rollout.ts';
import type { applyInput, applyOutput } from '../operations.ts';
import { ENFORCER } from '../limits.ts';
import { enforcedStates, questionsOf, questionText } from '../two-states.ts';
import type { Observed } from '../probe-plan.ts';

type Output = z.infer<typeof applyOutput>;

/** Milliseconds of load after each change: of a rollout each state is looked at, of flips the changes count. */
const REST = { steps: 100, flips: 5 } as const;

export const applyVerb: Implementation<z.infer<typeof applyInput>, Output> = {
  async run({ from, to, atOnce = false, flips, established = 'kept', root, home }, world) {
    const count = flips === undefined ? 0 : Number(flips);
    if (flips !== undefined && !(Number.isInteger(count) && count >= 2 && count <= 10_000 && count % 2 === 0)) {
      throw provingFault('proving.flips', { where: flips });
    }
    const nothing = (reason: string, errors: Output['errors'] = []): Output => ({
      'sallyport-applied': '1.0',
      verdict: 'unknown',
      reason,
      steps: [],
      errors,
    });
    const states = await statesOf(world, { from, to, root, home }, 'specification', 'enclave');
    if ('errors' in states) {
      return nothing(
        'the two states cannot be compared',
        states.errors.map((one) => ({ ...one })),
      );
    }
    const { before, after } = enforcedStates(states.before, states.after);
    const questions = questionsOf(before, after, kernelFamilies());
    if (questions.length === 0) return nothing('there is nothing that can be tested here');
    let changes: (readonly Policy[])[];
    let steps: string[];
    let planned: Output['planned'];
    let watched: number[] = [];
    if (flips !== undefined) {
      changes = [states.after.policies, states.before.policies];
      steps = [`${count} changes there and back, each of all policies at once`];
    } else if (atOnce) {
      changes = [states.after.policies];
      steps = ['all policies at once'];
    } else {
      const plan = planRollout(states.before, states.after, 'specification', 'enclave');
      planned = plan.verdict;
      changes = plan.steps.map(({ policies }) => policies);
      const between = changes
        .slice(0, -1)
        .map((policies) => new EnforcedCluster({ ...states.before, policies }, before.placement));
      watched = [...questions.keys()].filter((i) => {
        const [one, other] = [before, after].map((cluster) => cluster.answer(questions[i]!));
        return one === other && between.some((cluster) => cluster.answer(questions[i]!) !== one);
      });
      steps = plan.steps.map(({ action, object }) => `${action} ${object}`);
    }
    world.report({ type: 'step', step: 'apply', title: `${steps.length} steps under load` });
    const live = await performRollout(before, after, questions, {
      env: world.env,
      signal: world.signal,
      established,
      changes,
      times: flips === undefined ? 1 : count / 2,
      watched,
      rest: flips === undefined ? REST.steps : REST.flips,
    });
    if ('forbidden' in live) return nothing(`namespaces cannot be made here: ${live.forbidden}`);
    const ends = [compared(before, questions, live.before), compared(after, questions, live.after)] as const;
    const { load } = live;
    const wrong = ends.some(({ fails }) => fails > 0) || load.leaked > 0 || load.lost > 0 || load.keptLost > 0;
    const open = ends.some(({ unknown }) => unknown > 0) || (live.closed.length === 0 && live.open.length === 0);
    const name = (list: readonly number[]) => (at: number) => questionText(before, questions[list[at]!]!);
    return {
      'sallyport-applied': '1.0',
      verdict: wrong ? 'unsafe' : open ? 'unknown' : 'applied',
      reason: '',
      enforcer: { name: ENFORCER, ...live.enforcer, choices: ENCLAVE_CHOICES },
      ...(planned === undefined ? {} : { planned }),
      steps,
      before: ends[0],
      after: ends[1],
      load: { ...load, leaks: load.leaks.map(name(live.closed)), losses: load.losses.map(name(live.open)) },
      errors: [],
    };
  },

  exit: ({ verdict }) => (verdict === 'applied' ? 0 : 1),

  show({ verdict, reason, enforcer, steps, planned, before, after, load, errors }, style) {
    const word = verdict === 'applied' ? style.good(verdict) : style.bad(verdict);
    const lines = [reason === '' ? word : `${word}: ${printable(reason)}`];
    for (const { where, detail } of errors) lines.push(`  ${printable(where)}: ${printable(detail)}`);
    if (planned !== undefined) lines.push(`  the order is ${planned} by analysis`);
    for (const [i, step] of steps.entries()) lines.push(`  ${i + 1}. ${printable(step)}`);
    for (const [when, state] of [
      ['before', before],
      ['after', after],
    ] as const) {
      if (state === undefined) continue;
      const { holds, fails, unknown, wrong } = state;
      lines.push(`  ${when}: ${holds} samples are as analysed, ${fails} are not, ${unknown} are unknown`);
      for (const one of wrong) lines.push(style.bad(`    ${printable(one)}`));
    }
    if (load !== undefined) {
      const leaked = load.leaked > 0 ? style.bad(`${load.leaked} leaked`) : 'none leaked';
      const lost = load.lost > 0 ? style.bad(`${load.lost} lost`) : 'none lost';
      const kept = load.keptLost > 0 ? style.bad(`${load.keptLost} bytes lost`) : 'none lost';
      lines.push(
        `  ${load.changes} ${load.changes === 1 ? 'change' : 'changes'} in ${(load.milliseconds / 1000).toFixed(1)} s: of ${load.closed} probes to what stays closed ${leaked} (at least ${load.leastDuring} during each change)`,
        `  of ${load.fresh} new connections and datagrams to what stays open ${lost}; of ${load.kept} bytes over open ones ${kept}`,
        ...load.leaks.map((one) => style.bad(`    leaked: ${printable(one)}`)),
        ...load.losses.map((one) => style.bad(`    lost: ${printable(one)}`)),
      );
    }
    if (enforcer !== undefined) {
      lines.push(
        style.dim(`  enforced by ${enforcer.name}, ${printable(enforcer.nft)}, Linux ${printable(enforcer.kernel)}`),
      );
    }
    return lines.join('\n');
  },
};

const SHOWN = 20;

function compared(
  cluster: EnforcedCluster,
  questions: readonly Question[],
  observed: readonly Observed[],
): NonNullable<Output['before']> {
  let [holds, unknown] = [0, 0];
  const wrong: string[] = [];
  for (const [i, question] of questions.entries()) {
    const [analysed, { live }] = [cluster.answer(question), observed[i]!];
    if (analysed === 'depends' || live === 'unknown' || live === 'unstable') unknown++;
    else if ((live === 'open' && analysed === 'allowed') || (live === 'closed' && analysed === 'denied')) holds++;
    else wrong.push(`${questionText(cluster, question)}: live ${live}, analysed ${analysed}`);
  }
  return { holds, fails: wrong.length, unknown, wrong: wrong.slice(0, SHOWN) };
}
