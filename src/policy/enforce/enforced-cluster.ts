import { addressText, FAMILIES, type Family } from '../addresses.ts';
import { type Answer, both, type Direction, Engine, type PodClass } from '../engine.ts';
import { type Cluster, isNamed, peerName, type Policy } from '../model.ts';
import { FIRST_PORT, includes, LAST_PORT, type PortSet } from '../port-set.ts';
import { NO } from '../selector.ts';
import { inFamily, isUsable, type Placement, placementOf, usableEnds } from './placement.ts';
import { type LeftPolicy, type Ruleset, type RulesetOptions, rulesetOf } from './ruleset.ts';

/** One end of a probe: a pod by its position in the cluster, or an address outside. */
export type ProbeEnd =
  | { readonly is: 'pod'; readonly pod: number }
  | { readonly is: 'address'; readonly value: bigint };

/** Something that a kernel can be asked. At least one end is a pod. */
export interface Question {
  readonly from: ProbeEnd;
  readonly to: ProbeEnd;
  readonly family: Family;
  readonly protocol: 'TCP' | 'UDP';
  readonly port: number;
}

export type Analysed = 'allowed' | 'denied' | 'depends';

const ASKED = ['TCP', 'UDP'] as const;
/** Ports of a pair and a protocol, and ends of ranges of a pod and a direction, that are asked for at most. */
const PORTS = 8;
const RANGES = 24;

/** A cluster as our own enforcer has it, and what the analysis says of it there (`specification`, `enclave`). */
export class EnforcedCluster {
  readonly placement: Placement;
  /** Policies that are not enforced here, and why. */
  readonly left: readonly LeftPolicy[];
  readonly #engines: Readonly<Record<Family, Engine>>;
  readonly #classes: Readonly<Record<Family, readonly PodClass[]>>;
  readonly #mentioned: readonly number[];
  readonly #taken: ReadonlySet<string>;

  /** `placement`: of another cluster that differs in its policies alone. */
  constructor(cluster: Cluster, placement?: Placement) {
    this.placement =
      placement === undefined
        ? placementOf(cluster)
        : { ...placement, cluster: { ...placement.cluster, policies: cluster.policies } };
    const parts = FAMILIES.map((family) => {
      const own = inFamily(this.placement, family);
      const engine = new Engine(own, 'specification', 'enclave');
      return [family, engine, own.pods.map((pod) => engine.classOf(pod))] as const;
    });
    this.#engines = Object.fromEntries(parts.map(([family, engine]) => [family, engine])) as never;
    this.#classes = Object.fromEntries(parts.map(([family, , classes]) => [family, classes])) as never;
    this.left = this.ruleset({ established: 'kept' }).left;
    this.#mentioned = portsIn(this.placement.cluster);
    const { pods, node } = this.placement;
    const used = [node, ...pods.map(({ addresses }) => addresses)];
    this.#taken = new Set(
      used.flatMap((own) =>
        FAMILIES.flatMap((family) => (own[family] === undefined ? [] : `${family} ${own[family]}`)),
      ),
    );
  }

  ruleset(options: RulesetOptions): Ruleset {
    return rulesetOf(this.placement, options);
  }

  /** What the analysis says. */
  answer({ from, to, family, protocol, port }: Question): Analysed {
    const { possible, certain } = this.#answer(from, to, family);
    if (includes(certain, protocol, port)) return 'allowed';
    return includes(possible, protocol, port) ? 'depends' : 'denied';
  }

  /** How a report calls an end. */
  nameOf(end: ProbeEnd, family: Family): string {
    return end.is === 'pod' ? peerName(this.placement.pods[end.pod]!.pod) : addressText(family, end.value);
  }

  addressOf(end: ProbeEnd, family: Family): bigint | undefined {
    return end.is === 'pod' ? this.placement.pods[end.pod]!.addresses[family] : end.value;
  }

  /** Why it cannot be asked here; undefined: it can. */
  untestable({ from, to, family }: Question): string | undefined {
    if (from.is === 'pod' && to.is === 'pod' && from.pod === to.pod) return 'NP-17: no pod is asked about itself';
    for (const [end, direction] of [
      [from, 'egress'],
      [to, 'ingress'],
    ] as const) {
      if (end.is === 'address') {
        if (!isUsable(family, end.value)) return 'Linux does not send to this address, or takes it for its own';
        if (this.#taken.has(`${family} ${end.value}`)) return 'the address is that of a pod or of the node here';
        continue;
      }
      const { pod, addresses } = this.placement.pods[end.pod]!;
      if (pod.hostNetwork) return "NP-16: a pod in its node's network is the node itself";
      if (addresses[family] === undefined) return 'a pod has no address of this family';
      const reason = this.#reasonAt(this.#classes[family][end.pod]!, family, direction);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  /** One pod of each kind that no rule tells apart, in the order of the manifests; none in its node's network. */
  representatives(): number[] {
    const first = new Map<string, number>();
    for (const [i, { pod }] of this.placement.pods.entries()) {
      if (pod.hostNetwork) continue;
      const key = FAMILIES.map((family) => this.#classes[family][i]!.id).join();
      if (!first.has(key)) first.set(key, i);
    }
    return [...first.values()];
  }

  /**
   * The whole relation in samples: every pair of representatives, and each with the ends of every range of addresses at
   * which its answer changes; ports at the borders of each set of ports, and some that the manifests mention.
   */
  questions(most: number): Question[] | undefined {
    const pods = this.representatives();
    const questions: Question[] = [];
    let turn = 0;
    const ask = (from: ProbeEnd, to: ProbeEnd, family: Family): boolean => {
      const { possible, certain } = this.#answer(from, to, family);
      for (const protocol of ASKED) {
        for (const port of this.#ports([possible, certain], protocol, turn++)) {
          questions.push({ from, to, family, protocol, port });
        }
      }
      return questions.length <= most;
    };
    for (const family of FAMILIES) {
      const here = pods.filter((pod) => this.placement.pods[pod]!.addresses[family] !== undefined);
      for (const from of here) {
        for (const to of here) {
          if (from !== to && !ask({ is: 'pod', pod: from }, { is: 'pod', pod: to }, family)) return undefined;
        }
        for (const direction of ['egress', 'ingress'] as const) {
          const own: ProbeEnd = { is: 'pod', pod: from };
          for (const value of this.#outside(this.#classes[family][from]!, direction, family)) {
            const there: ProbeEnd = { is: 'address', value };
            if (!(direction === 'egress' ? ask(own, there, family) : ask(there, own, family))) return undefined;
          }
        }
      }
    }
    return questions;
  }

  #answer(from: ProbeEnd, to: ProbeEnd, family: Family): Answer {
    const engine = this.#engines[family];
    const classes = this.#classes[family];
    if (from.is === 'address')
      return this.#addressAnswer(classes[(to as { pod: number }).pod]!, 'ingress', family, from.value);
    if (to.is === 'address') return this.#addressAnswer(classes[from.pod]!, 'egress', family, to.value);
    const [source, target] = [classes[from.pod]!, classes[to.pod]!];
    return both(engine.admits(source, 'egress', target), engine.admits(target, 'ingress', source));
  }

  #addressAnswer(subject: PodClass, direction: Direction, family: Family, value: bigint): Answer {
    const pieces = this.#engines[family].reach(subject, direction).addresses;
    return pieces.find((one) => one.family === family && one.from <= value && one.to >= value)!.answer;
  }

  /** Why nothing is shown about a direction of a pod. */
  #reasonAt(subject: PodClass, family: Family, direction: Direction): string | undefined {
    const applying = this.#engines[family].applying(subject).filter(({ match }) => match !== NO);
    const covers = (policy: Policy): boolean => policy[direction] !== undefined;
    for (const { policy, reason } of this.left) {
      if (applying.some((one) => one.policy === policy) && covers(policy)) {
        return `${policy.kind} ${policy.namespace === '' ? '' : `${policy.namespace}/`}${policy.name}: ${reason}`;
      }
    }
    const admin = applying.map(({ policy }) => policy).filter(({ tier }) => tier === 'admin' || tier === 'baseline');
    const places = new Map<string, Policy>();
    for (const policy of admin.filter(covers)) {
      const key = `${policy.tier} ${policy.priority}`;
      const other = places.get(key);
      if (other !== undefined) return `NP-21: ${other.name} and ${policy.name} have one priority`;
      places.set(key, policy);
    }
    return undefined;
  }

  #ports(sets: readonly PortSet[], protocol: 'TCP' | 'UDP', turn: number): number[] {
    const borders = new Set<number>();
    for (const { intervals } of sets) {
      for (let i = 0; i < intervals[protocol].length; i += 2) {
        const [from, to] = [intervals[protocol][i]!, intervals[protocol][i + 1]!];
        for (const port of [from - 1, from, to, to + 1]) if (port >= FIRST_PORT && port <= LAST_PORT) borders.add(port);
      }
    }
    const own = [...borders];
    const some = own.length <= PORTS ? own : own.filter((_, i) => (i * PORTS) % own.length < PORTS);
    const mentioned = this.#mentioned;
    // In turn, so that over all pairs each is asked for.
    const more = [0, 1].flatMap((step) =>
      mentioned.length === 0 ? [] : mentioned[(2 * turn + step) % mentioned.length]!,
    );
    return [...new Set([...some, ...more, ...(some.length + more.length === 0 ? [80] : [])])];
  }

  #outside(subject: PodClass, direction: Direction, family: Family): bigint[] {
    const pieces = this.#engines[family].reach(subject, direction).addresses.filter((one) => one.family === family);
    const ends = new Set(pieces.flatMap(usableEnds));
    // Somebody in the middle of nowhere as well: the ends may all lie in blocks.
    ends.add(family === 4 ? 0xc6336401n : 0x20010db8ffff00000000000000000077n);
    const free = [...ends].filter((value) => !this.#taken.has(`${family} ${value}`));
    return free.length <= RANGES ? free : free.filter((_, i) => (i * RANGES) % free.length < RANGES);
  }
}

/** Every number that a policy or a pod gives a port, and the numbers beside. */
function portsIn({ policies, pods }: Cluster): number[] {
  const found = new Set<number>();
  for (const { ingress = [], egress = [] } of policies) {
    for (const { ports } of [...ingress, ...egress]) {
      if (ports === 'all') continue;
      for (const port of ports) if (!isNamed(port)) for (const one of [port.from, port.to, port.to + 1]) found.add(one);
    }
  }
  for (const { ports } of pods) for (const { number } of ports) found.add(number);
  return [...found].filter((port) => port >= FIRST_PORT && port <= LAST_PORT).sort((a, b) => a - b);
}
