import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { both, Engine } from './engine.ts';
import { includes, type Protocol } from './port-set.ts';
import { readCluster } from './read-cluster.ts';

const DATA = join(import.meta.dirname, '../../../shared/data/cnp-conformance.jsonl.gz');

interface Case {
  readonly id: string;
  readonly objects: readonly unknown[];
  readonly pokes: readonly {
    readonly from: string;
    readonly to: string;
    readonly protocol: Protocol;
    readonly port: number;
    readonly allowed: boolean;
  }[];
}

test(
  'ClusterNetworkPolicy: every upstream conformance case is answered as upstream does, and with certainty (NP-21 to NP-23)',
  { skip: existsSync(DATA) ? false : `${DATA} is not beside the repository` },
  () => {
    const cases = gunzipSync(readFileSync(DATA))
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Case);
    const wrong: string[] = [];
    let pokes = 0;
    for (const { id, objects, pokes: asked } of cases) {
      const bytes = new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
      const { cluster, findings } = readCluster([{ name: `${id}.json`, bytes }]);
      assert.deepEqual(findings.errors, [], id);
      const engine = new Engine(cluster, 'specification');
      const find = (replica: string) =>
        engine.classOf(
          cluster.pods.find(({ namespace, name }) => `${namespace}/${name}` === replica.replace(/-\d+$/, ''))!,
        );
      for (const { from, to, protocol, port, allowed } of asked) {
        const [source, target] = [find(from), find(to)];
        const { possible, certain } = both(
          engine.admits(source, 'egress', target),
          engine.admits(target, 'ingress', source),
        );
        pokes++;
        const answers = [includes(possible, protocol, port), includes(certain, protocol, port)];
        if (answers.some((answer) => answer !== allowed)) {
          wrong.push(`${id}: ${from} to ${to} ${protocol} ${port}: ${answers.join()} where ${allowed} is right`);
        }
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(pokes >= 141, `only ${pokes} were asked`);
  },
);
