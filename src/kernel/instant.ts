/** A point in time: RFC 3339 in UTC with whole seconds, `2026-11-22T06:00:00Z`. Strings of this form sort by time. */
export type Instant = string;

const INSTANT = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

export function isInstant(value: unknown): value is Instant {
  return typeof value === 'string' && INSTANT.test(value) && !Number.isNaN(Date.parse(value));
}

export function instantOf(milliseconds: number): Instant {
  return new Date(Math.floor(milliseconds / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

/** Time, as a port: it is read once per decision and passed on. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}
