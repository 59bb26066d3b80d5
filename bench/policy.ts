// Who can talk to whom in a cluster of 1,000 pods and 350 policies, from files on disk to JSON.
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Figure, median } from './figure.ts';

const TOOL = fileURLToPath(new URL('../../shared/tools/policy-clusters.py', import.meta.url));
const COMMAND = fileURLToPath(new URL('../sallyport', import.meta.url));
const RUNS = 5;
/** Processor seconds and bytes as the kernel accounts for the process and its children. */
const ACCOUNT = `import resource, subprocess, sys
code = subprocess.call(sys.argv[2:], stdout=open(sys.argv[1], 'wb'))
u = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, u.ru_utime + u.ru_stime, u.ru_maxrss)`;

export async function run(): Promise<Figure[]> {
  if (!existsSync(TOOL) || spawnSync('python3', ['--version']).error !== undefined) {
    console.error('the generator of clusters, or python3, is not there');
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  try {
    const manifests = join(folder, 'cluster');
    const out = join(folder, 'out.json');
    execFileSync('python3', [TOOL, 'scale', '--pods', '1000', '--policies', '350', manifests], { stdio: 'ignore' });
    closeSync(openSync(out, 'w'));
    const figures: Figure[] = [];
    for (const profile of ['specification', 'np-guard']) {
      const seconds: number[] = [];
      const memory: number[] = [];
      for (let i = 0; i < RUNS; i++) {
        const words = [COMMAND, 'policy', 'map', manifests, '--profile', profile, '--json'];
        const said = execFileSync('python3', ['-c', ACCOUNT, out, ...words], { encoding: 'utf8' });
        const [code, cpu, peak] = said.trim().split(' ').map(Number);
        if (code !== 0) throw new Error(`policy map ended with ${code}`);
        seconds.push(cpu!);
        memory.push((peak! * 1024) / 1e6);
      }
      const rows = (JSON.parse(readFileSync(out, 'utf8')) as { connections: unknown[] }).connections.length;
      const note = `${rows} rows, start of the command included, median of ${RUNS}`;
      figures.push(
        {
          name: `policy map, ${profile}: processor time`,
          unit: 's',
          ours: median(seconds),
          promise: { atMost: 1 },
          note,
        },
        { name: `policy map, ${profile}: memory`, unit: 'MB', ours: median(memory), promise: { atMost: 200 }, note },
      );
    }
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
