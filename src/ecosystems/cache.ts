/** Rendered answers, kept until they are the least recently used of more than `limit` bytes. */
export class RenderCache<T extends { readonly body: Uint8Array }> {
  readonly #limit: number;
  readonly #entries = new Map<string, T>();
  #bytes = 0;
  #generation = -1;

  constructor(limit = 64 * 1024 * 1024) {
    this.#limit = limit;
  }

  /** What `make` gives, once per generation and key. Nothing of an older generation is ever answered. */
  async get(generation: number, key: string, make: () => Promise<T | undefined>): Promise<T | undefined> {
    if (generation !== this.#generation) {
      this.#entries.clear();
      this.#bytes = 0;
      this.#generation = generation;
    }
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known;
    }
    const made = await make();
    if (made === undefined || generation !== this.#generation || this.#entries.has(key)) return made;
    this.#entries.set(key, made);
    this.#bytes += made.body.length;
    for (const [old, entry] of this.#entries) {
      if (this.#bytes <= this.#limit || old === key) break;
      this.#entries.delete(old);
      this.#bytes -= entry.body.length;
    }
    return made;
  }
}
