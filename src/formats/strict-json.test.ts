import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseStrictJson } from './strict-json.ts';

const suite = join(import.meta.dirname, '../../../shared/data/jsontestsuite/test_parsing');
const absent = existsSync(suite) ? false : 'the JSON test suite is not beside the repository';

/** Documents that RFC 8259 accepts and we refuse: two readers could see two documents in them. */
const EXCEPTIONS = new Set(['y_object_duplicated_key.json', 'y_object_duplicated_key_and_value.json']);
/** Left open by RFC 8259: what we do is written down here, so that a change is seen. */
const OPEN_ACCEPTED = new Set(['i_number_double_huge_neg_exp.json', 'i_number_real_underflow.json']);

const text = (value: string): Uint8Array => Buffer.from(value, 'utf8');

test('every case of the public suite', { skip: absent }, () => {
  const wrong: string[] = [];
  let cases = 0;
  for (const name of readdirSync(suite)) {
    if (!name.endsWith('.json')) continue;
    const { ok } = parseStrictJson(readFileSync(join(suite, name)));
    const due = name.startsWith('y_') ? !EXCEPTIONS.has(name) : name.startsWith('i_') && OPEN_ACCEPTED.has(name);
    if (ok !== due) wrong.push(`${name}: ${ok ? 'accepted' : 'refused'}`);
    cases += 1;
  }
  assert.deepEqual(wrong, []);
  assert.ok(cases > 100, `${cases} cases`);
});

test('JSON-1 to JSON-8: what is refused, and where', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['JSON-1 not UTF-8', Buffer.from([0x22, 0xff, 0x22]), /UTF-8/],
    ['JSON-1 overlong', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), /UTF-8/],
    ['JSON-1 surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), /UTF-8/],
    ['JSON-2 byte order mark', text('\ufeff{}'), /byte order mark/],
    ['JSON-3 duplicate key', text('{"a":1,"a":2}'), /twice/],
    ['JSON-3 duplicate key, escaped', text('{"a":1,"\\u0061":2}'), /twice/],
    ['JSON-4 __proto__', text('{"__proto__":{"admin":true}}'), /__proto__/],
    ['JSON-4 __proto__, escaped', text('{"\\u005f_proto__":1}'), /__proto__/],
    ['JSON-5 lone surrogate', text('"\\ud800"'), /surrogate/],
    ['JSON-5 lone surrogate in a key', text('{"\\udc00":1}'), /surrogate/],
    ['JSON-6 2^53', text('9007199254740992'), /beyond/],
    ['JSON-6 −2^53', text('-9007199254740992'), /beyond/],
    ['JSON-6 infinite', text('1e400'), /beyond/],
    ['JSON-7 after the value', text('{} {}'), /follows/],
    ['JSON-7 after the value, NUL', text('{}\0'), /follows/],
    ['JSON-8 depth', text(`${'['.repeat(65)}${']'.repeat(65)}`), /deeper than 64/],
    ['empty', text(''), /ends where/],
  ];
  for (const [name, bytes, detail] of cases) {
    const read = parseStrictJson(bytes);
    assert.equal(read.ok, false, name);
    if (!read.ok) assert.match(read.detail, detail, name);
  }
  assert.equal(parseStrictJson(text(`${'['.repeat(64)}${']'.repeat(64)}`)).ok, true);
  assert.equal(parseStrictJson(text('{}'), { size: 1 }).ok, false, 'JSON-8 size');
  assert.deepEqual(parseStrictJson(text('9007199254740991')), { ok: true, value: 9007199254740991 });
});

test('a key like constructor is a key and nothing else', () => {
  const read = parseStrictJson(text('{"constructor":1,"toString":2,"hasOwnProperty":3}'));
  assert.ok(read.ok);
  assert.deepEqual(Object.keys(read.value as object), ['constructor', 'toString', 'hasOwnProperty']);
});

test('deep nesting is refused without a stack overflow', () => {
  assert.equal(parseStrictJson(text('['.repeat(1_000_000))).ok, false);
  assert.equal(parseStrictJson(text('{"a":'.repeat(200_000))).ok, false);
});

test('it reads what JSON.stringify writes, as JSON.parse does', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (json) => {
      const read = parseStrictJson(text(json));
      // fast-check makes duplicate-free objects; only __proto__ and big or lone things may be refused.
      if (read.ok) assert.deepEqual(read.value, JSON.parse(json));
      else assert.match(read.detail, /__proto__|surrogate|beyond/);
    }),
  );
});

test('whatever it accepts, JSON.parse accepts with the same value', () => {
  const pieces = fc.array(
    fc.constantFrom('{', '}', '[', ']', '"a"', '"b"', ':', ',', '1', '-0', '1e2', 'true', 'null', ' ', '\\', '"'),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(pieces, (parts) => {
      const json = parts.join('');
      const read = parseStrictJson(text(json));
      if (read.ok) assert.deepEqual(read.value, JSON.parse(json));
    }),
    { numRuns: 2000 },
  );
});
