import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extendChain } from './chain.ts';
import type { RootDraft } from './root.ts';
import { mustRead, signedRoot, testDraft, type TestKey, testKey } from './testing/index.ts';

const ada = testKey();
const ben = testKey();
const cat = testKey();
const eve = testKey();
const people = { Ada: { key: ada, roles: ['root', 'sealer'] }, Ben: { key: ben, roles: ['root'] } } as const;
const first = testDraft(people, { thresholds: { root: 2, sealer: 1 } });
const next = testDraft(
  { ...people, Cat: { key: cat, roles: ['root'] } },
  { version: 2, thresholds: { root: 2, sealer: 1 } },
);
/** Ada and Ben are gone. */
const others = testDraft(
  { Cat: { key: cat, roles: ['root', 'sealer'] }, Eve: { key: eve, roles: ['root'] } },
  { version: 2, thresholds: { root: 2, sealer: 1 } },
);

const sign = (draft: RootDraft, ...keys: TestKey[]): Uint8Array =>
  signedRoot(
    draft,
    keys.map((key) => key.signer('')),
  );
const root = mustRead(sign(first, ada, ben));

function outcome(...files: Uint8Array[]): string {
  const extension = extendChain(root, files);
  return extension.ok
    ? `version ${extension.value.root.version}, ${extension.value.added.length} added`
    : extension.reason.code;
}

test('CHAIN-1: the next version, signed by the old threshold and by its own', () => {
  assert.equal(outcome(sign(next, ada, ben)), 'version 2, 1 added');
  assert.equal(outcome(sign(others, ada, ben, cat, eve)), 'version 2, 1 added', 'a full change of people');
});

test('CHAIN-1: too few of the old, too few of the new', () => {
  assert.equal(
    outcome(sign(next, ada, cat)),
    'trust.root-not-succeeded',
    'enough for the new one, not for the old one',
  );
  assert.equal(outcome(sign(others, cat, eve)), 'trust.foreign-root', 'nobody of the old one');
  assert.equal(outcome(sign(others, ada, ben)), 'trust.root-unsigned', 'nobody of the new one');
  assert.equal(outcome(sign(others, ada, cat, eve)), 'trust.root-not-succeeded');
});

test('CHAIN-2: no gap, no jump (fast-forward)', () => {
  assert.equal(outcome(sign({ ...next, version: 3 }, ada, ben)), 'trust.root-gap');
  assert.equal(outcome(sign({ ...next, version: 2 ** 31 - 1 }, ada, ben)), 'trust.root-gap');
});

test('CHAIN-3: older versions are passed over, the same version with other content is refused', () => {
  const third = { ...next, version: 3 };
  assert.equal(outcome(sign(first, ada, ben), sign(next, ada, ben), sign(third, ada, ben)), 'version 3, 2 added');
  assert.equal(outcome(sign(first, ada, ben)), 'version 1, 0 added');
  assert.equal(outcome(), 'version 1, 0 added');
  assert.equal(outcome(sign({ ...first, expires: '2031-01-01T00:00:00Z' }, ada, ben)), 'trust.foreign-root');
  const at2 = mustRead(sign(next, ada, ben));
  const back = extendChain(at2, [sign(first, ada, ben)]);
  assert.ok(back.ok && back.value.root.version === 2, 'never back');
});

test('CHAIN-4: another site, a rehearsal turned real', () => {
  assert.equal(outcome(sign({ ...next, site: 'other-site' }, ada, ben)), 'trust.root-site');
  assert.equal(outcome(sign({ ...next, custody: 'rehearsal' }, ada, ben)), 'trust.rehearsal-root');
  const play = mustRead(sign({ ...first, custody: 'rehearsal' }, ada, ben));
  const laundered = extendChain(play, [sign(next, ada, ben)]);
  assert.ok(!laundered.ok && laundered.reason.code === 'trust.rehearsal-root');
});

test('CHAIN-5: expired versions in between are passed through, and nothing is taken half', () => {
  const past = { ...next, expires: '2020-01-01T00:00:00Z' };
  const third = { ...next, version: 3 };
  assert.equal(outcome(sign(past, ada, ben), sign(third, ada, ben)), 'version 3, 2 added');
  assert.equal(outcome(sign(next, ada, ben), Buffer.from('{}')), 'trust.root-malformed');
  assert.equal(outcome(sign(next, ada, ben), sign({ ...third, version: 9 }, ada, ben)), 'trust.root-gap');
});

test('CHAIN-6: an endless chain is refused before it is read', () => {
  assert.equal(outcome(...Array.from({ length: 1025 }, () => new Uint8Array())), 'trust.root-malformed');
});

test('CHAIN-7: what a root revokes stays revoked in every later one', () => {
  const gone = { keyid: eve.keyid, since: '2026-11-22T06:00:00Z', reason: 'stolen' };
  const second = { ...next, revoked: [gone] };
  const third = { ...next, version: 3 };
  const signed = sign(second, ada, ben);
  assert.equal(outcome(signed, sign({ ...third, revoked: [gone] }, ada, ben)), 'version 3, 2 added');
  assert.equal(outcome(signed, sign(third, ada, ben)), 'trust.revocation-dropped');
  const other = { ...gone, keyid: testKey().keyid };
  assert.equal(outcome(signed, sign({ ...third, revoked: [other] }, ada, ben)), 'trust.revocation-dropped');
  const back = testDraft(
    { ...people, Eve: { key: eve, roles: ['root'] } },
    { version: 3, thresholds: { root: 2, sealer: 1 } },
  );
  assert.equal(outcome(signed, sign(back, ada, ben)), 'trust.revocation-dropped', 'nor does the key come back');
});
