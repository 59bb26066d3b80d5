import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { type Ran, sallyport } from './sallyport.ts';

// Policies cross like everything else: captured, locked, sealed, admitted, and asked about on either side.

const WORKLOADS = ['web', 'db', 'report']
  .map(
    (name) => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec: { template: { metadata: { labels: { app: ${name} } }, spec: { containers: [{ name: c, ports: [{ containerPort: 5432 }] }] } } }
---
`,
  )
  .join('');
const policy = (from: string): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: all, namespace: shop }
spec: { podSelector: {}, policyTypes: [Ingress, Egress] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: out, namespace: shop }
spec:
  podSelector: {}
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
  - from: [{ podSelector: { matchLabels: { app: ${from} } } }]
    ports: [{ port: 5432, protocol: TCP }]
`;
const FLOWS =
  'sallyport-flows: "1.0"\nflows:\n- { from: shop/web, to: shop/db, port: 5432, reason: orders, owner: ada }\n';

interface Place {
  readonly folder: string;
  readonly root: string;
  run(...words: string[]): Promise<Ran>;
}

async function outside(t: { after(fn: () => Promise<void>): void }): Promise<Place> {
  const folder = await temporaryFolder(t);
  const run = async (...words: string[]): Promise<Ran> => sallyport(folder, [...words, '--json']);
  await mkdir(join(folder, 'cluster/policies'), { recursive: true });
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"
name: shop
targets: { linux: { os: linux, arch: amd64 } }
inputs:
- files: cluster
  role: policy
- files: data
`,
  );
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data/blob.yaml'), '{ broken: [');
  await writeFile(join(folder, 'cluster/workloads.yaml'), WORKLOADS);
  await writeFile(join(folder, 'cluster/policies/shop.yaml'), policy('web'));
  await writeFile(join(folder, 'cluster/flows.yaml'), FLOWS);
  await writeFile(join(folder, 'cluster/README'), 'For people.\n');
  good(await run('init', '--home', 'out', '--site', 'low'));
  return { folder, root: join(folder, 'out/trust/root.1.dsse.json'), run };
}

function good(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.out + ran.err);
  return ran;
}

async function sealed({ run }: Place, name: string): Promise<void> {
  good(await run('capture', '--home', 'out'));
  good(await run('seal', '-o', name, '--home', 'out'));
}

test('what a bundle carries answers as the folder does, on both sides of the gap', async (t) => {
  const place = await outside(t);
  const { folder, root, run } = place;
  await sealed(place, 'one.bundle');
  const rows = (await readFile(join(folder, 'sallyport.lock'), 'utf8'))
    .split('\n')
    .filter((line) => line.includes('"role":"policy"'));
  assert.equal(rows.length, 4, 'the lock says of each file what it is for');

  const plain = good(await run('policy', 'map', 'cluster')).json;
  assert.deepEqual(
    plain.connections.map((one: { from: string; to: string; ports: string }) => `${one.from} ${one.to} ${one.ports}`),
    ['shop/web[Deployment] shop/db[Deployment] TCP 5432'],
  );
  const trust = ['--root', root];
  const map = good(await run('policy', 'map', 'one.bundle', ...trust)).json;
  assert.deepEqual(map.connections, plain.connections);
  assert.deepEqual(map.counts, plain.counts);

  const why = good(await run('policy', 'explain', 'shop/web', 'shop/db', '5432', '--in', 'one.bundle', ...trust)).json;
  assert.equal(why.decisions[1].rules[0].where, 'cluster/policies/shop.yaml:23');
  const lint = await run('policy', 'lint', 'one.bundle', '--fail-on', 'error', ...trust);
  assert.ok(lint.json.findings.length > 0);
  for (const { where } of lint.json.findings) assert.match(where, /^cluster\/.+:\d+$/);
  good(await run('policy', 'exposure', 'one.bundle', ...trust));
  good(await run('policy', 'invariant', 'one.bundle', '-e', 'deny shop/app=report -> shop/app=db : all', ...trust));
  good(await run('policy', 'generate', 'one.bundle', '--flows', 'cluster/flows.yaml', ...trust));

  good(await run('init', '--home', 'in', '--site', 'high'));
  good(await run('admit', 'one.bundle', '--root', root, '--home', 'in'));
  assert.deepEqual(
    good(await run('policy', 'map', 'admitted:main', '--home', 'in')).json.connections,
    plain.connections,
  );

  // What a bundle would open is known before it is let in.
  await writeFile(join(folder, 'cluster/policies/shop.yaml'), policy('report'));
  await sealed(place, 'two.bundle');
  const diff = await run('policy', 'diff', '--from', 'admitted:main', '--to', 'two.bundle', '--home', 'in', ...trust);
  assert.equal(diff.code, 1, diff.out + diff.err);
  assert.deepEqual(
    [diff.json.added[0].from, diff.json.removed[0].from, diff.json.changes[0].where],
    ['shop/report[Deployment]', 'shop/web[Deployment]', 'two.bundle: cluster/policies/shop.yaml:23'],
  );

  const none = await run('policy', 'map', 'admitted:other', '--home', 'in');
  assert.deepEqual([none.code, none.json.fault.code], [2, 'sealed.not-admitted']);
  const lost = JSON.parse(rows[0]!) as { digest: string };
  const [, hex] = lost.digest.split(':');
  const at = join(folder, 'in/store/sha256', hex!.slice(0, 2), hex!);
  await writeFile(at, 'x'.repeat((await readFile(at)).length)).catch(() =>
    assert.fail(`the store has another form: ${at}`),
  );
  const rotten = await run('policy', 'map', 'admitted:main', '--home', 'in');
  assert.deepEqual([rotten.code, rotten.json.fault.code], [3, 'sealed.content-lost']);
});

test('a bundle that is refused gives no map, whatever is wrong with it', async (t) => {
  const place = await outside(t);
  const { folder, root, run } = place;
  await sealed(place, 'good.bundle');
  const bytes = await readFile(join(folder, 'good.bundle'));
  const changed = Uint8Array.from(bytes);
  const at = bytes.indexOf('sallyport-bundle/seek');
  changed[at - 600]! ^= 1;
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['changed', changed, /bundle\./],
    ['truncated', bytes.subarray(0, bytes.length - 700), /bundle\.(?:truncated|member)/],
    ['followed', Buffer.concat([bytes, Buffer.from('x')]), /bundle\.trailing/],
    ['empty', new Uint8Array(), /bundle\.empty/],
    ['manifest', Buffer.from(WORKLOADS), /bundle\.foreign/],
  ];
  for (const [name, content, why] of cases) {
    await writeFile(join(folder, `${name}.bundle`), content);
    const map = await run('policy', 'map', `${name}.bundle`, '--root', root);
    assert.deepEqual([map.code, map.json.verdict, map.json.connections], [1, 'unknown', []], name);
    assert.equal(map.json.errors[0].code, 'policy.bundle-refused', name);
    assert.match(map.json.errors[0].detail, why, name);
  }
  const one = ['changed.bundle', '--root', root];
  const others: readonly string[][] = [
    ['exposure', ...one],
    ['lint', ...one],
    ['invariant', ...one, '-e', 'deny all -> all : all'],
    ['explain', 'shop/web', 'shop/db', '5432', '--in', ...one],
    ['diff', '--from', 'cluster', '--to', ...one],
    ['rollout', '--from', 'cluster', '--to', ...one],
    ['generate', ...one, '--flows', 'cluster/flows.yaml'],
    ['suggest', ...one],
    ['assert', ...one, '--flows', 'cluster/flows.yaml'],
    ['prove', ...one, '--flows', 'cluster/flows.yaml'],
    ['apply', '--from', 'cluster', '--to', ...one],
  ];
  for (const words of others) {
    const ran = await run('policy', ...words);
    assert.deepEqual([ran.code, ran.json.verdict], [1, 'unknown'], `${words[0]}: ${ran.out}${ran.err}`);
  }

  good(await run('init', '--home', 'stranger', '--site', 'other'));
  const stranger = await run('policy', 'map', 'good.bundle', '--root', 'stranger/trust/root.1.dsse.json');
  assert.deepEqual([stranger.code, stranger.json.connections], [1, []], 'another root');
  assert.match(stranger.json.errors[0].detail, /^trust\./);
  const unpinned = await run('policy', 'map', 'good.bundle', '--home', 'nowhere');
  assert.equal(unpinned.code, 3, 'nobody vouches for it');
});

test('policies that nobody could read inside are not captured, and a bundle without any is no answer', async (t) => {
  const place = await outside(t);
  const { folder, run } = place;
  const bad = join(folder, 'cluster/policies/bad.yaml');
  const cases: readonly [string, RegExp][] = [
    ['apiVersion: v1\nkind: Pod\nmetadata: { name: [\n', /^cluster\/policies\/bad\.yaml:\d+$/],
    [policy('web').replaceAll('name: ', 'name: x').replace('podSelector', 'podSelectr'), /bad\.yaml:\d+$/],
    ['apiVersion: networking.k8s.io/v9\nkind: NetworkPolicy\nmetadata: { name: x }\nspec: {}\n', /bad\.yaml:2$/],
    ['apiVersion: v1\nkind: Pod\nmetadata: { name: "{{ .Values.name }}" }\n', /bad\.yaml:\d+$/],
  ];
  for (const [text, where] of cases) {
    await writeFile(bad, text);
    const { code, json } = await run('capture', '--home', 'out');
    assert.deepEqual([code, json.fault.code], [3, 'capture.policy-unknown'], text);
    assert.match(json.fault.where, where);
  }
  assert.equal(await readFile(join(folder, 'sallyport.lock'), 'utf8').catch(() => 'none'), 'none');

  await writeFile(
    join(folder, 'sallyport.yaml'),
    (await readFile(join(folder, 'sallyport.yaml'), 'utf8')).replace('  role: policy\n', ''),
  );
  await sealed(place, 'plain.bundle');
  const none = await run('policy', 'map', 'plain.bundle', '--root', 'out/trust/root.1.dsse.json');
  assert.deepEqual([none.code, none.json.fault.code], [2, 'policy.none-sealed']);
});
