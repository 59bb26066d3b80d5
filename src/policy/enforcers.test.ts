import assert from 'node:assert/strict';
import { test } from 'node:test';
import { analyse } from './analysis.ts';
import type { Cni } from './enforcers.ts';
import { namespace, networkPolicy, object, pod, TestMap } from './testing/map.ts';

const NONE = 'No Connections';
const ALL = 'All Connections';
const BASE = namespace('n') + pod('a', { ip: '10.0.0.1' }) + pod('b', { labels: 'app: b', ip: '10.0.0.2' });
const CILIUM = object('cilium.io/v2', 'CiliumNetworkPolicy', 'c', '{ endpointSelector: {}, ingress: [{}] }', 'n');
const CALICO = object('projectcalico.org/v3', 'GlobalNetworkPolicy', 'g', '{ ingress: [{ action: Deny }] }');
const ADMIN = object(
  'policy.networking.k8s.io/v1alpha1',
  'AdminNetworkPolicy',
  'adm',
  '{ priority: 1, subject: { namespaces: {} }, ingress: [{ action: Deny, from: [{ namespaces: {} }] }] }',
);
const CLUSTER = object(
  'policy.networking.k8s.io/v1alpha2',
  'ClusterNetworkPolicy',
  'clu',
  '{ tier: Admin, priority: 1, subject: { namespaces: {} }, ingress: [{ action: Deny, from: [{ namespaces: {} }] }] }',
);

/** `closed`, `open`, or what is not certain, of a to b. */
function answer(policies: string, cni?: Cni): string {
  const map = new TestMap(BASE + policies, cni);
  const [possible, certain] = [map.possible('a', 'b'), map.certain('a', 'b')];
  if (possible === certain) return possible === NONE ? 'closed' : possible === ALL ? 'open' : possible;
  assert.match(map.why('a', 'b'), /only some network plugins/);
  assert.ok(map.findings.some(({ code }) => code === 'policy.dialect'));
  return 'depends';
}

test('a policy that closes is certain with the plugin that enforces it, and depends on it otherwise', () => {
  const table: readonly (readonly [string, string, Partial<Record<Cni, string>>])[] = [
    [CILIUM, 'depends', { cilium: 'closed', calico: 'depends', antrea: 'depends', 'kube-router': 'depends' }],
    [CALICO, 'depends', { calico: 'closed', cilium: 'depends', aws: 'depends', 'kube-network-policies': 'depends' }],
    [ADMIN, 'closed', { antrea: 'closed', 'kube-network-policies': 'closed', calico: 'depends', cilium: 'depends' }],
    [CLUSTER, 'closed', { calico: 'closed', 'kube-network-policies': 'closed', antrea: 'depends', cilium: 'depends' }],
    [CILIUM + CALICO, 'depends', { cilium: 'closed', calico: 'closed', aws: 'depends' }],
    [networkPolicy('{}'), 'closed', { antrea: 'closed', aws: 'closed', cilium: 'closed', calico: 'closed' }],
  ];
  for (const [policies, without, by] of table) {
    assert.equal(answer(policies), without, policies);
    for (const [cni, expected] of Object.entries(by)) {
      assert.equal(answer(policies, cni as Cni), expected, `${cni}\n${policies}`);
    }
  }
});

test('two policies that both close leave nothing to depend on', () => {
  assert.equal(answer(CILIUM + networkPolicy('{}')), 'closed');
  assert.equal(answer(CALICO + ADMIN), 'closed');
});

test('what only an ignored policy would allow is not certain either', () => {
  const allow = object('projectcalico.org/v3', 'NetworkPolicy', 'c', '{ ingress: [{ action: Allow }] }', 'n');
  const ordered = allow.replace('spec: {', 'spec: { order: 1,');
  assert.equal(answer(ordered + networkPolicy('{}'), 'calico'), 'open');
  assert.equal(answer(ordered + networkPolicy('{}')), 'depends');
});

test('NP-11: with a plugin that is known, whether blocks cover pods is certain', () => {
  const block = networkPolicy(
    '{ podSelector: { matchLabels: { app: b } }, ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/24 } }] }] }',
  );
  const open = (cni?: Cni) => {
    const map = new TestMap(BASE + block, cni);
    return [map.possible('a', 'b'), map.certain('a', 'b')];
  };
  assert.deepEqual(open(), [ALL, NONE]);
  assert.deepEqual(open('calico'), [ALL, ALL]);
  assert.deepEqual(open('cilium'), [NONE, NONE]);
  assert.deepEqual(open('antrea'), [ALL, NONE]);
});

test("under the profile of np-guard there is no answer about other plugins' policies", () => {
  const { connectivity, findings } = analyse(
    [{ name: 'm.yaml', bytes: new TextEncoder().encode(BASE + CILIUM) }],
    'np-guard',
  );
  assert.equal(connectivity, undefined);
  assert.deepEqual(
    findings.map(({ severity, code }) => [severity, code]),
    [['error', 'policy.dialect']],
  );
});
