import { compareDigits, compareText, type Order } from '../number.ts';

interface Parsed {
  readonly numbers: readonly string[];
  readonly letter: string;
  readonly suffixes: readonly { readonly rank: number; readonly number: string }[];
  readonly revision: string;
}

/** Suffixes by their order; what has none stands at 0. */
const GENTOO: Readonly<Record<string, number>> = { alpha: -4, beta: -3, pre: -2, rc: -1, p: 1 };
/** apk-tools: version control suffixes lie between nothing and a patch. */
const APK: Readonly<Record<string, number>> = {
  alpha: -4,
  beta: -3,
  pre: -2,
  rc: -1,
  cvs: 1,
  svn: 2,
  git: 3,
  hg: 4,
  p: 5,
};

function parse(version: string, ranks: Readonly<Record<string, number>>): Parsed | undefined {
  const match = /^(\d+(?:\.\d+)*)([a-z]?)((?:_[a-z]+\d*)*)(?:~[0-9a-f]+)?(?:-r(\d+))?$/.exec(version);
  if (match === null) return undefined;
  const [, numbers = '', letter = '', tail = '', revision = '0'] = match;
  const suffixes: { rank: number; number: string }[] = [];
  for (const [, word = '', number = ''] of tail.matchAll(/_([a-z]+)(\d*)/g)) {
    const rank = Object.hasOwn(ranks, word) ? ranks[word] : undefined;
    if (rank === undefined) return undefined;
    suffixes.push({ rank, number: number === '' ? '0' : number });
  }
  return { numbers: numbers.split('.'), letter, suffixes, revision };
}

/** Gentoo's Package Manager Specification, section 3.3. */
export function compareGentoo(a: string, b: string): Order | undefined {
  return compare(parse(a, GENTOO), parse(b, GENTOO));
}

/** Alpine's apk-tools: Gentoo's order with more suffixes. */
export function compareApk(a: string, b: string): Order | undefined {
  return compare(parse(a, APK), parse(b, APK));
}

function compare(a: Parsed | undefined, b: Parsed | undefined): Order | undefined {
  if (a === undefined || b === undefined) return undefined;
  for (let i = 0; i < Math.max(a.numbers.length, b.numbers.length); i++) {
    const x = a.numbers[i];
    const y = b.numbers[i];
    if (x === undefined) return -1;
    if (y === undefined) return 1;
    // After the first number, one that begins with 0 makes both fractions.
    const isFraction = i > 0 && (x.startsWith('0') || y.startsWith('0'));
    const order = isFraction ? compareText(x.replace(/0+$/, ''), y.replace(/0+$/, '')) : compareDigits(x, y);
    if (order !== 0) return order;
  }
  if (a.letter !== b.letter) return compareText(a.letter, b.letter);
  for (let i = 0; i < Math.max(a.suffixes.length, b.suffixes.length); i++) {
    const x = a.suffixes[i] ?? { rank: 0, number: '0' };
    const y = b.suffixes[i] ?? { rank: 0, number: '0' };
    if (x.rank !== y.rank) return x.rank < y.rank ? -1 : 1;
    const order = compareDigits(x.number, y.number);
    if (order !== 0) return order;
  }
  return compareDigits(a.revision, b.revision);
}
