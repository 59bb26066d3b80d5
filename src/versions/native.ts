import { isProblem, type Problem, problem } from '#formats';
import type { Comparator, Constraint, VersionRange } from './range.ts';

/** Reads a range as the tools of its ecosystem write it. A problem where it cannot be understood. */
export function fromNative(scheme: string, text: string): VersionRange | Problem {
  const read = Object.hasOwn(READERS, scheme) ? READERS[scheme] : undefined;
  if (read === undefined) return problem(scheme, 'Nothing is known here of how its ranges are written.');
  const constraints = text.length > LIMIT ? problem('', 'It is too long.') : read(text.trim());
  return constraints !== '*' && isProblem(constraints) ? constraints : { scheme, constraints };
}

const LIMIT = 64 * 1024;

type Read = readonly Constraint[] | '*' | Problem;

const READERS: Readonly<Record<string, (text: string) => Read>> = {
  npm: readNpm,
  conan: readConan,
  pypi: readPypi,
  nginx: readNginx,
  openssl: (text) => all(text.split(','), (one) => [{ comparator: '=', version: one.trim() }]),
};

const constraint = (comparator: Comparator, version: string): Constraint => ({ comparator, version });

/** The constraints of all parts; each once. */
function all(
  parts: readonly string[],
  read: (part: string) => readonly Constraint[] | Problem,
): Constraint[] | Problem {
  const found = new Map<string, Constraint>();
  for (const part of parts) {
    const constraints = read(part);
    if (isProblem(constraints)) return constraints;
    for (const one of constraints) found.set(`${one.comparator}${one.version}`, one);
  }
  return [...found.values()];
}

/** Comparators with their versions, spaces between them allowed: `>= 1.0 <2`. */
function tokens(text: string): { sign: string; version: string }[] | Problem {
  const found: { sign: string; version: string }[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const match = /^(<=|>=|=|<|>|~|\^)?\s*([^\s<>=~^]+)\s*/.exec(rest);
    if (match === null) return problem(rest, 'It is no comparator with a version.');
    found.push({ sign: match[1] ?? '', version: match[2] ?? '' });
    rest = rest.slice(match[0].length);
  }
  return found;
}

const bump = (numbers: readonly string[], at: number): string[] => [
  ...numbers.slice(0, at),
  String(BigInt(numbers[at] ?? '0') + 1n),
];

/** npm's ranges (node-semver). Numbers that are left out are zeros, as VERS writes them. */
function readNpm(text: string): Read {
  if (text === '' || text === '*') return '*';
  const full = (version: string): string[] | Problem => {
    const match = /^[v=]*(\d+)(?:\.(\d+))?(?:\.(\d+))?((?:-[0-9A-Za-z.-]+)?)(?:\+.*)?$/.exec(version);
    if (match === null) return problem(version, 'It is no version of npm.');
    return [match[1] ?? '0', match[2] ?? '0', match[3] ?? '0', match[4] ?? ''];
  };
  const write = ([major = '', minor = '', patch = '', pre = '']: readonly string[]): string =>
    `${major}.${minor}.${patch}${pre}`;
  return all(text.split('||'), (part) => {
    const hyphen = /^\s*(\S+)\s+-\s+(\S+)\s*$/.exec(part);
    const read = hyphen === null ? tokens(part) : tokens(`>=${hyphen[1]} <=${hyphen[2]}`);
    if (isProblem(read)) return read;
    const found: Constraint[] = [];
    for (const { sign, version } of read) {
      const parts = full(version);
      if (isProblem(parts)) return parts;
      if (sign === '~' || sign === '^') {
        const leading = parts.slice(0, 3).findIndex((number) => !/^0+$/.test(number));
        const at = sign === '~' ? 1 : leading < 0 ? 2 : leading;
        found.push(constraint('>=', write(parts)));
        found.push(constraint('<', write([...bump(parts.slice(0, 3), at), '0', '0'].slice(0, 3))));
      } else found.push(constraint(sign === '' ? '=' : (sign as Comparator), write(parts)));
    }
    return found;
  });
}

/** Conan 2's ranges. The dash that lets pre-releases in is in the upper bounds that it writes itself. */
function readConan(text: string): Read {
  const bare = text.replace(/,\s*include_prerelease.*$/, '').trim();
  if (bare === '') return [];
  return all(bare.split('||'), (part) => {
    if (/^\s*\*-?\s*$/.test(part)) return [constraint('>=', '0.0.0')];
    const read = tokens(part);
    if (isProblem(read)) return read;
    const found: Constraint[] = [];
    for (const { sign, version: written } of read) {
      const version = written.replace(/-$/, '');
      if (sign !== '~' && sign !== '^') {
        found.push(constraint(sign === '' ? '=' : (sign as Comparator), version));
        continue;
      }
      const numbers = /^\d+(?:\.\d+)*/.exec(version)?.[0].split('.');
      if (numbers === undefined) return problem(version, 'It does not begin with a number.');
      const leading = numbers.findIndex((number) => !/^0+$/.test(number));
      const at = sign === '~' ? Math.min(1, numbers.length - 1) : leading < 0 ? numbers.length - 1 : leading;
      found.push(constraint('>=', version), constraint('<', `${bump(numbers, at).join('.')}-`));
    }
    return found;
  });
}

/** PEP 440 version specifiers; what has no form in VERS (`===`, `==1.*`) is a problem. */
function readPypi(text: string): Read {
  return all(text.split(','), (part) => {
    const [, sign = '', version = ''] = /^\s*(~=|==|!=|<=|>=|<|>)\s*([^\s*]+)\s*$/.exec(part) ?? [];
    if (sign === '') return problem(part, 'It is no specifier that a range can say.');
    if (sign === '==') return [constraint('=', version)];
    if (sign !== '~=') return [constraint(sign as Comparator, version)];
    const numbers = /^\d+(?:\.\d+)+/.exec(version)?.[0].split('.');
    if (numbers === undefined) return problem(part, '~= takes two numbers or more.');
    return [constraint('>=', version), constraint('<', bump(numbers, numbers.length - 2).join('.'))];
  });
}

/** As nginx's advisories write: `a-b`, and `x.y.z+`, which ends with its branch where y is even (stable). */
function readNginx(text: string): Read {
  return all(text.split(','), (part) => {
    const one = part.trim();
    const [, from, to] = /^(\d+(?:\.\d+)*)-(\d+(?:\.\d+)*)$/.exec(one) ?? [];
    if (from !== undefined && to !== undefined) return [constraint('>=', from), constraint('<=', to)];
    const [, version, major = '', minor = ''] = /^((\d+)\.(\d+)\.\d+)\+$/.exec(one) ?? [];
    if (version !== undefined) {
      const isStable = Number(minor) % 2 === 0;
      const end = constraint('<', `${bump([major, minor], 1).join('.')}.0`);
      return [constraint('>=', version), ...(isStable ? [end] : [])];
    }
    return /^\d+(?:\.\d+)*$/.test(one) ? [constraint('=', one)] : problem(part, 'It is no range of nginx.');
  });
}
