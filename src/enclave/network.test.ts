import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineBatch, machinesOf, protocolName, ruleset, tuplesOf } from './network.ts';

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
