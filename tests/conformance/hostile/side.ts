import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { admit, type AdmitInput, type AdmitOutput } from '#admit/operations';
import { isProblem } from '#formats';
import type { World } from '#kernel';
import { testWorld } from '#kernel/testing';
import { parseLedgerVkey, verifyLedger } from '#ledger';
import { nodeFiles } from '#system';
import { createSide } from '#trust';

/** A side inside, at which hostile things arrive. */
export interface Inside {
  readonly home: string;
  readonly world: World;
  admit(input: Omit<AdmitInput, 'home'>, over?: Partial<World>): Promise<AdmitOutput>;
  /** Path, mode and digest of everything but the ledger and the evidence. */
  rest(): Promise<readonly string[]>;
  /** Entries of the ledger, every one of them verified. */
  entries(): Promise<number>;
}

export async function insideAt(folder: string, name = 'in', site = 'high'): Promise<Inside> {
  const world = testWorld(nodeFiles, folder);
  const home = `${folder}/${name}`;
  await mkdir(folder, { recursive: true });
  await createSide(nodeFiles, home, { site, purpose: 'one-person', clock: world.clock });
  const { run } = await admit.load();
  return {
    home,
    world,
    admit: (input, over = {}) => run({ ...input, home }, { ...world, ...over }),
    async rest() {
      const found: string[] = [];
      for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
        const path = `${entry.parentPath}/${entry.name}`;
        const relative = path.slice(home.length + 1);
        if (/^(?:ledger|refused)(?:\/|$)/.test(relative)) continue;
        const digest = entry.isFile()
          ? createHash('sha256')
              .update(await readFile(path))
              .digest('hex')
          : '';
        found.push(`${relative} ${digest}`);
      }
      return found.sort();
    },
    async entries() {
      if ((await nodeFiles.look(`${home}/ledger/checkpoint`)) === undefined) return 0;
      const vkey = parseLedgerVkey(await readFile(`${home}/trust/ledger.vkey`, 'utf8'));
      if (isProblem(vkey)) throw new Error(vkey.detail);
      const { reasons, size } = await verifyLedger(nodeFiles, `${home}/ledger`, vkey);
      if (reasons.length > 0) throw new Error(JSON.stringify(reasons));
      return size;
    },
  };
}

/** Writes a file and gives its path. */
export async function put(path: string, bytes: Uint8Array | string): Promise<string> {
  await writeFile(path, bytes);
  return path;
}
