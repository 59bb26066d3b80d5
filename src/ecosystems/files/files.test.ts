import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '#kernel';
import {
  admitted,
  ask,
  ecosystemContract,
  hashOf,
  linuxAmd64,
  projectInput,
  type Sample,
  textOf,
} from '#ecosystems/testing';
import { temporaryFolder } from '#system/testing';
import { files } from './index.ts';

const URL = 'https://files.example.test/data/model%20v1.bin?token=x';
const BYTES = Buffer.from('weights');

function sample(name?: string): Sample {
  const entry = { url: URL, sha256: hashOf('sha256', BYTES), ...(name === undefined ? {} : { name }) };
  const served = name ?? 'model%20v1.bin';
  return {
    input: { path: 'https://files.example.test/data/model%20v1.bin', bytes: '{}', options: { files: entry } },
    targets: [linuxAmd64],
    upstream: { [URL]: BYTES },
    recognised: false,
    served: [
      { path: `/files/${served}`, bytes: BYTES },
      { path: `/files/${served}?digest=sha256:${hashOf('sha256', BYTES)}`, bytes: BYTES },
    ],
    missing: { path: '/files/none/model%20v1.bin', says: /No admitted bundle brought/, name: 'none/model v1.bin' },
    tamper: { at: URL, bytes: 'other weights' },
  };
}

ecosystemContract(files, () => sample());

const resolveIn = async (folder: string, options: Readonly<Record<string, unknown>>) => {
  const input = { ...projectInput(String(options['files']), '', {}, options), folder };
  return (await files.outside()).resolve(input, [linuxAmd64], undefined as never);
};
const rejects = (work: Promise<unknown>, code: string): Promise<void> =>
  assert.rejects(work, (error) => isFault(error) && error.code === code);

test('a folder gives its files, sorted, with their sizes; a name replaces its own', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'data/b'), { recursive: true });
  await writeFile(join(folder, 'data/z'), 'zz');
  await writeFile(join(folder, 'data/b/ä.txt'), 'a');
  const { artifacts } = await resolveIn(folder, { files: './data/' });
  assert.deepEqual(
    artifacts.map(({ name, file, size, sources }) => [name, file, size, sources]),
    [
      ['data/b/ä.txt', 'ä.txt', 1, [{ kind: 'file', path: 'data/b/ä.txt' }]],
      ['data/z', 'z', 2, [{ kind: 'file', path: 'data/z' }]],
    ],
  );
  const named = await resolveIn(folder, { files: 'data', name: 'release/1' });
  assert.deepEqual(
    named.artifacts.map(({ name }) => name),
    ['release/1/b/ä.txt', 'release/1/z'],
  );
  const single = await resolveIn(folder, { files: 'data/z' });
  assert.deepEqual(
    single.artifacts.map(({ name, file }) => [name, file]),
    [['data/z', 'z']],
  );
});

test('links, absences and names that lead out are refused', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'data'));
  await symlink('/etc/passwd', join(folder, 'data/link'));
  await symlink('data', join(folder, 'linked'));
  await rejects(resolveIn(folder, { files: 'data' }), 'files.not-a-file');
  await rejects(resolveIn(folder, { files: 'linked/link' }), 'files.not-a-file');
  await rejects(resolveIn(folder, { files: 'none' }), 'files.missing');
  for (const path of ['..', '../x', '/etc', 'a/../../b', '', 'a//b', 'a\\b', 'a\u0000']) {
    await rejects(resolveIn(folder, { files: path }), 'files.input-malformed');
  }
  await writeFile(join(folder, 'data/bad\nname'), '');
  await rejects(resolveIn(folder, { files: 'data/bad\nname' }), 'files.input-malformed');
  await rejects(resolveIn(folder, { files: { url: URL, sha256: 'short' } }), 'files.input-malformed');
  await rejects(
    resolveIn(folder, { files: { url: 'https://u:p@x.example.test/a', sha256: 'a'.repeat(64) } }),
    'files.input-malformed',
  );
  await rejects(
    resolveIn(folder, { files: { url: 'https://x.example.test/', sha256: 'a'.repeat(64) } }),
    'files.input-malformed',
  );
});

test('a name is served with a disposition that holds it, whatever it is', async () => {
  const { catalog } = await admitted(files, sample('a/ev"il;\u00e9\u202e.html'));
  const path = `/files/a/${encodeURIComponent('ev"il;\u00e9\u202e.html')}`;
  const { status, headers } = await ask(files, catalog, path);
  assert.equal(status, 200);
  assert.match(
    headers['content-disposition'] ?? '',
    /^attachment; filename="ev_il___\.html"; filename\*=UTF-8''ev%22il%3B%C3%A9%E2%80%AE\.html$/,
  );
  assert.match(headers['content-security-policy'] ?? '', /sandbox/);
});

test('there is a listing for people and for programs', async () => {
  const { catalog } = await admitted(files, sample('a/b.bin'));
  const digest = `sha256:${hashOf('sha256', BYTES)}`;
  assert.equal(await textOf(await ask(files, catalog, '/files/'), catalog), `${digest}  7  a/b.bin\n`);
  const json = await textOf(await ask(files, catalog, '/files/a/', { accept: 'application/json' }), catalog);
  assert.deepEqual(JSON.parse(json), { files: [{ name: 'a/b.bin', digest, size: 7, path: '/files/a/b.bin' }] });
  assert.equal((await ask(files, catalog, '/files/b/')).status, 404);
});
