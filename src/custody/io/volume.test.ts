import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { digestOf, hexOf } from '#kernel';
import { testWorld } from '#kernel/testing';
import { makeFat } from '#media/testing';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { volumeAt } from './volume.ts';

const bundle = Buffer.from('sallyport-bundle/1'.padEnd(5000, '.'));
const sha256 = hexOf(digestOf(bundle));

test('the volume on a medium is the bundle on it; of any other file it is the file', async (t) => {
  const folder = await temporaryFolder(t);
  const world = testWorld(nodeFiles, folder);
  const { image } = makeFat('FAT12', { 'read me.txt': Buffer.from('x'), 'one.bundle': bundle });
  const other = Buffer.from('a second volume');
  await writeFile(`${folder}/stick.img`, image.bytes(0, image.size));
  await writeFile(`${folder}/plain`, bundle);
  await writeFile(`${folder}/other`, other);
  await mkdir(`${folder}/stick`);
  await writeFile(`${folder}/stick/one.bundle`, bundle);
  const seen = async (name: string) => volumeAt(world, `${folder}/${name}`);
  assert.deepEqual(await seen('plain'), { name: 'plain', sha256 });
  assert.deepEqual(await seen('stick.img'), { name: 'one.bundle', sha256 });
  assert.deepEqual(await seen('stick'), { name: 'one.bundle', sha256 });
  assert.deepEqual(await seen('other'), { name: 'other', sha256: hexOf(digestOf(other)) });
});

test('a medium that is refused, a link and nothing at all are faults', async (t) => {
  const folder = await temporaryFolder(t);
  const world = testWorld(nodeFiles, folder);
  await mkdir(`${folder}/stick`);
  await symlink('stick', `${folder}/link`);
  for (const name of ['stick', 'link', 'none']) {
    await assert.rejects(volumeAt(world, `${folder}/${name}`), { code: 'custody.volume-unreadable' }, name);
  }
});
