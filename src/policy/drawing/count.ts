/** `12,345`. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1,000 workloads`, `1 policy`; `one` where the singular is more than the plural without its s. */
export function fact(number: number, word: string, one: string = word): string {
  if (number === 1) return `1 ${one}`;
  return `${count(number)} ${one === word ? `${word}s` : word}`;
}
