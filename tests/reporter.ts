import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

/** One test as tests/run.ts counts it. */
export interface Outcome {
  readonly file: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped, or what failed. */
  readonly reason: string;
  readonly milliseconds: number;
}

/** Reporter of node:test: says only what failed or was skipped, and writes every outcome as a line for tests/run.ts. */
export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const results = process.env['SALLYPORT_TEST_RESULTS'];
  const names: string[] = [];
  for await (const event of events) {
    if (event.type === 'test:start') {
      names.length = event.data.nesting;
      names[event.data.nesting] = event.data.name;
    }
    if (event.type === 'test:stderr' || event.type === 'test:stdout') yield event.data.message;
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { data } = event;
    if (data.details.type === 'suite' && event.type === 'test:pass' && data.skip === undefined) continue;
    const error = event.type === 'test:fail' ? event.data.details.error : undefined;
    // A parent fails because of a subtest: the subtest is what counts.
    if ((error as { failureType?: string } | undefined)?.failureType === 'subtestsFailed') continue;
    const file = data.file === undefined ? '' : relative(process.cwd(), data.file);
    const name = [...names.slice(0, data.nesting), data.name].join(' > ');
    const skip = data.skip ?? data.todo;
    const skipped = skip !== undefined && skip !== false;
    const outcome: Outcome = {
      file,
      name,
      outcome: skipped ? 'skipped' : error === undefined ? 'passed' : 'failed',
      reason: skipped
        ? typeof skip === 'string' && skip !== ''
          ? skip
          : 'no reason given'
        : error === undefined
          ? ''
          : text(error),
      milliseconds: data.details.duration_ms,
    };
    if (results !== undefined) appendFileSync(results, `${JSON.stringify(outcome)}\n`);
    if (outcome.outcome === 'failed') yield `\nFAILED ${file}: ${name}\n${indent(outcome.reason)}\n`;
    if (outcome.outcome === 'skipped') yield `skipped ${file}: ${name}: ${outcome.reason}\n`;
  }
}

function text(error: Error & { cause?: unknown }): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  return cause.stack ?? String(cause.message);
}

function indent(lines: string): string {
  return lines
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
