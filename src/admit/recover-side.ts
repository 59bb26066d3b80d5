import { type Clock, type Files, type Home, isFault } from '#kernel';
import { openLog } from '#ledger';
import { openStore } from '#store';
import { ledgerSigner } from '#trust';
import { recoveredDatabase } from './recover.ts';

/** Milliseconds to wait for whoever writes the ledger: an admission under way brings the database up itself. */
const WAIT = 1000;

/** Brings the database of a side up to its ledger, which is ahead after a power cut in the middle of an admission. */
export async function recoverSide(files: Files, home: Home, clock: Clock): Promise<void> {
  if ((await files.look(`${home.ledger}/checkpoint`)) === undefined) return;
  try {
    const ledger = await openLog(files, home.ledger, await ledgerSigner(files, home), clock, { wait: WAIT });
    try {
      const database = await recoveredDatabase(files, home, ledger, async () =>
        (await files.look(home.store)) === undefined ? undefined : openStore(files, home),
      );
      database?.markLedger(ledger.size - 1);
      database?.close();
    } finally {
      await ledger.close();
    }
  } catch (error) {
    if (!isFault(error) || error.code !== 'ledger.busy') throw error;
  }
}
