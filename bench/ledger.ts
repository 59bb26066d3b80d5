import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Figure, median } from './figure.ts';
import { type Measured, measured } from './measured.ts';

const SECONDS = 4;
const ROUNDS = 3;
const here = join(import.meta.dirname, 'appenders');

interface Load {
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Bytes. */
  readonly memory: number;
}

function loadOf({ code, out, peakMemory }: Measured): Load {
  if (code !== 0) throw new Error(`appenders ended with ${code}`);
  const { entries, seconds, p50, p99 } = JSON.parse(out) as Record<'entries' | 'seconds' | 'p50' | 'p99', number>;
  return { rate: entries / seconds, p50, p99, memory: peakMemory };
}

/** The floor of any durable store: a 4 KiB write, fsync, rename, fsync of the folder, one after the other. */
async function fsyncLoop(folder: string): Promise<number> {
  const bytes = Buffer.alloc(4096, 'x');
  const start = performance.now();
  let count = 0;
  for (; performance.now() < start + 1000; count++) {
    const file = await open(`${folder}/temporary`, 'w');
    await file.write(bytes);
    await file.sync();
    await file.close();
    await rename(`${folder}/temporary`, `${folder}/file`);
    const parent = await open(folder, 'r');
    await parent.sync();
    await parent.close();
  }
  return count / ((performance.now() - start) / 1000);
}

/**
 * Closed loops of appenders, 1 KiB of random bytes an entry, answered when a signed checkpoint that covers the entry is
 * on the disk: ours and Tessera v1.0.4 (POSIX driver, antispam off, its shortest interval of checkpoints, 100 ms), each
 * in a process of its own, in turn, on one file system; between them a raw loop of durable writes, which is the disk.
 */
export async function run(): Promise<Figure[]> {
  const work = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const figures: Figure[] = [];
  try {
    const peer = `${work}/peer`;
    execFileSync('go', ['build', '-trimpath', '-o', peer, '.'], { cwd: here, stdio: ['ignore', 'inherit', 'inherit'] });
    let round = 0;
    const inFolder = async <T>(body: (folder: string) => Promise<T>): Promise<T> => {
      const folder = await mkdtemp(join(work, `${(round += 1)}-`));
      try {
        return await body(folder);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    };
    const ourLoad = (appenders: number, kind: 'entry' | 'statement'): Promise<Load> =>
      inFolder(async (folder) =>
        loadOf(
          await measured(process.execPath, [
            `${here}/ours.ts`,
            `${folder}/ledger`,
            String(appenders),
            String(SECONDS),
            kind,
          ]),
        ),
      );
    const peerLoad = (appenders: number): Promise<Load> =>
      inFolder(async (folder) => loadOf(await measured(peer, [`${folder}/log`, String(appenders), String(SECONDS)])));

    for (const appenders of [64, 256]) {
      const ours: Load[] = [];
      const peers: Load[] = [];
      const disk: number[] = [];
      for (let i = 0; i < ROUNDS; i++) {
        disk.push(await inFolder(fsyncLoop));
        peers.push(await peerLoad(appenders));
        ours.push(await ourLoad(appenders, 'entry'));
      }
      const of = (loads: readonly Load[], what: keyof Load): number => median(loads.map((load) => load[what]));
      const note = `${ROUNDS} rounds of ${SECONDS} s; a raw loop of durable 4 KiB writes made ${median(disk).toFixed(0)}/s`;
      const name = `ledger, ${appenders} appenders`;
      figures.push(
        {
          name: `${name}: entries`,
          unit: '1/s',
          ours: of(ours, 'rate'),
          peer: { name: 'Tessera 1.0.4', value: of(peers, 'rate') },
          promise: { atLeast: 8 },
          note,
        },
        {
          name: `${name}: wait, p50`,
          unit: 'ms',
          ours: of(ours, 'p50'),
          promise: { atMost: 20 },
          note: `Tessera ${of(peers, 'p50').toFixed(0)} ms; p99 ${of(ours, 'p99').toFixed(0)} and ${of(peers, 'p99').toFixed(0)} ms`,
        },
        {
          name: `${name}: memory`,
          unit: 'MB',
          ours: of(ours, 'memory') / 1e6,
          promise: { atMost: 150 },
          note: `Tessera ${(of(peers, 'memory') / 1e6).toFixed(0)} MB`,
        },
      );
      const statements = [await ourLoad(appenders, 'statement'), await ourLoad(appenders, 'statement')];
      figures.push({
        name: `ledger, ${appenders} appenders: signed statements`,
        unit: '1/s',
        ours: of(statements, 'rate'),
        note: `each a file of its own beside its entry; p50 ${of(statements, 'p50').toFixed(1)} ms`,
      });
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return figures;
}
