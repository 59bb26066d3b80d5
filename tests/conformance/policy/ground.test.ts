import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '#kernel';
import { openGround } from '#proving';
import { debianTools, runProcess } from '#system';
import { unable } from './live.ts';

const PLACES = [
  { ipv4: '10.64.0.1', ipv6: 'fd5a::1' },
  {},
  { ipv4: '10.64.0.2', ipv6: 'fd5a::2' },
  { ipv4: '10.64.0.3', ipv6: 'fd5a::3' },
];
const LISTENER = { place: 3, protocol: 'TCP', address: '0a400003', port: 80 } as const;
const PROBE = { place: 2, source: '0a400002', to: 0 };

async function ground(places = PLACES, signal = new AbortController().signal) {
  const opened = await openGround({ env: process.env, signal, places });
  if ('forbidden' in opened) assert.fail(opened.forbidden);
  return opened;
}

/** What the host has of links, rules and namespaces. */
async function hostNetwork(): Promise<string> {
  const { ip, nft } = await debianTools(['ip', 'nft'], { env: process.env });
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  const said = [
    await runProcess(ip.path, ['-o', 'link'], { env }),
    await runProcess(ip.path, ['netns', 'list'], { env }),
    await runProcess(nft.path, ['list', 'ruleset'], { env }),
  ];
  return said.map(({ stdout }) => stdout).join('---\n');
}

const failed = (pattern: RegExp) => (error: unknown) => {
  assert.ok(isFault(error) && error.code === 'proving.failed', String(error));
  assert.match(error.message, pattern);
  return true;
};

test('nothing of it is in the network of the host, while it is there and afterwards', { skip: unable }, async () => {
  const before = await hostNetwork();
  const one = await ground();
  await one.listen([LISTENER]);
  assert.deepEqual((await one.round([PROBE], 100)).seen, ['o']);
  assert.equal(await hostNetwork(), before);
  await one.close();
  assert.equal(await hostNetwork(), before);
});

test(
  'rules that nft refuses, an address that is there twice, a listener that cannot be: a fault with the words of who refuses',
  { skip: unable },
  async () => {
    const one = await ground();
    try {
      await assert.rejects(one.rules('table inet x {\n  chain c { type nonsense }\n}\n'), failed(/nft/));
      // What was refused changed nothing, and the ground goes on.
      await one.listen([LISTENER]);
      assert.deepEqual((await one.round([PROBE], 100)).seen, ['o']);
      await assert.rejects(one.listen([LISTENER]), failed(/error 98/));
    } finally {
      await one.close();
    }
    await assert.rejects(ground([...PLACES, PLACES[2]!]), failed(/File exists/));
  },
);

test(
  'a refused connection, one to a place without a listener, and one that is stopped are told apart',
  { skip: unable },
  async () => {
    const one = await ground();
    try {
      await one.listen([LISTENER, { ...LISTENER, protocol: 'UDP' }]);
      const probes = [PROBE, { ...PROBE, to: 1 }];
      const rules = (verdict: string): string =>
        `table inet t {}\ndelete table inet t\ntable inet t {\n  chain c {\n    type filter hook forward priority filter; policy accept;\n    ip daddr 10.64.0.3 ${verdict}\n  }\n}\n`;
      await one.rules(rules('reject with tcp reset').replace('ip daddr', 'meta l4proto tcp ip daddr'));
      assert.deepEqual((await one.round(probes, 100)).seen, ['r', 'o']);
      await one.rules(rules('reject with icmpx type port-unreachable'));
      assert.deepEqual((await one.round(probes, 100)).seen, ['r', 'r']);
      await one.rules(rules('drop'));
      assert.deepEqual((await one.round(probes, 100)).seen, ['n', 'n']);
      // It arrives, and no answer comes back.
      await one.rules(rules('accept').replace('ip daddr 10.64.0.3 accept', 'ip saddr 10.64.0.3 drop'));
      assert.deepEqual((await one.round(probes, 100)).seen, ['n', 'h']);
    } finally {
      await one.close();
    }
  },
);

test('a ground whose run is broken off ends', { skip: unable }, async () => {
  const stop = new AbortController();
  const one = await ground(PLACES, stop.signal);
  await one.listen([LISTENER]);
  const asked = one.round(
    Array.from({ length: 20_000 }, () => PROBE),
    100,
  );
  setTimeout(() => stop.abort(), 50);
  await assert.rejects(asked);
  await one.close();
});
