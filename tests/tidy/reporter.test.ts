import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '#system/testing';
import type { Outcome } from '../reporter.ts';

const FIXTURE = `
import { describe, test } from 'node:test';
test('passes', () => {});
test('parent', async (t) => { await t.test('child', () => { throw new Error('expected'); }); });
describe('suite', () => { test('inside', () => {}); });
test('skips', { skip: 'no such thing here' }, () => {});
test('late', () => new Promise((resolve) => { setTimeout(() => { throw new Error('late'); }, 1); setTimeout(resolve, 50); }));
`;

for (const isolation of ['none', 'process']) {
  test(`outcomes are counted once each, with reasons (isolation ${isolation})`, async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, 'fixture.test.mjs');
    const results = join(folder, 'results');
    writeFileSync(file, FIXTURE);
    const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
    const reporter = fileURLToPath(new URL('../reporter.ts', import.meta.url));
    const words = ['--test', `--test-isolation=${isolation}`, `--test-reporter=${reporter}`];
    const ended = spawnSync(process.execPath, [...words, '--test-reporter-destination=stdout', file], {
      env: { ...env, SALLYPORT_TEST_RESULTS: results },
      encoding: 'utf8',
    });
    assert.equal(ended.status, 1, ended.stderr);
    const outcomes = readFileSync(results, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Outcome);
    assert.deepEqual(
      outcomes.map(({ name, outcome }) => `${name}: ${outcome}`),
      ['passes: passed', 'parent > child: failed', 'suite > inside: passed', 'skips: skipped', 'late: failed'],
    );
    assert.equal(outcomes.find(({ outcome }) => outcome === 'skipped')?.reason, 'no such thing here');
    assert.match(ended.stdout, /FAILED .*parent > child[\s\S]*expected/);
  });
}
