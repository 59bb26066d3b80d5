import { type AddressRange, FAMILIES, parseAddress, parseBlock, WHOLE } from '../addresses.ts';
import { CONTROLLER } from '../entrances.ts';
import {
  ALL_PORTS,
  FIRST_PORT,
  LAST_PORT,
  NO_PORTS,
  portRange,
  type PortSet,
  type Protocol,
  PROTOCOLS,
  unite,
} from '../port-set.ts';
import { EVERYTHING, type Selector } from '../selector.ts';
import { parseSelector } from '../selector-text.ts';

/**
 * `deny`: none of `from` reaches any of `to`. `only`: nothing but `from` reaches `to`. `allow`: each of `from` reaches each
 * of `to`, on every port.
 */
export type Demand = 'deny' | 'only' | 'allow';
export const DEMANDS: readonly Demand[] = ['deny', 'only', 'allow'];

/** A sentence about a cluster that is to hold whatever its policies are (docs/spec/invariants.md). */
export interface Invariant {
  readonly name: string;
  readonly demand: Demand;
  readonly from: readonly Endpoint[];
  readonly to: readonly Endpoint[];
  readonly ports: PortSet;
  readonly reason: string;
  /** Whether pods that may come count too. */
  readonly future: boolean;
  /** Whether it also holds where it speaks of nothing that is there. */
  readonly mayBeEmpty: boolean;
  /** `file:line`, or the expression. */
  readonly where: string;
}

export type Endpoint =
  | { readonly is: 'pods'; readonly namespaces: string | Selector; readonly pods: Selector; readonly workload?: string }
  | { readonly is: 'addresses'; readonly ranges: readonly AddressRange[] }
  /** What comes through an Ingress or a Route. */
  | { readonly is: 'entrances' };

/** Named lists of ranges, for `site` and `outside site`. */
export type Ranges = ReadonlyMap<string, readonly AddressRange[]>;

const EVERY_POD: Endpoint = { is: 'pods', namespaces: EVERYTHING, pods: EVERYTHING };

/** One end of an invariant; a text says what is wrong with it. */
export function parseEndpoint(text: string, named: Ranges): readonly Endpoint[] | string {
  const word = text.trim();
  if (word === 'all') return [EVERY_POD];
  if (word === 'anything') {
    return [EVERY_POD, { is: 'addresses', ranges: FAMILIES.map((family) => WHOLE[family]) }, { is: 'entrances' }];
  }
  if (word === CONTROLLER) return [{ is: 'entrances' }];
  const outside = /^outside\s+(.+)$/.exec(word);
  if (outside !== null) {
    const ranges = rangesIn(outside[1]!, named);
    return typeof ranges === 'string' ? ranges : [{ is: 'addresses', ranges: complementOf(ranges) }];
  }
  const place = /^(\*|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?|\[[^\]]*\])\/(.+)$/.exec(word);
  if (place !== null) {
    const [, where, what] = place as unknown as [string, string, string];
    let namespaces: string | Selector = where;
    if (where === '*') namespaces = EVERYTHING;
    else if (where.startsWith('[')) {
      const selector = parseSelector(where.slice(1, -1));
      if (selector === undefined) return `'${where}' is no selector of namespaces.`;
      namespaces = selector;
    }
    if (what === '*') return [{ is: 'pods', namespaces, pods: EVERYTHING }];
    if (/^[a-z0-9][a-z0-9.-]*\[\w+\]$/.test(what)) {
      return [{ is: 'pods', namespaces, pods: EVERYTHING, workload: `${where}/${what}` }];
    }
    const pods = parseSelector(what);
    return pods === undefined
      ? `'${what}' is no selector of pods, no '*' and no workload with its kind.`
      : [{ is: 'pods', namespaces, pods }];
  }
  const ranges = rangesIn(word, named);
  return typeof ranges === 'string' ? ranges : [{ is: 'addresses', ranges }];
}

function rangesIn(text: string, named: Ranges): readonly AddressRange[] | string {
  const ranges: AddressRange[] = [];
  for (const word of text.split(/[\s,]+/)) {
    const known = named.get(word);
    if (known !== undefined) {
      ranges.push(...known);
      continue;
    }
    const address = parseAddress(word);
    const block =
      address === undefined ? parseBlock(word) : { family: address.family, from: address.value, to: address.value };
    if (block === undefined) {
      const names = [...named.keys()];
      return `'${word}' is no pods (all, NAMESPACE/SELECTOR, NAMESPACE/*), no block of addresses, and no name of ranges${names.length === 0 ? '' : ` (${names.join(', ')})`}.`;
    }
    ranges.push({ family: block.family, from: block.from, to: block.to });
  }
  return ranges;
}

/** All addresses of both families that lie in none of the ranges. */
export function complementOf(ranges: readonly AddressRange[]): AddressRange[] {
  return FAMILIES.flatMap((family) => {
    const out: AddressRange[] = [];
    let next = WHOLE[family].from;
    for (const { from, to } of ranges
      .filter((one) => one.family === family)
      .sort((a, b) => (a.from < b.from ? -1 : 1))) {
      if (from > next) out.push({ family, from: next, to: from - 1n });
      if (to + 1n > next) next = to + 1n;
    }
    if (next <= WHOLE[family].to) out.push({ family, from: next, to: WHOLE[family].to });
    return out;
  });
}

/** `TCP 80-90,443,UDP 53`, `UDP`, or `all`; undefined where it is none. */
export function parsePorts(text: string): PortSet | undefined {
  if (text.trim() === 'all') return ALL_PORTS;
  let set = NO_PORTS;
  let protocol: Protocol | undefined;
  for (const word of text.split(',')) {
    const match = /^\s*(?:(SCTP|TCP|UDP)\b\s*)?(?:(\d{1,5})(?:-(\d{1,5}))?)?\s*$/i.exec(word);
    if (match === null || (match[1] === undefined && match[2] === undefined)) return undefined;
    protocol = match[1] === undefined ? protocol : PROTOCOLS.find((one) => one === match[1]!.toUpperCase());
    if (protocol === undefined) return undefined;
    const from = Number(match[2] ?? FIRST_PORT);
    const to = Number(match[3] ?? match[2] ?? LAST_PORT);
    if (from < FIRST_PORT || to > LAST_PORT || from > to) return undefined;
    set = unite(set, portRange(protocol, from, to));
  }
  return set;
}

/** `deny FROM -> TO : PORTS`; a text says what is wrong with it. */
export function parseExpression(text: string, named: Ranges, future: boolean): Invariant | string {
  const match = /^\s*(deny|only|allow)\s+(.+?)\s*->\s*(.+?)(?:\s+:\s+(.+?))?\s*$/.exec(text);
  if (match === null) return "It is not of the form 'deny FROM -> TO : PORTS' (or 'only', or 'allow').";
  const [, demand, fromText, toText, portText] = match;
  const [from, to] = [parseEndpoint(fromText!, named), parseEndpoint(toText!, named)];
  if (typeof from === 'string') return from;
  if (typeof to === 'string') return to;
  const ports = portText === undefined ? ALL_PORTS : parsePorts(portText);
  if (ports === undefined) return `'${portText}' is no list of ports such as 'TCP 80-90,443,UDP 53'.`;
  return {
    name: text.trim(),
    demand: demand as Demand,
    from,
    to,
    ports,
    reason: '',
    future,
    mayBeEmpty: false,
    where: text.trim(),
  };
}
