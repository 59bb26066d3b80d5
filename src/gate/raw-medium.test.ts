import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from '#kernel';
import { testWorld } from '#kernel/testing';
import { hostileMedia, Image, makeExfat, makeFat, makeIso, makeUdf, TREE, type Tree } from '#media/testing';
import { nodeFiles } from '#system';
import { examine } from './operations.ts';

/** Files of which one is this medium: a block device, or an image of one. */
function filesWith(image: Image, block: boolean): Files {
  const refuse = (): never => assert.fail('nothing but reading');
  return {
    ...nodeFiles,
    look: async () => ({
      kind: block ? 'other' : 'file',
      size: image.size,
      mode: 0o600,
      modified: 0,
      device: 0,
      block,
    }),
    open: async (_, flags, options) => {
      assert.deepEqual([flags, options?.follow], ['r', false]);
      return {
        read: (into, position) => image.read(into, position ?? 0),
        size: async () => image.size,
        close: async () => undefined,
        write: refuse,
        truncate: refuse,
        sync: refuse,
      };
    },
  };
}

async function judged(image: Image, block = false, as?: 'medium' | 'tar') {
  const { run } = await examine.load();
  const input = { path: '/medium.img', ...(as === undefined ? {} : { as }) };
  const { verdict, as: taken, reasons } = await run(input, testWorld(filesWith(image, block), '/'));
  return [verdict, taken, reasons[0]?.code] as const;
}

test('every hostile medium is refused by name, as a device and as an image', async () => {
  for (const { name, code, make } of hostileMedia) {
    assert.deepEqual(await judged(make(), true), ['refuse', 'medium', code], name);
    if (code !== 'media.file-system')
      assert.deepEqual(await judged(make(), false, 'medium'), ['refuse', 'medium', code], name);
  }
});

test('clean media are accepted, and known for what they are', async () => {
  for (const image of [makeFat('FAT12', TREE), makeExfat(TREE), makeIso(TREE), makeUdf(TREE)].map(
    (made) => made.image,
  )) {
    assert.deepEqual(await judged(image, true), ['accept', 'medium', undefined]);
    assert.deepEqual(await judged(image, false, 'medium'), ['accept', 'medium', undefined]);
  }
});

test('what lies on a medium is judged as on a mounted one', async () => {
  const shortcut = Buffer.alloc(100);
  shortcut.write('4c0000000114020000000000c000000000000046', 'hex');
  const cases: [string, Tree][] = [
    ['examine.autorun', { 'AUTORUN.INF': Buffer.from('x') }],
    ['examine.shortcut', { 'docs/photos.lnk': Buffer.from('x') }],
    ['examine.shortcut', { 'photo.jpg': shortcut }],
    ['examine.name-windows', { 'AUX.txt': Buffer.from('x') }],
    ['examine.name-control', { 'a\u202egpj.exe': Buffer.from('x') }],
    ['examine.collision', { 'A.TXT': Buffer.from('x'), 'a.txt': Buffer.from('y') }],
    ['examine.name-control', { 'a\ud800': Buffer.from('x') }],
    ['examine.empty', {}],
  ];
  for (const [code, tree] of cases) {
    assert.deepEqual(await judged(makeFat('FAT16', tree).image, true), ['refuse', 'medium', code], code);
    assert.deepEqual((await judged(makeExfat(tree).image, false, 'medium'))[2], code, code);
  }
});

test('a device with nothing that is known is refused; so is one that is meant to be something else', async () => {
  assert.deepEqual(await judged(new Image(1_000_000), true), ['refuse', 'medium', 'media.file-system']);
  assert.deepEqual(await judged(new Image(1_000_000)), ['refuse', 'unknown', 'examine.unknown-kind']);
  assert.deepEqual(await judged(new Image(1_000_000), false, 'medium'), ['refuse', 'medium', 'examine.wrong-kind']);
  assert.deepEqual(await judged(makeFat('FAT12', TREE).image, true, 'tar'), ['refuse', 'tar', 'examine.wrong-kind']);
});

test('a device that ends before its size is a fault', async () => {
  const { image } = makeFat('FAT12', TREE);
  const files = filesWith(image, true);
  const short: Files = {
    ...files,
    open: async (...words) => {
      const handle = await files.open(...words);
      return { ...handle, read: async (into, position) => handle.read(into.subarray(0, 5000), position) };
    },
  };
  const { run } = await examine.load();
  await assert.rejects(run({ path: '/dev/sdz' }, testWorld(short, '/')), { code: 'examine.read' });
});
