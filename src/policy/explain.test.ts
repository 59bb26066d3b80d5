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

writeFileSync(
  join(folder, 'shop.yaml'),
  `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { template: { metadata: { labels: { app: web } }, spec: { containers: [] } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: db, namespace: shop }
spec: { template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: c, ports: [{ name: pg, containerPort: 5432 }] }] } } }
---
apiVersion: v1
kind: Service
metadata: { name: database, namespace: shop }
spec: { clusterIP: 10.96.0.7, selector: { app: db }, ports: [{ port: 15432, targetPort: pg }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  policyTypes: [Egress]
  egress:
  - to:
    - ipBlock: { cidr: 10.96.0.0/12 }
    ports:
    - port: 15432
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress]
  ingress:
  - from:
    - podSelector:
        matchLabels: { app: web }
    ports:
    - port: pg
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: i, namespace: shop }
spec: { defaultBackend: { service: { name: database, port: { number: 15432 } } } }
`,
);

test('explain follows a Service to its pods, and says where its own address decides (NP-13)', async () => {
  const ask = (source: string, destination: string, port: string) =>
    explainVerb.run({ source, destination, port, in: 'shop.yaml' }, world);
  const through = await ask('shop/web', 'shop/database', '15432');
  assert.deepEqual(through.translation, [
    { by: 'shop/database[Service]', where: 'shop.yaml:15', to: ['shop/db[Deployment]:5432'] },
  ]);
  assert.deepEqual(
    through.decisions.map(({ verdict, direction, peer, port }) => `${direction} ${peer} ${port} ${verdict}`),
    [
      'egress shop/db[Deployment] 5432/tcp depends',
      'ingress shop/web[Deployment] 5432/tcp allowed',
      'egress 10.96.0.7 15432/tcp allowed',
    ],
  );
  assert.equal(through.verdict, 'depends');
  assert.match(through.decisions[0]!.depends.join(), /NP-13/);
  assert.deepEqual(through.decisions[1]!.rules[0]!.source, [
    '- from:',
    '  - podSelector:',
    '      matchLabels: { app: web }',
    '  ports:',
    '  - port: pg',
  ]);
  const elsewhere = await ask('shop/web', 'shop/db', '80');
  assert.deepEqual(
    elsewhere.decisions.find(({ direction }) => direction === 'ingress')!.near,
    [{ policy: 'NetworkPolicy shop/db', rule: 'ingress rule 1', where: 'shop.yaml:39', ports: 'TCP 5432' }],
    'a rule is about this peer, on another port',
  );
  const wrong = await ask('shop/web', 'shop/database', '5432');
  assert.deepEqual([wrong.verdict, wrong.remarks], ['denied', ['shop/database[Service] has no port 5432/tcp.']]);
  await assert.rejects(ask('shop/database', 'shop/db', '1'), { code: 'policy.peer-unknown', exit: 2 });
});

test('explain asks about what an Ingress opens', async () => {
  const ask = (port: string) =>
    explainVerb.run({ source: '{ingress-controller}', destination: 'shop/db', port, in: 'shop.yaml' }, world);
  const kept = await ask('5432');
  assert.deepEqual([kept.verdict, kept.translation[0]?.where], ['denied', 'shop.yaml:48']);
  assert.deepEqual((await ask('80')).remarks, ['No Ingress and no Route opens this port of it.']);
});
