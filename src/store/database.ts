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
  /** Everything or nothing. A bundle that is already in it changes nothing. */
  publish(bundle: Publication): void;
  /** What moving names of one thing point at, newest bundle first. */
  pointersOf(ecosystem: string, authority: string, name: string): readonly AdmittedPointer[];
  catalog(content: ContentReader): Catalog;
  /** Index of the newest ledger entry whose effects are in here, or -1. */
  ledgerIndexDone(): number;
  /** Records that entries up to this index have no effects that are missing here (refusals, own statements). */
  markLedger(index: number): void;
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
  /** The ecosystem's own normalised look-up name. */
  readonly lookupKey: (ecosystem: string, name: string) => string;
}
