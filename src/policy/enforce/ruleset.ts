import { type AddressRange, addressText, FAMILIES, type Family, WHOLE } from '../addresses.ts';
import { isNamed, type Namespace, type PodPeer, type Policy, type PortRule, type Rule } from '../model.ts';
import { type Protocol, PROTOCOLS } from '../port-set.ts';
import type { Selector } from '../selector.ts';
import type { PlacedPod, Placement } from './placement.ts';

/** NP-18: what becomes of connections that are open when a policy that forbids them comes. */
export const ESTABLISHED = ['kept', 'cut'] as const;
export type Established = (typeof ESTABLISHED)[number];

export interface RulesetOptions {
  readonly established: Established;
  /** Of the policies that are enforced; default: the cluster's. */
  readonly policies?: readonly Policy[];
  /** Default: the first. */
  readonly table?: Table;
}

/** A policy that is not among the rules, and why. */
export interface LeftPolicy {
  readonly policy: Policy;
  readonly reason: string;
}

export interface Ruleset {
  /** For one `nft -f`: a whole table, which is not there yet. */
  readonly text: string;
  readonly left: readonly LeftPolicy[];
}

/**
 * Two tables take turns. The later one is added whole while the earlier one stands, and then the earlier one is deleted: a
 * packet must pass all that stand, so that at no time anything is let through that only one of two states allows, and
 * nothing is stopped that both allow. To delete a table and add it again in one transaction does not do: the kernel
 * registers the hook of the later one before that of the earlier one, and a packet on its way at that moment may find the
 * first not yet and the second no longer in force (net/netfilter: nf_hook_entries_grow and nft_do_chain read the
 * generation once for each base chain). It was seen to let single packets through, about once in thousands of changes.
 */
export const TABLES = ['sallyport_walls_a', 'sallyport_walls_b'] as const;
export type Table = (typeof TABLES)[number];

/** The text by which nft deletes one of the tables. */
export function deletionOf(table: Table): string {
  return `delete table inet ${table}\n`;
}

type Direction = 'ingress' | 'egress';

/**
 * The policies of a placed cluster as one nftables ruleset. It is made from the rules of the policies, one by one, and
 * knows nothing of the connectivity answer: the kernel's verdict is to be evidence of its own. Selectors are matched by a
 * reading of their own for the same reason.
 *
 * Packets that are forwarded go through the chain of their source's pod and then through that of their destination's. A
 * chain ends with `drop`, or returns where the packet is let through. Exact addresses stand in sets that are hashed;
 * blocks stand in sets of intervals; named ports in concatenations of address, protocol and number.
 */
export function rulesetOf(placement: Placement, { established, policies, table = TABLES[0] }: RulesetOptions): Ruleset {
  return new Renderer(placement, established).render(policies ?? placement.cluster.policies, table);
}

/** Whether a policy selects a pod, by the words of the label selectors of Kubernetes. */
export function selectsPod(
  { namespaces, pods }: PodPeer,
  pod: PlacedPod['pod'],
  known: ReadonlyMap<string, Namespace>,
): boolean {
  const inside =
    typeof namespaces === 'string'
      ? namespaces === pod.namespace
      : matches(namespaces, known.get(pod.namespace)?.labels ?? {});
  return inside && matches(pods, pod.labels);
}

function matches({ requirements }: Selector, labels: Readonly<Record<string, string>>): boolean {
  return requirements.every(({ label, operator, values }) => {
    const there = Object.hasOwn(labels, label);
    switch (operator) {
      case 'In':
        return there && values.includes(labels[label]!);
      case 'NotIn':
        return !there || !values.includes(labels[label]!);
      case 'Exists':
        return there;
      case 'DoesNotExist':
        return !there;
      default:
        throw new Error(`${operator} is no operator of Kubernetes`);
    }
  });
}

/** Why a policy cannot be enforced here; undefined: it can. */
function reasonAgainst({ kind, alsoSubject, ingress = [], egress = [] }: Policy): string | undefined {
  if (kind.startsWith('Cilium')) return 'policies of Cilium are not enforced here';
  if (kind === 'CalicoNetworkPolicy' || kind === 'GlobalNetworkPolicy')
    return 'policies of Calico are not enforced here';
  if (alsoSubject !== undefined) return 'its selector is not one of Kubernetes';
  for (const { peers, narrower, notPorts, within, notPods, own } of [...ingress, ...egress]) {
    if (narrower !== undefined) return `a rule matches only ${narrower}`;
    if (notPorts ?? within ?? notPods ?? own) return 'a rule says what Kubernetes has no words for';
    const elusive = peers === 'all' ? undefined : peers.find(({ is }) => is !== 'pods' && is !== 'block');
    if (elusive !== undefined) return `a rule names ${elusive.is}, whose addresses no manifest says`;
  }
  return undefined;
}

/** Pods to which the same policies apply in one direction. */
interface Group {
  readonly policies: readonly Policy[];
  readonly pods: PlacedPod[];
}

interface Set {
  readonly name: string;
  readonly type: string;
  readonly interval: boolean;
  readonly elements: readonly string[];
}

const IP = { 4: { ip: 'ip', type: 'ipv4_addr' }, 6: { ip: 'ip6', type: 'ipv6_addr' } } as const;
const TIERS = ['admin', 'network', 'baseline'] as const;

class Renderer {
  readonly #placement: Placement;
  readonly #established: Established;
  /** Pods of which packets are forwarded: those in the node's network are the node. */
  readonly #pods: readonly PlacedPod[];
  readonly #sets = new Map<string, Set>();
  readonly #chains: string[] = [];

  constructor(placement: Placement, established: Established) {
    this.#placement = placement;
    this.#established = established;
    this.#pods = placement.pods.filter(({ pod }) => !pod.hostNetwork);
  }

  render(all: readonly Policy[], table: Table): Ruleset {
    const left: LeftPolicy[] = [];
    const policies = all.filter((policy) => {
      const reason = reasonAgainst(policy);
      if (reason !== undefined) left.push({ policy, reason });
      return reason === undefined;
    });
    const ordered = [...policies].sort(
      (a, b) => TIERS.indexOf(a.tier as never) - TIERS.indexOf(b.tier as never) || a.priority - b.priority,
    );
    const maps = (['egress', 'ingress'] as const).flatMap((direction) => this.#walls(direction, ordered));
    const hook = [
      'type filter hook forward priority filter; policy accept;',
      // NP-10: errors about what is let through come back with it.
      this.#established === 'kept' ? 'ct state established,related accept' : 'ct state related accept',
      // The side that opened a connection is asked again for each packet; its answers belong to it.
      ...(this.#established === 'kept' ? [] : ['ct state established ct direction reply accept']),
      ...(['egress', 'ingress'] as const).flatMap((direction) =>
        FAMILIES.map((family) => `${IP[family].ip} ${own(direction)} vmap @${direction}${family}`),
      ),
    ];
    const lines = [
      `table inet ${table} {`,
      ...[...this.#sets.values()].map(setText),
      ...this.#chains,
      ...maps,
      chainText('gate', hook),
      '}',
      '',
    ];
    return { text: lines.join('\n'), left };
  }

  /** The chains of one direction, and the maps that lead pods into them. */
  #walls(direction: Direction, policies: readonly Policy[]): string[] {
    const groups = new Map<string, Group>();
    for (const placed of this.#pods) {
      const applying = policies.filter(
        (policy) =>
          policy[direction] !== undefined && selectsPod(policy.subject, placed.pod, this.#placement.cluster.namespaces),
      );
      if (applying.length === 0) continue;
      const key = applying.map((one) => policies.indexOf(one)).join();
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { policies: applying, pods: [placed] });
      else group.pods.push(placed);
    }
    const led: Record<Family, string[]> = { 4: [], 6: [] };
    for (const group of groups.values()) {
      const first = this.#chainsOf(direction, group);
      for (const { addresses } of group.pods) {
        for (const family of FAMILIES) {
          const value = addresses[family];
          if (value !== undefined) led[family].push(`${addressText(family, value)} : jump ${first}`);
        }
      }
    }
    return FAMILIES.map(
      (family) => `  map ${direction}${family} { type ${IP[family].type} : verdict; ${elements(led[family])}}`,
    );
  }

  /** One chain for each tier that has policies here, the last first; the name of the one to begin with. */
  #chainsOf(direction: Direction, { policies, pods }: Group): string {
    const number = this.#chains.length;
    let next: string | undefined;
    for (const tier of TIERS.toReversed()) {
      const own = policies.filter((policy) => policy.tier === tier);
      if (own.length === 0) continue;
      const onward = next === undefined ? 'return' : `goto ${next}`;
      const rules = own.flatMap((policy) =>
        policy[direction]!.flatMap((rule) => {
          // Pass leaves the tier; what passes the last one is let through (NP-21).
          const verdict = { allow: 'return', deny: 'drop', pass: onward }[rule.action];
          return this.#matches(rule, direction, pods).map((match) => `${match} ${verdict}`.trim());
        }),
      );
      const name = `${direction}_${number}_${tier}`;
      // NP-20: what no NetworkPolicy allows is closed where one covers the pod; the other tiers let it fall on (NP-22).
      this.#chains.push(chainText(name, [...rules, tier === 'network' ? 'drop' : onward]));
      next = name;
    }
    return next!;
  }

  /** The ways in which a rule can match, each as the words of one rule of nft. */
  #matches({ peers, ports }: Rule, direction: Direction, subjects: readonly PlacedPod[]): string[] {
    const far = direction === 'egress' ? 'daddr' : 'saddr';
    const selected =
      peers === 'all'
        ? this.#pods
        : this.#pods.filter(({ pod }) =>
            peers.some((peer) => peer.is === 'pods' && selectsPod(peer, pod, this.#placement.cluster.namespaces)),
          );
    const blocks =
      peers === 'all' ? [] : peers.flatMap((peer) => (peer.is === 'block' ? subtracted(peer.range, peer.except) : []));
    const whom: { readonly family: Family | undefined; readonly text: string }[] = [];
    if (peers === 'all') whom.push({ family: undefined, text: '' });
    for (const family of peers === 'all' ? [] : FAMILIES) {
      const { ip, type } = IP[family];
      const addresses = selected.flatMap(({ addresses: one }) => one[family] ?? []);
      const exact = this.#set(
        'pods',
        type,
        false,
        addresses.map((value) => addressText(family, value)),
      );
      if (exact !== undefined) whom.push({ family, text: `${ip} ${far} @${exact}` });
      const ranges = merged(blocks.filter((one) => one.family === family));
      if (ranges.length === 1 && isAll(ranges[0]!)) {
        whom.push({ family, text: `meta nfproto ipv${family}` });
        continue;
      }
      const inside = this.#set('blocks', type, true, ranges.map(rangeElement));
      if (inside !== undefined) whom.push({ family, text: `${ip} ${far} @${inside}` });
    }
    if (ports === 'all') return whom.map(({ text }) => text);
    const words = whom.flatMap(({ text }) => numbered(ports).map((port) => `${text} ${port}`.trim()));
    // NP-08: a name is a number of the destination: of the pods themselves, or of those that the rule speaks of.
    const covered = (one: PlacedPod): boolean =>
      selected.includes(one) ||
      FAMILIES.some((family) =>
        blocks.some((block) => {
          const value = one.addresses[family];
          return value !== undefined && block.family === family && value >= block.from && value <= block.to;
        }),
      );
    const targets = direction === 'ingress' ? subjects : this.#pods.filter(covered);
    const names = ports.filter(isNamed);
    for (const family of names.length === 0 ? [] : FAMILIES) {
      const called = targets.flatMap(({ pod, addresses }) => {
        const value = addresses[family];
        if (value === undefined) return [];
        return pod.ports
          .filter((port) =>
            names.some(({ name, protocol }) => name === port.name && (protocol ?? port.protocol) === port.protocol),
          )
          .map(({ number, protocol }) => `${addressText(family, value)} . ${protocol.toLowerCase()} . ${number}`);
      });
      const { ip, type } = IP[family];
      const set = this.#set('named', `${type} . inet_proto . inet_service`, false, called);
      if (set === undefined) continue;
      for (const { family: only, text } of whom) {
        if (only !== undefined && only !== family) continue;
        words.push(`${text} ${ip} daddr . meta l4proto . th dport @${set}`.trim());
      }
    }
    return words;
  }

  /** The name of a set with these elements; equal sets are one. Undefined: it would be empty. */
  #set(kind: string, type: string, interval: boolean, list: readonly string[]): string | undefined {
    const own = [...new Set(list)];
    if (own.length === 0) return undefined;
    const key = `${type} ${interval} ${own.join()}`;
    let set = this.#sets.get(key);
    if (set === undefined) {
      set = { name: `${kind}_${this.#sets.size}`, type, interval, elements: own };
      this.#sets.set(key, set);
    }
    return set.name;
  }
}

function own(direction: Direction): 'saddr' | 'daddr' {
  return direction === 'egress' ? 'saddr' : 'daddr';
}

function chainText(name: string, lines: readonly string[]): string {
  return `  chain ${name} {\n${lines.map((line) => `    ${line}\n`).join('')}  }`;
}

function setText({ name, type, interval, elements: list }: Set): string {
  return `  set ${name} { type ${type}; ${interval ? 'flags interval; ' : ''}${elements(list)}}`;
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} }; `;
}

/** Numeric ports, one text for each protocol. */
function numbered(ports: readonly PortRule[]): string[] {
  return PROTOCOLS.flatMap((protocol: Protocol) => {
    const ranges = ports.flatMap((port) =>
      !isNamed(port) && port.protocol === protocol ? [{ from: BigInt(port.from), to: BigInt(port.to) }] : [],
    );
    if (ranges.length === 0) return [];
    const texts = merged(ranges).map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
    return [`${protocol.toLowerCase()} dport { ${texts.join(', ')} }`];
  });
}

/** A block without its holes. */
function subtracted({ family, from, to }: AddressRange, holes: readonly AddressRange[]): AddressRange[] {
  const pieces: AddressRange[] = [];
  let start = from;
  for (const hole of merged(holes.filter((one) => one.family === family))) {
    if (hole.from > start) pieces.push({ family, from: start, to: hole.from - 1n });
    if (hole.to >= start) start = hole.to + 1n;
  }
  if (start <= to) pieces.push({ family, from: start, to });
  return pieces;
}

/** Ascending and disjoint, touching ones joined: nft refuses intervals that overlap. */
function merged<T extends { readonly from: bigint; readonly to: bigint }>(ranges: readonly T[]): T[] {
  const out: T[] = [];
  for (const one of [...ranges].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))) {
    const last = out.at(-1);
    if (last === undefined || one.from > last.to + 1n) out.push(one);
    else if (one.to > last.to) out[out.length - 1] = { ...last, to: one.to };
  }
  return out;
}

function isAll({ family, from, to }: AddressRange): boolean {
  return from === WHOLE[family].from && to === WHOLE[family].to;
}

function rangeElement({ family, from, to }: AddressRange): string {
  return from === to ? addressText(family, from) : `${addressText(family, from)}-${addressText(family, to)}`;
}
