import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Expected, FAMILIES_OF_CASES } from './testing/case-families.ts';
import { both, Engine } from './engine.ts';
import { includes, PROTOCOLS } from './port-set.ts';
import { readCluster } from './read-cluster.ts';
import { namespace, networkPolicy, pod } from './testing/map.ts';

const NAMES = ['x', 'y', 'z'].flatMap((space) => ['a', 'b', 'c'].map((name) => `${space}/${name}`));
const PORTS = [80, 81]
  .flatMap((number) =>
    PROTOCOLS.map(
      (protocol) =>
        `{ name: serve-${number}-${protocol.toLowerCase()}, containerPort: ${number}, protocol: ${protocol} }`,
    ),
  )
  .join(', ');

function fits(patterns: string, name: string): boolean {
  return patterns.split(' ').some((one) => new RegExp(`^${one.replaceAll('*', '[a-z]')}$`).test(name));
}

function text(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `"${key}": "${value}"`)
    .join(', ');
}

for (const { name: family, cases } of FAMILIES_OF_CASES) {
  test(`cyclonus, ${family}: ${cases.length} cases are as the words of the API have them, with Calico and with Cilium`, () => {
    for (const { name, policies, labels = {}, ingress = [], egress = [] } of cases) {
      const manifests = [
        ...['x', 'y', 'z'].map((space) => namespace(space, text(labels[space] ?? { ns: space }))),
        ...NAMES.map((one, i) => {
          const [space, own] = one.split('/') as [string, string];
          const ip = `10.0.${1 + Math.floor(i / 3)}.${1 + (i % 3)}`;
          return pod(own, { space, labels: text(labels[one] ?? { pod: own }), ports: PORTS, ip });
        }),
        ...policies.map((spec, i) => {
          const [, space = 'x', own = ''] = /^(?:([xyz]): )?(.*)$/.exec(spec)!;
          return networkPolicy(own, `p${i}`, space);
        }),
      ].join('');
      const { cluster, findings } = readCluster([{ name: 'm.yaml', bytes: new TextEncoder().encode(manifests) }]);
      assert.deepEqual(findings.errors, [], name);
      for (const cni of ['calico', 'cilium'] as const) {
        const engine = new Engine(cluster, 'specification', cni);
        const classOf = (one: string) =>
          engine.classOf(cluster.pods.find((own) => `${own.namespace}/${own.name}` === one)!);
        const passes = (list: readonly Expected[], subject: string, peer: string, port: string): boolean => {
          const own = list.filter(({ of }) => fits(of, subject));
          if (own.length === 0) return true;
          return own.some(
            ({ peers, ports, block }) =>
              (block !== true || cni === 'calico') &&
              fits(peers, peer) &&
              (ports === '*' || ports.split(',').includes(port)),
          );
        };
        for (const from of NAMES) {
          for (const to of NAMES) {
            if (from === to) continue;
            const [source, target] = [classOf(from), classOf(to)];
            const { possible, certain } = both(
              engine.admits(source, 'egress', target),
              engine.admits(target, 'ingress', source),
            );
            for (const protocol of PROTOCOLS) {
              for (const number of [80, 81]) {
                const port = `${protocol} ${number}`;
                const right = passes(egress, from, to, port) && passes(ingress, to, from, port);
                const said = [includes(possible, protocol, number), includes(certain, protocol, number)];
                assert.deepEqual(said, [right, right], `${name} (${cni}): ${from} to ${to} ${port}`);
              }
            }
          }
        }
      }
    }
  });
}
