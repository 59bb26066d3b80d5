import { type Implementation, printable } from '#kernel';
import { homePath, openHome } from '#system';
import type { LedgerRecord } from '../log-view.ts';
import type { ListInput, ListOutput, RecordRow } from '../operations.ts';
import { readHomeLedger } from '../reading.ts';

export const listVerb: Implementation<ListInput, ListOutput> = {
  async run(input, world) {
    const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const ledger = await readHomeLedger(world.files, home);
    const records: RecordRow[] = [];
    for await (const record of ledger.records(input.from ?? 0)) records.push(rowOf(record));
    return { origin: ledger.origin, size: ledger.size, root: ledger.root, records };
  },

  exit: () => 0,

  show({ origin, size, root, records }, style) {
    const lines = records.map((row) => showRow(row, style));
    lines.push(style.dim(`${printable(origin)}, size ${size}${root === '' ? '' : `, root ${root}`}`));
    return lines.join('\n');
  },
};

export function rowOf({ index, type, digest, happening }: LedgerRecord): RecordRow {
  return {
    index,
    type: type ?? 'opaque',
    subjects: happening?.subject.map(({ name }) => name) ?? [],
    ...(digest === undefined ? {} : { statement: digest }),
    whole: type === undefined || happening !== undefined,
  };
}

export function showRow(
  { index, type, subjects, statement, whole }: RecordRow,
  style: { bad(text: string): string; dim(text: string): string },
): string {
  const shown = subjects.slice(0, 3).map((name) => printable(name));
  if (subjects.length > shown.length) shown.push(`and ${subjects.length - shown.length} more`);
  const words = [
    String(index).padStart(6),
    printable(type),
    ...(whole ? [] : [style.bad('statement missing or changed')]),
  ];
  if (shown.length > 0) words.push(shown.join(', '));
  if (statement !== undefined) words.push(style.dim(statement));
  return words.join('  ');
}
