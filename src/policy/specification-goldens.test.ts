import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeFiles } from '#system';
import { analyse } from './analysis.ts';
import { type Connectivity, type OutsideRow, reasonsOf } from './connections.ts';
import { type Answer, NOTHING } from './engine.ts';
import { manifestsBelow } from './io/manifests.ts';
import { intersect, portText } from './port-set.ts';

const DATA = join(import.meta.dirname, '../../../shared/data/netpol-golden/manifests');
const missing = existsSync(DATA) ? false : `${DATA} is not beside the repository`;

const NODES = 'which addresses nodes, domain names, groups and entities have is in no manifest';

/** What the specification says where the answer is not that of netpol-analyzer; nothing else may be otherwise. */
const SENTENCES: Readonly<Record<string, string>> = {
  // kubernetes.io, network-policies.md; that pods are allowed and denied by their address too is in Kubernetes'
  // test/e2e/network/netpol/network_policy.go, and ClusterNetworkPolicy says that its networks cover pods.
  'NP-11': 'ipBlock: These should be cluster-external IPs, since Pod IPs are ephemeral and unpredictable.',
  // kubernetes.io, network-policies.md, "NetworkPolicy and hostNetwork pods".
  'NP-16': 'NetworkPolicy behaviour for hostNetwork pods is undefined.',
  // network-policy-api, the peer `nodes`: their addresses are in the status of Node objects, which no folder has.
  [NODES]: 'It selects the nodeIPs as the peer type by matching on the IPs present in the node.Status.Addresses field.',
};

/** In all other folders the two are the same, row by row. */
const HOSTS = 'NP-16';
const DEVIATIONS: Readonly<Record<string, readonly string[]>> = {
  anp_and_banp_using_networks_and_nodes_test: ['NP-11', HOSTS, NODES],
  anp_and_banp_using_networks_with_ipv6_test: ['NP-11'],
  anp_banp_test_multiple_warnings: ['NP-11', HOSTS, NODES],
  ipblockstest_2: [HOSTS],
  ipblockstest_3: [HOSTS],
  'semanticDiff-same-topologies-new2': [HOSTS],
  'semanticDiff-same-topologies-old1': [HOSTS],
  'semanticDiff-same-topologies-old2': [HOSTS],
};

interface Compared {
  readonly what: string;
  readonly theirs: Answer;
  readonly ours: Answer;
}

/** Every pair of peers, and every place where a range begins, in both maps. */
function compared(theirs: Connectivity, ours: Connectivity): Compared[] {
  const index = (map: Connectivity): Map<string, Answer> => {
    const answers = new Map<string, Answer>();
    for (const { from, to, answer } of map.pairs) answers.set(`${map.peers[from]} => ${map.peers[to]}`, answer);
    for (const { to, answer } of map.entrances) answers.set(`entrance => ${map.peers[to]}`, answer);
    return answers;
  };
  const [a, b] = [index(theirs), index(ours)];
  const out = [...new Set([...a.keys(), ...b.keys()])].map((what) => ({
    what,
    theirs: a.get(what) ?? NOTHING,
    ours: b.get(what) ?? NOTHING,
  }));
  const outsideOf = (map: Connectivity): Map<string, OutsideRow[]> =>
    Map.groupBy(map.outside, ({ peer, direction }) => `${direction} ${map.peers[peer]}`);
  const [theirOutside, ourOutside] = [outsideOf(theirs), outsideOf(ours)];
  const at = (rows: readonly OutsideRow[] | undefined, family: number, value: bigint): Answer =>
    rows?.find(({ range }) => range.family === family && range.from <= value && range.to >= value)?.answer ?? NOTHING;
  const starts = new Set(
    [...theirs.outside, ...ours.outside].flatMap(({ range }) => [
      `${range.family} ${range.from}`,
      `${range.family} ${range.to + 1n}`,
    ]),
  );
  for (const peer of theirs.peers) {
    for (const direction of ['ingress', 'egress']) {
      for (const start of starts) {
        const [family, value] = start.split(' ') as [string, string];
        const ask = (rows: Map<string, OutsideRow[]>): Answer =>
          at(rows.get(`${direction} ${peer}`), Number(family), BigInt(value));
        out.push({ what: `${direction} ${peer} ${start}`, theirs: ask(theirOutside), ours: ask(ourOutside) });
      }
    }
  }
  return out;
}

test(
  'by the specification only what is listed here is answered otherwise than by netpol-analyzer',
  { skip: missing },
  async () => {
    const found: Record<string, string[]> = {};
    let same = 0;
    for (const folder of readdirSync(DATA)) {
      const files = await manifestsBelow(nodeFiles, join(DATA, folder));
      const [theirs, ours] = (['np-guard', 'specification'] as const).map(
        (profile) => analyse(files, profile).connectivity,
      );
      if (theirs === undefined || ours === undefined) continue;
      const reasons = new Set<string>();
      for (const one of compared(theirs, ours)) {
        const { possible, certain, why } = one.ours;
        if (possible === one.theirs.possible && certain === possible) {
          same++;
          continue;
        }
        // What netpol-analyzer says is among what is possible, and has at least what is certain.
        const between =
          intersect(one.theirs.possible, possible) === one.theirs.possible &&
          intersect(certain, one.theirs.possible) === certain;
        assert.ok(
          between,
          `${folder}: ${one.what}: ${portText(certain)} to ${portText(possible)}, not ${portText(one.theirs.possible)}`,
        );
        assert.notEqual(why, 0, `${folder}: ${one.what}`);
        for (const reason of reasonsOf(why)) reasons.add(/^NP-\d+/.exec(reason)?.[0] ?? reason);
      }
      if (reasons.size > 0) found[folder] = [...reasons].sort();
    }
    assert.deepEqual(found, DEVIATIONS);
    const reasons = [...new Set(Object.values(found).flat())].sort();
    assert.deepEqual(reasons, Object.keys(SENTENCES).sort(), 'each has a sentence, and no sentence is idle');
    assert.ok(same > 1000, `only ${same} pairs are the same`);
  },
);
