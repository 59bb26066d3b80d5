const NOTHING = new Uint8Array(0);

/** What is wrong with a container of foreign bytes; each has a meaning of its own for whoever judges it. */
export type ArchiveTrouble =
  | 'truncated'
  | 'header'
  | 'extended'
  | 'sparse'
  | 'size-differs'
  | 'trailing'
  | 'concatenated'
  | 'prefix'
  | 'overlap'
  | 'gap'
  | 'headers-differ'
  | 'padding'
  | 'checksum'
  | 'compressed'
  | 'unreadable'
  | 'name-nul'
  | 'name-encoding'
  | 'entries';

/**
 * Leaves a reader of foreign bytes at the point from which it cannot go on. It is an answer about the bytes, caught by
 * whoever judges them, and never shown as an error of the product.
 */
export class ArchiveProblem extends Error {
  readonly trouble: ArchiveTrouble;
  constructor(trouble: ArchiveTrouble, message: string) {
    super(message);
    this.trouble = trouble;
  }
}

/** Bytes that can be read at any place. `read` fills `into` and says how many; less only at the end. */
export interface RandomBytes {
  readonly size: number;
  read(into: Uint8Array, position: number): Promise<number>;
}

/**
 * Bytes that are read once, forward. Memory is what the largest `take` or `peek` asks for plus one chunk, whatever the
 * source claims to hold. A returned view stays valid; it is never written again.
 */
export class ByteSource {
  readonly #pull: () => Promise<Uint8Array | undefined>;
  readonly #leap: ((count: number) => Promise<number>) | undefined;
  #buffer: Uint8Array = NOTHING;
  #position = 0;

  /** `pull` gives the next chunk, or undefined at the end; `leap` passes over bytes without reading them. */
  constructor(pull: () => Promise<Uint8Array | undefined>, leap?: (count: number) => Promise<number>) {
    this.#pull = pull;
    this.#leap = leap;
  }

  /** Bytes given out or passed over so far. */
  get position(): number {
    return this.#position;
  }

  async #fill(count: number): Promise<void> {
    if (this.#buffer.length >= count) return;
    const parts: Uint8Array[] = this.#buffer.length === 0 ? [] : [this.#buffer];
    let length = this.#buffer.length;
    while (length < count) {
      const chunk = await this.#pull();
      if (chunk === undefined) break;
      if (chunk.length === 0) continue;
      parts.push(chunk);
      length += chunk.length;
    }
    this.#buffer = parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
  }

  /** The next `count` bytes without consuming them; fewer only at the end. */
  async peek(count: number): Promise<Uint8Array> {
    await this.#fill(count);
    return this.#buffer.subarray(0, count);
  }

  /** The next `count` bytes; fewer only at the end. */
  async take(count: number): Promise<Uint8Array> {
    await this.#fill(count);
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(taken.length);
    this.#position += taken.length;
    return taken;
  }

  /** The next bytes, at least one and at most `most`; undefined at the end. */
  async some(most: number): Promise<Uint8Array | undefined> {
    if (this.#buffer.length === 0) {
      const chunk = await this.#pull();
      if (chunk === undefined) return undefined;
      this.#buffer = chunk;
    }
    const given = this.#buffer.subarray(0, most);
    this.#buffer = this.#buffer.subarray(given.length);
    this.#position += given.length;
    return given;
  }

  /** Passes over `count` bytes and says how many there were. */
  async skip(count: number): Promise<number> {
    let done = Math.min(count, this.#buffer.length);
    this.#buffer = this.#buffer.subarray(done);
    this.#position += done;
    if (this.#leap !== undefined && done < count) {
      const leapt = await this.#leap(count - done);
      this.#position += leapt;
      return done + leapt;
    }
    while (done < count) {
      const chunk = await this.some(count - done);
      if (chunk === undefined) break;
      done += chunk.length;
    }
    return done;
  }

  /** All that is left, or undefined when that is more than `limit` bytes. */
  async rest(limit: number): Promise<Uint8Array | undefined> {
    await this.#fill(limit + 1);
    return this.#buffer.length > limit ? undefined : this.take(limit);
  }
}

/** The next `length` bytes of `source` as a source of their own. `left` says how many of them were not asked for yet. */
export function sectionOf(source: ByteSource, length: number): { content: ByteSource; left: () => number } {
  let left = length;
  const content = new ByteSource(
    async () => {
      if (left === 0) return undefined;
      const chunk = await source.some(left);
      if (chunk === undefined) throw new ArchiveProblem('truncated', 'It ends inside the content of a member.');
      left -= chunk.length;
      return chunk;
    },
    async (count) => {
      const wanted = Math.min(count, left);
      const done = await source.skip(wanted);
      left -= done;
      if (done < wanted) throw new ArchiveProblem('truncated', 'It ends inside the content of a member.');
      return done;
    },
  );
  return { content, left: () => left };
}

/** Part of random bytes, read forward in chunks. */
export function sourceOf(bytes: RandomBytes, start = 0, end = bytes.size, chunk = 128 * 1024): ByteSource {
  let at = start;
  return new ByteSource(
    async () => {
      if (at >= end) return undefined;
      const into = Buffer.allocUnsafe(Math.min(chunk, end - at));
      const count = await bytes.read(into, at);
      if (count < into.length) throw new ArchiveProblem('truncated', `It ends after ${at + count} of ${end} bytes.`);
      at += count;
      return into;
    },
    async (count) => {
      const done = Math.min(count, end - at);
      at += done;
      return done;
    },
  );
}

/** Bytes in memory as random bytes. */
export function randomBytesOf(bytes: Uint8Array): RandomBytes {
  return {
    size: bytes.length,
    async read(into, position) {
      const part = bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
  };
}
