import type { Style } from '#kernel';

const same = (text: string): string => text;

/** For what is written to a file. */
export const PLAIN: Style = { bold: same, dim: same, good: same, bad: same, warn: same, width: 100 };
