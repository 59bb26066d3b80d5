import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { examinePath } from '#gate';
import { debianTools, nodeFiles, systemClock } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';
import { nodeReaders, readers, treat } from './readers.ts';
import { HEADING, summaryOf, takenBy } from './table.ts';

const world = { files: nodeFiles, clock: systemClock, signal: new AbortController().signal };

/** What readers of npm do not take although GNU tar and Python write and read it: the old format, a link that goes up. */
const LACKING: Readonly<Record<string, readonly string[]>> = {
  'tar-fs': ['tar-links-inside', 'tar-v7'],
  'tar-stream (lists)': ['tar-v7'],
};
const document = join(import.meta.dirname, '../../../docs/operate/examine.md');

test('the hostile archives before other readers: nothing is written outside, the harmless are taken, the table is current', async (t) => {
  const peers = await nodeReaders(await temporaryFolder(t));
  if (peers.length === 0) {
    await t.test("npm's tar, tar-stream, tar-fs", (inner) => {
      inner.skip(skipped("npm's tar", 'npm could not install it'));
    });
  }
  const text = await readFile(document, 'utf8');
  assert.ok(text.includes(`\n${HEADING}\n`), 'write-table.ts writes it anew');
  const lines = text.split('\n');
  for (const reader of [...peers, ...readers()]) {
    await t.test(reader.name, async (inner) => {
      used(reader.name, reader.version);
      const folder = join(await temporaryFolder(inner), 'cases');
      const { treatments, outside } = await treat(folder, reader);
      assert.deepEqual(outside, []);
      const controls = treatments.filter(([{ id }]) => id === 'control');
      const refused = controls.filter(([, treatment]) => treatment === 'refused').map(([{ name }]) => name);
      assert.deepEqual(refused, LACKING[reader.name] ?? [], 'a control that another reader refuses is none');
      // Another version of a reader may do otherwise; the table says for which it was made.
      if (!text.includes(`\n| ${reader.name} ${reader.version} |`)) {
        inner.skip(skipped(reader.name, `the table in docs/operate/examine.md was made with another version`));
        return;
      }
      assert.ok(lines.includes(summaryOf({ reader, treatments })), summaryOf({ reader, treatments }));
      const due = lines.filter((line) => line.split(' | ')[1] === reader.name);
      assert.deepEqual(takenBy({ reader, treatments }), due, 'write-table.ts writes it anew');
    });
  }
});

/**
 * Archives that the tools of this machine make of ordinary files: all must be accepted. Info-ZIP gets ASCII names only,
 * because in some locales it does not mark others as UTF-8.
 */
const MADE: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['GNU tar', 'gnu.tar', 'tar', ['tar', '--format=gnu', '-cf', 'gnu.tar', 'tree']],
  ['GNU tar', 'pax.tar', 'tar', ['tar', '--format=posix', '-cf', 'pax.tar', 'tree']],
  ['GNU tar', 'ustar.tgz', 'tar', ['tar', '--format=ustar', '-czf', 'ustar.tgz', './tree']],
  ['GNU tar', 'v7.tar', 'tar', ['tar', '--format=v7', '-cf', 'v7.tar', 'tree']],
  ['zstd', 'tree.tar.zst', 'tar', ['tar', '--zstd', '-cf', 'tree.tar.zst', 'tree']],
  ['Python tarfile', 'python.tar', 'tar', ['python3', '-I', '-m', 'tarfile', '-c', 'python.tar', 'tree']],
  ['Python zipfile', 'python.zip', 'zip', ['python3', '-I', '-m', 'zipfile', '-c', 'python.zip', 'tree']],
  ['Info-ZIP zip', 'info.zip', 'zip', ['zip', '-q', 'info.zip', 'tree/', 'tree/a.txt', 'tree/sub/empty']],
  [
    'git',
    'git.tgz',
    'tar',
    [
      'sh',
      '-c',
      'git init -q g && cp -r tree g/ && cd g && git add . && git -c user.name=a -c user.email=a@example.test commit -qm a && git archive --format=tgz -o ../git.tgz HEAD',
    ],
  ],
  ['npm pack', 'left-1.0.0.tgz', 'npm', ['npm', 'pack', '--silent', '--offline', './package']],
  ['dpkg-deb', 'left.deb', 'deb', ['dpkg-deb', '--root-owner-group', '-Zgzip', '-b', 'debian', 'left.deb']],
  ['dpkg-deb', 'left-xz.deb', 'deb', ['dpkg-deb', '--root-owner-group', '-Zxz', '-b', 'debian', 'left-xz.deb']],
];

test('what ordinary tools make of ordinary files is accepted, and taken for what it is', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'tree', 'sub'), { recursive: true });
  await mkdir(join(folder, 'package'));
  await mkdir(join(folder, 'debian', 'DEBIAN'), { recursive: true });
  await writeFile(join(folder, 'tree', 'a.txt'), 'harmless\n');
  await writeFile(join(folder, 'tree', 'sub', 'gr\u00fc\u00dfe.txt'), 'x'.repeat(5000));
  await writeFile(join(folder, 'tree', 'sub', 'empty'), '');
  await writeFile(join(folder, 'package', 'package.json'), '{"name":"left","version":"1.0.0"}');
  const control = 'Package: left\nVersion: 1.0-1\nArchitecture: all\nMaintainer: nobody\nDescription: x\n';
  await writeFile(join(folder, 'debian', 'DEBIAN', 'control'), control);
  // tar calls it by name, and a small machine has it unpacked only.
  const zstd = await debianTools(['zstd'], { env: process.env }).catch(() => undefined);
  const PATH = `${zstd === undefined ? '' : `${dirname(zstd.zstd.path)}:`}${process.env['PATH'] ?? ''}`;
  for (const [name, file, as, [command, ...words]] of MADE) {
    await t.test(file, async (inner) => {
      try {
        execFileSync(command!, words, { cwd: folder, env: { ...process.env, PATH }, stdio: 'pipe' });
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
        inner.skip(skipped(name, `${name} is not on this machine`));
        return;
      }
      used(name, '');
      const { verdict, as: taken, reasons } = await examinePath(join(folder, file), undefined, world);
      assert.deepEqual([verdict, taken, reasons], ['accept', as, []]);
    });
  }
});
