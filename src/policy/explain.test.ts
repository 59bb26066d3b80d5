import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { explainVerb } from './verbs/explain.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-explain-'));
after(() => rmSync(folder, { recursive: true }));
const world = testWorld(nodeFiles, folder);

writeFileSync(
  join(folder, 'cluster.yaml'),
  `apiVersion: v1
kind: PodList
items:
- metadata: { name: a, namespace: s, labels: { app: a } }
  status: { podIPs: [{ ip: 10.1.2.3 }] }
- metadata: { name: b, namespace: s, labels: { app: b } }
  status: { podIPs: [{ ip: 10.1.2.4 }] }
---
apiVersion: v1
kind: Namespace
metadata: { name: s }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: into-b, namespace: s }
spec:
  podSelector: { matchLabels: { app: b } }
  ingress:
  - from: [{ podSelector: { matchLabels: { app: a } } }]
    ports: [{ port: 80 }]
  - from: [{ ipBlock: { cidr: 10.0.0.0/8 } }]
    ports: [{ port: 90 }]
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: first }
spec:
  tier: Admin
  priority: 1
  subject: { namespaces: {} }
  ingress:
  - { name: no-admin, action: Deny, from: [{ namespaces: {} }], protocols: [{ tcp: { destinationPort: { number: 22 } } }] }
  - { name: pass, action: Pass, from: [{ namespaces: {} }], protocols: [{ tcp: { destinationPort: { number: 80 } } }] }
`,
);

async function explain(source: string, destination: string, port: string) {
  const output = await explainVerb.run({ source, destination, port, in: '.' }, world);
  const ingress = output.decisions.filter(({ direction }) => direction === 'ingress');
  return {
    verdict: output.verdict,
    exit: explainVerb.exit(output),
    rules: ingress.flatMap(({ rules }) => rules.map(({ where, action, certain }) => `${where} ${action} ${certain}`)),
    isolatedBy: ingress.flatMap(({ isolatedBy }) => isolatedBy.map(({ where }) => where)),
    depends: ingress.flatMap(({ depends }) => depends).join(),
  };
}

test('explain names the rules that decide, by line, in the order in which they do', async () => {
  assert.deepEqual(await explain('s/a', 's/b', '80'), {
    verdict: 'allowed',
    exit: 0,
    rules: ['cluster.yaml:33 pass true', 'cluster.yaml:19 allow true'],
    isolatedBy: ['cluster.yaml:13'],
    depends: '',
  });
  const denied = await explain('s/a', 's/b[Pod]', '22/tcp');
  assert.deepEqual([denied.verdict, denied.exit, denied.rules], ['denied', 1, ['cluster.yaml:32 deny true']]);
  const silent = await explain('s/a', 's/b', '80/udp');
  assert.deepEqual([silent.verdict, silent.rules, silent.isolatedBy], ['denied', [], ['cluster.yaml:13']]);
});

test('explain says what an answer depends on', async () => {
  const unsure = await explain('s/a', 's/b', '90');
  assert.deepEqual([unsure.verdict, unsure.exit, unsure.rules], ['depends', 1, ['cluster.yaml:21 allow false']]);
  assert.match(unsure.depends, /NP-11/);
});

test('explain takes addresses, and refuses what is neither', async () => {
  assert.equal((await explain('10.9.9.9', 's/b', '90')).verdict, 'allowed');
  assert.equal((await explain('fd00::1', 's/b', '90')).verdict, 'denied');
  assert.equal((await explain('s/b', '8.8.8.8', '443')).verdict, 'allowed');
  for (const [source, destination] of [
    ['s/x', 's/b'],
    ['8.8.8.8', '8.8.4.4'],
  ] as const) {
    await assert.rejects(explain(source, destination, '80'), { code: 'policy.peer-unknown', exit: 2 });
  }
  for (const port of ['0', '65536', 'web', '80/icmp']) {
    await assert.rejects(explain('s/a', 's/b', port), { code: 'policy.port-unreadable', exit: 2 });
  }
});
