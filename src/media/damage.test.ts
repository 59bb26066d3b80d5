import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RandomBytes } from '#formats';
import { LIMITS } from './limits.ts';
import { readMedium } from './medium-map.ts';
import { TREE } from './testing/hostile-media.ts';
import type { Image } from './testing/image.ts';
import { makeExfat } from './testing/make-exfat.ts';
import { makeFat } from './testing/make-fat.ts';
import { makeIso } from './testing/make-iso.ts';
import { makeGpt, makeMbr } from './testing/make-table.ts';
import { makeUdf } from './testing/make-udf.ts';

const kinds: Readonly<Record<string, () => Image>> = {
  FAT12: () => makeFat('FAT12', TREE).image,
  FAT16: () => makeFat('FAT16', TREE).image,
  exFAT: () => makeExfat(TREE).image,
  'ISO 9660': () => makeIso(TREE).image,
  UDF: () => makeUdf(TREE).image,
  MBR: () => makeMbr([{ start: 64, image: makeFat('FAT12', TREE).image }]),
  GPT: () => makeGpt([{ start: 64, image: makeFat('FAT12', TREE).image }]),
};

/** A medium that says so when it is asked for what it has not, or for more than a reader may. */
function watched(image: Image): RandomBytes & { asked(): number } {
  let asked = 0;
  return {
    size: image.size,
    async read(into, position) {
      assert.ok(position >= 0 && position + into.length <= image.size, `asked for byte ${position + into.length}`);
      asked += into.length;
      return image.read(into, position);
    },
    asked: () => asked,
  };
}

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind}: whatever bytes are damaged, there is an answer within bounds`, async () => {
    const whole = make();
    const written = whole
      .written()
      .flatMap((block) => [...whole.bytes(block, 4096)].map((byte, at) => ({ at: block + at, byte })))
      .filter(({ at, byte }) => at < whole.size && (byte !== 0 || at % 64 === 0))
      .map(({ at }) => at);
    const damage = fc.array(
      fc.tuple(fc.constantFrom(...written), fc.integer({ min: 0, max: 255 }), fc.constantFrom(1, 2, 4)),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(damage, fc.option(fc.nat(), { freq: 5 }), async (changes, cut) => {
        const image = make();
        for (const [at, value, length] of changes) {
          image.write(at, Buffer.alloc(Math.min(length, image.size - at), value));
        }
        if (cut !== null) image.size = Math.max(1, image.size - (cut % image.size));
        const medium = watched(image);
        const map = await readMedium(medium);
        assert.ok(medium.asked() <= LIMITS.structure);
        if ('reason' in map) return;
        for (const volume of map.volumes) {
          for (const { path, size, extents } of volume.entries) {
            assert.ok(path !== '' && !path.split('/').some((part) => part === '' || part === '.' || part === '..'));
            assert.ok(extents.reduce((sum, { length }) => sum + length, 0) <= size);
            for (const { start, length } of extents) assert.ok(start >= 0 && start + length <= image.size);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
}
