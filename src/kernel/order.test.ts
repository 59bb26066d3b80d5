import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareUtf8 } from './order.ts';

test('the order is that of the UTF-8 bytes', () => {
  const well = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(well, well, (a, b) => {
      assert.equal(compareUtf8(a, b), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test('characters beyond the basic plane come after all others, which JavaScript gets wrong', () => {
  assert.equal(compareUtf8('\u{10000}', '\ufffd'), 1);
  assert.ok('\u{10000}' < '\ufffd');
});
