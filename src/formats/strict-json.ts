import { type Json, printable } from '#kernel';
import { type Problem, problem } from './problem.ts';

export interface JsonLimits {
  /** Largest document in bytes. */
  readonly size?: number;
  /** Deepest nesting of arrays and objects. */
  readonly depth?: number;
}

/** Limits where the caller gives none; docs/spec/envelope.md names them. */
export const JSON_SIZE_LIMIT = 256 * 1024 * 1024;
export const JSON_DEPTH_LIMIT = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a JSON document (RFC 8259) as strictly as our signed ones need it, so that no two readers can see two documents
 * in the same bytes: UTF-8 without a byte order mark, no duplicate key after unescaping, no key `__proto__`, no lone
 * surrogate, integers only within ±(2^53 − 1), no number beyond what a double holds, bounded size and depth, nothing
 * after the value but whitespace.
 */
export function parseStrictJson(
  bytes: Uint8Array,
  limits: JsonLimits = {},
): { readonly ok: true; readonly value: Json } | Problem {
  const size = limits.size ?? JSON_SIZE_LIMIT;
  if (bytes.length > size) return problem('', `The document has ${bytes.length} bytes; at most ${size} are read.`);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return problem('', 'The document is not UTF-8.');
  }
  if (text.charCodeAt(0) === 0xfeff) return problem('', 'The document begins with a byte order mark.');
  const reader = new Reader(text, limits.depth ?? JSON_DEPTH_LIMIT);
  try {
    return { ok: true, value: reader.document() };
  } catch (error) {
    if (error instanceof Refusal) return problem(`character ${error.at}`, error.message);
    throw error;
  }
}

/** Leaves the recursion; never leaves this file. */
class Refusal extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
/** Characters of a string that stand for themselves: no quote, backslash or control. */
// eslint-disable-next-line no-control-regex
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Reader {
  private readonly text: string;
  private readonly deepest: number;
  private at = 0;
  private depth = 0;

  constructor(text: string, deepest: number) {
    this.text = text;
    this.deepest = deepest;
  }

  document(): Json {
    const value = this.value();
    this.space();
    if (this.at < this.text.length) throw this.refusal('Something follows the value.');
    return value;
  }

  private refusal(message: string): Refusal {
    return new Refusal(this.at, message);
  }

  private space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.at += 1;
    }
  }

  private value(): Json {
    this.space();
    switch (this.text[this.at]) {
      case undefined:
        throw this.refusal('The document ends where a value is due.');
      case '{':
        return this.object();
      case '[':
        return this.array();
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private word<T extends Json>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.refusal('This is no JSON value.');
    this.at += word.length;
    return value;
  }

  private enter(): void {
    this.at += 1;
    this.depth += 1;
    if (this.depth > this.deepest) throw this.refusal(`Nesting is deeper than ${this.deepest}.`);
    this.space();
  }

  private leave(): void {
    this.at += 1;
    this.depth -= 1;
  }

  private array(): Json {
    const values: Json[] = [];
    this.enter();
    if (this.text[this.at] === ']') {
      this.leave();
      return values;
    }
    for (;;) {
      values.push(this.value());
      this.space();
      const c = this.text[this.at];
      if (c === ']') {
        this.leave();
        return values;
      }
      if (c !== ',') throw this.refusal("A ',' or ']' is due.");
      this.at += 1;
    }
  }

  private object(): Json {
    const value: Record<string, Json> = {};
    this.enter();
    if (this.text[this.at] === '}') {
      this.leave();
      return value;
    }
    for (;;) {
      this.space();
      if (this.text[this.at] !== '"') throw this.refusal('A key in double quotes is due.');
      const start = this.at;
      const key = this.string();
      if (key === '__proto__') throw new Refusal(start, 'The key __proto__ is not allowed.');
      if (Object.hasOwn(value, key))
        throw new Refusal(start, `The key ${printable(JSON.stringify(key.slice(0, 64)))} stands twice in one object.`);
      this.space();
      if (this.text[this.at] !== ':') throw this.refusal("A ':' is due.");
      this.at += 1;
      value[key] = this.value();
      this.space();
      const c = this.text[this.at];
      if (c === '}') {
        this.leave();
        return value;
      }
      if (c !== ',') throw this.refusal("A ',' or '}' is due.");
      this.at += 1;
    }
  }

  private string(): string {
    const start = this.at;
    this.at += 1;
    let value = '';
    for (;;) {
      PLAIN.lastIndex = this.at;
      const plain = PLAIN.exec(this.text)?.[0] ?? '';
      value += plain;
      this.at += plain.length;
      const c = this.text[this.at];
      if (c === '"') break;
      if (c === undefined) throw this.refusal('A string is not closed.');
      if (c !== '\\') throw this.refusal('A control character in a string is not escaped.');
      value += this.escape();
    }
    this.at += 1;
    if (!value.isWellFormed()) throw new Refusal(start, 'A string holds half of a surrogate pair.');
    return value;
  }

  private escape(): string {
    const letter = this.text[this.at + 1] ?? '';
    if (letter === 'u') {
      const hex = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.refusal('\\u needs four hex digits.');
      this.at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const meant = ESCAPES[letter];
    if (meant === undefined) throw this.refusal('This escape does not exist in JSON.');
    this.at += 2;
    return meant;
  }

  private number(): number {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) throw this.refusal('This is no JSON value.');
    const value = Number(match[0]);
    const whole = match[1] === undefined && match[2] === undefined;
    if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
      throw this.refusal('A number is beyond what every reader holds exactly (±9007199254740991).');
    }
    this.at += match[0].length;
    return value;
  }
}
