import { type Instant, instantOf, isObject } from '#kernel';

/** A registry's document about all versions of a package, as far as it is understood here. */
export interface Packument {
  readonly document: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, unknown>>;
  readonly tags: ReadonlyMap<string, string>;
}

/** Largest packument that is read: the largest public ones are below 40 MB. */
export const PACKUMENT_LIMIT = 128 * 1024 * 1024;

/** Undefined where the bytes are no packument. */
export function parsePackument(bytes: Uint8Array): Packument | undefined {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isObject(document) || !isObject(document['versions'])) return undefined;
  const tags = new Map<string, string>();
  if (isObject(document['dist-tags'])) {
    for (const [tag, version] of Object.entries(document['dist-tags'])) {
      if (typeof version === 'string') tags.set(tag, version);
    }
  }
  return { document, versions: document['versions'], tags };
}

export function manifestOf(packument: Packument, version: string): Readonly<Record<string, unknown>> | undefined {
  const manifest = Object.hasOwn(packument.versions, version) ? packument.versions[version] : undefined;
  return isObject(manifest) ? manifest : undefined;
}

export function distOf(manifest: Readonly<Record<string, unknown>>): {
  readonly tarball: string | undefined;
  readonly integrity: string | undefined;
  readonly shasum: string | undefined;
} {
  const dist = isObject(manifest['dist']) ? manifest['dist'] : {};
  const text = (key: string): string | undefined => (typeof dist[key] === 'string' ? dist[key] : undefined);
  return { tarball: text('tarball'), integrity: text('integrity'), shasum: text('shasum') };
}

export function publishedOf(packument: Packument, version: string): Instant | '' {
  const time = packument.document['time'];
  if (!isObject(time) || !Object.hasOwn(time, version)) return '';
  const value = time[version];
  const milliseconds = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(milliseconds) || milliseconds < 0 || milliseconds > 253_402_300_799_999) return '';
  return instantOf(milliseconds);
}
