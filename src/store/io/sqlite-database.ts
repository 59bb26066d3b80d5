import { createHash } from 'node:crypto';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import type { AdmittedArtifact, AdmittedDocument, AdmittedPointer, Catalog } from '#ecosystems';
import { type ContentReader, type Digest, errorCode, errorMessage, isDigest, type LockRow } from '#kernel';
import type { AdmittedBundle, Database, Publication } from '../database.ts';
import { storeFault } from '../faults.ts';

/** Version of the schema below, in SQLite's `user_version`. */
const SCHEMA = 5;

/**
 * A row stands once for all bundles that bring it with the same text (found by its hash, since texts are long);
 * `brought` says which do. Look-ups order by `place`: the index in the ledger, except that a bundle which was overtaken
 * on its way stands below those of its channel with higher numbers, so that it moves nothing back.
 */
const TABLES = `
  CREATE TABLE bundle (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    lock TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    channel TEXT NOT NULL,
    sealed TEXT NOT NULL,
    ledger_index INTEGER NOT NULL,
    place REAL NOT NULL
  ) STRICT;
  CREATE INDEX bundle_channel ON bundle (channel, sequence);
  CREATE TABLE row (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    ecosystem TEXT NOT NULL,
    lookup TEXT NOT NULL,
    authority TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    digest TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    text TEXT NOT NULL
  ) STRICT;
  CREATE INDEX row_lookup ON row (ecosystem, lookup, kind, role);
  CREATE INDEX row_name ON row (ecosystem, name, authority, kind);
  CREATE INDEX row_digest ON row (digest, ecosystem);
  CREATE TABLE brought (
    row INTEGER NOT NULL REFERENCES row,
    bundle INTEGER NOT NULL REFERENCES bundle,
    PRIMARY KEY (row, bundle)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE observed (origin TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE examined (
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    rules INTEGER NOT NULL,
    PRIMARY KEY (digest, kind)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('generation', 1), ('ledger', -1);
`;

type Found = Readonly<Record<string, SQLOutputValue>>;

/** Opens the database of a home, or makes it. WAL and full synchronisation: a commit that returned survives power loss. */
export function openDatabase(path: string): Database {
  const db = guarded(path, () => {
    const opened = new DatabaseSync(path, { timeout: 30_000 });
    try {
      opened.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
      const version = Number(opened.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
      if (version > SCHEMA) {
        throw storeFault('store.database-version', {
          where: path,
          detail: `Its form is ${version}; known is ${SCHEMA}.`,
        });
      }
      if (version < SCHEMA) make(opened);
    } catch (error) {
      opened.close();
      throw error;
    }
    return opened;
  });

  const run = <T>(act: () => T): T => guarded(path, act);
  const dataVersion = db.prepare('PRAGMA data_version');
  const meta = db.prepare('SELECT value FROM meta WHERE key = ?');
  let seenVersion = -1;
  let generation = 0;
  let caches = new Map<string, readonly unknown[]>();

  /** The generation on disk; another process may have published since the last look. */
  function current(): number {
    const version = Number(dataVersion.get()?.['data_version']);
    if (version !== seenVersion) {
      seenVersion = version;
      refresh();
    }
    return generation;
  }
  function refresh(): void {
    const now = Number(meta.get('generation')?.['value']);
    if (now !== generation) caches = new Map();
    generation = now;
  }
  function cached<T>(key: string, find: () => readonly T[]): readonly T[] {
    current();
    const hit = caches.get(key);
    if (hit !== undefined) return hit as readonly T[];
    const found = find();
    // Names that were never admitted are asked for too; the cache must not grow with what strangers ask.
    if (found.length > 0) caches.set(key, found);
    return found;
  }

  const BUNDLE = 'SELECT digest, lock, sequence, channel, sealed, ledger_index FROM bundle';
  const allBundles = db.prepare(`${BUNDLE} ORDER BY ledger_index, id`);
  const oneBundle = db.prepare(`${BUNDLE} WHERE digest = ?`);
  const highestBundle = db.prepare(`${BUNDLE} WHERE channel = ? ORDER BY sequence DESC, ledger_index DESC LIMIT 1`);
  const headBundle = db.prepare(`${BUNDLE} WHERE channel = ? ORDER BY place DESC LIMIT 1`);
  const bundlesAt = db.prepare(`${BUNDLE} WHERE channel = ? AND sequence = ? ORDER BY ledger_index`);
  const lowestAbove = db.prepare('SELECT min(place) AS place FROM bundle WHERE channel = ? AND sequence > ?');
  const placeBelow = db.prepare('SELECT max(place) AS place FROM bundle WHERE place < ?');
  // With a bare column beside max(), SQLite takes it from the row that has the maximum (documented since 3.7.11).
  const ROWS = `SELECT row.text, bundle.digest AS bundle, bundle.sequence, max(bundle.place) AS newest
    FROM row JOIN brought ON brought.row = row.id JOIN bundle ON bundle.id = brought.bundle`;
  const ORDER = 'GROUP BY row.id ORDER BY newest DESC, row.id';
  const byLookup = db.prepare(`${ROWS} WHERE ecosystem = ? AND lookup = ? AND kind = ? AND role = ? ${ORDER}`);
  const byLookupAny = db.prepare(`${ROWS} WHERE ecosystem = ? AND lookup = ? AND kind = ? ${ORDER}`);
  const byName = db.prepare(`${ROWS} WHERE ecosystem = ? AND name = ? AND authority = ? AND kind = 'pointer' ${ORDER}`);
  const byContent = db.prepare(`${ROWS} WHERE row.digest = ? AND ecosystem = ? ${ORDER}`);
  const lookups = db.prepare('SELECT DISTINCT lookup FROM row WHERE ecosystem = ? ORDER BY lookup');

  const insertBundle = db.prepare(
    'INSERT INTO bundle (digest, lock, sequence, channel, sealed, ledger_index, place) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const insertRow = db.prepare(
    `INSERT INTO row (kind, ecosystem, lookup, authority, name, role, digest, hash, text)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET kind = kind RETURNING id`,
  );
  const insertBrought = db.prepare('INSERT OR IGNORE INTO brought (row, bundle) VALUES (?, ?)');
  const allObserved = db.prepare('SELECT origin, size FROM observed ORDER BY origin');
  const raiseObserved = db.prepare(
    'INSERT INTO observed VALUES (?, ?) ON CONFLICT (origin) DO UPDATE SET size = max(size, excluded.size)',
  );
  const oneExamined = db.prepare('SELECT rules FROM examined WHERE digest = ? AND kind = ?');
  const insertExamined = db.prepare('INSERT OR REPLACE INTO examined VALUES (?, ?, ?)');
  const raiseLedger = db.prepare("UPDATE meta SET value = max(value, ?) WHERE key = 'ledger'");
  const raiseGeneration = db.prepare("UPDATE meta SET value = value + 1 WHERE key = 'generation'");

  function admissions<T>(found: readonly Found[]): T[] {
    return found.map((one) => ({
      ...(JSON.parse(String(one['text'])) as object),
      bundle: one['bundle'],
      sequence: Number(one['sequence']),
    })) as T[];
  }

  return {
    admitted: () => run(() => allBundles.all().map(bundleOf)),
    seen: (bundle) => run(() => mapped(oneBundle.get(bundle))),
    highest: (channel) => run(() => mapped(highestBundle.get(channel))),
    head: (channel) => run(() => mapped(headBundle.get(channel))),
    at: (channel, sequence) => run(() => bundlesAt.all(channel, sequence).map(bundleOf)),

    publish(publication) {
      run(() => {
        db.exec('BEGIN IMMEDIATE');
        try {
          if (oneBundle.get(publication.bundle) === undefined) insert(publication);
          raiseLedger.run(publication.ledgerIndex);
          db.exec('COMMIT');
        } catch (error) {
          if (db.isTransaction) db.exec('ROLLBACK');
          throw error;
        }
        refresh();
      });
    },

    pointersOf: (ecosystem, authority, name) =>
      run(() => admissions<AdmittedPointer>(byName.all(ecosystem, name, authority))),

    catalog: (content: ContentReader): Catalog => ({
      content,
      get generation() {
        return run(current);
      },
      artifacts: (ecosystem, key) =>
        run(() =>
          cached(`artifact\0${ecosystem}\0${key}`, () =>
            admissions<AdmittedArtifact>(byLookup.all(ecosystem, key, 'artifact', '')),
          ),
        ),
      documents: (ecosystem, key, role) =>
        run(() =>
          cached(`document\0${ecosystem}\0${key}\0${role}`, () =>
            admissions<AdmittedDocument>(byLookup.all(ecosystem, key, 'document', role)),
          ),
        ),
      pointers: (ecosystem, key) =>
        run(() =>
          cached(`pointer\0${ecosystem}\0${key}`, () =>
            admissions<AdmittedPointer>(byLookupAny.all(ecosystem, key, 'pointer')),
          ),
        ),
      byDigest: (ecosystem, digest) =>
        run(() =>
          cached(`digest\0${ecosystem}\0${digest}`, () =>
            admissions<AdmittedArtifact | AdmittedDocument>(byContent.all(digest, ecosystem)),
          ),
        ),
      keys: (ecosystem) =>
        run(() => cached(`keys\0${ecosystem}`, () => lookups.all(ecosystem).map((one) => String(one['lookup'])))),
    }),

    ledgerIndexDone: () => run(() => Number(meta.get('ledger')?.['value'])),
    markLedger(index) {
      run(() => raiseLedger.run(index));
    },
    observed: () => run(() => new Map(allObserved.all().map((one) => [String(one['origin']), Number(one['size'])]))),
    observe(origin, size) {
      run(() => raiseObserved.run(origin, size));
    },
    examined: (digest, as, rules) => run(() => oneExamined.get(digest, as)?.['rules'] === rules),
    markExamined(contents, rules) {
      run(() => {
        db.exec('BEGIN IMMEDIATE');
        try {
          for (const { digest, as } of contents) insertExamined.run(digest, as, rules);
          db.exec('COMMIT');
        } catch (error) {
          if (db.isTransaction) db.exec('ROLLBACK');
          throw error;
        }
      });
    },
    close: () => db.close(),
  };

  /** Right below the lowest of the channel's bundles with higher numbers; halfway to what stands below that one. */
  function placeOf(channel: string, sequence: number, ledgerIndex: number): number {
    const above = lowestAbove.get(channel, sequence)?.['place'];
    if (typeof above !== 'number') return ledgerIndex;
    const below = placeBelow.get(above)?.['place'];
    return ((typeof below === 'number' ? below : above - 1) + above) / 2;
  }

  function insert(publication: Publication): void {
    const { bundle, lock, sequence, channel, sealed, ledgerIndex } = publication;
    const place = publication.onTop === true ? ledgerIndex : placeOf(channel, sequence, ledgerIndex);
    const { lastInsertRowid } = insertBundle.run(bundle, lock, sequence, channel, sealed, ledgerIndex, place);
    for (const row of publication.rows) {
      if (row.row === 'input') continue;
      const lookup = publication.lookupKey(row.ecosystem, row.name);
      const role = row.row === 'document' ? row.role : row.row === 'pointer' ? row.pointer : '';
      const digest = row.row === 'pointer' ? '' : row.digest;
      const text = JSON.stringify(row satisfies LockRow);
      const hash = createHash('sha256').update(text).digest();
      const id = insertRow.get(row.row, row.ecosystem, lookup, row.authority, row.name, role, digest, hash, text)?.[
        'id'
      ];
      if (id === undefined || id === null) throw new Error('an inserted row has no id');
      insertBrought.run(id, lastInsertRowid);
    }
    raiseGeneration.run();
  }
}

function make(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have made it while this one waited for the write lock. An older form is dropped: admit fills
    // the new one from ledger and store.
    if (Number(db.prepare('PRAGMA user_version').get()?.['user_version']) < SCHEMA) {
      for (const table of ['brought', 'row', 'bundle', 'observed', 'examined', 'meta'])
        db.exec(`DROP TABLE IF EXISTS ${table}`);
      db.exec(TABLES);
      db.exec(`PRAGMA user_version = ${SCHEMA}`);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function mapped(found: Found | undefined): AdmittedBundle | undefined {
  return found === undefined ? undefined : bundleOf(found);
}

function bundleOf(found: Found): AdmittedBundle {
  const bundle = found['digest'];
  const lock = found['lock'];
  if (!isDigest(bundle) || !isDigest(lock)) throw new Error('the database holds a digest that is none');
  return {
    bundle: bundle satisfies Digest,
    lock,
    sequence: Number(found['sequence']),
    channel: String(found['channel']),
    sealed: String(found['sealed']),
    ledgerIndex: Number(found['ledger_index']),
  };
}

/** SQLite's own errors (busy, corrupt, full, not a database) become faults that say what to do. */
function guarded<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (errorCode(error) !== 'ERR_SQLITE_ERROR') throw error;
    const code = (error as { errcode?: number }).errcode ?? 0;
    // SQLITE_FULL is 13; a constraint (19) or misuse (21) is our own mistake.
    if ((code & 0xff) === 13) throw storeFault('store.full', { where: path, cause: error });
    if ((code & 0xff) === 19 || (code & 0xff) === 21 || (code & 0xff) === 1) throw error;
    throw storeFault('store.database', { where: path, detail: `SQLite says: ${errorMessage(error)}.`, cause: error });
  }
}
