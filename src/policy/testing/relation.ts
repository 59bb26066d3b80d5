import assert from 'node:assert/strict';
import { type Family, parseAddress, parseBlock } from '../addresses.ts';
import { ALL_PORTS, NO_PORTS, portRange, portText, type PortSet, type Protocol, unite } from '../port-set.ts';

export interface Row {
  readonly from: string;
  readonly to: string;
  readonly ports: string;
}

/** The ports that a row's text names. */
export function portsOf(text: string): PortSet {
  if (text === 'All Connections') return ALL_PORTS;
  if (text === 'No Connections') return NO_PORTS;
  let set = NO_PORTS;
  let protocol: Protocol = 'TCP';
  for (const word of text.split(',')) {
    const match = /^(?:(SCTP|TCP|UDP) )?(\d+)(?:-(\d+))?$/.exec(word);
    assert.ok(match, `not a list of ports: ${text}`);
    protocol = (match[1] ?? protocol) as Protocol;
    set = unite(set, portRange(protocol, Number(match[2]), Number(match[3] ?? match[2])));
  }
  return set;
}

interface Piece {
  readonly from: bigint;
  readonly to: bigint;
  readonly value: string;
}

/**
 * Rows as a relation, so that two maps compare whatever their order and however they cut ranges of addresses: one line
 * a pair of peers, and one line a maximal IPv4 range. Rows of IPv6 and rows without connections are left out.
 */
export function relation(
  rows: readonly Row[],
  ports: (text: string) => string = (text) => portText(portsOf(text)),
): string[] {
  const pairs = new Map<string, string>();
  const outside = new Map<string, Piece[]>();
  for (const { from: source, to: target, ports: text } of rows) {
    const [from, to] = [source, target].map((one) => one.replaceAll('[External]', '')) as [string, string];
    const value = ports(text);
    if (value === 'No Connections' || from === to) continue;
    const ranges = [rangesIn(from), rangesIn(to)] as const;
    if (ranges[0] === undefined && ranges[1] === undefined) {
      assert.ok(!pairs.has(`${from} => ${to}`), `twice: ${from} => ${to}`);
      pairs.set(`${from} => ${to}`, value);
      continue;
    }
    const key = ranges[0] === undefined ? `${from} =>` : `=> ${to}`;
    for (const range of ranges[0] ?? ranges[1] ?? []) {
      if (range.family === 4) outside.set(key, [...(outside.get(key) ?? []), { ...range, value }]);
    }
  }
  const lines = [...pairs].map(([pair, value]) => `${pair} : ${value}`);
  for (const [key, pieces] of outside) {
    let last: Piece | undefined;
    const joined: Piece[] = [];
    for (const piece of pieces.sort((a, b) => (a.from < b.from ? -1 : 1))) {
      if (last?.value === piece.value && last.to + 1n >= piece.from) {
        last = { ...last, to: piece.to > last.to ? piece.to : last.to };
        joined[joined.length - 1] = last;
      } else joined.push((last = piece));
    }
    for (const { from, to, value } of joined) lines.push(`${key} ${from}-${to} : ${value}`);
  }
  return lines.sort();
}

function rangesIn(peer: string): { family: Family; from: bigint; to: bigint }[] | undefined {
  const ranges = peer.split(',').map((part) => {
    const block = parseBlock(part);
    if (block !== undefined) return block;
    const [low, high] = part.split('-').map((end) => parseAddress(end));
    if (low === undefined) return undefined;
    return { family: low.family, from: low.value, to: (high ?? low).value };
  });
  return ranges.every((range) => range !== undefined) ? ranges : undefined;
}
