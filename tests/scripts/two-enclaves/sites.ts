import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '#kernel';
import { testWorld } from '#kernel/testing';
import { ledgerList } from '#ledger/operations';
import { nodeFiles } from '#system';
import { type Ran, sallyport } from '../sallyport.ts';

/** The homes of the story: the side that seals, and two enclaves. */
export const homes = ['out', 'staging', 'production'] as const;
export type HomeName = (typeof homes)[number];

/** What a step must end with. What is not said must not have happened. */
export interface Expected {
  readonly code?: number;
  readonly verdict?: string;
  /** Codes of the reasons, in their order. */
  readonly codes?: readonly string[];
  readonly fault?: string;
  /** Types of the entries that the step leaves in a ledger, without `sallyport/` and `/v1`. */
  readonly entries?: Partial<Record<HomeName, readonly string[]>>;
}

/** Content of everything in a folder, without the paths named. */
export async function listing(folder: string, without: readonly string[] = []): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    // The write-ahead log of SQLite comes and goes with whoever reads.
    if (/(^|\/)state\.db-(wal|shm)$/.test(name)) continue;
    if (without.some((part) => name === part || name.startsWith(`${part}/`))) continue;
    const what = entry.isFile()
      ? digestOf(await readFile(path))
      : entry.isSymbolicLink()
        ? await readlink(path)
        : 'folder';
    found.push(`${name} ${what}`);
  }
  return found.sort();
}

/** Shows only what differs: the disks are long. */
export function unchanged(before: readonly string[], after: readonly string[], what: string): void {
  const [old, now] = [new Set(before), new Set(after)];
  const differ = [...old].filter((line) => !now.has(line)).concat([...now].filter((line) => !old.has(line)));
  assert.deepEqual(differ, [], `${what} changed a disk`);
}

/**
 * The operator at work: each step is one command, and its exit code, verdict, reasons and entries in all three ledgers
 * are compared. Where the answer is no, everything on all three disks must be as it was, but for the entry and the
 * evidence of a refusal.
 */
export class Operator {
  readonly folder: string;
  readonly steps: string[] = [];
  readonly #known = new Map<HomeName, number>(homes.map((home) => [home, 0]));

  constructor(folder: string) {
    this.folder = folder;
  }

  /** What a ledger has more than when it was last asked. */
  async #grown(): Promise<Partial<Record<HomeName, string[]>>> {
    const grown: Partial<Record<HomeName, string[]>> = {};
    for (const home of homes) {
      const checkpoint = await readFile(join(this.folder, home, 'ledger', 'checkpoint'), 'utf8');
      const size = Number(checkpoint.split('\n')[1]);
      const before = this.#known.get(home) ?? 0;
      if (size === before) continue;
      const types = (await this.records(home)).map(({ type }) => type.replace(/^sallyport\/(.*)\/v1$/, '$1'));
      grown[home] = types.slice(before);
      this.#known.set(home, types.length);
    }
    return grown;
  }

  async records(home: HomeName | 'copy') {
    const { run } = await ledgerList.load();
    return (await run({ home: join(this.folder, home) }, testWorld(nodeFiles, this.folder))).records;
  }

  /** All that a refusal must leave alone. */
  async disks(): Promise<string[]> {
    const without = [...homes, 'copy'].flatMap((home) => [`${home}/ledger`, `${home}/refused`]);
    return listing(this.folder, without);
  }

  // oxlint-disable-next-line no-explicit-any
  async step(command: string, expected: Expected = {}): Promise<any> {
    const { code = 0, verdict, codes, fault, entries = {} } = expected;
    const before = code === 0 ? [] : await this.disks();
    const json = await this.run(command, code);
    const shown = `${command}: ${JSON.stringify(json).slice(0, 600)}`;
    assert.equal(json.verdict, fault === undefined ? (verdict ?? json.verdict) : undefined, shown);
    assert.equal(json.fault?.code, fault, shown);
    if (codes !== undefined) {
      assert.deepEqual(
        json.reasons.map((reason: { code: string }) => reason.code),
        codes,
        shown,
      );
    }
    assert.deepEqual(await this.#grown(), entries, shown);
    if (code !== 0) unchanged(before, await this.disks(), command);
    const left = Object.entries(entries).map(([home, types]) => `${home}: ${types.join(', ')}`);
    const said = [fault ?? json.verdict, ...(codes ?? [])].filter((word) => word !== undefined).join(' ');
    this.steps.push(`${command} | ${code} | ${said} | ${left.join('; ')}`);
    return json;
  }

  /** A command that has to end so; its entries belong to the next step that is compared. */
  async run(command: string, code = 0): Promise<Ran['json']> {
    const ran = await sallyport(this.folder, [...command.split(' '), '--json']);
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`.slice(0, 1000));
    return ran.json;
  }

  /** From here on entries are counted. */
  async settle(): Promise<void> {
    await this.#grown();
  }
}
