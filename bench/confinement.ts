import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEnclave } from '#enclave';
import { debianTools, runProcess } from '#system';
import { type Figure, median } from './figure.ts';

const RUNS = 31;
const MACHINES = ['a', 'b', 'c', 'd', 'e'];
const PROGRAM = '/bin/true';

/** What it adds to a program's start that it is confined: a container, its view of the machine, its limits, its filter. */
export async function run(): Promise<Figure[]> {
  const { ip, nft, runc } = await debianTools(['ip', 'nft', 'runc'], { env: process.env });
  const work = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const env = { PATH: '/usr/bin:/bin' };
  const enclave = await openEnclave({
    machines: MACHINES,
    flows: [],
    writable: [work],
    env: process.env,
    tools: { ip: ip.path, nft: nft.path, runc: runc.path },
    signal: new AbortController().signal,
  });
  const confined = async (machine: string): Promise<void> => {
    const ended = await enclave.run(machine, PROGRAM, [], { cwd: work, env });
    if (ended.code !== 0) throw new Error(ended.stderr);
  };
  const timed = async (what: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await what();
    return (performance.now() - began) / 1000;
  };
  try {
    const inside: number[] = [];
    const plain: number[] = [];
    const together: number[] = [];
    // In turn: what else this machine does falls on all of them.
    for (let n = 0; n <= RUNS; n++) {
      const [a, b] = [await timed(() => confined('a')), await timed(() => runProcess(PROGRAM, [], { cwd: work, env }))];
      const c = n % 5 === 0 ? await timed(() => Promise.all(MACHINES.map(confined))) : undefined;
      // The first one binds the tools.
      if (n === 0) continue;
      inside.push(a);
      plain.push(b);
      if (c !== undefined) together.push(c);
    }
    const added = median(inside.map((one, index) => one - (plain[index] ?? 0)));
    const least = Math.min(...inside) - Math.min(...plain);
    return [
      {
        name: 'a confined start, beyond a plain one',
        unit: 's',
        ours: added,
        promise: { atMost: 0.12 },
        note: `median of ${RUNS}; the shortest ${least.toFixed(3)} s; ${PROGRAM}`,
      },
      {
        name: `${MACHINES.length} confined starts at once`,
        unit: 's',
        ours: median(together),
        peer: { name: 'one', value: median(inside) },
      },
    ];
  } finally {
    await enclave.close();
    await rm(work, { recursive: true, force: true });
  }
}
