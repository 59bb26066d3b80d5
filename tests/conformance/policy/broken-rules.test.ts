import assert from 'node:assert/strict';
import { test } from 'node:test';
import { analyse, EnforcedCluster, rulesetOf } from '#policy';
import { compareLive, unable } from './live.ts';

const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { team: a } }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { containers: [{ name: c, ports: [{ name: http, containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: db, namespace: shop, labels: { app: db } }
spec: { containers: [{ name: c, ports: [{ name: http, containerPort: 5432 }] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: job, namespace: shop, labels: { app: job } }
spec: { containers: [{ name: c }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress, Egress]
  ingress:
  - { from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: http }] }
  - { from: [{ ipBlock: { cidr: 198.51.100.0/24, except: [198.51.100.64/26] } }], ports: [{ port: 5432, endPort: 5440 }] }
  - { from: [{ ipBlock: { cidr: "2001:db8::/32", except: ["2001:db8:1::/48"] } }], ports: [{ port: 5432 }] }
  egress:
  - { to: [{ ipBlock: { cidr: 203.0.113.0/24 } }], ports: [{ port: 53, protocol: UDP }] }
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: admin }
spec:
  tier: Admin
  priority: 10
  subject: { namespaces: {} }
  ingress:
  - { action: Pass, from: [{ pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: web } } } }] }
  - { action: Deny, from: [{ pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: job } } } }], protocols: [{ tcp: { destinationPort: { range: { start: 8000, end: 9000 } } } }] }
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: base }
spec:
  tier: Baseline
  priority: 1
  subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: job } } } }
  egress:
  - { action: Deny, to: [{ networks: ["0.0.0.0/0"] }] }
`;

const { cluster, connectivity } = analyse(
  [{ name: 'shop.yaml', bytes: new TextEncoder().encode(MANIFESTS) }],
  'specification',
  'enclave',
);
assert.ok(connectivity);
const enforced = new EnforcedCluster(cluster);
const questions = enforced.questions(100_000)!.filter((one) => enforced.untestable(one) === undefined);

const without = (pattern: RegExp) => (text: string) => text.replaceAll(pattern, '');
const replaced = (pattern: RegExp, by: string) => (text: string) => text.replaceAll(pattern, by);

/** The rules as a renderer with one mistake would write them. */
const MISTAKES: readonly (readonly [string, (text: string) => string])[] = [
  [
    'source and destination are exchanged in the rules',
    (text) =>
      text.replace(
        /^( {4})(ip6?) (saddr|daddr) @/gm,
        (_, a, ip, end) => `${a}${ip} ${end === 'saddr' ? 'daddr' : 'saddr'} @`,
      ),
  ],
  [
    'the walls of the two directions are exchanged',
    (text) =>
      text
        .replaceAll('saddr vmap @egress', 'saddr vmap @X')
        .replaceAll('vmap @ingress', 'vmap @egress')
        .replaceAll('vmap @X', 'vmap @ingress'),
  ],
  ['a set of pods is empty', without(/(?<=set pods_\d+ \{ type ipv4_addr; )elements = \{ [^}]* \}; /g)],
  [
    'a set of blocks is empty',
    without(/(?<=set blocks_\d+ \{ type ipv4_addr; flags interval; )elements = \{ [^}]* \}; /g),
  ],
  ['named ports are forgotten', without(/^.*th dport @named_\d+.*\n/gm)],
  ['the exceptions of blocks are forgotten', exceptionsForgotten],
  ['IPv6 is forgotten', without(/^ {4}ip6 (?:saddr|daddr) vmap .*\n/gm)],
  ['IPv4 is forgotten', without(/^ {4}ip (?:saddr|daddr) vmap .*\n/gm)],
  ['egress is forgotten', without(/^ {4}ip6? saddr vmap .*\n/gm)],
  ['ingress is forgotten', without(/^ {4}ip6? daddr vmap .*\n/gm)],
  ['the end of a range of ports is forgotten', replaced(/\b(\d+)-\d+(?=[ ,].*\})/g, '$1')],
  ['protocols are forgotten: UDP is TCP', replaced(/^(.*)udp dport/gm, '$1tcp dport')],
  ['a rule that denies lets through', replaced(/^( {4}ip6? .*) drop$/gm, '$1 return')],
  ['Pass lets through', replaced(/^( {4}.*@pods_\d+) goto \w+$/gm, '$1 return')],
  ['what no policy allows is let through', replaced(/^ {4}drop$/gm, '    return')],
  ['everything is closed', replaced(/policy accept/g, 'policy drop')],
  ['answers are not let through', without(/^ {4}ct state .*\n/gm)],
  ['a family in full is forgotten', without(/^ {4}meta nfproto ipv4 .*\n/gm)],
];

function exceptionsForgotten(): string {
  const policies = cluster.policies.map((policy) => ({
    ...policy,
    ingress: policy.ingress?.map((rule) => ({
      ...rule,
      peers:
        rule.peers === 'all'
          ? rule.peers
          : rule.peers.map((peer) => (peer.is === 'block' ? { ...peer, except: [] } : peer)),
    })),
  }));
  return rulesetOf(enforced.placement, { established: 'kept', policies }).text;
}

test('rules without a mistake: the kernel lets through what the analysis says', { skip: unable }, async () => {
  const { differences, open, closed } = await compareLive(enforced, questions);
  assert.deepEqual(differences, []);
  assert.ok(open > 100 && closed > 100, `${open} open, ${closed} closed`);
});

for (const [mistake, rules] of MISTAKES) {
  test(`a mistake in the rules is noticed: ${mistake}`, { skip: unable }, async () => {
    const right = enforced.ruleset({ established: 'kept' }).text;
    assert.notEqual(rules(right), right, 'the mistake changes nothing');
    const { differences } = await compareLive(enforced, questions, { rules });
    assert.ok(differences.length > 0, rules(right));
  });
}
