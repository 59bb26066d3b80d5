import type { Clock, Progress, World } from '../index.ts';
import type { Files } from '../files.ts';

export { clockContract } from './clock-contract.ts';

/** A clock that stands still until it is moved. */
export function fixedClock(
  start = Date.parse('2026-11-22T06:00:00Z'),
): Clock & { advance(milliseconds: number): void } {
  let time = start;
  return {
    now: () => time,
    advance(milliseconds) {
      time += milliseconds;
    },
  };
}

/** A world for tests: collected progress, no terminal, an empty environment. */
export function testWorld(
  files: Files,
  cwd: string,
  over: Partial<World> = {},
): World & { readonly events: Progress[] } {
  const events: Progress[] = [];
  return {
    clock: fixedClock(),
    files,
    report: (event) => void events.push(event),
    signal: new AbortController().signal,
    cwd,
    env: {},
    ask: undefined,
    self: [],
    version: '0.0.0-test',
    ...over,
    events,
  };
}
