import { resolve } from 'node:path';
import type { z } from 'zod';
import { type Implementation, printable } from '#kernel';
import { writeDurably } from '#system';
import { analyse } from '../analysis.ts';
import { type Assertion, checkAssertions, coverageOf } from '../assertions/assertion.ts';
import { mutantsOf, mutationOperators } from '../assertions/mutation.ts';
import { subjectsOf } from '../assertions/neighbours.ts';
import { decodeDocument, splitDocuments } from '../document.ts';
import { Engine } from '../engine.ts';
import { connectionsOf } from '../connections.ts';
import { policyFault } from '../faults.ts';
import { givenAssertions, isAssertions } from '../io/assertion-source.ts';
import { manifestsOf } from '../io/manifests.ts';
import type { assertInput, assertOutput } from '../operations.ts';
import type { ManifestFile } from '../read-cluster.ts';
import { showFindings } from './show-findings.ts';

type Input = z.infer<typeof assertInput>;
type Output = z.infer<typeof assertOutput>;

export const assertVerb: Implementation<Input, Output> = {
  async run({ folder = '.', file, flows, out, profile = 'specification', cni, mutate, threshold, root, home }, world) {
    const least = threshold === undefined ? undefined : Number(threshold);
    if (least !== undefined && !(least >= 0 && least <= 1))
      throw policyFault('policy.threshold', { where: threshold ?? '' });
    if ((file === undefined) === (flows === undefined))
      throw policyFault('policy.assertions-from', { where: '--file, --flows' });
    const files = (await manifestsOf(folder, { root, home }, world)).filter(({ bytes }) => !isAssertions(bytes));
    const { cluster, connectivity, findings } = analyse(files, profile, cni);
    const errors = findings.filter(({ severity }) => severity === 'error');
    if (connectivity === undefined) {
      return { verdict: 'unknown', profile, results: [], errors: errors.map((one) => ({ ...one })) };
    }
    const { workloads, open } = subjectsOf(cluster, connectivity);
    const assertions = await givenAssertions(world, { file, flows }, cluster);
    if (out !== undefined) await writeDurably(world.files, resolve(world.cwd, out), fileOf(assertions));
    const results = checkAssertions(cluster, new Engine(cluster, profile, cni), assertions);
    const coverage = coverageOf(workloads, open, results);
    const counted = { ...coverage, missing: [...coverage.missing] };
    const bad = results.filter(({ verdict }) => verdict !== 'holds');
    let verdict: Output['verdict'] =
      bad.length === 0 ? 'holds' : bad.some((one) => one.verdict === 'fails') ? 'fails' : 'unknown';
    if (mutate !== true && least === undefined) return { verdict, profile, results, coverage: counted, errors: [] };

    const before = new Map(results.map((one) => [one.where, one.actual]));
    const rows = rowsText(connectivity);
    const mutants = mutantsOf(documentsOf(files));
    const told = { killed: 0, survived: [] as { operator: string; what: string }[], equivalent: 0 };
    const byOperator = new Map(mutationOperators.map((one) => [one, { killed: 0, all: 0 }]));
    world.report({ type: 'step', step: 'mutate', title: `${mutants.length} mutants` });
    for (const [done, { operator, what, documents }] of mutants.entries()) {
      world.signal.throwIfAborted();
      const text = documents.map((one) => JSON.stringify(one)).join('\n---\n');
      const changed = analyse([{ name: 'mutant.yaml', bytes: Buffer.from(text) }], profile, cni);
      if (changed.connectivity !== undefined && rowsText(changed.connectivity) === rows) {
        // Nothing that anybody could notice has changed.
        told.equivalent += 1;
        continue;
      }
      const count = byOperator.get(operator)!;
      count.all += 1;
      const noticed =
        changed.connectivity === undefined ||
        checkAssertions(changed.cluster, new Engine(changed.cluster, profile, cni), assertions).some(
          (one) => one.actual !== before.get(one.where),
        );
      if (noticed) {
        told.killed += 1;
        count.killed += 1;
      } else told.survived.push({ operator, what });
      if (done % 50 === 0) world.report({ type: 'amount', step: 'mutate', done, total: mutants.length, unit: 'items' });
    }
    const total = told.killed + told.survived.length;
    const score = total === 0 ? 1 : told.killed / total;
    if (least !== undefined && score < least && verdict === 'holds') verdict = 'weak';
    return {
      verdict,
      profile,
      results,
      coverage: counted,
      mutation: {
        score,
        ...(least === undefined ? {} : { threshold: least }),
        killed: told.killed,
        equivalent: told.equivalent,
        survived: told.survived.slice(0, 100),
        operators: [...byOperator]
          .filter(([, { all }]) => all > 0)
          .map(([operator, { killed, all }]) => ({ operator, killed, all })),
      },
      errors: [],
    };
  },

  exit: ({ verdict }) => (verdict === 'holds' ? 0 : 1),

  show({ verdict, results, coverage, mutation, errors }, style) {
    if (errors.length > 0) return showFindings(errors, style);
    const lines = [verdict === 'holds' ? style.good(verdict) : style.bad(verdict)];
    for (const one of results.filter((result) => result.verdict !== 'holds')) {
      const ends = `${printable(one.from)} -> ${printable(one.to)} ${one.port}/${one.protocol.toLowerCase()}`;
      lines.push(
        `  ${style.bad(one.verdict)} ${ends}: expected ${one.expect}, it is ${one.actual} (${printable(one.reason)}; ${printable(one.where)})`,
      );
    }
    lines.push(`  ${results.filter((one) => one.verdict === 'holds').length} of ${results.length} assertions hold`);
    if (coverage !== undefined) {
      lines.push(
        `  ${coverage.asserted} of ${coverage.open} open connections between workloads are asserted; of ${coverage.workloads} workloads something is denied in for ${coverage.deniedIn}, out for ${coverage.deniedOut}`,
        ...coverage.missing.map((one) => style.dim(`    nobody speaks of ${printable(one)}`)),
      );
    }
    if (mutation !== undefined) {
      const least = mutation.threshold === undefined ? '' : `, ${mutation.threshold} are needed`;
      lines.push(
        `  mutation score ${mutation.score.toFixed(3)}${least}: ${mutation.killed} noticed, ${mutation.survived.length} not, ${mutation.equivalent} change nothing`,
      );
      for (const { operator, what } of mutation.survived.slice(0, 20))
        lines.push(`    ${style.warn('not noticed')}: ${operator} of ${printable(what)}`);
    }
    return lines.join('\n');
  },
};

/** The assertions as a file, for people to read and to keep. */
function fileOf(assertions: readonly Assertion[]): Uint8Array {
  const lines = assertions.map(
    ({ from, to, port, protocol, expect, reason }) =>
      `  - ${JSON.stringify({ from, to, port, protocol: protocol.toLowerCase(), expect, reason })}`,
  );
  return Buffer.from(`sallyport-assertions: "1.0"\nassertions:\n${lines.join('\n')}\n`);
}

function documentsOf(files: readonly ManifestFile[]): unknown[] {
  return files.flatMap(({ name, bytes }) =>
    splitDocuments(name, Buffer.from(bytes).toString('utf8')).flatMap((document) => {
      const decoded = decodeDocument(document);
      return decoded.ok ? [decoded.value] : [];
    }),
  );
}

function rowsText(connectivity: Parameters<typeof connectionsOf>[0]): string {
  return connectionsOf(connectivity)
    .map((row) => JSON.stringify([row.from, row.to, row.ports]))
    .sort()
    .join('\n');
}
