import type { z } from 'zod';
import { type Implementation, printable } from '#kernel';
import {
  addressText,
  analyse,
  ENCLAVE_CHOICES,
  EnforcedCluster,
  givenAssertions,
  isAssertions,
  manifestsOf,
} from '#policy';
import { type Asked, askedBy, askedOf, judged } from '../asked.ts';
import { provingFault } from '../faults.ts';
import { kernelFamilies } from '../io/ground.ts';
import { askKernel, type Enforcer } from '../io/proof.ts';
import { ENFORCER, MOST_PODS, MOST_QUESTIONS, podsOf } from '../limits.ts';
import type { proveInput, proveOutput } from '../operations.ts';

type Output = z.infer<typeof proveOutput>;

export const proveVerb: Implementation<z.infer<typeof proveInput>, Output> = {
  async run({ folder = '.', file, flows, established = 'kept', root, home }, world) {
    const files = (await manifestsOf(folder, { root, home }, world)).filter(({ bytes }) => !isAssertions(bytes));
    const { cluster, connectivity, findings } = analyse(files, 'specification', 'enclave');
    const kind = file === undefined && flows === undefined ? 'relation' : 'assertions';
    const nothing = (reason: string, errors: Output['errors'] = []): Output => ({
      'sallyport-proof': '1.0',
      verdict: 'unknown',
      reason,
      asked: kind,
      rounds: 0,
      probes: 0,
      counts: { holds: 0, fails: 0, unknown: 0, notTested: 0 },
      results: [],
      notTested: [],
      errors,
    });
    if (connectivity === undefined) {
      const errors = findings.filter(({ severity }) => severity === 'error');
      return nothing(
        'the manifests cannot be read',
        errors.map((one) => ({ ...one })),
      );
    }
    const enforced = new EnforcedCluster(cluster);
    let asked: Asked[];
    if (kind === 'assertions')
      asked = askedBy(enforced, await givenAssertions(world, { file, flows }, cluster), kernelFamilies());
    else {
      const questions = enforced.questions(MOST_QUESTIONS);
      if (questions === undefined)
        throw provingFault('proving.too-large', { where: `more than ${MOST_QUESTIONS} probes` });
      asked = askedOf(enforced, questions, kernelFamilies());
    }
    const questions = asked.flatMap((one) => one.questions);
    const pods = podsOf(questions);
    if (pods > MOST_PODS) throw provingFault('proving.too-large', { where: `${pods} pods` });
    if (questions.length === 0) {
      return { ...nothing('there is nothing that can be tested here'), ...told(enforced, asked, [], undefined) };
    }
    world.report({ type: 'step', step: 'prove', title: `${questions.length} probes, ${pods} pods` });
    const answers = await askKernel(enforced, questions, { env: world.env, signal: world.signal, established });
    if ('forbidden' in answers) return nothing(`namespaces cannot be made here: ${answers.forbidden}`);
    const rest = told(enforced, asked, answers.observed, answers.enforcer);
    const { counts } = rest;
    // Samples of a relation say what they say; of a list of assertions each was wanted.
    const open = counts.unknown + counts.notTested;
    const verdict = counts.fails > 0 ? 'fails' : open > 0 || counts.holds === 0 ? 'unknown' : 'holds';
    return {
      'sallyport-proof': '1.0',
      verdict,
      reason: '',
      asked: kind,
      ...rest,
      rounds: answers.rounds,
      probes: answers.probes,
      errors: [],
    };
  },

  exit: ({ verdict }) => (verdict === 'holds' ? 0 : 1),

  show({ verdict, reason, asked, enforcer, rounds, probes, counts, results, notTested, errors }, style) {
    const lines = [verdict === 'holds' ? style.good(verdict) : style.bad(verdict)];
    if (reason !== '') lines[0] += `: ${printable(reason)}`;
    for (const { where, detail } of errors) lines.push(`  ${printable(where)}: ${printable(detail)}`);
    const bad = results.filter((one) => one.verdict !== 'holds');
    for (const one of bad.slice(0, SHOWN)) {
      const ends = `${printable(one.from)} -> ${printable(one.to)} ${one.port}/${one.protocol.toLowerCase()}`;
      const word = one.verdict === 'fails' ? style.bad(one.verdict) : style.warn(one.verdict);
      const expected = one.expect === undefined ? '' : ` expected ${one.expect},`;
      lines.push(`  ${word} ${ends}:${expected} live ${one.live}, analysed ${one.analysed} (${printable(one.why)})`);
    }
    if (bad.length > SHOWN) lines.push(`  and ${bad.length - SHOWN} more; --json has all`);
    const what = asked === 'assertions' ? 'assertions' : 'samples of the relation';
    lines.push(
      `  ${counts.holds} of ${results.length} ${what} hold in the kernel and in the analysis; ${counts.fails} fail, ${counts.unknown} are unknown, ${counts.notTested} not tested`,
    );
    if (enforcer !== undefined) {
      lines.push(
        style.dim(
          `  enforced by ${enforcer.name}, ${printable(enforcer.nft)}, Linux ${printable(enforcer.kernel)}; ${rounds} rounds of ${probes} probes`,
        ),
      );
    }
    for (const one of notTested) lines.push(style.dim(`  not tested: ${printable(one)}`));
    return lines.join('\n');
  },
};

const SHOWN = 20;

/** What is never asked, whatever the manifests are. */
const LIMITS = [
  'SCTP and ICMP',
  'Services: pods are called by their own addresses',
  'any other enforcer: that of a cluster is a network plugin, of which this run says nothing',
];

function told(
  cluster: EnforcedCluster,
  asked: readonly Asked[],
  observed: Parameters<typeof judged>[1],
  enforcer: Enforcer | undefined,
): Pick<Output, 'counts' | 'results' | 'notTested'> & Partial<Pick<Output, 'enforcer'>> {
  const { node } = cluster.placement;
  let at = 0;
  const results = asked.map((one): Output['results'][number] => {
    const own = observed.slice(at, at + one.questions.length);
    at += one.questions.length;
    const families = [...new Set(one.questions.map(({ family }) => family))];
    const { verdict, live, analysed, why } = judged(
      one,
      own,
      one.questions.map((question) => cluster.answer(question)),
    );
    const { from, to, port, protocol, expect, reason, where } = one;
    return {
      from,
      to,
      port,
      protocol,
      families: families.map((family) => `IPv${family}` as const),
      ...(expect === undefined ? {} : { expect }),
      ...(reason === undefined ? {} : { reason }),
      ...(where === undefined ? {} : { where }),
      verdict,
      live,
      analysed,
      control: families.map((family) => `node ${addressText(family, node[family])}`).join(', '),
      rounds: own.length === 0 ? 0 : Math.min(...own.map(({ rounds }) => rounds)),
      why,
    };
  });
  const count = (verdict: Output['results'][number]['verdict']): number =>
    results.filter((one) => one.verdict === verdict).length;
  const left = cluster.left.map(
    ({ policy, reason }) =>
      `${policy.kind} ${policy.namespace === '' ? '' : `${policy.namespace}/`}${policy.name}: ${reason}`,
  );
  return {
    counts: {
      holds: count('holds'),
      fails: count('fails'),
      unknown: count('unknown'),
      notTested: count('not tested'),
    },
    results,
    notTested: [...left, ...LIMITS],
    ...(enforcer === undefined ? {} : { enforcer: { name: ENFORCER, ...enforcer, choices: ENCLAVE_CHOICES } }),
  };
}
