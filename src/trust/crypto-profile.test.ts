import assert from 'node:assert/strict';
import { test } from 'node:test';
import { algorithms } from './algorithm.ts';
import { extendChain } from './chain.ts';
import {
  allowsAlgorithm,
  both,
  type CryptoProfile,
  DEFAULT_PROFILE,
  FIPS_PROFILE,
  restricts,
} from './crypto-profile.ts';
import { parseCryptoProfile } from './crypto-profile-file.ts';
import { signEnvelope } from './signing.ts';
import { mustRead, signedRoot, testDraft, testKey } from './testing/index.ts';
import { verifyEnvelope } from './verification.ts';

const HEAD = 'sallyport-crypto: "1.0"\nname: plant\n';

function profileOf(text: string): CryptoProfile {
  const read = parseCryptoProfile(`${HEAD}${text}`);
  assert.ok(typeof read !== 'string', String(read));
  return read;
}

test('CRY-1: several profiles together allow what all of them allow', () => {
  assert.equal(restricts(DEFAULT_PROFILE), false);
  assert.equal(restricts(FIPS_PROFILE), true);
  const site = profileOf('sign: [ecdsa-p384, ed25519]\nverify: [ecdsa-p384, ed25519]\n');
  const narrow = profileOf('verify: [ecdsa-p384]\n').verify;
  assert.deepEqual(narrow, ['ecdsa-p384']);
  const together = both(both(DEFAULT_PROFILE, FIPS_PROFILE), site);
  assert.equal(together.name, 'fips+plant');
  assert.deepEqual(together.keyFiles, ['pbkdf2']);
  assert.deepEqual([...together.verify].sort(), ['ecdsa-p384', 'ed25519']);
  assert.ok(!together.modules.includes('ssh-agent'));
  assert.equal(both(DEFAULT_PROFILE, DEFAULT_PROFILE).name, 'default');
  assert.equal(restricts(both(DEFAULT_PROFILE, DEFAULT_PROFILE)), false);
});

test('CRY-2: a file that is not understood is a sentence, and never a profile', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /object/],
    ['sallyport-crypto: "2.0"\nname: plant\n', /1\.0/],
    ['sallyport-crypto: "1.0"\n', /name/],
    [`${HEAD}name: again\n`, /unique/i],
    [`${HEAD}colour: red\n`, /colour/],
    [`${HEAD}sign: [rsa]\n`, /sign/],
    [`${HEAD}sign: []\n`, /sign/],
    [`${HEAD}verify: [ed25519, ed25519]\n`, /twice/],
    [`${HEAD}base: strong\n`, /base/],
    [`${HEAD}base: fips\nkey-files: [scrypt]\n`, /scrypt.*base fips/],
    [`${HEAD}base: fips\nmodules: [ssh-agent]\n`, /ssh-agent.*base fips/],
    [`${HEAD}hashes: [sha384]\n`, /sha256/],
    [`${HEAD}hashes: [sha256]\nverify: [ed25519]\n`, /ed25519 rests on sha512/],
    [`${HEAD}verify: [ecdsa-p384]\nsign: [ed25519]\n`, /nobody here would verify what ed25519 signed/],
    [`${HEAD}key-files: [other]\n`, /scrypt or pbkdf2/],
    [`a: &a [x]\nsallyport-crypto: *a\n`, /alias/i],
    ['[', /flow|sequence/i],
  ];
  for (const [text, says] of wrong) {
    const read = parseCryptoProfile(text);
    assert.ok(typeof read === 'string', text);
    assert.match(read, says, text);
  }
  const hashed = profileOf('hashes: [sha256, sha384]\n');
  assert.deepEqual(hashed.verify, ['ecdsa-p256', 'ecdsa-p384'], 'what rests on another hash is out');
  assert.deepEqual(hashed.sign, hashed.verify);
  assert.equal(allowsAlgorithm(hashed, 'verify', 'ml-dsa-65'), false);
});

test('CRY-4: a signature outside the profile never counts, and is named where it matters', () => {
  const profile = profileOf('verify: [ecdsa-p384, ml-dsa-87]\n');
  const options = { now: Date.parse('2027-01-01T00:00:00Z'), expectRehearsal: false };
  for (const algorithm of algorithms) {
    const key = testKey(algorithm);
    const root = mustRead(signedRoot(testDraft({ Ada: { key, roles: ['root', 'sealer'] } }), [key.signer('Ada')]));
    const sealed = signEnvelope('application/x', Buffer.from('it'), [key.signer('Ada')]);
    const judge = (by: typeof root) => verifyEnvelope(by, 'sealer', 'application/x', sealed, options);
    assert.equal(judge(root).verdict, 'verified', algorithm);
    const judged = judge({ ...root, profile });
    const allowed = ['ecdsa-p384', 'ml-dsa-87'].includes(algorithm);
    assert.equal(judged.verdict, allowed ? 'verified' : 'unverified', algorithm);
    if (allowed) continue;
    assert.equal(judged.reasons[0]?.code, 'trust.algorithm');
    assert.match(judged.reasons[0]?.detail ?? '', new RegExp(`${algorithm}.*profile plant.*0 of 1`));
    assert.equal(judged.payload, undefined);
    // Without an id it is tried with no key that does not count.
    const { payload, signatures } = JSON.parse(Buffer.from(sealed).toString()) as {
      payload: string;
      signatures: { sig: string }[];
    };
    const bare = JSON.stringify({ payloadType: 'application/x', payload, signatures: [{ sig: signatures[0]?.sig }] });
    const nameless = verifyEnvelope({ ...root, profile }, 'sealer', 'application/x', Buffer.from(bare), options);
    assert.equal(nameless.reasons[0]?.code, 'trust.algorithm');
  }
});

test('CRY-4: half of a pair does not count, and another holder does', () => {
  const profile = profileOf('verify: [ecdsa-p384]\n');
  const [weak, strong, other] = [testKey('ed25519'), testKey('ecdsa-p384'), testKey('ecdsa-p384')];
  const draft = testDraft({ Ada: { key: strong, roles: ['root', 'sealer'] }, Ben: { key: other, roles: ['sealer'] } });
  const pair = draft.holders.map((holder) =>
    holder.name === 'Ada'
      ? { ...holder, keys: [strong, weak], require: { root: [strong.keyid], sealer: [strong.keyid, weak.keyid] } }
      : holder,
  );
  const root = { ...mustRead(signedRoot({ ...draft, holders: pair }, [strong.signer('Ada')])), profile };
  const options = { now: Date.parse('2027-01-01T00:00:00Z'), expectRehearsal: false };
  const judge = (...signers: ReturnType<typeof weak.signer>[]) =>
    verifyEnvelope(root, 'sealer', 'application/x', signEnvelope('application/x', Buffer.from('it'), signers), options);
  const alone = judge(weak.signer('Ada'), strong.signer('Ada'));
  assert.deepEqual([alone.verdict, alone.reasons[0]?.code], ['unverified', 'trust.algorithm']);
  const both = judge(weak.signer('Ada'), strong.signer('Ada'), other.signer('Ben'));
  assert.deepEqual([both.verdict, both.holders], ['verified', ['Ben']]);
});

test('CRY-5: a chain is followed by the profile of the root that judges', () => {
  const [old, next] = [testKey('ed25519'), testKey('ecdsa-p384')];
  const first = mustRead(signedRoot(testDraft({ Ada: { key: old, roles: ['root'] } }), [old.signer('Ada')]));
  const second = signedRoot(testDraft({ Ada: { key: next, roles: ['root'] } }, { version: 2 }), [
    old.signer('Ada'),
    next.signer('Ada'),
  ]);
  const third = signedRoot(testDraft({ Ada: { key: old, roles: ['root'] } }, { version: 3 }), [
    old.signer('Ada'),
    next.signer('Ada'),
  ]);
  assert.equal(extendChain(first, [second, third]).ok, true);
  const profile = profileOf('verify: [ecdsa-p384]\n');
  const refused = (by: typeof first, files: readonly Uint8Array[]): string => {
    const extension = extendChain(by, files);
    return extension.ok ? 'followed' : extension.reason.code;
  };
  assert.equal(
    refused({ ...first, profile }, [second]),
    'trust.algorithm',
    'the old holders signed by what counts no more',
  );
  const from = { ...mustRead(second), profile };
  assert.equal(refused(from, [third]), 'trust.algorithm', 'the new root itself is signed by what counts no more');
  const both = extendChain({ ...first, profile: profileOf('verify: [ecdsa-p384, ed25519]\n') }, [second, third]);
  assert.equal(both.ok && both.value.root.profile?.name, 'plant', 'it goes on with the roots that follow');
});
