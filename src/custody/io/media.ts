import { type LedgerRecord, understood } from '#ledger';
import { MEDIUM_PREDICATE, MediaRegister } from '../medium.ts';

/** The register of a side, from its own ledger. */
export async function mediaOf(ledger: { records(): AsyncIterable<LedgerRecord> }): Promise<MediaRegister> {
  const register = new MediaRegister();
  for await (const { index, type, happening } of understood(ledger.records())) {
    if (type === MEDIUM_PREDICATE && happening !== undefined) register.add(index, happening.predicate);
  }
  return register;
}
