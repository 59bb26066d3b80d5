import type {
  ArtifactRow,
  ContentReader,
  Digest,
  DocumentRow,
  Evidence,
  Identity,
  Instant,
  PointerRow,
  Report,
  Target,
  Targets,
} from '#kernel';

/**
 * An ecosystem is a folder: it knows how its lockfiles name things, how its upstream gives them, and how its real
 * clients ask for them inside. It does no I/O of its own; everything reaches it through the ports below.
 */
export interface Ecosystem {
  readonly id: string;
  /** For people: `npm, pnpm, yarn, bun`. */
  readonly title: string;
  /** The name under which rows are found: npm and OCI byte for byte, PyPI by PEP 503. */
  readonly lookupKey: (name: string) => string;
  /** Reads inputs and resolves closures; used outside only. */
  readonly outside: () => Promise<OutsideHalf>;
  /** Answers real clients from what was admitted; used inside only. */
  readonly inside: () => Promise<InsideHalf>;
}

// ---------------------------------------------------------------------------------------------------------- outside

export interface OutsideHalf {
  /** Whether a file of a project folder is an input of this ecosystem, by name and, where needed, by its first bytes. */
  recognise(path: string, head: Uint8Array): boolean;
  /**
   * Everything that the input needs on these targets: exact, with expected integrity and publish time. Throws a Fault
   * that names the input and line for what it cannot read or must not guess (a git dependency, a missing hash).
   */
  resolve(input: ProjectInput, targets: readonly Target[], upstream: Upstream): Promise<Closure>;
}

export interface ProjectInput {
  /**
   * Relative to the project, with `/`: the lockfile; the folder; `<from>/index.json` where an OCI layout is named. What
   * is not in the project has its own name here: the image reference, the address of a file.
   */
  readonly path: string;
  /**
   * The bytes at `path`. For a folder its listing, a line `<sha256 hex>  <size>  <path below it>` for each file, sorted
   * by path; for what is not in the project the options as JSON.
   */
  readonly bytes: Uint8Array;
  /**
   * The item in sallyport.yaml as it stands there: `{ oci: 'registry.example.test/a:1', from: 'image/layout' }`,
   * `{ files: { url, sha256, name } }`, `{ npm: 'web/package-lock.json' }`.
   */
  readonly options: Readonly<Record<string, unknown>>;
  /** Reads another file of the project (a workspace's package.json, an OCI layout's blob), undefined if absent. */
  readonly sibling: (path: string, limit: number) => Promise<Uint8Array | undefined>;
  /** Absolute folder of the project, for clients that are run in it. */
  readonly folder: string;
}

export interface Closure {
  readonly artifacts: readonly Wanted[];
  /** Documents that were fetched on the way and are carried with the rest. */
  readonly documents: readonly Omit<DocumentRow, 'row' | 'inputs'>[];
  readonly pointers: readonly Omit<PointerRow, 'row' | 'inputs'>[];
  /** What a careful user should know: skipped optional packages, install scripts, sdists without locked build needs. */
  readonly notes: readonly string[];
}

/** An artifact that is to be fetched. */
export interface Wanted extends Identity {
  readonly targets: Targets;
  /** Where it is, best first. */
  readonly sources: readonly Source[];
  /** What the bytes must hash to. Empty means first use: nobody vouches, and the row says so. All that are given must match. */
  readonly expected: readonly Evidence[];
  /** Exact size if it is known. */
  readonly size?: number;
  readonly media: string;
  readonly published: Instant | '';
  readonly facts: Readonly<Record<string, string>>;
}

export type Source =
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** Headers in place of those above, asked for once where they are answered with 401: tokens live for minutes. */
      readonly renew?: () => Promise<Readonly<Record<string, string>>>;
    }
  /** A file of the project, relative to it. */
  | { readonly kind: 'file'; readonly path: string }
  /** Content that the resolver already put into the store. */
  | { readonly kind: 'content'; readonly digest: Digest };

/** The way out, with the client's own settings: registry, mirrors, proxy, certificates, credentials. Outside only. */
export interface Upstream {
  /**
   * The effective settings of a client as its own program tells them (`npm config`, `pip config`, Docker's
   * credentials), read once. Secrets stay inside: `get` and `getBytes` send them to the right host only.
   */
  settings(client: 'npm' | 'pip'): Promise<ClientSettings>;
  /** GET of a document of at most `limit` bytes. Redirects are followed without leaking credentials to other hosts. */
  getBytes(request: UpstreamRequest, limit: number): Promise<UpstreamAnswer>;
  /** Puts bytes into the store, for documents that are kept. */
  keep(bytes: Uint8Array): Promise<Digest>;
  readonly content: ContentReader;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export interface ClientSettings {
  /** Base addresses, without credentials, as the client names them. npm: [registry]; pip: [index, …extra indexes]. */
  readonly registries: readonly string[];
  /** npm: `@scope` to registry. */
  readonly scopes: Readonly<Record<string, string>>;
}

export interface UpstreamRequest {
  /** Whose credentials, certificates and proxies apply. */
  readonly client: 'npm' | 'pip' | 'oci' | 'files';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Host (with port) whose stored credentials are sent, where that is not the host of `url`: a registry's token service
   * stands elsewhere and wants the registry's credentials. Only over https or to loopback.
   */
  readonly credentialsOf?: string;
}

export interface UpstreamAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
}

// ----------------------------------------------------------------------------------------------------------- inside

export interface InsideHalf {
  /** Path prefix that the depot gives to this ecosystem: `/npm/`, `/pypi/`, `/v2/`, `/files/`. */
  readonly prefix: string;
  handle(request: DepotRequest, catalog: Catalog): Promise<DepotAnswer>;
  /** What `sallyport client-config` can print for this ecosystem's clients. */
  readonly clients: readonly ClientConfig[];
}

export interface DepotRequest {
  readonly method: string;
  /** Path as it arrived, still percent-encoded, without the query; it begins with the prefix. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Scheme, host and port under which the client reached us: `http://127.0.0.1:4873`. */
  readonly base: string;
}

export interface DepotAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A blob is streamed from the store, with Range, HEAD, ETag and Content-Length done by the depot. */
  readonly body: Uint8Array | string | { readonly blob: Digest; readonly size: number } | undefined;
  /** Set where something was asked that is not here: it becomes the next capture request. */
  readonly missed?: {
    readonly ecosystem: string;
    readonly name: string;
    readonly version: string;
    readonly file: string;
  };
}

/** What was admitted, as the serving half sees it. Every method answers with the newest bundle's view first. */
export interface Catalog {
  /** `key` is the ecosystem's own normalised look-up name. */
  artifacts(ecosystem: string, key: string): readonly AdmittedArtifact[];
  documents(ecosystem: string, key: string, role: string): readonly AdmittedDocument[];
  pointers(ecosystem: string, key: string): readonly AdmittedPointer[];
  /** Any artifact or document with this digest (OCI blobs are asked by digest alone). */
  byDigest(ecosystem: string, digest: Digest): readonly (AdmittedArtifact | AdmittedDocument)[];
  /** All look-up names of an ecosystem, sorted. */
  keys(ecosystem: string): readonly string[];
  readonly content: ContentReader;
  /** Changes whenever something is admitted: pre-rendered answers are kept under it. */
  readonly generation: number;
}

export type AdmittedArtifact = ArtifactRow & Admission;
export type AdmittedDocument = DocumentRow & Admission;
export type AdmittedPointer = PointerRow & Admission;
export interface Admission {
  /** Digest of the index of the bundle that brought it. */
  readonly bundle: Digest;
  readonly sequence: number;
}

export interface ClientConfig {
  /** `npm`, `pip`, `uv`, `skopeo`, `containerd`, `curl`, … */
  readonly client: string;
  readonly summary: string;
  /** The text to put in place: commands, a configuration file, or environment lines. `base` is the depot's address. */
  render(base: string): string;
  /** The same as environment variables, where the client can be configured by environment alone. */
  environment(base: string): Readonly<Record<string, string>>;
}
