import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clusters } from './cluster-chain.ts';
import { MediumBytes } from './medium-bytes.ts';
import { Image } from './testing/image.ts';

const COUNT = 2 ** 32 - 20;

function clusters(): Clusters {
  const bytes = MediumBytes.of(new Image(2 ** 45));
  return new Clusters({ bytes, width: 32, tables: [0], heap: 2 ** 35, clusterSize: 512, count: COUNT });
}

test('a run of billions of clusters costs no more than one of a few', () => {
  const all = clusters();
  assert.deepEqual(all.run(1000, COUNT - 1000, 'large'), [
    { start: 2 ** 35 + 998 * 512, length: (COUNT - 1000) * 512 },
  ]);
  assert.deepEqual(all.run(2, 998, 'before')[0]?.length, 998 * 512);
  for (const first of [2, 999, 1000, 70_000, 2 ** 31, COUNT - 1]) {
    assert.throws(() => all.run(first, 1, 'other'), { code: 'media.overlap' }, String(first));
  }
  assert.throws(() => all.run(COUNT + 1, 2, 'beyond'), { code: 'media.bounds' });
  assert.throws(() => all.run(1, 1, 'before the first'), { code: 'media.bounds' });
});

test('a run over what others have is refused, wherever in it that is', () => {
  for (const other of [5000, 65_536, 131_071, 199_999]) {
    const some = clusters();
    some.run(other, 1, 'one');
    assert.throws(() => some.run(5000, 195_000, 'large'), { code: 'media.overlap' }, String(other));
  }
});
