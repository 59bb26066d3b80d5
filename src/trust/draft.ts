import {
  decodeBase64,
  decodeEnvelope,
  encodeBase64,
  encodeEnvelope,
  type Envelope,
  isProblem,
  needsNewer,
  pae,
  parseStrictJson,
} from '#formats';
import { isObject, type Reason } from '#kernel';
import { type PublicKey, signatureFits } from './algorithm.ts';
import { parseRoot, readRoot, type Root, ROOT_PAYLOAD_TYPE, ROOT_SIZE_LIMIT } from './root.ts';
import { countHolders } from './threshold.ts';

/** Both roots in base64, one inside the other, and room for signatures. */
export const DRAFT_SIZE_LIMIT = 4 * ROOT_SIZE_LIMIT;

/**
 * The next root on its way from one signer to the other (docs/spec/root.md, "Drafts"): its payload, the signatures so
 * far, and the root that it follows, which tells people what changes and decides nothing.
 */
export interface Draft {
  readonly payload: Uint8Array;
  readonly root: Root;
  readonly signatures: Envelope['signatures'];
  /** Absent where the file is a root and no draft. */
  readonly previous?: { readonly root: Root; readonly bytes: Uint8Array };
}

export function encodeDraft(draft: Draft): Uint8Array {
  const text = JSON.stringify({
    ...(draft.previous === undefined ? {} : { 'sallyport-draft': '1.0', previous: encodeBase64(draft.previous.bytes) }),
    payloadType: ROOT_PAYLOAD_TYPE,
    payload: encodeBase64(draft.payload),
    signatures: inOrder(draft.signatures).map(({ keyid, sig }) => ({ keyid, sig: encodeBase64(sig) })),
  });
  return Buffer.from(`${text}\n`, 'utf8');
}

/** The root file that a draft becomes. */
export function rootFileOf(draft: Draft): Uint8Array {
  return encodeEnvelope({
    payloadType: ROOT_PAYLOAD_TYPE,
    payload: draft.payload,
    signatures: inOrder(draft.signatures),
  });
}

function inOrder(signatures: Envelope['signatures']): Envelope['signatures'] {
  return [...signatures].sort((a, b) => (a.keyid < b.keyid ? -1 : 1));
}

/** A draft or a root, or one sentence on what is wrong with it. Every signature in it fits the key that it names. */
export function parseDraft(bytes: Uint8Array): Draft | string {
  const parsed = parseStrictJson(bytes, { size: DRAFT_SIZE_LIMIT });
  if (!parsed.ok) return `It is no strict JSON${parsed.where === '' ? '' : ` at ${parsed.where}`}: ${parsed.detail}`;
  if (!isObject(parsed.value)) return 'It is no JSON object.';
  const {
    'sallyport-draft': format,
    critical,
    previous: earlier,
    payloadType,
    payload: text,
    signatures,
  } = parsed.value;
  const newer = format === undefined ? undefined : needsNewer(format, critical);
  if (newer !== undefined) return newer;
  if (payloadType !== ROOT_PAYLOAD_TYPE) return 'What is signed in it is no root.';
  const payload = typeof text === 'string' ? decodeBase64(text) : undefined;
  if (payload === undefined) return 'The payload is not canonical base64.';
  const root = parseRoot(payload);
  if (!root.ok) return `${root.reason.code} at ${root.reason.where}: ${root.reason.detail}`;
  if (!Array.isArray(signatures)) return 'The signatures are not a list.';
  // An envelope has at least one signature; a draft may have none yet.
  const envelope = signatures.length === 0 ? undefined : decodeEnvelope(bytes, { size: DRAFT_SIZE_LIMIT });
  if (envelope !== undefined && isProblem(envelope)) return `${envelope.where}: ${envelope.detail}`;
  const draft = { payload, root: root.value, signatures: envelope?.signatures ?? [] };
  if (format === undefined) return checked(draft);
  const file = typeof earlier === 'string' ? decodeBase64(earlier) : undefined;
  const read = file === undefined ? undefined : readRoot(file);
  if (file === undefined || read?.ok !== true) return 'The root that it follows is missing or damaged.';
  return checked({ ...draft, previous: { root: read.value.root, bytes: file } });
}

/** Who could sign a draft: keys of the role root, of the root before and of the new one. */
export function signingKeys(draft: Draft): ReadonlyMap<string, PublicKey> {
  const roots = draft.previous === undefined ? [draft.root] : [draft.previous.root, draft.root];
  const keys = new Map<string, PublicKey>();
  for (const { holders } of roots) {
    for (const holder of holders) {
      const required = holder.require.get('root') ?? [];
      for (const key of holder.keys) if (required.includes(key.keyid)) keys.set(key.keyid, key);
    }
  }
  return keys;
}

function checked(draft: Draft): Draft | string {
  const keys = signingKeys(draft);
  const message = pae(ROOT_PAYLOAD_TYPE, draft.payload);
  const seen = new Set<string>();
  for (const { keyid, sig } of draft.signatures) {
    const key = keys.get(keyid);
    if (key !== undefined && !signatureFits(key, message, sig)) return `The signature by key ${keyid} does not fit.`;
    if (seen.has(keyid)) return `Key ${keyid} signed more than once.`;
    seen.add(keyid);
  }
  return draft;
}

/** All signatures of two drafts of the same payload; where a key signed in both, its first one. */
export function mergeSignatures(draft: Draft, signatures: Envelope['signatures']): Draft {
  const merged = new Map(draft.signatures.map((signature) => [signature.keyid, signature]));
  for (const signature of signatures) if (!merged.has(signature.keyid)) merged.set(signature.keyid, signature);
  return { ...draft, signatures: [...merged.values()] };
}

/** How far a root's own demand for signatures of its role root is met. */
export interface Progress {
  readonly version: number;
  /** Holders who have to sign. */
  readonly threshold: number;
  readonly signed: readonly string[];
  /** Holders who could still sign. */
  readonly missing: readonly string[];
  readonly enough: boolean;
  /** Why it is not enough. */
  readonly reason?: Reason;
}

export function progressOf(root: Root, draft: Draft): Progress {
  const count = countHolders(root, 'root', { ...draft, payloadType: ROOT_PAYLOAD_TYPE });
  const all = root.roles.get('root') ?? [];
  return {
    version: root.version,
    threshold: root.thresholds.get('root') ?? all.length,
    signed: count.holders,
    missing: all.filter((name) => !count.holders.includes(name)),
    enough: count.ok,
    ...(count.ok ? {} : { reason: count.reason }),
  };
}
