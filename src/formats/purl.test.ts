import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { isProblem } from './problem.ts';
import { buildPurl, parsePurl, type Purl, purlOf } from './purl.ts';

const folder = join(import.meta.dirname, '../../../shared/data/purl');
const absent = existsSync(folder) ? false : 'the purl test suite is not beside the repository';

interface Case {
  readonly test_type: 'parse' | 'validate' | 'build';
  readonly description: string;
  readonly expected_failure: boolean;
  readonly expected_output?: unknown;
  readonly input: unknown;
}

/** In the suite's own form: what is not there is null. */
function shown(purl: Purl): Record<string, unknown> {
  const some = (text: string): string | null => (text === '' ? null : text);
  const { type, namespace, name, version, qualifiers, subpath } = purl;
  const parts = { type, namespace: some(namespace), name: some(name), version: some(version), subpath: some(subpath) };
  return { ...parts, qualifiers: Object.keys(qualifiers).length === 0 ? null : qualifiers };
}

function answerOf({ test_type, input }: Case): unknown {
  if (typeof input === 'string') {
    const purl = parsePurl(input);
    if (isProblem(purl)) return undefined;
    return test_type === 'parse' ? shown(purl) : buildPurl(purl);
  }
  const given = Object.entries(input as Record<string, unknown>).filter(([, value]) => value !== null);
  const built = buildPurl({ type: '', name: '', ...Object.fromEntries(given) });
  return typeof built === 'string' ? built : undefined;
}

test('every case of the public suite: read, built, and brought into canonical form', { skip: absent }, () => {
  const wrong: string[] = [];
  let cases = 0;
  const files = readdirSync(join(folder, 'types')).map((file) => `types/${file}`);
  for (const file of [...files, 'spec/specification-test.json']) {
    const { tests } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { tests: Case[] };
    for (const one of tests) {
      cases += 1;
      const answer = answerOf(one);
      const due = one.expected_failure ? undefined : one.expected_output;
      if (!isDeepStrictEqual(answer, due)) wrong.push(`${file} ${one.description}: ${JSON.stringify(answer)}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(cases > 280, `${cases} cases`);
});

test('the canonical form is read as itself, and nothing that is read throws', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'pkg:npm/@?#%2Fa=&1.ä\u0000'.split('')), maxLength: 40 }),
      (tail) => {
        const purl = parsePurl(`pkg:npm/${tail}`);
        if (isProblem(purl)) return;
        const text = buildPurl(purl);
        assert.ok(typeof text === 'string', `${tail}: ${JSON.stringify(text)}`);
        assert.deepEqual(parsePurl(text), purl);
      },
    ),
    { numRuns: 3000 },
  );
});

test('purls of identities', () => {
  const base = { authority: 'registry.example.test', file: '' };
  const cases: [string, string, string, string][] = [
    ['npm', '@scope/name', '1.0.0', 'pkg:npm/%40scope/name@1.0.0'],
    ['npm', 'express', '5.3.0', 'pkg:npm/express@5.3.0'],
    ['pypi', 'Typing_Extensions', '4.0', 'pkg:pypi/typing-extensions@4.0'],
    ['maven', 'org.example:artifact', '1', 'pkg:maven/org.example/artifact@1'],
    ['files', 'licence.txt', '', 'pkg:generic/licence.txt'],
    [
      'oci',
      'library/nginx',
      `sha256:${'ab'.repeat(32)}`,
      `pkg:oci/nginx@sha256:${'ab'.repeat(32)}?repository_url=registry.example.test%2Flibrary%2Fnginx`,
    ],
    ['oci', 'team/app', 'v1', 'pkg:oci/app?repository_url=registry.example.test%2Fteam%2Fapp&tag=v1'],
  ];
  for (const [ecosystem, name, version, purl] of cases) {
    assert.equal(purlOf({ ...base, ecosystem, name, version }), purl);
  }
});

test('two npm packages share one purl, which is why it is never a key', () => {
  const of = (name: string): string => purlOf({ ecosystem: 'npm', authority: '', name, version: '1.3.5', file: '' });
  assert.equal(of('JSONStream'), of('jsonstream'));
});
