import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attempt } from './attempt.ts';
import { Tally } from './tally.ts';

const NOW = '2026-01-01T00:00:00.000Z';
const call = (from: string, port: number): Attempt => {
  return { time: NOW, from, kind: 'call', address: '203.0.113.1', port, protocol: 'tcp' };
};

test('of a flood the first are told, the rest is counted by machine, and another machine is still heard', () => {
  const tally = new Tally();
  let told = 0;
  for (let port = 0; port < 100_000; port++) if (tally.isNew(call('loud', port))) told += 1;
  assert.equal(told, 20_000);
  assert.equal(tally.isNew(call('quiet', 1)), true);
  const [summary, ...others] = tally.summaries(NOW);
  assert.deepEqual(others, []);
  assert.deepEqual([summary?.from, summary?.count, summary?.speaks], ['loud', 80_000, 'flood']);
  assert.deepEqual(tally.summaries(NOW), []);
});

test('beyond the limit the same thing is counted once, too', () => {
  const tally = new Tally();
  for (const _ of [1, 2]) for (let port = 0; port < 30_000; port++) tally.isNew(call('loud', port), `key ${port}`);
  assert.equal(tally.summaries(NOW)[0]?.count, 10_000);
});

test('what has a key is told once', () => {
  const tally = new Tally();
  assert.deepEqual(
    [tally.isNew(call('a', 1), 'k'), tally.isNew(call('a', 1), 'k'), tally.has('k')],
    [true, false, true],
  );
});
