import { createHash, type Hash } from 'node:crypto';
import { type Digest, digestFromHex, type Evidence } from '#kernel';

/** Algorithms that hash the file itself. */
type FileAlgorithm = 'sha1' | 'md5' | 'sha256' | 'sha384' | 'sha512';

export interface Mismatch {
  readonly algorithm: string;
  readonly expected: string;
  readonly found: string;
  /** Who said so. */
  readonly source: string;
}

/** Every hash that a file is expected to have, computed in one pass over its bytes. */
export class Hashes {
  readonly #hashes = new Map<FileAlgorithm, Hash>();
  readonly #expected: readonly Evidence[];
  #size = 0;

  constructor(expected: readonly Evidence[]) {
    this.#expected = expected;
    this.#hashes.set('sha256', createHash('sha256'));
    for (const { algorithm, scope } of expected) {
      if (scope !== 'file' || algorithm === 'h1' || algorithm === 'yarn-zip') {
        throw new Error(`capture cannot check ${algorithm} over a ${scope}: the ecosystem must`);
      }
      if (!this.#hashes.has(algorithm)) this.#hashes.set(algorithm, createHash(algorithm));
    }
  }

  get size(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    for (const hash of this.#hashes.values()) hash.update(bytes);
    this.#size += bytes.length;
  }

  /** The digest, and the first expectation that does not hold. */
  finish(): { readonly digest: Digest; readonly mismatch: Mismatch | undefined } {
    const values = new Map([...this.#hashes].map(([algorithm, hash]) => [algorithm as string, hash.digest('hex')]));
    let mismatch: Mismatch | undefined;
    for (const { algorithm, value, source } of this.#expected) {
      const found = values.get(algorithm);
      if (found !== value) mismatch ??= { algorithm, expected: value, found: found ?? '', source };
    }
    return { digest: digestFromHex(values.get('sha256')!), mismatch };
  }
}
