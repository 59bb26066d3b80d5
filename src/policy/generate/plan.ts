import { createHash } from 'node:crypto';
import { compareUtf8 } from '#kernel';
import type { DeclaredFlow } from '../flow-set.ts';
import type { PortRule } from '../model.ts';
import type { Direction } from '../engine.ts';
import type { ResolvedEnd, ResolvedFlow, Unit } from './resolve.ts';

/** What is to be rendered, the same for every dialect: a wall around each namespace, and the doors in it. */
export interface Plan {
  readonly closed: readonly string[];
  readonly policies: readonly PlannedPolicy[];
}

/** All that one unit may do in one direction. */
export interface PlannedPolicy {
  /** Unique in its namespace. */
  readonly name: string;
  readonly unit: Unit;
  readonly direction: Direction;
  /** In the order of the flows' names; never empty. */
  readonly rules: readonly PlannedRule[];
}

export interface PlannedRule {
  readonly flow: DeclaredFlow;
  readonly peer: ResolvedEnd;
  /** Never empty. */
  readonly ports: readonly PortRule[];
}

export const DEFAULT_DENY = 'default-deny';

/** The same flows give the same plan, in whatever order they are declared. Pods in namespaces left open get no policy. */
export function planOf(flows: readonly ResolvedFlow[], closed: readonly string[]): Plan {
  const inside = new Set(closed);
  const made = new Map<string, { unit: Unit; direction: Direction; rules: PlannedRule[] }>();
  const add = (end: ResolvedEnd, direction: Direction, rule: PlannedRule): void => {
    if (end.is !== 'pods') return;
    for (const unit of end.units) {
      if (!inside.has(unit.namespace)) continue;
      const key = `${unit.key}\n${direction}`;
      let policy = made.get(key);
      if (policy === undefined) made.set(key, (policy = { unit, direction, rules: [] }));
      policy.rules.push(rule);
    }
  };
  for (const { flow, from, to, ports } of [...flows].sort((a, b) => compareUtf8(a.flow.id, b.flow.id))) {
    if (flow.direction !== 'ingress') add(from, 'egress', { flow, peer: to, ports });
    if (flow.direction !== 'egress') add(to, 'ingress', { flow, peer: from, ports });
  }
  const list = [...made.values()];
  const titles = new Map<string, Set<string>>();
  const titleOf = ({ namespace, title }: Unit): string => `${namespace}\n${title}`;
  for (const { unit } of list) {
    const keys = titles.get(titleOf(unit)) ?? new Set();
    titles.set(titleOf(unit), keys.add(unit.key));
  }
  const policies = list.map(({ unit, direction, rules }): PlannedPolicy => {
    const alone = titles.get(titleOf(unit))!.size === 1;
    return { name: `allow-${nameOf(unit, alone)}-${direction}`, unit, direction, rules };
  });
  policies.sort((a, b) => compareUtf8(`${a.unit.namespace}\n${a.name}`, `${b.unit.namespace}\n${b.name}`));
  return { closed, policies };
}

/** A name that Kubernetes takes, with a digest of the selector where it would not be unique or is too long. */
function nameOf({ title, key }: Unit, alone: boolean): string {
  const plain = title
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  if (alone && plain === title && plain.length <= 150) return plain;
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 8);
  return `${plain.slice(0, 150).replaceAll(/[.-]+$/g, '')}-${digest}`;
}

/** Why a policy is there, for the people who find it in a cluster. */
export function annotationsOf(rules: readonly PlannedRule[]): Record<string, string> {
  const flows = [...new Map(rules.map(({ flow }) => [flow.id, flow])).values()];
  const rows = flows.map(({ id, reason, owner, approver, ticket, reviewBy, expires, http }) => ({
    id,
    reason,
    owner,
    approver,
    ticket,
    'review-by': reviewBy,
    expires,
    http: http.length === 0 ? undefined : http,
  }));
  return { 'sallyport/flows': JSON.stringify(rows) };
}
