import { markup } from '#formats';

/** Characters of one text from outside that a page shows; all of it stands in the JSON. */
const TEXT = 400;
/** Characters of a command line where it is shown in short. */
const COMMAND = 60;

/**
 * Escaped for elements and quoted attributes; control and bidirectional characters are shown, not obeyed; what is longer
 * than any honest name is cut, and says so.
 */
export function text(value: string, limit: number = TEXT): string {
  const whole = value.length <= limit;
  const shown = whole ? value : value.slice(0, limit);
  const lines = shown.split('\n').map((line) => markup(line));
  return `${lines.join('\n')}${whole ? '' : `… (${count(value.length)} characters, whole in the JSON)`}`;
}

/** A command line in short: names of programs without their folders; all of it stands in the JSON. */
export function shortCommand(command: string): string {
  const short = command.replace(/\/[^\s'"]*\/([^\s/'"]+)/g, '$1');
  return text(short.length > COMMAND ? `${short.slice(0, COMMAND)}…` : short);
}

/** Digests within a sentence in short, where the whole stands elsewhere. */
export function withShortDigests(sentence: string): string {
  return sentence.replace(/\b([0-9a-f]{12})[0-9a-f]{52}\b/g, '$1…');
}

/** `12,345`. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 step`, `2 steps`. */
export function plural(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`;
}
