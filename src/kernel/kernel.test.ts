import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareIdentity,
  digestFromHex,
  digestOf,
  faultsOf,
  hexOf,
  type Identity,
  identityKey,
  instantOf,
  isDigest,
  isInstant,
  isSafeName,
  printable,
} from './index.ts';

test('a digest is sha256 and 64 lower-case hex digits, nothing else', () => {
  const digest = digestOf('abc');
  assert.equal(digest, 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(digestFromHex(hexOf(digest)), digest);
  for (const bad of [
    `${digest}0`,
    digest.toUpperCase(),
    digest.slice(0, -1),
    ` ${digest}`,
    `${digest}\n`,
    'sha256:../..',
    7,
  ]) {
    assert.equal(isDigest(bad), false, String(bad));
  }
  assert.throws(() => digestFromHex('BA'));
});

test('identities that differ in spelling only are two', () => {
  const part = fc.string({ maxLength: 4 }).filter((text) => !text.includes('\0'));
  const identity: fc.Arbitrary<Identity> = fc.record({
    ecosystem: part,
    authority: part,
    name: part,
    version: part,
    file: part,
  });
  fc.assert(
    fc.property(identity, identity, (a, b) => {
      assert.equal(compareIdentity(a, b) === 0, identityKey(a) === identityKey(b));
      assert.equal(compareIdentity(a, b), -compareIdentity(b, a) || 0);
    }),
  );
  const one = { ecosystem: 'npm', authority: '', name: 'JSONStream', version: '1', file: '' };
  assert.notEqual(identityKey(one), identityKey({ ...one, name: 'jsonstream' }));
});

test('an instant has whole seconds in UTC and a date that exists', () => {
  assert.equal(instantOf(Date.parse('2026-11-22T06:00:00.999Z')), '2026-11-22T06:00:00Z');
  assert.ok(isInstant('2026-02-28T23:59:59Z'));
  for (const bad of [
    '2026-11-22T06:00:00.000Z',
    '2026-11-22T06:00:00+00:00',
    '2026-13-01T00:00:00Z',
    '2026-11-22',
    0,
  ]) {
    assert.equal(isInstant(bad), false, String(bad));
  }
});

test('names on disk are plain and short', () => {
  for (const good of ['a', 'root.1.dsse.json', '..a', 'a'.repeat(128)]) assert.ok(isSafeName(good), good);
  for (const bad of ['', '.', '..', 'A', 'a/b', 'a:b', 'a b', 'ä', 'a'.repeat(129)]) assert.ok(!isSafeName(bad), bad);
});

test('text from outside cannot move the cursor or turn itself round', () => {
  assert.equal(printable('a\u001b[2Jb\r\nc'), 'a\\u{1b}[2Jb\\u{d}\\u{a}c');
  assert.equal(printable('user\u202etxt.exe'), 'user\\u{202e}txt.exe');
  assert.equal(printable('lone \ud800.'), 'lone \\u{d800}.');
  assert.equal(printable('größer 😀'), 'größer 😀');
});

test('a fault has the words of its catalogue, and no other can be made', () => {
  const fault = faultsOf({
    'x.y': { title: 'It broke.', fix: 'Mend it.' },
    'x.u': { title: 'Wrong.', fix: 'Look.', kind: 'usage' },
  });
  const made = fault('x.y', { where: 'here', detail: 'Twice.' });
  assert.deepEqual(
    { code: made.code, message: made.message, fix: made.fix, where: made.where, exit: made.exit },
    { code: 'x.y', message: 'It broke. Twice.', fix: 'Mend it.', where: 'here', exit: 3 },
  );
  assert.equal(fault('x.u').exit, 2);
  // @ts-expect-error an unknown code does not compile, and is a bug at run time
  assert.throws(() => fault('x.z'), /no such fault/);
});
