import type { SealedFiles } from '#kernel';
import type { AnyOperation } from './any-operation.ts';

export type { AnyOperation } from './any-operation.ts';
export { operationsCatalogue, operationsFault } from './faults.ts';

/** Groups of verbs that are loaded without all the others, which takes a third of the time. */
const GROUPS: Readonly<Record<string, () => Promise<readonly AnyOperation[]>>> = {
  enclave: async () => (await import('#enclave/operations')).enclaveOperations,
  ledger: async () => (await import('#ledger/operations')).ledgerOperations,
  policy: async () => [
    ...(await import('#policy/operations')).policyOperations,
    ...(await import('#proving/operations')).provingOperations,
    (await import('./review.ts')).review,
  ],
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
