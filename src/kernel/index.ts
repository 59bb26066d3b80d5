export { type Content, type ContentReader, type ContentWriter, type Incoming } from './content.ts';
export { type Digest, digestFromHex, digestOf, hexOf, isDigest } from './digest.ts';
export {
  type Catalogue,
  errorCode,
  errorMessage,
  type Explanation,
  Fault,
  type FaultDetail,
  faultsOf,
  isFault,
} from './fault.ts';
export { type Entry, type FileHandle, type Files, type Kind, type Look, type Space } from './files.ts';
export { type Home, homeAt } from './home.ts';
export { compareIdentity, describeIdentity, type Identity, identityKey } from './identity.ts';
export { type Clock, type Instant, instantOf, isInstant } from './instant.ts';
export { isObject, type Json, type JsonObject } from './json.ts';
export { type Appended, type Happening, type LedgerAppender } from './ledger.ts';
export {
  type Implementation,
  type Operation,
  operation,
  type Parameter,
  type PersonsTerminal,
  type Style,
  type World,
} from './operation.ts';
export { compareUtf8 } from './order.ts';
export { type Progress, type Report } from './progress.ts';
export {
  type ArtifactRow,
  type DocumentRow,
  type Evidence,
  type InputRow,
  type LockRow,
  type PointerRow,
} from './rows.ts';
export { ADMITTED, type SealedFiles, type SealedReading } from './sealed-files.ts';
export { isSafeName, printable, shellQuote } from './safe-name.ts';
export { type Target, type Targets } from './target.ts';
export { type Reason, type Verdict } from './verdict.ts';
