import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Analysis, analyse } from './analysis.ts';
import { connectionsOf } from './connections.ts';
import type { Cni } from './enforcers.ts';
import { PolicySession } from './session.ts';
import { randomCluster } from './testing/random-cluster.ts';
import type { RawObject } from './testing/packets.ts';

const utf8 = new TextEncoder();

function rowsOf({ connectivity }: Analysis): string[] {
  return connectivity === undefined
    ? ['unknown']
    : connectionsOf(connectivity)
        .map((row) => JSON.stringify(row))
        .sort();
}

/** One file per object, so that a change touches one. */
function filesOf(objects: readonly RawObject[]): { name: string; bytes: Uint8Array }[] {
  return objects.map((object) => ({
    name: `${object.kind}-${object.metadata.namespace ?? ''}-${object.metadata.name}.yaml`,
    bytes: utf8.encode(JSON.stringify(object)),
  }));
}

for (const [dialect, cni] of [
  ['Cilium', 'cilium'],
  ['Calico', 'calico'],
  ['Cilium', undefined],
] as const) {
  test(`a session says after each change what an analysis of all says (${dialect}, ${cni ?? 'any plugin'})`, () => {
    let changed = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const session = new PolicySession('specification', cni as Cni | undefined);
      let objects = [...randomCluster(seed, dialect).objects];
      const others = randomCluster(seed + 500, dialect).objects;
      const ask = (): void => {
        const files = filesOf(objects);
        const fresh = analyse(files, 'specification', cni);
        const again = session.analyse(files);
        assert.deepEqual(rowsOf(again), rowsOf(fresh), `seed ${seed}, change ${changed}`);
        assert.deepEqual(again.findings, fresh.findings);
        changed++;
      };
      ask();
      ask();
      const isPolicy = ({ kind }: RawObject): boolean => /Policy$/.test(kind);
      // Away with a policy, and back with it.
      const policy = objects.find(isPolicy)!;
      objects = objects.filter((one) => one !== policy);
      ask();
      objects.push(policy);
      ask();
      // The rules of another one, further policies, another label, another namespace's label, an object that is wrong.
      objects = objects.map((one) => (one === policy ? { ...policy, spec: { ...policy.spec, egress: [] } } : one));
      ask();
      for (const one of others.filter(isPolicy)) {
        objects.push({ ...one, metadata: { ...one.metadata, name: `more-${one.metadata.name}` } });
        ask();
      }
      const pod = objects.findIndex(({ kind }) => kind === 'Pod');
      objects[pod] = { ...objects[pod]!, metadata: { ...objects[pod]!.metadata, labels: { app: 'db', tier: 'back' } } };
      ask();
      const labels = { ...objects[0]!.metadata.labels, env: 'other' };
      objects[0] = { ...objects[0]!, metadata: { ...objects[0]!.metadata, labels } };
      ask();
      objects.push({
        kind: 'NetworkPolicy',
        apiVersion: 'networking.k8s.io/v1',
        metadata: { name: 'w' },
        spec: { x: 1 },
      });
      ask();
      objects.pop();
      ask();
    }
    assert.ok(changed > 100);
  });
}
