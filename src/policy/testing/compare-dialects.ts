import assert from 'node:assert/strict';
import { parseAddress } from '../addresses.ts';
import { both, Engine } from '../engine.ts';
import { includes, PROTOCOLS, type PortSet } from '../port-set.ts';
import { readCluster } from '../read-cluster.ts';
import { calicoAdmits, ciliumAdmits } from './dialect-packets.ts';
import type { RawObject } from './packets.ts';
import { randomCluster } from './random-cluster.ts';

const PORTS = [1, 52, 53, 80, 81, 8080];
const OUTSIDE = [
  '8.8.8.8',
  '10.1.200.1',
  '10.2.200.1',
  '192.0.2.9',
  '198.51.100.7',
  'fd00:1::9',
  'fd99::1',
  '2001:db8::1',
  '2400::1',
];

/** Asks the engine and the judge of a dialect about every packet of clusters made at random, and wants certain answers. */
export function compareOnRandomClusters(dialect: 'Cilium' | 'Calico', seeds: number, firstSeed = 1): void {
  const [cni, admits] =
    dialect === 'Cilium' ? (['cilium', ciliumAdmits] as const) : (['calico', calicoAdmits] as const);
  let asked = 0;
  let open = 0;
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const random = randomCluster(seed, dialect);
    const { objects } = random;
    const bytes = new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    const { cluster, findings } = readCluster([{ name: `${seed}.json`, bytes }]);
    assert.deepEqual(findings.errors, [], `seed ${seed}`);
    const engine = new Engine(cluster, 'specification', cni);
    const nodes = JSON.stringify(objects).includes('"cluster"');
    const six = cluster.pods[0]!.addresses[0]!.includes(':');
    const pods = objects.filter(({ kind }) => kind === 'Pod');
    const classOf = (pod: RawObject) => engine.classOf(cluster.pods.find(({ name }) => name === pod.metadata.name)!);
    const compare = (
      { possible, certain }: { readonly possible: PortSet; readonly certain: PortSet },
      from: RawObject | string,
      to: RawObject | string,
    ): void => {
      for (const protocol of PROTOCOLS) {
        for (const port of PORTS) {
          asked++;
          const right = admits(random, { from, to, protocol, port });
          if (right) open++;
          const [may, must] = [includes(possible, protocol, port), includes(certain, protocol, port)];
          if (may === right && must === right) continue;
          // An address may be a node's, and nodes are of the cluster.
          if (nodes && (typeof from === 'string' || typeof to === 'string') && may && !must) continue;
          const name = (one: RawObject | string): string => (typeof one === 'string' ? one : one.metadata.name);
          assert.fail(
            `seed ${seed}: ${name(from)} to ${name(to)} ${protocol} ${port}: ${right} is right, not ${may},${must}\n${objects.map((one) => JSON.stringify(one)).join('\n')}`,
          );
        }
      }
    };
    for (const from of pods) {
      for (const to of pods) {
        if (from === to) continue;
        const [source, target] = [classOf(from), classOf(to)];
        compare(both(engine.admits(source, 'egress', target), engine.admits(target, 'ingress', source)), from, to);
      }
      for (const address of OUTSIDE.filter((one) => one.includes(':') === six)) {
        const { family, value } = parseAddress(address)!;
        for (const direction of ['egress', 'ingress'] as const) {
          const { answer } = engine
            .reach(classOf(from), direction)
            .addresses.find((one) => one.family === family && one.from <= value && one.to >= value)!;
          if (direction === 'egress') compare(answer, from, address);
          else compare(answer, address, from);
        }
      }
    }
  }
  assert.ok(asked > seeds * 500, `only ${asked} packets`);
  assert.ok(open > asked / 20 && open < (asked * 19) / 20, `${open} of ${asked} are open: the clusters test nothing`);
}
