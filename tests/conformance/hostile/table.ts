import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostileCorpus } from '#gate/testing';
import { readers, treat } from './readers.ts';

// Run by hand: writes the table of differences into docs/operate/examine.md.

const document = join(import.meta.dirname, '../../../docs/operate/examine.md');
const rows: string[] = [
  `Of ${hostileCorpus.length} cases; archives only, without those that would fill a disk. All of these \`examine\` refuses or neutralises by name.`,
  '',
  '| reader | hostile archives | taken without a word | with a warning | refused |',
  '|---|---|---|---|---|',
];
const silent = new Map<string, Map<string, string[]>>();
const found = readers();
for (const reader of found) {
  const { treatments, outside } = await treat(join(mkdtempSync(join(tmpdir(), 'sallyport-table-')), 'cases'), reader);
  if (outside.length > 0) throw new Error(`${reader.name} wrote outside: ${outside.join(', ')}`);
  const hostile = treatments.filter(([{ expect }]) => expect !== 'accept');
  const count = (wanted: string): number => hostile.filter(([, treatment]) => treatment === wanted).length;
  rows.push(
    `| ${reader.name} ${reader.version} | ${hostile.length} | ${count('taken')} | ${count('warned')} | ${count('refused')} |`,
  );
  for (const [{ id, name }, treatment] of hostile) {
    if (treatment !== 'taken') continue;
    const classes = silent.get(id) ?? new Map<string, string[]>();
    silent.set(id, classes);
    classes.set(reader.name, [...(classes.get(reader.name) ?? []), name.replace(/^(?:tar|zip)-/, '')]);
  }
}
rows.push('', 'Taken without a word, by class and case:', '', '| class | reader | cases |', '|---|---|---|');
for (const [id, classes] of [...silent].sort(([a], [b]) => (a < b ? -1 : 1))) {
  for (const [reader, names] of classes) rows.push(`| ${id} | ${reader} | ${names.join(', ')} |`);
}
const text = readFileSync(document, 'utf8');
const made = text.replace(
  /<!-- table -->[\s\S]*<!-- end of table -->/,
  () => `<!-- table -->\n${rows.join('\n')}\n<!-- end of table -->`,
);
writeFileSync(document, made);
console.log(rows.join('\n'));
