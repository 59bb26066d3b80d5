import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { analyse } from '../analysis.ts';
import { parseAddress } from '../addresses.ts';
import type { Cluster } from '../model.ts';
import { namespace, networkPolicy, object, pod } from '../testing/map.ts';
import { RulesetJudge } from '../testing/ruleset-judge.ts';
import { EnforcedCluster } from './enforced-cluster.ts';
import { placementOf } from './placement.ts';
import { rulesetOf } from './ruleset.ts';

const BASE =
  namespace('shop', 'team: a') +
  pod('a', { space: 'shop', labels: 'app: a', ip: '10.1.0.1 fd00::a' }) +
  pod('b', { space: 'shop', labels: 'app: b', ip: '10.1.0.2 fd00::b', ports: '{ name: http, containerPort: 8080 }' }) +
  pod('c', { space: 'shop', labels: 'app: c' });

function clusterOf(text: string): Cluster {
  const { cluster, connectivity, findings } = analyse(
    [{ name: 'm.yaml', bytes: new TextEncoder().encode(text) }],
    'specification',
    'enclave',
  );
  assert.ok(connectivity, findings.map(({ where, detail }) => `${where}: ${detail}`).join('\n'));
  return cluster;
}

const ADDRESSES: Readonly<Record<string, readonly [string, string]>> = {
  a: ['10.1.0.1', 'fd00::a'],
  b: ['10.1.0.2', 'fd00::b'],
  out: ['192.0.2.7', '2001:db8::7'],
};

/** Whether `a` may go to port 8080 of `b`, and the like, in both families: `46`, `4`, `6` or nothing. */
function through(
  policies: string,
  from: string,
  to: string,
  dport = 8080,
  protocol: 'tcp' | 'udp' | 'sctp' = 'tcp',
): string {
  const { text, left } = rulesetOf(placementOf(clusterOf(BASE + policies)), { established: 'kept' });
  assert.deepEqual(left, []);
  const judge = new RulesetJudge(text);
  return ([4, 6] as const)
    .filter((family) => {
      const [saddr, daddr] = [from, to].map((end) => parseAddress(ADDRESSES[end]![family === 4 ? 0 : 1])!.value);
      return judge.letsThrough({ family, saddr: saddr!, daddr: daddr!, protocol, dport });
    })
    .join('');
}

const ingress = (rules: string): string =>
  networkPolicy(`{ podSelector: { matchLabels: { app: b } }, policyTypes: [Ingress], ingress: ${rules} }`, 'p', 'shop');

test('without a policy everything is let through, in both families', () => {
  assert.equal(through('', 'a', 'b'), '46');
  assert.equal(through('', 'out', 'b'), '46');
});

test('a policy closes its pod but for what it allows, and no other', () => {
  const policy = ingress('[{ from: [{ podSelector: { matchLabels: { app: a } } }], ports: [{ port: 8080 }] }]');
  assert.equal(through(policy, 'a', 'b'), '46');
  assert.equal(through(policy, 'a', 'b', 8081), '');
  assert.equal(through(policy, 'a', 'b', 8080, 'udp'), '');
  assert.equal(through(policy, 'out', 'b'), '');
  assert.equal(through(policy, 'b', 'a'), '46');
});

test('a named port is that of the destination, and its protocol counts', () => {
  const policy = ingress('[{ ports: [{ port: http }] }]');
  assert.equal(through(policy, 'out', 'b'), '46');
  assert.equal(through(policy, 'out', 'b', 8080, 'udp'), '');
  assert.equal(through(policy, 'out', 'b', 80), '');
  assert.equal(through(ingress('[{ ports: [{ port: http, protocol: UDP }] }]'), 'out', 'b'), '');
});

test('ranges of ports have both ends, and ranges that touch or overlap are one', () => {
  const policy = ingress(
    '[{ ports: [{ port: 80, endPort: 90 }, { port: 85, endPort: 100 }, { port: 101 }, { protocol: SCTP }] }]',
  );
  for (const [port, is] of [
    [79, ''],
    [80, '46'],
    [101, '46'],
    [102, ''],
  ] as const) {
    assert.equal(through(policy, 'a', 'b', port), is, String(port));
  }
  assert.equal(through(policy, 'a', 'b', 9, 'sctp'), '46');
});

test('a block is of one family, has holes, and covers pods by their addresses', () => {
  assert.equal(through(ingress('[{ from: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }]'), 'out', 'b'), '4');
  assert.equal(
    through(ingress('[{ from: [{ ipBlock: { cidr: "::/0", except: ["2001:db8::/32"] } }] }]'), 'out', 'b'),
    '',
  );
  assert.equal(
    through(ingress('[{ from: [{ ipBlock: { cidr: "::/0", except: ["2001:db9::/32"] } }] }]'), 'out', 'b'),
    '6',
  );
  assert.equal(
    through(ingress('[{ from: [{ ipBlock: { cidr: 10.1.0.0/24, except: [10.1.0.1/32] } }] }]'), 'a', 'b'),
    '',
  );
  assert.equal(through(ingress('[{ from: [{ ipBlock: { cidr: 10.1.0.0/24 } }] }]'), 'a', 'b'), '4');
});

const admin = (name: string, tier: string, priority: number, rules: string): string =>
  object(
    'policy.networking.k8s.io/v1alpha2',
    'ClusterNetworkPolicy',
    name,
    `{ tier: ${tier}, priority: ${priority}, subject: { namespaces: {} }, ingress: [${rules}] }`,
  );
const rule = (action: string, more = ''): string => `{ action: ${action}, from: [{ namespaces: {} }]${more} }`;

test('tiers stand in their order, the lesser priority first, and Pass leaves its tier alone', () => {
  const deny = ingress('[]');
  assert.equal(through(admin('x', 'Admin', 1, rule('Accept')) + deny, 'a', 'b'), '46');
  assert.equal(through(admin('x', 'Admin', 2, rule('Accept')) + admin('z', 'Admin', 1, rule('Deny')), 'a', 'b'), '');
  assert.equal(through(admin('x', 'Admin', 2, rule('Deny')) + admin('z', 'Admin', 1, rule('Pass')), 'a', 'b'), '46');
  assert.equal(through(admin('x', 'Admin', 1, rule('Pass')) + deny, 'a', 'b'), '');
  assert.equal(through(admin('x', 'Baseline', 1, rule('Deny')), 'a', 'b'), '');
  // NP-22: no rule matches, so nothing is decided; an address is no pod.
  assert.equal(through(admin('x', 'Baseline', 1, rule('Deny')), 'out', 'b'), '46');
  const allow = ingress('[{}]');
  assert.equal(through(admin('x', 'Baseline', 1, rule('Deny')) + allow, 'a', 'b'), '46');
  const port = ', protocols: [{ destinationNamedPort: http }]';
  assert.equal(through(admin('x', 'Admin', 1, rule('Deny', port)), 'a', 'b'), '');
  assert.equal(through(admin('x', 'Admin', 1, rule('Deny', port)), 'a', 'b', 80), '46');
});

test('pods of which no manifest says an address are outside every block that is not a whole family', () => {
  const far = ingress('[{ from: [{ ipBlock: { cidr: 10.64.0.0/10 } }, { ipBlock: { cidr: 0.0.0.0/0 } }] }]');
  const { pods, node } = placementOf(clusterOf(BASE + far));
  const block = [parseAddress('10.64.0.0')!.value, parseAddress('10.127.255.255')!.value] as const;
  for (const value of [pods[2]!.addresses[4]!, node[4]]) assert.ok(value < block[0] || value > block[1], String(value));
  assert.deepEqual([pods[0]!.stated, pods[2]!.stated], [true, false]);
});

test('of two pods with one address the second is given another', () => {
  const twice = BASE + pod('d', { space: 'shop', ip: '10.1.0.1' });
  const { pods } = placementOf(clusterOf(twice));
  const all = pods.map(({ addresses }) => addresses[4]);
  assert.equal(new Set(all).size, all.length);
});

test('what cannot be enforced is left out with its reason, and makes what it covers untested', () => {
  const nodes = object(
    'policy.networking.k8s.io/v1alpha1',
    'AdminNetworkPolicy',
    'adm',
    '{ priority: 1, subject: { namespaces: {} }, egress: [{ action: Deny, to: [{ nodes: {} }] }] }',
  );
  const cilium = object(
    'cilium.io/v2',
    'CiliumNetworkPolicy',
    'c',
    '{ endpointSelector: { matchLabels: { app: b } }, ingress: [{}] }',
    'shop',
  );
  for (const [policy, from, to, untested] of [
    [nodes, 0, 1, /AdminNetworkPolicy adm: a rule names nodes/],
    [cilium, 0, 1, /CiliumNetworkPolicy shop\/c: policies of Cilium/],
    [cilium, 1, 0, undefined],
  ] as const) {
    const cluster = new EnforcedCluster(clusterOf(BASE + policy));
    assert.equal(cluster.left.length, 1);
    const ends = { from: { is: 'pod', pod: from }, to: { is: 'pod', pod: to } } as const;
    const said = cluster.untestable({ ...ends, family: 4, protocol: 'TCP', port: 80 });
    if (untested === undefined) assert.equal(said, undefined);
    else assert.match(said ?? '', untested);
  }
});

test('a pod is not asked about itself, nor one in the network of its node, nor an address that nobody can send to', () => {
  const cluster = new EnforcedCluster(clusterOf(BASE + pod('h', { space: 'shop', host: true })));
  const ask = (from: object, to: object): string =>
    cluster.untestable({ from, to, family: 4, protocol: 'TCP', port: 80 } as never) ?? '';
  const own = { is: 'pod', pod: 0 };
  assert.match(ask(own, own), /NP-17/);
  assert.match(ask(own, { is: 'pod', pod: 3 }), /NP-16/);
  assert.match(ask(own, { is: 'address', value: parseAddress('127.0.0.1')!.value }), /Linux/);
  assert.match(ask({ is: 'address', value: parseAddress('10.1.0.2')!.value }, own), /that of a pod/);
});

test('established connections are kept, or each packet of the side that opened them is asked again', () => {
  const placement = placementOf(clusterOf(BASE));
  const [kept, cut] = (['kept', 'cut'] as const).map((established) => rulesetOf(placement, { established }).text);
  assert.match(kept!, /\n {4}ct state established,related accept\n/);
  assert.doesNotMatch(cut!, /ct state established(?:,related)? accept/);
  assert.match(cut!, /\n {4}ct state established ct direction reply accept\n/);
});

test('PRF-1: the rules are made without the engine and what it is made of', () => {
  for (const file of ['ruleset.ts', 'placement.ts']) {
    const text = readFileSync(new URL(file, import.meta.url), 'utf8');
    const loaded = [...text.matchAll(/^import (?!type\b)[^;]*? from '(.*)';$/gm)].map(([, module]) => module!);
    const known = ['../addresses.ts', '../model.ts', '../port-set.ts'];
    assert.deepEqual(
      loaded.filter((module) => !known.includes(module)),
      [],
      file,
    );
  }
});
