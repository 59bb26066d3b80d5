import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { comparePep440, parsePep440, parseSpecifiers, satisfies } from './version.ts';

const DATA = new URL('../../../../shared/data/version-order/', import.meta.url);
const skip = existsSync(DATA) ? false : 'the public suites are not beside the repository';
const SIGN: Readonly<Record<string, number>> = { '<': -1, '=': 0, '>': 1 };

for (const file of ['pypi-versions.txt', 'pypi-versions-generated.txt']) {
  test(`order of ${file}`, { skip }, () => {
    let checked = 0;
    const strange: string[] = [];
    for (const raw of readFileSync(new URL(file, DATA), 'utf8').split('\n')) {
      const match = /^(\S+) ([<=>]) (\S+)$/.exec(raw.trim());
      if (match === null || raw.startsWith('//')) continue;
      const [, a = '', operator = '', b = ''] = match;
      const order = comparePep440(a, b);
      // What PEP 440 does not call a version has no order here; other tools keep an older one for it.
      if (order === undefined) strange.push(raw);
      else assert.equal(order, SIGN[operator], raw);
      checked += 1;
    }
    assert.ok(checked > 30, String(checked));
    assert.ok(strange.length < checked / 3, strange.join('\n'));
  });
}

test('normal forms are equal', () => {
  for (const [a, b] of [
    ['1.0', '1.0.0'],
    ['1.0a1', '1.0-alpha.1'],
    ['1.0c1', '1.0rc1'],
    ['1.0-1', '1.0.post1'],
    ['1.0rev2', '1.0post2'],
    ['v1.0', '1.0'],
    ['1!01.0', '1!1'],
    ['1.0+ubuntu-1', '1.0+ubuntu.1'],
    ['1.0dev', '1.0.dev0'],
  ]) {
    assert.equal(comparePep440(a ?? '', b ?? ''), 0, `${a} ${b}`);
  }
  for (const bad of ['', 'x', '1.0.', '1..0', '1.0+', '1.0-', '1.0+a+b', '1 0', '1.0\u0660']) {
    assert.equal(parsePep440(bad), undefined, bad);
  }
});

test('the order of PEP 440 in one line', () => {
  const line = '0!1.dev0 1a0.dev1 1a0 1a1.post1.dev2 1a1.post1 1b1 1rc1 1 1+a 1+1 1.post1.dev1 1.post1 1.0.1 2!0'.split(
    ' ',
  );
  for (const [i, a] of line.entries()) {
    for (const [j, b] of line.entries()) assert.equal(comparePep440(a, b), Math.sign(i - j), `${a} ${b}`);
  }
});

test('specifiers', () => {
  const cases: [string, string, boolean][] = [
    ['1.4.5', '~=1.4', true],
    ['2.0', '~=1.4', false],
    ['1.4.2', '~=1.4.2', true],
    ['1.5', '~=1.4.2', false],
    ['2.2.post3', '~=2.2', true],
    ['2.3a1', '~=2.2a1', true],
    ['1.1', '==1.1.*', true],
    ['1.10', '==1.1.*', false],
    ['1.1', '!=1.1.*', false],
    ['1.1+local', '==1.1', true],
    ['1.1+local', '==1.1+other', false],
    ['1.7.post2', '>1.7', false],
    ['1.7.1', '>1.7', true],
    ['1.7rc1', '<1.7', false],
    ['1.6.9', '<1.7', true],
    ['3.11.4', '>=3.8,!=3.9.*,<4', true],
    ['1.0.0', '===1.0', false],
  ];
  for (const [version, text, answer] of cases) {
    const specifiers = parseSpecifiers(text);
    assert.ok(specifiers, text);
    assert.equal(satisfies(version, specifiers), answer, `${version} ${text}`);
  }
  for (const bad of ['1.0', '>=1.0.*', '=>1', '>=', '~=x']) assert.equal(parseSpecifiers(bad), undefined, bad);
});

test('is an order, whatever the versions', () => {
  const version = fc
    .tuple(
      fc.nat(2),
      fc.nat(2),
      fc.constantFrom('', 'a1', 'b2', 'rc1'),
      fc.constantFrom('', '.post1'),
      fc.constantFrom('', '.dev3'),
      fc.constantFrom('', '+a', '+1'),
    )
    .map(([a, b, ...rest]) => `${a}.${b}${rest.join('')}`);
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      assert.equal(comparePep440(a, b), -(comparePep440(b, a) ?? 9) || 0);
      if (comparePep440(a, b) !== 1 && comparePep440(b, c) !== 1) assert.notEqual(comparePep440(a, c), 1);
    }),
    { numRuns: 500 },
  );
});
