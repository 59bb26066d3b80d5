import { type Implementation, printable } from '#kernel';
import { homePath, openHome } from '#system';
import type { ShowInput, ShowOutput } from '../operations.ts';
import { readHomeLedger } from '../reading.ts';
import { rowOf, showRow } from './list.ts';

export const showVerb: Implementation<ShowInput, ShowOutput> = {
  async run(input, world) {
    const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const ledger = await readHomeLedger(world.files, home);
    const record = await ledger.record(input.index);
    const { happening } = record;
    return { ...rowOf(record), subject: happening?.subject ?? [], predicate: happening?.predicate ?? null };
  },

  // An entry whose statement is gone or changed is shown, and the answer is no.
  exit: ({ whole }) => (whole ? 0 : 1),

  show(output, style) {
    const lines = [showRow(output, style)];
    for (const { name, digest } of output.subject) lines.push(`        ${printable(name)}  sha256:${digest.sha256}`);
    if (output.predicate !== null) lines.push(printableLines(JSON.stringify(output.predicate, null, 2)));
    return lines.join('\n');
  },
};

function printableLines(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line))
    .join('\n');
}
