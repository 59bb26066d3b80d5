import {
  decodeEnvelope,
  decodeStatement,
  encodeEnvelope,
  encodeStatement,
  isProblem,
  pae,
  STATEMENT_PAYLOAD_TYPE,
} from '#formats';
import type { Happening } from '#kernel';
import type { LogSigner } from './ports.ts';

/** Largest envelope that is read back. */
export const STATEMENT_LIMIT = 64 * 1024 * 1024;

/**
 * The happening as an in-toto statement in a DSSE envelope, signed with the log's key. A pre-authentication encoding
 * begins with `DSSEv1 ` and an origin holds no space, so no such signature is one over a checkpoint.
 */
export function signStatement(happening: Happening, signer: LogSigner): Uint8Array {
  const payload = encodeStatement(happening);
  const sig = signer.sign(pae(STATEMENT_PAYLOAD_TYPE, payload));
  return encodeEnvelope({ payloadType: STATEMENT_PAYLOAD_TYPE, payload, signatures: [{ keyid: signer.keyid, sig }] });
}

/** What a statement's envelope says; undefined where it is none. The entry's digest, not this, authenticates it. */
export function readStatement(bytes: Uint8Array): Happening | undefined {
  const envelope = decodeEnvelope(bytes, { size: STATEMENT_LIMIT });
  if (isProblem(envelope) || envelope.payloadType !== STATEMENT_PAYLOAD_TYPE) return undefined;
  const happening = decodeStatement(envelope.payload);
  return isProblem(happening) ? undefined : happening;
}
