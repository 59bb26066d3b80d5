import assert from 'node:assert/strict';
import { test } from 'node:test';
import { analyse } from '../analysis.ts';
import { includes } from '../port-set.ts';
import type { RawObject } from '../testing/packets.ts';
import { referredChanges } from './not-policies.ts';
import { otherChanges, planRollout, type RolloutPlan } from './plan.ts';

const utf8 = new TextEncoder();
const filesOf = (objects: readonly object[]) => [
  { name: 'all.json', bytes: utf8.encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })) },
];

function clusterOf(objects: readonly RawObject[]) {
  const { cluster, connectivity, findings } = analyse(filesOf(objects), 'specification');
  assert.ok(connectivity, JSON.stringify(findings));
  return cluster;
}

const plan = (old: readonly RawObject[], now: readonly RawObject[]): RolloutPlan =>
  planRollout(clusterOf(old), clusterOf(now), 'specification');

const names = ({ steps }: RolloutPlan): string[] =>
  steps.map(({ action, object, window }) => `${action} ${object}${window === undefined ? '' : ` (${window.how})`}`);

const namespace: RawObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } };
const pod = (name: string, labels: Record<string, string> = { app: name }): RawObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'n', labels },
  spec: { containers: [{ name: 'c' }] },
});
const BASE = [namespace, pod('a'), pod('b'), pod('c')];
const at = (app: string) => ({ podSelector: { matchLabels: { app } } });
const tcp = (...ports: number[]) => ports.map((port) => ({ port }));
const policy = (name: string, spec: object): RawObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: 'n' },
  spec,
});

test('an allow comes before the deny that closes all else, and goes after it', () => {
  const deny = policy('deny', { podSelector: {}, policyTypes: ['Ingress'] });
  // The name sorts behind that of the deny, which stands first in the manifests too.
  const allow = policy('z', { ...at('b'), policyTypes: ['Ingress'], ingress: [{ from: [at('a')] }] });
  const there = plan(BASE, [...BASE, deny, allow]);
  assert.deepEqual(
    [there.verdict, names(there)],
    ['safe', ['create NetworkPolicy n/z', 'create NetworkPolicy n/deny']],
  );
  const back = plan([...BASE, allow, deny], BASE);
  assert.deepEqual([back.verdict, names(back)], ['safe', ['delete NetworkPolicy n/deny', 'delete NetworkPolicy n/z']]);
});

test('two swaps that would each lose a connection go through the union of one of them', () => {
  const from = (app: string) => ({ ...at('b'), policyTypes: ['Ingress'], ingress: [{ from: [at(app)] }] });
  const found = plan(
    [...BASE, policy('x', from('a')), policy('y', from('c'))],
    [...BASE, policy('x', from('c')), policy('y', from('a'))],
  );
  assert.equal(found.verdict, 'safe');
  assert.deepEqual(names(found), [
    'replace NetworkPolicy n/x (union)',
    'replace NetworkPolicy n/y',
    'replace NetworkPolicy n/x',
  ]);
  const { ingress } = (found.steps[0]!.window!.manifest as unknown as RawObject).spec;
  assert.deepEqual(ingress, [{ from: [at('a')] }, { from: [at('c')] }]);
});

test('an object that selects other pods is not changed in place: the later one stands beside it first', () => {
  const spec = (app: string) => ({ ...at(app), policyTypes: ['Ingress'], ingress: [{ from: [at('a')] }] });
  const found = plan([...BASE, policy('x', spec('b'))], [...BASE, policy('x', spec('c'))]);
  assert.deepEqual(
    [found.verdict, names(found)],
    [
      'safe',
      [
        'create NetworkPolicy n/x-rollout (copy)',
        'replace NetworkPolicy n/x',
        'delete NetworkPolicy n/x-rollout (copy)',
      ],
    ],
  );
});

test('where every order exposes something it is said at which step, for how long and what', () => {
  const both = (out: number, into: number) => [
    policy('out', { ...at('a'), policyTypes: ['Egress'], egress: [{ to: [at('b')], ports: tcp(out) }] }),
    policy('into', { ...at('b'), policyTypes: ['Ingress'], ingress: [{ from: [at('a')], ports: tcp(into) }] }),
  ];
  const found = plan([...BASE, ...both(80, 90)], [...BASE, ...both(90, 80)]);
  assert.deepEqual([found.verdict, found.complete], ['unsafe', true]);
  const [first] = found.steps[0]!.troubles;
  assert.deepEqual([first!.is, first!.from, first!.to], ['exposed', 'n/a[Pod]', 'n/b[Pod]']);
  assert.ok(includes(first!.ports, 'TCP', 80) !== includes(first!.ports, 'TCP', 90));
  assert.deepEqual(found.steps.at(-1)!.troubles, []);
});

test('two cluster policies that exchange their priorities have the same one on the way, which is not called safe', () => {
  const wide = (name: string, priority: number): RawObject => ({
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name },
    spec: {
      tier: 'Admin',
      priority,
      subject: { namespaces: {} },
      ingress: [{ action: name === 'x' ? 'Deny' : 'Accept', from: [{ namespaces: {} }] }],
    },
  });
  const found = plan([...BASE, wide('x', 1), wide('y', 2)], [...BASE, wide('x', 2), wide('y', 1)]);
  assert.equal(found.verdict, 'unknown');
  assert.ok(found.steps[0]!.troubles.some(({ is }) => is === 'priority'));
});

test('labels, workloads, namespaces and what policies refer to are no part of a rollout of policies', () => {
  const other = [namespace, pod('a', { app: 'z' }), pod('b'), pod('d')];
  assert.deepEqual(
    otherChanges(clusterOf(BASE), clusterOf(other)).map(({ how, name }) => `${name} ${how}`),
    ['n/a[Pod] changed', 'n/c[Pod] removed', 'n/d[Pod] added'],
  );
  const tier = (order: number) => [
    { apiVersion: 'projectcalico.org/v3', kind: 'Tier', metadata: { name: 't' }, spec: { order } },
  ];
  assert.deepEqual(referredChanges(filesOf(tier(1)), filesOf(tier(2))), ['Tier t']);
  assert.deepEqual(referredChanges(filesOf(tier(1)), filesOf(tier(1))), []);
});

test('nothing to do is safe', () => {
  assert.deepEqual(plan(BASE, BASE), { verdict: 'safe', steps: [], analysed: 1, complete: true, reached: true });
});
