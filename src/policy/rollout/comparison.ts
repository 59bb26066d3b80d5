import { rangeText } from '../addresses.ts';
import type { Connectivity, OutsideRow } from '../connections.ts';
import { type Answer, NOTHING } from '../engine.ts';
import { CONTROLLER } from '../entrances.ts';
import type { Policy } from '../model.ts';
import { intersect, NO_PORTS, type PortSet, subtract, unite } from '../port-set.ts';

/** What one connection is in each of several maps. */
export interface Compared {
  readonly from: string;
  readonly to: string;
  readonly answers: readonly Answer[];
}

/** Every pair, and every range of addresses (cut where an answer changes), on which the maps do not agree. */
export function compareMaps(maps: readonly Connectivity[]): Compared[] {
  const ids = new Map<string, number>([[CONTROLLER, 0]]);
  for (const { peers } of maps) for (const peer of peers) if (!ids.has(peer)) ids.set(peer, ids.size);
  const names = [...ids.keys()];
  const rows = new Map<number, Answer[]>();
  const outside = new Map<string, { peer: string; direction: OutsideRow['direction']; rows: OutsideRow[][] }>();
  maps.forEach(({ peers, pairs, entrances, outside: ranges }, at) => {
    const own = peers.map((peer) => ids.get(peer)!);
    const put = (from: number, to: number, answer: Answer): void => {
      const key = from * ids.size + to;
      let row = rows.get(key);
      if (row === undefined) rows.set(key, (row = maps.map(() => NOTHING)));
      row[at] = answer;
    };
    for (const { from, to, answer } of pairs) put(own[from]!, own[to]!, answer);
    for (const { to, answer } of entrances) put(0, own[to]!, answer);
    for (const row of ranges) {
      const peer = peers[row.peer]!;
      const key = `${row.direction} ${peer}`;
      let entry = outside.get(key);
      if (entry === undefined) {
        outside.set(key, (entry = { peer, direction: row.direction, rows: maps.map(() => []) }));
      }
      entry.rows[at]!.push(row);
    }
  });
  const found: Compared[] = [];
  for (const [key, answers] of rows) {
    // Most rows are alike in all maps, and say nothing.
    if (answers.every((one) => one === answers[0])) continue;
    found.push({ from: names[Math.floor(key / ids.size)]!, to: names[key % ids.size]!, answers });
  }
  for (const { peer, direction, rows: own } of outside.values()) {
    for (const { text, answers } of pieces(own)) {
      found.push(direction === 'egress' ? { from: peer, to: text, answers } : { from: text, to: peer, answers });
    }
  }
  return found;
}

function pieces(rows: readonly (readonly OutsideRow[])[]): { text: string; answers: Answer[] }[] {
  const out: { text: string; answers: Answer[] }[] = [];
  for (const family of [4, 6] as const) {
    const own = rows.map((list) => list.filter(({ range }) => range.family === family));
    const cuts = new Set(own.flatMap((list) => list.flatMap(({ range }) => [range.from, range.to + 1n])));
    const starts = [...cuts].sort((a, b) => (a < b ? -1 : 1));
    starts.slice(0, -1).forEach((from, i) => {
      const answers = own.map(
        (list) => list.find(({ range }) => range.from <= from && range.to >= from)?.answer ?? NOTHING,
      );
      if (answers.every((one) => one === answers[0])) return;
      out.push({ text: rangeText({ family, from, to: starts[i + 1]! - 1n }), answers });
    });
  }
  return out;
}

/** A connection that a state between two others opens or closes, which neither of them does. */
export interface Trouble {
  /**
   * `exposed`: open, and neither before nor after. `lost`: closed, and open before and after. `unsure`: one of the two,
   * depending on what no manifest says. `priority`: two policies of equal priority, between which no order is defined.
   */
  readonly is: 'exposed' | 'lost' | 'unsure' | 'priority';
  /** Ends of a connection, or names of policies. */
  readonly from: string;
  readonly to: string;
  readonly ports: PortSet;
}

/** What is wrong with `state` as a state between `before` and `after`. */
export function troublesOf(before: Connectivity, after: Connectivity, state: Connectivity): Trouble[] {
  const found: Trouble[] = [];
  for (const { from, to, answers } of compareMaps([before, after, state])) {
    const [old, now, here] = answers as [Answer, Answer, Answer];
    if (here === old || here === now) continue;
    const add = (is: Trouble['is'], ports: PortSet): void => {
      if (!ports.empty) found.push({ is, from, to, ports });
    };
    // What depends is judged by both its bounds: as if all of it were open, and as if none of it were.
    const exposed = unite(
      subtract(here.possible, unite(old.possible, now.possible)),
      subtract(here.certain, unite(old.certain, now.certain)),
    );
    const lost = unite(
      subtract(intersect(old.certain, now.certain), here.certain),
      subtract(intersect(old.possible, now.possible), here.possible),
    );
    add('exposed', exposed);
    add('lost', subtract(lost, exposed));
    // Between the bounds it is not known to be as before or as after: other rules may decide it.
    const depends = subtract(subtract(here.possible, here.certain), unite(exposed, lost));
    const sure = unite(old.certain, now.certain);
    const kept = intersect(old.possible, now.possible);
    const unlike = subtract(depends, unite(alike(here, old), alike(here, now)));
    add('unsure', unite(subtract(unlike, sure), intersect(unlike, kept)));
  }
  return found;
}

/** What depends in `other` on all that `here` depends on. */
function alike(here: Answer, other: Answer): PortSet {
  return (here.why & ~other.why) === 0 ? subtract(other.possible, other.certain) : NO_PORTS;
}

/** NP-21: which of two policies of one tier with equal priority comes first is not defined. */
export function equalPriorities(policies: readonly Policy[]): Trouble[] {
  const first = new Map<string, Policy>();
  const found: Trouble[] = [];
  for (const policy of policies) {
    if (policy.tier !== 'admin' && policy.tier !== 'baseline') continue;
    const key = `${policy.kind} ${policy.tier} ${policy.priority}`;
    const other = first.get(key);
    if (other === undefined) first.set(key, policy);
    else found.push({ is: 'priority', from: objectName(other), to: objectName(policy), ports: NO_PORTS });
  }
  return found;
}

/** As changes of a cluster name it. */
export function objectName({ kind, namespace, name }: Policy): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}
