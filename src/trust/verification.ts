import { decodeEnvelope, isProblem } from '#formats';
import { instantOf, printable, type Reason, type Verdict } from '#kernel';
import type { Custody, Role } from './role.ts';
import type { Root } from './root.ts';
import { countHolders } from './threshold.ts';

export interface Verification extends Verdict<'verified' | 'unverified'> {
  /** Holders who signed in the role, each with all keys that the root requires. */
  readonly holders: readonly string[];
  /** Only where verified. */
  readonly payload?: Uint8Array;
  /** Of the root: what the holders' names are worth. */
  readonly custody: Custody;
}

export interface VerificationOptions {
  /** Milliseconds since the epoch, read once for the whole decision. */
  readonly now: number;
  /** Whether this happens in a home that was itself made for a rehearsal. */
  readonly expectRehearsal: boolean;
}

/** Why a root cannot be used now, or undefined. */
export function judgeRoot(root: Root, options: VerificationOptions): Reason | undefined {
  if (root.custody === 'rehearsal' && !options.expectRehearsal) {
    return {
      code: 'trust.rehearsal-root',
      where: `root ${root.version} of ${root.site}`,
      detail: 'Its custody is rehearsal.',
    };
  }
  if (!(options.now < Date.parse(root.expires))) {
    const detail = `It expired at ${root.expires}; the clock says ${Number.isFinite(options.now) ? instantOf(options.now) : 'nothing'}.`;
    return { code: 'trust.root-expired', where: `root ${root.version} of ${root.site}`, detail };
  }
  return undefined;
}

/** Judges an envelope by a root and nothing else: no key in the envelope or beside it is ever believed. */
export function verifyEnvelope(
  root: Root,
  role: Role,
  payloadType: string,
  bytes: Uint8Array,
  options: VerificationOptions,
): Verification {
  const { custody } = root;
  const no = (reason: Reason, holders: readonly string[] = []): Verification => ({
    verdict: 'unverified',
    reasons: [reason],
    holders,
    custody,
  });
  const unfit = judgeRoot(root, options);
  if (unfit !== undefined) return no(unfit);
  const envelope = decodeEnvelope(bytes);
  if (isProblem(envelope)) {
    return no({ code: 'trust.envelope-malformed', where: envelope.where, detail: envelope.detail });
  }
  if (envelope.payloadType !== payloadType) {
    const detail = `It is ${printable(envelope.payloadType)}, not ${payloadType}.`;
    return no({ code: 'trust.payload-type', where: '$.payloadType', detail });
  }
  const count = countHolders(root, role, envelope);
  if (!count.ok) return no(count.reason, count.holders);
  return { verdict: 'verified', reasons: [], holders: count.holders, payload: envelope.payload, custody };
}
