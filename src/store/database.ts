import type { Digest, Instant, LockRow } from '#kernel';
import type { AdmittedPointer, Catalog } from '#ecosystems';
import type { ContentReader } from '#kernel';

/** What was admitted: bundles and their rows. Everything in it can be made again from ledger and store. */
export interface Database {
  /** In the order in which they were admitted. */
  admitted(): readonly AdmittedBundle[];
  seen(bundle: Digest): AdmittedBundle | undefined;
  /** The bundle of the highest sequence number in a channel. */
  highest(channel: string): AdmittedBundle | undefined;
  /** The bundle that a channel stands at: the highest, unless the channel was rolled back. */
  head(channel: string): AdmittedBundle | undefined;
  /** All with this number in a channel, in the order of the ledger; more than one after a rollback. */
  at(channel: string, sequence: number): readonly AdmittedBundle[];
  /** Everything or nothing. A bundle that is already in it changes nothing. */
  publish(bundle: Publication): void;
  /** What moving names of one thing point at, newest bundle first. */
  pointersOf(ecosystem: string, authority: string, name: string): readonly AdmittedPointer[];
  catalog(content: ContentReader): Catalog;
  /** Index of the newest ledger entry whose effects are in here, or -1. */
  ledgerIndexDone(): number;
  /** Records that entries up to this index have no effects that are missing here (refusals, own statements). */
  markLedger(index: number): void;
  /** The largest size of each other log, by origin, that this side's ledger says was seen. */
  observed(): ReadonlyMap<string, number>;
  observe(origin: string, size: number): void;
  /** Whether a content was examined as this, by these rules of the gate, and found without fault. */
  examined(digest: string, as: string, rules: number): boolean;
  /** Remembered until the database is made again; then contents are examined again. */
  markExamined(contents: readonly { readonly digest: string; readonly as: string }[], rules: number): void;
  close(): void;
}

export interface AdmittedBundle {
  /** Digest of the bundle's index. */
  readonly bundle: Digest;
  /** Digest of the lock that the index says. */
  readonly lock: Digest;
  readonly sequence: number;
  readonly channel: string;
  readonly sealed: Instant;
  /** Index of the ledger entry that admitted it. */
  readonly ledgerIndex: number;
}

export interface Publication extends AdmittedBundle {
  readonly rows: readonly LockRow[];
  /**
   * What it brings is the newest although its number is not the highest: a rollback. Otherwise a bundle with a lower
   * number than one of its channel adds what is new and changes nothing that the higher one brought.
   */
  readonly onTop?: boolean;
  /** The ecosystem's own normalised look-up name. */
  readonly lookupKey: (ecosystem: string, name: string) => string;
}
