import type { z } from 'zod';
import { type Implementation, printable, type Style } from '#kernel';
import { analyse, analyseWalls } from '../analysis.ts';
import { connectionsOf } from '../connections.ts';
import { fact } from '../drawing/count.ts';
import { policyFault } from '../faults.ts';
import { manifestsOf } from '../io/manifests.ts';
import type { mapInput, mapOutput } from '../operations.ts';
import { showFindings } from './show-findings.ts';
import { PLAIN } from './plain.ts';
import { askedFor, deliver, type Forms, written } from './written.ts';

type Output = z.infer<typeof mapOutput>;

export const mapVerb: Implementation<z.infer<typeof mapInput>, Output> = {
  async run({ folder, profile = 'specification', cni, summary = false, output, out, root, home }, world) {
    const writing = askedFor({ output, out });
    if (summary && writing !== undefined && writing.format !== 'json' && writing.format !== 'table') {
      // It has no pairs, and a drawing without pairs would say that all is closed.
      const detail = 'A summary is written as a table or as json.';
      throw policyFault('policy.format-unknown', { where: writing.format, detail });
    }
    const files = await manifestsOf(folder, { root, home }, world);
    const analysis = (summary ? analyseWalls : analyse)(files, profile, cni);
    const { connectivity, walls, findings, counts, ignored } = analysis;
    const result: Output = {
      verdict: connectivity === undefined && walls === undefined ? 'unknown' : 'mapped',
      profile,
      connections: connectivity === undefined ? [] : connectionsOf(connectivity),
      ...(walls === undefined ? {} : { policies: [...walls.policies], walls: [...walls.walls] }),
      errors: findings.filter(({ severity }) => severity === 'error'),
      findings: findings.filter(({ severity }) => severity !== 'error'),
      ignored: [...ignored],
      counts,
      ...(writing === undefined ? {} : { writing }),
    };
    await deliver(world, writing, result.verdict === 'mapped', formsOf(result, PLAIN));
    return result;
  },
  exit: ({ verdict }) => (verdict === 'mapped' ? 0 : 1),
  show(result, style) {
    const { verdict, errors, writing, connections } = result;
    if (verdict === 'unknown') return showFindings(errors, style);
    if (writing?.file !== undefined) return `${connections.length} connections, written to ${printable(writing.file)}`;
    return written(writing?.format ?? 'table', formsOf(result, style));
  },
};

function formsOf(result: Output, style: Style): Forms {
  const { connections, counts } = result;
  return {
    json: () => ({ ...result, writing: undefined }),
    csv: () => ({
      head: ['from', 'to', 'ports', 'certain', 'depends'],
      rows: connections.map(({ from, to, ports, certain, depends }) => [
        from,
        to,
        ports,
        certain ?? ports,
        (depends ?? []).join('; '),
      ]),
    }),
    drawing: () => ({
      title: 'Who can talk to whom',
      blank: 'closed',
      facts: [
        fact(counts.workloads, 'workload'),
        fact(counts.policies, 'policies', 'policy'),
        fact(connections.length, 'connection'),
      ],
      pairs: connections.map(({ from, to, ports, certain, depends }) => ({
        from,
        to,
        ports,
        state: certain === undefined ? 'open' : 'depends',
        note: certain === undefined ? '' : `certainly ${certain}; ${(depends ?? []).join('; ')}`,
      })),
    }),
    table: () => table(result, style),
  };
}

function table(result: Output, style: Style): string {
  if (result.walls !== undefined) return wallTable(result, style);
  const { connections, findings, ignored, counts } = result;
  const lines = connections.map(({ from, to, ports, certain, depends }) => {
    const row = `${printable(from)} => ${printable(to)} : ${ports}`;
    if (certain === undefined) return row;
    return `${row} ${style.warn(`(certainly only ${certain})`)}${(depends ?? []).map((why) => `\n    ${style.dim(why)}`).join('')}`;
  });
  const notes = findings.length === 0 ? [] : ['', showFindings(findings, style)];
  const left = ignored.map(({ kind, count }) => `${count} ${printable(kind)}`).join(', ');
  return [
    ...lines,
    ...notes,
    `${connections.length} connections of ${counts.workloads} workloads under ${counts.policies} policies`,
    ...(left === '' ? [] : [style.dim(`not looked at, since they decide nothing here: ${left}`)]),
  ].join('\n');
}

/** Each wall with the workloads behind it, the policies that make it, and the addresses that it lets through. */
function wallTable({ walls = [], policies = [], findings, counts }: Output, style: Style): string {
  const some = (list: readonly string[]): string =>
    list.length <= 4
      ? list.map(printable).join(', ')
      : `${list.slice(0, 3).map(printable).join(', ')} and ${list.length - 3} more`;
  const lines = walls.map(({ direction, workloads, policies: own, outside }) => {
    const by = own.length === 0 ? style.warn('open, no policy covers it') : some(own.map((i) => policies[i]!.policy));
    const ranges = outside.map(
      ({ range, ports, certain }) =>
        `\n    ${range} : ${ports}${certain === undefined ? '' : style.warn(` (certainly only ${certain})`)}`,
    );
    return `${direction} of ${some(workloads)}: ${by}${ranges.join('')}`;
  });
  return [
    ...lines,
    ...(findings.length === 0 ? [] : ['', showFindings(findings, style)]),
    `${walls.length} walls around ${counts.workloads} workloads under ${counts.policies} policies`,
  ].join('\n');
}
