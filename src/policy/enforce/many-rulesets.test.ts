import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeFiles } from '#system';
import { addressText, FAMILIES, type Family, parseAddress } from '../addresses.ts';
import { analyse } from '../analysis.ts';
import { manifestsBelow } from '../io/manifests.ts';
import { admitsPacket, type RawObject } from '../testing/packets.ts';
import { RulesetJudge } from '../testing/ruleset-judge.ts';
import { EnforcedCluster, type Question } from './enforced-cluster.ts';

const SHARED = join(import.meta.dirname, '../../../../shared');
const TOOL = join(SHARED, 'tools/policy-clusters.py');
const GOLDENS = join(SHARED, 'data/netpol-golden/manifests');
const PORTS = [1, 53, 79, 80, 81, 443, 444, 5432, 8080, 8081, 32767, 65535];
const OUTSIDE: Readonly<Record<Family, readonly string[]>> = {
  4: ['8.8.8.8', '10.255.255.255', '192.168.1.1', '172.16.0.1'],
  6: ['2001:db8::1', 'fd00:ffff::1'],
};

function enforcedOf(name: string, items: readonly unknown[]): EnforcedCluster {
  const bytes = new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const { cluster, connectivity, findings } = analyse([{ name: `${name}.json`, bytes }], 'specification', 'enclave');
  assert.ok(connectivity, findings.map(({ where, detail }) => `${where}: ${detail}`).join('\n'));
  return new EnforcedCluster(cluster);
}

function judgeOf(cluster: EnforcedCluster): (question: Question) => boolean {
  const judge = new RulesetJudge(cluster.ruleset({ established: 'kept' }).text);
  return ({ from, to, family, protocol, port }) =>
    judge.letsThrough({
      family,
      saddr: cluster.addressOf(from, family)!,
      daddr: cluster.addressOf(to, family)!,
      protocol: protocol.toLowerCase() as 'tcp',
      dport: port,
    });
}

test(
  'the rules let through what a judge of single packets lets through, on random clusters',
  { skip: existsSync(TOOL) ? false : `${TOOL} is not beside the repository` },
  (t) => {
    const words = [TOOL, 'random', '--count', '300', '--seed', '11'];
    const run = spawnSync('python3', words, { encoding: 'utf8', maxBuffer: 1 << 30 });
    if (run.error !== undefined) return t.skip('python3 is not on this machine');
    let asked = 0;
    for (const line of run.stdout.trim().split('\n')) {
      const { id, objects } = JSON.parse(line) as { id: string; objects: RawObject[] };
      const cluster = enforcedOf(id, objects);
      assert.deepEqual(cluster.left, [], id);
      const lets = judgeOf(cluster);
      for (const family of FAMILIES) {
        // The judge is told of the one address that a packet of this family has.
        const placed = new Map(
          cluster.placement.pods.map(({ pod, addresses }) => [
            `${pod.namespace}/${pod.name}`,
            addresses[family] === undefined ? [] : [{ ip: addressText(family, addresses[family]) }],
          ]),
        );
        const own = objects.map((one) =>
          one.kind === 'Pod'
            ? { ...one, status: { podIPs: placed.get(`${one.metadata.namespace}/${one.metadata.name}`) } }
            : one,
        );
        const pods = cluster.placement.pods.map(({ pod }) =>
          own.find(
            ({ kind, metadata }) =>
              kind === 'Pod' && metadata.namespace === pod.namespace && metadata.name === pod.name,
          )!,
        );
        const ends = [
          ...pods.map((pod, i) => ({ raw: pod as RawObject | string, end: { is: 'pod', pod: i } as const })),
          ...OUTSIDE[family].map((text) => ({
            raw: text as RawObject | string,
            end: { is: 'address', value: parseAddress(text)!.value } as const,
          })),
        ];
        for (const from of ends) {
          for (const to of ends) {
            if (from.end.is === 'address' && to.end.is === 'address') continue;
            for (const protocol of ['TCP', 'UDP'] as const) {
              for (const port of PORTS) {
                const question = { from: from.end, to: to.end, family, protocol, port };
                if (cluster.untestable(question) !== undefined) continue;
                asked++;
                const right = admitsPacket(own, { from: from.raw, to: to.raw, protocol, port });
                if (lets(question) === right) continue;
                assert.fail(
                  `${id}: ${cluster.nameOf(from.end, family)} to ${cluster.nameOf(to.end, family)} ${protocol} ${port}: ${right} is right\n${cluster.ruleset({ established: 'kept' }).text}`,
                );
              }
            }
          }
        }
      }
    }
    assert.ok(asked > 300_000, `only ${asked} packets`);
  },
);

const LABELS = [{ app: 'a' }, { app: 'b' }, { app: 'a', tier: 'x' }, {}];
const selector = fc.constantFrom(
  {},
  { matchLabels: { app: 'a' } },
  { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] },
  { matchExpressions: [{ key: 'tier', operator: 'Exists' }] },
  { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] },
);
const podPeer = fc.oneof(
  fc.record({ namespaces: fc.constantFrom({}, { matchLabels: { env: 'prod' } }) }),
  fc.record({
    pods: fc.record({
      namespaceSelector: fc.constantFrom({}, { matchLabels: { env: 'prod' } }),
      podSelector: selector,
    }),
  }),
);
const networks = fc.record({
  networks: fc.uniqueArray(
    fc.constantFrom('10.1.0.0/16', '10.1.0.1/32', '0.0.0.0/0', '::/0', 'fd00::/16', '192.0.2.0/24'),
    {
      minLength: 1,
      maxLength: 2,
    },
  ),
});
const protocols = fc.array(
  fc.constantFrom(
    { tcp: { destinationPort: { number: 80 } } },
    { udp: { destinationPort: { range: { start: 50, end: 60 } } } },
    { tcp: { destinationPort: { range: { start: 80, end: 8080 } } } },
    { destinationNamedPort: 'http' },
  ),
  { maxLength: 2 },
);
const ruleOf = (peers: 'from' | 'to') =>
  fc
    .record({
      action: fc.constantFrom('Accept', 'Deny', 'Pass'),
      peers: fc.array(peers === 'to' ? fc.oneof(podPeer, networks) : podPeer, { minLength: 1, maxLength: 2 }),
      protocols,
    })
    .map(({ action, peers: list, protocols: ports }) => ({
      action,
      [peers]: list,
      ...(ports.length === 0 ? {} : { protocols: ports }),
    }));
const clusterPolicy = fc.record({
  tier: fc.constantFrom('Admin', 'Baseline'),
  subject: podPeer,
  ingress: fc.array(ruleOf('from'), { maxLength: 3 }),
  egress: fc.array(ruleOf('to'), { maxLength: 3 }),
});
const networkPolicies = fc.array(
  fc.record({
    podSelector: selector,
    policyTypes: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: fc.array(fc.record({ from: fc.array(fc.record({ podSelector: selector }), { maxLength: 2 }) }), {
      maxLength: 2,
    }),
  }),
  { maxLength: 2 },
);

test('the rules let through what the analysis says, on random policies of all tiers', () => {
  let asked = 0;
  fc.assert(
    fc.property(fc.array(clusterPolicy, { maxLength: 4 }), networkPolicies, (policies, network) => {
      const items = [
        ...['prod', 'test'].map((name) => ({
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name, labels: { env: name } },
        })),
        ...LABELS.flatMap((labels, i) =>
          ['prod', 'test'].map((namespace, n) => ({
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name: `p${i}`, namespace, labels },
            spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: i === 0 ? 80 : 8080 }] }] },
            status: { podIPs: [{ ip: `10.${n + 1}.0.${i + 1}` }, { ip: `fd0${n}::${i + 1}` }] },
          })),
        ),
        ...policies.map((spec, i) => ({
          apiVersion: 'policy.networking.k8s.io/v1alpha2',
          kind: 'ClusterNetworkPolicy',
          metadata: { name: `c${i}` },
          spec: { ...spec, priority: i },
        })),
        ...network.map((spec, i) => ({
          apiVersion: 'networking.k8s.io/v1',
          kind: 'NetworkPolicy',
          metadata: { name: `n${i}`, namespace: 'prod' },
          spec,
        })),
      ];
      const cluster = enforcedOf('tiers', items);
      const lets = judgeOf(cluster);
      for (const question of cluster.questions(100_000)!) {
        asked++;
        assert.equal(lets(question) ? 'allowed' : 'denied', cluster.answer(question));
      }
    }),
    { numRuns: 120 },
  );
  assert.ok(asked > 0);
});

test(
  'the rules of every golden let through what the analysis says',
  { skip: existsSync(GOLDENS) ? false : `${GOLDENS} is not beside the repository` },
  async () => {
    let asked = 0;
    for (const folder of readdirSync(GOLDENS)) {
      const { cluster, connectivity } = analyse(
        await manifestsBelow(nodeFiles, join(GOLDENS, folder)),
        'specification',
        'enclave',
      );
      if (connectivity === undefined) continue;
      const enforced = new EnforcedCluster(cluster);
      const lets = judgeOf(enforced);
      for (const question of enforced.questions(100_000)!) {
        if (enforced.untestable(question) !== undefined) continue;
        asked++;
        const { from, to, family, protocol, port } = question;
        const ends = `${enforced.nameOf(from, family)} to ${enforced.nameOf(to, family)} ${protocol} ${port}`;
        assert.equal(lets(question) ? 'allowed' : 'denied', enforced.answer(question), `${folder}: ${ends}`);
      }
    }
    assert.ok(asked > 50_000, `only ${asked} packets`);
  },
);
