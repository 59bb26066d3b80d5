import type { Place } from './document.ts';
import {
  type Cluster,
  type Entrance,
  type Namespace,
  peerName,
  type Pod,
  type Policy,
  type Rule,
  type Service,
} from './model.ts';
import type { Labels } from './selector.ts';

/** One thing that differs between two states of a cluster. */
export interface ClusterChange {
  readonly kind: 'policy' | 'workload' | 'namespace' | 'service' | 'entrance' | 'account';
  readonly how: 'added' | 'removed' | 'changed';
  /** `NetworkPolicy shop/web`, `shop/web[Deployment]`, `namespace shop`. */
  readonly name: string;
  /** What of it, in words. */
  readonly detail: string;
  /** In the later state; of what is removed, in the earlier. Undefined: no line says it. */
  readonly place: Place | undefined;
  /** A cluster in which this one thing is as in the later state (`to`), or as in the earlier (`from`). */
  readonly apply: (cluster: Cluster, side: 'from' | 'to') => Cluster;
}

type Side = 'from' | 'to';

/** What differs between two states, one by one. Lines that moved and comments are no difference. */
export function clusterChanges(from: Cluster, to: Cluster): ClusterChange[] {
  return [
    ...listChanges(from.policies, to.policies, policyKey, (key, before, after) => ({
      kind: 'policy',
      name: key,
      ...policyDetail(before, after),
    })).map(({ change, swap }) => ({
      ...change,
      apply: (cluster: Cluster, side: Side) => ({ ...cluster, policies: swap(cluster.policies, side) }),
    })),
    ...listChanges(from.pods, to.pods, peerName, (key, before, after) => ({
      kind: 'workload',
      name: key,
      ...podDetail(before, after),
    })).map(({ change, swap }) => ({
      ...change,
      apply: (cluster: Cluster, side: Side) => ({ ...cluster, pods: swap(cluster.pods, side) }),
    })),
    ...listChanges(
      [...from.namespaces.values()],
      [...to.namespaces.values()],
      ({ name }: Namespace) => name,
      (key, [before], [after]) => ({
        kind: 'namespace',
        name: `namespace ${key}`,
        detail: labelDetail(before?.labels ?? {}, after?.labels ?? {}),
        place: (after ?? before)?.place,
      }),
    ).map(({ change, swap }) => ({
      ...change,
      apply: (cluster: Cluster, side: Side) => ({
        ...cluster,
        namespaces: new Map(swap([...cluster.namespaces.values()], side).map((one) => [one.name, one])),
      }),
    })),
    ...listChanges(
      from.services,
      to.services,
      ({ namespace, name }: Service) => `${namespace}/${name}[Service]`,
      (key, [before], [after]) => ({ kind: 'service', name: key, detail: '', place: (after ?? before)?.place }),
    ).map(({ change, swap }) => ({
      ...change,
      apply: (cluster: Cluster, side: Side) => ({ ...cluster, services: swap(cluster.services, side) }),
    })),
    ...listChanges(
      from.entrances,
      to.entrances,
      ({ namespace }: Entrance) => `entrances of namespace ${namespace}`,
      (key, [before], [after]) => ({ kind: 'entrance', name: key, detail: '', place: (after ?? before)?.place }),
    ).map(({ change, swap }) => ({
      ...change,
      apply: (cluster: Cluster, side: Side) => ({ ...cluster, entrances: swap(cluster.entrances, side) }),
    })),
    ...listChanges(
      [...(from.accounts ?? [])],
      [...(to.accounts ?? [])],
      ([name]: readonly [string, Labels]) => name,
      (key) => ({ kind: 'account', name: `service account ${key}`, detail: '', place: undefined }),
    ).map(({ change, swap }) => ({
      ...change,
      apply: (cluster: Cluster, side: Side) => ({
        ...cluster,
        accounts: new Map(swap([...(cluster.accounts ?? [])], side)),
      }),
    })),
  ];
}

type Told = Omit<ClusterChange, 'how' | 'apply'>;

/** Objects of one kind by their key, and how to put those of one key in the place of those of the other state. */
function listChanges<T>(
  from: readonly T[],
  to: readonly T[],
  keyOf: (one: T) => string,
  tell: (key: string, before: readonly T[], after: readonly T[]) => Told,
): { change: Omit<ClusterChange, 'apply'>; swap: (list: readonly T[], side: Side) => T[] }[] {
  const [old, now] = [Map.groupBy(from, keyOf), Map.groupBy(to, keyOf)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((key) => {
    const [before, after] = [old.get(key) ?? [], now.get(key) ?? []];
    if (bare(before) === bare(after)) return [];
    const how =
      before.length === 0 ? ('added' as const) : after.length === 0 ? ('removed' as const) : ('changed' as const);
    const swap = (list: readonly T[], side: Side): T[] => {
      const wanted = side === 'to' ? after : before;
      const kept = list.filter((one) => keyOf(one) !== key);
      return [...kept, ...wanted];
    };
    return [{ change: { ...tell(key, before, after), how }, swap }];
  });
}

/** A value without its places, for comparison. */
function bare(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (key === 'place') return undefined;
    if (typeof inner === 'bigint') return `${inner}`;
    return inner instanceof Map ? [...inner] : inner;
  });
}

function policyKey({ kind, namespace, name }: Policy): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

/** The first thing of a policy that differs, and its line. */
function policyDetail(
  before: readonly Policy[],
  after: readonly Policy[],
): { detail: string; place: Place | undefined } {
  const [old, now] = [before[0], after[0]];
  if (old === undefined || now === undefined) return { detail: '', place: (now ?? old)?.place };
  if (before.length !== after.length) return { detail: 'another number of specs', place: now.place };
  for (let i = 0; i < after.length; i++) {
    const found = differenceOf(before[i]!, after[i]!);
    if (found !== undefined) return found;
  }
  return { detail: '', place: now.place };
}

function differenceOf(old: Policy, now: Policy): { detail: string; place: Place } | undefined {
  if (bare([old.subject, old.alsoSubject]) !== bare([now.subject, now.alsoSubject])) {
    return { detail: 'selects other pods', place: now.place };
  }
  for (const direction of ['ingress', 'egress'] as const) {
    const [was, is] = [old[direction], now[direction]];
    if (was === undefined && is !== undefined) return { detail: `covers ${direction} now`, place: now.place };
    if (was !== undefined && is === undefined) return { detail: `no longer covers ${direction}`, place: now.place };
    const found = ruleDifference(was ?? [], is ?? [], direction, now.place);
    if (found !== undefined) return found;
  }
  return bare(old) === bare(now) ? undefined : { detail: 'its place among the others', place: now.place };
}

function ruleDifference(
  was: readonly Rule[],
  is: readonly Rule[],
  direction: string,
  place: Place,
): { detail: string; place: Place } | undefined {
  const [old, now] = [was.map(bare), is.map(bare)];
  const added = is.findIndex((_, i) => !old.includes(now[i]!));
  const removed = was.findIndex((_, i) => !now.includes(old[i]!));
  if (added !== -1) {
    const how = removed === -1 ? 'added' : 'changed';
    return { detail: `${direction} rule ${added + 1} ${how}`, place: is[added]!.place };
  }
  if (removed !== -1) return { detail: `${direction} rule ${removed + 1} removed`, place };
  return old.join() === now.join() ? undefined : { detail: `${direction} rules in another order`, place };
}

function podDetail(before: readonly Pod[], after: readonly Pod[]): { detail: string; place: Place | undefined } {
  const [old, now] = [before[0], after[0]];
  if (old === undefined || now === undefined) return { detail: '', place: (now ?? old)?.place };
  const parts: string[] = [];
  const labels = labelDetail(old.labels, now.labels);
  if (labels !== '') parts.push(labels);
  if (bare(old.ports) !== bare(now.ports)) parts.push('its ports');
  if (old.hostNetwork !== now.hostNetwork) {
    parts.push(now.hostNetwork ? "moves into its node's network" : "leaves its node's network");
  }
  if (bare(old.addresses) !== bare(now.addresses)) parts.push('its addresses');
  if (old.account !== now.account) parts.push('its service account');
  return { detail: parts.join(', '), place: now.place };
}

/** `label app: web -> www, label tier: (none) -> x`. */
function labelDetail(old: Labels, now: Labels): string {
  const value = (labels: Labels, key: string): string => (Object.hasOwn(labels, key) ? labels[key]! : '(none)');
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((key) => value(old, key) !== value(now, key))
    .map((key) => `label ${key}: ${value(old, key)} -> ${value(now, key)}`)
    .join(', ');
}
