import { encodeBase64 } from './base64.ts';
import type { Envelope } from './envelope.ts';

const MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/**
 * One signature of an envelope as a Sigstore bundle (protobuf-specs, sigstore_bundle.proto, version 0.3) with a public
 * key by hint: a Sigstore bundle has exactly one signature, so an envelope with several gives several. There is no
 * certificate and no transparency log in it; whoever verifies it has the key by another way.
 */
export function encodeSigstoreBundle(envelope: Envelope, index: number): Uint8Array {
  const signature = envelope.signatures[index];
  if (signature === undefined) throw new RangeError(`no signature ${index}`);
  const document = {
    mediaType: MEDIA_TYPE,
    verificationMaterial: { publicKey: { hint: signature.keyid } },
    dsseEnvelope: {
      payload: encodeBase64(envelope.payload),
      payloadType: envelope.payloadType,
      // Nobody signs the id, and verifiers have ids of their own: cosign passes over a signature whose id is another.
      signatures: [{ sig: encodeBase64(signature.sig), keyid: '' }],
    },
  };
  return Buffer.from(`${JSON.stringify(document)}\n`, 'utf8');
}
