import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOutcomes } from './machine-outcomes.ts';
import { sampleStep } from './testing/index.ts';

test('a service is well only if its start and all its requests are; what was not tried is not known', () => {
  const steps = [
    sampleStep({ id: 'npm-1', outcome: 'ok', command: 'npm ci' }),
    sampleStep({ id: 'pip-1', outcome: 'not-tested' }),
    sampleStep({ id: 'service-web', outcome: 'ok', command: 'node server.ts' }),
    sampleStep({ id: 'service-api', outcome: 'ok' }),
    sampleStep({ id: 'service-data', outcome: 'ok' }),
    sampleStep({ id: 'request-1', outcome: 'ok' }),
    sampleStep({ id: 'request-2', outcome: 'failed' }),
    sampleStep({ id: 'request-3', outcome: 'not-tested' }),
  ];
  const outcomes = machineOutcomes(steps, {
    installations: [
      { id: 'npm-1', machine: 'install-npm-1' },
      { id: 'pip-1', machine: 'install-pip-1' },
    ],
    services: [{ name: 'web', run: ['node', 'server.ts'] }, { name: 'api' }, { name: 'data' }, { name: 'never' }],
    requests: [{ to: 'web' }, { to: 'api' }, { to: 'data' }],
  });
  assert.deepEqual(
    outcomes.map(({ machine, ok, commands }) => [machine, ok, commands]),
    [
      ['install-npm-1', true, ['npm ci']],
      ['install-pip-1', undefined, []],
      ['web', true, ['node server.ts', 'node server.ts']],
      ['api', false, []],
      ['data', undefined, []],
      ['never', undefined, []],
    ],
  );
});
