// Takes memory, disk or processes until somebody stops it; where nobody does, it ends by itself and says so.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** MiB, MiB and a number: well above the limits that sallyport.yaml sets. */
const BOUNDS = { memory: 1536, disk: 1024, processes: 600 };
const MIB = 1024 * 1024;
/** MiB of one process, and of one file: a limit of either is not enough. */
const HEAP = 128;
const FILE = 32;

const GREED = {
  async memory(bound) {
    // Each page is written to: memory that is only asked for takes nothing.
    const program = `const kept = Buffer.alloc(${HEAP} * ${MIB}, 1); process.stdout.write('.'); setInterval(() => kept, 60_000);`;
    const children = [];
    try {
      for (let n = 0; n < bound; n += HEAP) children.push(await started(process.execPath, ['-e', program], true));
      return `${children.length * HEAP} MiB of memory`;
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  },
  async disk(bound) {
    const piece = randomBytes(FILE * MIB);
    const paths = Array.from({ length: bound / FILE }, (_, index) => join(process.cwd(), `greed-${index}.tmp`));
    try {
      for (const path of paths) {
        await writeFile(path, piece);
        await pause(50);
      }
      return `${paths.length * FILE} MiB on disk`;
    } finally {
      for (const path of paths) await rm(path, { force: true });
    }
  },
  async processes(bound) {
    const children = [];
    try {
      for (let n = 0; n < bound; n++) children.push(await started('/bin/sleep', ['60'], false));
      return `${children.length} processes`;
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  },
};

/** A process that runs, and has said something where that is wanted. */
async function started(command, args, speaks) {
  const child = spawn(command, args, { stdio: ['ignore', speaks ? 'pipe' : 'ignore', 'ignore'] });
  await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => reject(new Error(`a child ended with ${signal ?? code}`)));
    if (speaks) child.stdout.once('data', resolve);
    else child.on('spawn', resolve);
  });
  return child;
}

/** Leaves `greed.json` in the working folder where it had its fill; throws where it was refused more. */
export async function take(greed) {
  const bound = Number(process.env.GREED_BOUND ?? BOUNDS[greed]);
  try {
    const had = await GREED[greed](bound);
    writeFileSync('greed.json', JSON.stringify({ greed, had }));
    console.log(`Nobody stopped it: ${had}.`);
  } catch (error) {
    console.error(`greed for ${greed} was refused: ${error.code ?? error.message}`);
    process.exitCode = 1;
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

if (import.meta.main) {
  await take(process.argv[2]);
  if (process.exitCode === undefined) setInterval(() => undefined, 60_000);
}
