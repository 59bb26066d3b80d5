import type { Target } from '#kernel';

/** What `sallyport.yaml` says (docs/spec/project.md), with defaults filled in. */
export interface Project {
  /** Absolute path of the file. */
  readonly path: string;
  /** Absolute folder of the file; every path in it is relative to this. */
  readonly folder: string;
  readonly name: string;
  /** Bundles are numbered per channel. */
  readonly channel: string;
  /** Sites that bundles are for; empty means any. */
  readonly destinations: readonly string[];
  /** The same sites by ring, in the order in which a bundle goes through them; empty where they are not in rings. */
  readonly rings: readonly { readonly ring: string; readonly sites: readonly string[] }[];
  /** Sorted by name, at least one. */
  readonly targets: readonly Target[];
  /** Commands that make inputs outside, before capture. */
  readonly prepare: readonly Preparation[];
  readonly inputs: readonly InputEntry[];
  /** In the order of the file. */
  readonly services: readonly Service[];
  readonly flows: readonly Flow[];
  readonly requests: readonly ProjectRequest[];
  /** Seconds that everything in the enclave may take in one rehearsal. */
  readonly timeLimit: number;
  /** What each program of a rehearsal, with all that it starts, may use at most; in bytes, and a number. */
  readonly limits: { readonly memory?: number; readonly disk?: number; readonly processes?: number };
}

/**
 * A command that makes an input (an image layout, generated files); it runs outside, before capture, confined: it works
 * on a copy of the project, and its only way out records what it asks.
 */
export interface Preparation {
  /** Command and arguments, run in the project's folder without a shell. */
  readonly run: readonly string[];
  /** What it makes, relative to the project: where that exists, the command is not run. */
  readonly makes: string;
  /**
   * Programs that it calls and that are not among the system's: it sees them. `pip` is unpacked where the machine lacks
   * it; `npm` and `pip` reach the registries that the machine's own client is set to, with its credentials.
   */
  readonly needs: readonly string[];
  /** Paths of the project that it sees. Undefined: all but secrets, history and homes. */
  readonly reads?: readonly string[];
  /** Hosts (`name` or `name:port`) that it may ask beside the clients' registries. Undefined: every public one. */
  readonly reaches?: readonly string[];
  /** Addresses below which it may send a body (git over https asks by POST). */
  readonly posts: readonly string[];
}

/** One item of `inputs`: its first key names the ecosystem, that key's value what to read, the others are options. */
export interface InputEntry {
  readonly ecosystem: string;
  /** What the ecosystem's key says: a path, an image, or a mapping (`files: { url, sha256, name }`). */
  readonly value: string | Readonly<Record<string, unknown>>;
  /** A folder or file of the project that gives the content (an OCI layout), where `from` names one. */
  readonly from?: string;
  /** Another name for what the input gives (files). */
  readonly name?: string;
  /** Plain HTTP is allowed on the way to it (OCI). */
  readonly insecure?: boolean;
  /** What the files are for, where it matters on the way (files): `policy` is manifests that must have an answer. */
  readonly role?: 'policy';
  /** Names of targets that this input is for; absent means all. */
  readonly targets?: readonly string[];
  /** `sallyport.yaml:12:5`, for faults about it. */
  readonly where: string;
}

/** A service that a rehearsal starts: an image, or a folder with an installed program. */
export interface Service {
  readonly name: string;
  readonly image?: string;
  readonly folder?: string;
  /** Real client that installs the folder's lockfile first. */
  readonly install?: 'npm' | 'pip';
  /** Command and arguments; for an image it replaces the entry point. */
  readonly run?: readonly string[];
  /** Follow the image's entry point in place of its own arguments. */
  readonly arguments: readonly string[];
  readonly port?: number;
  /** Names of services that must answer first. */
  readonly needs: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** When it counts as ready; absent only where it has neither `ready` nor a port: then as soon as it is started. */
  readonly ready?: Readiness;
  /** Seconds that it may take to become ready, each time that it is started. */
  readonly startWithin: number;
  /** What happens when it ends: nothing, or after a failure it is started again, with growing pauses. */
  readonly restart: 'never' | 'on-failure';
  /** How often it is started again at most. */
  readonly restarts: number;
}

/** How one knows that a service is ready. Ports and paths are its own. */
export type Readiness =
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'http'; readonly port: number; readonly path: string; readonly status: number }
  /** A command that runs beside it, in its folder with its environment, and ends with 0. */
  | { readonly kind: 'run'; readonly run: readonly string[] }
  /** A line of its output matches: a regular expression in the notation of JavaScript. */
  | { readonly kind: 'log'; readonly pattern: string };

/** One allowed connection, with the people who answer for it. */
export interface Flow {
  /** Name of a service, or `outside` for the user of the enclave. */
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly reason: string;
  readonly owner: string;
  readonly approver?: string;
  readonly ticket?: string;
  /** `YYYY-MM-DD`. */
  readonly reviewBy?: string;
  /** `YYYY-MM-DD`. */
  readonly expires?: string;
}

/** What a rehearsal asks of a service once all of them run. */
export interface ProjectRequest {
  /** `outside`, or a service. */
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly expect: { readonly status: number; readonly contains?: string };
}
