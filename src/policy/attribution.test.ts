import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { clusterChanges } from './cluster-changes.ts';
import { connectionsOf, connectivity } from './connections.ts';
import { manifestsBelow } from './io/manifests.ts';
import { readCluster } from './read-cluster.ts';
import { changeText, diffVerb } from './verbs/diff.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-diff-'));
after(() => rmSync(folder, { recursive: true }));
const world = testWorld(nodeFiles, folder);

const PODS = `apiVersion: v1
kind: List
items:
- { apiVersion: v1, kind: Namespace, metadata: { name: a, labels: { team: x } } }
- { apiVersion: v1, kind: Namespace, metadata: { name: b, labels: { team: x } } }
- { apiVersion: v1, kind: Pod, metadata: { name: web, namespace: a, labels: { app: web } } }
- { apiVersion: v1, kind: Pod, metadata: { name: job, namespace: b, labels: { app: job } } }
`;

function policy(name: string, from: string, port = 80): string {
  return `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name}, namespace: a }
spec:
  podSelector: { matchLabels: { app: web } }
  policyTypes: [Ingress]
  ingress:
  - from: [${from}]
    ports: [{ port: ${port}, protocol: TCP }]
`;
}

const CLOSED = policy('deny', '{ podSelector: { matchLabels: { app: nobody } } }');
const BY_TEAM = '{ namespaceSelector: { matchLabels: { team: x } } }';

/** `+ from to ports: how: changes`, of rows between pods. */
async function diff(before: string, now: string): Promise<string[]> {
  writeFileSync(join(folder, 'old.yaml'), before);
  writeFileSync(join(folder, 'new.yaml'), now);
  const result = await diffVerb.run({ from: 'old.yaml', to: 'new.yaml' }, world);
  assert.equal(diffVerb.exit(result), 1);
  const row = (sign: string, { from, to, cause }: (typeof result.added)[number], ports: string): string =>
    `${sign} ${from} ${to} ${ports}: ${cause!.by}: ${cause!.changes.map((id) => changeText(result.changes[id]!)).join('; ')}`;
  return [
    ...result.added.map((one) => row('+', one, one.ports)),
    ...result.removed.map((one) => row('-', one, one.ports)),
    ...result.changed.map((one) => row('~', { ...one, ports: '' }, `${one.before} -> ${one.after}`)),
  ].filter((line) => line.includes(' b/job[Pod] a/web[Pod] '));
}

test('a row is put down to the policy that was added, removed or changed, with its line', async () => {
  assert.deepEqual(await diff(PODS + CLOSED, PODS + CLOSED + policy('allow', BY_TEAM)), [
    '+ b/job[Pod] a/web[Pod] TCP 80: alone: NetworkPolicy a/allow added (new.yaml: new.yaml:19)',
  ]);
  assert.deepEqual(await diff(PODS + CLOSED, PODS), [
    '+ b/job[Pod] a/web[Pod] All Connections: alone: NetworkPolicy a/deny removed (old.yaml: old.yaml:9)',
  ]);
  assert.deepEqual(await diff(PODS + policy('allow', BY_TEAM), PODS + policy('allow', BY_TEAM, 81)), [
    '~ b/job[Pod] a/web[Pod] TCP 80 -> TCP 81: alone: NetworkPolicy a/allow changed, ingress rule 1 changed (new.yaml: new.yaml:16)',
  ]);
});

test('a row is put down to the label of a workload or of a namespace, no policy having changed', async () => {
  const old =
    PODS +
    policy(
      'allow',
      '{ podSelector: { matchLabels: { app: web } } }, { namespaceSelector: { matchLabels: { team: q } } }',
    );
  assert.deepEqual(
    await diff(
      old,
      old
        .replace('name: b, labels: { team: x }', 'name: b, labels: { team: z }')
        .replace('app: web } } }\n', 'app: www } } }\n'),
    ),
    [
      '+ b/job[Pod] a/web[Pod] All Connections: alone: a/web[Pod] changed, label app: web -> www (new.yaml: new.yaml:6)',
    ],
  );
  assert.deepEqual(
    await diff(
      old,
      old
        .replace('name: b, labels: { team: x }', 'name: b, labels: { team: z, team2: r }')
        .replace('team: z', 'team: q'),
    ),
    [
      '+ b/job[Pod] a/web[Pod] TCP 80: alone: namespace b changed, label team: x -> q, label team2: (none) -> r (new.yaml: new.yaml:5)',
    ],
  );
});

test('several changes: each of them does it, or they do it together', async () => {
  assert.deepEqual(await diff(PODS + CLOSED, PODS + CLOSED + policy('one', BY_TEAM) + policy('two', BY_TEAM)), [
    '+ b/job[Pod] a/web[Pod] TCP 80: each: NetworkPolicy a/one added (new.yaml: new.yaml:19); NetworkPolicy a/two added (new.yaml: new.yaml:29)',
  ]);
  const team = policy('allow', '{ namespaceSelector: { matchLabels: { team: q } } }');
  assert.deepEqual(
    await diff(
      PODS + CLOSED,
      PODS.replace('name: b, labels: { team: x }', 'name: b, labels: { team: q }') + CLOSED + team,
    ),
    [
      '+ b/job[Pod] a/web[Pod] TCP 80: together: NetworkPolicy a/allow added (new.yaml: new.yaml:19); namespace b changed, label team: x -> q (new.yaml: new.yaml:5)',
    ],
  );
  assert.deepEqual(await diff(PODS + CLOSED, PODS + CLOSED + policy('one', BY_TEAM) + policy('two', BY_TEAM, 81)), [
    '+ b/job[Pod] a/web[Pod] TCP 80-81: together: NetworkPolicy a/one added (new.yaml: new.yaml:19); NetworkPolicy a/two added (new.yaml: new.yaml:29)',
  ]);
});

test('lines that moved and comments are no change; an answer that is less certain is one', async () => {
  writeFileSync(join(folder, 'old.yaml'), PODS + CLOSED);
  writeFileSync(join(folder, 'new.yaml'), `# a comment\n\n${PODS}${CLOSED.replace('- from', '- # here\n    from')}`);
  const same = await diffVerb.run({ from: 'old.yaml', to: 'new.yaml' }, world);
  assert.deepEqual([same.verdict, same.changes, diffVerb.exit(same)], ['same', [], 0]);
  const allow = policy('allow', BY_TEAM);
  writeFileSync(join(folder, 'old.yaml'), PODS + allow);
  writeFileSync(
    join(folder, 'new.yaml'),
    PODS.replace('kind: Namespace, metadata: { name: b', 'kind: ConfigMap, metadata: { name: b') + allow,
  );
  const less = await diffVerb.run({ from: 'old.yaml', to: 'new.yaml' }, world);
  assert.deepEqual(
    [less.verdict, less.certainty],
    ['differs', [{ from: 'b/job[Pod]', to: 'a/web[Pod]', ports: 'TCP 80', before: 'TCP 80', after: 'No Connections' }]],
  );
});

const DATA = join(import.meta.dirname, '../../../shared/data/netpol-golden');
const missing = existsSync(DATA) ? false : `${DATA} is not beside the repository`;

test('all changes one after the other make the later state', { skip: missing }, async () => {
  let changed = 0;
  const names = readdirSync(join(DATA, 'expected/diff')).flatMap((name) => {
    const match = /diff_between_(.+)_and_(.+)\.(?:txt|csv)$/.exec(name)!;
    return [`${match[1]}\n${match[2]}`];
  });
  for (const name of new Set(names)) {
    const read = async (which: string) =>
      readCluster(await manifestsBelow(nodeFiles, join(DATA, 'manifests', which))).cluster;
    const [now, old] = [await read(name.split('\n')[0]!), await read(name.split('\n')[1]!)];
    const changes = clusterChanges(old, now);
    const reached = changes.reduce((cluster, { apply }) => apply(cluster, 'to'), old);
    const rows = (cluster: typeof now): string[] =>
      connectionsOf(connectivity(cluster, 'specification'))
        .map((row) => JSON.stringify(row))
        .sort();
    assert.deepEqual(rows(reached), rows(now), name);
    assert.deepEqual(rows(changes.reduce((cluster, { apply }) => apply(cluster, 'from'), now)), rows(old), name);
    changed += changes.length;
  }
  assert.ok(changed > 20, `only ${changed} changes`);
});
