import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isObject } from '#kernel';
import { parsePackument, publishedOf } from './packument.ts';

test('parts are those that JSON.parse gives, whatever stands in the document', () => {
  const versions = fc.dictionary(
    fc.string({ unit: 'binary' }),
    fc.json({ maxDepth: 4 }).map((text) => JSON.parse(text)),
  );
  fc.assert(
    fc.property(versions, fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (given, extra, space) => {
      const document = { name: 'a "quoted\\" name', extra, versions: given, 'dist-tags': { latest: '1', odd: 2 } };
      const bytes = Buffer.from(`\n ${JSON.stringify(document, undefined, space)} `);
      const packument = parsePackument(bytes);
      assert.ok(packument);
      const expected = JSON.parse(bytes.toString('utf8'));
      assert.equal(packument.name, expected.name);
      assert.deepEqual([...packument.tags], [['latest', '1']]);
      assert.deepEqual(packument.rest()['extra'], expected.extra);
      for (const [version, manifest] of Object.entries(expected.versions)) {
        if (isObject(manifest)) assert.deepEqual(packument.manifest(version), manifest);
        else assert.equal(packument.manifest(version), undefined);
      }
    }),
    { numRuns: 300 },
  );
});

test('what is no packument, and what is cut', () => {
  const whole = '{"name":"a","versions":{"1.0.0":{"x":[1,{"y":"}"}]}}}';
  assert.deepEqual(parsePackument(Buffer.from(whole))?.manifest('1.0.0'), { x: [1, { y: '}' }] });
  assert.equal(parsePackument(Buffer.from(whole))?.manifest('__proto__'), undefined);
  for (let end = 0; end < whole.length - 1; end += 1)
    assert.equal(parsePackument(Buffer.from(whole.slice(0, end))), undefined);
  for (const text of [
    '',
    '[]',
    '{}',
    '{"versions":{}}',
    '{"name":1,"versions":{}}',
    '{"name":"a","versions":[]}',
    '{"name":"a" "versions":{}}',
  ]) {
    assert.equal(parsePackument(Buffer.from(text)), undefined, text);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void parsePackument(bytes)));
});

test('publish times are whole seconds, or nothing', () => {
  const at = (value: unknown) =>
    publishedOf(parsePackument(Buffer.from(JSON.stringify({ name: 'a', versions: {}, time: { v: value } })))!, 'v');
  assert.equal(at('2020-01-02T03:04:05.999Z'), '2020-01-02T03:04:05Z');
  for (const bad of [undefined, 5, '', 'yesterday', { unpublished: true }, '+099999-01-01T00:00:00Z'])
    assert.equal(at(bad), '');
});
