import { type PythonEnvironment, versionRange } from './environment.ts';
import { normaliseName } from './names.ts';
import { parsePep440, parseSpecifiers, satisfies } from './version.ts';

/**
 * Environment markers (PEP 508, Dependency specifiers specification). The answer may be unknown: a target does not say
 * its kernel's release or, with `3.11`, its patch version. Unknown is never read as "not needed".
 */
export type Truth = true | false | 'unknown';

export type Marker =
  | { readonly kind: 'and' | 'or'; readonly left: Marker; readonly right: Marker }
  | { readonly kind: 'compare'; readonly left: Operand; readonly operator: string; readonly right: Operand };

type Operand = { readonly variable: string } | { readonly literal: string };

const VARIABLES = new Set([
  'python_version',
  'python_full_version',
  'os_name',
  'sys_platform',
  'platform_release',
  'platform_system',
  'platform_version',
  'platform_machine',
  'platform_python_implementation',
  'implementation_name',
  'implementation_version',
  'extra',
]);
/** Names of the setuptools age that pip still reads. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  'os.name': 'os_name',
  'sys.platform': 'sys_platform',
  'platform.version': 'platform_version',
  'platform.machine': 'platform_machine',
  'platform.python_implementation': 'platform_python_implementation',
  python_implementation: 'platform_python_implementation',
};
const TOKEN =
  /\s*(?:(\(|\))|(===|==|!=|<=|>=|~=|<|>)|(not\s+in\b|in\b)|(and\b|or\b)|("[^"]*"|'[^']*')|([A-Za-z_][A-Za-z0-9_.]*))/y;
const MAX_TOKENS = 2000;

/** Undefined where the text is not a marker. */
export function parseMarker(text: string): Marker | undefined {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const match = TOKEN.exec(text);
    if (match === null || tokens.length >= MAX_TOKENS) return undefined;
    tokens.push(match[0].trim());
  }
  let at = 0;
  let depth = 0;
  const or = (): Marker | undefined => {
    let left = and();
    while (left !== undefined && tokens[at] === 'or') {
      at += 1;
      const right = and();
      left = right === undefined ? undefined : { kind: 'or', left, right };
    }
    return left;
  };
  const and = (): Marker | undefined => {
    let left = one();
    while (left !== undefined && tokens[at] === 'and') {
      at += 1;
      const right = one();
      left = right === undefined ? undefined : { kind: 'and', left, right };
    }
    return left;
  };
  const one = (): Marker | undefined => {
    if (tokens[at] === '(') {
      if (depth > 50) return undefined;
      depth += 1;
      at += 1;
      const inner = or();
      if (inner === undefined || tokens[at] !== ')') return undefined;
      at += 1;
      depth -= 1;
      return inner;
    }
    const left = operandOf(tokens[at]);
    const operator = tokens[at + 1]?.replace(/\s+/g, ' ');
    const right = operandOf(tokens[at + 2]);
    if (left === undefined || right === undefined || operator === undefined) return undefined;
    if (!/^(?:===|==|!=|<=|>=|~=|<|>|in|not in)$/.test(operator)) return undefined;
    at += 3;
    return { kind: 'compare', left, operator, right };
  };
  const marker = or();
  return marker !== undefined && at === tokens.length ? marker : undefined;
}

function operandOf(token: string | undefined): Operand | undefined {
  if (token === undefined) return undefined;
  if (/^["']/.test(token)) return { literal: token.slice(1, -1) };
  const variable = OLD_NAMES[token] ?? token;
  return VARIABLES.has(variable) ? { variable } : undefined;
}

/** `extras`: those under which the requirement itself is asked for; none at the top of a requirements file. */
export function evaluate(marker: Marker, environment: PythonEnvironment, extras: readonly string[] = []): Truth {
  if (marker.kind === 'compare') return compare(marker, environment, extras);
  const left = evaluate(marker.left, environment, extras);
  const right = evaluate(marker.right, environment, extras);
  const decisive = marker.kind === 'or';
  if (left === decisive || right === decisive) return decisive;
  return left === 'unknown' || right === 'unknown' ? 'unknown' : !decisive;
}

function compare(
  { left, operator, right }: Extract<Marker, { kind: 'compare' }>,
  environment: PythonEnvironment,
  extras: readonly string[],
): Truth {
  const variable = 'variable' in left ? left.variable : 'variable' in right ? right.variable : undefined;
  if (variable === 'extra') {
    const literal = 'literal' in left ? left.literal : 'literal' in right ? right.literal : '';
    const has = extras.map(normaliseName).includes(normaliseName(literal));
    return operator === '==' ? has : operator === '!=' ? !has : 'unknown';
  }
  const lefts = valuesOf(left, environment);
  const rights = valuesOf(right, environment);
  if (lefts === undefined || rights === undefined) return 'unknown';
  const answers = new Set(lefts.flatMap((l) => rights.map((r) => compareValues(l, operator, r))));
  if (answers.size !== 1) return 'unknown';
  const [answer] = answers;
  // Both ends of the range agree: for == and != something in between may still differ.
  if (lefts.length + rights.length > 2 && /^(?:==|===|!=|in|not in)$/.test(operator)) {
    return operator === '!=' || operator === '=='
      ? insideRange(lefts, rights, operator, answer ?? 'unknown')
      : 'unknown';
  }
  return answer ?? 'unknown';
}

/** `python_full_version == "3.12.1"` on a target 3.11 is false whatever its patch version. */
function insideRange(lefts: readonly string[], rights: readonly string[], operator: '==' | '!=', answer: Truth): Truth {
  const range = lefts.length > 1 ? lefts : rights;
  const other = (lefts.length > 1 ? rights : lefts)[0] ?? '';
  if (other.endsWith('.*')) return answer;
  const within = satisfies(other, parseSpecifiers(`>=${range[0]},<=${range.at(-1)}`) ?? []);
  return within ? 'unknown' : operator === '!=';
}

function compareValues(left: string, operator: string, right: string): Truth {
  if (operator === 'in') return right.includes(left);
  if (operator === 'not in') return !right.includes(left);
  const specifiers = parseSpecifiers(`${operator}${right}`);
  if (specifiers !== undefined && specifiers.length === 1 && parsePep440(left) !== undefined) {
    return satisfies(left, specifiers);
  }
  switch (operator) {
    case '==':
    case '===':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    default:
      return 'unknown';
  }
}

/** The values that an operand may have, or undefined where the target says nothing about it. */
function valuesOf(operand: Operand, environment: PythonEnvironment): readonly string[] | undefined {
  if ('literal' in operand) return [operand.literal];
  const { target, implementation, major, minor, machine } = environment;
  const windows = target.os === 'windows';
  switch (operand.variable) {
    case 'python_version':
      return [`${major}.${minor}`];
    case 'python_full_version':
      return [...new Set(versionRange(environment))];
    case 'implementation_version':
      return implementation === 'cpython' ? [...new Set(versionRange(environment))] : undefined;
    case 'os_name':
      return [windows ? 'nt' : 'posix'];
    case 'sys_platform':
      return [windows ? 'win32' : 'linux'];
    case 'platform_system':
      return [windows ? 'Windows' : 'Linux'];
    case 'platform_machine':
      return [machine];
    case 'platform_python_implementation':
      return [implementation === 'pypy' ? 'PyPy' : 'CPython'];
    case 'implementation_name':
      return [implementation];
    default:
      return undefined;
  }
}
