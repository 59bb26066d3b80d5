import type { Question } from '#policy';

/** Probes, and pods, beyond which less is asked for. */
export const MOST_QUESTIONS = 100_000;
export const MOST_PODS = 250;

/** How a report names what enforced the policies. */
export const ENFORCER = "Sallyport's own nftables rules";

export function podsOf(questions: readonly Question[]): number {
  return new Set(questions.flatMap(({ from, to }) => [from, to].flatMap((end) => (end.is === 'pod' ? end.pod : []))))
    .size;
}
