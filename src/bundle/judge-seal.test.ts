import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATEMENT_PAYLOAD_TYPE } from '#formats';
import { type EffectiveRoot, type Role, signEnvelope } from '#trust';
import { mustRead, signedRoot, type TestKey, testDraft, testKey } from '#trust/testing';
import type { BundleHead } from './bundle-head.ts';
import { judgeSeal } from './judge-seal.ts';

const [ada, dan, eve, fay] = [testKey(), testKey(), testKey(), testKey()];
const NAMES = new Map<TestKey, string>([
  [ada, 'Ada'],
  [dan, 'Dan'],
  [eve, 'Eve'],
  [fay, 'Fay'],
]);
const holders: Readonly<Record<string, { key: TestKey; roles: readonly Role[] }>> = {
  Ada: { key: ada, roles: ['root', 'sealer'] },
  Dan: { key: dan, roles: ['sealer:db'] },
  Eve: { key: eve, roles: ['sealer:db', 'sealer:web'] },
  Fay: { key: fay, roles: ['sealer'] },
};
const bytes = signedRoot(testDraft(holders, { thresholds: { root: 1, sealer: 2, 'sealer:db': 2, 'sealer:web': 1 } }), [
  ada.signer('Ada'),
]);
const root = mustRead(bytes);
const effective: EffectiveRoot = {
  root,
  chain: [bytes],
  path: 'root',
  pinned: true,
  fingerprint: root.fingerprint,
  rehearsal: false,
};

/** Only what a judgement of the seal reads of a head. */
function judge(channel: string, ...keys: readonly TestKey[]): string {
  const signers = keys.map((key) => key.signer(NAMES.get(key) ?? ''));
  const sealEnvelope = signEnvelope(STATEMENT_PAYLOAD_TYPE, Buffer.from('{}'), signers);
  const head = { seal: { channel }, sealEnvelope, carried: new Map() } as unknown as BundleHead;
  const { reasons, holders: by } = judgeSeal(effective, head, Date.parse('2027-01-01T00:00:00Z'));
  return reasons.length === 0 ? `sealed by ${by.join(', ')}` : reasons.map(({ code }) => code).join();
}

test('ROOT-15: delegates seal their channel and no other, by their own threshold', () => {
  assert.equal(judge('db', dan, eve), 'sealed by Dan, Eve');
  assert.equal(judge('db', ada, fay), 'sealed by Ada, Fay', 'sealers of all seal every channel');
  assert.equal(judge('web', eve), 'sealed by Eve');
  assert.equal(judge('db', eve), 'trust.threshold', 'one of two');
  assert.equal(judge('main', dan, eve), 'trust.wrong-role', 'another channel');
  assert.equal(judge('web', dan), 'trust.wrong-role');
  assert.equal(judge('db', ada, dan), 'trust.threshold', 'a sealer and a delegate are not two of either');
  assert.equal(judge('db:x', dan, eve), 'trust.wrong-role');
  assert.equal(judge('db', testKey()), 'trust.foreign-key');
});
