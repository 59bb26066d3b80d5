import { type Instant, instantOf, isObject } from '#kernel';

type Manifest = Readonly<Record<string, unknown>>;

/** A registry's document about all versions of a package. Its parts are parsed when they are asked for. */
export interface Packument {
  readonly name: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly time: Readonly<Record<string, unknown>>;
  manifest(version: string): Manifest | undefined;
  /** All members except `versions`. */
  rest(): Manifest;
}

/** Largest packument that is read: the largest public ones are below 40 MB. */
export const PACKUMENT_LIMIT = 128 * 1024 * 1024;

/**
 * Undefined where the bytes are no packument. Only the places of versions are found at first: a whole packument as
 * objects takes several times its bytes, and a few of its versions are ever needed. A name that stands twice means its
 * last value, as for JSON.parse.
 */
export function parsePackument(bytes: Uint8Array): Packument | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const top = membersAt(buffer, skipSpace(buffer, 0));
  const place = top?.get('versions');
  const versions = place === undefined ? undefined : membersAt(buffer, place[0]);
  if (top === undefined || versions === undefined) return undefined;
  const part = (range: Place | undefined): unknown => (range === undefined ? undefined : parsePart(buffer, range));
  const name = part(top.get('name'));
  if (typeof name !== 'string') return undefined;
  const tags = new Map<string, string>();
  const named = part(top.get('dist-tags'));
  for (const [tag, version] of isObject(named) ? Object.entries(named) : []) {
    if (typeof version === 'string') tags.set(tag, version);
  }
  const time = part(top.get('time'));
  return {
    name,
    tags,
    time: isObject(time) ? time : {},
    manifest(version) {
      const manifest = part(versions.get(version));
      return isObject(manifest) ? manifest : undefined;
    },
    rest() {
      const members = [...top].filter(([key]) => key !== 'versions').map(([key, range]) => [key, part(range)] as const);
      return Object.fromEntries(members.filter(([, value]) => value !== undefined));
    },
  };
}

export function distOf(manifest: Manifest): {
  readonly tarball: string | undefined;
  readonly integrity: string | undefined;
  readonly shasum: string | undefined;
} {
  const dist = isObject(manifest['dist']) ? manifest['dist'] : {};
  const text = (key: string): string | undefined => (typeof dist[key] === 'string' ? dist[key] : undefined);
  return { tarball: text('tarball'), integrity: text('integrity'), shasum: text('shasum') };
}

export function publishedOf({ time }: Packument, version: string): Instant | '' {
  const value = Object.hasOwn(time, version) ? time[version] : undefined;
  const milliseconds = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(milliseconds) || milliseconds < 0 || milliseconds > 253_402_300_799_999) return '';
  return instantOf(milliseconds);
}

// ---------------------------------------------------------------------------------------- finding members in JSON text

/** First byte of a value, and the byte after its last. */
type Place = readonly [number, number];

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/** The members of the object that begins at `at`, or undefined where there is none or it is not closed. */
function membersAt(bytes: Buffer, at: number): Map<string, Place> | undefined {
  if (bytes[at] !== 0x7b) return undefined;
  const members = new Map<string, Place>();
  let i = skipSpace(bytes, at + 1);
  if (bytes[i] === 0x7d) return members;
  for (;;) {
    const keyEnd = bytes[i] === QUOTE ? endOfString(bytes, i) : -1;
    if (keyEnd === -1) return undefined;
    const key = parsePart(bytes, [i, keyEnd]);
    i = skipSpace(bytes, keyEnd);
    if (typeof key !== 'string' || bytes[i] !== 0x3a) return undefined;
    const start = skipSpace(bytes, i + 1);
    const end = endOfValue(bytes, start);
    if (end === -1) return undefined;
    members.set(key, [start, end]);
    i = skipSpace(bytes, end);
    if (bytes[i] === 0x7d) return members;
    if (bytes[i] !== COMMA) return undefined;
    i = skipSpace(bytes, i + 1);
  }
}

function parsePart(bytes: Buffer, [start, end]: Place): unknown {
  try {
    return JSON.parse(bytes.toString('utf8', start, end));
  } catch {
    return undefined;
  }
}

/** The byte after the value that begins at `at`, or -1. Brackets are counted; what is between is checked when parsed. */
function endOfValue(bytes: Buffer, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) return endOfString(bytes, at);
  if (first !== 0x7b && first !== 0x5b) {
    let i = at;
    for (; i < bytes.length; i += 1) {
      const c = bytes[i] ?? 0;
      if (c === COMMA || c === 0x7d || c === 0x5d || c <= 0x20) break;
    }
    return i === at ? -1 : i;
  }
  let depth = 0;
  for (let i = at; i < bytes.length; i += 1) {
    const c = bytes[i];
    if (c === QUOTE) {
      const end = endOfString(bytes, i);
      if (end === -1) return -1;
      i = end - 1;
    } else if (c === 0x7b || c === 0x5b) depth += 1;
    else if (c === 0x7d || c === 0x5d) {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return -1;
}

/** The byte after the closing quote: one that an even number of backslashes stands before. */
function endOfString(bytes: Buffer, at: number): number {
  for (let quote = bytes.indexOf(QUOTE, at + 1); quote !== -1; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let backslashes = 0;
    while (bytes[quote - 1 - backslashes] === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return -1;
}

function skipSpace(bytes: Buffer, at: number): number {
  let i = at;
  while (bytes[i] === 0x20 || bytes[i] === 0x0a || bytes[i] === 0x0d || bytes[i] === 0x09) i += 1;
  return i;
}
