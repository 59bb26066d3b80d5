import {
  decodeEnvelope,
  decodeStatement,
  encodeStatement,
  isProblem,
  needsNewer,
  STATEMENT_PAYLOAD_TYPE,
} from '#formats';
import { type Digest, hexOf, isObject, type JsonObject, type Reason } from '#kernel';
import type { BundleHead } from '#bundle';
import { type EffectiveRoot, type Signer, signEnvelope, verifyEnvelope } from '#trust';
import type { AdmissionPolicy } from './admission-policy.ts';
import { reason } from './faults.ts';

const PROMOTION_PREDICATE = 'sallyport/promotion/v1';

/** What reports say where the answer is no: with one of these nothing is promoted. */
export const NEGATIVE = /^(not-|refused|failed|held|partial|unverified|unknown|violated)/;
/** What they say where it is yes. Anything else, and nothing, is no yes. */
const POSITIVE: ReadonlySet<unknown> = new Set([
  'proved',
  'passed',
  'verified',
  'accept',
  'accepted',
  'clean',
  'well',
  'whole',
]);

/** What a ring says about a bundle that it has had: the next ring takes the same bytes. */
export interface Promotion {
  /** Digest of the bundle's index. */
  readonly index: Digest;
  readonly ring: string;
  /** The site of the ring where it was admitted. */
  readonly site: string;
  readonly channel: string;
  readonly sequence: number;
  /** The receipt: where the site's ledger has the admission, with a proof (C2SP tlog-proof) in base64. */
  readonly receipt: { readonly origin: string; readonly index: number; readonly proof: string };
  /** Reports of rehearsals and tests. */
  readonly results: readonly { readonly name: string; readonly sha256: string; readonly verdict: string }[];
}

export function signPromotion(promotion: Promotion, signers: readonly Signer[]): Uint8Array {
  const { index, ring, site, channel, sequence, receipt, results } = promotion;
  const predicate: JsonObject = {
    version: '1.0',
    critical: [],
    ring,
    site,
    channel,
    sequence,
    receipt: { ...receipt },
    results: results.map((one) => ({ ...one })),
  };
  const subject = [{ name: 'index.jsonl', digest: { sha256: hexOf(index) } }];
  const payload = encodeStatement({ predicateType: PROMOTION_PREDICATE, subject, predicate });
  return signEnvelope(STATEMENT_PAYLOAD_TYPE, payload, signers);
}

/**
 * Which of the rings that a side requires are missing. A promotion counts when the threshold of approvers signed it,
 * over this bundle, for a site that the seal itself puts into the ring, with the receipt of its admission there and the
 * `results` that are demanded. `now` in milliseconds.
 */
export function judgePromotions(
  effective: EffectiveRoot,
  { seal }: BundleHead,
  envelopes: readonly Uint8Array[],
  { promoted: required, results: demanded }: Pick<AdmissionPolicy, 'promoted' | 'results'>,
  now: number,
): Reason[] {
  const had = new Set<string>();
  const wrong: Reason[] = [];
  for (const [number, bytes] of envelopes.entries()) {
    const where = `promotion ${number + 1}`;
    const verified = verifyEnvelope(effective.root, 'approver', STATEMENT_PAYLOAD_TYPE, bytes, {
      now,
      expectRehearsal: effective.rehearsal,
    });
    const [first] = verified.reasons;
    if (first !== undefined) {
      wrong.push({ ...first, where });
      continue;
    }
    const envelope = decodeEnvelope(bytes);
    const statement = isProblem(envelope) ? envelope : decodeStatement(envelope.payload);
    if (isProblem(statement) || statement.predicateType !== PROMOTION_PREDICATE) {
      wrong.push(reason('admit.promotion-other', where, 'It holds no promotion.'));
      continue;
    }
    const { ring, site, version, critical, receipt, results } = statement.predicate;
    const newer = needsNewer(version, critical);
    if (newer !== undefined) {
      wrong.push(reason('admit.promotion-other', where, newer));
      continue;
    }
    const [subject, ...more] = statement.subject;
    const ofThis = more.length === 0 && subject?.digest.sha256 === hexOf(seal.index);
    const sites = seal.rings.find((one) => one.ring === ring)?.sites ?? [];
    if (!ofThis || typeof ring !== 'string' || typeof site !== 'string' || !sites.includes(site)) {
      wrong.push(
        reason(
          'admit.promotion-other',
          where,
          `It is by ${String(site)} of ${String(ring)}, for another bundle or ring.`,
        ),
      );
      continue;
    }
    if (!isObject(receipt) || typeof receipt['proof'] !== 'string' || receipt['proof'] === '') {
      wrong.push(reason('admit.promotion-other', where, 'It has no receipt of the admission there.'));
      continue;
    }
    const said = (Array.isArray(results) ? results : []).filter(isObject);
    // Several reports of one kind: each of them says yes.
    const unproved = demanded.filter((name) => {
      const own = said.filter((one) => one['name'] === name);
      return own.length === 0 || !own.every((one) => POSITIVE.has(one['verdict']));
    });
    if (unproved.length > 0) {
      wrong.push(reason('admit.result-missing', where, `It says yes by no result of ${unproved.join(', ')}.`));
      continue;
    }
    had.add(ring);
  }
  const missing = required.filter((ring) => !had.has(ring));
  if (missing.length === 0) return [];
  return [...wrong, reason('admit.not-promoted', '', `This side requires ${missing.join(', ')}.`)];
}
