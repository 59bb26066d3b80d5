import { z } from 'zod';

/**
 * An enclave that is kept: a process of ours owns it, the keeper, and answers on a Unix socket. Record and socket lie in
 * a folder of their own (0700) below `enclaves` of the project's `.sallyport`: whoever may enter it may do everything.
 */
export const keptRecord = z.object({
  'sallyport-enclave': z.literal('1.0'),
  name: z.string(),
  /** Folder of the project. */
  project: z.string(),
  pid: z.number(),
  /** When that process started, in the kernel's ticks: a number alone may belong to another by now. */
  start: z.string(),
  /** RFC 3339. */
  since: z.string(),
  /** When it ends by itself. */
  until: z.string(),
  machines: z.array(z.string()),
  /** The machine that plays the user of the system. */
  user: z.string(),
  /** Folder of the services' log files, NAME.log. */
  logs: z.string(),
});
export type KeptRecord = z.infer<typeof keptRecord>;

/** What a service of a kept enclave does now. */
export interface KeptService {
  readonly name: string;
  readonly state: 'ready' | 'ended';
  readonly restarts: number;
  /** Why it does not run; '' where it does, or has done what it should. */
  readonly trouble: string;
}

/** The first line of a connection; one connection is one request. */
export type KeeperRequest =
  | { readonly do: 'state' }
  | {
      readonly do: 'run';
      readonly machine: string;
      /** Undefined is a shell. */
      readonly command?: readonly string[];
      /** The terminal of whoever asks; without it the program has no terminal and no input. */
      readonly terminal?: { readonly columns: number; readonly rows: number; readonly kind: string };
    }
  | {
      readonly do: 'capture';
      /** Undefined is all links. */
      readonly machine?: string;
      readonly tcpdump: string;
      /** Milliseconds; undefined until the connection ends. */
      readonly time?: number;
    }
  | { readonly do: 'stop' };

/** Further lines to the keeper, while a program runs there: keys, in Base64. */
export interface KeeperInput {
  readonly input: string;
}

/** Lines from the keeper. The last one is `done` or `refused`. */
export type KeeperAnswer =
  | { readonly say: 'output'; readonly from: 'stdout' | 'stderr'; readonly data: string }
  | { readonly say: 'capturing' }
  | { readonly say: 'refused'; readonly detail: string }
  | {
      readonly say: 'done';
      readonly services?: readonly KeptService[];
      readonly attempts?: readonly unknown[];
      readonly count?: number;
      readonly code?: number | null;
      readonly signal?: string | null;
      readonly file?: string;
      readonly detail?: string;
    };
