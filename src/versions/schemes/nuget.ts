import { compareDigits, compareText, type Order } from '../number.ts';

/** NuGet: one to four numbers, then a pre-release of semantic versioning in which case is nothing. */
export function compareNuget(a: string, b: string): Order | undefined {
  const [x, y] = [parse(a), parse(b)];
  if (x === undefined || y === undefined) return undefined;
  for (let i = 0; i < 4; i++) {
    const order = compareDigits(x.numbers[i] ?? '0', y.numbers[i] ?? '0');
    if (order !== 0) return order;
  }
  if (x.pre.length === 0 || y.pre.length === 0) return Math.sign(y.pre.length - x.pre.length) as Order;
  for (let i = 0; i < Math.max(x.pre.length, y.pre.length); i++) {
    const p = x.pre[i];
    const q = y.pre[i];
    if (p === undefined) return -1;
    if (q === undefined) return 1;
    const [isNumber, isOther] = [/^\d+$/.test(p), /^\d+$/.test(q)];
    if (isNumber !== isOther) return isNumber ? -1 : 1;
    const order = isNumber ? compareDigits(p, q) : compareText(p, q);
    if (order !== 0) return order;
  }
  return 0;
}

function parse(text: string): { numbers: readonly string[]; pre: readonly string[] } | undefined {
  const match = /^(\d+(?:\.\d+){0,3})(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/s.exec(text);
  if (match === null) return undefined;
  return { numbers: (match[1] ?? '').split('.'), pre: match[2]?.toLowerCase().split('.') ?? [] };
}
