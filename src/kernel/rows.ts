import type { Digest } from './digest.ts';
import type { Identity } from './identity.ts';
import type { Instant } from './instant.ts';
import type { Targets } from './target.ts';

/**
 * The rows of `sallyport.lock` (docs/spec/lock.md): JSON Lines, a header first, one row a line, keys in the order in
 * which they stand here, rows sorted by kind, then by identity. No totals, no capture time: the same inputs give the
 * same bytes.
 */
export type LockRow = InputRow | ArtifactRow | DocumentRow | PointerRow;

/** A file of the project that rows were resolved from (package-lock.json, requirements.txt). */
export interface InputRow {
  readonly row: 'input';
  readonly ecosystem: string;
  /** Relative to the folder of sallyport.yaml, with `/`. */
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

/** What shows that these bytes are the right ones. */
export interface Evidence {
  readonly algorithm: 'sha1' | 'md5' | 'sha256' | 'sha384' | 'sha512' | 'h1' | 'yarn-zip';
  /** Lower-case hex, or for `h1` and `yarn-zip` as the ecosystem writes it. */
  readonly value: string;
  /** What was hashed: the file, a tree (Go's h1), or an archive made from it (yarn 4). */
  readonly scope: 'file' | 'tree' | 'archive-of';
  /** Who said so: the path of an input, `index` (upstream's document), or `first-use` (nobody). */
  readonly source: string;
  readonly grade: 'strong' | 'weak' | 'first-use';
}

export interface ArtifactRow extends Identity {
  readonly row: 'artifact';
  readonly targets: Targets;
  readonly digest: Digest;
  readonly size: number;
  /** Media type as the ecosystem serves it, or '' where it has none. */
  readonly media: string;
  /** Where it was fetched from, without credentials; a path relative to the project for local content. */
  readonly origin: string;
  /** Upstream's publish time, '' where upstream does not say. Never the capture time. */
  readonly published: Instant | '';
  readonly evidence: readonly Evidence[];
  /** Paths of the inputs that asked for it, sorted. */
  readonly inputs: readonly string[];
  /** Facts that the ecosystem needs to serve it; strings only, keys sorted. */
  readonly facts: Readonly<Record<string, string>>;
}

/** An upstream document kept as bytes: packument, simple page, InRelease, tree head. */
export interface DocumentRow extends Identity {
  readonly row: 'document';
  /** What it is to its ecosystem: `packument`, `simple-json`, … */
  readonly role: string;
  readonly digest: Digest;
  readonly size: number;
  readonly media: string;
  readonly origin: string;
  readonly inputs: readonly string[];
}

/** A name that moves: an OCI tag, an npm dist-tag. `version` and `file` of the identity are ''. */
export interface PointerRow extends Identity {
  readonly row: 'pointer';
  readonly pointer: string;
  /** What it points at: a version (npm) or a digest (OCI). */
  readonly value: string;
  readonly inputs: readonly string[];
}
