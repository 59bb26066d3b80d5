/** A machine that the captured software must run on. Each ecosystem maps from this record to its own platform words. */
export interface Target {
  /** `[a-z0-9._-]`, unique in a project. */
  readonly name: string;
  /** As OCI writes it: `linux`. */
  readonly os: string;
  /** As OCI writes it: `amd64`, `arm64`. */
  readonly arch: string;
  readonly variant?: string;
  readonly libc?: { readonly name: 'glibc' | 'musl'; readonly version: string };
  readonly python?: readonly { readonly implementation: string; readonly version: string }[];
  readonly node?: string;
  readonly apt?: readonly { readonly suite: string; readonly architecture: string }[];
}

/** The targets that a lock row is for: their names, sorted and unique, or all of them. */
export type Targets = 'any' | readonly string[];
