import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type ArtifactRow, digestOf, isFault, type LockRow } from '#kernel';
import { temporaryFolder } from '#system/testing';
import { openDatabase, type Publication } from './index.ts';
import { memoryStore } from './testing/index.ts';

const common = { ecosystem: 'npm', authority: 'registry.example.test', inputs: ['package-lock.json'] };

function artifact(name: string, version: string): ArtifactRow {
  return {
    ...common,
    row: 'artifact',
    name,
    version,
    file: `${name}-${version}.tgz`,
    targets: 'any',
    digest: digestOf(`${name} ${version}`),
    size: 7,
    media: 'application/octet-stream',
    origin: `https://registry.example.test/${name}`,
    published: '',
    evidence: [],
    facts: {},
  };
}

function pointer(name: string, value: string): LockRow {
  return { ...common, row: 'pointer', name, version: '', file: '', pointer: 'latest', value };
}

function publication(sequence: number, rows: readonly LockRow[], over: Partial<Publication> = {}): Publication {
  return {
    bundle: digestOf(`bundle ${sequence}`),
    lock: digestOf(`lock ${sequence}`),
    sequence,
    channel: 'main',
    sealed: '2026-11-22T06:00:00Z',
    ledgerIndex: sequence * 10,
    rows,
    lookupKey: (_, name) => name.toLowerCase(),
    ...over,
  };
}

test('what is published is found by its look-up name, newest first', async (t) => {
  const db = openDatabase(join(await temporaryFolder(t), 'state.db'));
  t.after(() => db.close());
  const catalog = db.catalog(memoryStore());
  assert.deepEqual(catalog.artifacts('npm', 'left'), []);
  const before = catalog.generation;
  db.publish(publication(1, [artifact('Left', '1.0.0'), pointer('Left', '1.0.0')]));
  db.publish(publication(2, [artifact('Left', '1.0.0'), artifact('Left', '1.1.0'), pointer('Left', '1.1.0')]));
  assert.notEqual(catalog.generation, before);
  assert.deepEqual(
    catalog.artifacts('npm', 'left').map(({ version, sequence }) => [version, sequence]),
    [
      ['1.0.0', 2],
      ['1.1.0', 2],
    ],
  );
  assert.deepEqual(
    catalog.pointers('npm', 'left').map(({ value }) => value),
    ['1.1.0', '1.0.0'],
  );
  assert.equal(db.pointersOf('npm', 'registry.example.test', 'Left')[0]!.value, '1.1.0');
  assert.equal(db.pointersOf('npm', 'registry.example.test', 'left').length, 0, 'names are compared byte for byte');
  assert.equal(catalog.byDigest('npm', digestOf('Left 1.1.0')).length, 1);
  assert.deepEqual(catalog.keys('npm'), ['left']);
  assert.equal(catalog.artifacts('npm', 'left'), catalog.artifacts('npm', 'left'), 'answers are cached');
});

test('bundles, channels and the ledger index', async (t) => {
  const db = openDatabase(join(await temporaryFolder(t), 'state.db'));
  t.after(() => db.close());
  assert.equal(db.ledgerIndexDone(), -1);
  assert.equal(db.highest('main'), undefined);
  db.publish(publication(2, []));
  db.publish(publication(1, [], { ledgerIndex: 25 }));
  db.publish(publication(7, [], { channel: 'beta' }));
  assert.equal(db.highest('main')!.sequence, 2);
  assert.equal(db.highest('beta')!.sequence, 7);
  assert.deepEqual(
    db.admitted().map(({ sequence }) => sequence),
    [2, 1, 7],
  );
  assert.equal(db.seen(digestOf('bundle 2'))!.ledgerIndex, 20);
  assert.equal(db.seen(digestOf('never')), undefined);
  assert.equal(db.ledgerIndexDone(), 70);
  db.markLedger(80);
  db.markLedger(3);
  assert.equal(db.ledgerIndexDone(), 80);
});

test('publishing is all or nothing, and twice is once', async (t) => {
  const db = openDatabase(join(await temporaryFolder(t), 'state.db'));
  t.after(() => db.close());
  const rows = [artifact('a', '1.0.0'), artifact('b', '1.0.0')];
  const failing = publication(1, rows, {
    lookupKey: (_, name) => {
      if (name === 'b') throw new Error('no key');
      return name;
    },
  });
  assert.throws(() => db.publish(failing), /no key/);
  assert.deepEqual(db.admitted(), []);
  const catalog = db.catalog(memoryStore());
  assert.deepEqual(catalog.keys('npm'), []);
  db.publish(publication(1, rows));
  const { generation } = catalog;
  db.publish(publication(1, rows));
  assert.equal(catalog.generation, generation);
  assert.equal(catalog.artifacts('npm', 'a').length, 1);
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

test('ten thousand rows are published and found by digest without a walk through all of them', async (t) => {
  const db = openDatabase(join(await temporaryFolder(t), 'state.db'));
  t.after(() => db.close());
  const rows = Array.from({ length: 10_000 }, (_, i) => artifact(`package-${i}`, '1.0.0'));
  db.publish(publication(1, rows));
  const catalog = db.catalog(memoryStore());
  const started = performance.now();
  for (let i = 0; i < 1000; i++) assert.equal(catalog.byDigest('npm', rows[i]!.digest).length, 1);
  // A walk takes milliseconds for each; an index some tens of microseconds.
  assert.ok(performance.now() - started < 2000);
});
