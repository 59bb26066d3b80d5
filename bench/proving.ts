// Policies enforced by the kernel and probed: 10,000 probes through namespaces and rules, beside as many that go through
// neither (from the node to itself), and beside the whole verb with its three rounds.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { analyse, EnforcedCluster } from '#policy';
import { openGround, planProbes } from '#proving';
import { type Figure, median } from './figure.ts';
import { measured } from './measured.ts';

const COMMAND = fileURLToPath(new URL('../sallyport', import.meta.url));
const PROBES = 10_000;
const PODS = 40;
const RUNS = 3;

/** Each pod may be called by the next one, on one port, and nobody else by anybody. */
function manifests(): string {
  const pods = Array.from({ length: PODS }, (_, i) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${i}`, namespace: 'bench', labels: { app: `a${i}` } },
    spec: { containers: [{ name: 'c', ports: [{ containerPort: 8080 }] }] },
  }));
  const policies = pods.map((_, i) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `n${i}`, namespace: 'bench' },
    spec: {
      podSelector: { matchLabels: { app: `a${i}` } },
      policyTypes: ['Ingress'],
      ingress: [
        { from: [{ podSelector: { matchLabels: { app: `a${(i + 1) % PODS}` } } }], ports: [{ port: 8080 }] },
        {
          from: [
            {
              podSelector: {
                matchExpressions: [
                  { key: 'app', operator: 'In', values: [`a${(i + 2) % PODS}`, `a${(i + 3) % PODS}`] },
                ],
              },
            },
          ],
        },
      ],
    },
  }));
  const items = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bench' } }, ...pods, ...policies];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

export async function run(): Promise<Figure[]> {
  const text = manifests();
  const { cluster } = analyse([{ name: 'm.json', bytes: new TextEncoder().encode(text) }], 'specification', 'enclave');
  const enforced = new EnforcedCluster(cluster);
  const questions = enforced.questions(1_000_000)!.slice(0, PROBES);
  const plan = planProbes(enforced, questions);
  const ground = await openGround({ env: process.env, signal: new AbortController().signal, places: plan.places });
  if ('forbidden' in ground) {
    console.error(`no namespaces: ${ground.forbidden}`);
    return [];
  }
  const ours: number[] = [];
  const bare: number[] = [];
  let closed = 0;
  try {
    await ground.rules(enforced.ruleset({ established: 'kept' }).text);
    await ground.listen(plan.listeners);
    const asked = plan.probes.slice(0, questions.length);
    // The node's own listeners: no link, no rule, the same calls.
    const home = plan.listeners.flatMap(({ place }, i) => (place === 0 ? [i] : []));
    const node = plan.probes.filter(({ place, to }) => place === 0 && !home.includes(to));
    const near = asked.map((_, i) => {
      const to = home[i % home.length]!;
      return { place: 0, source: plan.listeners[to]!.address, to };
    });
    for (let i = 0; i < RUNS; i++) {
      const one = await ground.round(asked, 250);
      closed = one.seen.filter((seen) => seen === 'n').length;
      ours.push(one.milliseconds / 1000);
      const other = await ground.round(near, 250);
      if (other.seen.some((seen) => seen !== 'o')) throw new Error('a probe of the node to itself was lost');
      bare.push(other.milliseconds / 1000);
    }
    if (node.length === 0 || closed === 0) throw new Error('the cluster is not what it should be');
  } finally {
    await ground.close();
  }
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  try {
    mkdirSync(join(folder, 'm'));
    writeFileSync(join(folder, 'm', 'cluster.json'), text);
    const assertions = questions.slice(0, PROBES / 2).map(({ from, to, port, protocol, family }) => ({
      from: enforced.nameOf(from, family),
      to: enforced.nameOf(to, family),
      port,
      protocol: protocol.toLowerCase(),
      expect: enforced.answer({ from, to, port, protocol, family }) === 'allowed' ? 'allow' : 'deny',
      reason: 'bench',
    }));
    writeFileSync(join(folder, 'a.json'), JSON.stringify({ 'sallyport-assertions': '1.0', assertions }));
    const whole = await measured(COMMAND, [
      'policy',
      'prove',
      join(folder, 'm'),
      '--file',
      join(folder, 'a.json'),
      '--json',
      '--log',
      'quiet',
    ]);
    if (whole.code !== 0) throw new Error(`policy prove ended with ${whole.code}: ${whole.out.slice(0, 2000)}`);
    const { rounds, probes } = JSON.parse(whole.out) as { rounds: number; probes: number };
    return [
      {
        name: `${PROBES} live probes, one round`,
        unit: 's',
        ours: median(ours),
        promise: { atMost: 10 },
        note: `${PODS} pods, ${closed} of them closed, both families, TCP and UDP, median of ${RUNS}`,
      },
      {
        name: `${PROBES} live probes beside bare ones`,
        unit: 's',
        ours: median(ours),
        peer: { name: 'from the node to itself, without links and rules,', value: median(bare) },
      },
      {
        name: 'policy prove, the whole verb',
        unit: 's',
        ours: whole.seconds,
        promise: { atMost: 30 },
        note: `${assertions.length} assertions in both families, ${rounds} rounds of ${probes} probes with controls`,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
