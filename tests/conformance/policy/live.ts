import assert from 'node:assert/strict';
import { type EnforcedCluster, type Question } from '#policy';
import { askKernel, type LiveOptions } from '#proving';
import { namespacesHere } from '#system/testing';

/** Why no kernel can be asked here; false: it can. */
export const { skip: unable } = await namespacesHere();

/** Of the kernel each probe is done before the call returns; what is waited for is silence. */
const PATIENCE = 100;

export interface Live {
  /** Questions whose live answer is not that of the analysis, in words. */
  readonly differences: string[];
  readonly open: number;
  readonly closed: number;
}

/** Asks the kernel what the analysis says, and compares. */
export async function compareLive(
  cluster: EnforcedCluster,
  questions: readonly Question[],
  options: Partial<LiveOptions> = {},
): Promise<Live> {
  const live = await askKernel(cluster, questions, {
    env: process.env,
    signal: new AbortController().signal,
    established: 'kept',
    patience: PATIENCE,
    ...options,
  });
  if ('forbidden' in live) assert.fail(live.forbidden);
  const differences = questions.flatMap((question, i) => {
    const { from, to, family, protocol, port } = question;
    const [analysed, { live: kernel }] = [cluster.answer(question), live.observed[i]!];
    if (kernel === 'open' ? analysed === 'allowed' : kernel === 'closed' && analysed === 'denied') return [];
    const ends = `${cluster.nameOf(from, family)} -> ${cluster.nameOf(to, family)} ${port}/${protocol} IPv${family}`;
    return [`${ends}: live ${kernel}, analysed ${analysed}`];
  });
  const count = (kind: string): number => live.observed.filter((one) => one.live === kind).length;
  return { differences, open: count('open'), closed: count('closed') };
}

/** Some at a time: most of the time of a run is waiting. */
export async function inLanes<T>(items: readonly T[], lanes: number, each: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await each(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
