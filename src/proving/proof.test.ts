import assert from 'node:assert/strict';
import { test } from 'node:test';
import { analyse, type Assertion, EnforcedCluster, type Question } from '#policy';
import { type Asked, askedBy, judged } from './asked.ts';
import { nodeBatch, placeBatch } from './links.ts';
import { AGREEING, Observations, type Observed, planProbes, ROUNDS } from './probe-plan.ts';
import { NODE, OUTSIDE, type Seen } from './protocol.ts';

const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { containers: [{ name: c }] }
---
apiVersion: v1
kind: Pod
metadata: { name: db, namespace: shop, labels: { app: db } }
spec: { containers: [{ name: c }] }
status: { podIPs: [{ ip: 10.9.0.1 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: host, namespace: shop }
spec: { hostNetwork: true, containers: [{ name: c }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec: { podSelector: { matchLabels: { app: db } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 80 }] }] }
`;
const { cluster } = analyse(
  [{ name: 'm.yaml', bytes: new TextEncoder().encode(MANIFESTS) }],
  'specification',
  'enclave',
);
const enforced = new EnforcedCluster(cluster);
const [web, db] = [
  { is: 'pod', pod: 0 },
  { is: 'pod', pod: 1 },
] as const;
const ask = (port: number): Question => ({ from: web, to: db, family: 4, protocol: 'TCP', port });
const plan = planProbes(enforced, [ask(80), ask(81)]);

test('each question has a control to its listener from the node, and one from its source to the node', () => {
  assert.equal(plan.probes.length, 2 + 2 + 1);
  for (const [i, [target, source]] of plan.controls.entries()) {
    const [question, one, other] = [plan.probes[i]!, plan.probes[target]!, plan.probes[source]!];
    assert.deepEqual([one.place, one.to], [NODE, question.to]);
    assert.deepEqual([other.place, other.source], [question.place, question.source]);
    assert.equal(plan.listeners[other.to]!.place, NODE);
  }
});

/** What several rounds come to, of the first question; the letters are both questions, the listener, the source, the other listener. */
function after(...rounds: readonly string[]): Observed & { readonly more: boolean } {
  const observations = new Observations(plan);
  for (const round of rounds) observations.add([...round] as Seen[]);
  return { ...observations.of(0), more: observations.more };
}
const times = (count: number, round: string): string[] => Array.from({ length: count }, () => round);

test('PRF-3: silence counts only beside both controls in the same round', () => {
  assert.deepEqual(after(...times(AGREEING, 'nnooo')), { live: 'closed', rounds: AGREEING, more: false });
  // The listener is not there, or the source cannot send.
  for (const round of ['nnnoo', 'nnono', 'nnroo', 'nnhoo']) {
    assert.deepEqual(after(...times(ROUNDS, round)), { live: 'unknown', rounds: 0, more: false }, round);
  }
  // The control of another listener, or of another round, is none.
  assert.equal(after(...times(3, 'nnnoo'), ...times(2, 'nnooo')).live, 'unknown');
});

test('PRF-4: three rounds agree, or it is unknown; one that disagrees makes it unstable', () => {
  assert.equal(after(...times(AGREEING - 1, 'oo___')).live, 'unknown');
  assert.equal(after(...times(AGREEING, 'ooooo')).live, 'open');
  assert.equal(after('ooooo', 'ooooo', 'nnooo', 'ooooo').live, 'unstable');
  assert.equal(after('nnooo').more, true);
  // A round without its control is made again.
  assert.equal(after('nnooo', 'nnnoo', 'nnooo').more, true);
});

test('PRF-5: what is refused is not closed, and what arrives without an answer neither', () => {
  assert.equal(after(...times(AGREEING, 'rrooo')).live, 'refused');
  assert.equal(after(...times(AGREEING, 'hhooo')).live, 'one way');
  assert.equal(after(...times(ROUNDS, 'eeooo')).live, 'unknown');
  const row = {
    from: 'a',
    to: 'b',
    port: 80,
    protocol: 'TCP',
    expect: 'deny',
    untested: '',
    questions: [ask(81)],
  } as const;
  for (const live of ['refused', 'one way'] as const) {
    assert.equal(judged(row, [{ live, rounds: 3 }], ['denied']).verdict, 'fails', live);
  }
});

const asked = (more: Partial<Asked> = {}): Asked => ({
  from: 'a',
  to: 'b',
  port: 80,
  protocol: 'TCP',
  untested: '',
  questions: [ask(80)],
  ...more,
});
const seen = (...lives: Observed['live'][]): Observed[] => lives.map((live) => ({ live, rounds: 3 }));

test('PRF-2: a row holds where kernel, analysis and what is expected are one', () => {
  const verdict = (row: Asked, live: Observed['live'], analysed: 'allowed' | 'denied' | 'depends') =>
    judged(row, seen(live), [analysed]).verdict;
  assert.equal(verdict(asked(), 'open', 'allowed'), 'holds');
  assert.equal(verdict(asked({ expect: 'deny' }), 'closed', 'denied'), 'holds');
  assert.equal(verdict(asked({ expect: 'deny' }), 'open', 'allowed'), 'fails');
  assert.equal(verdict(asked({ expect: 'allow' }), 'open', 'denied'), 'fails');
  assert.equal(verdict(asked(), 'open', 'denied'), 'fails');
  assert.equal(verdict(asked(), 'open', 'depends'), 'unknown');
  assert.equal(verdict(asked({ expect: 'deny' }), 'unstable', 'denied'), 'unknown');
  const two = asked({ expect: 'allow', questions: [ask(80), ask(81)] });
  assert.deepEqual(judged(two, seen('open', 'closed'), ['allowed', 'denied']).live, 'differs');
  assert.equal(judged(two, seen('open', 'closed'), ['allowed', 'denied']).verdict, 'fails');
});

test('PRF-6: what cannot be asked is not tested, with the reason, and never holds', () => {
  const of = (more: Partial<Assertion>) =>
    askedBy(enforced, [
      { from: 'shop/web', to: 'shop/db', port: 80, protocol: 'TCP', expect: 'allow', reason: 'r', where: 'w', ...more },
    ])[0]!;
  for (const [more, reason] of [
    [{ protocol: 'SCTP' }, /NP-10/],
    [{ to: 'shop/nobody' }, /is no workload/],
    [{ from: '192.0.2.1', to: '192.0.2.2' }, /neither end/],
    [{ to: 'shop/host' }, /NP-16/],
    [{ to: 'shop/web' }, /NP-17/],
    [{ to: '224.0.0.1' }, /Linux/],
  ] as const) {
    const row = of(more);
    assert.match(row.untested, reason);
    assert.deepEqual([row.questions.length, judged(row, [], []).verdict], [0, 'not tested']);
  }
  // Where the kernel has no IPv6 half of a row would be asked, which is not the row.
  const both = {
    from: 'shop/web',
    to: '2001:db8::1',
    port: 80,
    protocol: 'TCP',
    expect: 'deny',
    reason: 'r',
    where: 'w',
  } as const;
  assert.equal(askedBy(enforced, [both])[0]!.untested, '');
  assert.match(askedBy(enforced, [both], [4])[0]!.untested, /no IPv6/);
  // The database has no address of IPv6: what there is is asked.
  assert.deepEqual([of({}).untested, of({}).questions.map(({ family }) => family)], ['', [4]]);
});

test('the outside answers for every address but those of node and pods, and nothing leads further', () => {
  const node = nodeBatch(plan.places);
  const outside = placeBatch(plan.places, OUTSIDE);
  assert.match(outside, /^route add local 0\.0\.0\.0\/0 dev lo table main$/m);
  assert.match(outside, /^route add local ::\/0 dev lo table main$/m);
  assert.match(outside, /^route add 10\.9\.0\.1\/32 via /m);
  assert.deepEqual(
    [...node.matchAll(/^route add default .* dev (\w+)/gm)].map(([, link]) => link),
    ['v1', 'v1'],
  );
});
