import { isObject } from '#kernel';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { type Problem, isProblem, problem } from './problem.ts';
import { parseStrictJson } from './strict-json.ts';

/** A DSSE envelope (DSSE v1.0.2, envelope.md). Nothing in it is trusted before its signatures are. */
export interface Envelope {
  /** Media type of the payload; it is signed. */
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
}

export interface EnvelopeSignature {
  /** Which key it says it is by: a hint, not signed. '' where there is none. */
  readonly keyid: string;
  readonly sig: Uint8Array;
}

/** Largest envelope in bytes, signatures in one, and bytes of one signature (docs/spec/envelope.md). */
export const ENVELOPE_SIZE_LIMIT = 64 * 1024 * 1024;
export const ENVELOPE_SIGNATURES_LIMIT = 64;
export const SIGNATURE_SIZE_LIMIT = 8192;
const PAYLOAD_TYPE = /^[\x21-\x7e]{1,256}$/;
const KEYID = /^[\x20-\x7e]{0,256}$/;

/**
 * The bytes that are signed: pre-authentication encoding (DSSE v1.0.2, protocol.md). Lengths count bytes of UTF-8.
 */
export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType, 'utf8');
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

/** JSON with fixed key order, canonical base64 and a final newline: one envelope, one text. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const text = JSON.stringify({
    payloadType: envelope.payloadType,
    payload: encodeBase64(envelope.payload),
    signatures: envelope.signatures.map(({ keyid, sig }) => ({ keyid, sig: encodeBase64(sig) })),
  });
  return Buffer.from(`${text}\n`, 'utf8');
}

/** Fields that we do not know are ignored, as DSSE asks; everything that we know is checked. */
export function decodeEnvelope(bytes: Uint8Array, limits: { readonly size?: number } = {}): Envelope | Problem {
  const parsed = parseStrictJson(bytes, { size: limits.size ?? ENVELOPE_SIZE_LIMIT });
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  if (!isObject(value)) return problem('$', 'An envelope is a JSON object.');
  const { payloadType, payload, signatures } = value;
  if (typeof payloadType !== 'string' || !PAYLOAD_TYPE.test(payloadType)) {
    return problem('$.payloadType', 'The payload type is 1 to 256 printable ASCII characters.');
  }
  const body = typeof payload === 'string' ? decodeBase64(payload) : undefined;
  if (body === undefined) return problem('$.payload', 'The payload is not canonical base64.');
  if (!Array.isArray(signatures)) return problem('$.signatures', 'The signatures are not a list.');
  if (signatures.length === 0) return problem('$.signatures', 'There is no signature.');
  if (signatures.length > ENVELOPE_SIGNATURES_LIMIT) {
    return problem(
      '$.signatures',
      `There are ${signatures.length} signatures; at most ${ENVELOPE_SIGNATURES_LIMIT} are read.`,
    );
  }
  const read: EnvelopeSignature[] = [];
  for (const [index, entry] of signatures.entries()) {
    const signature = decodeSignature(entry, `$.signatures[${index}]`);
    if (isProblem(signature)) return signature;
    read.push(signature);
  }
  return { payloadType, payload: body, signatures: read };
}

function decodeSignature(entry: unknown, where: string): EnvelopeSignature | Problem {
  if (!isObject(entry)) return problem(where, 'A signature is a JSON object.');
  const keyid = entry['keyid'] ?? '';
  if (typeof keyid !== 'string' || !KEYID.test(keyid)) {
    return problem(`${where}.keyid`, 'A key id is at most 256 printable ASCII characters.');
  }
  const sig = typeof entry['sig'] === 'string' ? decodeBase64(entry['sig']) : undefined;
  if (sig === undefined || sig.length === 0) return problem(`${where}.sig`, 'The signature is not canonical base64.');
  if (sig.length > SIGNATURE_SIZE_LIMIT) {
    return problem(`${where}.sig`, `The signature has ${sig.length} bytes; at most ${SIGNATURE_SIZE_LIMIT} are read.`);
  }
  return { keyid, sig };
}
