/**
 * Order of npm versions (Semantic Versioning 2.0.0, section 11). Undefined where one is not a version. A leading `v` or
 * `=` and build metadata carry no order.
 */
export function compareSemver(a: string, b: string): -1 | 0 | 1 | undefined {
  const x = parse(a);
  const y = parse(b);
  if (x === undefined || y === undefined) return undefined;
  for (let i = 0; i < 3; i += 1) {
    const order = compareNumbers(x.numbers[i] ?? '0', y.numbers[i] ?? '0');
    if (order !== 0) return order;
  }
  if (x.pre.length === 0 || y.pre.length === 0) return sign(Number(x.pre.length === 0) - Number(y.pre.length === 0));
  for (let i = 0; i < Math.max(x.pre.length, y.pre.length); i += 1) {
    const p = x.pre[i];
    const q = y.pre[i];
    if (p === undefined) return -1;
    if (q === undefined) return 1;
    const pNumeric = /^\d+$/.test(p);
    const qNumeric = /^\d+$/.test(q);
    if (pNumeric !== qNumeric) return pNumeric ? -1 : 1;
    const order = pNumeric ? compareNumbers(p, q) : p < q ? -1 : p > q ? 1 : 0;
    if (order !== 0) return order;
  }
  return 0;
}

export function isPrerelease(version: string): boolean {
  return (parse(version)?.pre.length ?? 0) > 0;
}

/** The highest release, or the highest prerelease where there is nothing else. */
export function highestRelease(versions: readonly string[]): string | undefined {
  let best: string | undefined;
  for (const version of versions) {
    if (parse(version) === undefined) continue;
    if (best === undefined) best = version;
    else if (isPrerelease(best) !== isPrerelease(version)) best = isPrerelease(best) ? version : best;
    else if (compareSemver(version, best) === 1) best = version;
  }
  return best ?? versions[0];
}

const VERSION = /^[v=\s]*(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/;

function parse(version: string): { numbers: string[]; pre: string[] } | undefined {
  const match = version.length > 256 ? null : VERSION.exec(version.trim());
  if (match === null) return undefined;
  return { numbers: [match[1] ?? '', match[2] ?? '', match[3] ?? ''], pre: match[4]?.split('.') ?? [] };
}

/** Numbers may be longer than 2^53: compared as decimal strings. */
function compareNumbers(a: string, b: string): -1 | 0 | 1 {
  const x = a.replace(/^0+(?=\d)/, '');
  const y = b.replace(/^0+(?=\d)/, '');
  if (x.length !== y.length) return x.length < y.length ? -1 : 1;
  return x < y ? -1 : x > y ? 1 : 0;
}

function sign(n: number): -1 | 0 | 1 {
  return n < 0 ? -1 : n > 0 ? 1 : 0;
}
