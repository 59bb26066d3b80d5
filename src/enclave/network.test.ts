import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Machine, machineBatch, machinesOf, protocolName, ruleset, tuplesOf, usesOf } from './network.ts';

test('rules name each declared flow once a family, and a flow of nobody is a bug', () => {
  const machines = machinesOf(['web', 'api']);
  const rules = ruleset(machines, [{ from: 'web', to: 'api', port: 8000, protocol: 'tcp' }], 'sink');
  assert.match(rules, /set allowed4 .*elements = \{ 10\.231\.0\.2 \. 10\.231\.0\.3 \. tcp \. 8000 \}/);
  assert.match(rules, /hook forward priority filter; policy drop;/);
  assert.match(rules, /hook input priority filter; policy drop;/);
  assert.throws(() => ruleset(machines, [{ from: 'web', to: 'nobody', port: 1, protocol: 'tcp' }], 'sink'));
  const without = ruleset(machines, [], 'none');
  assert.doesNotMatch(without, /dnat/);
  for (const machine of machines) assert.doesNotMatch(machineBatch(machine, 'none'), /default/);
});

test('elements of a set are read with and without counters', () => {
  const tuple = ['10.231.0.2', '10.231.0.3', 'tcp', 8000];
  const elem = [{ concat: tuple }, { elem: { val: { concat: tuple }, counter: { packets: 1, bytes: 60 } } }];
  assert.deepEqual(tuplesOf(JSON.stringify({ nftables: [{ metainfo: {} }, { set: { elem } }] })), [tuple, tuple]);
  assert.deepEqual(tuplesOf('{"nftables":[{"set":{}}]}'), []);
});

test('uses are the connections that the kernel counted, of both families, in the names of machines', () => {
  const machines = machinesOf(['web', 'api']);
  const [web, api] = machines as [Machine, Machine];
  const element = (tuple: readonly unknown[], packets: number): object => ({
    elem: { val: { concat: tuple }, counter: { packets, bytes: 60 } },
  });
  const list = (...elem: object[]): string => JSON.stringify({ nftables: [{ set: { elem } }] });
  const four = list(element([web.ipv4, api.ipv4, 6, 80], 2), element([api.ipv4, web.ipv4, 'udp', 53], 1));
  const six = list(element([web.ipv6, api.ipv6, 'tcp', 80], 3), element(['10.0.0.1', web.ipv4, 'tcp', 80], 9));
  assert.deepEqual(usesOf([four, six], machines), [
    { from: 'web', to: 'api', port: 80, protocol: 'tcp', count: 5 },
    { from: 'api', to: 'web', port: 53, protocol: 'udp', count: 1 },
  ]);
});

test('a protocol has its name also where the machine has no list of them', () => {
  assert.deepEqual([6, '6', 17, 132, 'tcp', 'udp', 99].map(protocolName), [
    'tcp',
    'tcp',
    'udp',
    'sctp',
    'tcp',
    'udp',
    '99',
  ]);
});
