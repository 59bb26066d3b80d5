import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { sallyport } from './sallyport.ts';

// A change of network policies on its way to approval: what it opens, whether it is sound, what must hold, who answers.

const PODS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: c, ports: [{ containerPort: 8080 }] }] } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: db, namespace: shop }
spec: { template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: c, ports: [{ containerPort: 5432 }] }] } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: report, namespace: shop }
spec: { template: { metadata: { labels: { app: report } }, spec: { containers: [] } } }
`;

const POLICIES = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: default-deny, namespace: shop }
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  policyTypes: [Egress]
  egress:
  - to: [{ podSelector: { matchLabels: { app: db } } }]
    ports: [{ port: 5432, protocol: TCP }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress]
  ingress:
  - from: [{ podSelector: { matchLabels: { app: web } } }]
    ports: [{ port: 5432, protocol: TCP }]
`;

const INVARIANTS = `sallyport-invariants: "1.0"
ranges: { site: [10.0.0.0/8] }
invariants:
- { name: nothing leaves the site, deny: { from: all, to: outside site } }
- { name: only web reaches the database, only: { from: shop/app=web, to: shop/app=db } }
- { name: web reaches the database, allow: { from: shop/app=web, to: shop/app=db, ports: TCP 5432 } }
`;

test('a change of policies is looked at before it is approved', async (t) => {
  const folder = await temporaryFolder(t);
  for (const state of ['old', 'new']) {
    await mkdir(join(folder, state));
    await writeFile(join(folder, state, 'pods.yaml'), PODS);
    await writeFile(join(folder, state, 'policies.yaml'), POLICIES);
  }
  await writeFile(join(folder, 'invariants.yaml'), INVARIANTS);
  const run = async (command: string, code = 0) => {
    const ran = await sallyport(folder, [...command.split(' '), '--json']);
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  const map = await run('policy map old');
  assert.deepEqual(map.connections, [{ from: 'shop/web[Deployment]', to: 'shop/db[Deployment]', ports: 'TCP 5432' }]);
  await run('policy invariant old --file invariants.yaml');
  await run('policy diff --from old --to new');

  // Somebody empties a `from`, and a chart renames a label.
  await writeFile(
    join(folder, 'new/policies.yaml'),
    POLICIES.replace(
      'ingress:\n  - from: [{ podSelector: { matchLabels: { app: web } } }]\n    ports',
      'ingress:\n  - ports',
    ),
  );
  await writeFile(join(folder, 'new/pods.yaml'), PODS.replace('labels: { app: report }', 'labels: { app: web }'));
  const diff = await run('policy diff --from old --to new', 1);
  const opened = (to: string, from: string) =>
    diff.added.find((row: { from: string; to: string }) => row.to === to && row.from === from);
  const outside = opened('shop/db[Deployment]', '0.0.0.0-255.255.255.255');
  assert.deepEqual([outside.ports, outside.cause.by], ['TCP 5432', 'alone']);
  const [change] = outside.cause.changes;
  assert.deepEqual(
    [diff.changes[change].name, diff.changes[change].where],
    ['NetworkPolicy shop/db', 'new: policies.yaml:25'],
  );
  const relabelled = opened('shop/db[Deployment]', 'shop/report[Deployment]');
  assert.deepEqual(
    [relabelled.cause.by, relabelled.cause.changes.map((id: number) => diff.changes[id].detail)],
    ['alone', ['label app: report -> web']],
  );
  const lint = await run('policy lint new', 1);
  assert.deepEqual(
    lint.findings.map(({ rule, where }: { rule: string; where: string }) => `${rule} ${where}`),
    ['lint.dns-closed policies.yaml:1', 'lint.open-peers policies.yaml:25'],
  );
  const broken = await run('policy invariant new --file invariants.yaml', 1);
  assert.deepEqual(
    broken.invariants.map(({ verdict }: { verdict: string }) => verdict),
    ['holds', 'violated', 'holds'],
  );
  const exposure = await run('policy exposure new');
  assert.ok(
    exposure.exposure.some(
      (row: { workload: string; peer: string }) =>
        row.workload === 'shop/db[Deployment]' && row.peer === 'entire-cluster',
    ),
  );
  await run('policy map new -o map.html');
  assert.match(await readFile(join(folder, 'map.html'), 'utf8'), /^<!doctype html>/);

  // A policy that cannot be read is never left out.
  await writeFile(join(folder, 'new/extra.yaml'), POLICIES.replace('podSelector: {}', 'podSelektor: {}'));
  for (const command of [
    'map new',
    'exposure new',
    'lint new',
    'diff --from old --to new',
    'invariant new -f invariants.yaml',
  ]) {
    assert.equal((await run(`policy ${command}`, 1)).verdict, 'unknown', command);
  }
});

test('owners sign their flows, one of two approvers at a time', async (t) => {
  const folder = await temporaryFolder(t);
  const project = `sallyport: "1.0"
name: shop
targets: { t: { os: linux, arch: amd64 } }
inputs: [{ files: files }]
services: { web: { folder: files, run: [a], port: 80 }, db: { folder: files, run: [a], port: 5432 } }
flows:
  - { from: web, to: db, port: 5432, protocol: tcp, reason: orders, owner: shop, approver: Ada, ticket: T-1, review-by: "2027-01-01" }
`;
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'sallyport.yaml'), project);
  const run = async (command: string, code = 0) => {
    const ran = await sallyport(folder, [...command.split(' '), '--json']);
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  await run('init --home out --site low');
  for (const name of ['ada', 'ben', 'dan']) await run(`trust key new ${name}.key --holder ${name}`);
  const add = ['ada', 'ben', 'dan'].map((name) => `--add ${name}.key.pub.json`).join(' ');
  const roles = '--role ada=approver --role ben=approver --role dan=root,sealer --role low=ledger';
  await run(`trust propose --home out -o two ${add} ${roles} --threshold approver=2 --custody shared`);
  await run('trust sign two --key out/keys/sealer.key --key dan.key');
  await run('trust accept two --home out');

  await run('policy review --home out --sign shop --key ben.key --signature reviews/shop.dsse.json');
  const signed = await run('policy review --home out --at 2026-11-22');
  assert.deepEqual([signed.verdict, signed.register[0]['signed-by'], signed.findings], ['in-order', ['ben'], []]);
  await run('policy review --home out --sign shop --key dan.key --signature reviews/dan.dsse.json', 3);
  assert.equal((await run('policy review --home out --at 2027-01-02', 1)).findings[0].code, 'register.review-overdue');
  await writeFile(join(folder, 'sallyport.yaml'), project.replace('T-1', 'T-2'));
  const changed = await run('policy review --home out --at 2026-11-22 --fail-on warning', 1);
  assert.deepEqual(
    changed.findings.map(({ code }: { code: string }) => code),
    ['register.changed'],
  );
});
