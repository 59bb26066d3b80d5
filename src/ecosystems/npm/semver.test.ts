import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareSemver, highestRelease } from './semver.ts';

const DATA = new URL('../../../../shared/data/version-order/semver-versions.txt', import.meta.url);

test(
  'order of the public vectors',
  { skip: existsSync(DATA) ? false : 'the public suites are not beside the repository' },
  () => {
    const sign = { '<': -1, '=': 0, '>': 1 } as const;
    let checked = 0;
    for (const line of readFileSync(DATA, 'utf8').split('\n')) {
      const match = /^(\S+) ([<=>]) (\S+)$/.exec(line.trim());
      if (match === null || line.startsWith('//')) continue;
      const [, a = '', operator, b = ''] = match;
      const order = compareSemver(a, b);
      if (order === undefined) continue;
      assert.equal(order, sign[operator as keyof typeof sign], line);
      checked += 1;
    }
    assert.ok(checked > 20, String(checked));
  },
);

test('the highest release is not a prerelease unless nothing else is there', () => {
  assert.equal(highestRelease(['1.0.0', '2.0.0-rc.1', '1.10.0', '1.9.0']), '1.10.0');
  assert.equal(highestRelease(['2.0.0-rc.1', '2.0.0-rc.10', '2.0.0-beta']), '2.0.0-rc.10');
  assert.equal(highestRelease([]), undefined);
});

test('is an order', () => {
  const version = fc
    .tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.option(fc.constantFrom('a', '1', 'a.1', '1.a', '10', '2', 'rc.1')))
    .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre === null ? '' : `-${pre}`}`);
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      assert.equal(compareSemver(a, b), -(compareSemver(b, a) ?? 9) || 0);
      if (compareSemver(a, b) === -1 && compareSemver(b, c) === -1) assert.equal(compareSemver(a, c), -1);
    }),
  );
});
