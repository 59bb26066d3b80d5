import { printable } from '#kernel';

/** Characters of one text from outside that a page shows; all of it stands in the JSON. */
const TEXT = 400;

/**
 * Escaped for elements and quoted attributes; control and bidirectional characters are shown, not obeyed; what is longer
 * than any honest name is cut, and says so.
 */
export function text(value: string, limit: number = TEXT): string {
  const whole = value.length <= limit;
  const shown = whole ? value : value.slice(0, limit);
  const lines = shown.split('\n').map((line) => printable(line));
  return `${escaped(lines.join('\n'))}${whole ? '' : `… (${count(value.length)} characters, whole in the JSON)`}`;
}

function escaped(value: string): string {
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** `12,345`. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 step`, `2 steps`. */
export function plural(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`;
}
