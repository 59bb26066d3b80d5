import { decodeEnvelope, encodeEnvelope, type Envelope, isProblem } from '#formats';
import type { Files, Reason } from '#kernel';
import { readIfThere } from '#system';
import { type EffectiveRoot, type Signer, signEnvelope, verifyEnvelope } from '#trust';
import { gateFault } from '../faults.ts';
import { parseRelease, RELEASE_PAYLOAD_TYPE, type ReleaseText } from './release-text.ts';

const LIMIT = 32 * 1024 * 1024;

/** Where the signatures of a draft lie. */
export function signaturesPath(draft: string): string {
  return `${draft}.dsse.json`;
}

/** A draft, strictly read. Throws gate.not-a-release. */
export async function readDraft(files: Files, path: string): Promise<{ bytes: Uint8Array; text: ReleaseText }> {
  const bytes = await readIfThere(files, path, LIMIT);
  if (bytes === undefined) throw gateFault('gate.not-a-release', { where: path, detail: 'There is no such file.' });
  const text = parseRelease(bytes);
  if ('ok' in text) throw gateFault('gate.not-a-release', { where: path, detail: `${text.where} ${text.detail}` });
  return { bytes, text };
}

/** The envelope beside a draft, undefined where nobody has signed yet. */
export async function readSignatures(files: Files, draft: string): Promise<Envelope | undefined> {
  const bytes = await readIfThere(files, signaturesPath(draft), LIMIT);
  if (bytes === undefined) return undefined;
  const envelope = decodeEnvelope(bytes);
  if (isProblem(envelope)) {
    throw gateFault('gate.not-a-release', { where: signaturesPath(draft), detail: envelope.detail });
  }
  return envelope;
}

/** The same envelope with the signatures of these people added; those of another text are left behind. */
export function addSignatures(
  envelope: Envelope | undefined,
  payload: Uint8Array,
  signers: readonly Signer[],
): Uint8Array {
  const fresh = decodeEnvelope(signEnvelope(RELEASE_PAYLOAD_TYPE, payload, signers));
  if (isProblem(fresh)) throw new Error(fresh.detail);
  const same = envelope !== undefined && Buffer.from(envelope.payload).equals(payload);
  const mine = new Set(fresh.signatures.map(({ keyid }) => keyid));
  const kept = same ? envelope.signatures.filter(({ keyid }) => !mine.has(keyid)) : [];
  const signatures = [...kept, ...fresh.signatures].sort((a, b) => (a.keyid < b.keyid ? -1 : 1));
  return encodeEnvelope({ payloadType: RELEASE_PAYLOAD_TYPE, payload, signatures });
}

/** Which approvers signed, and what is against it. `needed` is at least the root's own threshold. */
export function judgeSignatures(
  effective: EffectiveRoot,
  envelope: Uint8Array,
  needed: number,
  now: number,
): { readonly holders: readonly string[]; readonly reasons: readonly Reason[]; readonly payload?: Uint8Array } {
  const options = { now, expectRehearsal: effective.rehearsal };
  const verified = verifyEnvelope(effective.root, 'approver', RELEASE_PAYLOAD_TYPE, envelope, options);
  const { holders, reasons, payload } = verified;
  if (payload === undefined) return { holders, reasons };
  if (holders.length < needed) {
    const detail = `${holders.length} of ${needed} people have read it.`;
    return { holders, reasons: [{ code: 'gate.awaiting-approval', where: '', detail }] };
  }
  return { holders, reasons: [], payload };
}
