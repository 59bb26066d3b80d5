import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allowsRange, matchesNone, parseRange } from './range.ts';

test('ranges, one by one (RFC 9110, 14.1.2 and 14.2)', () => {
  for (const [header, size, expected] of [
    [undefined, 10, undefined],
    ['bytes=0-0', 10, { start: 0, end: 1 }],
    ['bytes=0-9', 10, { start: 0, end: 10 }],
    ['bytes=2-', 10, { start: 2, end: 10 }],
    ['bytes=2-100', 10, { start: 2, end: 10 }],
    ['Bytes=2-3', 10, { start: 2, end: 4 }],
    ['bytes = 2 - 3', 10, { start: 2, end: 4 }],
    ['bytes=-3', 10, { start: 7, end: 10 }],
    ['bytes=-100', 10, { start: 0, end: 10 }],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=10-12', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-1', 0, 'unsatisfiable'],
    ['bytes=99999999999999999999-', 10, 'unsatisfiable'],
    ['bytes=3-2', 10, undefined],
    ['bytes=-', 10, undefined],
    ['bytes=', 10, undefined],
    ['bytes=0-1,3-4', 10, undefined],
    ['bytes=a-b', 10, undefined],
    ['bytes=0x1-2', 10, undefined],
    ['items=0-1', 10, undefined],
    ['bytes=--1', 10, undefined],
  ] as const) {
    assert.deepEqual(parseRange(header, size), expected, String(header));
  }
});

test('property: a range lies within the content and is not empty', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'bytes=-0123456789, ') }), fc.nat(1000), (header, size) => {
      const part = parseRange(`bytes=${header}`, size);
      if (part === undefined || part === 'unsatisfiable') return;
      assert.ok(part.start >= 0 && part.start < part.end && part.end <= size);
    }),
  );
});

test('conditions', () => {
  assert.ok(matchesNone('"a"', '"a"'));
  assert.ok(matchesNone('W/"a"', '"a"'));
  assert.ok(matchesNone('"b", "a"', '"a"'));
  assert.ok(matchesNone('*', '"a"'));
  assert.ok(!matchesNone('"b"', '"a"'));
  assert.ok(!matchesNone(undefined, '"a"'));
  assert.ok(allowsRange(undefined, '"a"'));
  assert.ok(allowsRange('"a"', '"a"'));
  assert.ok(!allowsRange('W/"a"', '"a"'));
  assert.ok(!allowsRange('Sun, 22 Nov 2026 06:00:00 GMT', '"a"'));
});
