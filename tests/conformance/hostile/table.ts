import { hostileCorpus } from '#gate/testing';
import type { HostileCase } from '#gate/testing';
import type { Reader, Treatment } from './readers.ts';

/** What one reader did with all archives of the corpus. */
export interface Treated {
  readonly reader: Reader;
  readonly treatments: readonly (readonly [HostileCase, Treatment])[];
}

/** The row of the summary for one reader. */
export function summaryOf({ reader, treatments }: Treated): string {
  const hostile = treatments.filter(([{ expect }]) => expect !== 'accept');
  const count = (wanted: Treatment): number => hostile.filter(([, treatment]) => treatment === wanted).length;
  return `| ${reader.name} ${reader.version} | ${hostile.length} | ${count('taken')} | ${count('warned')} | ${count('refused')} |`;
}

/** The rows of what one reader took without a word, by class. */
export function takenBy({ reader, treatments }: Treated): readonly string[] {
  const classes = new Map<string, string[]>();
  for (const [{ id, name, expect }, treatment] of treatments) {
    if (treatment !== 'taken' || expect === 'accept') continue;
    classes.set(id, [...(classes.get(id) ?? []), name.replace(/^(?:tar|zip)-/, '')]);
  }
  return [...classes].map(([id, names]) => `| ${id} | ${reader.name} | ${names.join(', ')} |`);
}

export const HEADING = `Of ${hostileCorpus.length} cases; archives only, without those that would fill a disk. All of these \`examine\` refuses or neutralises by name.`;

/** The tables of docs/operate/examine.md. */
export function tableOf(all: readonly Treated[]): string {
  const taken = all.flatMap(takenBy);
  // By class, and within one in the order of the readers.
  const idOf = (row: string): string => row.slice(2, 7);
  const sorted = taken
    .map((row, at) => ({ row, at }))
    .sort((a, b) => (idOf(a.row) === idOf(b.row) ? a.at - b.at : idOf(a.row) < idOf(b.row) ? -1 : 1));
  return [
    HEADING,
    '',
    '| reader | hostile archives | taken without a word | with a warning | refused |',
    '|---|---|---|---|---|',
    ...all.map(summaryOf),
    '',
    'Taken without a word, by class and case:',
    '',
    '| class | reader | cases |',
    '|---|---|---|',
    ...sorted.map(({ row }) => row),
  ].join('\n');
}
