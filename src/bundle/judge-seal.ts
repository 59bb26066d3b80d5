import type { Reason } from '#kernel';
import { STATEMENT_PAYLOAD_TYPE } from '#formats';
import {
  type Custody,
  delegatesOf,
  type EffectiveRoot,
  extendChain,
  type Role,
  type Root,
  speaksFor,
  verifyEnvelope,
} from '#trust';
import type { BundleHead } from './bundle-head.ts';
import { reason } from './faults.ts';

/** What a root says about a seal. */
export interface SealJudgement {
  /** Empty: the seal holds. */
  readonly reasons: readonly Reason[];
  /** Holders who sealed; they count only where there is no reason against it. */
  readonly holders: readonly string[];
  readonly custody: Custody;
  /** The root that judged: the effective one, or a newer one of its chain that the bundle carries. */
  readonly root: Root;
  /** Newer roots of the chain, to be kept when the bundle is admitted. */
  readonly added: readonly Uint8Array[];
}

/** Whose word a judgement rests on, as our commands print it. */
export function trustOf({ custody, holders, root }: SealJudgement, { pinned }: Pick<EffectiveRoot, 'pinned'>) {
  return { custody, holders: [...holders], root: { version: root.version, fingerprint: root.fingerprint, pinned } };
}

/** Judges a seal by a root that the caller trusts. No key that the bundle carries is used. `now` in milliseconds. */
export function judgeSeal(effective: EffectiveRoot, head: BundleHead, now: number): SealJudgement {
  const given = effective.root;
  const no = (reasons: readonly Reason[], root: Root = given, holders: readonly string[] = []): SealJudgement => ({
    reasons,
    holders,
    custody: root.custody,
    root,
    added: [],
  });
  if (effective.refusal !== undefined) return no([effective.refusal]);
  const extension = extendChain(given, rootsOf(head));
  if (!extension.ok) return no([extension.reason]);
  const { root, added } = extension.value;
  const by = (role: Role) =>
    verifyEnvelope(root, role, STATEMENT_PAYLOAD_TYPE, head.sealEnvelope, {
      now,
      expectRehearsal: effective.rehearsal,
    });
  const sealers = by('sealer');
  const delegates = delegatesOf(head.seal.channel);
  // Whoever seals one channel says nothing about another; the two groups reach their thresholds each by itself.
  const delegated = sealers.verdict === 'verified' || !root.roles.has(delegates) ? sealers : by(delegates);
  const verification = delegated.verdict === 'verified' || delegated.holders.length > 0 ? delegated : sealers;
  if (verification.verdict !== 'verified') return no(verification.reasons, root, verification.holders);
  if (!speaksFor(root, head.seal.channel)) {
    return no([reason('bundle.channel', 'seal.dsse.json', `The root does not speak for ${head.seal.channel}.`)], root);
  }
  return { reasons: [], holders: verification.holders, custody: verification.custody, root, added };
}

/** The root chain that a bundle carries, oldest first. */
export function rootsOf(head: BundleHead): Uint8Array[] {
  return [...head.carried]
    .map(([name, bytes]) => ({ version: Number(/^root\.([1-9]\d{0,9})\.dsse\.json$/.exec(name)?.[1]), bytes }))
    .filter(({ version }) => !Number.isNaN(version))
    .sort((a, b) => a.version - b.version)
    .map(({ bytes }) => bytes);
}
