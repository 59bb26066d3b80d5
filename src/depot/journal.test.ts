import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { digestOf } from '#kernel';
import { fixedClock } from '#kernel/testing';
import { nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { openJournal } from './journal.ts';

const served = {
  client: '127.0.0.1:5',
  agent: 'curl',
  ecosystem: 'files',
  path: '/files/a',
  digest: digestOf('a'),
  sent: 1,
  whole: true,
};
const lines = async (path: string): Promise<unknown[]> =>
  (await readFile(path, 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
const never = (error: unknown): void => assert.fail(String(error));

test('what goes out and what is missing stands in the home; a miss once, also over restarts', async (t) => {
  const home = await temporaryFolder(t);
  const missed = { ecosystem: 'npm', name: 'x', version: '1', file: '' };
  const first = await openJournal(nodeFiles, home, fixedClock(), never);
  first.served(served);
  first.missed(missed, '/npm/x', 'npm');
  first.missed(missed, '/npm/x', 'npm');
  await first.close();
  const second = await openJournal(nodeFiles, home, fixedClock(), never);
  second.missed(missed, '/npm/x', 'npm');
  second.missed({ ...missed, name: 'y'.repeat(5000) }, `/npm/${'y'.repeat(5000)}`, 'npm');
  second.missed({ ...missed, name: 'y'.repeat(5000) }, '/npm/y', 'npm');
  await second.close();
  assert.deepEqual(await lines(`${home}/served.jsonl`), [{ at: '2026-11-22T06:00:00Z', ...served }]);
  const kept = (await lines(`${home}/misses.jsonl`)) as { name: string; path: string }[];
  assert.deepEqual(
    kept.map(({ name }) => name.length),
    [1, 1024],
  );
  assert.equal((await nodeFiles.look(`${home}/served.jsonl`))?.mode, 0o600);
});

test('a last line that a crash cut off does no harm', async (t) => {
  const home = await temporaryFolder(t);
  await writeFile(`${home}/misses.jsonl`, '{"ecosystem":"npm","na');
  const journal = await openJournal(nodeFiles, home, fixedClock(), never);
  journal.missed({ ecosystem: 'npm', name: 'x', version: '', file: '' }, '/npm/x', 'npm');
  await journal.close();
  assert.match(await readFile(`${home}/misses.jsonl`, 'utf8'), /\n\{.*"name":"x".*\}\n$/);
});

test('a disk that takes nothing for a while loses no record', async (t) => {
  const home = await temporaryFolder(t);
  // Looks at three files and opens two, then the first write.
  const files = faultyFiles(nodeFiles, { failAt: 6, mode: 'error', code: 'ENOSPC', torn: true });
  const journal = await openJournal(files, home, fixedClock(), () => undefined);
  journal.served(served);
  await assert.rejects(journal.flush(), { code: 'ENOSPC' });
  journal.served({ ...served, path: '/files/b' });
  await journal.close();
  const text = await readFile(`${home}/served.jsonl`, 'utf8');
  const [cut, ...whole] = text.trimEnd().split('\n');
  assert.throws(() => JSON.parse(cut ?? '') as unknown);
  assert.deepEqual(
    whole.map((line) => (JSON.parse(line) as { path: string }).path),
    ['/files/a', '/files/b'],
  );
});
