import { encodeEnvelope, pae } from '#formats';
import type { Algorithm } from './algorithm.ts';

/** A private key at work; the key itself stays inside. */
export interface Signer {
  readonly keyid: string;
  readonly algorithm: Algorithm;
  /** Whose key it is in the side's root. */
  readonly holder: string;
  /** What does the operation, by its own words. */
  readonly module: string;
  sign(message: Uint8Array): Uint8Array;
  readonly publicKeyPem: string;
}

/** What made a signature, as ledgers record it beside what was signed (docs/spec/crypto-profile.md, CRY-10). */
// A type, since an interface is no JsonObject.
export type SignatureMade = { readonly keyid: string; readonly algorithm: Algorithm; readonly module: string };

/** Of each key once, in the order of an envelope. The modules say what they are, and claim no validation. */
export function signaturesMade(signers: readonly Signer[]): SignatureMade[] {
  return inKeyOrder(signers).map(({ keyid, algorithm, module }) => ({ keyid, algorithm, module }));
}

/** Each key once, in the order of signatures in an envelope: who comes first leaves no trace. */
export function inKeyOrder(signers: readonly Signer[]): readonly Signer[] {
  const byId = new Map(signers.map((signer) => [signer.keyid, signer]));
  return [...byId.values()].sort((a, b) => (a.keyid < b.keyid ? -1 : 1));
}

/** A DSSE envelope with one signature a signer. */
export function signEnvelope(payloadType: string, payload: Uint8Array, signers: readonly Signer[]): Uint8Array {
  if (signers.length === 0) throw new TypeError('an envelope needs a signer');
  const message = pae(payloadType, payload);
  const signatures = inKeyOrder(signers).map((signer) => ({ keyid: signer.keyid, sig: signer.sign(message) }));
  return encodeEnvelope({ payloadType, payload, signatures });
}
