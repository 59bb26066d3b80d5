import { type AddressRange, rangeText } from './addresses.ts';
import { ALL_PORTS, intersect, portText, unite } from './port-set.ts';
import {
  type Answer,
  answerOf,
  both,
  Engine,
  NOTHING,
  type PodClass,
  type Profile,
  type Reach,
  WHY,
} from './engine.ts';
import type { Cni } from './enforcers.ts';
import { CONTROLLER, entrancesOf } from './entrances.ts';
import { policyFault } from './faults.ts';
import { type Cluster, peerName, type Pod } from './model.ts';

/** One row of a map. */
export interface Connection {
  /** `namespace/name[Kind]`, a range of addresses, or `{ingress-controller}`. */
  readonly from: string;
  readonly to: string;
  /** All that may be open. */
  readonly ports: string;
  /** Where it depends on what no manifest says: what is certainly open, and what decides the rest. */
  readonly certain?: string;
  readonly depends?: readonly string[];
}

/** A map before it is written down; ranges of addresses stay numbers. */
export interface Connectivity {
  readonly peers: readonly string[];
  /** By the position of source and destination among the peers. */
  readonly pairs: readonly { readonly from: number; readonly to: number; readonly answer: Answer }[];
  readonly outside: readonly OutsideRow[];
  readonly entrances: readonly { readonly to: number; readonly answer: Answer }[];
  /** Peers whose pods differ in what they may do; empty where each has one kind of pods. */
  readonly mixed: readonly Pod[];
}

export interface OutsideRow {
  readonly peer: number;
  readonly direction: 'ingress' | 'egress';
  readonly range: AddressRange;
  readonly answer: Answer;
}

interface Member {
  readonly peer: number;
  /** Whether the peer has pods of other classes too. */
  readonly mixed: boolean;
}

/** More rows, or more pods named by rules, than are held in memory. */
const ROWS = 3_000_000;
const ENTRIES = 20_000_000;

/** A map and the engine that made it, from which the next map takes what is as it was. */
export interface MapState {
  readonly engine: Engine;
  readonly found: Connectivity;
  readonly egress: readonly Reach[];
  readonly ingress: readonly Reach[];
  /** Some peer has pods of several classes. */
  readonly mixed: boolean;
}

/** Who can talk to whom. The work grows with classes of pods and with the rows that there are, not with pairs of pods. */
export function connectivity(cluster: Cluster, profile: Profile, cni?: Cni): Connectivity {
  return mapState(cluster, profile, cni).found;
}

/** The same, with what the next map needs; `before` is the state of the map before. */
export function mapState(cluster: Cluster, profile: Profile, cni?: Cni, before?: MapState): MapState {
  const engine = new Engine(cluster, profile, cni, before?.engine);
  const { classes } = engine;
  const peers = new Map<string, number>();
  const classesOf: Set<number>[] = [];
  for (const pod of cluster.pods) {
    const name = peerName(pod);
    let peer = peers.get(name);
    if (peer === undefined) peers.set(name, (peer = peers.size));
    (classesOf[peer] ??= new Set()).add(engine.classOf(pod).id);
  }
  const members: Member[][] = classes.map(() => []);
  classesOf.forEach((own, peer) => {
    for (const id of own) members[id]!.push({ peer, mixed: own.size > 1 });
  });
  const egress = classes.map((one) => engine.reach(one, 'egress'));
  const ingress = classes.map((one) => engine.reach(one, 'ingress'));

  // Where the classes are as they were, only what lies behind a wall that changed is looked at again.
  const someMixed = classesOf.some((own) => own.size > 1);
  const same = before !== undefined && engine.continued && !someMixed && !before.mixed ? before : undefined;
  const changedOut = classes.map(({ id }) => same === undefined || egress[id] !== same.egress[id]);
  const changedIn = classes.filter(({ id }) => same === undefined || ingress[id] !== same.ingress[id]);
  const changedReaches = new Set(changedIn.map(({ id }) => ingress[id]!.id));
  const positionIn: (number | undefined)[] = Array.from({ length: classes.length });
  changedIn.forEach(({ id }, i) => (positionIn[id] = i));
  const pairs: { from: number; to: number; answer: Answer }[] = [];
  if (same !== undefined) {
    const gone = new Set(changedIn.flatMap(({ id }) => members[id]!.map(({ peer }) => peer)));
    const left = new Set(classes.flatMap(({ id }) => (changedOut[id] ? members[id]!.map(({ peer }) => peer) : [])));
    for (const pair of same.found.pairs) if (!gone.has(pair.to) && !left.has(pair.from)) pairs.push(pair);
  }
  const addPair = (from: number, to: number, answer: Answer): void => {
    if (pairs.length === ROWS) throw policyFault('policy.too-many-rows', { where: `${peers.size} workloads` });
    pairs.push({ from, to, answer });
  };
  /** What differs among the pods of a peer is put together at the end; what is closed is not among the answers. */
  const several = new Map<number, { readonly answers: Set<Answer>; count: number }>();
  const add = (from: PodClass, to: PodClass, answer: Answer): void => {
    if (answer.possible.empty) return;
    for (const source of members[from.id]!) {
      for (const target of members[to.id]!) {
        if (source.peer === target.peer) continue;
        if (source.mixed || target.mixed) {
          const key = source.peer * peers.size + target.peer;
          const known = several.get(key);
          if (known === undefined) several.set(key, { answers: new Set([answer]), count: 1 });
          else {
            known.answers.add(answer);
            known.count++;
          }
        } else addPair(source.peer, target.peer, answer);
      }
    }
  };

  // ALG-5: where neither side is open to all, only pairs that a rule names are there.
  const entering = new Map(ingress.map((reach) => [reach.id, { reach, targets: [] as PodClass[] }]));
  for (const target of classes) entering.get(ingress[target.id]!.id)!.targets.push(target);
  // By source, one after the other: the reaches into which a rule names it, and beside them what they admit.
  let entries = 0;
  for (const { reach } of entering.values()) {
    entries += reach.named.length;
    if (entries > ENTRIES) throw policyFault('policy.too-many-rows', { where: `${classes.length} kinds of pods` });
  }
  const starts = new Uint32Array(classes.length + 1);
  for (const { reach } of entering.values()) for (const source of reach.named) starts[source + 1]!++;
  for (let i = 0; i < classes.length; i++) starts[i + 1]! += starts[i]!;
  const next = starts.slice(0, -1);
  const namingReach: Reach[] = Array.from({ length: entries });
  const namingAnswer: Answer[] = Array.from({ length: entries });
  for (const { reach } of entering.values()) {
    const { named, answers } = reach;
    const wanted = same === undefined || changedReaches.has(reach.id);
    for (let i = 0; i < named.length; i++) {
      if (!wanted && !changedOut[named[i]!]) continue;
      const at = next[named[i]!]!++;
      namingReach[at] = reach;
      namingAnswer[at] = answers[i]!;
    }
  }
  /** What a wall around sources admits of the targets that changed, where its rules name them. */
  const outward = new Map<number, (Answer | undefined)[]>();
  const outwardOf = (reach: Reach): (Answer | undefined)[] => {
    let found = outward.get(reach.id);
    if (found === undefined) {
      found = [];
      const { named, answers } = reach;
      for (let i = 0; i < named.length; i++) {
        const at = positionIn[named[i]!];
        if (at !== undefined) found[at] = answers[i];
      }
      outward.set(reach.id, found);
    }
    return found;
  };
  const open = [...entering.values()].filter(({ reach }) => reach.othersAllowed);
  const isOpen = ingress.map(({ othersAllowed }) => othersAllowed);
  const inAnswers: (Answer | undefined)[] = Array.from({ length: entering.size });
  const outAnswers: (Answer | undefined)[] = Array.from({ length: classes.length });
  for (const source of classes) {
    if (members[source.id]!.length === 0 || (!changedOut[source.id] && changedIn.length === 0)) continue;
    const reach = egress[source.id]!;
    const named = namingReach.slice(starts[source.id], next[source.id]);
    for (let i = 0; i < named.length; i++) inAnswers[named[i]!.id] = namingAnswer[starts[source.id]! + i];
    if (!changedOut[source.id]) {
      const outs = outwardOf(reach);
      changedIn.forEach((target, i) => {
        const one = ingress[target.id]!;
        const inward = fromHost(source, inAnswers[one.id] ?? one.others(source));
        if (!inward.possible.empty) add(source, target, both(outs[i] ?? reach.others(target), inward));
      });
      for (const one of named) inAnswers[one.id] = undefined;
      continue;
    }
    const { named: targets, answers } = reach;
    for (let i = 0; i < targets.length; i++) outAnswers[targets[i]!] = answers[i];
    const consider = (target: PodClass): void => {
      const one = ingress[target.id]!;
      let inward = inAnswers[one.id];
      if (inward === undefined) {
        if (!isOpen[target.id] && !source.hostNetwork) return;
        inward = one.others(source);
      }
      add(source, target, both(outAnswers[target.id] ?? reach.others(target), fromHost(source, inward)));
    };
    /** Of the targets behind one wall those that no rule of the source names: they are answered alike. */
    const enter = (one: Reach, behind: readonly PodClass[]): void => {
      const inward = inAnswers[one.id] ?? one.others(source);
      if (inward.possible.empty) return;
      const alike = reach.othersAlike ? both(reach.others(source), inward) : undefined;
      if (alike?.possible.empty === true) return;
      for (const target of behind) {
        if (outAnswers[target.id] === undefined) add(source, target, alike ?? both(reach.others(target), inward));
      }
    };
    if (source.hostNetwork) classes.forEach(consider);
    else {
      for (const id of targets) consider(classes[id]!);
      if (reach.othersAllowed) {
        for (const { reach: one, targets: behind } of open) enter(one, behind);
        for (const one of named) if (!one.othersAllowed) enter(one, entering.get(one.id)!.targets);
      }
    }
    for (const one of named) inAnswers[one.id] = undefined;
    for (const target of targets) outAnswers[target] = undefined;
  }

  const mixed = new Set<number>();
  for (const [key, { answers, count }] of several) {
    const [from, to] = [Math.floor(key / peers.size), key % peers.size];
    const all = classesOf[from]!.size * classesOf[to]!.size;
    const answer = together([...answers, ...(count < all ? [NOTHING] : [])]);
    if ((answer.why & WHY.podsDiffer) !== 0) {
      for (const peer of [from, to]) if (classesOf[peer]!.size > 1) mixed.add(peer);
    }
    if (!answer.possible.empty) addPair(from, to, answer);
  }

  const outside: OutsideRow[] = [];
  classesOf.forEach((own, peer) => {
    for (const direction of ['ingress', 'egress'] as const) {
      const reaches = [...own].map((id) => (direction === 'ingress' ? ingress : egress)[id]!);
      for (const row of outsideRows(reaches)) {
        if ((row.answer.why & WHY.podsDiffer) !== 0) mixed.add(peer);
        if (!row.answer.possible.empty) outside.push({ peer, direction, ...row });
      }
    }
  });

  const entrances: { to: number; answer: Answer }[] = [];
  const opened = new Map<number, Answer[]>();
  for (const [pod, answer] of entrancesOf(cluster, engine)) {
    const peer = peers.get(peerName(pod))!;
    opened.set(peer, [...(opened.get(peer) ?? []), answer]);
  }
  for (const [to, answers] of opened) {
    const answer = together(answers);
    if (!answer.possible.empty) entrances.push({ to, answer });
  }
  const first = new Map(cluster.pods.map((pod) => [peers.get(peerName(pod))!, pod]));
  const found = {
    peers: [...peers.keys()],
    pairs,
    outside,
    entrances,
    mixed: [...mixed].map((peer) => first.get(peer)!),
  };
  return { engine, found, egress, ingress, mixed: someMixed };
}

/** NP-15: what comes from a pod's own node is always let in, and a pod in its node's network may be on that one. */
function fromHost({ hostNetwork }: PodClass, answer: Answer): Answer {
  return hostNetwork ? answerOf(ALL_PORTS, answer.certain, answer.why | WHY.hostNetwork) : answer;
}

/** What is open for one of several pods, and what is open for all. */
export function together(answers: readonly Answer[]): Answer {
  const [head, ...rest] = answers;
  if (head === undefined || rest.length === 0) return head ?? NOTHING;
  let { possible, certain, why } = head;
  for (const answer of rest) {
    if (answer.possible !== head.possible || answer.certain !== head.certain) why |= WHY.podsDiffer;
    possible = unite(possible, answer.possible);
    certain = intersect(certain, answer.certain);
    why |= answer.why;
  }
  return answerOf(possible, certain, why);
}

/** The ranges of addresses at which the answers of classes change, and what they say together. */
export function outsideRows(reaches: readonly Reach[]): { range: AddressRange; answer: Answer }[] {
  if (reaches.length === 1) {
    return reaches[0]!.addresses.map(({ family, from, to, answer }) => ({ range: { family, from, to }, answer }));
  }
  const rows: { range: AddressRange; answer: Answer }[] = [];
  for (const family of [4, 6] as const) {
    const starts = [
      ...new Set(
        reaches.flatMap(({ addresses }) => addresses.filter((one) => one.family === family).map(({ from }) => from)),
      ),
    ].sort((a, b) => (a < b ? -1 : 1));
    const end = reaches[0]!.addresses.findLast((one) => one.family === family)!.to;
    starts.forEach((from, i) => {
      const to = (starts[i + 1] ?? end + 1n) - 1n;
      const answers = reaches.map(
        ({ addresses }) => addresses.find((one) => one.family === family && one.from <= from && one.to >= from)!.answer,
      );
      rows.push({ range: { family, from, to }, answer: together(answers) });
    });
  }
  return rows;
}

const REASONS: readonly (readonly [number, string])[] = [
  [WHY.blockAndPod, 'NP-11: whether a block of addresses covers pods depends on the CNI'],
  [WHY.addressUnknown, "NP-11: the pod's address is in no manifest"],
  [WHY.hostNetwork, "NP-16: a pod in its node's network is outside policies on most CNIs, and its own node is let in"],
  [WHY.baseline, 'NP-25: whether a NetworkPolicy for the other direction switches the Baseline off depends on the CNI'],
  [WHY.namespaceUnknown, "NP-05: the namespace's labels are in no manifest"],
  [WHY.elusivePeer, 'which addresses nodes, domain names, groups and entities have is in no manifest'],
  [WHY.dialect, 'only some network plugins enforce all the kinds of policies that are here; name yours with --cni'],
  [WHY.narrower, 'a rule lets only a part of the traffic on its ports through, such as some HTTP requests'],
  [WHY.accountUnknown, "the labels of the pod's service account are in no manifest"],
  [WHY.setting, 'it depends on the version of the network plugin, or on a setting that is in no policy'],
  [WHY.service, 'NP-13: whether a block of addresses is compared with those of Services depends on the CNI'],
  [WHY.podsDiffer, 'pods of one owner differ in their labels, ports or addresses'],
];

/** What the bits of an answer say, in words. */
export function reasonsOf(why: number): string[] {
  return REASONS.filter(([bit]) => (why & bit) !== 0).map(([, text]) => text);
}

export function rowOf(from: string, to: string, { possible, certain, why }: Answer): Connection {
  const row = { from, to, ports: portText(possible) };
  if (possible === certain) return row;
  return {
    ...row,
    certain: portText(certain),
    depends: reasonsOf(why),
  };
}

/** The rows of CONTRACTS, "Policy": pods in the order of the manifests, then addresses, then entrances. */
export function connectionsOf({ peers, pairs, outside, entrances }: Connectivity): Connection[] {
  const rows: Connection[] = [];
  for (const { from, to, answer } of pairs) rows.push(rowOf(peers[from]!, peers[to]!, answer));
  for (const { peer, direction, range, answer } of outside) {
    const [here, there] = [peers[peer]!, rangeText(range)];
    rows.push(direction === 'egress' ? rowOf(here, there, answer) : rowOf(there, here, answer));
  }
  for (const { to, answer } of entrances) rows.push(rowOf(CONTROLLER, peers[to]!, answer));
  return rows;
}
