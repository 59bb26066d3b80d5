import type { Medium } from './medium.ts';

const CHUNK = 1024 ** 2;

/**
 * Bytes of a medium in order, through two buffers: while one is used, the other is being filled. What `take` returns
 * stays as it is until the next `take`: whoever writes it elsewhere must have finished by then.
 */
export class ReadAhead {
  readonly #medium: Medium;
  #current: Uint8Array = new Uint8Array(0);
  #at = 0;
  #next: { buffer: Uint8Array; filled: Promise<number> } | undefined;
  #spare: Uint8Array | undefined;
  #offset = 0;

  constructor(medium: Medium) {
    this.#medium = medium;
    this.#spare = Buffer.allocUnsafe(CHUNK);
    this.#fill(Buffer.allocUnsafe(CHUNK));
  }

  /** Bytes taken so far. */
  get offset(): number {
    return this.#offset;
  }

  #fill(buffer: Uint8Array): void {
    const filled = this.#medium.read(buffer);
    // A failure is reported by the take that needs these bytes; until then it must not count as unhandled.
    filled.catch(() => undefined);
    this.#next = { buffer, filled };
  }

  /** 1 to `most` bytes; none at the end of the medium. */
  async take(most: number): Promise<Uint8Array> {
    if (this.#at === this.#current.length) {
      if (this.#next === undefined) return this.#current.subarray(0, 0);
      const { buffer, filled } = this.#next;
      const length = await filled;
      const spare = this.#spare;
      this.#spare = buffer;
      this.#current = buffer.subarray(0, length);
      this.#at = 0;
      this.#next = undefined;
      if (length === buffer.length && spare !== undefined) this.#fill(spare);
    }
    const piece = this.#current.subarray(this.#at, this.#at + most);
    this.#at += piece.length;
    this.#offset += piece.length;
    return piece;
  }

  /** Exactly `length` bytes, copied; fewer only at the end of the medium. Keep `length` small: it is allocated. */
  async exactly(length: number): Promise<Uint8Array> {
    const whole = Buffer.allocUnsafe(length);
    let have = 0;
    while (have < length) {
      const piece = await this.take(length - have);
      if (piece.length === 0) break;
      whole.set(piece, have);
      have += piece.length;
    }
    return whole.subarray(0, have);
  }

  /** Waits for a read that is under way, so that the medium can be closed. */
  async settle(): Promise<void> {
    await this.#next?.filled.catch(() => undefined);
  }
}
