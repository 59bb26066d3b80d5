import { compareDigits, compareText, type Order } from '../number.ts';

/** An item of a Maven version: a number as digits, a qualifier, or a list after a dash or a change of kind. */
type Item = { readonly digits: string } | { readonly word: string } | Item[];

const QUALIFIERS = ['alpha', 'beta', 'milestone', 'rc', 'snapshot', '', 'sp'];
const RELEASE = QUALIFIERS.indexOf('');
const ALIASES: Readonly<Record<string, string>> = { ga: '', final: '', release: '', cr: 'rc' };
const SHORT: Readonly<Record<string, string>> = { a: 'alpha', b: 'beta', m: 'milestone' };

/** Maven's ComparableVersion (maven-artifact 3.8). Every text is a version. */
export function compareMaven(a: string, b: string): Order {
  return compare(parse(a), parse(b));
}

function parse(text: string): Item[] {
  const version = text.toLowerCase();
  const top: Item[] = [];
  const stack: Item[][] = [top];
  let list = top;
  let isDigit = false;
  let start = 0;
  const deeper = (): void => {
    const inner: Item[] = [];
    list.push(inner);
    stack.push(inner);
    list = inner;
  };
  const item = (end: number, isNumber: boolean, before = false): Item => {
    const part = version.slice(start, end);
    if (isNumber) return { digits: part };
    const word = before && Object.hasOwn(SHORT, part) ? (SHORT[part] ?? part) : part;
    return { word: Object.hasOwn(ALIASES, word) ? (ALIASES[word] ?? word) : word };
  };
  for (let i = 0; i < version.length; i++) {
    const c = version[i] ?? '';
    if (c === '.' || c === '-') {
      list.push(i === start ? { digits: '0' } : item(i, isDigit));
      start = i + 1;
      if (c === '-') deeper();
    } else if (/\d/.test(c) !== isDigit) {
      if (i > start) {
        list.push(item(i, isDigit, !isDigit));
        start = i;
        deeper();
      }
      isDigit = !isDigit;
    }
  }
  if (version.length > start) list.push(item(version.length, isDigit));
  for (const one of stack.reverse()) normalise(one);
  return top;
}

/** Nothing at the end is nothing: `1.0.0`, `1-ga` and `1` are one version. */
function normalise(list: Item[]): void {
  for (let i = list.length - 1; i >= 0; i--) {
    const item = list[i];
    if (item === undefined) continue;
    if (isNothing(item)) list.splice(i, 1);
    else if (!Array.isArray(item)) break;
  }
}

function isNothing(item: Item): boolean {
  if (Array.isArray(item)) return item.length === 0;
  return 'digits' in item ? /^0*$/.test(item.digits) : item.word === '';
}

function rankOf(word: string): string {
  const rank = QUALIFIERS.indexOf(word);
  return rank < 0 ? `${QUALIFIERS.length}-${word}` : String(rank);
}

function compare(a: Item, b: Item | undefined): Order {
  if (Array.isArray(a)) {
    if (b !== undefined && !Array.isArray(b)) return 'digits' in b ? -1 : 1;
    for (let i = 0; i < Math.max(a.length, b?.length ?? 0); i++) {
      const [x, y] = [a[i], b?.[i]];
      const order = x === undefined ? (y === undefined ? 0 : (-compare(y, undefined) as Order)) : compare(x, y);
      if (order !== 0) return order;
    }
    return 0;
  }
  if ('digits' in a) {
    if (b === undefined) return isNothing(a) ? 0 : 1;
    return !Array.isArray(b) && 'digits' in b ? compareDigits(a.digits, b.digits) : 1;
  }
  if (b === undefined) return compareText(rankOf(a.word), String(RELEASE));
  if (Array.isArray(b) || 'digits' in b) return -1;
  return compareText(rankOf(a.word), rankOf(b.word));
}
