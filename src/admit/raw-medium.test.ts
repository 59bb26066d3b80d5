import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { memoryFolder, outsideWith } from '#bundle/testing';
import { digestOf, type FileHandle, type Files, isFault } from '#kernel';
import { Image, makeExfat, makeFat, makeIso, makeMbr, makeUdf, type Tree } from '#media/testing';
import { openStore } from '#store';
import { nodeFiles } from '#system';
import { createSide } from '#trust';
import { admit } from './verbs/admit.ts';

// A bundle on a raw medium: found, copied once, judged by the copy; whatever the medium does meanwhile.

const some = { 'a.txt': Buffer.from('hello\n'), 'b.bin': randomBytes(150_000) };
const SECTOR = 512;

async function writeImage(path: string, image: Image): Promise<string> {
  const file = await open(path, 'w');
  try {
    await file.truncate(image.size);
    for (const at of image.written()) {
      await file.write(image.bytes(at, Math.min(4096, image.size - at)), 0, undefined, at);
    }
  } finally {
    await file.close();
  }
  return path;
}

type Answer = (into: Uint8Array, position: number | undefined, real: FileHandle) => Promise<number>;

/** The machine's files, with a medium at `path` that answers in its own way. */
function mediumOf(path: string, answer: Answer): Files {
  return {
    ...nodeFiles,
    async open(name, flags, options) {
      const real = await nodeFiles.open(name, flags, options);
      return name === path ? { ...real, read: (into, position) => answer(into, position, real) } : real;
    },
  };
}

function unreadable(): Error {
  return Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
}

async function sides(t: { after(fn: () => Promise<void>): void }) {
  const outside = await outsideWith(await memoryFolder(t as never), some);
  const bundle = await readFile(await outside.seal('one'));
  let number = 0;
  const inside = async () => {
    const home = `${outside.folder}/in${number++}`;
    await createSide(nodeFiles, home, { site: 'high', purpose: 'one-person', clock: outside.world.clock });
    const run = async (path: string, over: { files?: Files; name?: string; hold?: boolean } = {}) =>
      admit.run(
        {
          bundle: path,
          home,
          root: outside.root,
          ...(over.name === undefined ? {} : { path: over.name }),
          ...(over.hold === undefined ? {} : { hold: over.hold }),
        },
        { ...outside.world, files: over.files ?? nodeFiles },
      );
    const rest = async (): Promise<string[]> => {
      const found: string[] = [];
      for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
        const path = `${entry.parentPath}/${entry.name}`;
        if (!/^(?:ledger|refused)(?:\/|$)/.test(path.slice(home.length + 1)))
          found.push(entry.isFile() ? `${path} ${digestOf(await readFile(path))}` : path);
      }
      return found.sort();
    };
    const holds = async (): Promise<void> => {
      const store = await openStore(nodeFiles, home);
      for (const bytes of Object.values(some)) assert.equal(await store.verify(digestOf(bytes)), 'whole');
    };
    return { run, rest, holds };
  };
  return { folder: outside.folder, bundle, inside };
}

async function codeOf(act: Promise<{ verdict: string; reasons: readonly { code: string }[] }>): Promise<string> {
  try {
    const { verdict, reasons } = await act;
    return verdict === 'refused' ? `refused ${reasons[0]?.code}` : verdict;
  } catch (error) {
    if (isFault(error)) return `fault ${error.code}`;
    throw error;
  }
}

test('a bundle is admitted from an image of each file system, and from a folder', async (t) => {
  const { folder, bundle, inside } = await sides(t);
  const tree: Tree = { 'docs/read me.txt': Buffer.from('read me'), 'storefront.bundle': bundle };
  const images: Record<string, Image> = {
    fat12: makeFat('FAT12', tree).image,
    fat16: makeFat('FAT16', tree).image,
    fat32: makeFat('FAT32', tree).image,
    exfat: makeExfat(tree).image,
    iso: makeIso(tree).image,
    udf: makeUdf(tree).image,
    mbr: makeMbr([{ start: 64, image: makeFat('FAT16', tree).image }]),
  };
  for (const [name, image] of Object.entries(images)) {
    const side = await inside();
    const path = await writeImage(`${folder}/${name}.img`, image);
    const { verdict, figures } = await side.run(path);
    assert.equal(verdict, 'admitted', name);
    assert.equal(figures.read, bundle.length, name);
    await side.holds();
  }
  await mkdir(`${folder}/stick/docs`, { recursive: true });
  await writeFile(`${folder}/stick/docs/x`, 'x');
  await writeFile(`${folder}/stick/storefront.bundle`, bundle);
  const side = await inside();
  assert.equal(await codeOf(side.run(`${folder}/stick`)), 'admitted');
  await side.holds();
});

test('a bundle without a file system ends where it ends, whatever lies behind it', async (t) => {
  const { folder, bundle, inside } = await sides(t);
  const image = new Image(bundle.length + 2000 * SECTOR);
  image.write(0, bundle);
  image.write(bundle.length, randomBytes(4000));
  const part = await writeImage(
    `${folder}/part.img`,
    makeMbr([{ start: 64, image: new Image(4096) }], 64 * 512 + image.size),
  );
  const file = await open(part, 'r+');
  await file.write(Buffer.concat([bundle, randomBytes(5000)]), 0, undefined, 64 * 512);
  await file.close();
  // The partition's four kilobytes are too few for it.
  assert.equal(await codeOf((await inside()).run(part)), 'refused bundle.truncated');
  const whole = await writeImage(`${folder}/whole.img`, makeMbr([{ start: 64, image }]));
  const bad = 64 * SECTOR + bundle.length;
  const files = mediumOf(whole, async (into, position, real) => {
    if ((position ?? 0) + into.length > bad) throw unreadable();
    return real.read(into, position);
  });
  const side = await inside();
  const { verdict, figures } = await side.run(whole, { files });
  assert.deepEqual([verdict, figures.read], ['admitted', bundle.length], 'bad sectors behind its end are no matter');
  await side.holds();

  const waiting = await inside();
  const held = await waiting.run(whole, { files, hold: true });
  assert.equal(held.verdict, 'held');
  assert.ok((await readFile(`${held.held}/bundle`)).equals(bundle), 'what waits is the bundle and nothing behind it');
});

test('a read that fails anywhere is a fault, and the inside is as it was', async (t) => {
  const { folder, bundle, inside } = await sides(t);
  const tree: Tree = { 'docs/read me.txt': Buffer.from('read me'), 'storefront.bundle': bundle };
  for (const [name, image] of Object.entries({
    fat: makeFat('FAT12', tree).image,
    iso: makeIso(tree).image,
    exfat: makeExfat(tree).image,
    udf: makeUdf(tree).image,
  })) {
    const path = await writeImage(`${folder}/${name}.img`, image);
    const side = await inside();
    const before = await side.rest();
    let reads = 0;
    const failing = (at: number, answer: Answer): Files => {
      reads = 0;
      return mediumOf(path, async (into, position, real) => {
        reads += 1;
        return reads === at ? answer(into, position, real) : real.read(into, position);
      });
    };
    let calls = Infinity;
    for (let at = 1; at <= calls; at++) {
      for (const answer of [
        async () => {
          throw unreadable();
        },
        async () => {
          throw Object.assign(new Error('ENXIO: no such device or address, read'), { code: 'ENXIO' });
        },
        // The medium is gone: nothing more comes.
        async (into: Uint8Array, position: number | undefined, real: FileHandle) =>
          real.read(into.subarray(0, Math.floor(into.length / 2)), position),
      ] satisfies Answer[]) {
        const code = await codeOf(side.run(path, { files: failing(at, answer) }));
        if (reads < at) {
          assert.equal(code, 'admitted');
          calls = reads;
          break;
        }
        assert.match(code, /^fault bundle\.unreadable$/, `${name}, read ${at}: ${code}`);
        assert.deepEqual(await side.rest(), before, `${name}, read ${at}`);
      }
    }
    assert.ok(calls >= 3);
    await side.holds();
  }
});

test('a medium that gives other bytes the second time brings in nothing but what was sealed', async (t) => {
  const { folder, bundle, inside } = await sides(t);
  const path = await writeImage(
    `${folder}/fat.img`,
    makeFat('FAT12', { 'one.bundle': bundle, 'x/y': Buffer.from('z') }).image,
  );
  const seen = new Set<number>();
  let again = 0;
  const files = mediumOf(path, async (into, position, real) => {
    const count = await real.read(into, position);
    for (let at = 0; at < count; at++) {
      const place = (position ?? 0) + at;
      if (!seen.has(place)) seen.add(place);
      else {
        again += 1;
        into[at]! ^= 0xff;
      }
    }
    return count;
  });
  const side = await inside();
  const before = await side.rest();
  const code = await codeOf(side.run(path, { files }));
  if (code === 'admitted') await side.holds();
  else assert.deepEqual(await side.rest(), before, code);
  // Of the bundle that is what lies in one block with folders and tables: two blocks of a cache, and its first bytes.
  assert.ok(again < 3 * 32 * 1024, `${again} bytes were read twice`);
});

test('what else lies on a medium is judged, and one bundle must be meant', async (t) => {
  const { folder, bundle, inside } = await sides(t);
  const side = await inside();
  const before = await side.rest();
  const image = async (name: string, tree: Tree): Promise<string> =>
    writeImage(`${folder}/${name}.img`, makeFat('FAT16', tree).image);
  const shortcut = Buffer.alloc(200);
  shortcut.write('4c0000000114020000000000c000000000000046', 'hex');
  const refused: [string, string, string?][] = [
    [await image('autorun', { 'one.bundle': bundle, 'AutoRun.inf': Buffer.from('[autorun]') }), 'examine.autorun'],
    [await image('shortcut', { 'one.bundle': bundle, 'photo.jpg': shortcut }), 'examine.shortcut'],
    [await image('bidi', { 'one.bundle': bundle, 'a\u202etxt.exe': Buffer.from('x') }), 'examine.name-control'],
    [await image('none', { 'read me.txt': Buffer.from('x') }), 'media.no-bundle'],
    [await image('empty', {}), 'media.no-bundle'],
    [await image('two', { 'one.bundle': bundle, 'two.bundle': bundle }), 'media.several-bundles'],
    [`${folder}/two.img`, 'media.no-bundle', 'three.bundle'],
    [await image('folder', { 'one.bundle': bundle, 'x/y': Buffer.from('z') }), 'media.no-bundle', 'x'],
    [await image('cut', { 'one.bundle': bundle.subarray(0, 100_000) }), 'bundle.truncated'],
    [await image('named', { 'one.bundle': Buffer.from('no bundle at all') }), 'bundle.foreign'],
  ];
  for (const [path, code, name] of refused) {
    assert.equal(await codeOf(side.run(path, name === undefined ? {} : { name })), `refused ${code}`, path);
    assert.deepEqual(await side.rest(), before, path);
  }
  await symlink('one.img', `${folder}/link.img`);
  assert.equal(await codeOf(side.run(`${folder}/link.img`)), 'fault bundle.unreadable');
  assert.equal(await codeOf(side.run(`${folder}/one`, { name: 'x' })), 'refused media.no-bundle');
  assert.equal((await stat(`${folder}/two.img`)).mode & 0o111, 0);
  assert.equal(await codeOf(side.run(`${folder}/two.img`, { name: '/TWO.bundle' })), 'admitted');
});
