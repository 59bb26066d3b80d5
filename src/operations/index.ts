import type { SealedFiles } from '#kernel';
import type { AnyOperation } from './any-operation.ts';

export type { AnyOperation } from './any-operation.ts';
export { operationsCatalogue, operationsFault } from './faults.ts';

type Room = () => Promise<readonly AnyOperation[]>;

const admitRoom: Room = async () => {
  const { admit, approve, clockReset, promote, rollback } = await import('#admit/operations');
  return [admit, approve, rollback, clockReset, promote];
};
const bundleRoom: Room = async () => {
  const { diff, inspect, seal, verify } = await import('#bundle/operations');
  return [seal, inspect, verify, diff];
};
const custodyRoom: Room = async () => {
  const { custodyRecord, custodyVerify, mediumList, mediumRecord, scanRecord } = await import('#custody/operations');
  return [mediumRecord, mediumList, custodyRecord, custodyVerify, scanRecord];
};
const gateRoom: Room = async () => {
  const { examine, receive, releaseApprove, releaseDraft, releasePrint, releaseSend } =
    await import('#gate/operations');
  return [releaseDraft, releaseApprove, releaseSend, releasePrint, receive, examine];
};

/** What is loaded for a first word, in place of all that there is, which takes three times as long. */
const GROUPS: Readonly<Record<string, Room>> = {
  admit: admitRoom,
  approve: admitRoom,
  rollback: admitRoom,
  clock: admitRoom,
  promote: admitRoom,
  seal: bundleRoom,
  inspect: bundleRoom,
  verify: bundleRoom,
  diff: bundleRoom,
  capture: async () => [(await import('#capture/operations')).capture],
  custody: custodyRoom,
  medium: custodyRoom,
  release: gateRoom,
  receive: gateRoom,
  examine: gateRoom,
  enclave: async () => (await import('#enclave/operations')).enclaveOperations,
  ledger: async () => (await import('#ledger/operations')).ledgerOperations,
  policy: async () => [
    ...(await import('#policy/operations')).policyOperations,
    ...(await import('#proving/operations')).provingOperations,
    (await import('./review.ts')).review,
  ],
  '--version': async () => [],
  '-V': async () => [],
};

/** The operations that the words of a command line may mean: all of a group, or all that there are. */
export async function operationsFor(words: readonly string[]): Promise<readonly AnyOperation[]> {
  const [group = ''] = words;
  return Object.hasOwn(GROUPS, group) ? GROUPS[group]!() : allOperations();
}

/** The typed catalogue: every verb of the product, once, in the order in which help lists them. */
export async function allOperations(): Promise<readonly AnyOperation[]> {
  return (await import('./catalogue.ts')).operations;
}

/** The port of World that reads what was sealed. */
export const sealedFiles: SealedFiles = async (...asked) => (await import('./sealed-files.ts')).readSealed(...asked);
