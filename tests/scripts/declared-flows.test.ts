import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { sallyport, serving } from './sallyport.ts';

// Flows are proposed, accepted and made into policies, and the policies cross the gap.

const deployment = (name: string, port: number, env: string): string => `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec: { template: { metadata: { labels: { app: ${name} } }, spec: { containers: [{ name: c, ports: [{ containerPort: ${port} }], env: [${env}] }] } } }
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { selector: { app: ${name} }, ports: [{ port: ${port} }] }
`;
const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
${deployment('web', 8080, '{ name: API, value: "http://api:8000" }')}${deployment('api', 8000, '')}`;

test('flows are proposed, accepted, generated, proved, and carried over the gap', async (t) => {
  const folder = await temporaryFolder(t);
  const run = async (command: string, code = 0) => {
    const ran = await sallyport(folder, [...command.split(' '), '--json']);
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  await mkdir(join(folder, 'manifests'));
  await writeFile(join(folder, 'manifests/shop.yaml'), MANIFESTS);

  const suggest = 'policy suggest manifests --flows flows.yaml';
  const id = 'shop-web-to-shop-api-8000-tcp';
  assert.deepEqual(
    (await run(suggest)).proposals.map((one: { id: string }) => one.id),
    [id],
  );
  await run('policy generate manifests --flows flows.yaml', 2);
  await run(`${suggest} --accept ${id}`, 2);
  await run(`${suggest} --accept other --by Ada --owner shop`, 2);
  await run(`${suggest} --accept ${id} --by Ada --owner shop`);
  assert.deepEqual((await run(suggest)).proposals, []);

  const generate = 'policy generate manifests --flows flows.yaml --dialect all -o policies';
  const made = await run(generate);
  assert.equal(made.verdict, 'proved');
  assert.deepEqual((await readdir(join(folder, 'policies'))).sort(), ['calico', 'cilium', 'cluster', 'kubernetes']);
  const path = join(folder, 'policies/kubernetes/shop.yaml');
  const first = await readFile(path, 'utf8');
  await writeFile(join(folder, 'policies/kubernetes/gone.yaml'), first);
  await run(generate);
  assert.deepEqual(await readdir(join(folder, 'policies/kubernetes')), ['shop.yaml']);
  assert.equal(await readFile(path, 'utf8'), first);
  await writeFile(join(folder, 'policies/kubernetes/mine.yaml'), '# mine\n');
  await run(generate, 2);
  await rm(join(folder, 'policies/kubernetes/mine.yaml'));

  // Among the workloads they admit what was declared.
  await writeFile(join(folder, 'manifests/policies.yaml'), first);
  const map = await run('policy map manifests');
  assert.deepEqual(map.connections, [{ from: 'shop/web[Deployment]', to: 'shop/api[Deployment]', ports: 'TCP 8000' }]);
  assert.equal((await run(generate)).others, 0);
  await rm(join(folder, 'manifests/policies.yaml'));

  await writeFile(
    join(folder, 'sallyport.yaml'),
    'sallyport: "1.0"\nname: shop\nchannel: main\ntargets: { t: { os: linux, arch: amd64 } }\ninputs:\n  - files: policies\n',
  );
  await run('init --home out --site low');
  await run('capture --home out');
  await run('seal -o one.bundle --home out');
  await run('init --home in --site high');
  await run('admit one.bundle --root out/trust/root.1.dsse.json --home in');
  const { base } = await serving(t, folder, 'in');
  const inside = await fetch(`${base}/files/policies/kubernetes/shop.yaml`);
  assert.equal(await inside.text(), first);

  // A flow that nobody can mean stops everything, and what is there stays.
  await appendFile(
    join(folder, 'flows.yaml'),
    '  - { from: shop/web, to: shop/cache, port: 6379, reason: r, owner: o }\n',
  );
  const refused = await run(generate, 2);
  assert.equal(refused.fault.code, 'policy.flow-unresolved');
  assert.equal(await readFile(path, 'utf8'), first);
});
