import {
  type Digest,
  hexOf,
  type Instant,
  isDigest,
  isInstant,
  isObject,
  type Json,
  type JsonObject,
  type Reason,
} from '#kernel';
import { decodeStatement, encodeStatement, isProblem } from '#formats';
import { isCount, versionProblem } from './bundle-index.ts';
import { reason } from './faults.ts';
import { MAX_DEPTH, MAX_ENVELOPES } from './layout.ts';

export const SEAL_PREDICATE = 'sallyport/seal/v1';
export const SEALED_PREDICATE = 'sallyport/sealed/v1';
const SUBJECT = 'index.jsonl';

/** What the sealers sign about an index: everything about a bundle that the lock does not determine. */
export interface SealStatement {
  /** Digest of the index: the bundle's identity. */
  readonly index: Digest;
  readonly indexBytes: number;
  readonly sealed: Instant;
  readonly channel: string;
  readonly sequence: number;
  readonly project: string;
  readonly site: string;
  /** Sites that may admit it; empty: any. */
  readonly destinations: readonly string[];
  /** The same sites by ring, in order (staging, production): the same bytes go on. Empty: no rings. */
  readonly rings: readonly Ring[];
  readonly lock: Digest;
  readonly blobs: number;
  readonly bytes: number;
  readonly previous: { readonly sequence: number; readonly index: Digest } | null;
  /** Key ids of the envelope's signatures, in order: in the envelope itself nobody signs them. */
  readonly signers: readonly string[];
  /** The other envelopes of the bundle, in order. */
  readonly carries: readonly Carried[];
  readonly tool: { readonly name: string; readonly version: string };
}

export interface Ring {
  readonly ring: string;
  readonly sites: readonly string[];
}

export interface Carried {
  /** Name below `envelopes/`. */
  readonly name: string;
  readonly sha256: string;
}

export function encodeSeal(seal: SealStatement): Uint8Array {
  const predicate: JsonObject = {
    version: '1.0',
    critical: [],
    sealed: seal.sealed,
    channel: seal.channel,
    sequence: seal.sequence,
    project: seal.project,
    site: seal.site,
    destinations: [...seal.destinations],
    ...(seal.rings.length === 0 ? {} : { rings: seal.rings.map(({ ring, sites }) => ({ ring, sites: [...sites] })) }),
    index: { bytes: seal.indexBytes },
    lock: { digest: seal.lock },
    content: { blobs: seal.blobs, bytes: seal.bytes },
    previous: seal.previous === null ? null : { sequence: seal.previous.sequence, index: seal.previous.index },
    signers: [...seal.signers],
    carries: seal.carries.map(({ name, sha256 }) => ({ name, sha256 })),
    tool: { name: seal.tool.name, version: seal.tool.version },
  };
  return encodeStatement({
    predicateType: SEAL_PREDICATE,
    subject: [{ name: SUBJECT, digest: { sha256: hexOf(seal.index) } }],
    predicate,
  });
}

/** The seal in a DSSE payload, or why it holds none. */
export function decodeSeal(payload: Uint8Array): SealStatement | Reason {
  const statement = decodeStatement(payload);
  if ('ok' in statement && isProblem(statement)) return bad(statement.where, statement.detail);
  if (statement.predicateType !== SEAL_PREDICATE) {
    return bad('predicateType', `It is ${statement.predicateType} and not ${SEAL_PREDICATE}.`);
  }
  const [subject, ...more] = statement.subject;
  if (subject === undefined || more.length > 0 || subject.name !== SUBJECT) {
    return bad('subject', `The one subject must be ${SUBJECT}.`);
  }
  const p = statement.predicate;
  const refused = versionProblem(p['version'], p['critical'], 'seal.dsse.json');
  if (refused !== undefined) return refused.code === 'bundle.index' ? bad('version', refused.detail) : refused;
  if (depth(p) > MAX_DEPTH) return bad('predicate', 'It is nested too deep.');
  const {
    sealed,
    channel,
    sequence,
    project,
    site,
    destinations,
    rings: declared,
    index,
    lock,
    content,
    previous,
    signers,
    carries,
    tool,
  } = p;
  if (!isInstant(sealed)) return bad('sealed', 'It is no time.');
  if (!isName(channel)) return bad('channel', 'It is no name.');
  if (!isCount(sequence) || sequence === 0) return bad('sequence', 'It is no number from 1.');
  if (!isText(project) || !isText(site)) return bad('site', 'Project or site is no text.');
  if (!Array.isArray(destinations) || destinations.length > 256 || !destinations.every(isText)) {
    return bad('destinations', 'It is no list of sites.');
  }
  const rings = ringsIn(declared, destinations);
  if (rings === undefined) return bad('rings', 'It is no list of rings of its destinations.');
  if (!isObject(index) || !isCount(index['bytes'])) return bad('index', 'It has no size.');
  if (!isObject(lock) || !isDigest(lock['digest'])) return bad('lock', 'It has no digest.');
  if (!isObject(content) || !isCount(content['blobs']) || !isCount(content['bytes'])) {
    return bad('content', 'It has no totals.');
  }
  let before: SealStatement['previous'] = null;
  if (previous !== null) {
    if (!isObject(previous) || !isCount(previous['sequence']) || !isDigest(previous['index'])) {
      return bad('previous', 'It is neither null nor a seal.');
    }
    before = { sequence: previous['sequence'], index: previous['index'] };
  }
  if (!Array.isArray(signers) || !signers.every(isText)) return bad('signers', 'It is no list of key ids.');
  if (!Array.isArray(carries)) return bad('carries', 'It is no list.');
  if (carries.length > MAX_ENVELOPES) {
    return reason('bundle.limit', 'envelopes', `The seal carries ${carries.length} documents.`);
  }
  const carried: Carried[] = [];
  const names = new Set<string>();
  for (const entry of carries) {
    if (!isObject(entry)) return bad('carries', 'An entry is no object.');
    const { name, sha256 } = entry;
    if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name) || names.has(name)) {
      return bad('carries', 'A name is not one that we write, or stands twice.');
    }
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return bad('carries', `${name} has no digest.`);
    names.add(name);
    carried.push({ name, sha256 });
  }
  if (!isObject(tool) || !isText(tool['name']) || !isText(tool['version'])) return bad('tool', 'It is no tool.');
  return {
    index: `sha256:${subject.digest.sha256}`,
    indexBytes: index['bytes'],
    sealed,
    channel,
    sequence,
    project,
    site,
    destinations,
    rings,
    lock: lock['digest'],
    blobs: content['blobs'],
    bytes: content['bytes'],
    previous: before,
    signers,
    carries: carried,
    tool: { name: tool['name'], version: tool['version'] },
  };
}

/** Rings of an earlier writer are none; a site that is in no destination would be let in by nobody. */
function ringsIn(value: Json | undefined, destinations: readonly string[]): Ring[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > 16) return undefined;
  const rings: Ring[] = [];
  for (const one of value) {
    if (!isObject(one)) return undefined;
    const { ring, sites } = one;
    if (!isName(ring) || rings.some((other) => other.ring === ring)) return undefined;
    if (!Array.isArray(sites) || sites.length === 0 || sites.length > 256) return undefined;
    const names = sites.filter(isText);
    if (names.length !== sites.length || !names.every((site) => destinations.includes(site))) return undefined;
    rings.push({ ring, sites: names });
  }
  return rings;
}

function bad(where: string, detail: string): Reason {
  return reason('bundle.statement', `seal.dsse.json ${where}`.trimEnd(), detail);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 256;
}

function isName(value: unknown): value is string {
  return isText(value) && value !== '';
}

function depth(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let deepest = 0;
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depth(inner));
  return deepest + 1;
}
