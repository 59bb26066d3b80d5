import type { SealedFiles } from '#kernel';
import type { AnyOperation } from './any-operation.ts';

export type { AnyOperation } from './any-operation.ts';
export { operationsCatalogue, operationsFault } from './faults.ts';

/** Verbs that are loaded together, by the first words that they begin with. */
interface Group {
  readonly words: readonly string[];
  readonly load: () => Promise<readonly AnyOperation[]>;
}

/** The typed catalogue: every verb of the product, once, in the order in which help lists them. */
const GROUPS: readonly Group[] = [
  { words: ['init'], load: async () => [(await import('./init.ts')).init] },
  { words: ['capture'], load: async () => [(await import('#capture/operations')).capture] },
  {
    words: ['seal', 'inspect', 'verify', 'diff'],
    async load() {
      const { diff, inspect, seal, verify } = await import('#bundle/operations');
      return [seal, inspect, verify, diff];
    },
  },
  {
    words: ['admit', 'approve', 'rollback', 'clock', 'promote'],
    async load() {
      const { admit, approve, clockReset, promote, rollback } = await import('#admit/operations');
      return [admit, approve, rollback, clockReset, promote];
    },
  },
  {
    words: ['release', 'receive'],
    async load() {
      const { receive, releaseApprove, releaseDraft, releasePrint, releaseSend } = await import('#gate/operations');
      return [releaseDraft, releaseApprove, releaseSend, releasePrint, receive];
    },
  },
  {
    words: ['medium', 'custody'],
    async load() {
      const { custodyRecord, custodyVerify, mediumList, mediumRecord, scanRecord } =
        await import('#custody/operations');
      return [mediumRecord, mediumList, custodyRecord, custodyVerify, scanRecord];
    },
  },
  { words: ['examine'], load: async () => [(await import('#gate/operations')).examine] },
  {
    words: ['serve', 'client-config'],
    async load() {
      const { clientConfig, serveOperation } = await import('#depot/operations');
      const serve = serveOperation(async (files, home, clock) =>
        (await import('#admit')).recoverSide(files, home, clock),
      );
      return [serve, clientConfig];
    },
  },
  {
    words: ['rehearse'],
    async load() {
      const { rehearse, verifyReport } = await import('#rehearse/operations');
      return [rehearse, verifyReport];
    },
  },
  { words: ['enclave'], load: async () => (await import('#enclave/operations')).enclaveOperations },
  {
    words: ['trust', 'sigstore', 'tuf'],
    async load() {
      const { trustOperations } = await import('#trust/operations');
      const { trustInit } = await import('./init.ts');
      return [
        trustInit,
        ...trustOperations(async (files, home, clock) => (await import('#ledger')).openLedger(files, home, clock)),
      ];
    },
  },
  { words: ['ledger'], load: async () => (await import('#ledger/operations')).ledgerOperations },
  {
    words: ['policy'],
    load: async () => [
      ...(await import('#policy/operations')).policyOperations,
      ...(await import('#proving/operations')).provingOperations,
      (await import('./review.ts')).review,
    ],
  },
  { words: ['doctor'], load: async () => [(await import('#rehearse/operations')).doctor] },
  { words: ['explain'], load: async () => [(await import('./explain.ts')).explain] },
  { words: ['--version', '-V'], load: async () => [] },
];

/** The operations that the words of a command line may mean: one group, which takes a third of the time, or all. */
export async function operationsFor([word = '']: readonly string[]): Promise<readonly AnyOperation[]> {
  const group = GROUPS.find(({ words }) => words.includes(word));
  return group === undefined ? allOperations() : group.load();
}

export async function allOperations(): Promise<readonly AnyOperation[]> {
  return (await Promise.all(GROUPS.map(({ load }) => load()))).flat();
}

/** The port of World that reads what was sealed. */
export const sealedFiles: SealedFiles = async (...asked) => (await import('./sealed-files.ts')).readSealed(...asked);
