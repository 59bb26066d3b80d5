import { createHash, type Hash } from 'node:crypto';
import { dirname } from 'node:path';
import { type Digest, type Files, hexOf, type Home, isDigest } from '#kernel';
import type { Medium } from '#bundle';
import { makeFolderDurably, writeDurably } from '#system';

/** The most that is gathered in memory before it is known whether a bundle is to be held: its envelopes and its index. */
const GATHERED = 128 * 1024 ** 2;
const APPROVALS = 64;

/** A bundle that was verified and waits in quarantine for approvers. */
export interface HeldBundle {
  readonly index: Digest;
  /** The bundle, byte for byte as it was read from its medium. */
  readonly path: string;
}

function folderOf(home: Home, index: Digest): string {
  return `${home.quarantine}/held/${hexOf(index)}`;
}

export async function heldBundles(files: Files, home: Home): Promise<HeldBundle[]> {
  const folder = `${home.quarantine}/held`;
  if ((await files.look(folder)) === undefined) return [];
  const held: HeldBundle[] = [];
  for (const { name, kind } of await files.list(folder)) {
    const index = `sha256:${name}`;
    const path = `${folder}/${name}/bundle`;
    if (kind !== 'folder' || !isDigest(index) || (await files.look(path)) === undefined) continue;
    held.push({ index, path });
  }
  return held.sort((a, b) => (a.index < b.index ? -1 : 1));
}

/** Envelopes of approvers who agreed already. */
export async function approvalsOf(files: Files, home: Home, index: Digest): Promise<Uint8Array[]> {
  const folder = `${folderOf(home, index)}/approvals`;
  if ((await files.look(folder)) === undefined) return [];
  const names = (await files.list(folder)).map(({ name }) => name).filter((name) => name.endsWith('.dsse.json'));
  const read: Uint8Array[] = [];
  for (const name of names.sort().slice(0, APPROVALS)) read.push(await files.read(`${folder}/${name}`, 1024 * 1024));
  return read;
}

/** What rings before this one signed about the bundle at this path, kept beside it. */
export async function promotionsOf(files: Files, path: string): Promise<Uint8Array[]> {
  const folder = dirname(path);
  const names = (await files.list(folder)).map(({ name }) => name).filter((name) => /^promotion\.\d+\./.test(name));
  const read: Uint8Array[] = [];
  for (const name of names.sort()) read.push(await files.read(`${folder}/${name}`, 1024 * 1024));
  return read;
}

/** Kept under the ids of the keys that signed it: the same approver again replaces what was there. */
export async function keepApproval(
  files: Files,
  home: Home,
  index: Digest,
  keyids: readonly string[],
  envelope: Uint8Array,
): Promise<void> {
  const folder = `${folderOf(home, index)}/approvals`;
  await makeFolderDurably(files, folder, 0o700);
  await writeDurably(files, `${folder}/${[...keyids].sort()[0] ?? ''}.dsse.json`, envelope, { mode: 0o600 });
}

export async function removeHeld(files: Files, home: Home, index: Digest): Promise<void> {
  await files.removeTree(folderOf(home, index));
  const folder = `${home.quarantine}/held`;
  if ((await files.look(folder)) !== undefined && (await files.list(folder)).length === 0)
    await files.removeTree(folder);
}

/**
 * A medium whose bytes are copied while they are read, since nothing is read twice: into memory until it is known
 * whether the bundle is to be held, then into a file or nowhere.
 */
export class Copying {
  readonly medium: Medium;
  readonly #files: Files;
  readonly #home: Home;
  #gathered: Uint8Array[] | undefined = [];
  #size = 0;
  #file: Awaited<ReturnType<Files['open']>> | undefined;
  #path: string | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #hash: Hash | undefined;

  /** `hashing`: whether the digest of the whole will be asked for; it costs as much as reading. */
  constructor(files: Files, home: Home, medium: Medium, hashing: boolean) {
    this.#hash = hashing ? createHash('sha256') : undefined;
    this.#files = files;
    this.#home = home;
    this.medium = {
      refusal: medium.refusal ?? [],
      read: async (into) => {
        const count = await medium.read(into);
        await this.#keep(into.subarray(0, count));
        return count;
      },
      close: () => medium.close(),
    };
  }

  /** One after the other: the reader reads ahead while the decision is taken. */
  #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(act);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #keep(bytes: Uint8Array): Promise<void> {
    this.#hash?.update(bytes);
    return this.#inTurn(async () => {
      if (this.#file !== undefined) return this.#file.write(bytes);
      if (this.#gathered === undefined || bytes.length === 0) return;
      this.#size += bytes.length;
      if (this.#size > GATHERED) this.#gathered = undefined;
      else this.#gathered.push(Uint8Array.from(bytes));
    });
  }

  /** sha256 of all that was read, 64 hex digits; asked once, after the last byte. */
  digest(): string {
    if (this.#hash === undefined) throw new Error('the copy was not hashed');
    return this.#hash.digest('hex');
  }

  /** Says, once, whether the bundle is to be held. */
  decide(hold: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const gathered = this.#gathered;
      this.#gathered = undefined;
      if (!hold) return;
      if (gathered === undefined) throw new Error('what stands before the contents is larger than a head can be');
      const folder = `${this.#home.quarantine}/holding`;
      await this.#files.removeTree(folder);
      await makeFolderDurably(this.#files, folder, 0o700);
      this.#path = `${folder}/bundle`;
      this.#file = await this.#files.open(this.#path, 'wx', { mode: 0o400, follow: false });
      for (const bytes of gathered) await this.#file.write(bytes);
    });
  }

  /** Puts the whole copy in its place, durably. */
  async hold(index: Digest, promotions: readonly Uint8Array[]): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new Error('nothing was copied');
    await file.sync();
    await this.#close();
    const folder = folderOf(this.#home, index);
    await makeFolderDurably(this.#files, `${this.#home.quarantine}/held`, 0o700);
    if ((await this.#files.look(folder)) !== undefined) {
      // It waits here already, with approvals perhaps.
      await this.remove();
      return;
    }
    for (const [number, bytes] of promotions.entries()) {
      await writeDurably(this.#files, `${this.#home.quarantine}/holding/promotion.${number}.dsse.json`, bytes);
    }
    await this.#files.syncFolder(`${this.#home.quarantine}/holding`);
    await this.#files.rename(`${this.#home.quarantine}/holding`, folder);
    await this.#files.syncFolder(`${this.#home.quarantine}/held`);
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async remove(): Promise<void> {
    await this.#close();
    if (this.#path !== undefined) await this.#files.removeTree(`${this.#home.quarantine}/holding`);
  }
}
