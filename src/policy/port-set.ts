/** The protocols that a network policy can name, in the order in which a map prints them. */
export const PROTOCOLS = ['SCTP', 'TCP', 'UDP'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export const FIRST_PORT = 1;
export const LAST_PORT = 65535;

/** Sorted, disjoint, not touching: `[from, to, from, to, …]`, inclusive. */
type Intervals = readonly number[];

/**
 * A set of ports of the three protocols. Equal sets are the same object, so that they compare by identity and results
 * of operations can be kept by their numbers.
 */
export interface PortSet {
  readonly id: number;
  readonly intervals: Readonly<Record<Protocol, Intervals>>;
  readonly empty: boolean;
}

const known = new Map<string, PortSet>();
const texts = new Map<PortSet, string>();

function intern(SCTP: Intervals, TCP: Intervals, UDP: Intervals): PortSet {
  const key = `${SCTP.join()}|${TCP.join()}|${UDP.join()}`;
  let set = known.get(key);
  if (set === undefined) {
    set = { id: known.size, intervals: { SCTP, TCP, UDP }, empty: SCTP.length + TCP.length + UDP.length === 0 };
    known.set(key, set);
  }
  return set;
}

const WHOLE: Intervals = [FIRST_PORT, LAST_PORT];
export const NO_PORTS: PortSet = intern([], [], []);
export const ALL_PORTS: PortSet = intern(WHOLE, WHOLE, WHOLE);

/** Ports `from` to `to` (inclusive) of one protocol; what lies outside 1 to 65535 is cut off. */
export function portRange(protocol: Protocol, from = FIRST_PORT, to = LAST_PORT): PortSet {
  const low = Math.max(from, FIRST_PORT);
  const high = Math.min(to, LAST_PORT);
  const range = low > high ? [] : [low, high];
  return intern(protocol === 'SCTP' ? range : [], protocol === 'TCP' ? range : [], protocol === 'UDP' ? range : []);
}

type Binary = (a: Intervals, b: Intervals) => Intervals;

/** Results by the numbers of both sets, one after the other: one number of both would be a key that is allocated. */
type Memo = Map<number, Map<number, PortSet>>;
const unions: Memo = new Map();
const intersections: Memo = new Map();
const differences: Memo = new Map();

function combine(memo: Memo, a: PortSet, b: PortSet, how: Binary): PortSet {
  let inner = memo.get(a.id);
  if (inner === undefined) memo.set(a.id, (inner = new Map()));
  let set = inner.get(b.id);
  if (set === undefined) {
    const [x, y] = [a.intervals, b.intervals];
    set = intern(how(x.SCTP, y.SCTP), how(x.TCP, y.TCP), how(x.UDP, y.UDP));
    inner.set(b.id, set);
  }
  return set;
}

export function unite(a: PortSet, b: PortSet): PortSet {
  if (a === b || b.empty || a === ALL_PORTS) return a;
  if (a.empty || b === ALL_PORTS) return b;
  return combine(unions, a, b, (x, y) => merge([...x, ...y]));
}

export function intersect(a: PortSet, b: PortSet): PortSet {
  if (a === b || a.empty || b === ALL_PORTS) return a;
  if (b.empty || a === ALL_PORTS) return b;
  return combine(intersections, a, b, (x, y) => complement(merge([...complement(x), ...complement(y)])));
}

/** What is in `a` and not in `b`. */
export function subtract(a: PortSet, b: PortSet): PortSet {
  if (a.empty || b.empty) return a;
  if (a === b || b === ALL_PORTS) return NO_PORTS;
  return combine(differences, a, b, (x, y) => complement(merge([...complement(x), ...y])));
}

export function includes(set: PortSet, protocol: Protocol, port: number): boolean {
  const intervals = set.intervals[protocol];
  for (let i = 0; i < intervals.length; i += 2) if (port >= intervals[i]! && port <= intervals[i + 1]!) return true;
  return false;
}

/** Pairs in any order, perhaps overlapping: sorted, with touching ones merged. */
function merge(pairs: Intervals): Intervals {
  const sorted: [number, number][] = [];
  for (let i = 0; i < pairs.length; i += 2) sorted.push([pairs[i]!, pairs[i + 1]!]);
  sorted.sort((a, b) => a[0] - b[0]);
  const out: number[] = [];
  for (const [from, to] of sorted) {
    const last = out.at(-1);
    if (last !== undefined && from <= last + 1) out[out.length - 1] = Math.max(last, to);
    else out.push(from, to);
  }
  return out;
}

function complement(intervals: Intervals): Intervals {
  const out: number[] = [];
  let next = FIRST_PORT;
  for (let i = 0; i < intervals.length; i += 2) {
    if (intervals[i]! > next) out.push(next, intervals[i]! - 1);
    next = intervals[i + 1]! + 1;
  }
  if (next <= LAST_PORT) out.push(next, LAST_PORT);
  return out;
}

/** `All Connections`, `No Connections`, or `SCTP 1-65535,TCP 80-90,443,UDP 53`. */
export function portText(set: PortSet): string {
  let text = texts.get(set);
  if (text === undefined) {
    text =
      set === ALL_PORTS
        ? 'All Connections'
        : set.empty
          ? 'No Connections'
          : PROTOCOLS.filter((protocol) => set.intervals[protocol].length > 0)
              .map((protocol) => `${protocol} ${ranges(set.intervals[protocol])}`)
              .join(',');
    texts.set(set, text);
  }
  return text;
}

function ranges(intervals: Intervals): string {
  const parts: string[] = [];
  for (let i = 0; i < intervals.length; i += 2) {
    parts.push(intervals[i] === intervals[i + 1] ? `${intervals[i]}` : `${intervals[i]}-${intervals[i + 1]}`);
  }
  return parts.join(',');
}
