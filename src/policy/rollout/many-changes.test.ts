import assert from 'node:assert/strict';
import { test } from 'node:test';
import { analyse } from '../analysis.ts';
import { includes, PROTOCOLS } from '../port-set.ts';
import { admitsPacket, type RawObject } from '../testing/packets.ts';
import { randomCluster } from '../testing/random-cluster.ts';
import { type Trouble, troublesOf } from './comparison.ts';
import { planRollout, type RolloutPlan } from './plan.ts';

const utf8 = new TextEncoder();

function read(items: readonly RawObject[]) {
  const bytes = utf8.encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const { cluster, connectivity, findings } = analyse([{ name: 'all.json', bytes }], 'specification');
  assert.ok(connectivity, JSON.stringify(findings));
  return { cluster, connectivity };
}

const key = ({ kind, metadata }: RawObject): string =>
  `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;

/** The states that a cluster goes through, made of raw objects by the steps alone. */
function statesOf(old: readonly RawObject[], now: readonly RawObject[], { steps }: RolloutPlan): RawObject[][] {
  let state = [...old];
  return steps.map(({ action, object, window }) => {
    const present = state.some((one) => key(one) === object);
    assert.equal(present, action !== 'create', `${action} ${object}`);
    state = state.filter((one) => key(one) !== object);
    if (action !== 'delete') {
      const next = (window?.manifest as RawObject | undefined) ?? now.find((one) => key(one) === object);
      assert.ok(next, object);
      state.push(next);
    }
    return state;
  });
}

/** Objects of the same name in both states are often there, and often differ. */
function policiesFrom(seed: number): RawObject[] {
  const found = new Map<string, RawObject>();
  for (let i = 0; i < 4; i++) {
    for (const one of randomCluster(seed + i, 'Cilium').objects)
      if (one.kind === 'NetworkPolicy') found.set(key(one), one);
  }
  return [...found.values()];
}

interface Packet {
  readonly from: RawObject | string;
  readonly to: RawObject | string;
  readonly protocol: (typeof PROTOCOLS)[number];
  readonly port: number;
}

function packetsAmong(pods: readonly RawObject[]): Packet[] {
  const ends = [...pods, '10.1.0.1', '192.0.2.9', '2001:db8::1'];
  const pairs = ends.flatMap((from) => ends.map((to) => [from, to] as const));
  return pairs
    .filter(([from, to]) => from !== to && !(typeof from === 'string' && typeof to === 'string'))
    .flatMap(([from, to]) =>
      PROTOCOLS.flatMap((protocol) => [53, 80, 81].map((port) => ({ from, to, protocol, port }))),
    );
}

const nameOf = (end: RawObject | string): string | undefined =>
  typeof end === 'string' ? undefined : `${end.metadata.namespace}/${end.metadata.name}[Pod]`;

/** Walls of two directions around one namespace, with the ports exchanged in the later state. */
function crossed(out: number, into: number): RawObject[] {
  const wall = (name: string, spec: object): RawObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'alpha' },
    spec: { podSelector: {}, ...spec },
  });
  return [
    wall('out', { policyTypes: ['Egress'], egress: [{ ports: [{ port: out }] }] }),
    wall('into', { policyTypes: ['Ingress'], ingress: [{ ports: [{ port: into }] }] }),
  ];
}

function change(seed: number): { base: RawObject[]; old: RawObject[]; now: RawObject[] } {
  const { objects } = randomCluster(seed, 'Cilium');
  const base = objects.filter(({ kind }) => kind === 'Namespace' || kind === 'Pod');
  const cross = seed % 4 === 0;
  const old = [...base, ...policiesFrom(seed + 1000), ...(cross ? crossed(53, 80) : [])];
  return { base, old, now: [...base, ...policiesFrom(seed + 3000), ...(cross ? crossed(80, 53) : [])] };
}

/**
 * Asks about every packet in every state. Whether blocks of addresses cover pods depends on the plugin; what is said has
 * to be true of each kind of them. Returns how many were asked, and how many a state exposes or loses.
 */
function judge(
  { base, old, now }: ReturnType<typeof change>,
  states: readonly (readonly RawObject[])[],
  troublesAt: (step: number) => readonly Trouble[],
  name: string,
): { asked: number; troubled: number } {
  let [asked, troubled] = [0, 0];
  const packets = packetsAmong(base.filter(({ kind }) => kind === 'Pod'));
  for (const cover of [true, false]) {
    const open = (list: readonly RawObject[]): boolean[] => packets.map((one) => admitsPacket(list, one, cover));
    const [was, will] = [open(old), open(now)];
    const answers = states.map(open);
    assert.deepEqual(answers.at(-1) ?? was, will, name);
    answers.forEach((is, step) => {
      packets.forEach(({ from, to, protocol, port }, i) => {
        asked++;
        if (was[i] !== will[i] || is[i] === was[i]) return;
        troubled++;
        const said = troublesAt(step).some(
          (one) =>
            (nameOf(from) ?? one.from) === one.from &&
            (nameOf(to) ?? one.to) === one.to &&
            includes(one.ports, protocol, port),
        );
        const what = `${is[i] ? 'exposed' : 'lost'} ${nameOf(from)} ${nameOf(to)} ${protocol} ${port}`;
        assert.ok(said, `${name}, step ${step + 1}: ${what}`);
      });
    });
  }
  return { asked, troubled };
}

test('of random changes the last state is the one wanted, and no state is worse than is said, packet by packet', () => {
  const counts = { safe: 0, unsafe: 0, unknown: 0, asked: 0, troubled: 0, windows: 0 };
  for (let seed = 1; seed <= 40; seed++) {
    const one = change(seed);
    const found = planRollout(read(one.old).cluster, read(one.now).cluster, 'specification');
    counts[found.verdict]++;
    counts.windows += found.steps.filter(({ window }) => window !== undefined).length;
    assert.ok(found.reached);
    const states = statesOf(one.old, one.now, found);
    const { asked, troubled } = judge(one, states, (step) => found.steps[step]!.troubles, `seed ${seed}`);
    if (found.verdict === 'safe') assert.equal(troubled, 0);
    counts.asked += asked;
    counts.troubled += troubled;
  }
  assert.ok(counts.asked > 50_000 && counts.troubled > 0 && counts.windows > 0, JSON.stringify(counts));
  assert.ok(counts.safe > 10 && counts.unsafe + counts.unknown > 0, JSON.stringify(counts));
});

test('what deleting before creating exposes and loses is all seen', () => {
  let troubled = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const one = change(seed);
    const isPolicy = ({ kind }: RawObject): boolean => kind === 'NetworkPolicy';
    let state = one.old;
    const states: RawObject[][] = [];
    for (const policy of one.old.filter(isPolicy)) states.push((state = state.filter((other) => other !== policy)));
    for (const policy of one.now.filter(isPolicy)) states.push((state = [...state, policy]));
    const [before, after] = [read(one.old).connectivity, read(one.now).connectivity];
    const told = states.map((each) => troublesOf(before, after, read(each).connectivity));
    troubled += judge(one, states, (step) => told[step]!, `seed ${seed}`).troubled;
  }
  assert.ok(troubled > 1000, `${troubled}`);
});

test('a connection that every order exposes is proved so among many other changes, whose orders cannot all be tried', () => {
  const named = (kind: string, name: string, namespace: string | undefined, spec: object): RawObject => ({
    apiVersion: kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'v1',
    kind,
    metadata: namespace === undefined ? { name } : { name, namespace },
    spec,
  });
  const pods = { containers: [{ name: 'c' }] };
  const base = Array.from({ length: 16 }, (_, i) => `n${i}`).flatMap((name) => [
    named('Namespace', name, undefined, {}),
    named('Pod', 'p', name, pods),
  ]);
  base.push(named('Namespace', 'alpha', undefined, {}), named('Pod', 'a', 'alpha', pods));
  base.push(named('Pod', 'b', 'alpha', pods));
  const more = Array.from({ length: 16 }, (_, i) =>
    named('NetworkPolicy', 'deny', `n${i}`, { podSelector: {}, policyTypes: ['Ingress'] }),
  );
  const [old, now] = [
    [...base, ...crossed(53, 80)],
    [...base, ...more, ...crossed(80, 53)],
  ];
  const found = planRollout(read(old).cluster, read(now).cluster, 'specification');
  assert.deepEqual([found.verdict, found.complete, found.reached], ['unsafe', true, true]);
  // All else is done without trouble, and the exposure is over after one step.
  assert.equal(found.steps.filter(({ troubles }) => troubles.length > 0).length, 1);
});
