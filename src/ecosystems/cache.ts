/** Rendered answers, kept until they are the least recently used of more than `limit` bytes. */
export class RenderCache<T extends { readonly body: Uint8Array }> {
  readonly #limit: number;
  readonly #entries = new Map<string, T>();
  /** Renderings under way: who asks meanwhile waits for the same one. */
  readonly #running = new Map<string, Promise<T | undefined>>();
  #bytes = 0;
  #generation = -1;

  constructor(limit = 64 * 1024 * 1024) {
    this.#limit = limit;
  }

  /** What `make` gives, once per generation and key. Nothing of an older generation is ever answered. */
  async get(generation: number, key: string, make: () => Promise<T | undefined>): Promise<T | undefined> {
    if (generation !== this.#generation) {
      this.#entries.clear();
      this.#running.clear();
      this.#bytes = 0;
      this.#generation = generation;
    }
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known;
    }
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const work = make();
    this.#running.set(key, work);
    try {
      const made = await work;
      if (made !== undefined && generation === this.#generation) this.#keep(key, made);
      return made;
    } finally {
      if (this.#running.get(key) === work) this.#running.delete(key);
    }
  }

  #keep(key: string, made: T): void {
    this.#entries.set(key, made);
    this.#bytes += made.body.length;
    for (const [old, entry] of this.#entries) {
      if (this.#bytes <= this.#limit || old === key) break;
      this.#entries.delete(old);
      this.#bytes -= entry.body.length;
    }
  }
}
