import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '#kernel';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { analyse } from '../analysis.ts';
import { connectionsOf } from '../connections.ts';
import { decodeDocument, splitDocuments } from '../document.ts';
import { Engine } from '../engine.ts';
import { checkAssertions, coverageOf, readAssertions } from './assertion.ts';
import { mutantsOf, mutationOperators } from './mutation.ts';
import { assertVerb } from '../verbs/assert.ts';
import { assertionsFor, subjectsOf } from './neighbours.ts';

const workload = (name: string, labels: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec:
  selector: { matchLabels: ${labels} }
  template:
    metadata: { labels: ${labels} }
    spec: { containers: [{ name: a, image: a, ports: [{ containerPort: 8000 }] }] }
---`;
const MANIFESTS = `${workload('web', '{ app: web, tier: front }')}${workload('api', '{ app: api }')}${workload('data', '{ app: data }')}${workload('other', '{ app: other }')}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny, namespace: shop }
spec: { podSelector: {}, policyTypes: [Ingress, Egress] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: api-in, namespace: shop }
spec:
  podSelector: { matchLabels: { app: api } }
  policyTypes: [Ingress]
  ingress:
    - from: [{ podSelector: { matchLabels: { app: web } }, namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: shop } } }]
      ports: [{ port: 8000 }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web-out, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  policyTypes: [Egress]
  egress:
    - to: [{ podSelector: { matchLabels: { app: api } } }]
      ports: [{ port: 8000 }]
    - to: [{ ipBlock: { cidr: 10.1.2.0/24 } }]
      ports: [{ port: 443 }]
`;

function read(text: string) {
  const { cluster, connectivity, findings } = analyse(
    [{ name: 'all.yaml', bytes: Buffer.from(text) }],
    'specification',
  );
  assert.ok(connectivity !== undefined, JSON.stringify(findings));
  return { cluster, connectivity, engine: new Engine(cluster, 'specification') };
}

const FILE = `
sallyport-assertions: "1.0"
assertions:
  - { from: shop/web, to: shop/api, port: 8000, expect: allow, reason: orders }
  - { from: "shop/web[Deployment]", to: 10.1.2.9, port: 443, expect: allow, reason: payments }
  - { from: shop/web, to: shop/api, port: 8001, expect: deny, reason: the port beside }
  - { from: shop/other, to: shop/api, port: 8000, protocol: TCP, expect: deny, reason: not its business }
`;

test('assertions are judged in the words of explain, and an end that is not there is no pass', () => {
  const { cluster, engine } = read(MANIFESTS);
  const results = checkAssertions(cluster, engine, readAssertions('a.yaml', Buffer.from(FILE)));
  assert.deepEqual(
    results.map(({ verdict }) => verdict),
    ['holds', 'holds', 'holds', 'holds'],
  );
  const wrong = FILE.replace('port: 8001, expect: deny', 'port: 8001, expect: allow').replace(
    'shop/other',
    'shop/gone',
  );
  assert.deepEqual(
    checkAssertions(cluster, engine, readAssertions('a.yaml', Buffer.from(wrong))).map(({ verdict, actual }) => [
      verdict,
      actual,
    ]),
    [
      ['holds', 'allowed'],
      ['holds', 'allowed'],
      ['fails', 'denied'],
      ['unknown', 'unknown'],
    ],
  );
});

test('a file that cannot be understood is named by its place', () => {
  for (const text of [
    '',
    'sallyport-assertions: 1.0\nassertions: []',
    'sallyport-assertions: "1.0"',
    'sallyport-assertions: "1.0"\nassertions: []',
    'sallyport-assertions: "1.0"\nasertions: []',
    FILE.replace('port: 8000', 'port: 80000'),
    FILE.replace('expect: allow', 'expect: maybe'),
    FILE.replace('reason: orders', 'reason: ""'),
    FILE.replace('from: shop/web', 'form: shop/web'),
    FILE.replace('protocol: TCP', 'protocol: icmp'),
    `${FILE}---\n${FILE}`,
  ]) {
    assert.throws(
      () => readAssertions('a.yaml', Buffer.from(text)),
      (error) => isFault(error) && error.code === 'policy.assertion-invalid',
      text,
    );
  }
});

const DECLARED = [
  { from: 'shop/web[Deployment]', to: 'shop/api[Deployment]', port: 8000, protocol: 'TCP', reason: 'orders' },
  { from: 'shop/web[Deployment]', to: '10.1.2.0/24', port: 443, protocol: 'TCP', reason: 'payments' },
] as const;

test('each declared connection is asserted with its neighbours, and they cover what is open', () => {
  const { cluster, connectivity, engine } = read(MANIFESTS);
  const { workloads, open } = subjectsOf(cluster, connectivity);
  const made = assertionsFor(DECLARED, workloads);
  const said = new Set(
    made.map(({ from, to, port, protocol, expect }) => `${expect} ${from} ${to} ${port}/${protocol}`),
  );
  for (const one of [
    'allow shop/web[Deployment] shop/api[Deployment] 8000/TCP',
    'allow shop/web[Deployment] 10.1.2.0 443/TCP',
    'deny shop/api[Deployment] shop/web[Deployment] 8000/TCP',
    'deny shop/other[Deployment] shop/api[Deployment] 8000/TCP',
    'deny shop/web[Deployment] shop/api[Deployment] 8000/UDP',
    'deny shop/web[Deployment] shop/api[Deployment] 8001/TCP',
    'deny shop/web[Deployment] 10.1.3.0 443/TCP',
    'deny shop/web[Deployment] 10.1.1.255 443/TCP',
    'deny shop/data[Deployment] 10.1.2.0 443/TCP',
    'deny shop/data[Deployment] 198.51.100.77 443/TCP',
    'deny 2001:db8:ffff::77 shop/api[Deployment] 8000/TCP',
  ]) {
    assert.ok(said.has(one), one);
  }
  const results = checkAssertions(cluster, engine, made);
  assert.ok(results.every(({ verdict }) => verdict === 'holds'));
  const coverage = coverageOf(workloads, open, results);
  assert.deepEqual([coverage.open, coverage.asserted, coverage.missing], [1, 1, []]);
  assert.deepEqual(coverageOf(workloads, open, []).missing, ['shop/web[Deployment] -> shop/api[Deployment]']);
});

test('too few mutants noticed is an answer of its own, and no pass', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'm'));
  await writeFile(join(folder, 'm/all.yaml'), MANIFESTS);
  await writeFile(join(folder, 'few.yaml'), FILE.replace(/ {2}- .*10\.1\.2\.9.*\n/, ''));
  const world = testWorld(nodeFiles, folder);
  const run = async (threshold: string): Promise<[string, number, number]> => {
    const output = await assertVerb.run({ folder: 'm', file: 'few.yaml', mutate: true, threshold }, world);
    return [output.verdict, assertVerb.exit(output), output.mutation?.survived.length ?? 0];
  };
  const [verdict, exit, survived] = await run('1');
  assert.deepEqual([verdict, exit, survived > 0], ['weak', 1, true]);
  assert.deepEqual((await run('0')).slice(0, 2), ['holds', 0]);
  await assert.rejects(run('1.1'), { code: 'policy.threshold', exit: 2 });
});

test('mutants are changes of one place each; what they change is noticed by the neighbours', () => {
  const documents = MANIFESTS.split('---')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => analysed(text));
  const mutants = mutantsOf(documents);
  const kinds = new Set(mutants.map(({ operator }) => operator));
  // Two peers that could become one stand in no rule here.
  assert.deepEqual(
    mutationOperators.filter((one) => !kinds.has(one)),
    ['or-to-and'],
  );
  const { cluster, connectivity } = read(MANIFESTS);
  const { workloads } = subjectsOf(cluster, connectivity);
  const made = assertionsFor(DECLARED, workloads);
  const before = checkAssertions(cluster, new Engine(cluster, 'specification'), made).map(({ actual }) => actual);
  const rows = (of: ReturnType<typeof read>): string =>
    connectionsOf(of.connectivity)
      .map((row) => JSON.stringify(row))
      .sort()
      .join();
  const same = rows(read(MANIFESTS));
  const missed: string[] = [];
  let changes = 0;
  for (const { operator, what, documents: changed } of mutants) {
    const now = read(changed.map((one) => JSON.stringify(one)).join('\n---\n'));
    if (rows(now) === same) continue;
    changes += 1;
    const answers = checkAssertions(now.cluster, now.engine, made).map(({ actual }) => actual);
    if (answers.join() === before.join()) missed.push(`${operator} of ${what}`);
  }
  assert.ok(changes >= 8, `${changes} mutants change something`);
  assert.deepEqual(missed, [], `of ${changes}`);
});

function analysed(text: string): unknown {
  const [document] = splitDocuments('one.yaml', text);
  const decoded = document === undefined ? undefined : decodeDocument(document);
  assert.ok(decoded?.ok === true, text);
  return decoded.value;
}
