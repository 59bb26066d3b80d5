import { resolve } from 'node:path';
import type { z } from 'zod';
import { type Implementation, printable } from '#kernel';
import { analyse } from '../analysis.ts';
import { connectionsOf } from '../connections.ts';
import { manifestsBelow } from '../io/manifests.ts';
import type { mapInput, mapOutput } from '../operations.ts';
import { showFindings } from './show-findings.ts';

export const mapVerb: Implementation<z.infer<typeof mapInput>, z.infer<typeof mapOutput>> = {
  async run({ folder, profile = 'specification', cni }, world) {
    const files = await manifestsBelow(world.files, resolve(world.cwd, folder));
    const { connectivity, findings, counts, ignored } = analyse(files, profile, cni);
    return {
      verdict: connectivity === undefined ? 'unknown' : 'mapped',
      profile,
      connections: connectivity === undefined ? [] : connectionsOf(connectivity),
      errors: findings.filter(({ severity }) => severity === 'error'),
      findings: findings.filter(({ severity }) => severity !== 'error'),
      ignored: [...ignored],
      counts,
    };
  },
  exit: ({ verdict }) => (verdict === 'mapped' ? 0 : 1),
  show(output, style) {
    const { verdict, connections, errors, findings, ignored, counts } = output;
    if (verdict === 'unknown') return showFindings(errors, style);
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
  },
};
