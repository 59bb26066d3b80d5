import { compareDigits, type Order } from '../number.ts';

/** Moments of RFC 3339, with fractions of any length. Undefined where one is none. */
export function compareDatetime(a: string, b: string): Order | undefined {
  const [x, y] = [parse(a), parse(b)];
  if (x === undefined || y === undefined) return undefined;
  if (x.seconds !== y.seconds) return x.seconds < y.seconds ? -1 : 1;
  const length = Math.max(x.fraction.length, y.fraction.length);
  return compareDigits(x.fraction.padEnd(length, '0'), y.fraction.padEnd(length, '0'));
}

function parse(text: string): { seconds: number; fraction: string } | undefined {
  const match = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$/.exec(text);
  const seconds = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`.toUpperCase());
  return Number.isNaN(seconds) ? undefined : { seconds, fraction: match?.[2] ?? '0' };
}
