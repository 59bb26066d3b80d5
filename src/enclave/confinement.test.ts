import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shellQuote } from '#kernel';
import { emptyScript, initScript, readMounts, readOnlyScript } from './confinement.ts';
import { machineBatch, machinesOf, protocolName, ruleset, tuplesOf } from './network.ts';

test('mounts with spaces in their names are read', () => {
  const line = '36 35 98:0 /mnt1 /mnt\\0402 rw,nosuid,noatime master:1 - ext3 /dev/root rw,errors=continue';
  assert.deepEqual(readMounts(`${line}\n`), [{ point: '/mnt 2', options: ['rw', 'nosuid', 'noatime'] }]);
});

test('everything becomes read-only but what is named, with the flags that are locked', () => {
  const mounts = ['/', '/home', '/proc', '/dev/pts', '/work/a', '/work/a/b', '/tmp'].map((point) => ({
    point,
    options: ['rw', 'nosuid', 'relatime'],
  }));
  const script = readOnlyScript([...mounts, { point: '/ro', options: ['ro'] }], ['/work/a'], ['/tmp']);
  assert.deepEqual(
    script
      .trim()
      .split('\n')
      .map((line) => line.split(' 2>')[0]),
    ["mount -o remount,bind,ro,nosuid,relatime '/'", "mount -o remount,bind,ro,nosuid,relatime '/home'"],
  );
});

test('names from outside stay words of the shell', () => {
  const name = `/tmp/it's; rm -rf "$HOME"`;
  assert.equal(shellQuote(name), `'/tmp/it'\\''s; rm -rf "$HOME"'`);
  assert.ok(emptyScript([], [name], ['/run', '/tmp']).includes(`mkdir -p ${shellQuote(name)};`));
  assert.ok(initScript('/usr/bin/unshare', [name]).includes(` ${shellQuote(name)}\n`));
});

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
