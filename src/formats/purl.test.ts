import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatPurl, purlOf } from './purl.ts';

const folder = join(import.meta.dirname, '../../../shared/data/purl');
const absent = existsSync(folder) ? false : 'the purl test suite is not beside the repository';
const FILES = ['npm', 'pypi', 'oci', 'generic', 'golang', 'maven', 'cargo', 'deb', 'rpm'].map(
  (type) => `types/${type}-test.json`,
);

interface Case {
  readonly test_type: string;
  readonly description: string;
  readonly expected_failure: boolean;
  readonly expected_output: string;
  readonly input: Record<string, string | null> & { qualifiers: Record<string, string> | null };
}

test('the build cases of the types that we name', { skip: absent }, () => {
  const wrong: string[] = [];
  let cases = 0;
  for (const file of FILES) {
    const { tests } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { tests: Case[] };
    for (const { test_type, expected_failure, expected_output, input, description } of tests) {
      if (test_type !== 'build' || expected_failure || typeof input !== 'object') continue;
      cases += 1;
      const purl = formatPurl({
        type: input['type'] ?? '',
        namespace: input['namespace'] ?? '',
        name: input['name'] ?? '',
        version: input['version'] ?? '',
        qualifiers: input.qualifiers ?? {},
        subpath: input['subpath'] ?? '',
      });
      if (purl !== expected_output) wrong.push(`${description}: ${purl}, not ${expected_output}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(cases > 10, `${cases} cases`);
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
