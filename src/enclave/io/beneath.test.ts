import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { openBeneath, openFileBeneath, readBeneath } from './beneath.ts';

test('plain files are read, up to their limit, and what is missing is missing', async (t) => {
  const root = await temporaryFolder(t);
  mkdirSync(join(root, 'a b'));
  const path = join(root, 'a b', 'file');
  writeFileSync(path, 'x'.repeat(100_000));
  assert.equal((await readBeneath(root, path, 100_000))?.length, 100_000);
  await assert.rejects(readBeneath(root, path, 99_999), /larger than 99999 bytes/);
  assert.equal(await readBeneath(root, join(root, 'none', 'file'), 10), undefined);
  const file = openFileBeneath(root, path);
  assert.equal(readFileSync(file).length, 100_000);
  closeSync(file);
  const folder = openBeneath(root, join(root, 'a b'));
  assert.equal(fstatSync(folder).isDirectory(), true);
  closeSync(folder);
});

test('no link, no pipe, no device and no path upwards is followed', async (t) => {
  const root = await temporaryFolder(t);
  const secret = await temporaryFolder(t);
  writeFileSync(join(secret, 'key'), 'secret');
  symlinkSync(secret, join(root, 'folder'));
  symlinkSync(join(secret, 'key'), join(root, 'file'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  const read = (...parts: readonly string[]): Promise<unknown> => readBeneath(root, `${root}/${parts.join('/')}`, 100);
  await assert.rejects(read('folder', 'key'), /ENOTDIR|ELOOP|symbolic link/);
  await assert.rejects(read('file'), /symbolic link/);
  // Opening it to read would wait until somebody writes.
  await assert.rejects(read('pipe'), /no plain file/);
  await assert.rejects(read('..', 'x'), /not a plain path/);
  await assert.rejects(readBeneath(root, join(secret, 'key'), 100), /not below/);
  await assert.rejects(readBeneath('/dev', '/dev/zero', 100), /no plain file/);
});
