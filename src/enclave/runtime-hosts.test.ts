import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attempt } from './attempt.ts';
import { type MachineOutcome, runtimeHosts } from './runtime-hosts.ts';

const time = '2026-01-01T00:00:00.000Z';
const call = (from: string, name: string, more: Partial<Attempt> = {}): Attempt => ({
  time,
  from,
  kind: 'call',
  name,
  address: '198.18.0.1',
  port: 443,
  protocol: 'tcp',
  serverName: name,
  ...more,
});
const asked = (from: string, name: string): Attempt => ({ time, from, kind: 'name', name, protocol: 'dns' });
const outcome = (machine: string, ok: boolean | undefined, ...commands: string[]): MachineOutcome => ({
  machine,
  ok,
  commands,
});

test('a host is needed where a step failed without it, optional where all went well, else unknown', () => {
  const attempts = [
    asked('web', 'api.example.test'),
    call('web', 'api.example.test'),
    call('web', 'api.example.test'),
    call('npm', 'news.example.test', { package: 'thing@1.0.0' }),
    call('other', 'odd.example.test'),
  ];
  const hosts = runtimeHosts(attempts, [outcome('web', false), outcome('npm', true), outcome('other', undefined)], {});
  assert.deepEqual(
    hosts.map(({ host, port, verdict, by, count }) => [host, port, verdict, by, count]),
    [
      ['api.example.test', 443, 'needed', ['web'], 2],
      ['news.example.test', 443, 'optional', ['npm: thing@1.0.0'], 1],
      ['odd.example.test', 443, 'unknown', ['other'], 1],
    ],
  );
});

test('a machine of which nothing is known is unknown, not well', () => {
  assert.equal(runtimeHosts([call('ghost', 'x.example.test')], [], {})[0]?.verdict, 'unknown');
});

test('a name that was only asked for is a host, with what was counted', () => {
  const tunnel = { ...asked('web', '*.evil.test'), count: 300 };
  const [host] = runtimeHosts([tunnel], [outcome('web', true)], {});
  assert.deepEqual([host?.host, host?.port, host?.count, host?.verdict], ['*.evil.test', undefined, 300, 'optional']);
});

test('a known caller comes with its setting: by host, by package, by program', () => {
  const attempts = [
    call('web', 'telemetry.nextjs.org'),
    call('app', 'x1.example.test', { package: '@sentry/node@9.1.0' }),
    call('build', 'x2.example.test', { process: { pid: 7, command: '/usr/bin/pip3 install thing' } }),
  ];
  const hosts = runtimeHosts(attempts, [outcome('web', true), outcome('app', true), outcome('build', true)], {});
  assert.deepEqual(
    hosts.map(({ what, setting }) => [what, setting?.split(' ')[0]]),
    [
      ['Next.js: telemetry', 'NEXT_TELEMETRY_DISABLED=1'],
      ['Sentry: error reports', 'SENTRY_DSN='],
      ['pip: version check', 'PIP_DISABLE_PIP_VERSION_CHECK=1'],
    ],
  );
});

test('silenced needs the setting, the client, and silence', () => {
  const ran = [outcome('pip', true, 'pip install -r requirements.txt')];
  const given = { PIP_DISABLE_PIP_VERSION_CHECK: 'true' };
  assert.deepEqual(
    runtimeHosts([], ran, given).map(({ host, verdict, by, setting }) => [host, verdict, by, setting]),
    [['pip: version check', 'silenced', ['pip'], 'PIP_DISABLE_PIP_VERSION_CHECK=1']],
  );
  // Without the setting, with it switched the other way, or where the client never ran, nothing is claimed.
  assert.deepEqual(runtimeHosts([], ran, {}), []);
  assert.deepEqual(runtimeHosts([], ran, { PIP_DISABLE_PIP_VERSION_CHECK: '0' }), []);
  assert.deepEqual(runtimeHosts([], [outcome('web', true, 'node server.js')], given), []);
  // It called all the same: then it is not silenced.
  const calling = call('pip', 'index.example.test', { process: { pid: 3, command: 'pip install x' } });
  assert.deepEqual(
    runtimeHosts([calling], ran, given).map(({ verdict }) => verdict),
    ['optional'],
  );
});

test('what is no call of a program to a host is not in the list', () => {
  const attempts: Attempt[] = [
    { time, from: 'web', kind: 'edge', to: 'db', address: '10.231.0.3', port: 1, protocol: 'tcp' },
    { time, from: 'web', kind: 'socket', protocol: 'vsock' },
    { time, from: 'web', kind: 'read', protocol: 'file', path: '/key' },
  ];
  assert.deepEqual(runtimeHosts(attempts, [outcome('web', true)], {}), []);
});
