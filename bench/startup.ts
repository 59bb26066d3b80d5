import { fileURLToPath } from 'node:url';
import { type Figure, median } from './figure.ts';
import { measured } from './measured.ts';

const launcher = fileURLToPath(new URL('../sallyport', import.meta.url));
const RUNS = 15;

async function time(command: string, words: readonly string[]): Promise<{ seconds: number; memory: number }> {
  const runs = [];
  // The first run fills the compile cache and is not counted.
  await measured(command, words);
  for (let run = 0; run < RUNS; run++) runs.push(await measured(command, words));
  return { seconds: median(runs.map((one) => one.seconds)), memory: median(runs.map((one) => one.peakMemory)) };
}

/** What it costs to start the command line, launcher included. */
export async function run(): Promise<Figure[]> {
  const version = await time(launcher, ['--version']);
  const verb = await time(launcher, ['admit', '--help']);
  const help = await time(launcher, ['--help']);
  const node = await time(process.execPath, ['--eval', '0']);
  const note = `median of ${RUNS}, launcher included; an empty Node program takes ${node.seconds.toFixed(3)} s`;
  return [
    { name: 'start: sallyport --version', unit: 's', ours: version.seconds, promise: { atMost: 0.3 }, note },
    { name: 'start: sallyport admit --help', unit: 's', ours: verb.seconds, promise: { atMost: 0.3 }, note },
    { name: 'start: sallyport --help', unit: 's', ours: help.seconds, promise: { atMost: 0.3 }, note },
    { name: 'start: memory', unit: 'MB', ours: help.memory / 1e6 },
  ];
}
