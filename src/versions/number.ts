export type Order = -1 | 0 | 1;

/** Digits of any length, compared as numbers. */
export function compareDigits(a: string, b: string): Order {
  const x = a.replace(/^0+(?=\d)/, '');
  const y = b.replace(/^0+(?=\d)/, '');
  if (x.length !== y.length) return x.length < y.length ? -1 : 1;
  return compareText(x, y);
}

export function compareText(a: string, b: string): Order {
  return a < b ? -1 : a > b ? 1 : 0;
}
