import { compareUtf8 } from './order.ts';

/**
 * What an artifact is, in the words of its own ecosystem. Every part is kept byte for byte; look-up uses each
 * ecosystem's own normalisation, and a purl is derived from it and never parsed back into one.
 */
export interface Identity {
  /** `npm`, `pypi`, `oci`, `files`, … */
  readonly ecosystem: string;
  /** Origin authority as the client names it (`registry.example.test`, `docker.io`), or '' where there is none. */
  readonly authority: string;
  /** Upstream's name. */
  readonly name: string;
  /** Upstream's version; '' for a document about all versions. */
  readonly version: string;
  /** File name as upstream gives it. */
  readonly file: string;
}

const PARTS = ['ecosystem', 'authority', 'name', 'version', 'file'] as const;

export function compareIdentity(a: Identity, b: Identity): -1 | 0 | 1 {
  for (const part of PARTS) {
    const order = compareUtf8(a[part], b[part]);
    if (order !== 0) return order;
  }
  return 0;
}

/** A key for maps: the five parts, which may hold anything but NUL. */
export function identityKey(identity: Identity): string {
  return PARTS.map((part) => identity[part]).join('\0');
}

/** For people: `npm express 5.3.0 (express-5.3.0.tgz)`. */
export function describeIdentity(identity: Identity): string {
  const { ecosystem, name, version, file } = identity;
  return `${ecosystem} ${name}${version === '' ? '' : ` ${version}`}${file === '' ? '' : ` (${file})`}`;
}
