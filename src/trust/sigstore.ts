import { createHash, createPublicKey } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, type TrustMaterial, Verifier } from '@sigstore/verify';
import { decodeBase64, decodeStatement, isProblem, parseStrictJson, STATEMENT_PAYLOAD_TYPE } from '#formats';
import { errorMessage, isObject, printable, type Reason, type Verdict } from '#kernel';

/** Who must have signed: a workload or person by the identity in its certificate, or a key that the caller has. */
export type SigstoreSigner =
  | { readonly identity: string; readonly issuer: string; readonly trustedRoot: Uint8Array }
  | { readonly key: string; readonly trustedRoot?: Uint8Array };

const LIMIT = 32 * 1024 * 1024;

/**
 * Judges a Sigstore bundle over an artifact, offline: certificate path, certificate and signature transparency, time
 * stamps by the trusted root that is given, and that signature, certificate, log entry and artifact belong together.
 * The judge is @sigstore/verify. Before it the JSON is read strictly; after it the subject of an attestation must be this
 * artifact, which the library leaves to its caller (CVE-2022-36056: an attestation of something else was accepted).
 */
export function verifySigstoreBundle(
  bundle: Uint8Array,
  artifact: Uint8Array,
  signer: SigstoreSigner,
): Verdict<'verified' | 'unverified'> {
  const no = (code: string, detail: string): Verdict<'verified' | 'unverified'> => ({
    verdict: 'unverified',
    reasons: [{ code, where: '', detail: printable(detail).slice(0, 500) } satisfies Reason],
  });
  const document = parseStrictJson(bundle, { size: LIMIT });
  if (!document.ok) return no('trust.sigstore-malformed', `${document.where} ${document.detail}`);
  let material: TrustMaterial;
  try {
    const root = signer.trustedRoot === undefined ? emptyRoot() : rootIn(signer.trustedRoot);
    if (root === undefined) return no('trust.sigstore-root', 'It is no trusted root.');
    if ('key' in signer) {
      const publicKey = createPublicKey(signer.key);
      material = toTrustMaterial(root, () => ({ publicKey, validFor: () => true }));
    } else material = toTrustMaterial(root);
  } catch (error) {
    return no('trust.sigstore-root', errorMessage(error));
  }
  try {
    const parsed = bundleFromJSON(document.value);
    const byKey = 'key' in signer;
    const hasKey = parsed.verificationMaterial.content.$case === 'publicKey';
    // A key that was given must not be replaced by a certificate that came along, nor the other way round.
    if (byKey !== hasKey)
      return no('trust.sigstore', byKey ? 'It names a certificate and not a key.' : 'It names a key.');
    const thresholds = byKey ? { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 } : {};
    const verifier = new Verifier(material, thresholds);
    const entity = toSignedEntity(parsed, Buffer.from(artifact));
    if (byKey) verifier.verify(entity);
    else {
      const literal = `^${signer.identity.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
      verifier.verify(entity, { subjectAlternativeName: literal, extensions: { issuer: signer.issuer } });
    }
  } catch (error) {
    return no('trust.sigstore', errorMessage(error));
  }
  const subject = judgeSubject(document.value, artifact);
  return subject === undefined ? { verdict: 'verified', reasons: [] } : no('trust.sigstore-subject', subject);
}

function rootIn(bytes: Uint8Array): TrustedRoot | undefined {
  const read = parseStrictJson(bytes, { size: LIMIT });
  return read.ok && isObject(read.value) ? TrustedRoot.fromJSON(read.value) : undefined;
}

function emptyRoot(): TrustedRoot {
  return TrustedRoot.fromJSON({ mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' });
}

/** Why an attestation is not about this artifact; undefined where it is, or where the bundle signs the artifact itself. */
function judgeSubject(document: unknown, artifact: Uint8Array): string | undefined {
  const envelope = isObject(document) ? document['dsseEnvelope'] : undefined;
  if (envelope === undefined) return undefined;
  if (!isObject(envelope) || envelope['payloadType'] !== STATEMENT_PAYLOAD_TYPE)
    return 'It attests nothing that is known here.';
  const payload = typeof envelope['payload'] === 'string' ? decodeBase64(envelope['payload']) : undefined;
  const statement = payload === undefined ? undefined : decodeStatement(payload);
  if (statement === undefined) return 'Its payload is not canonical base64.';
  if (isProblem(statement)) return `${statement.where} ${statement.detail}`;
  const sha256 = createHash('sha256').update(artifact).digest('hex');
  return statement.subject.some(({ digest }) => digest.sha256 === sha256)
    ? undefined
    : `No subject of it has the digest ${sha256}.`;
}
