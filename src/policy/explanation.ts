import { addressText, parseAddress } from './addresses.ts';
import { reasonsOf } from './connections.ts';
import { type Place, placeText, sourceLines } from './document.ts';
import type { Direction, Engine, PodClass } from './engine.ts';
import { CONTROLLER, openings } from './entrances.ts';
import { type Cluster, isNamed, peerName, type Pod, type Policy, type Service, type ServicePort } from './model.ts';
import { includes, NO_PORTS, portRange, portText, type Protocol, PROTOCOLS, unite } from './port-set.ts';
import { selects, YES } from './selector.ts';

export type Outcome = 'allowed' | 'denied' | 'depends';

/** What the policies around one pod say of one packet. */
export interface Decision {
  readonly verdict: Outcome;
  readonly direction: Direction;
  /** Whose policies are asked. */
  readonly of: string;
  readonly peer: string;
  /** `5432/tcp`, that of the pod behind a Service. */
  readonly port: string;
  readonly rules: readonly {
    readonly policy: string;
    readonly action: string;
    readonly rule: string;
    readonly where: string;
    readonly certain: boolean;
    /** The rule as it is written, from `where` on. */
    readonly source: readonly string[];
  }[];
  /** The policies because of which all is closed that no rule allows. */
  readonly isolatedBy: readonly { readonly policy: string; readonly where: string }[];
  /** Of what is denied: rules that are about this peer, on other ports. */
  readonly near: readonly {
    readonly policy: string;
    readonly rule: string;
    readonly where: string;
    readonly ports: string;
  }[];
  readonly depends: readonly string[];
}

/** What a Service, an Ingress or a Route makes of the packet. */
export interface Translation {
  readonly by: string;
  readonly where: string;
  /** `namespace/name[Kind]:port`, those that the packet may come to. */
  readonly to: readonly string[];
}

export interface ConnectionAnswer {
  readonly verdict: Outcome;
  readonly translation: readonly Translation[];
  readonly decisions: readonly Decision[];
  /** What is worth knowing beside the decisions. */
  readonly remarks: readonly string[];
}

export type End =
  | { readonly is: 'pods'; readonly name: string; readonly classes: readonly PodClass[] }
  | { readonly is: 'address'; readonly name: string; readonly address: NonNullable<ReturnType<typeof parseAddress>> }
  | { readonly is: 'service'; readonly name: string; readonly service: Service }
  | { readonly is: 'controller'; readonly name: string };

/**
 * What a word means: an address, `{ingress-controller}`, `namespace/name[Kind]`, or `namespace/name`, which is a workload
 * before it is a Service. Undefined: nothing here is called so.
 */
export function endOf(text: string, cluster: Cluster, engine: Engine): End | undefined {
  const address = parseAddress(text);
  if (address !== undefined) return { is: 'address', name: addressText(address.family, address.value), address };
  if (text === CONTROLLER) return { is: 'controller', name: CONTROLLER };
  const pods = cluster.pods.filter((pod) => peerName(pod) === text || `${pod.namespace}/${pod.name}` === text);
  if (pods.length > 0) return podsEnd(pods, engine);
  const service = cluster.services.find(
    ({ namespace, name }) => `${namespace}/${name}` === text || `${namespace}/${name}[Service]` === text,
  );
  return service && { is: 'service', name: serviceName(service), service };
}

function podsEnd(pods: readonly Pod[], engine: Engine): End {
  return { is: 'pods', name: peerName(pods[0]!), classes: [...new Set(pods.map((pod) => engine.classOf(pod)))] };
}

function serviceName({ namespace, name }: Service): string {
  return `${namespace}/${name}[Service]`;
}

/** Which rules let one connection through, or keep it out. At least one of the two ends is of pods. */
export function explainConnection(
  cluster: Cluster,
  engine: Engine,
  source: End,
  destination: End,
  protocol: Protocol,
  port: number,
): ConnectionAnswer {
  if (destination.is === 'service') {
    return throughService(cluster, engine, source, destination.service, protocol, port);
  }
  const decisions: Decision[] = [];
  const translation: Translation[] = [];
  if (source.is === 'controller') {
    if (destination.is !== 'pods' || engine.controller === undefined) {
      return { verdict: 'denied', translation, decisions, remarks: ['No Ingress and no Route leads there.'] };
    }
    const own = destination.classes.flatMap(({ pods }) => pods);
    for (const { pod, entrance, ports } of openings(cluster)) {
      if (!own.includes(pod) || !includes(ports, protocol, port)) continue;
      translation.push({
        by: `${entrance.namespace}/${entrance.service}[Service]`,
        where: placeText(entrance.place),
        to: [`${peerName(pod)}:${port}`],
      });
    }
  }
  const [from, to] = [classesOf(source, engine), classesOf(destination, engine)];
  const peers = (end: End): readonly (PodClass | NonNullable<ReturnType<typeof parseAddress>>)[] =>
    end.is === 'address' ? [end.address] : classesOf(end, engine);
  for (const own of from) {
    for (const peer of peers(destination)) {
      decisions.push(decide(engine, own, source.name, 'egress', peer, destination.name, protocol, port));
    }
  }
  for (const own of to) {
    for (const peer of peers(source)) {
      decisions.push(decide(engine, own, destination.name, 'ingress', peer, source.name, protocol, port));
    }
  }
  const remarks: string[] = [];
  if (source.is === 'controller' && translation.length === 0) {
    remarks.push('No Ingress and no Route opens this port of it.');
    return { verdict: 'denied', translation, decisions, remarks };
  }
  return { verdict: verdictOf(decisions), translation, decisions, remarks };
}

function classesOf(end: End, engine: Engine): readonly PodClass[] {
  if (end.is === 'pods') return end.classes;
  return end.is === 'controller' && engine.controller !== undefined ? [engine.controller] : [];
}

/** Where pods of one owner differ, some being kept out is not all being kept out. */
function verdictOf(decisions: readonly Decision[]): Outcome {
  const sides = (['egress', 'ingress'] as const).map((side) => decisions.filter(({ direction }) => direction === side));
  if (sides.some((side) => side.length > 0 && side.every(({ verdict }) => verdict === 'denied'))) return 'denied';
  return decisions.every(({ verdict }) => verdict === 'allowed') ? 'allowed' : 'depends';
}

/** A packet to a Service goes to one of its pods; whether policies see it before or after that is not defined (NP-13). */
function throughService(
  cluster: Cluster,
  engine: Engine,
  source: End,
  service: Service,
  protocol: Protocol,
  port: number,
): ConnectionAnswer {
  const name = serviceName(service);
  const where = service.place === undefined ? '' : placeText(service.place);
  const own = service.ports.find((one) => one.number === port && one.protocol === protocol);
  const none = (remark: string): ConnectionAnswer => ({
    verdict: 'denied',
    translation: [{ by: name, where, to: [] }],
    decisions: [],
    remarks: [remark],
  });
  if (own === undefined) return none(`${name} has no port ${port}/${protocol.toLowerCase()}.`);
  const remarks: string[] = [];
  if (service.selector === undefined) {
    return {
      verdict: 'depends',
      translation: [{ by: name, where, to: [] }],
      decisions: [],
      remarks: [`${name} selects no pods: its endpoints are made by hand, and are in no manifest.`],
    };
  }
  const backends = new Map<string, Pod[]>();
  for (const pod of cluster.pods) {
    if (pod.namespace !== service.namespace || selects(service.selector, pod.labels) !== YES) continue;
    const target = targetOf(pod, own);
    if (target === undefined) {
      remarks.push(`${peerName(pod)} has no port called '${own.target}': it is no endpoint of ${name}.`);
      continue;
    }
    const key = `${peerName(pod)}:${target}`;
    backends.set(key, [...(backends.get(key) ?? []), pod]);
  }
  if (backends.size === 0)
    return {
      ...none(`${name} selects no workload of these manifests.`),
      remarks: [...remarks, `${name} selects no workload of these manifests.`],
    };
  const answers = [...backends].map(([key, pods]) => {
    const target = Number(key.slice(key.lastIndexOf(':') + 1));
    return explainConnection(cluster, engine, source, podsEnd(pods, engine), protocol, target);
  });
  const decisions = answers.flatMap((answer) => answer.decisions);
  const verdicts = new Set(answers.map(({ verdict }) => verdict));
  let verdict: Outcome = verdicts.size === 1 ? [...verdicts][0]! : 'depends';
  if (verdicts.size > 1) remarks.push('The pods behind the Service are not all treated alike.');
  for (const address of source.is === 'address' || source.is === 'service' ? [] : (service.addresses ?? [])) {
    const parsed = parseAddress(address)!;
    for (const from of classesOf(source, engine)) {
      const before = decide(engine, from, source.name, 'egress', parsed, address, protocol, port);
      decisions.push(before);
      // A rule that lets this address through speaks perhaps of the pods behind it; one that closes it may keep all out.
      if (verdict === 'allowed' && before.rules.some(({ action }) => action === 'deny')) {
        verdict = 'depends';
        remarks.push(
          `NP-13: a rule closes ${address}, the address of the Service; whether that counts depends on the CNI.`,
        );
      }
    }
  }
  return { verdict, translation: [{ by: name, where, to: [...backends.keys()] }], decisions, remarks };
}

/** A name is looked up among the pod's own ports (NP-08). */
function targetOf(pod: Pod, { target, protocol }: ServicePort): number | undefined {
  if (typeof target === 'number') return target;
  return pod.ports.find((one) => one.name === target && one.protocol === protocol)?.number;
}

function decide(
  engine: Engine,
  own: PodClass,
  of: string,
  direction: Direction,
  peer: PodClass | NonNullable<ReturnType<typeof parseAddress>>,
  peerText: string,
  protocol: Protocol,
  port: number,
): Decision {
  const { answer, steps, isolating } = engine.trace(own, direction, peer, protocol, port);
  const host = 'labels' in peer && peer.hostNetwork && direction === 'ingress';
  const possible = host || includes(answer.possible, protocol, port);
  const certain = includes(answer.certain, protocol, port);
  return {
    verdict: certain ? 'allowed' : possible ? 'depends' : 'denied',
    direction,
    of,
    peer: peerText,
    port: `${port}/${protocol.toLowerCase()}`,
    rules: steps.map(({ policy, rule, certain: sure }) => ({
      policy: policyName(policy),
      action: rule.action,
      rule: rule.name === '' ? ordinal(policy, direction, rule.place) : rule.name,
      where: placeText(rule.place),
      certain: sure,
      source: sourceLines(rule.place),
    })),
    isolatedBy: isolating.map((policy) => ({ policy: policyName(policy), where: placeText(policy.place) })),
    near: possible ? [] : nearMisses(engine, own, direction, peer, isolating),
    depends: possible && !certain ? reasonsOf(answer.why) : [],
  };
}

/** A rule is about a peer if it decides a packet on one of its own ports. */
function nearMisses(
  engine: Engine,
  own: PodClass,
  direction: Direction,
  peer: PodClass | NonNullable<ReturnType<typeof parseAddress>>,
  isolating: readonly Policy[],
): Decision['near'] {
  const destination = direction === 'ingress' ? own : 'labels' in peer ? peer : undefined;
  return isolating.flatMap((policy) =>
    (policy[direction] ?? []).flatMap((rule) => {
      if (rule.action !== 'allow' || rule.ports === 'all') return [];
      const ports = rule.ports.reduce(
        (set, one) =>
          isNamed(one)
            ? (destination?.ports.ports ?? [])
                .filter(({ name, protocol }) => name === one.name && (one.protocol ?? protocol) === protocol)
                .reduce((all, { protocol, number }) => unite(all, portRange(protocol, number, number)), set)
            : unite(set, portRange(one.protocol, one.from, one.to)),
        NO_PORTS,
      );
      const protocol = PROTOCOLS.find((one) => ports.intervals[one].length > 0);
      if (protocol === undefined) return [];
      const { steps } = engine.trace(own, direction, peer, protocol, ports.intervals[protocol][0]!);
      if (!steps.some((step) => step.rule === rule)) return [];
      return [
        {
          policy: policyName(policy),
          rule: rule.name === '' ? ordinal(policy, direction, rule.place) : rule.name,
          where: placeText(rule.place),
          ports: portText(ports),
        },
      ];
    }),
  );
}

/** `ingress rule 2`, where it has no name. */
function ordinal(policy: Policy, direction: Direction, place: Place): string {
  const index = (policy[direction] ?? []).findIndex((rule) => rule.place === place);
  return index === -1 ? '' : `${direction} rule ${index + 1}`;
}

export function policyName({ kind, namespace, name }: Policy): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}
