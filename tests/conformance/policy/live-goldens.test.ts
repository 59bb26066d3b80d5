import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { analyse, EnforcedCluster, manifestsBelow, peerName, type Question } from '#policy';
import { nodeFiles } from '#system';
import { used } from '../../components.ts';
import { compareLive, inLanes, unable } from './live.ts';

const SHARED = join(import.meta.dirname, '../../../../shared/data');
const skip = existsSync(SHARED) ? unable : `${SHARED} is not beside the repository`;

/** Folders of which nothing is asked, and why. */
const NOT_RUN: Readonly<Record<string, readonly string[]>> = {
  'the analysis refuses it: bad policies, bad pods, bad text': [
    ...[1, 14, 15, 17, 18, 19, 2, 3, 8, 9].map((n) => `anp_bad_path_test_${n}`),
    ...[1, 11, 12, 3, 4, 6, 8].map((n) => `banp_bad_path_test_${n}`),
    ...[2, 3, 4, 5].map((n) => `malformed-pod-example-${n}`),
    'nad_test_12',
    'np_bad_path_test_1',
    'np_bad_path_test_2',
  ],
  'it has no pods that can be read as such': ['missing_workload_resources', 'udn_with_ingress_controller_two_pods'],
  "its pods are in their node's network (NP-16)": [
    'semanticDiff-same-topologies-new2',
    'semanticDiff-same-topologies-old1',
    'semanticDiff-same-topologies-old2',
  ],
};
const NODES = (name: string): string =>
  `AdminNetworkPolicy ${name}: a rule names nodes, whose addresses no manifest says`;
/** Folders of which some is not asked, and why. */
const IN_PART: Readonly<Record<string, readonly string[]>> = {
  anp_and_banp_using_networks_and_nodes_test: [NODES('egress-peer-1')],
  anp_banp_test_multiple_warnings: [NODES('pass-example')],
};

test(
  'the kernel lets through what the analysis says, for every folder of the goldens that it can be asked about',
  { skip },
  async () => {
    const manifests = join(SHARED, 'netpol-golden/manifests');
    const wrong: string[] = [];
    const notRun: string[] = [];
    const inPart: Record<string, string[]> = {};
    let [folders, open, closed] = [0, 0, 0];
    await inLanes(readdirSync(manifests), 3, async (folder) => {
      const files = await manifestsBelow(nodeFiles, join(manifests, folder));
      const { cluster, connectivity } = analyse(files, 'specification', 'enclave');
      const enforced = connectivity === undefined ? undefined : new EnforcedCluster(cluster);
      const questions = enforced?.questions(100_000) ?? [];
      const able = questions.filter((one) => enforced?.untestable(one) === undefined);
      if (enforced === undefined || able.length === 0) {
        notRun.push(folder);
        return;
      }
      const reasons = new Set(questions.map((one) => enforced.untestable(one)).filter((one) => one !== undefined));
      if (reasons.size > 0) inPart[folder] = [...reasons].sort();
      const live = await compareLive(enforced, able);
      folders++;
      open += live.open;
      closed += live.closed;
      wrong.push(...live.differences.map((one) => `${folder}: ${one}`));
    });
    assert.deepEqual(wrong, []);
    assert.deepEqual(notRun.sort(), Object.values(NOT_RUN).flat().sort());
    assert.deepEqual(inPart, IN_PART);
    assert.ok(folders >= 119 && open > 30_000 && closed > 10_000, `${folders} folders, ${open} open, ${closed} closed`);
    used(
      'network policies of netpol-analyzer, enforced by the kernel',
      `${folders} folders, ${open + closed} probes`,
      'shared data',
    );
  },
);

interface Case {
  readonly id: string;
  readonly objects: readonly unknown[];
  readonly pokes: readonly {
    readonly from: string;
    readonly to: string;
    readonly protocol: string;
    readonly port: number;
    readonly allowed: boolean;
  }[];
}

test(
  'the kernel answers the pokes of ClusterNetworkPolicy conformance as upstream does, but for SCTP',
  { skip },
  async () => {
    const text = gunzipSync(readFileSync(join(SHARED, 'cnp-conformance.jsonl.gz'))).toString();
    const cases = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Case);
    const wrong: string[] = [];
    let [pokes, sctp] = [0, 0];
    await inLanes(cases, 3, async ({ id, objects, pokes: asked }) => {
      const bytes = new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
      const { cluster } = analyse([{ name: `${id}.json`, bytes }], 'specification', 'enclave');
      const enforced = new EnforcedCluster(cluster);
      // A poke names a replica, of which the manifests have the workload.
      const podOf = (replica: string) => ({
        is: 'pod' as const,
        pod: cluster.pods.findIndex((pod) => peerName(pod).startsWith(`${replica.replace(/-\d+$/, '')}[`)),
      });
      const real = asked.filter(({ protocol }) => protocol !== 'SCTP');
      sctp += asked.length - real.length;
      const questions = real.flatMap(({ from, to, protocol, port }): Question[] =>
        ([4, 6] as const).map((family) => ({
          from: podOf(from),
          to: podOf(to),
          family,
          protocol: protocol as 'TCP' | 'UDP',
          port,
        })),
      );
      if (questions.length === 0) return;
      assert.deepEqual([...new Set(questions.map((one) => enforced.untestable(one)))], [undefined], id);
      const { differences } = await compareLive(enforced, questions);
      wrong.push(...differences.map((one) => `${id}: ${one}`));
      // And what the analysis says is what upstream says.
      for (const [i, { allowed }] of real.entries()) {
        pokes++;
        const answer = enforced.answer(questions[2 * i]!);
        if (answer !== (allowed ? 'allowed' : 'denied')) wrong.push(`${id}: poke ${i} is ${answer}`);
      }
    });
    assert.deepEqual(wrong, []);
    assert.equal(pokes + sctp, 141);
    assert.ok(pokes >= 90, `only ${pokes} were asked`);
  },
);
