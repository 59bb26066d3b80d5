export { type BundleHead } from './bundle-head.ts';
export {
  type BundleIndex,
  contentsOf,
  decodeIndex,
  encodeIndex,
  type Encoder,
  type IndexedBlob,
  lockDifference,
} from './bundle-index.ts';
export { checkLines } from './check-lines.ts';
export { bundleCatalogue } from './faults.ts';
export { judgeSeal, rootsOf, type SealJudgement, trustOf } from './judge-seal.ts';
export { MAX_BLOBS, MAX_FRAME_BYTES, MAX_INDEX_BYTES, MAX_LOCK_BYTES } from './layout.ts';
export { type Medium, openMedium } from './medium.ts';
export { type BlobSink, type BundleReading, type BundleSink, readBundle, type ReadOptions } from './reader.ts';
export { SEAL_PREDICATE, SEALED_PREDICATE, type SealStatement } from './seal-statement.ts';
export { amount, reasonShape, type SealSummary, sealShape, summaryOf } from './summary.ts';
export { readVerified, type VerifiedReading } from './verified.ts';
export { type Sealed, sealBundle, type SealOptions } from './writer.ts';
