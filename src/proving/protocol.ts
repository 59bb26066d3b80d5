/** What the door's side asks of the agent, and what it answers: a JSON document a line, one question at a time. */
export type Request =
  | {
      readonly do: 'open';
      readonly ip: string;
      readonly nft: string;
      readonly places: readonly PlaceAddresses[];
    }
  /** Each text is one call of nft, one after the other. */
  | { readonly do: 'rules'; readonly texts: readonly string[] }
  /** Listeners are numbered from 0, in the order in which they are asked for. */
  | { readonly do: 'listen'; readonly listeners: readonly Listener[] }
  /** Probes from the number `controls` on are known to be answered. */
  | {
      readonly do: 'round';
      readonly probes: readonly Probe[];
      readonly patience: number;
      readonly controls?: number;
    }
  | {
      readonly do: 'load';
      readonly closed: readonly Probe[];
      readonly open: readonly Probe[];
      /** Each is what `rules` takes; they follow one another while the load runs. */
      readonly changes: readonly (readonly string[])[];
      readonly times: number;
      /** Milliseconds of load after each change. */
      readonly rest: number;
    };

export type Answer =
  | { readonly answer: 'open'; readonly kernel: string; readonly nft: string; readonly ipv6: boolean }
  | { readonly answer: 'done' }
  | { readonly answer: 'round'; readonly seen: string; readonly milliseconds: number }
  | { readonly answer: 'load'; readonly load: Load }
  | { readonly answer: 'failed'; readonly detail: string };

/** Place 0 is the node, 1 is outside, the others are pods. Addresses are texts; a place may have one of each family. */
export interface PlaceAddresses {
  readonly ipv4?: string;
  readonly ipv6?: string;
}
export const NODE = 0;
export const OUTSIDE = 1;

export interface Listener {
  readonly place: number;
  readonly protocol: 'TCP' | 'UDP';
  /** 4 or 16 bytes in hexadecimal digits. */
  readonly address: string;
  readonly port: number;
}

export interface Probe {
  readonly place: number;
  /** The address that it comes from, one of the place's; outside, any. In hexadecimal digits. */
  readonly source: string;
  /** Number of a listener. */
  readonly to: number;
}

/**
 * What was seen of a probe, a letter each: `o` it went through and was seen and answered on the other side; `n` nothing;
 * `r` refused; `h` one side saw it and the other did not; `e` it could not be sent.
 */
export type Seen = 'o' | 'n' | 'r' | 'h' | 'e';

/** What became of probes while rules were changed. */
export interface Load {
  readonly changes: number;
  /** Probes of what is closed before and after, and those that arrived all the same. */
  readonly closed: number;
  readonly leaked: number;
  /** Changes during which something leaked. */
  readonly leaking: number;
  /** New connections and datagrams of what is open before and after, and those that did not arrive. */
  readonly fresh: number;
  readonly lost: number;
  /** Datagrams and bytes of what was open all the time, and those that did not arrive. */
  readonly kept: number;
  readonly keptLost: number;
  /** Of all changes the least number of probes of closed flows that were sent while nft worked. */
  readonly leastDuring: number;
  readonly milliseconds: number;
  /** Numbers of the closed and of the open probes that leaked or were lost, at most twenty each. */
  readonly leaks: readonly number[];
  readonly losses: readonly number[];
}
