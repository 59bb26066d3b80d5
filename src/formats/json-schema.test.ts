import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSchemas, type Schemas } from './json-schema.ts';
import { isProblem } from './problem.ts';
import { parseStrictJson } from './strict-json.ts';

const data = join(import.meta.dirname, '../../../shared/data/cyclonedx');
const skip = existsSync(data) ? false : 'the public documents are not beside the repository';

function read(path: string): unknown {
  const parsed = parseStrictJson(readFileSync(path));
  assert.ok(parsed.ok, `${path}: ${parsed.ok ? '' : parsed.detail}`);
  return parsed.value;
}

function schemas(...documents: readonly unknown[]): Schemas {
  const made = readSchemas(documents);
  assert.ok('judge' in made, isProblem(made) ? `${made.where}: ${made.detail}` : '');
  return made;
}

for (const version of ['1.4', '1.5', '1.6', '1.7']) {
  test(`every document of CycloneDX ${version} is judged as its name says`, { skip }, (t) => {
    const beside = ['spdx', 'jsf-0.82', 'cryptography-defs'].map((name) =>
      read(join(data, `schema/${name}.schema.json`)),
    );
    const made = schemas(read(join(data, `schema/bom-${version}.schema.json`)), ...beside);
    const wrong: string[] = [];
    const names = readdirSync(join(data, version));
    for (const name of names) {
      const found = made.judge(read(join(data, version, name)));
      if ((found === undefined) !== name.startsWith('valid')) wrong.push(`${name}: ${found?.where} ${found?.detail}`);
    }
    assert.deepEqual(wrong, []);
    assert.ok(names.length > 20);
    t.diagnostic(`${names.length} documents`);
  });
}

/** Not written as an object: one with a `then` can be taken for a promise. */
const conditional = JSON.parse(
  '{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}',
) as object;

test('each keyword, what fits and what does not', () => {
  const cases: [object, unknown, unknown][] = [
    [{ type: ['string', 'null'] }, null, 1],
    [{ type: 'integer' }, 1, 1.5],
    [{ enum: ['a', { b: 1, c: 2 }] }, { c: 2, b: 1 }, 'c'],
    [{ const: 3 }, 3, '3'],
    [{ required: ['a'] }, { a: 1 }, {}],
    [{ required: ['constructor'] }, { constructor: 1 }, {}],
    [{ properties: { a: { type: 'string' } }, additionalProperties: false }, { a: '' }, { b: '' }],
    [{ patternProperties: { '^x': { type: 'string' } }, additionalProperties: false }, { xy: '' }, { xy: 1 }],
    [{ additionalProperties: { type: 'number' } }, { a: 1 }, { a: '1' }],
    [{ items: { type: 'number' } }, [1], [1, '2']],
    [{ items: [{ type: 'number' }], additionalItems: false }, [1], [1, 2]],
    [{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, 2, 3],
    [{ anyOf: [{ type: 'string' }, { minimum: 5 }] }, 6, 4],
    [{ oneOf: [{ minimum: 1 }, { minimum: 5 }] }, 2, 6],
    [{ not: { type: 'string' } }, 1, ''],
    [conditional, { a: 1, b: 1 }, { a: 1 }],
    [conditional, { c: 1 }, {}],
    [{ pattern: '^[a-z]+$' }, 'ab', 'a1'],
    [{ minLength: 2, maxLength: 2 }, '🙂🙂', '🙂'],
    [{ minItems: 1, maxItems: 1 }, [1], []],
    [
      { uniqueItems: true },
      [{ a: 1, b: 2 }, 1],
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
    ],
    [{ format: 'date-time' }, '2026-11-22T06:00:00Z', '2026-13-22T06:00:00Z'],
    [{ format: 'date' }, '2026-11-22', '22.11.2026'],
    [{ format: 'uri' }, 'urn:a:b', 'a b'],
    [{ format: 'iri-reference' }, '../ä?b#c', 'a%zz'],
    [{ format: 'idn-email' }, 'ä@b.example', 'nobody'],
    [{ $ref: '#/definitions/a', definitions: { a: { type: 'string' } }, minLength: 9 }, 'b', 1],
    [
      {
        definitions: { a: { properties: { next: { $ref: '#/definitions/a' } }, type: 'object' } },
        $ref: '#/definitions/a',
      },
      { next: {} },
      { next: 1 },
    ],
  ];
  for (const [schema, good, bad] of cases) {
    const made = schemas(schema);
    assert.equal(made.judge(good), undefined, JSON.stringify(schema));
    assert.ok(made.judge(bad) !== undefined, JSON.stringify(schema));
  }
  assert.equal(
    schemas({ properties: { 'a/b': { items: { type: 'string' } } } }).judge({ 'a/b': ['', 1] })?.where,
    '/a~1b/1',
  );
});

test('a schema that is not understood judges nothing', () => {
  for (const documents of [
    [],
    [1],
    [{ unevaluatedProperties: false }],
    [{ properties: { a: { dependentRequired: {} } } }],
    [{ format: 'hostname' }],
    [{ type: 'text' }],
    [{ pattern: '(' }],
    [{ $ref: 'other.json' }],
    [{ $id: 'https://schemas.example.test/a', $ref: 'b.json#/definitions/c' }],
    [{ $ref: '#/definitions/none' }],
    [{ items: 1 }],
    [{ $id: 'https://schemas.example.test/a' }, { $id: 'https://schemas.example.test/a' }],
  ]) {
    const made = readSchemas(documents);
    assert.ok(isProblem(made as never), JSON.stringify(documents));
  }
  const circle = schemas({
    $ref: '#/definitions/a',
    definitions: { a: { $ref: '#/definitions/b' }, b: { $ref: '#/definitions/a' } },
  });
  assert.match(circle.judge(1)?.detail ?? '', /circle/);
});
