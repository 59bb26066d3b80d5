import type { Operation, SealedFiles } from '#kernel';
import { admit, approve, promote, rollback } from '#admit/operations';
import { diff, inspect, seal, verify } from '#bundle/operations';
import { capture } from '#capture/operations';
import { custodyRecord, custodyVerify, mediumList, mediumRecord, scanRecord } from '#custody/operations';
import { clientConfig, serveOperation } from '#depot/operations';
import { enclaveOperations } from '#enclave/operations';
import { examine, receive, releaseApprove, releaseDraft, releasePrint, releaseSend } from '#gate/operations';
import { ledgerOperations } from '#ledger/operations';
import { policyOperations } from '#policy/operations';
import { provingOperations } from '#proving/operations';
import { doctor, rehearse, verifyReport } from '#rehearse/operations';
import { trustOperations } from '#trust/operations';
import { explain } from './explain.ts';
import { init, trustInit } from './init.ts';
import { review } from './review.ts';

export { operationsCatalogue, operationsFault } from './faults.ts';

/** The port of World that reads what was sealed. */
export const sealedFiles: SealedFiles = async (...asked) => (await import('./sealed-files.ts')).readSealed(...asked);

/** Any operation, whatever its input and output are. */
// oxlint-disable-next-line no-explicit-any
export type AnyOperation = Operation<any, any>;

/** The typed catalogue: every verb of the product, once, in the order in which help lists them. */
export const operations: readonly AnyOperation[] = [
  init,
  capture,
  seal,
  inspect,
  verify,
  diff,
  admit,
  approve,
  rollback,
  promote,
  releaseDraft,
  releaseApprove,
  releaseSend,
  releasePrint,
  receive,
  mediumRecord,
  mediumList,
  custodyRecord,
  custodyVerify,
  scanRecord,
  examine,
  serveOperation(async (files, home, clock) => (await import('#admit')).recoverSide(files, home, clock)),
  clientConfig,
  rehearse,
  verifyReport,
  ...enclaveOperations,
  trustInit,
  ...trustOperations(async (files, home, clock) => (await import('#ledger')).openLedger(files, home, clock)),
  ...ledgerOperations,
  ...policyOperations,
  ...provingOperations,
  review,
  doctor,
  explain,
];
