import { basename, resolve } from 'node:path';
import type { z } from 'zod';
import { errorCode, type Implementation, printable, type World } from '#kernel';
import { policyFault } from '../faults.ts';
import { InvariantChecker } from '../invariants/check.ts';
import { type Invariant, parseExpression } from '../invariants/invariant.ts';
import { type InvariantFile, readInvariants } from '../invariants/read.ts';
import { manifestsOf } from '../io/manifests.ts';
import type { invariantInput, invariantOutput } from '../operations.ts';
import { readCluster } from '../read-cluster.ts';
import { decisionLines } from './explain.ts';
import { showFindings } from './show-findings.ts';

const LIMIT = 1024 * 1024;

export const invariantVerb: Implementation<z.infer<typeof invariantInput>, z.infer<typeof invariantOutput>> = {
  async run({ folder, file, expressions = [], future = false, cni, root, home }, world) {
    const asked = file === undefined ? { ranges: new Map(), invariants: [] } : await read(file, world);
    const invariants: Invariant[] = [...asked.invariants];
    for (const text of expressions) {
      const parsed = parseExpression(text, asked.ranges, future);
      if (typeof parsed === 'string') throw policyFault('policy.invariant-invalid', { where: text, detail: parsed });
      invariants.push(parsed);
    }
    if (invariants.length === 0) throw policyFault('policy.no-invariants');
    const { cluster, findings } = readCluster(await manifestsOf(folder, { root, home }, world), {
      profile: 'specification',
      cni,
    });
    if (findings.errors.length > 0) return { verdict: 'unknown', invariants: [], errors: [...findings.errors] };
    const checker = new InvariantChecker(cluster, cni);
    const answers = invariants.map((one) => checker.check(future ? { ...one, future } : one));
    const verdicts = new Set(answers.map(({ verdict }) => verdict));
    return {
      verdict: verdicts.has('violated')
        ? 'violated'
        : verdicts.has('vacuous')
          ? 'vacuous'
          : verdicts.has('depends')
            ? 'depends'
            : 'holds',
      invariants: answers.map(({ invariant, verdict, detail, against, witnesses }) => ({
        name: invariant.name,
        reason: invariant.reason,
        where: invariant.where,
        verdict,
        detail,
        against,
        witnesses: witnesses.map((one) => ({
          ...one,
          depends: [...one.depends],
          decisions: one.decisions.map((decision) => ({
            ...decision,
            rules: decision.rules.map((rule) => ({ ...rule, source: [...rule.source] })),
            isolatedBy: [...decision.isolatedBy],
            near: [...decision.near],
            depends: [...decision.depends],
          })),
        })),
      })),
      errors: [],
    };
  },
  exit: ({ verdict }) => (verdict === 'holds' ? 0 : 1),
  show({ verdict, invariants, errors }, style) {
    if (verdict === 'unknown') return showFindings(errors, style);
    const word = (text: string): string =>
      text === 'holds' ? style.good(text) : text === 'depends' ? style.warn(text) : style.bad(text);
    const lines = invariants.flatMap((one) => [
      `${word(one.verdict)}: ${style.bold(printable(one.name))} ${style.dim(`(${printable(one.where)})`)}`,
      ...(one.verdict === 'holds' ? [] : [`  ${printable(one.detail)}`]),
      ...one.witnesses.flatMap(({ from, to, ports, certain, depends, decisions }, i) => [
        `  ${printable(from)} => ${printable(to)} : ${ports}${certain ? '' : style.warn(' (perhaps)')}`,
        ...depends.map((why) => `    ${style.dim(why)}`),
        // The first shows how it comes about.
        ...(i > 0 ? [] : decisions.flatMap((decision) => decisionLines(decision, style).map((line) => `    ${line}`))),
      ]),
      ...(one.against > one.witnesses.length ? [`  and ${one.against - one.witnesses.length} more`] : []),
    ]);
    const held = invariants.filter((one) => one.verdict === 'holds').length;
    return [...lines, `${held} of ${invariants.length} hold`].join('\n');
  },
};

async function read(file: string, world: World): Promise<InvariantFile> {
  const path = resolve(world.cwd, file);
  let bytes: Uint8Array;
  try {
    bytes = await world.files.read(path, LIMIT);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw policyFault('policy.no-invariants', { where: file });
    if (errorCode(error) === 'EFBIG')
      throw policyFault('policy.invariant-invalid', { where: file, detail: 'It is larger than 1 MiB.' });
    throw error;
  }
  return readInvariants(basename(file), bytes);
}
