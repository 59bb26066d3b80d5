export { formatTreeHead, openCheckpoint, parseLedgerVkey, parseTreeHead, type TreeHead } from './checkpoint.ts';
export { decodeEntry, encodeEntry, type LedgerEntry, statementPath } from './entry.ts';
export { ledgerCatalogue } from './faults.ts';
export { type Ledger, type Logged, openLedger, openLog } from './ledger.ts';
export { type LedgerRecord } from './log-view.ts';
export { type LogSigner } from './ports.ts';
export { formatProof, type InclusionProof, parseProof } from './proof.ts';
export { leafHash, verifyConsistency, verifyInclusion } from './tree.ts';
export { type LedgerReport, verifyLedger } from './verification.ts';
