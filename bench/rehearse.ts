import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Figure } from './figure.ts';
import { measured } from './measured.ts';

const launcher = fileURLToPath(new URL('../sallyport', import.meta.url));
const example = fileURLToPath(new URL('../examples/storefront', import.meta.url));
/** What a run of the example leaves in its folder. */
const MADE = ['.sallyport', 'layout', 'node_modules', 'sallyport.lock'];

/** The example's rehearsal from nothing, and again. The network of this machine counts in the first. */
export async function run(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  try {
    const copy = join(folder, 'storefront');
    await cp(example, copy, {
      recursive: true,
      filter: (path) => !MADE.includes(path.slice(example.length).split(sep).at(-1) ?? ''),
    });
    const figures: Figure[] = [];
    for (const [name, atMost] of [
      ['rehearse the example, cold', 300],
      ['rehearse the example, warm', 20],
    ] as const) {
      const ran = await measured(launcher, ['rehearse', copy, '--json', '--log', 'quiet']);
      if (ran.code !== 0) throw new Error(`${name}: ended with ${ran.code}\n${ran.out}`);
      figures.push({ name, unit: 's', ours: ran.seconds, promise: { atMost } });
      figures.push({ name: `${name}: memory`, unit: 'MB', ours: ran.peakMemory / 1e6, promise: { atMost: 300 } });
    }
    return figures;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
