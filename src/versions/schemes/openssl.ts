import { compareDigits, compareText, type Order } from '../number.ts';

/** OpenSSL: letters after the third number up to 1.1.1 (`z` before `za`), semantic versions from 3.0.0 on. */
export function compareOpenssl(a: string, b: string): Order | undefined {
  const [x, y] = [parse(a), parse(b)];
  if (x === undefined || y === undefined) return undefined;
  for (let i = 0; i < 3; i++) {
    const order = compareDigits(x.numbers[i] ?? '0', y.numbers[i] ?? '0');
    if (order !== 0) return order;
  }
  if (x.letters.length !== y.letters.length) return x.letters.length < y.letters.length ? -1 : 1;
  if (x.letters !== y.letters) return compareText(x.letters, y.letters);
  if ((x.pre === undefined) !== (y.pre === undefined)) return x.pre === undefined ? 1 : -1;
  const [p = ['', '0'], q = ['', '0']] = [x.pre, y.pre];
  return compareText(p[0], q[0]) || compareDigits(p[1], q[1]);
}

function parse(
  text: string,
): { numbers: readonly string[]; letters: string; pre: readonly [string, string] | undefined } | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)([a-z]*)(?:-([a-z]+)(\d*))?$/.exec(text);
  if (match === null) return undefined;
  const [, major = '', minor = '', patch = '', letters = '', word, number = ''] = match;
  const pre = word === undefined ? undefined : ([word, number === '' ? '0' : number] as const);
  return { numbers: [major, minor, patch], letters, pre };
}
