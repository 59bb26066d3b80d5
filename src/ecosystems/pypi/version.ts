/** Versions of Python packages: PEP 440 (Version specifiers specification of the PyPA). */
export interface Pep440 {
  readonly epoch: string;
  /** Without trailing zeros. */
  readonly release: readonly string[];
  readonly pre: readonly ['a' | 'b' | 'rc', string] | undefined;
  readonly post: string | undefined;
  readonly dev: string | undefined;
  readonly local: readonly string[] | undefined;
}

// PEP 440, appendix B, with the normalisations that it allows.
const VERSION =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/;

const PRE: Readonly<Record<string, 'a' | 'b' | 'rc'>> = { a: 'a', alpha: 'a', b: 'b', beta: 'b' };

/** Undefined where it is not a version. */
export function parsePep440(version: string): Pep440 | undefined {
  if (version.length > 256) return undefined;
  const match = VERSION.exec(version.trim().toLowerCase());
  if (match === null) return undefined;
  const [, epoch, release, pre, preNumber, implicitPost, post, postNumber, dev, devNumber, local] = match;
  const parts = (release ?? '').split('.').map(decimal);
  while (parts.length > 1 && parts.at(-1) === '0') parts.pop();
  return {
    epoch: decimal(epoch ?? '0'),
    release: parts,
    pre: pre === undefined ? undefined : [PRE[pre] ?? 'rc', decimal(preNumber ?? '')],
    post:
      implicitPost !== undefined ? decimal(implicitPost) : post !== undefined ? decimal(postNumber ?? '') : undefined,
    dev: dev === undefined ? undefined : decimal(devNumber ?? ''),
    local: local?.split(/[-_.]/).map((part) => (/^\d+$/.test(part) ? decimal(part) : part)),
  };
}

/** Undefined where one of them is not a version. */
export function comparePep440(a: string, b: string): -1 | 0 | 1 | undefined {
  const x = parsePep440(a);
  const y = parsePep440(b);
  return x === undefined || y === undefined ? undefined : compareParsed(x, y);
}

export function compareParsed(a: Pep440, b: Pep440): -1 | 0 | 1 {
  return comparePublic(a, b) || compareLocal(a.local, b.local);
}

function comparePublic(a: Pep440, b: Pep440): -1 | 0 | 1 {
  const epoch = compareDecimal(a.epoch, b.epoch);
  if (epoch !== 0) return epoch;
  const release = compareRelease(a.release, b.release);
  if (release !== 0) return release;
  // dev alone < a < b < rc < final < post; a dev of a phase comes before the phase itself.
  const phase = compareNumber(phaseOf(a), phaseOf(b));
  if (phase !== 0) return phase;
  const pre = compareDecimal(a.pre?.[1] ?? '0', b.pre?.[1] ?? '0');
  if (pre !== 0) return pre;
  const post = compareOptional(a.post, b.post, -1);
  return post !== 0 ? post : compareOptional(a.dev, b.dev, 1);
}

function phaseOf(v: Pep440): number {
  if (v.pre !== undefined) return { a: 1, b: 2, rc: 3 }[v.pre[0]];
  return v.post === undefined && v.dev !== undefined ? 0 : 4;
}

function compareRelease(a: readonly string[], b: readonly string[]): -1 | 0 | 1 {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const order = compareDecimal(a[i] ?? '0', b[i] ?? '0');
    if (order !== 0) return order;
  }
  return 0;
}

/** Absent sorts before (`absent` = -1) or after (1) everything that is present. */
function compareOptional(a: string | undefined, b: string | undefined, absent: -1 | 1): -1 | 0 | 1 {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? absent : absent === 1 ? -1 : 1;
  return compareDecimal(a, b);
}

function compareLocal(a: readonly string[] | undefined, b: readonly string[] | undefined): -1 | 0 | 1 {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const x = a[i];
    const y = b[i];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const xNumeric = /^\d+$/.test(x);
    const yNumeric = /^\d+$/.test(y);
    if (xNumeric !== yNumeric) return xNumeric ? 1 : -1;
    const order = xNumeric ? compareDecimal(x, y) : x < y ? -1 : x > y ? 1 : 0;
    if (order !== 0) return order;
  }
  return 0;
}

function decimal(digits: string): string {
  return digits.replace(/^0+(?=\d)/, '') || '0';
}

function compareDecimal(a: string, b: string): -1 | 0 | 1 {
  if (a.length !== b.length) return a.length < b.length ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareNumber(a: number, b: number): -1 | 0 | 1 {
  return a < b ? -1 : a > b ? 1 : 0;
}

// ------------------------------------------------------------------------------------------------------- specifiers

export interface Specifier {
  readonly operator: '==' | '!=' | '<=' | '>=' | '<' | '>' | '~=' | '===';
  readonly version: string;
}

/** `>=1.0,!=1.3.*`: undefined where one clause is not a specifier. */
export function parseSpecifiers(text: string): readonly Specifier[] | undefined {
  const specifiers: Specifier[] = [];
  for (const clause of text.split(',')) {
    if (clause.trim() === '') continue;
    const match = /^\s*(===|==|!=|<=|>=|~=|<|>)\s*([^\s,;()]+)\s*$/.exec(clause);
    if (match === null) return undefined;
    const operator = match[1] as Specifier['operator'];
    const version = match[2] ?? '';
    const wildcard = /\.\*$/.test(version);
    if (wildcard && operator !== '==' && operator !== '!=') return undefined;
    if (operator !== '===' && parsePep440(version.replace(/\.\*$/, '')) === undefined) return undefined;
    specifiers.push({ operator, version });
  }
  return specifiers;
}

/** Whether a version satisfies all of them, with prereleases allowed (the caller has one exact version in hand). */
export function satisfies(version: string, specifiers: readonly Specifier[]): boolean {
  const v = parsePep440(version);
  return v !== undefined && specifiers.every((s) => satisfiesOne(version, v, s));
}

function satisfiesOne(text: string, v: Pep440, { operator, version }: Specifier): boolean {
  if (operator === '===') return text.trim().toLowerCase() === version.toLowerCase();
  if (version.endsWith('.*')) {
    const matches = isPrefix(version.slice(0, -2), v);
    return operator === '==' ? matches : !matches;
  }
  const s = parsePep440(version);
  if (s === undefined) return false;
  // A local label of the candidate counts only where the specifier has one too.
  const order = s.local === undefined ? comparePublic(v, s) : compareParsed(v, s);
  switch (operator) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<=':
      return order <= 0;
    case '>=':
      return order >= 0;
    case '<':
      return order < 0 && !(isPrerelease(v) && !isPrerelease(s) && sameRelease(v, s));
    case '>':
      return order > 0 && !(v.post !== undefined && s.post === undefined && sameRelease(v, s));
    case '~=': {
      const prefix = version.replace(
        /(?:[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview|post|rev|r|dev)[-_.]?\d*|-\d+|\+.*)+$/i,
        '',
      );
      const parts = prefix.split('.');
      return parts.length > 1 && order >= 0 && isPrefix(parts.slice(0, -1).join('.'), v);
    }
  }
}

function isPrefix(prefix: string, v: Pep440): boolean {
  const match = /^v?(?:(\d+)!)?(.*)$/i.exec(prefix.trim());
  if (decimal(match?.[1] ?? '0') !== v.epoch) return false;
  const parts = (match?.[2] ?? '').split('.').map(decimal);
  return parts.every((part, i) => (v.release[i] ?? '0') === part);
}

function isPrerelease(v: Pep440): boolean {
  return v.pre !== undefined || v.dev !== undefined;
}

function sameRelease(a: Pep440, b: Pep440): boolean {
  return a.epoch === b.epoch && compareRelease(a.release, b.release) === 0;
}
