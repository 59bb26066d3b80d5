import { decodeBase64, encodeBase64, type Problem, problem } from '#formats';
import { parseSize } from './checkpoint.ts';
import { HASH_BYTES, type Hash } from './tree.ts';

/** An inclusion proof with its checkpoint (C2SP tlog-proof). */
export interface InclusionProof {
  readonly index: number;
  /** From the leaf's sibling to the root's child. */
  readonly hashes: readonly Hash[];
  /** Exact bytes. */
  readonly checkpoint: Uint8Array;
}

const HEADER = 'c2sp.org/tlog-proof@v1';

export function formatProof({ index, hashes, checkpoint }: InclusionProof): Uint8Array {
  const lines = [HEADER, `index ${index}`, ...hashes.map((hashed) => encodeBase64(hashed)), '', ''];
  return Buffer.concat([Buffer.from(lines.join('\n'), 'utf8'), checkpoint]);
}

/** Takes a proof apart; an `extra` line is skipped, because nothing authenticates it. Judges no signature. */
export function parseProof(bytes: Uint8Array): InclusionProof | Problem {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const split = buffer.indexOf('\n\n');
  if (split < 0) return problem('', 'The proof has no blank line before its checkpoint.');
  const lines = buffer.subarray(0, split).toString('utf8').split('\n');
  if (lines.shift() !== HEADER) return problem('line 1', `The proof does not begin with ${HEADER}.`);
  if (lines[0]?.startsWith('extra ') === true) lines.shift();
  const index = parseSize(/^index (.*)$/.exec(lines.shift() ?? '')?.[1] ?? '');
  if (index === undefined) return problem('index', "The index is not 'index' and a minimal decimal number.");
  const hashes: Hash[] = [];
  for (const line of lines) {
    const hashed = decodeBase64(line);
    if (hashed === undefined || hashed.length !== HASH_BYTES) {
      return problem('hash', 'A hash of the proof is not 32 bytes in canonical base64.');
    }
    hashes.push(hashed);
  }
  return { index, hashes, checkpoint: buffer.subarray(split + 2) };
}
