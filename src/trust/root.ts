import { createHash } from 'node:crypto';
import { decodeEnvelope, encodeBase64, type Envelope, isProblem, parseStrictJson } from '#formats';
import { type Instant, isInstant, isObject, printable, type Reason } from '#kernel';
import { algorithms, type PublicKey, readPublicKey } from './algorithm.ts';
import type { CryptoProfile } from './crypto-profile.ts';
import type { TrustCode } from './faults.ts';
import { type Custody, custodies, holdersApart, isRole, keysApart, type Role, rolesInOrder } from './role.ts';
import { countHolders } from './threshold.ts';

export const ROOT_PAYLOAD_TYPE = 'application/vnd.sallyport.root+json';
/** Limits of docs/spec/root.md. */
export const ROOT_SIZE_LIMIT = 4 * 1024 * 1024;
export const HOLDERS_LIMIT = 64;
export const KEYS_LIMIT = 16;
export const REVOKED_LIMIT = 1024;
const VERSION_LIMIT = 2 ** 31 - 1;

/** A person, or a machine that acts for a side. */
export interface Holder {
  readonly name: string;
  readonly keys: readonly PublicKey[];
  /** For each role of the holder the ids of the keys that must all sign: a hybrid pair is one person. */
  readonly require: ReadonlyMap<Role, readonly string[]>;
}

/** A key that was taken out because it must not be believed any more. */
export interface Revocation {
  readonly keyid: string;
  readonly since: Instant;
  /** For people: 1 to 256 printable characters. */
  readonly reason: string;
}

/** A root document (docs/spec/root.md) that is well-formed and signed by its own holders; expiry is judged at use. */
export interface Root {
  readonly version: number;
  readonly site: string;
  readonly custody: Custody;
  readonly expires: Instant;
  readonly holders: readonly Holder[];
  /** Names of holders by role. */
  readonly roles: ReadonlyMap<Role, readonly string[]>;
  readonly thresholds: ReadonlyMap<Role, number>;
  /** Channels that it speaks for; `*` alone is every channel. */
  readonly channels: readonly string[];
  /** Keys that never count again, in this version or a later one. */
  readonly revoked: readonly Revocation[];
  /** sha256 over the payload bytes, 64 hex digits. */
  readonly fingerprint: string;
  /** By which this reader judges with it; it stands in no document. Absent: every algorithm counts. */
  readonly profile?: CryptoProfile;
}

/** What a root is written from. */
export interface RootDraft {
  readonly version: number;
  readonly site: string;
  readonly custody: Custody;
  readonly expires: Instant;
  readonly holders: readonly {
    readonly name: string;
    readonly keys: readonly Pick<PublicKey, 'keyid' | 'algorithm' | 'spki'>[];
    readonly require: Readonly<Partial<Record<Role, readonly string[]>>>;
  }[];
  readonly roles: Readonly<Partial<Record<Role, readonly string[]>>>;
  readonly thresholds: Readonly<Partial<Record<Role, number>>>;
  readonly channels: readonly string[];
  readonly revoked?: readonly Revocation[];
}

export type Judged<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: Reason };

export function refuse(
  code: TrustCode,
  where: string,
  detail: string,
): { readonly ok: false; readonly reason: Reason } {
  return { ok: false, reason: { code, where, detail } };
}

export function speaksFor(root: Root, channel: string): boolean {
  return root.channels.includes('*') || root.channels.includes(channel);
}

export function fingerprintOf(payload: Uint8Array): string {
  return createHash('sha256').update(payload).digest('hex');
}

/** The payload of a root: strict JSON, keys in a fixed order, readable by people. */
export function encodeRoot(draft: RootDraft): Uint8Array {
  const document = {
    'sallyport-root': '1.0',
    version: draft.version,
    site: draft.site,
    custody: draft.custody,
    expires: draft.expires,
    holders: draft.holders.map(({ name, keys, require }) => ({
      name,
      keys: keys.map(({ keyid, algorithm, spki }) => ({ keyid, algorithm, public: encodeBase64(spki) })),
      require: inOrder(require),
    })),
    roles: inOrder(draft.roles),
    thresholds: inOrder(draft.thresholds),
    channels: draft.channels,
    // A root that revokes nothing has the bytes that it had before there was this field.
    ...(draft.revoked === undefined || draft.revoked.length === 0
      ? {}
      : { revoked: draft.revoked.map(({ keyid, since, reason }) => ({ keyid, since, reason })) }),
    critical: [],
  };
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`, 'utf8');
}

function inOrder<T>(byRole: Readonly<Partial<Record<Role, T>>>): Record<string, T> {
  const ordered: Record<string, T> = {};
  for (const role of rolesInOrder(Object.keys(byRole).filter(isRole))) {
    const value = byRole[role];
    if (value !== undefined) ordered[role] = value;
  }
  return ordered;
}

/** A root file: well-formed, and signed by the threshold of its own root role. */
export function readRoot(bytes: Uint8Array): Judged<{ readonly root: Root; readonly envelope: Envelope }> {
  const envelope = decodeEnvelope(bytes, { size: ROOT_SIZE_LIMIT });
  if (isProblem(envelope)) return refuse('trust.root-malformed', envelope.where, envelope.detail);
  if (envelope.payloadType !== ROOT_PAYLOAD_TYPE) {
    return refuse('trust.root-malformed', '$.payloadType', `It is ${envelope.payloadType}, not ${ROOT_PAYLOAD_TYPE}.`);
  }
  const root = parseRoot(envelope.payload);
  if (!root.ok) return root;
  const count = countHolders(root.value, 'root', envelope);
  if (!count.ok) {
    return refuse('trust.root-unsigned', `version ${root.value.version}`, count.reason.detail);
  }
  return { ok: true, value: { root: root.value, envelope } };
}

const SITE = /^[a-z0-9][a-z0-9.-]{0,63}$/;

export function isSite(name: string): boolean {
  return SITE.test(name);
}

/** The payload of a root by the rules of docs/spec/root.md, without its signatures. */
export function parseRoot(payload: Uint8Array): Judged<Root> {
  const parsed = parseStrictJson(payload, { size: ROOT_SIZE_LIMIT });
  if (!parsed.ok) return refuse('trust.root-malformed', parsed.where, parsed.detail);
  const document = parsed.value;
  if (!isObject(document)) return malformed('$', 'A root is a JSON object.');
  const format = document['sallyport-root'];
  const major = typeof format === 'string' ? /^([1-9]\d{0,3})\.(?:0|[1-9]\d{0,3})$/.exec(format)?.[1] : undefined;
  if (major === undefined) return malformed("$['sallyport-root']", 'The format version is missing.');
  if (major !== '1')
    return refuse('trust.root-needs-newer', "$['sallyport-root']", `It is format ${printable(String(format))}.`);
  const { critical, version, site, custody, expires, channels } = document;
  if (!isTexts(critical)) return malformed('$.critical', 'The list of critical fields is missing.');
  if (critical.length > 0) {
    return refuse(
      'trust.root-needs-newer',
      '$.critical',
      `It needs ${critical.slice(0, 8).map(printable).join(', ')}.`,
    );
  }
  if (!isCount(version)) return malformed('$.version', 'The version is not a whole number from 1.');
  if (typeof site !== 'string' || !isSite(site)) return malformed('$.site', 'The site is not a site name.');
  const kept = custodies.find((known) => known === custody);
  if (kept === undefined) return malformed('$.custody', `Custody is none of ${custodies.join(', ')}.`);
  if (!isInstant(expires)) return malformed('$.expires', 'The expiry is not a time like 2027-01-31T00:00:00Z.');
  if (!isTexts(channels) || channels.length === 0 || channels.length > 256 || !areDistinct(channels)) {
    return malformed('$.channels', 'The channels are not a list of different names.');
  }
  const holders = parseHolders(document['holders']);
  if (!holders.ok) return holders;
  const duties = parseRoles(document['roles'], document['thresholds'], holders.value);
  if (!duties.ok) return duties;
  const apart = judgeApart(holders.value, duties.value.roles, kept);
  if (!apart.ok) return apart;
  const revoked = parseRevoked(document['revoked'], holders.value);
  if (!revoked.ok) return revoked;
  return {
    ok: true,
    value: {
      version,
      site,
      custody: kept,
      expires,
      holders: holders.value,
      ...duties.value,
      channels,
      revoked: revoked.value,
      fingerprint: fingerprintOf(payload),
    },
  };
}

function malformed(where: string, detail: string): { readonly ok: false; readonly reason: Reason } {
  return refuse('trust.root-malformed', where, detail);
}

function isTexts(value: unknown): value is string[] {
  return (
    Array.isArray(value) && value.every((entry) => typeof entry === 'string' && entry !== '' && entry.length <= 256)
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= VERSION_LIMIT;
}

function areDistinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

export function isHolderName(name: unknown): name is string {
  return (
    typeof name === 'string' && name.trim() === name && name !== '' && name.length <= 128 && printable(name) === name
  );
}

/** Two names that are equal after this are one holder's. */
export function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

function parseRevoked(value: unknown, holders: readonly Holder[]): Judged<readonly Revocation[]> {
  if (value === undefined) return { ok: true, value: [] };
  if (!Array.isArray(value) || value.length > REVOKED_LIMIT) {
    return malformed('$.revoked', `The revoked keys are not a list of at most ${REVOKED_LIMIT}.`);
  }
  const revoked: Revocation[] = [];
  for (const [index, entry] of value.entries()) {
    const where = `$.revoked[${index}]`;
    if (!isObject(entry)) return malformed(where, 'A revoked key is an object.');
    const { keyid, since, reason } = entry;
    if (typeof keyid !== 'string' || !/^[0-9a-f]{64}$/.test(keyid))
      return malformed(`${where}.keyid`, 'It is no key id.');
    if (!isInstant(since)) return malformed(`${where}.since`, 'It is not a time like 2027-01-31T00:00:00Z.');
    if (!isRevocationReason(reason)) return malformed(`${where}.reason`, 'It is empty, too long or not plain text.');
    const owner = holders.find(({ keys }) => keys.some((key) => key.keyid === keyid));
    if (owner !== undefined) return malformed(where, `${owner.name} still has the key.`);
    revoked.push({ keyid, since, reason });
  }
  if (!areDistinct(revoked.map(({ keyid }) => keyid))) return malformed('$.revoked', 'A key is revoked twice.');
  return { ok: true, value: revoked };
}

export function isRevocationReason(reason: unknown): reason is string {
  return typeof reason === 'string' && reason.trim() !== '' && reason.length <= 256 && printable(reason) === reason;
}

function parseHolders(value: unknown): Judged<readonly Holder[]> {
  if (!Array.isArray(value) || value.length === 0 || value.length > HOLDERS_LIMIT) {
    return malformed('$.holders', `There must be 1 to ${HOLDERS_LIMIT} holders.`);
  }
  const holders: Holder[] = [];
  const names = new Set<string>();
  const owners = new Map<string, string>();
  for (const [index, entry] of value.entries()) {
    const where = `$.holders[${index}]`;
    if (!isObject(entry)) return malformed(where, 'A holder is an object.');
    const { name } = entry;
    if (!isHolderName(name)) return malformed(`${where}.name`, 'The name is empty, too long or not plain text.');
    const folded = foldName(name);
    if (names.has(folded)) return malformed(`${where}.name`, 'Two holders have the same name.');
    names.add(folded);
    const keys = parseKeys(entry['keys'], `${where}.keys`);
    if (!keys.ok) return keys;
    for (const { keyid } of keys.value) {
      const owner = owners.get(keyid);
      if (owner !== undefined) return malformed(`${where}.keys`, `Key ${keyid} is also held by ${owner}.`);
      owners.set(keyid, name);
    }
    const require = parseRequire(entry['require'], keys.value, `${where}.require`);
    if (!require.ok) return require;
    holders.push({ name, keys: keys.value, require: require.value });
  }
  return { ok: true, value: holders };
}

function parseKeys(value: unknown, at: string): Judged<readonly PublicKey[]> {
  if (!Array.isArray(value) || value.length === 0 || value.length > KEYS_LIMIT) {
    return malformed(at, `A holder has 1 to ${KEYS_LIMIT} keys.`);
  }
  const keys: PublicKey[] = [];
  for (const [index, entry] of value.entries()) {
    const where = `${at}[${index}]`;
    if (!isObject(entry)) return malformed(where, 'A key is an object.');
    const text = entry['public'];
    const key = typeof text === 'string' ? readPublicKey(text) : undefined;
    if (key === undefined) {
      return malformed(
        `${where}.public`,
        `The key is not the public key of one of ${algorithms.join(', ')}, as base64 of its DER.`,
      );
    }
    if (entry['algorithm'] !== key.algorithm) return malformed(`${where}.algorithm`, `The key is of ${key.algorithm}.`);
    if (entry['keyid'] !== key.keyid) return malformed(`${where}.keyid`, 'The key id is not the digest of the key.');
    keys.push(key);
  }
  if (!areDistinct(keys.map(({ keyid }) => keyid))) return malformed(at, 'A key stands twice.');
  return { ok: true, value: keys };
}

function parseRequire(value: unknown, keys: readonly PublicKey[], at: string): Judged<Holder['require']> {
  if (!isObject(value)) return malformed(at, 'The required keys are not an object by role.');
  const require = new Map<Role, readonly string[]>();
  for (const [role, ids] of Object.entries(value)) {
    const where = `${at}.${printable(role)}`;
    if (!isTexts(ids) || ids.length === 0 || !areDistinct(ids))
      return malformed(where, 'It is not a list of different key ids.');
    if (!ids.every((id) => keys.some(({ keyid }) => keyid === id)))
      return malformed(where, 'It names a key of somebody else.');
    // Roles of later minor versions are kept in the bytes and mean nothing here.
    if (isRole(role)) require.set(role, ids);
  }
  return { ok: true, value: require };
}

function parseRoles(
  listed: unknown,
  counts: unknown,
  holders: readonly Holder[],
): Judged<{ readonly roles: Root['roles']; readonly thresholds: Root['thresholds'] }> {
  if (!isObject(listed)) return malformed('$.roles', 'The roles are not an object.');
  if (!isObject(counts)) return malformed('$.thresholds', 'The thresholds are not an object.');
  const byRole = new Map<Role, readonly string[]>();
  const thresholds = new Map<Role, number>();
  for (const [role, names] of Object.entries(listed)) {
    const where = `$.roles.${printable(role)}`;
    if (!isTexts(names) || names.length === 0 || !areDistinct(names)) {
      return malformed(where, 'It is not a list of different holders.');
    }
    if (!isRole(role)) continue;
    for (const name of names) {
      const holder = holders.find((candidate) => candidate.name === name);
      if (holder === undefined) return malformed(where, `There is no holder ${printable(name)}.`);
      if (!holder.require.has(role)) return malformed(where, `${name} has no required key for this role.`);
    }
    const threshold = counts[role];
    if (!isCount(threshold) || threshold > names.length) {
      return malformed(`$.thresholds.${role}`, `The threshold is not a whole number from 1 to ${names.length}.`);
    }
    byRole.set(role, names);
    thresholds.set(role, threshold);
  }
  for (const role of Object.keys(counts)) {
    if (!Object.hasOwn(listed, role)) return malformed(`$.thresholds.${printable(role)}`, 'There is no such role.');
  }
  for (const { name, require } of holders) {
    for (const role of require.keys()) {
      if (byRole.get(role)?.includes(name) !== true)
        return malformed(`$.roles.${role}`, `${name} has keys for it and is not listed.`);
    }
  }
  if (!byRole.has('root')) return malformed('$.roles.root', 'Nobody holds the root.');
  return { ok: true, value: { roles: byRole, thresholds } };
}

function judgeApart(holders: readonly Holder[], byRole: Root['roles'], custody: Custody): Judged<null> {
  const pairs = [...byRole.keys()].flatMap((a, index) =>
    [...byRole.keys()].slice(index + 1).map((b) => [a, b] as const),
  );
  for (const { name, require } of holders) {
    for (const [a, b] of pairs) {
      const ofA = require.get(a);
      const ofB = require.get(b);
      if (ofA === undefined || ofB === undefined) continue;
      if (keysApart(a, b) && ofA.some((id) => ofB.includes(id))) {
        return malformed('$.holders', `${name} has one key for ${a} and ${b}, which need keys of their own.`);
      }
      if (custody === 'shared' && holdersApart(a, b)) {
        return malformed('$.roles', `${name} is both ${a} and ${b}, which shared custody keeps apart.`);
      }
    }
  }
  return { ok: true, value: null };
}
