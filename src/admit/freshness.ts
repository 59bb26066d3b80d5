/** From best to worst. */
export const grades = ['fresh', 'aging', 'stale', 'expired'] as const;
export type Grade = (typeof grades)[number];

const DAY = 24 * 60 * 60 * 1000;

export interface Freshness {
  readonly grade: Grade;
  /** Whole days since it was sealed. */
  readonly days: number;
}

/**
 * How old a bundle is by the later of the operator's clock and the floor. Graded, never a hard end: behind a gap updates
 * are late by design, and a clock alone must not stop them (the knowledge of when is worth less than who and what).
 */
export function freshnessOf(
  sealed: string,
  now: number,
  bounds: { readonly aging: number; readonly stale: number; readonly expired: number },
): Freshness {
  const days = Math.max(0, (now - Date.parse(sealed)) / DAY);
  const grade =
    days >= bounds.expired ? 'expired' : days >= bounds.stale ? 'stale' : days >= bounds.aging ? 'aging' : 'fresh';
  return { grade, days: Math.floor(days) };
}

export function worseThan(a: Grade, b: Grade): boolean {
  return grades.indexOf(a) > grades.indexOf(b);
}
