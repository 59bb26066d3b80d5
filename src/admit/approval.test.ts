import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEnvelope, encodeStatement, isProblem, STATEMENT_PAYLOAD_TYPE } from '#formats';
import { digestOf, type JsonObject } from '#kernel';
import { type EffectiveRoot, signEnvelope } from '#trust';
import { mustRead, signedRoot, testDraft, testKey } from '#trust/testing';
import { type Approval, judgeApprovals, signApproval } from './approval.ts';

const ada = testKey();
const ben = testKey();
const cat = testKey();
const root = mustRead(
  signedRoot(
    testDraft(
      {
        Ada: { key: ada, roles: ['root', 'sealer'] },
        Ben: { key: ben, roles: ['approver'] },
        Cat: { key: cat, roles: ['approver'] },
      },
      { thresholds: { root: 1, sealer: 1, approver: 2 } },
    ),
    [ada.signer('Ada')],
  ),
);
const effective = { root, rehearsal: false } as EffectiveRoot;
const approval: Approval = {
  decision: 'admit',
  index: digestOf('index'),
  channel: 'main',
  sequence: 7,
  site: 'plant',
  from: 0,
};
const judge = (...envelopes: readonly Uint8Array[]) =>
  judgeApprovals(effective, approval, envelopes, ['Ada'], Date.parse('2027-01-01T00:00:00Z'));
const codes = (...envelopes: readonly Uint8Array[]) => judge(...envelopes).reasons.map(({ code }) => code);

/** Ben's approval with another predicate or subject. */
function saying(over: JsonObject, subject = digestOf('index').slice('sha256:'.length)): Uint8Array {
  const envelope = decodeEnvelope(signApproval(approval, [ben.signer('Ben')]));
  assert.ok(!isProblem(envelope));
  const { predicateType, predicate } = JSON.parse(Buffer.from(envelope.payload).toString('utf8'));
  const payload = encodeStatement({
    predicateType,
    subject: [{ name: 'index.jsonl', digest: { sha256: subject } }],
    predicate: { ...predicate, ...over },
  });
  return signEnvelope(STATEMENT_PAYLOAD_TYPE, payload, [ben.signer('Ben')]);
}

test('two of two approve exactly this; what a later minor version adds counts for nothing', () => {
  const byCat = signApproval(approval, [cat.signer('Cat')]);
  assert.deepEqual(judge(signApproval(approval, [ben.signer('Ben')]), byCat), { holders: ['Ben', 'Cat'], reasons: [] });
  assert.deepEqual(judge(saying({ version: '1.7' }), byCat).holders, ['Ben', 'Cat']);
  const more = saying({ version: '1.7', holders: ['Ben', 'Cat'], threshold: 1, approvers: 'all' });
  assert.deepEqual(judge(more).holders, ['Ben']);
  assert.deepEqual(codes(more), ['admit.awaiting-approval']);
  assert.deepEqual(judge(more, byCat).reasons, []);
});

test('an approval of anything else, or one that needs a newer reader, counts for nothing', () => {
  for (const other of [
    saying({ version: '2.0' }),
    saying({ version: '1.x' }),
    saying({ critical: ['four-eyes'] }),
    saying({ critical: 'four-eyes' }),
    saying({ decision: 'rollback' }),
    saying({ channel: 'other' }),
    saying({ sequence: 8 }),
    saying({ site: 'test-hall' }),
    saying({ from: 1 }),
    saying({}, '00'.repeat(32)),
  ]) {
    assert.deepEqual(judge(other).holders, []);
    assert.deepEqual(codes(other), ['admit.approval-other', 'admit.awaiting-approval']);
  }
});
