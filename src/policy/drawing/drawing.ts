import { compareUtf8 } from '#kernel';
import { CONTROLLER } from '../entrances.ts';

/** What a drawing says of a pair: of a map or an exposure the first two, of a difference the others. */
export const STATES = ['open', 'depends', 'opened', 'closed', 'changed', 'certainty'] as const;
export type State = (typeof STATES)[number];

export interface DrawnPair {
  readonly from: string;
  readonly to: string;
  readonly ports: string;
  readonly state: State;
  /** Why it is not certain, or by which change it came. */
  readonly note: string;
}

/** An answer as pairs, to be written as CSV, DOT, SVG or HTML. */
export interface Drawing {
  readonly title: string;
  /** What a pair means that is not among `pairs`: `closed`, `unchanged`. */
  readonly blank: string;
  readonly pairs: readonly DrawnPair[];
  /** Beside the title: `1,000 workloads`. */
  readonly facts: readonly string[];
}

/** Groups of peers in the order in which they are drawn: namespaces by name, then what is no workload. */
export interface Group {
  readonly name: string;
  readonly peers: readonly string[];
}

const APART = ['what may come', 'entrances', 'addresses'];

export function groupsOf({ pairs }: Drawing): Group[] {
  const peers = new Set(pairs.flatMap(({ from, to }) => [from, to]));
  const groups = Map.groupBy(peers, groupOf);
  const rank = (name: string): number => APART.indexOf(name);
  return [...groups]
    .map(([name, own]) => ({ name, peers: own.toSorted(compareUtf8) }))
    .sort((a, b) => rank(a.name) - rank(b.name) || compareUtf8(a.name, b.name));
}

/** The namespace of a workload; other peers have groups of their own. */
function groupOf(peer: string): string {
  if (peer === CONTROLLER) return 'entrances';
  if (peer === 'entire-cluster' || peer.startsWith('[') || peer.includes('/[')) return 'what may come';
  const slash = peer.indexOf('/');
  return slash === -1 ? 'addresses' : peer.slice(0, slash);
}

/** The name of a workload without its namespace. */
export function shortName(peer: string, group: string): string {
  return peer.startsWith(`${group}/`) ? peer.slice(group.length + 1) : peer;
}
