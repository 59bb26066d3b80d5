import type { BundleIndex } from './bundle-index.ts';
import type { SealStatement } from './seal-statement.ts';

/** What stands before the blobs. Nothing in it is trusted before `seal` has been verified against a root. */
export interface BundleHead {
  /** The DSSE envelope's exact bytes: what the trust side verifies. */
  readonly sealEnvelope: Uint8Array;
  readonly seal: SealStatement;
  readonly keyids: readonly string[];
  /** Members that the seal carries, by name: root chain, public keys, ledger proof. */
  readonly carried: ReadonlyMap<string, Uint8Array>;
  readonly index: BundleIndex;
  readonly indexBytes: Uint8Array;
}
