import { compareDigits, compareText, type Order } from '../number.ts';

interface Parsed {
  readonly main: readonly string[];
  readonly pre: readonly string[] | undefined;
  readonly build: readonly string[] | undefined;
}

function parse(text: string): Parsed {
  const [, main = '', pre, build] = /^([^+-]*)(?:-([^+]*))?(?:\+(.*))?$/s.exec(text) ?? [];
  const items = main.split('.');
  while (items.length > 1 && items.at(-1) === '0') items.pop();
  return { main: items, pre: pre?.split('.'), build: build?.split('.') };
}

/** Conan's versions (its "Version ranges" page): like semantic versions of any length, letters too; zeros at the end are nothing. */
export function compareConan(a: string, b: string): Order {
  const [x, y] = [parse(a), parse(b)];
  const order = compareItems(x.main, y.main);
  if (order !== 0) return order;
  if ((x.pre === undefined) !== (y.pre === undefined)) return x.pre === undefined ? 1 : -1;
  return compareItems(x.pre ?? [], y.pre ?? []) || compareItems(x.build ?? [], y.build ?? []);
}

function compareItems(a: readonly string[], b: readonly string[]): Order {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const x = a[i];
    const y = b[i];
    if (x === undefined) return -1;
    if (y === undefined) return 1;
    const order = /^\d+$/.test(x) && /^\d+$/.test(y) ? compareDigits(x, y) : compareText(x, y);
    if (order !== 0) return order;
  }
  return 0;
}
