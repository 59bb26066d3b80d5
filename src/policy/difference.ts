import { type AddressRange, rangeText } from './addresses.ts';
import { type Answer, NOTHING } from './engine.ts';
import { type Connection, type Connectivity, type OutsideRow, rowOf } from './connections.ts';
import { CONTROLLER } from './entrances.ts';
import { portText } from './port-set.ts';

export interface ConnectivityDifference {
  readonly added: readonly Connection[];
  readonly removed: readonly Connection[];
  readonly changed: readonly {
    readonly from: string;
    readonly to: string;
    readonly before: string;
    readonly after: string;
  }[];
  /** What may be open stays, and what is certainly open does not. */
  readonly certainty: readonly {
    readonly from: string;
    readonly to: string;
    readonly ports: string;
    readonly before: string;
    readonly after: string;
  }[];
}

/** What `after` opens, closes and changes against `before`; ranges of addresses are cut where the answers differ. */
export function difference(before: Connectivity, after: Connectivity): ConnectivityDifference {
  const added: Connection[] = [];
  const removed: Connection[] = [];
  const changed: { from: string; to: string; before: string; after: string }[] = [];
  const certainty: { from: string; to: string; ports: string; before: string; after: string }[] = [];
  const compare = (from: string, to: string, was: Answer, is: Answer): void => {
    const [old, now] = [was.possible, is.possible];
    if (was === is) return;
    if (old === now) {
      if (was.certain === is.certain) return;
      certainty.push({ from, to, ports: portText(now), before: portText(was.certain), after: portText(is.certain) });
    } else if (old.empty) added.push(rowOf(from, to, is));
    else if (now.empty) removed.push(rowOf(from, to, was));
    else changed.push({ from, to, before: portText(old), after: portText(now) });
  };

  const [old, now] = [pairsOf(before), pairsOf(after)];
  for (const [key, { from, to, answer }] of old) compare(from, to, answer, now.get(key)?.answer ?? NOTHING);
  for (const [key, { from, to, answer }] of now) if (!old.has(key)) compare(from, to, NOTHING, answer);

  const [oldOutside, nowOutside] = [outsideOf(before), outsideOf(after)];
  for (const key of new Set([...oldOutside.keys(), ...nowOutside.keys()])) {
    const [oldRows, nowRows] = [oldOutside.get(key)?.rows ?? [], nowOutside.get(key)?.rows ?? []];
    const { peer, direction } = (oldOutside.get(key) ?? nowOutside.get(key))!;
    for (const { range, before: was, after: is } of pieces(oldRows, nowRows)) {
      const text = rangeText(range);
      if (direction === 'egress') compare(peer, text, was, is);
      else compare(text, peer, was, is);
    }
  }
  return { added, removed, changed, certainty };
}

function pairsOf({ peers, pairs, entrances }: Connectivity): Map<string, { from: string; to: string; answer: Answer }> {
  const rows = new Map<string, { from: string; to: string; answer: Answer }>();
  const add = (from: string, to: string, answer: Answer): void => void rows.set(`${from}\n${to}`, { from, to, answer });
  for (const { from, to, answer } of pairs) add(peers[from]!, peers[to]!, answer);
  for (const { to, answer } of entrances) add(CONTROLLER, peers[to]!, answer);
  return rows;
}

interface Outside {
  readonly peer: string;
  readonly direction: OutsideRow['direction'];
  readonly rows: OutsideRow[];
}

function outsideOf({ peers, outside }: Connectivity): Map<string, Outside> {
  const found = new Map<string, Outside>();
  for (const row of outside) {
    const peer = peers[row.peer]!;
    const key = `${row.direction} ${peer}`;
    const entry = found.get(key) ?? { peer, direction: row.direction, rows: [] };
    entry.rows.push(row);
    found.set(key, entry);
  }
  return found;
}

function pieces(
  before: readonly OutsideRow[],
  after: readonly OutsideRow[],
): { range: AddressRange; before: Answer; after: Answer }[] {
  const out: { range: AddressRange; before: Answer; after: Answer }[] = [];
  for (const family of [4, 6] as const) {
    const own = [...before, ...after].filter(({ range }) => range.family === family);
    const starts = [...new Set(own.flatMap(({ range }) => [range.from, range.to + 1n]))].sort((a, b) =>
      a < b ? -1 : 1,
    );
    starts.slice(0, -1).forEach((from, i) => {
      const at = (rows: readonly OutsideRow[]): Answer =>
        rows.find(({ range }) => range.family === family && range.from <= from && range.to >= from)?.answer ?? NOTHING;
      const piece = { range: { family, from, to: starts[i + 1]! - 1n }, before: at(before), after: at(after) };
      const last = out.at(-1);
      const joins =
        last?.range.family === family &&
        last.range.to + 1n === from &&
        alike(last.before, piece.before) &&
        alike(last.after, piece.after);
      if (joins) out[out.length - 1] = { ...last, range: { ...last.range, to: piece.range.to } };
      else out.push(piece);
    });
  }
  return out;
}

/** The reasons may differ. */
function alike(a: Answer, b: Answer): boolean {
  return a.possible === b.possible && a.certain === b.certain;
}
