import type { Evidence } from '#kernel';

const LENGTHS = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 } as const;

/**
 * Evidence from a Subresource Integrity string (W3C SRI, as npm's `integrity`): hashes separated by spaces, unknown
 * algorithms skipped as the specification says. Undefined where a hash of a known algorithm is malformed.
 */
export function parseIntegrity(integrity: string, source: string): readonly Evidence[] | undefined {
  const found: Evidence[] = [];
  for (const token of integrity.split(/\s+/)) {
    if (token === '') continue;
    const match = /^([a-z0-9]+)-([A-Za-z0-9+/]+={0,2})(?:\?[\x21-\x7e]*)?$/.exec(token);
    if (match === null) return undefined;
    const algorithm = match[1] ?? '';
    if (!isAlgorithm(algorithm)) continue;
    const bytes = Buffer.from(match[2] ?? '', 'base64');
    if (bytes.length !== LENGTHS[algorithm]) return undefined;
    const value = bytes.toString('hex');
    if (found.some((e) => e.algorithm === algorithm && e.value === value)) continue;
    found.push({ algorithm, value, scope: 'file', source, grade: algorithm === 'sha1' ? 'weak' : 'strong' });
  }
  return found;
}

/** Evidence from a packument's `dist.shasum`: 40 hex digits of sha1. */
export function parseShasum(shasum: string, source: string): readonly Evidence[] {
  if (!/^[0-9a-fA-F]{40}$/.test(shasum)) return [];
  return [{ algorithm: 'sha1', value: shasum.toLowerCase(), scope: 'file', source, grade: 'weak' }];
}

/** Whether two sets speak of one file: true, false, or undefined where they share no algorithm. */
export function agree(a: readonly Evidence[], b: readonly Evidence[]): boolean | undefined {
  let answer: boolean | undefined;
  for (const { algorithm } of a) {
    const values = b.filter((e) => e.algorithm === algorithm).map((e) => e.value);
    if (values.length === 0) continue;
    const mine = a.filter((e) => e.algorithm === algorithm).map((e) => e.value);
    if (!mine.some((value) => values.includes(value))) return false;
    answer = true;
  }
  return answer;
}

/** The same, where several values of one algorithm remain: the clients accept any of them, a lock row must say which. */
export function isAmbiguous(evidence: readonly Evidence[]): boolean {
  return new Set(evidence.map((e) => e.algorithm)).size !== evidence.length;
}

function isAlgorithm(name: string): name is keyof typeof LENGTHS {
  return Object.hasOwn(LENGTHS, name);
}
