// Measures Sallyport beside its peers, one after the other in one run, and prints ratios.
//
//   ./sallyport :node bench/run.ts [NAME...] [--json]
//
// Each file of this folder that exports run(): Promise<Figure[]> is one bench. A promise that does not hold is shown
// and makes the exit code 1. Figures of two runs on a busy machine differ by some percent; ratios less.
import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { type Figure, holds, judged } from './figure.ts';

const words = process.argv.slice(2);
const json = words.includes('--json');
const wanted = words.filter((word) => !word.startsWith('--'));
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && !['run.ts', 'figure.ts', 'measured.ts', 'servers.ts'].includes(file))
  .map((file) => file.replace(/\.ts$/, ''))
  .filter((name) => wanted.length === 0 || wanted.includes(name))
  .sort();
for (const name of wanted) if (!names.includes(name)) throw new Error(`there is no bench/${name}.ts`);

console.error(`Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`);
const all: (Figure & { bench: string; ratio: number; holds: boolean | undefined })[] = [];
for (const bench of names) {
  console.error(`== ${bench}`);
  const { run } = (await import(`./${bench}.ts`)) as { run?: () => Promise<Figure[]> };
  if (run === undefined) continue;
  for (const figure of await run()) {
    all.push({ bench, ...figure, ratio: judged(figure), holds: holds(figure) });
    if (!json) console.log(line(figure));
  }
}
if (json) console.log(JSON.stringify({ node: process.versions.node, figures: all }, null, 2));
const broken = all.filter((figure) => figure.holds === false);
if (broken.length > 0) process.exitCode = 1;

function line(figure: Figure): string {
  const { name, unit, ours, peer, promise, note } = figure;
  const parts = [name.padEnd(44), `${short(ours)} ${unit}`.padEnd(14)];
  if (peer !== undefined) parts.push(`${peer.name} ${short(peer.value)} ${unit}, ratio ${judged(figure).toFixed(2)}`);
  if (promise !== undefined) {
    const bound = 'atMost' in promise ? `at most ${promise.atMost}` : `at least ${promise.atLeast}`;
    parts.push(`${bound}: ${holds(figure) === true ? 'holds' : 'DOES NOT HOLD'}`);
  }
  if (note !== undefined) parts.push(`(${note})`);
  return parts.join('  ');
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}
