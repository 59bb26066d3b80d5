import {
  decodeEnvelope,
  decodeStatement,
  encodeStatement,
  isProblem,
  needsNewer,
  pae,
  STATEMENT_PAYLOAD_TYPE,
} from '#formats';
import { isInstant, type Instant } from '#kernel';
import { holdersWith, type Role, type Root, signatureFits, type Signer, signEnvelope } from '#trust';
import { isSerial } from './medium.ts';

export const CUSTODY_PREDICATE = 'sallyport/custody/v1';
export const custodyEvents = ['sealed', 'handed-over', 'carried', 'arrived', 'refused', 'destroyed'] as const;
export type CustodyEvent = (typeof custodyEvents)[number];

/** A volume by its content; the name is for people and decides nothing. */
export interface Volume {
  readonly name: string;
  readonly sha256: string;
}

/** One link: what happened to these volumes on this medium, and who says so. */
export interface Custody {
  readonly event: CustodyEvent;
  readonly volumes: readonly Volume[];
  /** Serial of the medium. */
  readonly medium: string;
  /** Numbers of the seals on it, sorted. */
  readonly seals: readonly string[];
  /** Names of holders: who gave it away, who took it; the same where it stayed in one hand. */
  readonly from: string;
  readonly to: string;
  readonly site: string;
  readonly at: Instant;
  /** sha256 of the envelope of the link before, '' for the first. */
  readonly previous: string;
}

/** Duties by which a person may have a medium in hand. */
export const HANDS: readonly Role[] = ['sealer', 'carrier', 'receiver', 'approver', 'auditor'];

export function signCustody(custody: Custody, signers: readonly Signer[]): Uint8Array {
  const { event, volumes, medium, seals, from, to, site, at, previous } = custody;
  const payload = encodeStatement({
    predicateType: CUSTODY_PREDICATE,
    subject: volumes.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicate: { version: '1.0', critical: [], event, medium, seals: [...seals], from, to, site, at, previous },
  });
  // A link is one line of its chain.
  return Buffer.from(
    Buffer.from(signEnvelope(STATEMENT_PAYLOAD_TYPE, payload, signers))
      .toString('utf8')
      .trimEnd(),
  );
}

/** The link in an envelope, or one sentence on why there is none. */
export function readCustody(bytes: Uint8Array): Custody | string {
  const none = 'It is no statement of custody.';
  const envelope = decodeEnvelope(bytes);
  if (isProblem(envelope) || envelope.payloadType !== STATEMENT_PAYLOAD_TYPE) return none;
  const statement = decodeStatement(envelope.payload);
  if ('ok' in statement || statement.predicateType !== CUSTODY_PREDICATE) return none;
  const { version, critical, event, medium, seals, from, to, site, at, previous } = statement.predicate;
  const known = custodyEvents.find((one) => one === event);
  const newer = needsNewer(version, critical);
  if (newer !== undefined) return newer;
  if (known === undefined || typeof medium !== 'string' || !isSerial(medium)) return none;
  if (!Array.isArray(seals) || seals.length > 64 || !seals.every((one) => typeof one === 'string')) return none;
  const words = [from, to, site, previous];
  if (!words.every((one): one is string => typeof one === 'string' && one.length <= 256) || !isInstant(at)) return none;
  return {
    event: known,
    volumes: statement.subject.map(({ name, digest }) => ({ name, sha256: digest.sha256 })),
    medium,
    seals: seals.map(String),
    from: String(from),
    to: String(to),
    site: String(site),
    at,
    previous: String(previous),
  };
}

/** Holders who signed an envelope with all keys that the root requires of them in one of the duties with hands on media. */
export function handsOf(root: Root, bytes: Uint8Array): readonly string[] {
  const envelope = decodeEnvelope(bytes);
  if (isProblem(envelope)) return [];
  const message = pae(envelope.payloadType, envelope.payload);
  const keys = new Map(root.holders.flatMap(({ keys: all }) => all.map((key) => [key.keyid, key] as const)));
  const signed = envelope.signatures
    .filter(({ keyid, sig }) => {
      const key = keys.get(keyid);
      return key !== undefined && signatureFits(key, message, sig);
    })
    .map(({ keyid }) => keyid);
  return [...new Set(HANDS.flatMap((role) => holdersWith(root, role, signed).holders))];
}
