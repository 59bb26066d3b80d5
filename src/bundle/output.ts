import type { FileHandle } from '#kernel';

const CHUNK = 1024 ** 2;

/**
 * Writes a file in order. Small pieces are gathered; a large one is written from where it lies, while the caller goes
 * on: one write is under way at a time, and `direct` returns as soon as its own has begun.
 */
export class Output {
  readonly #file: FileHandle;
  #gather = Buffer.allocUnsafe(CHUNK);
  #other = Buffer.allocUnsafe(CHUNK);
  #used = 0;
  #pending: Promise<void> = Promise.resolve();
  /** Where the next byte goes. */
  offset = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + this.#gather.length - this.#used);
      this.#gather.set(piece, this.#used);
      this.#used += piece.length;
      at += piece.length;
      if (this.#used === this.#gather.length) await this.#flush();
    }
    this.offset += bytes.length;
  }

  /** `bytes` must stay as they are until the next call on this output has settled. */
  async direct(bytes: Uint8Array): Promise<void> {
    await this.#flush();
    await this.#pending;
    this.#begin(bytes);
    this.offset += bytes.length;
  }

  async finish(): Promise<void> {
    await this.#flush();
    await this.#pending;
  }

  /** Waits for a write that is under way, whatever becomes of it, so that the file can be closed. */
  async settle(): Promise<void> {
    await this.#pending.catch(() => undefined);
  }

  async #flush(): Promise<void> {
    if (this.#used === 0) return;
    await this.#pending;
    const full = this.#gather.subarray(0, this.#used);
    this.#gather = this.#other;
    this.#other = Buffer.from(full.buffer, full.byteOffset, CHUNK);
    this.#used = 0;
    this.#begin(full);
  }

  #begin(bytes: Uint8Array): void {
    this.#pending = this.#file.write(bytes);
    // The next call reports it; until then it must not count as unhandled.
    this.#pending.catch(() => undefined);
  }
}
