import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { printable } from '#kernel';
import { streamOf } from './bundle-stream.ts';
import { mediaCatalogue } from './faults.ts';
import { type MediumMap, readMedium } from './medium-map.ts';
import { hostileMedia, TREE } from './testing/hostile-media.ts';
import { Image } from './testing/image.ts';
import { makeExfat } from './testing/make-exfat.ts';
import { makeFat } from './testing/make-fat.ts';
import { makeIso } from './testing/make-iso.ts';
import { makeGpt, makeMbr } from './testing/make-table.ts';
import { makeUdf } from './testing/make-udf.ts';

const clean: Readonly<Record<string, () => Image>> = {
  FAT12: () => makeFat('FAT12', TREE).image,
  FAT16: () => makeFat('FAT16', TREE).image,
  FAT32: () => makeFat('FAT32', TREE).image,
  exFAT: () => makeExfat(TREE).image,
  'ISO 9660': () => makeIso(TREE).image,
  UDF: () => makeUdf(TREE).image,
};

async function mapOf(image: Image): Promise<MediumMap> {
  const map = await readMedium(image);
  assert.ok(!('reason' in map), JSON.stringify(map));
  return map;
}

async function judgeTree(image: Image): Promise<MediumMap> {
  const map = await mapOf(image);
  const [volume] = map.volumes;
  assert.deepEqual(volume?.entries.map(({ path }) => path).sort(), [...Object.keys(TREE), 'docs', 'docs/deep'].sort());
  for (const { path, kind, size, extents } of volume?.entries ?? []) {
    assert.equal(kind, TREE[path] === undefined ? 'folder' : 'file', path);
    const into = Buffer.alloc(size + 10);
    const count = await streamOf(image, extents)(into);
    assert.ok(into.subarray(0, count).equals(Buffer.from(TREE[path] ?? '')), path);
  }
  return map;
}

for (const [kind, make] of Object.entries(clean)) {
  test(`${kind}: names and contents are read as they were written`, async () => {
    const { table, volumes } = await judgeTree(make());
    assert.equal(table, 'none');
    assert.deepEqual([volumes[0]?.kind, volumes[0]?.label, volumes.length], [kind, 'STICK', 1]);
  });

  test(`${kind}: it may lie in a partition`, async () => {
    assert.equal((await judgeTree(makeMbr([{ start: 64, image: make() }]))).table, 'MBR');
    assert.equal((await judgeTree(makeGpt([{ start: 64, image: make() }]))).table, 'GPT');
  });
}

test('a disc of ISO 9660 without Rock Ridge has the names of its Joliet tree', async () => {
  await judgeTree(makeIso(TREE, false).image);
});

test('FAT32: a folder below the root may name the root by its cluster', async () => {
  const { image, place, cluster } = makeFat('FAT32', TREE);
  image.number(place(cluster('docs')) + 32 + 26, 2, 2);
  await judgeTree(image);
});

test('a bundle without a file system is found at the start of a medium or of a partition', async () => {
  const bare = new Image(4096);
  bare.write(0, Buffer.from('sallyport-bundle/1\0'));
  assert.deepEqual((await mapOf(bare)).bare, [{ start: 0, length: 4096 }]);
  const { bare: inside, table } = await mapOf(makeMbr([{ start: 8, image: bare }]));
  assert.deepEqual([table, inside], ['MBR', [{ start: 4096, length: 4096 }]]);
});

test('a partition that is empty is nothing, and a medium with nothing else is refused', async () => {
  const fat = makeFat('FAT12', TREE).image;
  const two = makeMbr([
    { start: 64, image: fat },
    { start: 8192, image: new Image(8192) },
  ]);
  assert.equal((await mapOf(two)).volumes.length, 1);
  const none = await readMedium(makeMbr([{ start: 64, image: new Image(8192) }]));
  assert.ok('reason' in none && none.reason.code === 'media.file-system');
});

test('what is more than a medium may cost is refused', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 50_001 }, (_, index) => [`${index % 4}/${index}`, Buffer.alloc(0)] as const),
  );
  const deep = `${Array.from({ length: 64 }, () => 'd').join('/')}/x`;
  for (const image of [
    makeFat('FAT32', many).image,
    makeFat('FAT12', { [deep]: Buffer.alloc(0) }).image,
    makeExfat({ [deep]: Buffer.alloc(0) }).image,
    makeIso({ [deep]: Buffer.alloc(0) }).image,
    makeUdf({ [deep]: Buffer.alloc(0) }).image,
  ]) {
    const map = await readMedium(image);
    assert.ok('reason' in map);
    assert.equal(map.reason.code, 'media.limit', map.reason.detail);
  }
  const allowed = deep.slice(2);
  await mapOf(makeFat('FAT12', { [allowed]: Buffer.alloc(0) }).image);
});

test('each rule about bytes of a medium is broken by a case, and each case breaks a rule', async () => {
  const page = await readFile(new URL('../../docs/spec/media.md', import.meta.url), 'utf8');
  // What is asked of the reader (01), and the parts about bundle and faults (50, 60), are shown where these are read.
  const stated = [...page.matchAll(/^- \*\*(MED-\d\d)\*\*/gm)].map(([, rule]) => rule!);
  const broken = new Set(hostileMedia.map(({ rule }) => rule));
  assert.deepEqual([...broken].sort(), stated.filter((rule) => rule !== 'MED-01' && rule < 'MED-50').sort());
  assert.equal(new Set(hostileMedia.map(({ name }) => name)).size, hostileMedia.length);
});

for (const { name, code, make, rule } of hostileMedia) {
  test(`${rule} ${name}: refused as ${code}`, async () => {
    const map = await readMedium(make());
    assert.ok('reason' in map, 'it was read');
    const { where, detail } = map.reason;
    assert.equal(map.reason.code, code, `${where}: ${detail}`);
    assert.ok(map.reason.code in mediaCatalogue);
    assert.equal(printable(where + detail), where + detail, 'nothing reaches the terminal unescaped');
  });
}
