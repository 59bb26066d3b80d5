import type { z } from 'zod';
import { type Implementation, printable, type Style } from '#kernel';
import { analyse } from '../analysis.ts';
import { attribute } from '../attribution.ts';
import { difference } from '../difference.ts';
import { fact } from '../drawing/count.ts';
import { placeText } from '../document.ts';
import { manifestsOf } from '../io/manifests.ts';
import type { diffInput, diffOutput } from '../operations.ts';
import { PLAIN } from './plain.ts';
import { showFindings } from './show-findings.ts';
import { askedFor, deliver, type Forms, written } from './written.ts';

type Output = z.infer<typeof diffOutput>;

export const diffVerb: Implementation<z.infer<typeof diffInput>, Output> = {
  async run({ from, to, profile = 'specification', cni, output, out, root, home }, world) {
    const writing = askedFor({ output, out });
    const read = async (folder: string) => analyse(await manifestsOf(folder, { root, home }, world), profile, cni);
    const [before, after] = [await read(from), await read(to)];
    const none = { profile, added: [], removed: [], changed: [], certainty: [], changes: [] };
    if (before.connectivity === undefined || after.connectivity === undefined) {
      const errors = [
        ...before.findings.map((one) => ({ ...one, where: `${from}: ${one.where}` })),
        ...after.findings.map((one) => ({ ...one, where: `${to}: ${one.where}` })),
      ].filter(({ severity }) => severity === 'error');
      return { verdict: 'unknown', ...none, errors };
    }
    const found = difference(before.connectivity, after.connectivity);
    const { added, removed, changed, certainty } = found;
    const causes = attribute(
      { cluster: before.cluster, map: before.connectivity },
      { cluster: after.cluster, map: after.connectivity },
      found,
      profile,
      cni,
    );
    const result: Output = {
      verdict: added.length + removed.length + changed.length + certainty.length === 0 ? 'same' : 'differs',
      profile,
      added: added.map((row, i) => ({ ...row, cause: causes.added[i] })),
      removed: removed.map((row, i) => ({ ...row, cause: causes.removed[i] })),
      changed: changed.map((row, i) => ({ ...row, cause: causes.changed[i] })),
      certainty: [...certainty],
      changes: causes.changes.map(({ kind, how, name, detail, place }) => ({
        kind,
        how,
        name,
        detail,
        where: place === undefined ? '' : `${how === 'removed' ? from : to}: ${placeText(place)}`,
      })),
      errors: [],
      ...(writing === undefined ? {} : { writing }),
    };
    await deliver(world, writing, true, formsOf(result, PLAIN));
    return result;
  },
  exit: ({ verdict }) => (verdict === 'same' ? 0 : 1),
  show(result, style) {
    const { verdict, errors, writing } = result;
    if (verdict === 'unknown') return showFindings(errors, style);
    if (writing?.file !== undefined) return `${summary(result)}, written to ${printable(writing.file)}`;
    return written(writing?.format ?? 'table', formsOf(result, style));
  },
};

function summary({ added, removed, changed }: Output): string {
  return `${added.length} opened, ${removed.length} closed, ${changed.length} changed`;
}

function formsOf(result: Output, style: Style): Forms {
  const { added, removed, changed, certainty, changes } = result;
  const why = (cause: Output['added'][number]['cause']): string =>
    cause === undefined
      ? ''
      : `${SAYS[cause.by].toLowerCase()} ${cause.changes.map((id) => changeText(changes[id]!)).join('; ')}`;
  return {
    json: () => ({ ...result, writing: undefined }),
    csv: () => ({
      head: ['change', 'from', 'to', 'before', 'after', 'cause'],
      rows: [
        ...added.map((row) => ['opened', row.from, row.to, 'No Connections', row.ports, why(row.cause)]),
        ...removed.map((row) => ['closed', row.from, row.to, row.ports, 'No Connections', why(row.cause)]),
        ...changed.map((row) => ['changed', row.from, row.to, row.before, row.after, why(row.cause)]),
        ...certainty.map((row) => [
          'certainty',
          row.from,
          row.to,
          `certainly ${row.before}`,
          `certainly ${row.after}`,
          '',
        ]),
      ],
    }),
    drawing: () => ({
      title: 'What a change opens and closes',
      blank: 'unchanged',
      facts: [summary(result), fact(changes.length, 'change')],
      pairs: [
        ...added.map((row) => ({ ...ends(row), ports: row.ports, state: 'opened' as const, note: why(row.cause) })),
        ...removed.map((row) => ({ ...ends(row), ports: row.ports, state: 'closed' as const, note: why(row.cause) })),
        ...changed.map((row) => ({
          ...ends(row),
          ports: `${row.before} -> ${row.after}`,
          state: 'changed' as const,
          note: why(row.cause),
        })),
        ...certainty.map((row) => ({
          ...ends(row),
          ports: row.ports,
          state: 'certainty' as const,
          note: `certainly ${row.before} -> ${row.after}`,
        })),
      ],
    }),
    table: () => table(result, style),
  };
}

function ends({ from, to }: { readonly from: string; readonly to: string }): { from: string; to: string } {
  return { from, to };
}

function table(result: Output, style: Style): string {
  const { added, removed, changed, certainty, changes } = result;
  const pair = ({ from, to }: { from: string; to: string }): string => `${printable(from)} => ${printable(to)}`;
  const sure = (row: Output['added'][number]): string =>
    row.certain === undefined ? '' : ` (certainly only ${row.certain})`;
  const rows = [
    ...added.map((row) => ({ text: style.warn(`+ ${pair(row)} : ${row.ports}${sure(row)}`), cause: row.cause })),
    ...removed.map((row) => ({ text: style.good(`- ${pair(row)} : ${row.ports}`), cause: row.cause })),
    ...changed.map((row) => ({ text: `~ ${pair(row)} : ${row.before} -> ${row.after}`, cause: row.cause })),
  ];
  // Rows of one cause stand under it.
  const groups = Map.groupBy(rows, ({ cause }) => (cause === undefined ? '' : `${cause.by} ${cause.changes.join()}`));
  const lines = [...groups.values()].flatMap((group) => [
    ...causeLines(group[0]!.cause, changes, style.bold),
    ...group.map(({ text }) => `  ${text}`),
  ]);
  return [
    ...lines,
    ...certainty.map((row) => `? ${pair(row)} : ${row.ports}, certainly ${row.before} -> ${row.after}`),
    summary(result),
  ].join('\n');
}

const SAYS = {
  alone: 'By',
  each: 'By each of',
  together: 'Together by',
  unproved: 'Perhaps by (there are too many changes to try each)',
};

function causeLines(
  cause: Output['added'][number]['cause'],
  changes: Output['changes'],
  bold: (text: string) => string,
): string[] {
  if (cause === undefined) return [];
  const names = cause.changes.slice(0, 8).map((id) => changeText(changes[id]!));
  const more = cause.changes.length > names.length ? [`    and ${cause.changes.length - names.length} more`] : [];
  if (names.length === 1) return [bold(`${SAYS[cause.by]} ${names[0]}:`)];
  return [bold(`${SAYS[cause.by]}:`), ...names.map((name) => `    ${name}`), ...more];
}

/** `NetworkPolicy shop/web changed, ingress rule 2 (new: netpol.yaml:14)`. */
export function changeText({ name, how, detail, where }: Output['changes'][number]): string {
  const what = `${printable(name)} ${how}${detail === '' ? '' : `, ${printable(detail)}`}`;
  return where === '' ? what : `${what} (${printable(where)})`;
}
