import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FAMILIES, parseAddress, parseBlock } from '../addresses.ts';
import { both, Engine } from '../engine.ts';
import { includes, PROTOCOLS, type PortSet } from '../port-set.ts';
import { readCluster } from '../read-cluster.ts';
import { admitsPacket, type RawObject } from './packets.ts';

const TOOL = join(import.meta.dirname, '../../../../shared/tools/policy-clusters.py');
/** Why there are no clusters to compare on; false: there are. */
export const absent = existsSync(TOOL) ? false : `${TOOL} is not beside the repository`;
const PORTS = [1, 52, 53, 79, 80, 81, 443, 444, 2905, 3306, 5000, 5432, 8080, 8081, 32767, 65535];

/** The addresses at which some block begins or ends, and their neighbours. */
function edges(objects: readonly RawObject[]): string[] {
  const found = new Set(['8.8.8.8', '2001:db8:ffff::1']);
  for (const [, block] of JSON.stringify(objects).matchAll(/"([0-9a-f.:]+\/\d+)"/g)) {
    const { family, from, to } = parseBlock(block!)!;
    const end = family === 4 ? (1n << 32n) - 1n : (1n << 128n) - 1n;
    for (const value of [from - 1n, from, to, to + 1n]) if (value >= 0n && value <= end) found.add(text(family, value));
  }
  return [...found];
}

function text(family: number, value: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  return Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':');
}

/** Asks the engine and the judge about every packet of clusters of Kubernetes policies; undefined: Python is missing. */
export function compareOnClusters(count: number, seed: number): true | undefined {
  const words = [TOOL, 'random', '--count', String(count), '--seed', String(seed)];
  const run = spawnSync('python3', words, { encoding: 'utf8', maxBuffer: 1 << 30 });
  if (run.error !== undefined) return undefined;
  const clusters = run.stdout.trim().split('\n');
  assert.equal(clusters.length, count);
  let asked = 0;
  for (const line of clusters) {
    const { id, objects } = JSON.parse(line) as { id: string; objects: RawObject[] };
    const bytes = new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    const { cluster, findings } = readCluster([{ name: `${id}.json`, bytes }]);
    assert.deepEqual(findings.errors, [], id);
    const engine = new Engine(cluster, 'specification');
    const pods = objects.filter(({ kind }) => kind === 'Pod');
    const classOf = (pod: RawObject) =>
      engine.classOf(
        cluster.pods.find(({ namespace, name }) => namespace === pod.metadata.namespace && name === pod.metadata.name)!,
      );
    const compare = (set: PortSet, from: RawObject | string, to: RawObject | string, blocksCoverPods = true): void => {
      for (const protocol of PROTOCOLS) {
        for (const port of PORTS) {
          asked++;
          const right = admitsPacket(objects, { from, to, protocol, port }, blocksCoverPods);
          if (includes(set, protocol, port) === right) continue;
          const name = (one: RawObject | string): string => (typeof one === 'string' ? one : one.metadata.name);
          assert.fail(
            `${id}: ${name(from)} to ${name(to)} ${protocol} ${port}: ${right} is right\n${JSON.stringify(objects)}`,
          );
        }
      }
    };
    for (const from of pods) {
      for (const to of pods) {
        if (from === to) continue;
        const [source, target] = [classOf(from), classOf(to)];
        const answer = both(engine.admits(source, 'egress', target), engine.admits(target, 'ingress', source));
        compare(answer.possible, from, to);
        compare(answer.certain, from, to, false);
      }
      for (const address of edges(objects)) {
        const { family, value } = parseAddress(address)!;
        for (const direction of ['egress', 'ingress'] as const) {
          const piece = engine
            .reach(classOf(from), direction)
            .addresses.find((one) => one.family === family && one.from <= value && one.to >= value)!;
          if (direction === 'egress') compare(piece.answer.possible, from, address);
          else compare(piece.answer.possible, address, from);
        }
      }
    }
    // The ranges of a family follow one another without a gap.
    for (const one of engine.classes) {
      for (const direction of ['egress', 'ingress'] as const) {
        for (const family of FAMILIES) {
          const own = engine.reach(one, direction).addresses.filter((piece) => piece.family === family);
          own.forEach((piece, i) => assert.equal(piece.from, i === 0 ? 0n : own[i - 1]!.to + 1n, id));
        }
      }
    }
  }
  assert.ok(asked > count * 2000, `only ${asked} packets`);
  return true;
}
