import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeReaders, readers, treat } from './readers.ts';
import { tableOf, type Treated } from './table.ts';

// Writes the table of differences into docs/operate/examine.md: ./sallyport :node tests/conformance/hostile/write-table.ts

const document = join(import.meta.dirname, '../../../docs/operate/examine.md');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-table-'));
try {
  const all: Treated[] = [];
  for (const reader of [...(await nodeReaders(folder)), ...readers()]) {
    const { treatments, outside } = await treat(join(folder, 'cases'), reader);
    if (outside.length > 0) throw new Error(`${reader.name} wrote outside: ${outside.join(', ')}`);
    all.push({ reader, treatments });
  }
  const made = readFileSync(document, 'utf8').replace(
    /<!-- table -->[\s\S]*<!-- end of table -->/,
    () => `<!-- table -->\n${tableOf(all)}\n<!-- end of table -->`,
  );
  writeFileSync(document, made);
} finally {
  rmSync(folder, { recursive: true });
}
