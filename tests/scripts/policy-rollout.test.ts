import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { sallyport } from './sallyport.ts';

// An operator brings a default deny to a namespace that is in use.

const PODS = ['web', 'db', 'report']
  .map(
    (name) =>
      `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }\nspec: { containers: [{ name: c }] }\n`,
  )
  .join('---\n');
const NAMESPACE = '---\napiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n';

function policy(name: string, spec: string): string {
  return `---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}\n`;
}

const WEB = '{ podSelector: { matchLabels: { app: web } }';
const DB = '{ podSelector: { matchLabels: { app: db } }';

test('the steps of a change of policies are ordered, and what else changed is refused', async (t) => {
  const root = await temporaryFolder(t);
  const folder = async (name: string, text: string): Promise<void> => {
    await mkdir(join(root, name));
    await writeFile(join(root, name, 'all.yaml'), PODS + NAMESPACE + text);
  };
  const allows =
    policy('web', `${WEB}, policyTypes: [Egress], egress: [{ to: [${DB} }], ports: [{ port: 5432 }] }] }`) +
    policy('db', `${DB}, policyTypes: [Ingress], ingress: [{ from: [${WEB} }], ports: [{ port: 5432 }] }] }`);
  await folder('old', '');
  await folder('new', policy('deny', '{ podSelector: {}, policyTypes: [Ingress, Egress] }') + allows);

  const planned = await sallyport(root, ['policy', 'rollout', '--from', 'old', '--to', 'new']);
  assert.equal(planned.code, 0, planned.err);
  const steps = planned.out.split('\n').filter((line) => /^\d/.test(line));
  assert.match(steps.at(-1)!, /^3\. create NetworkPolicy shop\/deny \(new: all\.yaml:\d+\)$/);
  assert.match(planned.out, /safe: 3 steps/);

  const wall = (out: number, into: number): string =>
    policy('out', `{ podSelector: {}, policyTypes: [Egress], egress: [{ ports: [{ port: ${out} }] }] }`) +
    policy('into', `{ podSelector: {}, policyTypes: [Ingress], ingress: [{ ports: [{ port: ${into} }] }] }`);
  await folder('before', wall(80, 90));
  await folder('after', wall(90, 80));
  const exposed = await sallyport(root, ['policy', 'rollout', '--from', 'before', '--to', 'after']);
  assert.equal(exposed.code, 1);
  assert.match(exposed.out, /! exposed until step 2: shop\/web\[Pod\] => shop\/db\[Pod\] : TCP (?:80|90), which/);
  assert.match(exposed.out, /unsafe: every order/);

  await folder('other', allows.replaceAll('app: db', 'app: data'));
  await writeFile(join(root, 'other', 'more.yaml'), PODS.split('---\n')[1]!.replaceAll('db', 'data'));
  const refused = await sallyport(root, ['policy', 'rollout', '--from', 'old', '--to', 'other']);
  assert.equal(refused.code, 1);
  assert.match(refused.out, /more\.yaml:\d+: error: shop\/data\[Pod\] added\. \(policy\.rollout-not-policy\)/);
});
