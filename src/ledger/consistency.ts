import { decodeBase64, encodeBase64, type Problem, problem } from '#formats';
import { parseSize } from './checkpoint.ts';
import { HASH_BYTES, type Hash } from './tree.ts';

/** Consistency proofs to one size of a log, by the size that they begin at: what a bundle carries for whoever gets it. */
export type ConsistencyProofs = ReadonlyMap<number, readonly Hash[]>;

const HEADER = 'sallyport-consistency/1';
const PROOFS = 1024;

/**
 * A line `from <size>` and the hashes of RFC 6962 section 2.1.2 in base64, a line each, for every size, in rising order.
 * The checkpoint that they lead to stands elsewhere.
 */
export function formatConsistency(proofs: ConsistencyProofs): Uint8Array {
  const lines = [HEADER];
  for (const [from, hashes] of [...proofs].sort(([a], [b]) => a - b)) {
    lines.push(`from ${from}`, ...hashes.map(encodeBase64));
  }
  return Buffer.from(`${lines.join('\n')}\n`, 'utf8');
}

export function parseConsistency(bytes: Uint8Array): ConsistencyProofs | Problem {
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  if (lines.shift() !== HEADER) return problem('line 1', `It does not begin with ${HEADER}.`);
  if (lines.pop() !== '') return problem('', 'It does not end with a newline.');
  const proofs = new Map<number, Hash[]>();
  let current: Hash[] | undefined;
  let last = -1;
  for (const [index, line] of lines.entries()) {
    const where = `line ${index + 2}`;
    const digits = /^from (.*)$/.exec(line)?.[1];
    if (digits !== undefined) {
      const from = parseSize(digits);
      if (from === undefined || from <= last) return problem(where, 'Sizes are minimal decimal numbers that rise.');
      if (proofs.size === PROOFS) return problem(where, `It has more than ${PROOFS} proofs.`);
      last = from;
      current = [];
      proofs.set(from, current);
      continue;
    }
    const hashed = decodeBase64(line);
    if (current === undefined || hashed === undefined || hashed.length !== HASH_BYTES) {
      return problem(where, "It is neither 'from SIZE' nor a hash of 32 bytes in canonical base64.");
    }
    if (current.push(hashed) > 64) return problem(where, 'No proof has so many hashes.');
  }
  return proofs;
}
