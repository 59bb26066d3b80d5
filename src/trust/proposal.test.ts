import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '#kernel';
import { extendChain } from './chain.ts';
import { type Change, draftOf, proposeRoot } from './proposal.ts';
import { encodeRoot, fingerprintOf, ROOT_PAYLOAD_TYPE, type Root } from './root.ts';
import { roles } from './role.ts';
import { signEnvelope } from './signing.ts';
import { mustRead, signedRoot, testDraft, type TestKey, testKey } from './testing/index.ts';

const NOW = Date.parse('2026-11-22T06:00:00Z');
const [site, ledger, ada, ben, cat] = [testKey(), testKey(), testKey(), testKey('ecdsa-p384'), testKey('ml-dsa-65')];
const half = (holder: string, key: TestKey) => ({ holder, key });
const code = (expected: string, part: RegExp) => (error: unknown) =>
  error instanceof Fault && error.code === expected && error.exit === 2 && part.test(error.message);

/** As init makes it: one person, every duty, and the ledger's key beside it. */
function first(): Root {
  const duties = roles.filter((role) => role !== 'ledger');
  const draft = testDraft({}, { custody: 'one-person' });
  return mustRead(
    signedRoot(
      {
        ...draft,
        holders: [
          {
            name: 'low',
            keys: [site, ledger],
            require: { ...Object.fromEntries(duties.map((role) => [role, [site.keyid]])), ledger: [ledger.keyid] },
          },
        ],
        roles: Object.fromEntries(roles.map((role) => [role, ['low']])),
        thresholds: Object.fromEntries(roles.map((role) => [role, 1])),
      },
      [site.signer('low')],
    ),
  );
}

const SHARE: Change = {
  add: [half('Ada', ada), half('Ben', ben), half('Cat', cat)],
  roles: ['Ada=root,sealer', 'Ben=root,sealer', 'Cat=root,approver', 'low=ledger'],
  thresholds: ['root=2', 'sealer=2'],
  custody: 'shared',
};

function shared(): Root {
  const { payload } = proposeRoot(first(), SHARE, NOW);
  const bytes = signEnvelope(ROOT_PAYLOAD_TYPE, payload, [site.signer(''), ada.signer(''), ben.signer('')]);
  const extension = extendChain(first(), [bytes]);
  assert.ok(extension.ok, extension.ok ? '' : extension.reason.detail);
  return extension.value.root;
}

test('PROP-1: from one person to three, whose duties are apart, in one step', () => {
  const root = shared();
  assert.equal(root.version, 2);
  assert.equal(root.custody, 'shared');
  assert.equal(root.expires, '2029-11-21T06:00:00Z');
  assert.deepEqual(
    [...root.roles],
    [
      ['root', ['Ada', 'Ben', 'Cat']],
      ['sealer', ['Ada', 'Ben']],
      ['approver', ['Cat']],
      ['ledger', ['low']],
    ].sort((a, b) => roles.indexOf(a[0] as never) - roles.indexOf(b[0] as never)),
  );
  assert.deepEqual([root.thresholds.get('root'), root.thresholds.get('approver')], [2, 1]);
  assert.deepEqual(
    root.holders.find(({ name }) => name === 'low')?.keys.map(({ keyid }) => keyid),
    [ledger.keyid],
    'a key that nothing requires leaves',
  );
});

test('PROP-1: what is written again says the same', () => {
  for (const root of [first(), shared()]) assert.equal(fingerprintOf(encodeRoot(draftOf(root))), root.fingerprint);
});

test('PROP-2: duties that must be apart', () => {
  const both =
    (...given: string[]) =>
    () =>
      proposeRoot(first(), { ...SHARE, roles: given, thresholds: [] }, NOW);
  const rest = ['Ben=root,sealer', 'Cat=root', 'low=ledger'];
  assert.throws(
    both('Ada=root,sealer,approver', ...rest),
    code('trust.duties-apart', /Ada would be sealer and approver/),
  );
  assert.throws(both('Ada=carrier,receiver', ...rest), code('trust.duties-apart', /carrier and receiver/));
  assert.throws(() => proposeRoot(first(), { custody: 'shared' }, NOW), code('trust.duties-apart', /low would be/));
  assert.throws(both('Ada=root,ledger', ...rest), code('trust.proposal', /no key for the role ledger/));
});

test('PROP-3: what cannot be is said, with the flag that would help', () => {
  const root = shared();
  const cases: readonly [Change, RegExp][] = [
    [{ remove: ['Eve'] }, /no holder Eve/],
    [{ remove: ['Ben'] }, /threshold of sealer would be 2, with 1 to sign: Ada\. Say --threshold sealer=N/],
    [{ remove: ['low'] }, /keeps the key of the site's ledger/],
    [{ revoke: [ledger.keyid] }, /whose the key of the ledger is/],
    [{ remove: ['Ada', 'Ben', 'Cat'], roles: ['low=sealer'] }, /no key for the role sealer/],
    [{ roles: ['sealer'] }, /No new holder/],
    [{ roles: ['Ada=king'] }, /king is no role; roles are root, sealer/],
    [{ roles: ['Eve=root'] }, /no holder Eve/],
    [{ roles: ['Ada='] }, /is no role/],
    [{ add: [half('Eve', testKey())] }, /Eve would have no role/],
    [{ add: [half('Eve', ada)], roles: ['root'] }, /also held by/],
    [{ thresholds: ['sealer=3'] }, /would be 3, with 2 to sign/],
    [{ thresholds: ['sealer=0'] }, /would be 0/],
    [{ thresholds: ['sealer'] }, /ROLE=N/],
    [{ thresholds: ['auditor=1'] }, /Nobody would have the role auditor/],
    [{ expires: 'tomorrow' }, /no time/],
    [{ expires: '2020-01-01' }, /is over/],
    [{ custody: 'rehearsal' }, /never becomes a real one/],
    [{ roles: ['Ada=sealer', 'Ben=sealer', 'Cat=approver'] }, /Nobody would hold the root/],
    [{ revoke: ['nobody'] }, /no holder and no key nobody/],
    [{ revoke: ['Ada'], reason: '' }, /reason/],
    [{ revoke: ['Ada'], reason: 'a\nb' }, /reason/],
  ];
  for (const [change, part] of cases) {
    assert.throws(
      () => proposeRoot(root, change, NOW),
      code('trust.proposal', part),
      JSON.stringify(change.roles ?? part),
    );
  }
});

test('PROP-4: new keys for a holder; two keys are a pair of which both sign', () => {
  const [one, two] = [testKey(), testKey('ml-dsa-87')];
  const { root } = proposeRoot(shared(), { add: [half('ADA', one), half('Ada', two)] }, NOW);
  const holder = root.holders.find(({ name }) => name === 'Ada');
  assert.deepEqual(holder?.require.get('sealer'), [one.keyid, two.keyid]);
  assert.equal(holder?.keys.length, 2, 'the key before has left');
  assert.deepEqual(root.roles.get('root'), ['Ada', 'Ben', 'Cat']);
  const kept = proposeRoot(first(), { add: [half('low', one)] }, NOW).root;
  assert.deepEqual(kept.holders[0]?.require.get('ledger'), [ledger.keyid], "the ledger's key stays");
  assert.throws(
    () => proposeRoot(root, { revoke: [one.keyid], reason: 'lost' }, NOW),
    code('trust.proposal', /2 keys together/),
  );
});

test('PROP-5: what is revoked stays revoked', () => {
  const { root } = proposeRoot(shared(), { revoke: ['Ben'], reason: 'left', thresholds: ['sealer=1'] }, NOW);
  assert.deepEqual(root.revoked, [{ keyid: ben.keyid, since: '2026-11-22T06:00:00Z', reason: 'left' }]);
  assert.ok(!root.holders.some(({ name }) => name === 'Ben'));
  const later = proposeRoot(
    root,
    { revoke: [cat.keyid], reason: 'lost', add: [half('Dan', testKey())], roles: ['root,approver'] },
    NOW + 1000,
  );
  assert.deepEqual(
    later.root.revoked.map(({ reason }) => reason),
    ['left', 'lost'],
  );
  assert.throws(
    () => proposeRoot(later.root, { add: [half('Ben', ben)], roles: ['root'] }, NOW),
    code('trust.proposal', /is revoked \(left\) and never comes back/),
  );
  const fresh = testKey();
  const replaced = proposeRoot(
    shared(),
    { add: [half('Ada', fresh)], revoke: [ada.keyid], reason: 'stolen' },
    NOW,
  ).root;
  assert.deepEqual(replaced.holders.find(({ name }) => name === 'Ada')?.require.get('sealer'), [fresh.keyid]);
  assert.deepEqual(
    replaced.revoked.map(({ keyid }) => keyid),
    [ada.keyid],
  );
  const byName = proposeRoot(shared(), { add: [half('Ada', fresh)], revoke: ['Ada'], reason: 'stolen' }, NOW).root;
  assert.ok(
    byName.holders.some(({ name }) => name === 'Ada'),
    'with new keys the holder stays',
  );
  assert.throws(() => proposeRoot(first(), { revoke: ['low'] }, NOW), code('trust.proposal', /by their ids/));
});

test('PROP-6: any change gives a root that its rules accept, or a usage fault', () => {
  const root = shared();
  const spare = [testKey(), testKey()];
  const name = fc.constantFrom('Ada', 'Ben', 'Cat', 'low', 'Dan', 'Eve', '');
  const role = fc.constantFrom(...roles, 'king', '');
  const list = fc.array(role, { maxLength: 3 }).map((found) => found.join(','));
  const change = fc.record({
    add: fc.array(
      fc.tuple(name, fc.constantFrom(...spare, ada, cat)).map(([who, key]) => half(who, key)),
      { maxLength: 2 },
    ),
    roles: fc.array(
      fc.oneof(
        list,
        fc.tuple(name, list).map(([who, what]) => `${who}=${what}`),
      ),
      { maxLength: 1 },
    ),
    remove: fc.array(name, { maxLength: 1 }),
    revoke: fc.array(fc.oneof(name, fc.constantFrom(ada.keyid, ledger.keyid)), { maxLength: 1 }),
    reason: fc.constantFrom('lost', ''),
    thresholds: fc.array(
      fc.tuple(role, fc.nat(4)).map(([what, n]) => `${what}=${n}`),
      { maxLength: 2 },
    ),
    custody: fc.constantFrom('shared' as const, 'one-person' as const),
  });
  let made = 0;
  fc.assert(
    fc.property(change, (wanted) => {
      try {
        const next = proposeRoot(root, wanted, NOW).root;
        made += 1;
        assert.equal(next.version, root.version + 1);
        assert.equal(next.site, root.site);
      } catch (error) {
        if (!(error instanceof Fault) || error.exit !== 2) throw error;
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(made > 5, `${made} were made`);
});
