import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { parseStrictJson } from '#formats';
import { compareUtf8, isObject, printable, type Reason } from '#kernel';

/**
 * Reads a repository of The Update Framework that lies in a folder, as the client workflow of its specification 1.0.33
 * (section 5.3 to 5.7) does: for trusted roots of others, which come in no other form. Root files of our own are no TUF
 * (docs/spec/root.md). What common clients let pass is refused: duplicate JSON keys, one public key under two names
 * counted twice, a threshold below one.
 */
export interface TufSource {
  /** The bytes of a file below `metadata/` or `targets/`; undefined where it is not there. */
  read(path: string, limit: number): Promise<Uint8Array | undefined>;
}

export interface TufJudgement {
  readonly verdict: 'verified' | 'unverified';
  readonly reasons: readonly Reason[];
  /** The newest root that the first one leads to. */
  readonly root?: { readonly version: number; readonly expires: string };
  /** Roles whose metadata were verified, in order. */
  readonly roles: readonly { readonly role: string; readonly version: number; readonly expires: string }[];
  /** The target that was asked for, where all of it holds. */
  readonly target?: { readonly bytes: Uint8Array; readonly sha256: string };
}

const METADATA_LIMIT = 8 * 1024 * 1024;
const TARGET_LIMIT = 64 * 1024 * 1024;
/** More than any chain that we know; sigstore's has 12. */
const ROOTS_LIMIT = 1024;
const ROLES_LIMIT = 32;

/** Ends the judgement; every step below throws it. */
class Refusal {
  readonly reason: Reason;
  constructor(code: string, where: string, detail: string) {
    this.reason = { code, where, detail: printable(detail).slice(0, 500) };
  }
}

/** A JSON object, as it was read. */
type Fields = Readonly<Record<string, unknown>>;

/** A metadata file after its signatures were verified, or before: then nothing of it is used but its role's keys. */
interface Document {
  readonly signed: Fields;
  readonly bytes: Uint8Array;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

interface RoleKeys {
  readonly keys: ReadonlyMap<string, { readonly object: KeyObject; readonly spki: string }>;
  readonly threshold: number;
}

/** `first` is a root that the caller trusts; `now` in milliseconds is when metadata must not have expired. */
export async function judgeTuf(
  source: TufSource,
  first: Uint8Array,
  now: number,
  target?: string,
): Promise<TufJudgement> {
  const roles: { role: string; version: number; expires: string }[] = [];
  let root: TufJudgement['root'];
  const known = () => ({ ...(root === undefined ? {} : { root }), roles });
  try {
    const trusted = await newestRoot(source, first);
    root = factsOf(trusted.signed, 'root');
    judgeExpiry(root.expires, now, 'root.json');
    const take = (role: string, { signed }: Document): void => {
      roles.push({ role, ...factsOf(signed, `${role}.json`) });
    };

    const timestamp = await fetched(source, 'metadata/timestamp.json');
    judgeSigned(timestamp, 'timestamp', roleOf(trusted.signed, 'timestamp'), 'timestamp.json', now);
    take('timestamp', timestamp);

    const prefix = trusted.signed['consistent_snapshot'] === true;
    const listed = async (list: Fields, role: string, kind: string, keys: RoleKeys): Promise<Document> => {
      const file = `${role}.json`;
      const entry = isObject(list['meta']) ? list['meta'][file] : undefined;
      if (!isObject(entry)) throw new Refusal('trust.tuf-missing', file, 'Nothing says which version is current.');
      const version = entry['version'];
      if (!isCount(version)) throw new Refusal('trust.tuf-malformed', file, 'Its version is no number.');
      const document = await fetched(source, `metadata/${prefix ? `${version}.` : ''}${file}`);
      judgeHashes(document.bytes, entry, file);
      judgeSigned(document, kind, keys, file, now);
      if (document.signed['version'] !== version) {
        throw new Refusal(
          'trust.tuf-version',
          file,
          `It has version ${String(document.signed['version'])}, not ${version}.`,
        );
      }
      take(role, document);
      return document;
    };
    const snapshot = await listed(timestamp.signed, 'snapshot', 'snapshot', roleOf(trusted.signed, 'snapshot'));
    const targets = await listed(snapshot.signed, 'targets', 'targets', roleOf(trusted.signed, 'targets'));
    if (target === undefined) return { verdict: 'verified', reasons: [], ...known() };

    const entry = await findTarget(target, targets, (role, keys) => listed(snapshot.signed, role, 'targets', keys));
    const hashes = isObject(entry['hashes']) ? entry['hashes'] : {};
    const slash = target.lastIndexOf('/') + 1;
    const name = prefix ? `${target.slice(0, slash)}${String(hashes['sha256'])}.${target.slice(slash)}` : target;
    const bytes = await source.read(`targets/${name}`, TARGET_LIMIT);
    if (bytes === undefined) throw new Refusal('trust.tuf-missing', target, `There is no targets/${name}.`);
    judgeHashes(bytes, entry, target);
    if (typeof hashes['sha256'] !== 'string' && typeof hashes['sha512'] !== 'string') {
      throw new Refusal('trust.tuf-malformed', target, 'No digest of it is known.');
    }
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { verdict: 'verified', reasons: [], ...known(), target: { bytes, sha256 } };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { verdict: 'unverified', reasons: [error.reason], ...known() };
  }
}

/** Section 5.3: each root is signed by the threshold of the one before and by its own. Old ones may have expired. */
async function newestRoot(source: TufSource, first: Uint8Array): Promise<Document> {
  let trusted = documentOf(first, 'the first root');
  judgeRole(trusted, 'root', 'the first root');
  judgeSignatures(trusted, roleOf(trusted.signed, 'root'), 'the first root');
  for (let count = 0; count < ROOTS_LIMIT; count++) {
    const version = Number(trusted.signed['version']) + 1;
    const file = `${version}.root.json`;
    const bytes = await source.read(`metadata/${file}`, METADATA_LIMIT);
    if (bytes === undefined) return trusted;
    const next = documentOf(bytes, file);
    judgeRole(next, 'root', file);
    if (next.signed['version'] !== version) throw new Refusal('trust.tuf-version', file, 'Its version is another one.');
    judgeSignatures(next, roleOf(trusted.signed, 'root'), file);
    judgeSignatures(next, roleOf(next.signed, 'root'), file);
    trusted = next;
  }
  throw new Refusal('trust.tuf-version', 'root', `There are more than ${ROOTS_LIMIT} roots.`);
}

/** Section 5.6.7: depth first, in the order of the delegations, each role once, until one is terminating. */
async function findTarget(
  target: string,
  top: Document,
  load: (role: string, keys: RoleKeys) => Promise<Document>,
): Promise<Fields> {
  const visited = new Set<string>(['targets']);
  const visit = async (document: Document): Promise<Fields | 'terminated' | undefined> => {
    const { targets, delegations } = document.signed;
    const found = isObject(targets) && Object.hasOwn(targets, target) ? targets[target] : undefined;
    if (isObject(found)) return found;
    if (!isObject(delegations) || !Array.isArray(delegations['roles'])) return undefined;
    for (const role of delegations['roles'] as unknown[]) {
      if (!isObject(role) || typeof role['name'] !== 'string' || !isDelegated(role, target)) continue;
      const { name } = role;
      if (visited.has(name)) continue;
      if (visited.size >= ROLES_LIMIT || !/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
        throw new Refusal('trust.tuf-malformed', name, `There are more than ${ROLES_LIMIT} roles, or this is no name.`);
      }
      visited.add(name);
      const answer = await visit(await load(name, keysOf(delegations['keys'], role, name)));
      if (answer !== undefined) return answer;
      if (role['terminating'] === true) return 'terminated';
    }
    return undefined;
  };
  const found = await visit(top);
  if (found === undefined || found === 'terminated') {
    throw new Refusal('trust.tuf-missing', target, 'No role that may speak for it names it.');
  }
  return found;
}

function isDelegated(role: Fields, target: string): boolean {
  const { paths, path_hash_prefixes: prefixes } = role;
  if (Array.isArray(paths)) return paths.some((path) => typeof path === 'string' && matches(path, target));
  if (!Array.isArray(prefixes)) return false;
  const hash = createHash('sha256').update(target).digest('hex');
  return prefixes.some((start) => typeof start === 'string' && start !== '' && hash.startsWith(start));
}

/** Shell patterns a segment at a time: a star stops at a slash (section 4.5). */
function matches(pattern: string, target: string): boolean {
  const [left, right] = [pattern.split('/'), target.split('/')];
  return (
    left.length === right.length &&
    left.every((part, i) => {
      const text = part
        .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
        .replaceAll('*', '[^]*')
        .replaceAll('?', '[^]');
      return new RegExp(`^${text}$`).test(right[i] ?? '');
    })
  );
}

async function fetched(source: TufSource, path: string): Promise<Document> {
  const bytes = await source.read(path, METADATA_LIMIT);
  if (bytes === undefined) throw new Refusal('trust.tuf-missing', path, 'It is not there.');
  return documentOf(bytes, path);
}

function documentOf(bytes: Uint8Array, where: string): Document {
  const parsed = parseStrictJson(bytes, { size: METADATA_LIMIT });
  if (!parsed.ok) throw new Refusal('trust.tuf-malformed', where, `${parsed.where} ${parsed.detail}`);
  const { value } = parsed;
  if (!isObject(value) || !isObject(value['signed']) || !Array.isArray(value['signatures'])) {
    throw new Refusal('trust.tuf-malformed', where, 'It has no signed part, or no signatures.');
  }
  const signatures = (value['signatures'] as unknown[]).map((one) => {
    if (!isObject(one) || typeof one['keyid'] !== 'string' || typeof one['sig'] !== 'string') {
      throw new Refusal('trust.tuf-malformed', where, 'A signature has no key id.');
    }
    return { keyid: one['keyid'], sig: one['sig'] };
  });
  return { signed: value['signed'], signatures, bytes };
}

function judgeRole({ signed }: Document, kind: string, where: string): void {
  if (signed['_type'] !== kind) throw new Refusal('trust.tuf-malformed', where, `It is no ${kind}.`);
  if (!/^1\.[0-9.]*$/.test(String(signed['spec_version']))) {
    throw new Refusal('trust.tuf-malformed', where, `It is of version ${String(signed['spec_version'])} of TUF.`);
  }
  factsOf(signed, where);
}

function judgeSigned(document: Document, kind: string, keys: RoleKeys, where: string, now: number): void {
  judgeSignatures(document, keys, where);
  judgeRole(document, kind, where);
  judgeExpiry(factsOf(document.signed, where).expires, now, where);
}

function factsOf(signed: Fields, where: string): { version: number; expires: string } {
  const { version, expires } = signed;
  if (!isCount(version)) throw new Refusal('trust.tuf-malformed', where, 'Its version is no number from 1.');
  if (
    typeof expires !== 'string' ||
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(expires) ||
    Number.isNaN(Date.parse(expires))
  ) {
    throw new Refusal('trust.tuf-malformed', where, 'When it expires is no time.');
  }
  return { version, expires };
}

function judgeExpiry(expires: string, now: number, where: string): void {
  if (Date.parse(expires) <= now) throw new Refusal('trust.tuf-expired', where, `It expired at ${expires}.`);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

function judgeHashes(bytes: Uint8Array, entry: Fields, where: string): void {
  const { length, hashes } = entry;
  if (length !== undefined && length !== bytes.length) {
    throw new Refusal('trust.tuf-digest', where, `It has ${bytes.length} bytes, not ${String(length)}.`);
  }
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const due = isObject(hashes) ? hashes[algorithm] : undefined;
    if (due !== undefined && createHash(algorithm).update(bytes).digest('hex') !== due) {
      throw new Refusal('trust.tuf-digest', where, `Its ${algorithm} is another one.`);
    }
  }
}

/** Counts people's keys, not their names in the file: one public key under two ids is one (tuf-js counts two). */
function judgeSignatures({ signed, signatures }: Document, { keys, threshold }: RoleKeys, where: string): void {
  const message = Buffer.from(canonical(signed), 'utf8');
  const fit = new Set<string>();
  for (const { keyid, sig } of signatures) {
    const key = keys.get(keyid);
    if (key === undefined || sig === '' || !/^(?:[0-9a-f]{2})+$/.test(sig)) continue;
    try {
      const digest = key.object.asymmetricKeyType === 'ed25519' ? null : 'sha256';
      if (verify(digest, message, key.object, Buffer.from(sig, 'hex'))) fit.add(key.spki);
    } catch {
      // A signature that cannot even be read does not fit.
    }
  }
  if (fit.size < threshold) {
    throw new Refusal('trust.tuf-signatures', where, `${fit.size} of ${threshold} keys of its role signed it.`);
  }
}

function roleOf(root: Fields, role: string): RoleKeys {
  const roles = root['roles'];
  const entry = isObject(roles) ? roles[role] : undefined;
  if (!isObject(entry)) throw new Refusal('trust.tuf-malformed', role, 'The root names no keys for it.');
  return keysOf(root['keys'], entry, role);
}

function keysOf(all: unknown, role: Fields, where: string): RoleKeys {
  const { keyids, threshold } = role;
  if (!isCount(threshold) || !Array.isArray(keyids) || new Set(keyids).size !== keyids.length) {
    throw new Refusal('trust.tuf-malformed', where, 'Its threshold is below one, or a key is named twice.');
  }
  const keys = new Map<string, { object: KeyObject; spki: string }>();
  for (const keyid of keyids) {
    const key = isObject(all) && typeof keyid === 'string' && Object.hasOwn(all, keyid) ? keyOf(all[keyid]) : undefined;
    // A key of a scheme that we do not know signs nothing.
    if (key !== undefined) keys.set(String(keyid), key);
  }
  return { keys, threshold };
}

/** SubjectPublicKeyInfo of P-256 before an uncompressed point, as early roots of sigstore have it in hexadecimal. */
const P256 = '3059301306072a8648ce3d020106082a8648ce3d030107034200';
const ED25519 = '302a300506032b6570032100';

function keyOf(value: unknown): { object: KeyObject; spki: string } | undefined {
  const keyval = isObject(value) ? value['keyval'] : undefined;
  const text = isObject(keyval) ? keyval['public'] : undefined;
  const scheme = isObject(value) ? value['scheme'] : undefined;
  if (typeof text !== 'string') return undefined;
  try {
    let object: KeyObject;
    if (scheme === 'ecdsa-sha2-nistp256') {
      object = /^04[0-9a-f]{128}$/.test(text) ? fromDer(P256 + text) : fromPem(text);
      if (object.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return undefined;
    } else if (scheme === 'ed25519' && /^[0-9a-f]{64}$/.test(text)) object = fromDer(ED25519 + text);
    else return undefined;
    return { object, spki: object.export({ format: 'der', type: 'spki' }).toString('hex') };
  } catch {
    return undefined;
  }
}

function fromDer(hex: string): KeyObject {
  return createPublicKey({ key: Buffer.from(hex, 'hex'), format: 'der', type: 'spki' });
}

/** Only a public key: `createPublicKey` alone would take a private one. */
function fromPem(text: string): KeyObject {
  if (!text.startsWith('-----BEGIN PUBLIC KEY-----\n')) throw new TypeError('no public key');
  return createPublicKey(text);
}

/** Canonical JSON of OLPC, over which TUF signs: keys sorted, no white space, only quote and backslash escaped. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (isObject(value)) {
    const keys = Object.keys(value).sort(compareUtf8);
    return `{${keys.map((key) => `${canonical(key)}:${canonical(value[key])}`).join(',')}}`;
  }
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`;
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new Refusal('trust.tuf-malformed', '', 'It holds a number that is not whole.');
  }
  return String(value);
}
