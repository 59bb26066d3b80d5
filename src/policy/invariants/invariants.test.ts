import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { readCluster } from '../read-cluster.ts';
import { admitsPacket, type RawObject } from '../testing/packets.ts';
import { invariantVerb } from '../verbs/invariant.ts';
import { InvariantChecker } from './check.ts';
import { parseExpression } from './invariant.ts';
import { readInvariants } from './read.ts';

const utf8 = new TextEncoder();
const CLUSTER = `apiVersion: v1
kind: List
items:
- { apiVersion: v1, kind: Namespace, metadata: { name: a } }
- { apiVersion: v1, kind: Namespace, metadata: { name: b } }
- { apiVersion: v1, kind: Pod, metadata: { name: web, namespace: a, labels: { app: web } } }
- { apiVersion: v1, kind: Pod, metadata: { name: free, namespace: a } }
- { apiVersion: v1, kind: Pod, metadata: { name: db, namespace: b, labels: { app: db } } }
- { apiVersion: v1, kind: Pod, metadata: { name: api, namespace: b, labels: { app: api } } }
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: { name: closed, namespace: a }
  spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Ingress, Egress] }
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: { name: db, namespace: b }
  spec:
    podSelector: { matchLabels: { app: db } }
    policyTypes: [Ingress]
    ingress:
    - from: [{ podSelector: { matchLabels: { app: api } } }]
      ports: [{ port: 5432 }]
    - from: [{ ipBlock: { cidr: 10.0.0.0/8 } }]
      ports: [{ port: 22 }]
`;

function checker(text: string): InvariantChecker {
  const { cluster, findings } = readCluster([{ name: 'm.yaml', bytes: utf8.encode(text) }]);
  assert.deepEqual(findings.errors, []);
  return new InvariantChecker(cluster, undefined);
}

function ask(own: InvariantChecker, expression: string, future = false) {
  const invariant = parseExpression(expression, new Map(), future);
  assert.ok(typeof invariant !== 'string', `${expression}: ${invariant as string}`);
  return own.check(invariant);
}

test('the vectors of docs/spec/invariants.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/spec/invariants.md'), 'utf8');
  const vectors = JSON.parse(/```json vectors\n([\s\S]*?)```/.exec(page)![1]!) as [string, string][];
  const own = checker(CLUSTER);
  for (const [expression, verdict] of vectors) assert.equal(ask(own, expression).verdict, verdict, expression);
  assert.ok(vectors.length > 20);
});

test('what depends on the network plugin is neither kept nor broken', () => {
  const own = checker(
    CLUSTER.replace('name: free, namespace: a }', 'name: free, namespace: a }, status: { podIPs: [{ ip: 10.1.1.1 }] }'),
  );
  const answer = ask(own, 'deny a/free[Pod] -> b/app=db');
  assert.deepEqual([answer.verdict, answer.against], ['depends', 1]);
  const [witness] = answer.witnesses;
  assert.equal(witness!.ports, 'TCP 22');
  assert.match(witness!.depends.join(), /NP-11/);
  assert.equal(witness!.decisions.find(({ direction }) => direction === 'ingress')!.rules[0]!.where, 'm.yaml:23');
  assert.equal(ask(own, 'allow a/free[Pod] -> b/app=db : TCP 22').verdict, 'depends');
  assert.equal(ask(own, 'allow a/free[Pod] -> b/app=db : TCP 23').verdict, 'violated');
});

test('a namespace whose labels are in no manifest makes an answer depend on them', () => {
  const own = checker(
    CLUSTER.replace(
      '{ apiVersion: v1, kind: Namespace, metadata: { name: b } }',
      '{ apiVersion: v1, kind: ConfigMap, metadata: { name: c } }',
    ),
  );
  const answer = ask(own, 'deny a/free[Pod] -> [team=x]/app=api');
  assert.deepEqual([answer.verdict, answer.witnesses[0]!.to], ['depends', 'b/api[Pod]']);
});

test('pods that may come count where it is asked for', () => {
  const own = checker(CLUSTER);
  assert.equal(ask(own, 'deny a/app=web -> b/*').verdict, 'holds');
  const open = ask(own, 'only b/api[Pod] -> b/app=db : TCP 5432', true);
  assert.equal(open.verdict, 'holds', 'a workload says which, and nothing may come to it');
  const come = ask(own, 'deny b/app!=api -> b/app=db : TCP 5432', true);
  assert.equal(come.verdict, 'holds', 'with another label nothing gets in');
  const same = ask(own, 'deny b/role=x -> b/app=db : TCP 5432', true);
  assert.deepEqual(
    [same.verdict, same.witnesses[0]!.from],
    ['violated', 'b/(a pod that may come with app=api,role=x)[Pod]'],
  );
});

test('a file: every mistake has its line', () => {
  const head = 'sallyport-invariants: "1.0"\nranges: { site: [10.0.0.0/8] }\ninvariants:\n';
  const good = readInvariants(
    'i.yaml',
    utf8.encode(`${head}- { name: x, deny: { from: all, to: outside site, ports: [TCP 80, UDP 53] } }\n`),
  );
  assert.equal(good.invariants[0]!.where, 'i.yaml:4');
  for (const [text, where, detail] of [
    [`${head}- { name: x, deny: { from: all, to: outsde site } }`, 'i.yaml:4', /'outsde'/],
    [`${head}- name: x\n  deny: { from: all, too: all }`, 'i.yaml:5', /'too'/],
    [`${head}- name: x\n  deny: { from: all, to: all }\n  allow: { from: all, to: all }`, 'i.yaml:4', /Exactly one/],
    [`${head}- { name: x, deny: { from: all, to: 'n/app==(' } }`, 'i.yaml:4', /no selector/],
    [`${head}- { name: x, deny: { from: all, to: 10.0.0.0/33 } }`, 'i.yaml:4', /no block/],
    [`${head}- { name: x, deny: { from: all, to: all, ports: TCP 0 } }`, 'i.yaml:4', /list of ports/],
    [`${head}- { name: x, deny: { from: [], to: all } }`, 'i.yaml:4', /empty list/],
    [
      `${head}- { name: x, deny: { from: all, to: all } }\n- { name: x, deny: { from: all, to: all } }`,
      'i.yaml:3',
      /'x'/,
    ],
    ['sallyport-invariants: "2.0"\ninvariants: []', 'i.yaml:1', /1\.0/],
    [head, 'i.yaml:1', /no 'invariants'/],
    ['- a', 'i.yaml:1', /object/],
    ['a: [', 'i.yaml:1', /./],
    [`${head}- { name: on, deny: { from: all, to: all } }`, 'i.yaml:4', /quotes/],
  ] as const) {
    assert.throws(
      () => readInvariants('i.yaml', utf8.encode(text)),
      (error: { code?: string; where?: string; message?: string }) => {
        assert.equal(error.code, 'policy.invariant-invalid', text);
        assert.equal(error.where, where, text);
        assert.match(error.message!, detail);
        return true;
      },
    );
  }
});

const folder = mkdtempSync(join(tmpdir(), 'sallyport-invariant-'));
after(() => rmSync(folder, { recursive: true }));

test('the verb exits with 0 only if all hold, and is unknown where a policy cannot be read', async () => {
  const world = testWorld(nodeFiles, folder);
  writeFileSync(join(folder, 'm.yaml'), CLUSTER);
  writeFileSync(join(folder, 'bad.yaml'), CLUSTER.replace('policyTypes: [Ingress]', 'policyTypes: [ingress]'));
  for (const [file, expressions, verdict, exit] of [
    ['m.yaml', ['deny a/app=web -> all'], 'holds', 0],
    ['m.yaml', ['deny a/app=web -> all', 'deny x/* -> all'], 'vacuous', 1],
    ['m.yaml', ['deny all -> all', 'deny x/* -> all'], 'violated', 1],
    ['bad.yaml', ['deny a/app=web -> all'], 'unknown', 1],
  ] as const) {
    const result = await invariantVerb.run({ folder: file, expressions: [...expressions] }, world);
    assert.deepEqual([result.verdict, invariantVerb.exit(result)], [verdict, exit]);
  }
  await assert.rejects(invariantVerb.run({ folder: 'm.yaml' }, world), { code: 'policy.no-invariants', exit: 2 });
  await assert.rejects(invariantVerb.run({ folder: 'm.yaml', expressions: ['deny all'] }, world), {
    code: 'policy.invariant-invalid',
    exit: 2,
  });
});

const TOOL = join(import.meta.dirname, '../../../../shared/tools/policy-clusters.py');
const absent = existsSync(TOOL) ? false : `${TOOL} is not beside the repository`;

test('a judge of single packets finds no broken deny kept on random clusters', { skip: absent }, (t) => {
  const run = spawnSync('python3', [TOOL, 'random', '--count', '12'], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.error !== undefined) return t.skip('python3 is not on this machine');
  const PORTS = [1, 53, 80, 81, 443, 5432, 8080, 65535];
  let [held, broken] = [0, 0];
  for (const line of run.stdout.trim().split('\n')) {
    const { objects } = JSON.parse(line) as { objects: RawObject[] };
    const own = checker(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    const pods = objects.filter(({ kind }) => kind === 'Pod');
    const spaces = [...new Set(pods.map(({ metadata }) => metadata.namespace!))];
    for (const a of spaces) {
      for (const b of spaces) {
        const { verdict } = ask(own, `deny ${a}/* -> ${b}/*`);
        const admitted = (blocksCoverPods: boolean): boolean =>
          pods.some(
            (from) =>
              from.metadata.namespace === a &&
              pods.some(
                (to) =>
                  to !== from &&
                  to.metadata.namespace === b &&
                  PORTS.some((port) =>
                    ['TCP', 'UDP', 'SCTP'].some((protocol) =>
                      admitsPacket(objects, { from, to, protocol, port }, blocksCoverPods),
                    ),
                  ),
              ),
          );
        const possible = admitted(true);
        if (verdict === 'holds') {
          held++;
          assert.equal(possible, false, `${a} to ${b} in ${line}`);
        } else broken++;
        if (admitted(false)) assert.equal(verdict, 'violated', `${a} to ${b} in ${line}`);
      }
    }
  }
  assert.ok(held > 3 && broken > 30, `${held} held, ${broken} broken`);
});
