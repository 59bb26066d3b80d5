import type { ContentReader, ContentWriter, Digest } from '#kernel';

/** Content by digest. One implementation keeps it in files; whatever implements it passes `storeContract`. */
export interface Store extends ContentReader, ContentWriter {
  has(digest: Digest): Promise<boolean>;
  /**
   * Takes over a finished, synced file of the same file system by renaming it. The caller has verified digest and size;
   * the size is checked again. It is durable after the next `syncAdopted`.
   */
  adopt(path: string, digest: Digest, size: number): Promise<void>;
  /** Makes every name that `adopt` made durable. */
  syncAdopted(): Promise<void>;
  /** All content, sorted. */
  digests(): AsyncIterable<Digest>;
  /** Nothing there is no error. */
  remove(digest: Digest): Promise<void>;
  /** Where a content lies, or would. */
  pathOf(digest: Digest): string;
  /** Reads the whole content and says whether it still is what its name says. */
  verify(digest: Digest): Promise<'whole' | 'rotten' | 'absent'>;
}
