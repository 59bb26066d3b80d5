import { dirname } from 'node:path';
import { type Digest, type Files, hexOf } from '#kernel';
import type { BlobSink, IndexedBlob } from '#bundle';

/** Files that are being synced side by side: each waits for the disk, not for us. */
const SYNCING = 8;

export interface Quarantined {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

/** One file for each blob that is not here yet, written while it is read, synced in the background. */
export class Quarantine {
  readonly #files: Files;
  readonly #folder: string;
  readonly #syncing = new Set<Promise<void>>();
  #failed: { readonly error: unknown } | undefined;
  readonly #finished: Quarantined[] = [];

  private constructor(files: Files, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  /** Empty, whatever an earlier run left. Bundles that are held lie beside it and stay. */
  static async open(files: Files, folder: string): Promise<Quarantine> {
    const arriving = `${folder}/arriving`;
    await files.removeTree(arriving);
    await files.makeFolder(arriving, 0o700);
    return new Quarantine(files, arriving);
  }

  async sink(blob: IndexedBlob): Promise<BlobSink> {
    const path = `${this.#folder}/${hexOf(blob.digest)}`;
    // Read-only from the beginning: it moves into the store as it is.
    const file = await this.#files.open(path, 'wx', { mode: 0o444, follow: false });
    return {
      write: (bytes) => file.write(bytes),
      end: async () => {
        while (this.#syncing.size >= SYNCING) await Promise.race(this.#syncing);
        const syncing = (async () => {
          try {
            await file.sync();
          } catch (error) {
            this.#failed ??= { error };
          } finally {
            await file.close();
          }
        })().finally(() => this.#syncing.delete(syncing));
        this.#syncing.add(syncing);
        this.#finished.push({ path, digest: blob.digest, size: blob.size });
      },
      abort: () => file.close(),
    };
  }

  /** All that was written is on disk; throws what a sync threw. */
  async finished(): Promise<readonly Quarantined[]> {
    await Promise.all(this.#syncing);
    if (this.#failed !== undefined) throw this.#failed.error;
    return this.#finished;
  }

  /** Removes the folder and all that is still in it. */
  async remove(): Promise<void> {
    await Promise.allSettled(this.#syncing);
    await this.#files.removeTree(this.#folder);
    const parent = dirname(this.#folder);
    if ((await this.#files.list(parent)).length === 0) await this.#files.removeTree(parent);
  }
}
