import type { Style } from '#kernel';

const plain = (text: string): string => text;

/** Colours for a terminal; identity functions elsewhere and under NO_COLOR (no-color.org). */
export function styleFor(
  stream: { isTTY?: boolean; columns?: number },
  env: Record<string, string | undefined>,
): Style {
  const width = Math.max(40, stream.columns ?? 100);
  const colour = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  if (!colour) return { bold: plain, dim: plain, good: plain, bad: plain, warn: plain, width };
  const paint = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
  return { bold: paint(1, 22), dim: paint(2, 22), good: paint(32, 39), bad: paint(31, 39), warn: paint(33, 39), width };
}
