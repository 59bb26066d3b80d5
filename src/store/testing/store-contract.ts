import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { type Digest, digestOf } from '#kernel';
import type { Store } from '../store.ts';

/** What a test of a store needs beside it. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Writes a finished file of the same file system, and says its path. */
  file(bytes: Uint8Array): Promise<string>;
  /** Replaces the stored bytes behind the store's back. */
  rot(digest: Digest, bytes: Uint8Array): Promise<void>;
}

/** What every implementation of the port must do. `make` gives an empty store. */
export function storeContract(
  title: string,
  make: (test: { after(fn: () => Promise<void>): void }) => Promise<StoreUnderTest>,
): void {
  const hello = Buffer.from('hello');
  const absent = digestOf('absent');

  test(`${title}: what is put can be read, by part too`, async (t) => {
    const { store } = await make(t);
    const digest = await store.put(hello);
    assert.equal(digest, digestOf(hello));
    assert.equal(await store.has(digest), true);
    assert.equal(await store.size(digest), 5);
    assert.deepEqual(Buffer.from((await store.read(digest, 5))!), hello);
    await assert.rejects(store.read(digest, 4), { code: 'EFBIG' });
    const content = await store.open(digest);
    assert.equal(content!.size, 5);
    const part = Buffer.alloc(10);
    assert.equal(await content!.read(part, 3), 2);
    assert.equal(part.subarray(0, 2).toString(), 'lo');
    await content!.close();
  });

  test(`${title}: what is not there is undefined, not an error`, async (t) => {
    const { store } = await make(t);
    assert.equal(await store.has(absent), false);
    assert.equal(await store.size(absent), undefined);
    assert.equal(await store.read(absent, 10), undefined);
    assert.equal(await store.open(absent), undefined);
    assert.equal(await store.verify(absent), 'absent');
    await store.remove(absent);
  });

  test(`${title}: the empty content is content`, async (t) => {
    const { store } = await make(t);
    const digest = await store.put(new Uint8Array());
    assert.equal(await store.size(digest), 0);
    assert.equal(await store.verify(digest), 'whole');
    assert.equal((await store.read(digest, 0))!.length, 0);
  });

  test(`${title}: a content that arrives in pieces is seen only when it is whole`, async (t) => {
    const { store } = await make(t);
    const bytes = randomBytes(300_000);
    const incoming = await store.begin();
    for (let at = 0; at < bytes.length; at += 70_000) await incoming.write(bytes.subarray(at, at + 70_000));
    assert.equal(incoming.size, bytes.length);
    assert.equal(await store.has(digestOf(bytes)), false);
    const digest = await incoming.commit();
    assert.equal(digest, digestOf(bytes));
    assert.deepEqual(Buffer.from((await store.read(digest, bytes.length))!), bytes);
    await assert.rejects(incoming.commit());
    await incoming.abort();
    assert.equal(await store.has(digest), true, 'abort after commit takes nothing back');
  });

  test(`${title}: an aborted content leaves nothing`, async (t) => {
    const { store } = await make(t);
    const incoming = await store.begin();
    await incoming.write(hello);
    await incoming.abort();
    await incoming.abort();
    assert.equal(await store.has(digestOf(hello)), false);
    assert.deepEqual(await Array.fromAsync(store.digests()), []);
  });

  test(`${title}: content that is here already is no error`, async (t) => {
    const { store } = await make(t);
    const twice = await Promise.all([store.put(hello), store.put(hello), store.put(hello)]);
    assert.deepEqual(new Set(twice), new Set([digestOf(hello)]));
    assert.deepEqual(await Array.fromAsync(store.digests()), [digestOf(hello)]);
  });

  test(`${title}: rotten content is found, and healed by putting it again`, async (t) => {
    const { store, rot } = await make(t);
    const digest = await store.put(hello);
    await rot(digest, Buffer.from('hellO'));
    assert.equal(await store.verify(digest), 'rotten');
    await store.put(hello);
    assert.equal(await store.verify(digest), 'whole');
    await rot(digest, Buffer.from('hell'));
    const incoming = await store.begin();
    await incoming.write(hello);
    await incoming.commit();
    assert.equal(await store.verify(digest), 'whole');
  });

  test(`${title}: a finished file is adopted, also over rotten content`, async (t) => {
    const { store, file, rot } = await make(t);
    const digest = digestOf(hello);
    await store.adopt(await file(hello), digest, 5);
    await store.syncAdopted();
    assert.equal(await store.verify(digest), 'whole');
    await rot(digest, Buffer.from('rot'));
    await store.adopt(await file(hello), digest, 5);
    await store.syncAdopted();
    assert.equal(await store.verify(digest), 'whole');
    await assert.rejects(store.adopt(await file(hello), digestOf('other'), 6), { code: 'store.digest' });
    assert.equal(await store.has(digestOf('other')), false);
  });

  test(`${title}: digests lists everything, sorted, and remove takes away`, async (t) => {
    const { store } = await make(t);
    const all: Digest[] = [];
    for (let i = 0; i < 40; i++) all.push(await store.put(Buffer.from(`content ${i}`)));
    assert.deepEqual(await Array.fromAsync(store.digests()), all.sort());
    await store.remove(all[7]!);
    assert.equal(await store.has(all[7]!), false);
    assert.equal((await Array.fromAsync(store.digests())).length, 39);
  });
}
