import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '#system/testing';

const script = fileURLToPath(new URL('testing/full-disk.ts', import.meta.url));

test('a full disk during seal and admit leaves nothing half done, and what fits goes on', async (t) => {
  const probe = spawnSync('unshare', ['-Urm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { encoding: 'utf8' });
  if (probe.status !== 0)
    return t.skip(`no mount namespace here: ${(probe.stderr ?? '').trim() || 'unshare is missing'}`);
  const folder = await temporaryFolder(t);
  await mkdir(`${folder}/full`);
  const command = 'mount -t tmpfs -o size=4m tmpfs "$1/full" && exec "$2" "$3" "$1"';
  const ran = spawnSync('unshare', ['-Urm', 'sh', '-c', command, 'sh', folder, process.execPath, script], {
    encoding: 'utf8',
  });
  assert.equal(ran.status, 0, ran.stderr);
  const answers = ran.stdout
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  const home = ['in', 'in/.gitignore'];
  assert.deepEqual(answers.slice(0, 4), [
    { name: 'seal', answer: 'seal.no-space', left: [] },
    { name: 'seal, told late', answer: 'seal.no-space', left: [] },
    { name: 'admit', answer: 'admit.no-space', left: home },
    { name: 'admit, told late', answer: 'admit.no-space', left: home },
  ]);
  assert.equal((answers[4] as { answer: string }).answer, '{"verdict":"admitted","content":"whole"}');
});
