import { type AddressRange, addressText, parseAddress, parseBlock } from '../addresses.ts';
import { type Connectivity, connectionsOf } from '../connections.ts';
import type { ResolvedEnd, ResolvedFlow } from '../generate/resolve.ts';
import { type Cluster, isNamed, peerName, type Pod, type PortRule } from '../model.ts';
import type { Protocol } from '../port-set.ts';
import type { Assertion } from './assertion.ts';

/** A connection that somebody declared, in the words of `policy explain`; an end may be a block of addresses. */
export interface DeclaredConnection {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly reason: string;
}

/** Workloads that are tried beside a declared one: more would say the same again. */
const OTHERS = 3;
/** Somebody far away, of each family (RFC 5737, RFC 3849: addresses that nobody has). */
const OUTSIDE = ['198.51.100.77', '2001:db8:ffff::77'];

/**
 * For every declared connection that it is open, and for its neighbours that they are not: the port beside it, the other
 * protocol, the way back, other workloads to the same port, the addresses around a block; and for every workload that
 * nobody far away reaches it, nor it them. What another declaration opens is no neighbour.
 */
export function assertionsFor(declared: readonly DeclaredConnection[], workloads: readonly string[]): Assertion[] {
  const key = (from: string, to: string, port: number, protocol: Protocol) => `${from}\n${to}\n${port}\n${protocol}`;
  const blocks = new Map(
    [...new Set(declared.flatMap(({ from, to }) => [from, to]))]
      .map((text) => [text, parseBlock(text)] as const)
      .filter(([, block]) => block !== undefined),
  );
  const one = (text: string): string => {
    const block = blocks.get(text);
    return block === undefined ? text : addressText(block.family, block.from);
  };
  const isOpen = (from: string, to: string, port: number, protocol: Protocol): boolean =>
    declared.some(
      (flow) => flow.port === port && flow.protocol === protocol && within(flow.from, from) && within(flow.to, to),
    );
  const within = (declaredEnd: string, end: string): boolean => {
    if (declaredEnd === end) return true;
    const block = blocks.get(declaredEnd);
    const address = parseAddress(end);
    if (block === undefined || address === undefined) return false;
    return block.family === address.family && address.value >= block.from && address.value <= block.to;
  };
  const made = new Map<string, Assertion>();
  const add = (from: string, to: string, port: number, protocol: Protocol, why: string, where: string): void => {
    const name = key(from, to, port, protocol);
    const outside = parseAddress(from) !== undefined && parseAddress(to) !== undefined;
    if (from === to || outside || port > 65_535 || made.has(name) || isOpen(from, to, port, protocol)) return;
    made.set(name, { from, to, port, protocol, expect: 'deny', reason: why, where });
  };
  for (const [index, { from, to, port, protocol, reason }] of declared.entries()) {
    const [source, target] = [one(from), one(to)];
    const where = `flow ${index + 1}`;
    made.set(key(source, target, port, protocol), {
      from: source,
      to: target,
      port,
      protocol,
      expect: 'allow',
      reason,
      where,
    });
  }
  for (const [index, { from, to, port, protocol, reason }] of declared.entries()) {
    const [source, target] = [one(from), one(to)];
    const where = `beside flow ${index + 1}`;
    add(source, target, port + 1, protocol, `the port beside: ${reason}`, where);
    add(source, target, port, protocol === 'TCP' ? 'UDP' : 'TCP', `the other protocol: ${reason}`, where);
    add(target, source, port, protocol, `the way back: ${reason}`, where);
    const strangers = workloads.filter((name) => name !== from && name !== to && !isOpen(name, target, port, protocol));
    for (const other of strangers.slice(0, OTHERS))
      add(other, target, port, protocol, `somebody else: ${reason}`, where);
    for (const address of OUTSIDE) {
      add(source, address, port, protocol, `the same port far away: ${reason}`, where);
      add(address, target, port, protocol, `somebody far away: ${reason}`, where);
    }
    for (const end of [from, to]) {
      const block = blocks.get(end);
      for (const value of block === undefined ? [] : [block.to + 1n, block.from - 1n]) {
        const width = block?.family === 4 ? 32n : 128n;
        if (value < 0n || value >= 1n << width) continue;
        const address = addressText(block!.family, value);
        const [a, b] = end === from ? [address, target] : [source, address];
        add(a, b, port, protocol, `the address beside: ${reason}`, where);
      }
    }
  }
  for (const name of workloads) {
    const port = declared.find(({ to }) => to === name)?.port ?? 443;
    for (const address of OUTSIDE) {
      add(name, address, 443, 'TCP', 'nobody declared that it leaves', name);
      add(address, name, port, 'TCP', 'nobody declared that anybody comes in', name);
    }
  }
  return [...made.values()];
}

/** The connections that flows declare: each pair of workloads, each single port; ranges by their two ends. */
export function connectionsIn(flows: readonly ResolvedFlow[]): DeclaredConnection[] {
  const names = (pods: readonly Pod[]): string[] => [...new Set(pods.map(peerName))];
  const endsOf = (end: ResolvedEnd, pods: readonly Pod[]): string[] =>
    end.is === 'pods' ? names(pods) : end.blocks.flatMap((one) => (one.is === 'block' ? blocksOf(one.range) : []));
  const declared: DeclaredConnection[] = [];
  for (const { flow, from, to, ports, meant } of flows) {
    for (const source of endsOf(from, meant.from)) {
      for (const target of endsOf(to, meant.to)) {
        for (const { port, protocol } of portsOf(ports, meant.to)) {
          declared.push({ from: source, to: target, port, protocol, reason: flow.reason });
        }
      }
    }
  }
  return declared;
}

function blocksOf({ family, from, to }: AddressRange): string[] {
  const size = to - from + 1n;
  const bits = size.toString(2).length - 1;
  // Blocks that are written as CIDRs; a range that is none is known by its two ends.
  return size === 1n << BigInt(bits)
    ? [`${addressText(family, from)}/${(family === 4 ? 32 : 128) - bits}`]
    : [addressText(family, from), addressText(family, to)];
}

function portsOf(rules: readonly PortRule[], pods: readonly Pod[]): { port: number; protocol: Protocol }[] {
  return rules.flatMap((rule) => {
    if (!isNamed(rule)) {
      return [...new Set([rule.from, rule.to])].map((port) => ({ port, protocol: rule.protocol ?? 'TCP' }));
    }
    const numbers = pods.flatMap(({ ports }) =>
      ports.filter((one) => one.name === rule.name && one.protocol === rule.protocol).map(({ number }) => number),
    );
    return [...new Set(numbers)].map((port) => ({ port, protocol: rule.protocol ?? 'TCP' }));
  });
}

/** Workloads of a cluster by the names that rows have, and the rows between them. */
export function subjectsOf(
  cluster: Cluster,
  connectivity: Connectivity,
): { readonly workloads: string[]; readonly open: { readonly from: string; readonly to: string }[] } {
  const workloads = [...new Set(cluster.pods.map(peerName))].sort();
  return { workloads, open: connectionsOf(connectivity).map(({ from, to }) => ({ from, to })) };
}
