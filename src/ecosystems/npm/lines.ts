/** What a JSON text holds, with the line on which each key of the first two levels stands. */
export type Parsed =
  | { readonly ok: true; readonly value: unknown; lineOf(...path: readonly string[]): number }
  | { readonly ok: false; readonly line: number; readonly detail: string };

const MAX_DEPTH = 64;

/**
 * Reads a lockfile: strict UTF-8 and JSON (RFC 8259), no duplicate keys, since two readers would see two different
 * dependencies, and no conflict markers of git. Lines are kept because a person must find what a Fault is about.
 */
export function parseWithLines(bytes: Uint8Array): Parsed {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { ok: false, line: 1, detail: 'It is not UTF-8.' };
  }
  // npm itself accepts a byte order mark, and editors on Windows write one.
  if (text.startsWith('\ufeff')) text = text.slice(1);
  const lines = new Map<string, number>();
  const reader = new Reader(text, lines);
  try {
    const value = reader.document();
    return { ok: true, value, lineOf: (...path) => lines.get(path.join('\0')) ?? 1 };
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    const line = text.slice(0, error.at).split('\n').length;
    return { ok: false, line, detail: error.message };
  }
}

class Mistake extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

class Reader {
  #at = 0;
  #line = 1;
  #counted = 0;
  readonly #text: string;
  readonly #lines: Map<string, number>;

  constructor(text: string, lines: Map<string, number>) {
    this.#text = text;
    this.#lines = lines;
  }

  document(): unknown {
    const value = this.#value([]);
    this.#space();
    if (this.#at < this.#text.length) throw this.#mistake('Something stands after the end of the document.');
    return value;
  }

  #value(path: readonly string[]): unknown {
    if (path.length > MAX_DEPTH) throw this.#mistake('It is nested too deeply.');
    this.#space();
    const c = this.#text[this.#at];
    if (c === '{') return this.#object(path);
    if (c === '[') return this.#array(path);
    if (c === '"') return this.#string();
    const match = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;
    match.lastIndex = this.#at;
    const token = match.exec(this.#text)?.[0];
    if (token === undefined) {
      if (/^(?:<{7}|={7}|>{7})/.test(this.#text.slice(this.#at)))
        throw this.#mistake('A conflict marker of git stands here.');
      throw this.#mistake(c === undefined ? 'It ends too early.' : 'A value was expected here.');
    }
    this.#at += token.length;
    return JSON.parse(token);
  }

  #object(path: readonly string[]): unknown {
    const entries = new Map<string, unknown>();
    this.#at += 1;
    this.#space();
    if (this.#text[this.#at] === '}') {
      this.#at += 1;
      return {};
    }
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') {
        if (/^(?:<{7}|={7}|>{7})/.test(this.#text.slice(this.#at, this.#at + 7))) {
          throw this.#mistake('A conflict marker of git stands here.');
        }
        throw this.#mistake('A name in double quotes was expected here.');
      }
      const start = this.#at;
      const key = this.#string();
      if (entries.has(key)) throw new Mistake(`The name ${JSON.stringify(key)} stands twice in one object.`, start);
      const below = [...path, key];
      if (below.length <= 2) this.#lines.set(below.join('\0'), this.#lineAt(start));
      this.#space();
      if (this.#text[this.#at] !== ':') throw this.#mistake("':' was expected here.");
      this.#at += 1;
      entries.set(key, this.#value(below));
      this.#space();
      const c = this.#text[this.#at];
      this.#at += 1;
      if (c === '}') return Object.fromEntries(entries);
      if (c !== ',') throw new Mistake("',' or '}' was expected here.", this.#at - 1);
    }
  }

  #array(path: readonly string[]): unknown {
    const items: unknown[] = [];
    this.#at += 1;
    this.#space();
    if (this.#text[this.#at] === ']') {
      this.#at += 1;
      return items;
    }
    for (;;) {
      items.push(this.#value([...path, '']));
      this.#space();
      const c = this.#text[this.#at];
      this.#at += 1;
      if (c === ']') return items;
      if (c !== ',') throw new Mistake("',' or ']' was expected here.", this.#at - 1);
    }
  }

  #string(): string {
    // eslint-disable-next-line no-control-regex
    const match = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    match.lastIndex = this.#at;
    const token = match.exec(this.#text)?.[0];
    if (token === undefined) throw this.#mistake('A string is not closed or holds a control character.');
    this.#at += token.length;
    const value = JSON.parse(token) as string;
    if (!value.isWellFormed()) throw this.#mistake('A string holds half of a surrogate pair.');
    return value;
  }

  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.#at += 1;
    }
  }

  #lineAt(position: number): number {
    for (; this.#counted < position; this.#counted += 1)
      if (this.#text.charCodeAt(this.#counted) === 0x0a) this.#line += 1;
    return this.#line;
  }

  #mistake(message: string): Mistake {
    return new Mistake(message, this.#at);
  }
}
