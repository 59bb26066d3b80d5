import { resolve } from 'node:path';
import type { z } from 'zod';
import { type Implementation, printable } from '#kernel';
import { analyse } from '../analysis.ts';
import { difference } from '../difference.ts';
import { manifestsBelow } from '../io/manifests.ts';
import type { diffInput, diffOutput } from '../operations.ts';
import { showFindings } from './show-findings.ts';

export const diffVerb: Implementation<z.infer<typeof diffInput>, z.infer<typeof diffOutput>> = {
  async run({ from, to, profile = 'specification', cni }, world) {
    const read = async (folder: string) =>
      analyse(await manifestsBelow(world.files, resolve(world.cwd, folder)), profile, cni);
    const [before, after] = [await read(from), await read(to)];
    if (before.connectivity === undefined || after.connectivity === undefined) {
      const errors = [
        ...before.findings.map((one) => ({ ...one, where: `${from}: ${one.where}` })),
        ...after.findings.map((one) => ({ ...one, where: `${to}: ${one.where}` })),
      ].filter(({ severity }) => severity === 'error');
      return { verdict: 'unknown', profile, added: [], removed: [], changed: [], errors };
    }
    const { added, removed, changed } = difference(before.connectivity, after.connectivity);
    const same = added.length + removed.length + changed.length === 0;
    return {
      verdict: same ? 'same' : 'differs',
      profile,
      added: [...added],
      removed: [...removed],
      changed: [...changed],
      errors: [],
    };
  },
  exit: ({ verdict }) => (verdict === 'same' ? 0 : 1),
  show({ verdict, added, removed, changed, errors }, style) {
    if (verdict === 'unknown') return showFindings(errors, style);
    const pair = ({ from, to }: { from: string; to: string }): string => `${printable(from)} => ${printable(to)}`;
    return [
      ...added.map((row) => style.warn(`+ ${pair(row)} : ${row.ports}`)),
      ...removed.map((row) => style.good(`- ${pair(row)} : ${row.ports}`)),
      ...changed.map((row) => `~ ${pair(row)} : ${row.before} -> ${row.after}`),
      `${added.length} opened, ${removed.length} closed, ${changed.length} changed`,
    ].join('\n');
  },
};
