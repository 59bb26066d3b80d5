import type { z } from 'zod';
import { type Implementation, printable, type Style } from '#kernel';
import { fact } from '../drawing/count.ts';
import { exposureOf } from '../exposure.ts';
import { manifestsOf } from '../io/manifests.ts';
import type { exposureInput, exposureOutput } from '../operations.ts';
import { readCluster } from '../read-cluster.ts';
import { PLAIN } from './plain.ts';
import { showFindings } from './show-findings.ts';
import { askedFor, deliver, type Forms, written } from './written.ts';

type Output = z.infer<typeof exposureOutput>;

export const exposureVerb: Implementation<z.infer<typeof exposureInput>, Output> = {
  async run({ folder, profile = 'specification', cni, output, out, root, home }, world) {
    const writing = askedFor({ output, out });
    const { cluster, findings } = readCluster(await manifestsOf(folder, { root, home }, world), {
      profile,
      cni,
    });
    const errors = [...findings.errors];
    if (errors.length > 0) return { verdict: 'unknown', profile, exposure: [], unprotected: [], errors };
    const { rows, unprotected } = exposureOf(cluster, profile, cni);
    const result: Output = {
      verdict: 'answered',
      profile,
      exposure: [...rows],
      unprotected: [...unprotected],
      errors: [],
      ...(writing === undefined ? {} : { writing }),
    };
    await deliver(world, writing, true, formsOf(result, PLAIN));
    return result;
  },
  exit: ({ verdict }) => (verdict === 'answered' ? 0 : 1),
  show(result, style) {
    const { verdict, errors, writing, exposure } = result;
    if (verdict === 'unknown') return showFindings(errors, style);
    if (writing?.file !== undefined) return `${exposure.length} rows, written to ${printable(writing.file)}`;
    return written(writing?.format ?? 'table', formsOf(result, style));
  },
};

function formsOf(result: Output, style: Style): Forms {
  const { exposure, unprotected } = result;
  return {
    json: () => ({ ...result, writing: undefined }),
    csv: () => ({
      head: ['direction', 'workload', 'peer', 'ports', 'certain', 'depends'],
      rows: exposure.map(({ direction, workload, peer, ports, certain, depends }) => [
        direction,
        workload,
        peer,
        ports,
        certain ?? ports,
        (depends ?? []).join('; '),
      ]),
    }),
    drawing: () => ({
      title: 'What pods that may come could reach, or be reached from',
      blank: 'closed, or as the whole cluster',
      facts: [
        fact(exposure.length, 'row'),
        `${fact(new Set(unprotected.map(({ workload }) => workload)).size, 'workload')} without a policy in a direction`,
      ],
      pairs: exposure.map(({ direction, workload, peer, ports, certain, depends }) => ({
        from: direction === 'egress' ? workload : peer,
        to: direction === 'egress' ? peer : workload,
        ports,
        state: certain === undefined ? 'open' : 'depends',
        note: certain === undefined ? '' : `certainly ${certain}; ${(depends ?? []).join('; ')}`,
      })),
    }),
    table: () => table(result, style),
  };
}

function table({ exposure, unprotected }: Output, style: Style): string {
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
}
