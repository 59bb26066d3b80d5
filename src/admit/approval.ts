import {
  decodeEnvelope,
  decodeStatement,
  encodeStatement,
  isProblem,
  needsNewer,
  STATEMENT_PAYLOAD_TYPE,
} from '#formats';
import { type Digest, hexOf, type Reason } from '#kernel';
import { type EffectiveRoot, type Signer, signEnvelope, verifyEnvelope } from '#trust';
import { reason } from './faults.ts';

const APPROVAL_PREDICATE = 'sallyport/approval/v1';

/** What approvers agree to: one thing, at one site, about one bundle. */
export interface Approval {
  readonly decision: 'admit' | 'rollback';
  /** Digest of the bundle's index. */
  readonly index: Digest;
  readonly channel: string;
  readonly sequence: number;
  /** The site that it is for, so that an approval given elsewhere says nothing here. */
  readonly site: string;
  /** For `rollback`: where the channel stood, so that an old approval does not move it again. */
  readonly from: number;
}

/** The statement that approvers sign: a function of the decision alone, so that several sign the same bytes. */
function payloadOf({ decision, index, channel, sequence, site, from }: Approval): Uint8Array {
  return encodeStatement({
    predicateType: APPROVAL_PREDICATE,
    subject: [{ name: 'index.jsonl', digest: { sha256: hexOf(index) } }],
    predicate: { version: '1.0', critical: [], decision, channel, sequence, site, from },
  });
}

export function signApproval(approval: Approval, signers: readonly Signer[]): Uint8Array {
  return signEnvelope(STATEMENT_PAYLOAD_TYPE, payloadOf(approval), signers);
}

/** Who approved, and what is still missing. */
export interface ApprovalJudgement {
  readonly holders: readonly string[];
  /** Empty: enough approvers agreed, and none of them sealed it. */
  readonly reasons: readonly Reason[];
}

/**
 * Judges approvals by the root. An approver who also sealed does not count: whoever made it does not wave it through
 * (NIST SP 800-53 AC-5). `now` in milliseconds.
 */
export function judgeApprovals(
  effective: EffectiveRoot,
  approval: Approval,
  envelopes: readonly Uint8Array[],
  sealers: readonly string[],
  now: number,
): ApprovalJudgement {
  const { root } = effective;
  const holders = new Set<string>();
  const wrong: Reason[] = [];
  for (const [number, bytes] of envelopes.entries()) {
    const where = `approval ${number + 1}`;
    const verified = verifyEnvelope(root, 'approver', STATEMENT_PAYLOAD_TYPE, bytes, {
      now,
      expectRehearsal: effective.rehearsal,
    });
    // One of several needed approvers is below the threshold by itself; who signed is known all the same.
    const [first] = verified.reasons;
    if (first !== undefined && first.code !== 'trust.threshold') {
      wrong.push({ ...first, where });
      continue;
    }
    const other = differenceTo(approval, bytes);
    if (other !== undefined) {
      wrong.push(reason('admit.approval-other', where, other));
      continue;
    }
    for (const holder of verified.holders) {
      if (sealers.includes(holder)) {
        wrong.push(reason('admit.approver-sealed', where, `${holder} sealed it.`));
      } else holders.add(holder);
    }
  }
  const threshold = root.thresholds.get('approver');
  if (threshold === undefined) {
    return {
      holders: [],
      reasons: [...wrong, reason('admit.no-approvers', `root ${root.version} of ${root.site}`, 'It names none.')],
    };
  }
  if (holders.size >= threshold) return { holders: [...holders].sort(), reasons: [] };
  const detail = `${holders.size} of ${threshold} approvers agreed.`;
  return { holders: [...holders].sort(), reasons: [...wrong, reason('admit.awaiting-approval', '', detail)] };
}

/** Why an envelope is no approval of exactly this; undefined where it is. What we do not know in it says nothing. */
function differenceTo(approval: Approval, bytes: Uint8Array): string | undefined {
  const envelope = decodeEnvelope(bytes);
  const statement = isProblem(envelope) ? envelope : decodeStatement(envelope.payload);
  if (isProblem(statement) || statement.predicateType !== APPROVAL_PREDICATE) return 'It holds no approval.';
  const { version, critical, decision, channel, sequence, site, from } = statement.predicate;
  const newer = needsNewer(version, critical);
  if (newer !== undefined) return newer;
  const [subject, ...more] = statement.subject;
  const same =
    more.length === 0 &&
    subject?.digest.sha256 === hexOf(approval.index) &&
    decision === approval.decision &&
    channel === approval.channel &&
    sequence === approval.sequence &&
    site === approval.site &&
    from === approval.from;
  if (same) return undefined;
  return `It says ${String(decision)} of sequence ${String(sequence)} in channel ${String(channel)} for ${String(site)}.`;
}
