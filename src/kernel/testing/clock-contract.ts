import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, instantOf, isInstant } from '../index.ts';

/** What every clock must do: whole milliseconds since the epoch that make an instant, and time that does not run back. */
export function clockContract(name: string, clock: Clock): void {
  test(`${name}: tells milliseconds that make an instant, and does not run back`, () => {
    let before = clock.now();
    for (let i = 0; i < 1000; i++) {
      const now = clock.now();
      assert.ok(Number.isSafeInteger(now) && now >= before);
      before = now;
    }
    assert.ok(isInstant(instantOf(before)));
    assert.ok(before > Date.parse('2026-01-01T00:00:00Z'));
  });
}
