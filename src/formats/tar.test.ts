import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePaxSize, decodeTarHeader, encodeTarHeader, TAR_BLOCK, tarHeaderLength, tarPadding } from './tar.ts';

const name = fc
  .array(fc.constantFrom(...'abcxyz0189._-/'), { minLength: 1, maxLength: 100 })
  .map((letters) => letters.join(''));

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(name, fc.nat(2 ** 31), (member, size) => {
      assert.deepEqual(decodeTarHeader(encodeTarHeader(member, size)), { kind: 'file', name: member, size });
    }),
  );
});

test('one changed byte is no longer that header', () => {
  fc.assert(
    fc.property(name, fc.nat(2 ** 31), fc.nat(511), fc.integer({ min: 1, max: 255 }), (member, size, at, change) => {
      const block = Uint8Array.from(encodeTarHeader(member, size));
      block[at] = block[at]! ^ change;
      assert.notDeepEqual(decodeTarHeader(block), { kind: 'file', name: member, size });
      assert.notEqual(decodeTarHeader(block).kind, 'file');
    }),
  );
});

test('a size over 8 GiB travels in a pax record', () => {
  for (const size of [8 * 1024 ** 3, 8 * 1024 ** 3 + 1, 99_999_999_999, 2 ** 53 - 1]) {
    const header = encodeTarHeader('a', size);
    assert.equal(header.length, tarHeaderLength(size));
    const pax = decodeTarHeader(header.subarray(0, TAR_BLOCK));
    assert.equal(pax.kind, 'pax');
    assert.equal(decodePaxSize(header.subarray(TAR_BLOCK, 2 * TAR_BLOCK), pax.kind === 'pax' ? pax.size : 0), size);
    assert.deepEqual(decodeTarHeader(header.subarray(2 * TAR_BLOCK)), { kind: 'file', name: 'a', size: 0 });
  }
  assert.equal(tarHeaderLength(8 * 1024 ** 3 - 1), TAR_BLOCK);
});

test('other dialects, types and owners are no headers of ours', () => {
  const block = Buffer.from(encodeTarHeader('a', 1));
  const changed = (at: number, text: string): Buffer => {
    const other = Buffer.from(block);
    other.write(text, at, 'latin1');
    other.write('        ', 148, 'latin1');
    const sum = other.reduce((total, byte) => total + byte, 0);
    other.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return other;
  };
  assert.deepEqual(decodeTarHeader(changed(0, 'a')), { kind: 'file', name: 'a', size: 1 });
  for (const [at, text] of [
    [257, 'ustar  \0'],
    [156, '2'],
    [156, '5'],
    [156, 'L'],
    [156, 'S'],
    [156, '\0'],
    [100, '0004755'],
    [136, '00000000001'],
    [265, 'root'],
    [345, 'prefix'],
    [0, '../a'],
    [124, '\x80\0\0\0\0\0\0\0\0\0\0\x01'],
  ] as const) {
    const header = decodeTarHeader(changed(at, text));
    // A name with dots is a name; the bundle's reader compares it with the due one.
    assert.equal(header.kind, text === '../a' ? 'file' : 'problem', JSON.stringify(text));
  }
  assert.deepEqual(decodeTarHeader(new Uint8Array(512)), { kind: 'end' });
});

test('GNU tar reads what we write, sizes over 8 GiB too', () => {
  const archive = Buffer.concat([
    encodeTarHeader('folder/a', 5),
    Buffer.from('hello'),
    new Uint8Array(tarPadding(5)),
    new Uint8Array(1024),
  ]);
  assert.match(execFileSync('tar', ['tvf', '-'], { input: archive }).toString(), /^-rw-r--r-- 0\/0 +5 .* folder\/a$/m);
  assert.equal(execFileSync('tar', ['xOf', '-', 'folder/a'], { input: archive }).toString(), 'hello');
  let listed = '';
  try {
    execFileSync('tar', ['tvf', '-'], { input: encodeTarHeader('big', 10_000_000_000), stdio: 'pipe' });
  } catch (error) {
    listed = String((error as { stdout: Buffer }).stdout);
  }
  assert.match(listed, /10000000000 .* big/);
});
