import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase32, encodeBase32 } from './base32.ts';

test('the vectors of RFC 4648, without their padding', () => {
  const vectors = ['', 'MY', 'MZXQ', 'MZXW6', 'MZXW6YQ', 'MZXW6YTB', 'MZXW6YTBOI'];
  for (const [length, text] of vectors.entries()) {
    const bytes = Buffer.from('foobar'.slice(0, length));
    assert.equal(encodeBase32(bytes), text);
    assert.deepEqual(decodeBase32(text), bytes);
  }
});

test('what is written is read, and every other spelling is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.deepEqual(decodeBase32(encodeBase32(bytes)), Buffer.from(bytes));
    }),
  );
  for (const text of ['my', 'M', 'MY======', 'MZ', 'M1', 'MZX', 'MZXW6 ', 'MZXW6YTBOJ']) {
    assert.equal(decodeBase32(text), undefined, text);
  }
});
