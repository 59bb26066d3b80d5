import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isFault } from '#kernel';
import { temporaryFolder } from '#system/testing';
import { openDatabase } from './index.ts';
import { artifact, databaseContract, publication } from './testing/database-contract.ts';
import { memoryStore } from './testing/index.ts';

databaseContract('SQLite', async (t) => {
  // The database is closed before its folder is removed: what is said to be done after a test is done in order.
  const folders: (() => Promise<void>)[] = [];
  const folder = await temporaryFolder({ after: (fn) => void folders.push(fn) });
  const db = openDatabase(join(folder, 'state.db'));
  t.after(async () => {
    db.close();
    for (const remove of folders) await remove();
  });
  return db;
});

test('another connection sees what was published, and its caches are renewed', async (t) => {
  const path = join(await temporaryFolder(t), 'state.db');
  const admitting = openDatabase(path);
  const serving = openDatabase(path);
  t.after(() => (admitting.close(), serving.close()));
  const catalog = serving.catalog(memoryStore());
  admitting.publish(publication(1, [artifact('a', '1.0.0')]));
  assert.equal(catalog.artifacts('npm', 'a').length, 1);
  const { generation } = catalog;
  admitting.publish(publication(2, [artifact('a', '2.0.0')]));
  assert.equal(catalog.artifacts('npm', 'a').length, 2);
  assert.ok(catalog.generation > generation);
});

test('it is kept over closing, in WAL mode', async (t) => {
  const path = join(await temporaryFolder(t), 'state.db');
  const first = openDatabase(path);
  first.publish(publication(1, [artifact('a', '1.0.0')]));
  first.close();
  const again = openDatabase(path);
  t.after(() => again.close());
  assert.equal(again.admitted().length, 1);
  const raw = new DatabaseSync(path);
  assert.equal(raw.prepare('PRAGMA journal_mode').get()!['journal_mode'], 'wal');
  raw.close();
});

test('an older form is emptied, for admit to fill it again', async (t) => {
  const path = join(await temporaryFolder(t), 'state.db');
  const older = new DatabaseSync(path);
  older.exec('CREATE TABLE row (old TEXT); PRAGMA user_version = 1');
  older.close();
  const db = openDatabase(path);
  t.after(() => db.close());
  assert.equal(db.ledgerIndexDone(), -1);
  db.publish(publication(1, [artifact('a', '1.0.0')]));
  assert.equal(db.admitted().length, 1);
});

test('a file that is no database, and one of a newer version, are faults', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(
    join(folder, 'noise.db'),
    'this is not a database, but it is long enough to look like one'.repeat(100),
  );
  assert.throws(
    () => openDatabase(join(folder, 'noise.db')),
    (error) => isFault(error) && error.code === 'store.database',
  );
  const newer = new DatabaseSync(join(folder, 'newer.db'));
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  assert.throws(
    () => openDatabase(join(folder, 'newer.db')),
    (error) => isFault(error) && error.code === 'store.database-version',
  );
  assert.throws(
    () => openDatabase(join(folder, 'no/such/folder.db')),
    (error) => isFault(error),
  );
});

test('ten thousand rows are published and found by digest', async (t) => {
  const db = openDatabase(join(await temporaryFolder(t), 'state.db'));
  t.after(() => db.close());
  const rows = Array.from({ length: 10_000 }, (_, i) => artifact(`package-${i}`, '1.0.0'));
  db.publish(publication(1, rows));
  const catalog = db.catalog(memoryStore());
  for (let i = 0; i < 1000; i++) assert.equal(catalog.byDigest('npm', rows[i]!.digest).length, 1);
});
