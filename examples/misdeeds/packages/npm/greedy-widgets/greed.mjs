// Takes memory, disk or processes until somebody stops it; where nobody does, it ends by itself and says so.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** MiB, MiB and a number: well above the limits that sallyport.yaml sets. */
const BOUNDS = { memory: 1536, disk: 1024, processes: 600 };
const MIB = 1024 * 1024;

const GREED = {
  async memory(bound) {
    const kept = [];
    // Each page is written to: memory that is only asked for takes nothing.
    for (let n = 0; n < bound; n += 16) {
      kept.push(Buffer.alloc(16 * MIB, n + 1));
      await pause(5);
    }
    return `${kept.length * 16} MiB of memory`;
  },
  async disk(bound) {
    const path = join(process.cwd(), 'greed.tmp');
    const piece = randomBytes(16 * MIB);
    const file = openSync(path, 'w');
    try {
      for (let n = 0; n < bound; n += 16) {
        writeSync(file, piece);
        await pause(20);
      }
      return `${bound} MiB on disk`;
    } finally {
      closeSync(file);
      rmSync(path, { force: true });
    }
  },
  async processes(bound) {
    const children = [];
    try {
      for (let n = 0; n < bound; n++) {
        const child = spawn('/bin/sleep', ['60'], { stdio: 'ignore' });
        await new Promise((resolve, reject) => child.on('spawn', resolve).on('error', reject));
        children.push(child);
      }
      return `${children.length} processes`;
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  },
};

/** Leaves `greed.json` in the working folder where it had its fill. */
export async function take(greed) {
  const had = await GREED[greed](Number(process.env.GREED_BOUND ?? BOUNDS[greed]));
  writeFileSync('greed.json', JSON.stringify({ greed, had }));
  console.log(`Nobody stopped it: ${had}.`);
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

if (import.meta.main) {
  await take(process.argv[2]);
  setInterval(() => undefined, 60_000);
}
