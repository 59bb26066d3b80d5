import { type CalicoOrder, type Dialect, dialectOf, type Policy, type Rule } from './model.ts';
import { type Match, MAYBE, NO, YES } from './selector.ts';

/** Network plugins whose choices are known here. */
export const CNIS = ['antrea', 'aws', 'calico', 'cilium', 'enclave', 'kube-network-policies', 'kube-router'] as const;
export type Cni = (typeof CNIS)[number];

/**
 * What our own enforcer (enforce/ruleset.ts) chose where the documents of Kubernetes leave a choice. A live run in an
 * enclave is compared with the answer by these, and its report repeats them.
 */
export const ENCLAVE_CHOICES: readonly string[] = [
  'NP-05: a namespace that is in no manifest has the label of its name and no other',
  'NP-10: SCTP is closed like the rest, and not tested, for this kernel may have no sockets for it; ICMP is closed with a wall',
  'NP-11: a block of addresses covers the pods whose addresses lie in it; pods whose addresses no manifest says are put outside every block of the case that is not a whole family',
  'NP-13: there are no Services: pods and addresses are called themselves',
  'NP-15: what comes from the node, or goes to it, is let through, for the rules stand where packets are forwarded',
  "NP-16: a pod in its node's network is the node itself, and is not tested",
  'NP-17: no pod is asked about itself',
  'NP-18: open connections are kept when policies change, or cut, as it is asked for',
  'NP-21: two cluster policies of equal priority that cover a pod are not tested',
  'NP-25: where NetworkPolicies cover the other direction only, the Baseline decides',
  'who is outside is a namespace that answers for every address that is no pod and not the node',
];

/**
 * Which policies a plugin enforces. Calico: ClusterNetworkPolicy from 3.32, AdminNetworkPolicy in 3.29 to 3.31 only
 * (libcalico-go backend/k8s/conversion); 3.32 is meant. Cilium: no ClusterNetworkPolicy (cilium issue 23380).
 */
const IMPLEMENTS: Readonly<Record<Cni, readonly Dialect[]>> = {
  antrea: ['NetworkPolicy', 'AdminNetworkPolicy'],
  aws: ['NetworkPolicy'],
  calico: ['NetworkPolicy', 'ClusterNetworkPolicy', 'Calico'],
  cilium: ['NetworkPolicy', 'Cilium'],
  enclave: ['NetworkPolicy', 'AdminNetworkPolicy', 'ClusterNetworkPolicy'],
  'kube-network-policies': ['NetworkPolicy', 'AdminNetworkPolicy', 'ClusterNetworkPolicy'],
  'kube-router': ['NetworkPolicy'],
};

/** NP-11: whether blocks of a NetworkPolicy cover pods. Cilium: no; Calico, and our own enforcer: by their addresses. */
export function blocksCoverPods(cni: Cni | undefined): Match {
  return cni === 'cilium' ? NO : cni === 'calico' || cni === 'enclave' ? YES : MAYBE;
}

/** NP-13: whether policies certainly see the address of a pod and not that of the Service by which it was called. */
export function afterTranslation(cni: Cni | undefined): boolean {
  return cni === 'calico' || cni === 'cilium' || cni === 'enclave';
}

/** NP-25: whether the Baseline certainly decides where NetworkPolicies cover the other direction only. */
export function baselineDecides(cni: Cni | undefined): boolean {
  return cni === 'calico' || cni === 'enclave';
}

/** Something that lets packets through or not, by policies of some dialects in an order of its own. */
interface Enforcer {
  readonly order: 'kubernetes' | 'cilium' | 'calico';
  readonly dialects: ReadonlySet<Dialect>;
}

/** One way in which a cluster may enforce its policies: what all of these let through passes. */
export type World = readonly Enforcer[];

const KUBERNETES: readonly Dialect[] = ['NetworkPolicy', 'AdminNetworkPolicy', 'ClusterNetworkPolicy'];

/** The policies that are there and that a plugin does not enforce. */
export function foreignTo(present: ReadonlySet<Dialect>, cni: Cni): Dialect[] {
  return [...present].filter((dialect) => !IMPLEMENTS[cni].includes(dialect));
}

/**
 * All the ways in which policies of these dialects may be enforced; what differs among them depends on the plugin. A
 * plugin that does not implement a dialect may stand beside one that does (a chain of plugins, or a version that came
 * since), and may not.
 */
export function worldsOf(present: ReadonlySet<Dialect>, cni: Cni | undefined): World[] {
  const enforcer = (order: Enforcer['order'], dialects: readonly Dialect[]): Enforcer => ({
    order,
    dialects: new Set(dialects),
  });
  const plain = enforcer('kubernetes', KUBERNETES);
  const withCilium = enforcer('cilium', ['NetworkPolicy', 'Cilium']);
  const withCalico = enforcer('calico', [...KUBERNETES, 'Calico']);
  if (cni === undefined) {
    return [
      [plain],
      ...(present.has('Cilium') ? [[withCilium]] : []),
      ...(present.has('Calico') ? [[withCalico]] : []),
    ];
  }
  const order = cni === 'cilium' || cni === 'calico' ? cni : 'kubernetes';
  const own = enforcer(order, IMPLEMENTS[cni]);
  const foreign = foreignTo(present, cni);
  if (foreign.length === 0) return [[own]];
  const admin = foreign.filter((dialect) => dialect !== 'Cilium' && dialect !== 'Calico');
  const more = [
    ...(foreign.includes('Cilium') ? [withCilium] : []),
    ...(foreign.includes('Calico') ? [withCalico] : []),
  ];
  const worlds: World[] = [[own]];
  if (admin.length > 0) worlds.push([enforcer(order, [...IMPLEMENTS[cni], ...admin])]);
  if (more.length > 0) worlds.push([own, ...more]);
  if (admin.length > 0 && more.length > 0) worlds.push([enforcer(order, [...IMPLEMENTS[cni], ...admin]), ...more]);
  return worlds;
}

/** A policy for one direction of a pod. */
export interface Applying<R> {
  readonly policy: Policy;
  /** Undefined: it does not cover this direction. */
  readonly rules: readonly R[] | undefined;
  /** Whether it applies. */
  readonly match: Match;
}

/** Rules of which the first that matches decides. */
export interface Stage<R> {
  readonly rules: readonly R[];
  /** Whether what no rule decides is denied here, and does not go on. */
  readonly closes: Match;
  /** The order of its rules does not count, for all of them allow. */
  readonly union: boolean;
  /** NP-25: a NetworkPolicy covers the other direction only, and this stage may be left out. */
  readonly half: boolean;
}

/** The stages through which a packet falls; after the last one it is allowed. */
export function stagesOf<R extends { readonly rule: Rule }>(
  { order, dialects }: Enforcer,
  applying: readonly Applying<R>[],
  direction: 'ingress' | 'egress',
): Stage<R>[] {
  const own = applying.filter(({ policy }) => dialects.has(dialectOf(policy.kind)));
  switch (order) {
    case 'kubernetes':
      return kubernetesStages(own, direction);
    case 'cilium':
      return ciliumStages(own, direction);
    case 'calico':
      return calicoStages(own, direction);
  }
}

function kubernetesStages<R>(applying: readonly Applying<R>[], direction: 'ingress' | 'egress'): Stage<R>[] {
  const of = (tier: string): Applying<R>[] => applying.filter(({ policy }) => policy.tier === tier);
  const network = of('network');
  const covering = network.filter(({ rules }) => rules !== undefined);
  return [
    stage(of('admin'), direction),
    { ...stage(covering, direction), union: true },
    { ...stage(of('baseline'), direction), half: network.length > 0 && covering.length === 0 },
  ];
}

/**
 * Everything in one pot: a rule that denies wins over all that allow, those of NetworkPolicies too, and what no rule
 * allows is denied if a policy covers the direction (docs.cilium.io security/policy/deny and security/policy/intro).
 */
function ciliumStages<R extends { readonly rule: Rule }>(
  applying: readonly Applying<R>[],
  direction: 'ingress' | 'egress',
): Stage<R>[] {
  const of = (tier: string): Applying<R>[] => applying.filter(({ policy }) => policy.tier === tier);
  const pot = stage(
    applying.filter(({ policy }) => policy.tier === 'network' || policy.tier === 'cilium'),
    direction,
  );
  const isDeny = ({ rule }: R): boolean => rule.action === 'deny';
  return [
    stage(of('admin'), direction),
    { ...pot, rules: pot.rules.filter(isDeny), closes: NO },
    { ...pot, rules: pot.rules.filter((rule) => !isDeny(rule)), union: true },
    stage(of('baseline'), direction),
  ];
}

/** Tiers of their own for the policies of Kubernetes (api/pkg/apis/projectcalico/v3 tier.go; names.KubeAdminTierName). */
export const CALICO_TIERS: Readonly<Record<string, { readonly order: number; readonly otherwise: 'deny' | 'pass' }>> = {
  'kube-admin': { order: 1_000, otherwise: 'pass' },
  adminnetworkpolicy: { order: 1_000, otherwise: 'pass' },
  default: { order: 1_000_000, otherwise: 'deny' },
  'kube-baseline': { order: 10_000_000, otherwise: 'pass' },
  baselineadminnetworkpolicy: { order: 10_000_000, otherwise: 'pass' },
};

function calicoOrder({ kind, tier, calico, priority }: Policy): CalicoOrder {
  if (calico !== undefined) return calico;
  // Kubernetes policies have the order 1000 in the tier 'default' (docs.tigera.io, "Policy tiers" and order).
  if (kind === 'NetworkPolicy') return { tier: 'default', tierOrder: 1_000_000, otherwise: 'deny', order: 1_000 };
  const name = tier === 'admin' ? 'kube-admin' : 'kube-baseline';
  return { tier: name, tierOrder: CALICO_TIERS[name]!.order, otherwise: 'pass', order: priority };
}

/**
 * Tiers by order, policies of a tier by order and name, rules as they stand; a tier none of whose policies covers the
 * direction is passed over (docs.tigera.io reference/resources/tier). Pods have a profile that allows everything.
 */
function calicoStages<R>(applying: readonly Applying<R>[], direction: 'ingress' | 'egress'): Stage<R>[] {
  const ordered = applying
    .filter(({ rules }) => rules !== undefined)
    .map((one) => ({ one, order: calicoOrder(one.policy), name: one.policy.name }))
    .sort(
      (a, b) =>
        compare(a.order.tierOrder, b.order.tierOrder) ||
        compare(a.order.tier, b.order.tier) ||
        compare(a.order.order, b.order.order) ||
        compare(a.name, b.name),
    );
  const stages: Stage<R>[] = [];
  for (const tier of Map.groupBy(ordered, ({ order }) => order.tier).values()) {
    const made = stage(
      tier.map(({ one }) => one),
      direction,
    );
    const closes = tier[0]!.order.otherwise === 'deny' ? greatest(tier.map(({ one }) => one.match)) : NO;
    stages.push({ ...made, closes });
  }
  return stages;
}

function compare(a: number | string, b: number | string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function stage<R>(applying: readonly Applying<R>[], direction: 'ingress' | 'egress'): Stage<R> {
  const closing = applying.filter(
    ({ policy, rules }) =>
      rules !== undefined &&
      policy.tier !== 'admin' &&
      policy.tier !== 'baseline' &&
      policy.leavesOpen?.includes(direction) !== true,
  );
  return {
    rules: applying.flatMap(({ rules = [] }) => rules),
    closes: greatest(closing.map(({ match }) => match)),
    union: false,
    half: false,
  };
}

function greatest(matches: readonly Match[]): Match {
  return matches.includes(YES) ? YES : matches.includes(MAYBE) ? MAYBE : NO;
}
