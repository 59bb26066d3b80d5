import { type Digest, type Files, type Home, isDigest, isObject, type JsonObject } from '#kernel';
import { ecosystemOf } from '#ecosystems/list';
import { ADMITTED_PREDICATE, type Ledger, ROLLED_BACK_PREDICATE, understood } from '#ledger';
import { parseLock } from '#project';
import { type Database, openDatabase, type Publication, type Store } from '#store';
import { admitFault } from './faults.ts';

const LOCK_LIMIT = 64 * 1024 ** 2;

/** What the ledger's statement about an admission says that the database needs. */
export interface Admission {
  /** Key of the bundle in the database: see `bundleKey`. */
  readonly bundle: Digest;
  readonly lock: Digest;
  readonly sequence: number;
  readonly channel: string;
  readonly sealed: string;
}

export function lookupKey(ecosystem: string, name: string): string {
  return ecosystemOf(ecosystem)?.lookupKey(name) ?? name;
}

export function publicationOf(admission: Admission, lock: Uint8Array, ledgerIndex: number): Publication {
  const { bundle, lock: digest, sequence, channel, sealed } = admission;
  const { rows } = parseLock(lock, 'sallyport.lock');
  return { bundle, lock: digest, sequence, channel, sealed, ledgerIndex, rows, lookupKey };
}

/**
 * The database of a home, brought up to its ledger: the ledger's entry is the commit of an admission, the database only
 * follows it. Undefined where nothing was ever admitted; nothing is written then.
 */
export async function recoveredDatabase(
  files: Files,
  home: Home,
  ledger: Ledger,
  store: () => Promise<Store | undefined>,
): Promise<Database | undefined> {
  let database = (await files.look(home.database)) === undefined ? undefined : openDatabase(home.database);
  try {
    const from = (database?.ledgerIndexDone() ?? -1) + 1;
    for await (const { index, type, happening } of understood(ledger.records(from))) {
      const rolledBack = type === ROLLED_BACK_PREDICATE;
      if ((type !== ADMITTED_PREDICATE && !rolledBack) || happening === undefined) continue;
      const seen = happening.predicate['observed'];
      if (isObject(seen) && typeof seen['origin'] === 'string' && typeof seen['size'] === 'number') {
        database ??= openDatabase(home.database);
        database.observe(seen['origin'], seen['size']);
      }
      const admission = admissionIn(happening.predicate);
      if (admission === undefined) continue;
      const lock = await (await store())?.read(admission.lock, LOCK_LIMIT);
      if (lock === undefined) {
        throw admitFault('admit.lock-lost', { where: `ledger entry ${index}`, detail: `It was ${admission.lock}.` });
      }
      database ??= openDatabase(home.database);
      database.publish({ ...publicationOf(admission, lock, index), onTop: rolledBack });
    }
    return database;
  } catch (error) {
    database?.close();
    throw error;
  }
}

function admissionIn(predicate: JsonObject): Admission | undefined {
  const { key, lock, sequence, channel, sealed } = predicate;
  if (!isDigest(key) || !isDigest(lock) || typeof sequence !== 'number') return undefined;
  if (typeof channel !== 'string' || typeof sealed !== 'string') return undefined;
  return { bundle: key, lock, sequence, channel, sealed };
}
