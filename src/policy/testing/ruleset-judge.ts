import assert from 'node:assert/strict';
import { type Family, parseAddress, parseBlock } from '../addresses.ts';

/** The first packet of a connection that is forwarded. */
export interface ForwardedPacket {
  readonly family: Family;
  readonly saddr: bigint;
  readonly daddr: bigint;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly dport: number;
}

interface Table {
  readonly sets: ReadonlyMap<string, readonly string[]>;
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly chains: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads a ruleset as nft(8) describes the few words of it, and says what becomes of a packet: so that thousands of
 * clusters can be judged without a kernel. A word that it does not know fails the test.
 */
export class RulesetJudge {
  readonly #table: Table;

  constructor(text: string) {
    const sets = new Map<string, readonly string[]>();
    const maps = new Map<string, ReadonlyMap<string, string>>();
    const chains = new Map<string, readonly string[]>();
    const body = /^table inet \w+ \{\n([\s\S]*)\n\}\n$/.exec(text);
    assert.ok(body, `it is not one table:\n${text.slice(0, 200)}`);
    const lines = body[1]!.split('\n');
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!.trim();
      const [, kind, name, rest] = /^(set|map|chain) (\w+) \{(.*)$/.exec(line) ?? [];
      assert.ok(name !== undefined && rest !== undefined, line);
      if (kind === 'chain') {
        const own: string[] = [];
        while (lines[++i]!.trim() !== '}') own.push(lines[i]!.trim());
        chains.set(name, own);
        continue;
      }
      const elements = /elements = \{ (.*) \}; \}$/.exec(rest)?.[1]?.split(', ') ?? [];
      if (kind === 'set') sets.set(name, elements);
      else maps.set(name, new Map(elements.map((one) => one.split(' : ') as [string, string])));
    }
    this.#table = { sets, maps, chains };
  }

  letsThrough(packet: ForwardedPacket): boolean {
    return this.#chain('gate', packet) !== 'drop';
  }

  #chain(name: string, packet: ForwardedPacket): 'drop' | 'accept' | 'return' {
    const rules = this.#table.chains.get(name);
    assert.ok(rules, `there is no chain ${name}`);
    for (const rule of rules) {
      // Packets of connections that are open, of which this judge says nothing.
      if (rule.startsWith('type filter hook forward') || rule.startsWith('ct state')) continue;
      const verdict = this.#rule(rule, packet);
      if (verdict === undefined) continue;
      const [word, target] = verdict.split(' ') as [string, string?];
      if (word === 'drop' || word === 'accept' || word === 'return') return word;
      const said = this.#chain(target!, packet);
      if (said !== 'return') return said;
      if (word === 'goto') return 'return';
      assert.equal(word, 'jump', rule);
    }
    return 'return';
  }

  /** What a rule says of a packet; undefined: it does not match. */
  #rule(rule: string, packet: ForwardedPacket): string | undefined {
    let rest = rule;
    const next = (pattern: RegExp): RegExpExecArray | undefined => {
      const found = pattern.exec(rest);
      if (found === null) return undefined;
      rest = rest.slice(found[0].length).trimStart();
      return found;
    };
    for (;;) {
      const ended = /^(?:drop|accept|return|(?:goto|jump) \w+)$/.exec(rest);
      if (ended !== null) return rest;
      let found = next(/^(ip6?) (saddr|daddr) vmap @(\w+)$/);
      if (found !== undefined) {
        if (!isOf(found[1]!, packet)) return undefined;
        const map = this.#table.maps.get(found[3]!);
        assert.ok(map, rule);
        const own = [...map].find(([key]) => parseAddress(key)!.value === packet[found![2] as 'saddr' | 'daddr']);
        return own?.[1];
      }
      found = next(/^(ip6?) daddr \. meta l4proto \. th dport @(\w+)/);
      if (found !== undefined) {
        const wanted = (element: string): boolean => {
          const [address, protocol, port] = element.split(' . ');
          return (
            parseAddress(address!)!.value === packet.daddr &&
            protocol === packet.protocol &&
            Number(port) === packet.dport
          );
        };
        if (!isOf(found[1]!, packet) || !this.#elements(found[2]!).some(wanted)) return undefined;
        continue;
      }
      found = next(/^(ip6?) (saddr|daddr) @(\w+)/);
      if (found !== undefined) {
        const value = packet[found[2] as 'saddr' | 'daddr'];
        if (!isOf(found[1]!, packet) || !this.#elements(found[3]!).some((one) => holds(one, value))) return undefined;
        continue;
      }
      found = next(/^meta nfproto ipv([46])/);
      if (found !== undefined) {
        if (Number(found[1]) !== packet.family) return undefined;
        continue;
      }
      found = next(/^(tcp|udp|sctp) dport \{ ([\d, -]+) \}/);
      assert.ok(found !== undefined, `not understood: ${rest} of ${rule}`);
      const inside = found[2]!.split(', ').some((range) => {
        const [from, to = from] = range.split('-').map(Number);
        return packet.dport >= from! && packet.dport <= to!;
      });
      if (found[1] !== packet.protocol || !inside) return undefined;
    }
  }

  #elements(name: string): readonly string[] {
    const found = this.#table.sets.get(name);
    assert.ok(found, `there is no set ${name}`);
    return found;
  }
}

function isOf(word: string, { family }: ForwardedPacket): boolean {
  return word === (family === 4 ? 'ip' : 'ip6');
}

function holds(element: string, value: bigint): boolean {
  const block = parseBlock(element);
  if (block !== undefined) return value >= block.from && value <= block.to;
  const [from, to = from] = element.split('-').map((end) => parseAddress(end)!.value);
  return value >= from! && value <= to!;
}
