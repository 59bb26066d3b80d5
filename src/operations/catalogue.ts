import { admit, approve, clockReset, promote, rollback } from '#admit/operations';
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
import type { AnyOperation } from './any-operation.ts';
import { explain } from './explain.ts';
import { init, trustInit } from './init.ts';
import { review } from './review.ts';

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
  clockReset,
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
