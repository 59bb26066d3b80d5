import type { Attempt } from './attempt.ts';
import type { Root } from './confinement.ts';
import type { EnclaveFlow, Routes } from './network.ts';

/** What the product and the agent inside say to each other: one JSON document a line, over the agent's stdin and stdout. */

export interface OpenRequest {
  readonly do: 'open';
  readonly machines: readonly string[];
  readonly flows: readonly EnclaveFlow[];
  readonly routes: Routes;
  /** TCP ports whose connections go to the recorder; descriptor 3 is its channel then. Empty: there is none. */
  readonly recorded: readonly number[];
  /** Absolute folders that stay writable; everything else becomes read-only. */
  readonly writable: readonly string[];
  /** Absolute paths that must stay reachable where /tmp and /run are emptied. */
  readonly needed: readonly string[];
  readonly ip: string;
  readonly nft: string;
  readonly nsenter: string;
  readonly unshare: string;
}

export interface StartRequest {
  readonly do: 'start';
  /** Chosen by the caller. */
  readonly process: number;
  readonly machine: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Folders that this process must not see: each becomes an empty one that cannot be entered. */
  readonly hide: readonly string[];
  /** An unpacked image in place of the host's file system. */
  readonly root?: Root;
  /** Milliseconds; 0 is no limit. */
  readonly timeout: number;
  /** File for its output, below a writable folder. Processes may follow one another with the same file. */
  readonly log?: string;
  /** Standard input comes by `input`, and all output is passed on, not only the first of it. */
  readonly interactive: boolean;
}

/** What a log file has seen. */
export interface Logged {
  readonly path: string;
  /** Of all that was written, also what is not kept. */
  readonly bytes: number;
  readonly lines: number;
  readonly cut: boolean;
}

/** How it is seen from outside a machine that a service in it is ready. */
export type ReadyCheck =
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'http'; readonly port: number; readonly path: string; readonly status: number };

export type Request =
  | OpenRequest
  | StartRequest
  | { readonly do: 'stop'; readonly process: number }
  /** Base64; null ends it. */
  | { readonly do: 'input'; readonly process: number; readonly data: string | null }
  /** Writes the packets of a machine's link, or of all of them, into a file below a writable folder until it is stopped. */
  | {
      readonly do: 'capture';
      readonly process: number;
      readonly machine?: string;
      readonly tcpdump: string;
      readonly file: string;
      /** Bytes after which it ends by itself. */
      readonly limit: number;
    }
  | {
      readonly do: 'ready';
      readonly call: number;
      readonly machine: string;
      readonly check: ReadyCheck;
      readonly timeout: number;
      /** The process whose end makes waiting useless. */
      readonly process: number;
    }
  | { readonly do: 'flush'; readonly call: number };

export type Event =
  | {
      readonly event: 'open';
      readonly writableMounts: readonly string[];
      readonly ipv6: boolean;
      /** Certificate of the recorder's authority (PEM), or ''. */
      readonly authority: string;
    }
  | { readonly event: 'failed'; readonly detail: string }
  | { readonly event: 'started'; readonly process: number }
  | { readonly event: 'output'; readonly process: number; readonly from: 'stdout' | 'stderr'; readonly data: string }
  | {
      readonly event: 'ended';
      readonly process: number;
      readonly code: number | null;
      readonly signal: string | null;
      readonly timedOut: boolean;
      /** It was stopped because it made too many processes. */
      readonly crowded: boolean;
      readonly milliseconds: number;
    }
  | { readonly event: 'ready'; readonly call: number; readonly ok: boolean; readonly detail: string }
  | { readonly event: 'flushed'; readonly call: number; readonly logs: readonly Logged[] }
  | { readonly event: 'attempt'; readonly attempt: Attempt };
