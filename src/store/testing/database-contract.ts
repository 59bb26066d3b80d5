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
