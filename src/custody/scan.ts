import { createPublicKey } from 'node:crypto';
import {
  decodeEnvelope,
  decodeStatement,
  encodeStatement,
  isProblem,
  needsNewer,
  pae,
  STATEMENT_PAYLOAD_TYPE,
} from '#formats';
import type { Files, Home, Reason } from '#kernel';
import { readPublicKey, signatureFits, type Signer, signEnvelope } from '#trust';
import { reason } from './faults.ts';

const SCAN_PREDICATE = 'sallyport/scan/v1';

/** What a scanner of the site says about one volume. */
export interface Scan {
  readonly sha256: string;
  readonly scanner: string;
  readonly verdict: 'clean' | 'infected' | 'unknown';
  /** Name and state of its signatures, as it says them. */
  readonly engine: string;
  readonly at: string;
}

export function signScan(scan: Scan, signer: Signer): Uint8Array {
  const { sha256, scanner, verdict, engine, at } = scan;
  const predicate = { version: '1.0', critical: [], scanner, verdict, engine, at };
  const payload = encodeStatement({
    predicateType: SCAN_PREDICATE,
    subject: [{ name: 'volume', digest: { sha256 } }],
    predicate,
  });
  return signEnvelope(STATEMENT_PAYLOAD_TYPE, payload, [signer]);
}

/**
 * Which scanners say that a volume is clean. A scanner is known by its public key (PEM) in `trust/scanners/NAME.pem` of
 * the home; what anybody else signed says nothing, and an answer other than clean is against it.
 */
export async function judgeScans(
  files: Files,
  home: Home,
  sha256: string,
  envelopes: readonly Uint8Array[],
  required: readonly string[],
): Promise<Reason[]> {
  const clean = new Set<string>();
  const reasons: Reason[] = [];
  for (const scanner of required) {
    const path = `${home.trust}/scanners/${scanner}.pem`;
    if ((await files.look(path)) === undefined) {
      reasons.push(reason('custody.scan', scanner, `${path} is not there: nobody knows its key.`));
      continue;
    }
    const spki = createPublicKey(Buffer.from(await files.read(path, 16 * 1024))).export({
      format: 'der',
      type: 'spki',
    });
    const key = readPublicKey(spki.toString('base64'));
    if (key === undefined) continue;
    for (const bytes of envelopes) {
      const envelope = decodeEnvelope(bytes);
      if (isProblem(envelope)) continue;
      const message = pae(envelope.payloadType, envelope.payload);
      if (!envelope.signatures.some(({ sig }) => signatureFits(key, message, sig))) continue;
      const statement = decodeStatement(envelope.payload);
      if ('ok' in statement || statement.predicateType !== SCAN_PREDICATE) continue;
      const { version, critical, verdict } = statement.predicate;
      if (statement.subject.length !== 1 || statement.subject[0]?.digest.sha256 !== sha256) continue;
      const newer = needsNewer(version, critical);
      if (newer !== undefined) {
        reasons.push(reason('custody.scan', scanner, newer));
        continue;
      }
      if (verdict === 'clean') clean.add(scanner);
      else reasons.push(reason('custody.scan', scanner, `It says ${String(verdict)}.`));
    }
  }
  for (const scanner of required) {
    if (!clean.has(scanner) && !reasons.some(({ where }) => where === scanner)) {
      reasons.push(reason('custody.scan', scanner, 'It has said nothing about this volume.'));
    }
  }
  return reasons;
}
