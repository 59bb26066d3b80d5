import type { Clock } from '#kernel';

/** The machine's clock. Only the composition root takes it; everybody else is given one. */
export const systemClock: Clock = { now: () => Date.now() };
