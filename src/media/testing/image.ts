import type { RandomBytes } from '#formats';

const BLOCK = 4096;

/** The bytes of a made medium; what was never written is zero and takes no memory. */
export class Image implements RandomBytes {
  size: number;
  readonly #blocks = new Map<number, Buffer>();

  constructor(size: number) {
    this.size = size;
  }

  write(position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const number = Math.floor((position + done) / BLOCK);
      const offset = position + done - number * BLOCK;
      const part = bytes.subarray(done, done + BLOCK - offset);
      let block = this.#blocks.get(number);
      if (block === undefined) this.#blocks.set(number, (block = Buffer.alloc(BLOCK)));
      block.set(part, offset);
      done += part.length;
    }
  }

  bytes(position: number, length: number): Buffer {
    const whole = Buffer.alloc(length);
    for (let done = 0; done < length;) {
      const number = Math.floor((position + done) / BLOCK);
      const offset = position + done - number * BLOCK;
      const count = Math.min(length - done, BLOCK - offset);
      this.#blocks.get(number)?.copy(whole, done, offset, offset + count);
      done += count;
    }
    return whole;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const count = Math.max(0, Math.min(into.length, this.size - position));
    into.set(this.bytes(position, count));
    return count;
  }

  byte(position: number, value: number): void {
    this.write(position, Uint8Array.of(value));
  }

  /** Little-endian. */
  number(position: number, value: number, bytes: 2 | 4 | 8 = 4): void {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64LE(BigInt(value));
    this.write(position, buffer.subarray(0, bytes));
  }

  /** Puts a medium into a part of this one. */
  put(position: number, other: Image): void {
    for (const [number, block] of other.#blocks) this.write(position + number * BLOCK, block);
  }

  /** Positions of everything that was written, a block each. */
  written(): number[] {
    return [...this.#blocks.keys()].map((number) => number * BLOCK).filter((position) => position < this.size);
  }
}

/** Files by path, with `/` between parts; a folder ends with `/`. */
export type Tree = Readonly<Record<string, Uint8Array | undefined>>;

/** The tree as folders with what they hold, root first. */
export function foldersOf(tree: Tree): Map<string, { name: string; path: string; content: Uint8Array | undefined }[]> {
  const folders = new Map<string, { name: string; path: string; content: Uint8Array | undefined }[]>([['', []]]);
  const seen = new Set<string>();
  for (const [given, content] of Object.entries(tree)) {
    const parts = given.replace(/\/$/, '').split('/');
    for (let depth = 1; depth <= parts.length; depth++) {
      const path = parts.slice(0, depth).join('/');
      const folder = folders.get(parts.slice(0, depth - 1).join('/'))!;
      if (seen.has(path)) continue;
      seen.add(path);
      const isFile = depth === parts.length && content !== undefined;
      folder.push({ name: parts[depth - 1]!, path, content: isFile ? content : undefined });
      if (!isFile) folders.set(path, []);
    }
  }
  return folders;
}
