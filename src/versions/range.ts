import { type Problem, problem } from '#formats';
import { type Compare, orderOf } from './order.ts';

export const comparators = ['<', '<=', '=', '!=', '>=', '>'] as const;
export type Comparator = (typeof comparators)[number];

export interface Constraint {
  readonly comparator: Comparator;
  readonly version: string;
}

/** A range of versions in the VERS notation (package-url/vers-spec); `*` alone stands for every version. */
export interface VersionRange {
  readonly scheme: string;
  readonly constraints: readonly Constraint[] | '*';
}

const LIMIT = 64 * 1024;

/** Reads `vers:scheme/constraints` as it is written; whether it is sorted is not asked. */
export function parseVers(text: string): VersionRange | Problem {
  if (text.length > LIMIT) return problem('', `It is longer than ${LIMIT} characters.`);
  const [, scheme, body] = /^vers:([a-z][a-z0-9.+-]*)\/(.*)$/s.exec(text) ?? [];
  if (scheme === undefined || body === undefined) return problem('', "A range is 'vers:scheme/constraints'.");
  if (body === '*') return { scheme, constraints: '*' };
  const constraints: Constraint[] = [];
  const seen = new Set<string>();
  for (const part of body.split('|')) {
    const [, sign = '', encoded = ''] = /^(<=|>=|!=|<|>)?(.*)$/s.exec(part) ?? [];
    if (encoded === '' || encoded === '*' || /[\s<>=!*]/.test(encoded)) return problem(part, 'It is no constraint.');
    if (scheme === 'datetime' && /%3a/i.test(encoded)) return problem(part, 'The colons of a moment are not encoded.');
    let version: string;
    try {
      version = decodeURIComponent(encoded);
    } catch {
      return problem(part, 'Its percent encoding is not UTF-8.');
    }
    const comparator = sign === '' ? '=' : (sign as Comparator);
    if (seen.has(`${comparator}${version}`)) return problem(part, 'It is there twice.');
    seen.add(`${comparator}${version}`);
    constraints.push({ comparator, version });
  }
  return { scheme, constraints };
}

/** The canonical text: constraints sorted by version. A problem where a version is none of its scheme. */
export function formatVers({ scheme, constraints }: VersionRange): string | Problem {
  if (constraints === '*') return `vers:${scheme}/*`;
  const compare = orderOf(scheme);
  if (compare === undefined) return problem(scheme, 'Nothing is known here of how its versions are ordered.');
  const wrong = constraints.find(({ version }) => compare(version, version) === undefined);
  if (wrong !== undefined) return problem(wrong.version, `It is no version of ${scheme}.`);
  const sorted = sort(constraints, compare);
  return `vers:${scheme}/${sorted
    .map(({ comparator, version }) => `${comparator === '=' ? '' : comparator}${encode(version)}`)
    .join('|')}`;
}

function sort(constraints: readonly Constraint[], compare: Compare): Constraint[] {
  const rank = ({ comparator }: Constraint): number => comparators.indexOf(comparator);
  return constraints.toSorted((a, b) => (compare(a.version, b.version) ?? 0) || rank(a) - rank(b));
}

/** What separates constraints, and the percent sign itself. */
function encode(version: string): string {
  return version.replace(/[\s%|<>=!*,]/g, (c) => encodeURIComponent(c));
}

/**
 * Whether a version is in a range (vers-spec, "Checking if a version is contained within a range"). A problem, and never
 * a no, where the scheme is unknown or a version is none of it.
 */
export function contains({ scheme, constraints }: VersionRange, version: string): boolean | Problem {
  if (constraints === '*') return true;
  const compare = orderOf(scheme);
  if (compare === undefined) return problem(scheme, 'Nothing is known here of how its versions are ordered.');
  for (const one of [version, ...constraints.map((constraint) => constraint.version)]) {
    if (compare(one, one) === undefined) return problem(one, `It is no version of ${scheme}.`);
  }
  const to = (constraint: Constraint): number => compare(version, constraint.version) ?? 0;
  const equal = constraints.filter((constraint) => to(constraint) === 0);
  if (equal.some(({ comparator }) => comparator === '!=')) return false;
  if (equal.some(({ comparator }) => comparator === '=' || comparator === '<=' || comparator === '>=')) return true;
  const bounds = sort(
    constraints.filter(({ comparator }) => comparator !== '=' && comparator !== '!='),
    compare,
  );
  // Only exclusions: everything else is in.
  if (bounds.length === 0) return constraints.every(({ comparator }) => comparator === '!=') && constraints.length > 0;
  const isUpper = ({ comparator }: Constraint): boolean => comparator.startsWith('<');
  const [first, last] = [bounds[0], bounds.at(-1)];
  if (first !== undefined && isUpper(first) && to(first) < 0) return true;
  if (last !== undefined && !isUpper(last) && to(last) > 0) return true;
  return bounds.some((lower, i) => {
    const upper = bounds[i + 1];
    return upper !== undefined && !isUpper(lower) && isUpper(upper) && to(lower) > 0 && to(upper) < 0;
  });
}
