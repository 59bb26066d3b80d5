import type { RandomBytes } from '#formats';
import { LIMITS } from './limits.ts';
import { refuse } from './problem.ts';

const BLOCK = 32 * 1024;
const BLOCKS = 64;

interface Shared {
  readonly source: RandomBytes;
  readonly blocks: Map<number, Buffer>;
  read: number;
}

/**
 * The structures of a medium: small reads inside fixed bounds, through a cache, with a budget for all of them together.
 * Whatever a pointer says, nothing outside of the bounds is read. Content of files does not go through here.
 */
export class MediumBytes {
  /** Where these bytes begin on the medium. */
  readonly start: number;
  readonly size: number;
  readonly #shared: Shared;

  private constructor(shared: Shared, start: number, size: number) {
    this.#shared = shared;
    this.start = start;
    this.size = size;
  }

  static of(source: RandomBytes): MediumBytes {
    return new MediumBytes({ source, blocks: new Map(), read: 0 }, 0, source.size);
  }

  /** A part of these bytes, for instance a partition. */
  part(start: number, size: number, where: string): MediumBytes {
    this.#inside(start, size, where);
    return new MediumBytes(this.#shared, this.start + start, size);
  }

  #inside(position: number, length: number, where: string): void {
    if (
      !Number.isSafeInteger(position) ||
      !Number.isSafeInteger(length) ||
      position < 0 ||
      length < 0 ||
      position + length > this.size
    ) {
      refuse(
        'media.bounds',
        where,
        `It is said to lie at byte ${position}, ${length} bytes long; ${this.size} are there.`,
      );
    }
  }

  /** A copy of `length` bytes at `position`. Throws media.bounds, media.limit, and what the medium throws. */
  async at(position: number, length: number, where: string): Promise<Buffer> {
    this.#inside(position, length, where);
    const whole = Buffer.allocUnsafe(length);
    for (let done = 0; done < length;) {
      const absolute = this.start + position + done;
      const number = Math.floor(absolute / BLOCK);
      const block = await this.#block(number, where);
      const offset = absolute - number * BLOCK;
      const count = Math.min(length - done, block.length - offset);
      block.copy(whole, done, offset, offset + count);
      done += count;
    }
    return whole;
  }

  /** As much of it as there is. */
  async upTo(position: number, length: number, where: string): Promise<Buffer> {
    return this.at(Math.min(position, this.size), Math.max(0, Math.min(length, this.size - position)), where);
  }

  async #block(number: number, where: string): Promise<Buffer> {
    const shared = this.#shared;
    const known = shared.blocks.get(number);
    if (known !== undefined) return known;
    const from = number * BLOCK;
    const length = Math.min(BLOCK, shared.source.size - from);
    shared.read += length;
    if (shared.read > LIMITS.structure) {
      refuse('media.limit', where, `Its folders and tables take more than ${LIMITS.structure} bytes.`);
    }
    const block = Buffer.allocUnsafe(length);
    await readExactly(shared.source, block, from);
    if (shared.blocks.size >= BLOCKS) shared.blocks.delete(shared.blocks.keys().next().value!);
    shared.blocks.set(number, block);
    return block;
  }
}

/** Fills `into`; a medium that gives less than it has is one that cannot be read. */
export async function readExactly(source: RandomBytes, into: Uint8Array, position: number): Promise<void> {
  const count = await source.read(into, position);
  if (count === into.length) return;
  throw Object.assign(new Error(`EIO: the medium ended at byte ${position + count}; ${source.size} were announced`), {
    code: 'EIO',
  });
}
