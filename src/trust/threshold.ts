import { type Envelope, pae } from '#formats';
import { printable, type Reason } from '#kernel';
import { type PublicKey, signatureFits } from './algorithm.ts';
import { algorithmReason, allowsAlgorithm } from './crypto-profile.ts';
import type { Role } from './role.ts';
import type { Root } from './root.ts';

/**
 * Who of a role signed an envelope. Holders are counted, never signatures nor keys: a holder counts when all keys that
 * the root requires for the role signed (CVE-2026-23992, CVE-2026-49834: thresholds satisfied by one key twice).
 */
export function countHolders(
  root: Root,
  role: Role,
  envelope: Envelope,
):
  | { readonly ok: true; readonly holders: readonly string[] }
  | { readonly ok: false; readonly reason: Reason; readonly holders: readonly string[] } {
  const message = pae(envelope.payloadType, envelope.payload);
  const known = new Map(root.holders.flatMap(({ keys }) => keys.map((key) => [key.keyid, key] as const)));
  const wanted = requiredKeys(root, role, known);
  const signed = new Set<string>();
  let ofOtherRole = false;
  let outside: PublicKey | undefined;
  for (const { keyid, sig } of envelope.signatures) {
    // The id is a hint that nobody signed: without one, every key of the role is tried.
    const named = keyid === '' ? wanted : [known.get(keyid)].filter((key) => key !== undefined);
    const candidates = named.filter((key) => isAllowed(root, role, key));
    if (candidates.length < named.length) {
      outside ??= named.find((key) => !candidates.includes(key));
      // What no allowed algorithm can judge is passed over like a signature of a stranger.
      if (candidates.length === 0) continue;
    }
    const key = candidates.find((candidate) => signatureFits(candidate, message, sig));
    if (key === undefined) {
      if (keyid !== '' && candidates.length > 0)
        return no('trust.bad-signature', `The signature by key ${keyid} does not fit.`);
      continue;
    }
    if (signed.has(key.keyid)) return no('trust.duplicate-signature', `Key ${key.keyid} signed more than once.`);
    signed.add(key.keyid);
    if (!wanted.includes(key)) ofOtherRole = true;
  }
  const { holders } = holdersWith(root, role, [...signed]);
  const threshold = root.thresholds.get(role);
  if (threshold === undefined) return no('trust.wrong-role', `The root of ${root.site} has no ${role}.`);
  if (holders.length >= threshold) return { ok: true, holders };
  const need = `${holders.length} of ${threshold} holders with the role ${role} signed.`;
  const revoked = root.revoked.find(({ keyid }) => envelope.signatures.some((signature) => signature.keyid === keyid));
  if (revoked !== undefined) {
    const detail = `Key ${revoked.keyid} is revoked since ${revoked.since} (${revoked.reason}); ${need}`;
    return { ok: false, reason: { code: 'trust.revoked-key', where: '', detail }, holders };
  }
  if (outside !== undefined && root.profile !== undefined) {
    return { ok: false, reason: algorithmReason(root.profile, outside.keyid, outside.algorithm, need), holders };
  }
  if (holders.length === 0 && signed.size === 0) {
    const ids = envelope.signatures.map(({ keyid }) => (keyid === '' ? 'a key without an id' : printable(keyid)));
    return no('trust.foreign-key', `It is signed by ${ids.slice(0, 4).join(', ')}.`);
  }
  if (holders.length === 0 && ofOtherRole) return no('trust.wrong-role', need);
  return { ok: false, reason: { code: 'trust.threshold', where: '', detail: need }, holders };
}

/** The algorithm of the ledger's key is fixed by its format (C2SP signed-note), whatever a profile says of people's. */
function isAllowed({ profile }: Root, role: Role, { algorithm }: PublicKey): boolean {
  return profile === undefined || role === 'ledger' || allowsAlgorithm(profile, 'verify', algorithm);
}

/** Which holders of a role sign completely with these keys, and how many the root demands. */
export function holdersWith(
  root: Root,
  role: Role,
  keyids: readonly string[],
): { readonly holders: readonly string[]; readonly threshold: number } {
  const names = root.roles.get(role) ?? [];
  const holders = names.filter((name) => {
    const required = root.holders.find((holder) => holder.name === name)?.require.get(role) ?? [];
    return required.length > 0 && required.every((id) => keyids.includes(id));
  });
  return { holders, threshold: root.thresholds.get(role) ?? names.length };
}

function requiredKeys(root: Root, role: Role, known: ReadonlyMap<string, PublicKey>): PublicKey[] {
  return root.holders
    .filter(({ name }) => root.roles.get(role)?.includes(name) === true)
    .flatMap(({ require }) => require.get(role) ?? [])
    .map((id) => known.get(id))
    .filter((key) => key !== undefined);
}

function no(code: string, detail: string): { ok: false; reason: Reason; holders: readonly string[] } {
  return { ok: false, reason: { code, where: '', detail }, holders: [] };
}
