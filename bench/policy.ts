// Who can talk to whom, from files on disk to JSON: clusters of several sizes, and one with what is hard for classes:
// labels unique to a pod, expressions, blocks of addresses over pods, tiers.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PolicySession } from '#policy';
import { type Figure, median } from './figure.ts';

const TOOL = fileURLToPath(new URL('../../shared/tools/policy-clusters.py', import.meta.url));
const COMMAND = fileURLToPath(new URL('../sallyport', import.meta.url));
const RUNS = 5;
/** Processor seconds and bytes as the kernel accounts for the process and its children. */
const ACCOUNT = `import resource, subprocess, sys
code = subprocess.call(sys.argv[2:], stdout=open(sys.argv[1], 'wb'))
u = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, u.ru_utime + u.ru_stime, u.ru_maxrss)`;

/** Clusters of the shared generator, how often each is measured, and what is promised of it. */
const SIZES = [
  { pods: 1000, policies: 350, runs: RUNS, seconds: 1, megabytes: 200, words: [] },
  { pods: 5000, policies: 1000, runs: 3, seconds: 5, megabytes: 512, words: [] },
  { pods: 100_000, policies: 20_000, runs: 1, seconds: 10, megabytes: 1000, words: ['--summary'] },
] as const;

export async function run(): Promise<Figure[]> {
  if (!existsSync(TOOL) || spawnSync('python3', ['--version']).error !== undefined) {
    console.error('the generator of clusters, or python3, is not there');
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  try {
    const figures: Figure[] = [];
    for (const { pods, policies, runs, seconds, megabytes, words } of SIZES) {
      const manifests = join(folder, `cluster-${pods}`);
      const size = ['--pods', String(pods), '--policies', String(policies)];
      execFileSync('python3', [TOOL, 'scale', ...size, manifests], { stdio: 'ignore' });
      for (const profile of pods === 1000 ? ['specification', 'np-guard'] : ['specification']) {
        const name = `policy map ${words.join(' ')} of ${pods} pods, ${policies} policies, ${profile}`.replace(
          '  ',
          ' ',
        );
        const more = [...words, '--profile', profile];
        figures.push(...measured(name, manifests, join(folder, 'out.json'), more, { runs, seconds, megabytes }));
      }
      if (pods === 1000) figures.push(afterAChange(manifests));
      rmSync(manifests, { recursive: true });
    }
    const hard = join(folder, 'hard');
    writeHard(hard, 1000, 350);
    const name = 'policy map of 1000 pods with labels of their own, expressions, blocks and tiers';
    figures.push(...measured(name, hard, join(folder, 'out.json'), [], { runs: RUNS, seconds: 1, megabytes: 200 }));
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function measured(
  name: string,
  manifests: string,
  out: string,
  words: readonly string[],
  { runs, seconds, megabytes }: { readonly runs: number; readonly seconds: number; readonly megabytes: number },
): Figure[] {
  const times: number[] = [];
  const memory: number[] = [];
  closeSync(openSync(out, 'w'));
  for (let i = 0; i < runs; i++) {
    const command = [COMMAND, 'policy', 'map', manifests, ...words, '--json'];
    const said = execFileSync('python3', ['-c', ACCOUNT, out, ...command], { encoding: 'utf8' });
    const [code, cpu, peak] = said.trim().split(' ').map(Number);
    if (code !== 0) throw new Error(`policy map ended with ${code}`);
    times.push(cpu!);
    memory.push((peak! * 1024) / 1e6);
  }
  const { connections, walls } = JSON.parse(readFileSync(out, 'utf8')) as { connections: unknown[]; walls?: unknown[] };
  const what = walls === undefined ? `${connections.length} rows` : `${walls.length} walls`;
  const note = `${what}, start of the command included, median of ${runs}`;
  return [
    { name: `${name}: processor time`, unit: 's', ours: median(times), promise: { atMost: seconds }, note },
    { name: `${name}: memory`, unit: 'MB', ours: median(memory), promise: { atMost: megabytes }, note },
  ];
}

/** A session in one process; in turn one port of one policy becomes another. */
function afterAChange(manifests: string): Figure {
  let files = readdirSync(manifests).map((name) => ({
    name,
    bytes: readFileSync(join(manifests, name)) as Uint8Array,
  }));
  const session = new PolicySession('specification');
  session.analyse(files);
  const times: number[] = [];
  const at = files.findIndex(({ bytes }) => /port: \d+/.test(new TextDecoder().decode(bytes)));
  for (let i = 0; i < 15; i++) {
    files = files.map((file, position) => {
      if (position !== at) return file;
      const text = new TextDecoder().decode(file.bytes).replace(/(\bport: )\d+/, `$1${9000 + i}`);
      return { name: file.name, bytes: new TextEncoder().encode(text) };
    });
    const before = process.cpuUsage();
    session.analyse(files);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1e6);
  }
  return {
    name: 'analysis again after one change of 1000 pods, 350 policies',
    unit: 's',
    ours: median(times),
    promise: { atMost: 0.1 },
    note: 'in a session, median of 15',
  };
}

/** The worst for classes, and written with braces: each pod has a label of its own that a policy selects, and an address over which blocks lie. */
function writeHard(folder: string, pods: number, policies: number): void {
  mkdirSync(folder);
  const spaces = 20;
  const lines: string[] = [];
  for (let i = 0; i < spaces; i++) {
    lines.push(`apiVersion: v1\nkind: Namespace\nmetadata: { name: ns${i}, labels: { ring: r${i % 4} } }\n---`);
  }
  for (let i = 0; i < pods; i++) {
    lines.push(`apiVersion: v1
kind: Pod
metadata: { name: p${i}, namespace: ns${i % spaces}, labels: { app: a${i % 7}, statefulset.kubernetes.io/pod-name: p${i} } }
spec: { containers: [{ name: c, ports: [{ name: http, containerPort: ${8000 + (i % 5)} }] }] }
status: { podIPs: [{ ip: 10.${i % spaces}.${Math.floor(i / 250)}.${i % 250} }] }
---`);
  }
  for (let i = 0; i < policies; i++) {
    const subject =
      i % 3 === 0
        ? `matchLabels: { statefulset.kubernetes.io/pod-name: p${i * 2} }`
        : `matchLabels: { app: a${i % 7} }`;
    lines.push(`apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: n${i}, namespace: ns${i % spaces} }
spec:
  podSelector: { ${subject} }
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - podSelector: { matchExpressions: [{ key: app, operator: NotIn, values: [a${i % 7}, a${(i + 1) % 7}] }] }
    - namespaceSelector: { matchExpressions: [{ key: ring, operator: In, values: [r${i % 4}] }] }
      podSelector: { matchLabels: { app: a${(i + 2) % 7} } }
    ports: [{ port: http }, { port: ${9000 + (i % 9)}, endPort: 9020 }]
  egress:
  - to: [{ ipBlock: { cidr: 10.${i % spaces}.0.0/16, except: [10.${i % spaces}.${i % 4}.0/24] } }, { ipBlock: { cidr: "fd00:${i % spaces}::/32" } }]
---`);
  }
  for (let i = 0; i < 10; i++) {
    lines.push(`apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: c${i} }
spec:
  tier: ${i < 7 ? 'Admin' : 'Baseline'}
  priority: ${i}
  subject: { namespaces: { matchLabels: { ring: r${i % 4} } } }
  ingress: [{ action: ${i % 2 === 0 ? 'Deny' : 'Pass'}, from: [{ namespaces: { matchExpressions: [{ key: ring, operator: NotIn, values: [r${i % 4}] }] } }], protocols: [{ tcp: { destinationPort: { number: ${9000 + i} } } }] }]
  egress: [{ action: Deny, to: [{ networks: [10.${i}.3.0/24] }] }]
---`);
  }
  writeFileSync(join(folder, 'cluster.yaml'), lines.join('\n'));
}
