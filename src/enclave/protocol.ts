import type { Attempt } from './attempt.ts';
import type { Controller } from './cgroups.ts';
import type { EnclaveIds, Who } from './identity.ts';
import type { Limits, Stopped } from './limits.ts';
import type { EnclaveFlow, FlowUse, Routes, SinkAnswers } from './network.ts';
import type { Root } from './surroundings.ts';

/** What the product and the agent inside say to each other: one JSON document a line, over the agent's stdin and stdout. */

export interface OpenRequest {
  readonly do: 'open';
  readonly machines: readonly string[];
  readonly flows: readonly EnclaveFlow[];
  readonly routes: Routes;
  readonly answers: SinkAnswers;
  readonly observe: Observation;
  /** TCP ports whose connections go to the recorder; descriptor 3 is its channel then. Empty: there is none. */
  readonly recorded: readonly number[];
  /** Absolute folders in which programs may be given places to write to. */
  readonly writable: readonly string[];
  readonly ids: EnclaveIds;
  /** Name of the cgroups of this enclave; '' for none. */
  readonly cgroup: string;
  readonly ip: string;
  readonly nft: string;
  readonly nsenter: string;
  readonly runc: string;
}

/** What is watched besides the network. */
export interface Observation {
  /** System calls, to know who tried; and the decoys. False: nobody is named, and there are no decoys. */
  readonly calls: boolean;
  /** Files that are opened for writing outside the writable folders too. */
  readonly writes: boolean;
  /** Absolute paths of the side's keys: a decoy stands at each. */
  readonly keys: readonly string[];
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
  /** Absolute paths of the host that it sees at the same place. */
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  /** An unpacked image in place of the tools of the host. */
  readonly root?: Root;
  /** Absent: whom the image names, or nobody in particular. */
  readonly as?: Who;
  readonly limits: Limits;
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
  | { readonly do: 'flush'; readonly call: number }
  | { readonly do: 'uses'; readonly call: number };

export type Event =
  | {
      readonly event: 'open';
      readonly ipv6: boolean;
      /** Why nobody is named who tried; '' where they are. */
      readonly unwatched: string;
      /** By which of them limits are held. */
      readonly cgroups: readonly Controller[];
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
      /** The limit that it overstepped. */
      readonly stopped: Stopped | null;
      readonly milliseconds: number;
    }
  | { readonly event: 'ready'; readonly call: number; readonly ok: boolean; readonly detail: string }
  | { readonly event: 'flushed'; readonly call: number; readonly logs: readonly Logged[] }
  | { readonly event: 'uses'; readonly call: number; readonly uses: readonly FlowUse[] }
  | { readonly event: 'attempt'; readonly attempt: Attempt };
