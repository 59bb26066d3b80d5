import { rangeText } from './addresses.ts';
import { reasonsOf } from './connections.ts';
import { placeText } from './document.ts';
import { type Answer, Engine, type Profile } from './engine.ts';
import type { Cni } from './enforcers.ts';
import { type Cluster, isNamed, type Peer, peerName, type Policy, type PortRule, type Rule } from './model.ts';
import { portRange, portText, type PortSet, NO_PORTS, unite } from './port-set.ts';
import { namespaceIn, selectorText } from './selector-text.ts';

/** A policy in words; walls refer to it by its position. */
export interface PolicyText {
  readonly policy: string;
  readonly where: string;
  readonly ingress?: readonly string[];
  readonly egress?: readonly string[];
}

/** What lies around one direction of some workloads: the same policies in the same way. */
export interface Wall {
  readonly direction: 'ingress' | 'egress';
  readonly workloads: readonly string[];
  /** Positions of the policies that cover this direction; none: it is open. */
  readonly policies: readonly number[];
  /** Addresses outside that are let through, perhaps or for certain. */
  readonly outside: readonly {
    readonly range: string;
    readonly ports: string;
    readonly certain?: string;
    readonly depends?: readonly string[];
  }[];
}

export interface Walls {
  readonly policies: readonly PolicyText[];
  readonly walls: readonly Wall[];
}

/**
 * A map without its rows, for clusters in which the pairs of workloads are too many to be written: each policy once,
 * each wall once. It grows with pods and rules, not with pairs.
 */
export function wallsOf(cluster: Cluster, profile: Profile, cni?: Cni): Walls {
  const engine = new Engine(cluster, profile, cni);
  const positions = new Map(cluster.policies.map((policy, i) => [policy, i]));
  const walls: Wall[] = [];
  const texts = new Map<string, string>();
  const namesOf = engine.classes.map(({ pods }) => [...new Set(pods.map(peerName))]);
  for (const direction of ['ingress', 'egress'] as const) {
    const byReach = new Map<number, { readonly names: Set<string>; readonly wall: Omit<Wall, 'workloads'> }>();
    for (const one of engine.classes) {
      if (one.pods.length === 0) continue;
      const reach = engine.reach(one, direction);
      let known = byReach.get(reach.id);
      if (known === undefined) {
        const policies = engine
          .applying(one)
          .filter(({ policy }) => policy[direction] !== undefined)
          .map(({ policy }) => positions.get(policy)!);
        const outside = reach.addresses
          .filter(({ answer }) => !answer.possible.empty)
          .map(({ answer, ...range }) => ({ range: rangeText(range), ...answerText(answer) }));
        known = { names: new Set(), wall: { direction, policies, outside } };
        byReach.set(reach.id, known);
      }
      for (const name of namesOf[one.id]!) known.names.add(name);
    }
    for (const { names, wall } of byReach.values()) walls.push({ ...wall, workloads: [...names] });
  }
  return { policies: cluster.policies.map((policy) => policyText(policy, texts)), walls };
}

function answerText({ possible, certain, why }: Answer): { ports: string; certain?: string; depends?: string[] } {
  const ports = portText(possible);
  return possible === certain ? { ports } : { ports, certain: portText(certain), depends: reasonsOf(why) };
}

function policyText(policy: Policy, texts: Map<string, string>): PolicyText {
  const { kind, namespace, name, place, ingress, egress } = policy;
  const own = (rules: readonly Rule[]): string[] => rules.map((rule) => ruleText(rule, texts));
  return {
    policy: `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`,
    where: placeText(place),
    ...(ingress === undefined ? {} : { ingress: own(ingress) }),
    ...(egress === undefined ? {} : { egress: own(egress) }),
  };
}

function ruleText({ action, peers, ports }: Rule, texts: Map<string, string>): string {
  const whom = peers === 'all' ? 'everything' : peers.map((peer) => peerText(peer, texts)).join('; ');
  return `${action} ${whom} : ${ports === 'all' ? 'All Connections' : portsText(ports)}`;
}

function peerText(peer: Peer, texts: Map<string, string>): string {
  if (peer.is === 'block') {
    const except = peer.except.map((hole) => rangeText(hole)).join(', ');
    return `${rangeText(peer.range)}${except === '' ? '' : ` except ${except}`}`;
  }
  if (peer.is !== 'pods') return `${peer.is}${peer.names === undefined ? '' : ` ${peer.names.join(', ')}`}`;
  const { namespaces, pods } = peer;
  const key = `${typeof namespaces === 'string' ? `=${namespaces}` : namespaces.key}\n${pods.key}`;
  let text = texts.get(key);
  if (text === undefined) {
    const named = typeof namespaces === 'string' ? namespaces : namespaceIn(namespaces);
    const space = named ?? (selectorText(namespaces as Exclude<typeof namespaces, string>) || 'all namespaces');
    text = `${named === undefined ? `[${space}]` : space}/[${selectorText(pods) || 'all pods'}]`;
    texts.set(key, text);
  }
  return text;
}

function portsText(rules: readonly PortRule[]): string {
  let set: PortSet = NO_PORTS;
  const named: string[] = [];
  for (const rule of rules) {
    if (isNamed(rule)) named.push(`${rule.protocol ?? 'any'} ${rule.name}`);
    else set = unite(set, portRange(rule.protocol, rule.from, rule.to));
  }
  return [...(set.empty ? [] : [portText(set)]), ...named].join(',');
}
