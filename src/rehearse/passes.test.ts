import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attempt } from '#enclave';
import { describeLeaning, hadAnAnswer, leanings } from './passes.ts';
import type { Step } from './report.ts';

function step(id: string, outcome: Step['outcome'], detail = ''): Step {
  return { id, title: `The step ${id}`, outcome, side: 'enclave', start: 0, milliseconds: 1, detail };
}

function attempt(over: Partial<Attempt>): Attempt {
  return { time: '2026-11-22T06:00:00.000Z', from: 'web', kind: 'call', protocol: 'tcp', ...over };
}

test('only what ended otherwise is a difference, and it names what was wanted from outside', () => {
  const first = [
    step('npm-1', 'ok'),
    step('service-web', 'ok'),
    step('service-api', 'failed'),
    step('request-1', 'ok'),
  ];
  const second = [
    step('npm-1', 'ok'),
    step('service-web', 'failed', 'exit 1'),
    step('service-api', 'ok'),
    step('request-1', 'not-tested'),
    step('another', 'failed'),
  ];
  const attempts = [
    attempt({ kind: 'name', name: 'time.example.test' }),
    attempt({ name: 'time.example.test', address: '198.18.0.1', port: 123 }),
    attempt({ address: '203.0.113.7', port: 443, serverName: 'a\u001b[31m.example.test' }),
    attempt({ from: 'api', address: '203.0.113.9' }),
    attempt({ kind: 'edge', to: 'api', address: '10.231.0.3' }),
  ];
  const found = leanings(first, second, attempts, (id) => id.replace('service-', ''));
  assert.deepEqual(found.map(describeLeaning), [
    String.raw`The step service-web: leans on an answer from outside (it wanted time.example.test, a\u{1b}[31m.example.test); without any it failed: exit 1`,
    'The step service-api: failed where outside answers (it wanted 203.0.113.9), ok without any route',
  ]);
});

test('a machine had an answer from outside if it asked for a name or called; a refused edge is none', () => {
  const attempts = [attempt({ kind: 'edge', to: 'api' }), attempt({ from: 'api', kind: 'name', name: 'x.test' })];
  assert.deepEqual(
    [hadAnAnswer('web', attempts), hadAnAnswer('api', attempts), hadAnAnswer('db', [])],
    [false, true, false],
  );
});
