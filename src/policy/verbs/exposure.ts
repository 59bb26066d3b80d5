import { resolve } from 'node:path';
import type { z } from 'zod';
import { type Implementation, printable } from '#kernel';
import { exposureOf } from '../exposure.ts';
import { manifestsBelow } from '../io/manifests.ts';
import type { exposureInput, exposureOutput } from '../operations.ts';
import { readCluster } from '../read-cluster.ts';
import { showFindings } from './show-findings.ts';

export const exposureVerb: Implementation<z.infer<typeof exposureInput>, z.infer<typeof exposureOutput>> = {
  async run({ folder, profile = 'specification', cni }, world) {
    const { cluster, findings } = readCluster(await manifestsBelow(world.files, resolve(world.cwd, folder)), {
      profile,
      cni,
    });
    const errors = [...findings.errors];
    if (errors.length > 0) return { verdict: 'unknown', profile, exposure: [], unprotected: [], errors };
    const { rows, unprotected } = exposureOf(cluster, profile, cni);
    return { verdict: 'answered', profile, exposure: [...rows], unprotected: [...unprotected], errors: [] };
  },
  exit: ({ verdict }) => (verdict === 'answered' ? 0 : 1),
  show({ verdict, exposure, unprotected, errors }, style) {
    if (verdict === 'unknown') return showFindings(errors, style);
    const lines = exposure.map(({ direction, workload, peer, ports, certain, depends }) => {
      const arrow = direction === 'egress' ? '=>' : '<=';
      const row = `${printable(workload)} ${arrow} ${printable(peer)} : ${ports}`;
      if (certain === undefined) return row;
      const reasons = (depends ?? []).map((why) => `\n    ${style.dim(why)}`).join('');
      return `${row} ${style.warn(`(certainly only ${certain})`)}${reasons}`;
    });
    return [
      ...lines,
      ...(unprotected.length === 0 ? [] : ['']),
      ...unprotected.map(({ workload, direction }) =>
        style.warn(`${printable(workload)}: no policy covers its ${direction}`),
      ),
    ].join('\n');
  },
};
