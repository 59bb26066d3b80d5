import {
  type Analysed,
  type Assertion,
  type EnforcedCluster,
  FAMILIES,
  type Family,
  parseAddress,
  peerName,
  type ProbeEnd,
  type Question,
} from '#policy';
import type { Observed } from './probe-plan.ts';

/** A row of a proof: one assertion, or one sample of the relation, with all the questions that it takes. */
export interface Asked {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly expect?: 'allow' | 'deny';
  readonly reason?: string;
  readonly where?: string;
  readonly questions: readonly Question[];
  /** Why nothing is asked; '' where something is. */
  readonly untested: string;
}

/** What a file of assertions asks of the kernel: each pair of pods that it means, in each family that both have. */
export function askedBy(
  cluster: EnforcedCluster,
  assertions: readonly Assertion[],
  families: readonly Family[] = FAMILIES,
): Asked[] {
  const ends = new Map<string, readonly ProbeEnd[] | undefined>();
  for (const [i, { pod }] of cluster.placement.pods.entries()) {
    for (const name of [peerName(pod), `${pod.namespace}/${pod.name}`]) {
      ends.set(name, [...(ends.get(name) ?? []), { is: 'pod', pod: i }]);
    }
  }
  const endsOf = (text: string): readonly ProbeEnd[] | undefined => {
    const address = parseAddress(text);
    return address === undefined ? ends.get(text) : [{ is: 'address', value: address.value }];
  };
  return assertions.map(({ from, to, port, protocol, expect, reason, where }): Asked => {
    const row = { from, to, port, protocol, expect, reason, where };
    const untested = (why: string): Asked => ({ ...row, questions: [], untested: why });
    if (protocol === 'SCTP') return untested('NP-10: SCTP is not tested here');
    const [sources, targets] = [endsOf(from), endsOf(to)];
    if (sources === undefined || targets === undefined) {
      return untested(
        `${sources === undefined ? from : to} is no workload and no address; Services are not called here`,
      );
    }
    const given = [from, to].map(parseAddress);
    if (given[0] !== undefined && given[1] !== undefined) return untested('neither end is a workload');
    const only = given.find((one) => one !== undefined)?.family;
    const questions: Question[] = [];
    const reasons = new Set<string>();
    for (const family of FAMILIES) {
      if (only !== undefined && family !== only) continue;
      for (const source of sources) {
        for (const target of targets) {
          const question = { from: source, to: target, family, protocol, port };
          const reason = cluster.untestable(question) ?? missing(family, families);
          if (reason === undefined) questions.push(question);
          else reasons.add(reason);
        }
      }
    }
    // A pod that has one family only is asked in that one; anything else that is not asked makes the row's answer partial.
    const partial = [...reasons].filter((reason) => !reason.startsWith('a pod has no address'));
    if (partial.length > 0 || questions.length === 0) return untested([...reasons].join('; '));
    return { ...row, questions, untested: '' };
  });
}

/** The relation in samples, a row each. */
export function askedOf(
  cluster: EnforcedCluster,
  questions: readonly Question[],
  families: readonly Family[] = FAMILIES,
): Asked[] {
  return questions.map((question) => {
    const { from, to, family, port, protocol } = question;
    const reason = cluster.untestable(question) ?? missing(family, families);
    return {
      from: cluster.nameOf(from, family),
      to: cluster.nameOf(to, family),
      port,
      protocol,
      questions: reason === undefined ? [question] : [],
      untested: reason ?? '',
    };
  });
}

function missing(family: Family, families: readonly Family[]): string | undefined {
  return families.includes(family) ? undefined : `the kernel of this machine has no IPv${family}`;
}

export type LiveAnswer =
  | 'allowed'
  | 'denied'
  | 'refused'
  | 'one way'
  | 'differs'
  | 'unstable'
  | 'unknown'
  | 'not tested';

export interface Judged {
  /** `not tested` is never a pass. */
  readonly verdict: 'holds' | 'fails' | 'unknown' | 'not tested';
  readonly live: LiveAnswer;
  readonly analysed: Analysed | 'differs' | 'unknown';
  readonly why: string;
}

/** What a row comes to: whether the kernel says what is expected, and what the analysis says. */
export function judged(
  { expect, untested, questions }: Asked,
  observed: readonly Observed[],
  analysed: readonly Analysed[],
): Judged {
  const theirs: Judged['analysed'] =
    analysed.length === 0 ? 'unknown' : analysed.every((one) => one === analysed[0]) ? analysed[0]! : 'differs';
  if (untested !== '') return { verdict: 'not tested', live: 'not tested', analysed: theirs, why: untested };
  const lives = observed.map(({ live }) => live);
  const of = (kind: Observed['live']): boolean => lives.includes(kind);
  const live: LiveAnswer = of('unstable')
    ? 'unstable'
    : of('unknown')
      ? 'unknown'
      : of('refused')
        ? 'refused'
        : of('one way')
          ? 'one way'
          : of('open') && of('closed')
            ? 'differs'
            : of('open')
              ? 'allowed'
              : 'denied';
  const row = { live, analysed: theirs };
  if (live === 'unstable') return { verdict: 'unknown', ...row, why: 'rounds disagree' };
  if (live === 'unknown') return { verdict: 'unknown', ...row, why: 'too few rounds had their controls' };
  if (live === 'refused') return { verdict: 'fails', ...row, why: 'something answered no, which is not silence' };
  if (live === 'one way') return { verdict: 'fails', ...row, why: 'it arrived, and no answer came back' };
  const wanted = expect === undefined ? undefined : expect === 'allow' ? 'allowed' : 'denied';
  if (wanted !== undefined && live !== wanted) {
    const detail = live === 'differs' ? 'some of its pods or families are let through and others not' : `it is ${live}`;
    return { verdict: 'fails', ...row, why: detail };
  }
  const agrees = questions.every((_, i) => analysed[i] === (lives[i] === 'open' ? 'allowed' : 'denied'));
  if (agrees) return { verdict: 'holds', ...row, why: '' };
  if (analysed.includes('depends'))
    return { verdict: 'unknown', ...row, why: 'the analysis has no certain answer here' };
  return { verdict: 'fails', ...row, why: 'the kernel and the analysis disagree, which is a defect' };
}
