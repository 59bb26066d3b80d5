import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeEnvelope, encodeEnvelope, type EnvelopeSignature, isProblem, pae } from '#formats';
import { algorithms } from './algorithm.ts';
import type { RootDraft } from './root.ts';
import { signEnvelope } from './signing.ts';
import { mustRead, signedRoot, testDraft, testKey } from './testing/index.ts';
import { verifyEnvelope } from './verification.ts';

const NOW = Date.parse('2026-11-22T06:00:00Z');
const options = { now: NOW, expectRehearsal: false };
const TYPE = 'application/x';
const payload = Buffer.from('{"index":1}');

const ada = testKey();
const ben = testKey('ecdsa-p384');
const cat = testKey();
const quantum = testKey('ml-dsa-65');
const draft: RootDraft = {
  ...testDraft({
    Ada: { key: ada, roles: ['root', 'sealer'] },
    Ben: { key: ben, roles: ['root', 'sealer'] },
    Cat: { key: cat, roles: ['approver'] },
  }),
};
const rootOf = (over: Partial<RootDraft> = {}) => mustRead(signedRoot({ ...draft, ...over }, [ada.signer('Ada')]));
const twoOf = rootOf({ thresholds: { ...draft.thresholds, sealer: 2 } });

function signed(signatures: readonly EnvelopeSignature[]): Uint8Array {
  return encodeEnvelope({ payloadType: TYPE, payload, signatures });
}

function by(key: ReturnType<typeof testKey>, keyid = key.keyid): EnvelopeSignature {
  return { keyid, sig: key.signer('').sign(pae(TYPE, payload)) };
}

function codeOf(bytes: Uint8Array, root = rootOf(), over: Partial<typeof options> = {}): string {
  const verification = verifyEnvelope(root, 'sealer', TYPE, bytes, { ...options, ...over });
  if (verification.verdict === 'unverified') {
    assert.equal(verification.payload, undefined, 'nothing unverified is handed on');
    assert.equal(verification.reasons.length, 1);
  }
  return verification.reasons[0]?.code ?? verification.verdict;
}

test('every algorithm verifies, and no changed byte does', () => {
  for (const algorithm of algorithms) {
    const key = testKey(algorithm);
    const root = mustRead(signedRoot(testDraft({ One: { key, roles: ['root', 'sealer'] } }), [key.signer('One')]));
    const bytes = signEnvelope(TYPE, payload, [key.signer('One')]);
    const good = verifyEnvelope(root, 'sealer', TYPE, bytes, options);
    assert.equal(good.verdict, 'verified');
    assert.deepEqual(good.holders, ['One']);
    assert.deepEqual(Buffer.from(good.payload ?? []), payload);
    const envelope = decodeEnvelope(bytes);
    assert.ok(!isProblem(envelope));
    const changed = encodeEnvelope({ ...envelope, payload: Buffer.from('{"index":2}') });
    assert.equal(codeOf(changed, root), 'trust.bad-signature');
  }
});

test('VER-1: every flipped bit is refused', () => {
  const bytes = signEnvelope(TYPE, payload, [ada.signer('Ada')]);
  const root = rootOf();
  fc.assert(
    fc.property(fc.nat(bytes.length - 2), fc.nat(7), (at, bit) => {
      const flipped = Uint8Array.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      const { verdict, payload: read } = verifyEnvelope(root, 'sealer', TYPE, flipped, options);
      // A flipped key of an object is a field that we do not know; what is read is then still what was signed.
      if (verdict === 'verified') assert.deepEqual(Buffer.from(read ?? []), payload);
    }),
    { numRuns: 500 },
  );
});

test('VER-2: the payload type that is due', () => {
  const bytes = signEnvelope('application/y', payload, [ada.signer('Ada')]);
  assert.equal(codeOf(bytes), 'trust.payload-type');
});

test('VER-3: keys that the root does not name', () => {
  const eve = testKey();
  assert.equal(codeOf(signed([by(eve)])), 'trust.foreign-key');
  assert.equal(codeOf(signed([by(eve, ada.keyid)])), 'trust.bad-signature', 'with the id of a known key');
  assert.equal(codeOf(signed([by(eve, '')])), 'trust.foreign-key', 'without an id');
  assert.equal(codeOf(signed([by(ada), by(eve)])), 'verified', 'beside a known one');
});

test('VER-4: the right key in the wrong role', () => {
  assert.equal(codeOf(signed([by(cat)])), 'trust.wrong-role');
  const lonely = mustRead(signedRoot(testDraft({ Ada: { key: ada, roles: ['root'] } }), [ada.signer('Ada')]));
  assert.equal(codeOf(signed([by(ada)]), lonely), 'trust.wrong-role');
});

test('VER-5: holders are counted, not signatures and not keys', () => {
  assert.equal(codeOf(signed([by(ada)]), twoOf), 'trust.threshold');
  assert.equal(codeOf(signed([by(ada), by(ada)]), twoOf), 'trust.duplicate-signature');
  assert.equal(codeOf(signed([by(ada), by(ada, '')]), twoOf), 'trust.duplicate-signature', 'the second without an id');
  assert.equal(codeOf(signed([by(ada), by(cat)]), twoOf), 'trust.threshold');
  assert.equal(codeOf(signed([by(ada), by(testKey())]), twoOf), 'trust.threshold');
  assert.equal(codeOf(signed([by(ada), by(ben)]), twoOf), 'verified');
  assert.equal(codeOf(signed([by(ben, ''), by(ada, '')]), twoOf), 'verified', 'ids are only hints');
});

test('VER-5: two keys of one holder are one holder', () => {
  const spare = testKey();
  const holders = draft.holders.map((holder) =>
    holder.name === 'Ada'
      ? { ...holder, keys: [ada, spare], require: { ...holder.require, sealer: [ada.keyid, spare.keyid] } }
      : holder,
  );
  const root = rootOf({ holders, thresholds: { ...draft.thresholds, sealer: 2 } });
  assert.equal(codeOf(signed([by(ada), by(spare)]), root), 'trust.threshold');
  assert.equal(codeOf(signed([by(ada), by(spare), by(ben)]), root), 'verified');
});

test('VER-6: a hybrid pair counts only when both keys signed', () => {
  const holders = draft.holders.map((holder) =>
    holder.name === 'Ada'
      ? { ...holder, keys: [ada, quantum], require: { ...holder.require, sealer: [ada.keyid, quantum.keyid] } }
      : holder,
  );
  const root = rootOf({ holders });
  assert.equal(codeOf(signed([by(ada)]), root), 'trust.threshold');
  assert.equal(codeOf(signed([by(quantum)]), root), 'trust.threshold');
  assert.equal(codeOf(signed([by(ada), by(quantum)]), root), 'verified');
});

test('VER-7: a known key that fails refuses the whole', () => {
  const bad = { keyid: ben.keyid, sig: Buffer.from('not a signature') };
  assert.equal(codeOf(signed([by(ada), bad])), 'trust.bad-signature');
});

test('VER-8: expiry is at the instant, and an unknown time is expired', () => {
  const bytes = signed([by(ada)]);
  const end = Date.parse('2030-01-01T00:00:00Z');
  assert.equal(codeOf(bytes, rootOf(), { now: end - 1 }), 'verified');
  assert.equal(codeOf(bytes, rootOf(), { now: end }), 'trust.root-expired');
  assert.equal(codeOf(bytes, rootOf(), { now: Number.NaN }), 'trust.root-expired');
});

test('VER-9: a rehearsal counts only in a rehearsal, and custody is in every verdict', () => {
  const bytes = signed([by(ada)]);
  assert.equal(codeOf(bytes, rootOf({ custody: 'rehearsal' })), 'trust.rehearsal-root');
  assert.equal(codeOf(bytes, rootOf({ custody: 'rehearsal' }), { expectRehearsal: true }), 'verified');
  for (const custody of ['shared', 'one-person'] as const) {
    assert.equal(verifyEnvelope(rootOf({ custody }), 'sealer', TYPE, bytes, options).custody, custody);
    assert.equal(verifyEnvelope(rootOf({ custody }), 'sealer', TYPE, Buffer.from(''), options).custody, custody);
  }
});

test('VER-10: what is no envelope', () => {
  for (const text of [
    '',
    '{}',
    '[]',
    'null',
    '{"payloadType":"application/x","payload":"","signatures":[]}',
    '\0\0\0',
  ]) {
    assert.equal(codeOf(Buffer.from(text)), 'trust.envelope-malformed', text);
  }
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void assert.equal(codeOf(bytes), 'trust.envelope-malformed')));
});

test('signEnvelope gives the same bytes whatever the order of signers, one signature a key', () => {
  const signers = [ada.signer('Ada'), cat.signer('Cat')];
  assert.deepEqual(
    signEnvelope(TYPE, payload, signers),
    signEnvelope(TYPE, payload, [...signers, ...signers].reverse()),
  );
  assert.throws(() => signEnvelope(TYPE, payload, []), TypeError);
});

test('VER-3 to VER-6: any root and any set of signers, beside a plain count', () => {
  const pool = Array.from({ length: 8 }, () => testKey());
  const at = (index: number): (typeof pool)[number] => pool[index] ?? assert.fail();
  const cases = fc.record({
    /** Holder n has keys 2n and 2n + 1; the bits say which of them the role sealer requires. */
    required: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
    signing: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 8 }),
    anonymous: fc.boolean(),
    ask: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(cases, ({ required, signing, anonymous, ask }) => {
      const sealers = required.flatMap((bits, n) => (bits === 0 ? [] : [`h${n}`]));
      fc.pre(sealers.length >= ask);
      const keysOf = (n: number): number[] =>
        [0, 1].filter((bit) => ((required[n] ?? 0) >> bit) % 2 === 1).map((bit) => 2 * n + bit);
      const any: RootDraft = {
        ...draft,
        holders: required.map((bits, n) => ({
          name: `h${n}`,
          keys: [at(2 * n), at(2 * n + 1)],
          require: {
            root: [at(2 * n).keyid],
            ...(bits === 0 ? {} : { sealer: keysOf(n).map((index) => at(index).keyid) }),
          },
        })),
        roles: { root: required.map((_, n) => `h${n}`), sealer: sealers },
        thresholds: { root: 1, sealer: ask },
      };
      const root = mustRead(signedRoot(any, [at(0).signer('h0')]));
      const counted = required.filter(
        (bits, n) => bits !== 0 && keysOf(n).every((index) => signing.includes(index)),
      ).length;
      const bytes = signed(signing.map((index) => by(at(index), anonymous ? '' : at(index).keyid)));
      const { verdict, holders } = verifyEnvelope(root, 'sealer', TYPE, bytes, options);
      assert.equal(verdict, counted >= ask ? 'verified' : 'unverified');
      if (verdict === 'verified') assert.equal(holders.length, counted);
    }),
    { numRuns: 300 },
  );
});

test('VER-11: a revoked key never counts, and is named where it matters', () => {
  const [ada, ben, eve] = [testKey(), testKey(), testKey()];
  const draft = testDraft(
    { Ada: { key: ada, roles: ['root', 'sealer'] }, Ben: { key: ben, roles: ['sealer'] } },
    { revoked: [{ keyid: eve.keyid, since: '2026-11-22T06:00:00Z', reason: 'stolen' }] },
  );
  const root = mustRead(signedRoot(draft, [ada.signer('Ada')]));
  const two = mustRead(signedRoot({ ...draft, thresholds: { ...draft.thresholds, sealer: 2 } }, [ada.signer('Ada')]));
  const judge = (by: typeof root, ...keys: (typeof ada)[]): string => {
    const bytes = signEnvelope(
      'application/x',
      Buffer.from('x'),
      keys.map((key) => key.signer('')),
    );
    const found = verifyEnvelope(by, 'sealer', 'application/x', bytes, {
      now: Date.parse('2026-11-22T06:00:00Z'),
      expectRehearsal: false,
    });
    return found.reasons[0]?.code ?? found.verdict;
  };
  assert.equal(judge(root, eve), 'trust.revoked-key');
  assert.equal(judge(root, ada, eve), 'verified', 'passed over as a stranger is');
  assert.equal(judge(two, ada, eve), 'trust.revoked-key', 'it makes up no threshold');
  assert.equal(judge(two, ada, ben, eve), 'verified');
});
