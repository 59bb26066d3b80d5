import type { Attempt, AttemptKind } from '#enclave';
import { printable } from '#kernel';
import type { Step } from './report.ts';

/** A step that ended otherwise where nobody outside answers: it leans on what the sink said. */
export interface Leaning {
  readonly title: string;
  readonly withSink: Step['outcome'];
  readonly without: Step['outcome'];
  /** What the step without routes said. */
  readonly detail: string;
  /** Hosts and addresses outside that its machine had wanted, at most five. */
  readonly wanted: readonly string[];
}

/**
 * Compares the steps of two passes by their ids: the first with a sink that answers, the second without any route. A
 * step that only one pass has, or that could not be tried in either, is no difference.
 */
export function leanings(
  first: readonly Step[],
  second: readonly Step[],
  attempts: readonly Attempt[],
  machineOf: (id: string) => string,
): Leaning[] {
  const before = new Map(first.map((step) => [step.id, step]));
  const found: Leaning[] = [];
  for (const { id, title, outcome, detail } of second) {
    const earlier = before.get(id);
    if (earlier === undefined || earlier.outcome === outcome) continue;
    if (earlier.outcome === 'not-tested' || outcome === 'not-tested') continue;
    const wanted = new Set<string>();
    for (const attempt of attempts) {
      if (attempt.from !== machineOf(id) || !OUTSIDE.has(attempt.kind)) continue;
      const host = attempt.serverName ?? attempt.name ?? attempt.address;
      if (host !== undefined) wanted.add(host);
    }
    found.push({ title, withSink: earlier.outcome, without: outcome, detail, wanted: [...wanted].slice(0, 5) });
  }
  return found;
}

const OUTSIDE: ReadonlySet<AttemptKind> = new Set(['name', 'call']);

/** `npm ci of web/package-lock.json leans on an answer from outside (telemetry.example.test): …` */
export function describeLeaning({ title, withSink, without, detail, wanted }: Leaning): string {
  const hosts = wanted.length === 0 ? '' : ` (it wanted ${wanted.map(printable).join(', ')})`;
  if (without === 'failed')
    return `${title}: leans on an answer from outside${hosts}; without any it failed: ${detail}`;
  return `${title}: ${withSink} where outside answers${hosts}, ${without} without any route`;
}

/** Whether the sink had any say in what a machine did: an undeclared edge is refused in either pass. */
export function hadAnAnswer(machine: string, attempts: readonly Attempt[]): boolean {
  return attempts.some(({ from, kind }) => from === machine && OUTSIDE.has(kind));
}
