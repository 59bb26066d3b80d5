import { mkdtemp, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLog } from '#ledger';
import { testSigner } from '#ledger/testing';
import { nodeFiles } from '#system';

/** One ratio of a run: ours beside the peer's, both measured in turn on the same disk. */
export interface Figure {
  readonly name: string;
  readonly ratio: number;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number;
  readonly note: string;
}

const SECONDS = 2;
const ROUNDS = 3;

/** Entries a second that are under a durable signed checkpoint, and the median wait, with closed-loop appenders. */
async function appends(
  folder: string,
  appenders: number,
  kind: 'entry' | 'statement',
): Promise<{ rate: number; p50: number }> {
  const ledger = await openLog(nodeFiles, folder, testSigner(), { now: () => Date.now() });
  const waits: number[] = [];
  const start = performance.now();
  const end = start + SECONDS * 1000;
  let counter = 0;
  await Promise.all(
    Array.from({ length: appenders }, async () => {
      while (performance.now() < end) {
        const from = performance.now();
        counter += 1;
        if (kind === 'entry') {
          const entry = Buffer.alloc(1024, 'x');
          entry.writeUInt32BE(counter);
          await ledger.appendEntry(entry);
        } else {
          await ledger.append({
            predicateType: 'sallyport/sealed/v1',
            subject: [{ name: `bundle ${counter}`, digest: { sha256: 'ab'.repeat(32) } }],
            predicate: { counter },
          });
        }
        waits.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  await ledger.close();
  waits.sort((a, b) => a - b);
  return { rate: waits.length / seconds, p50: waits[waits.length >> 1] ?? 0 };
}

/** The floor of any durable store: a 4 KiB write, fsync, rename, fsync of the folder, one after the other. */
async function fsyncLoop(folder: string): Promise<number> {
  const bytes = Buffer.alloc(4096, 'x');
  const start = performance.now();
  let count = 0;
  for (; performance.now() < start + SECONDS * 1000; count++) {
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

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

/**
 * Appends beside a raw loop of durable writes on the same file system. For orientation: where Tessera v1.0.4 (POSIX
 * driver, entries published, 256 appenders) made about 1,600 entries a second, a loop of 4 KiB write and fsync made 215.
 */
export async function run(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [kind, appenders] of [
    ['entry', 64],
    ['entry', 256],
    ['statement', 64],
    ['statement', 256],
  ] as const) {
    const ours: number[] = [];
    const waits: number[] = [];
    const peers: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
      try {
        peers.push(await fsyncLoop(folder));
        const { rate, p50 } = await appends(`${folder}/ledger`, appenders, kind);
        ours.push(rate);
        waits.push(p50);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
    figures.push({
      name: `ledger, ${appenders} appenders, ${kind === 'entry' ? '1 KiB entries' : 'signed statements'}`,
      ratio: median(ours) / median(peers),
      unit: 'appends per durable write of a raw loop',
      ours: median(ours),
      peer: median(peers),
      note: `p50 ${median(waits).toFixed(1)} ms; each append under a signed checkpoint on disk`,
    });
  }
  return figures;
}

if (import.meta.main) for (const figure of await run()) console.log(JSON.stringify(figure));
