import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ArtifactRow, digestOf, type LockRow } from '#kernel';
import type { Database, Publication } from '../database.ts';
import { memoryStore } from './memory-store.ts';

const common = { ecosystem: 'npm', authority: 'registry.example.test', inputs: ['package-lock.json'] };

/** A row of a package in npm's words. */
export function artifact(name: string, version: string): ArtifactRow {
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

/** A bundle with these rows: digests and ledger index follow from its sequence number. */
export function publication(sequence: number, rows: readonly LockRow[], over: Partial<Publication> = {}): Publication {
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

/** What every keeper of what was admitted must do. `make` gives an empty one and closes it after the test. */
export function databaseContract(
  title: string,
  make: (test: { after(fn: () => Promise<void> | void): void }) => Promise<Database>,
): void {
  test(`${title}: what is published is found by its look-up name, newest first`, async (t) => {
    const db = await make(t);
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

  test(`${title}: bundles, channels and the ledger index`, async (t) => {
    const db = await make(t);
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

  test(`${title}: a bundle that was overtaken on its way adds, and changes nothing of its channel`, async (t) => {
    const db = await make(t);
    const catalog = db.catalog(memoryStore());
    const values = (): string[] => catalog.pointers('npm', 'a').map(({ value }) => value);
    db.publish(publication(1, [pointer('a', '1.0.0')]));
    db.publish(publication(5, [pointer('a', '5.0.0')]));
    db.publish(publication(9, [pointer('a', '9.0.0')], { channel: 'beta' }));
    db.publish(publication(4, [pointer('a', '4.0.0'), artifact('late', '1.0.0')], { ledgerIndex: 100 }));
    db.publish(publication(3, [pointer('a', '3.0.0')], { ledgerIndex: 110 }));
    assert.deepEqual(values(), ['9.0.0', '5.0.0', '4.0.0', '3.0.0', '1.0.0']);
    assert.equal(catalog.artifacts('npm', 'late').length, 1);
    assert.equal(db.head('main')!.sequence, 5);
    assert.equal(db.highest('main')!.sequence, 5);
    assert.deepEqual(
      db.at('main', 4).map(({ ledgerIndex }) => ledgerIndex),
      [100],
    );
    assert.deepEqual(db.at('main', 2), []);
  });

  test(`${title}: a rollback puts an older bundle on top, and the highest number stays what it was`, async (t) => {
    const db = await make(t);
    db.publish(publication(1, [pointer('a', '1.0.0')]));
    db.publish(publication(2, [pointer('a', '2.0.0')]));
    const again = { bundle: digestOf('rollback'), ledgerIndex: 30, onTop: true };
    db.publish(publication(1, [pointer('a', '1.0.0')], again));
    const catalog = db.catalog(memoryStore());
    assert.equal(catalog.pointers('npm', 'a')[0]!.value, '1.0.0');
    assert.equal(db.head('main')!.sequence, 1);
    assert.equal(db.highest('main')!.sequence, 2);
    assert.equal(db.at('main', 1).length, 2);
    db.publish(publication(3, [pointer('a', '3.0.0')], { ledgerIndex: 40 }));
    assert.equal(catalog.pointers('npm', 'a')[0]!.value, '3.0.0');
    assert.equal(db.head('main')!.sequence, 3);
  });

  test(`${title}: what was examined is remembered with the rules that it was examined by`, async (t) => {
    const db = await make(t);
    assert.equal(db.examined('sha256:a', 'npm', 1), false);
    db.markExamined([{ digest: 'sha256:a', as: 'npm' }], 1);
    assert.equal(db.examined('sha256:a', 'npm', 1), true);
    assert.equal(db.examined('sha256:a', 'wheel', 1), false);
    assert.equal(db.examined('sha256:a', 'npm', 2), false);
    db.markExamined([{ digest: 'sha256:a', as: 'npm' }], 2);
    assert.equal(db.examined('sha256:a', 'npm', 2), true);
  });

  test(`${title}: publishing is all or nothing, and twice is once`, async (t) => {
    const db = await make(t);
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
}
