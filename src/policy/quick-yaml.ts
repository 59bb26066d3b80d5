/**
 * Reads the YAML that manifests are mostly written in, several times as fast as a whole YAML reader: block mappings and
 * sequences, scalars of one line, literal blocks, flow collections of one line. What it is not sure of, it
 * leaves to the whole reader: `undefined`. It never gives another value than that one.
 */
export function quickYaml(text: string, places?: Lines): { readonly value: unknown } | undefined {
  const lines = text.includes('\r') ? text.replaceAll('\r\n', '\n') : text;
  if (/[\t\r\u0000]/.test(lines)) return undefined;
  try {
    return { value: new QuickReader(lines.split('\n'), places).document() };
  } catch (error) {
    if (error instanceof NotSure) return undefined;
    throw error;
  }
}

/**
 * The line (the first is 0) on which what a path leads to begins, or the nearest thing around it that is there; undefined
 * where the quick reader is not sure.
 */
export function quickLine(text: string, path: readonly (string | number)[]): number | undefined {
  const lines: Lines = new Map();
  let value = quickYaml(text, lines)?.value;
  let found: number | undefined;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) break;
    // What stands in a flow collection is on its line.
    found = lines.get(value)?.get(key) ?? found;
    value = (value as Record<string | number, unknown>)[key];
  }
  return found;
}

/** Of what a block collection holds, by its key or position. */
type Lines = Map<object, Map<string | number, number>>;

class NotSure extends Error {}

/** Where the colon behind a plain key stands, or -1: the same as KEY for keys without quotes and blanks, but faster. */
function plainKeyEnd(text: string): number {
  const first = text.charCodeAt(0) | 32;
  if ((first < 97 || first > 122) && text.charCodeAt(0) !== 95) return -1;
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 58) return i + 1 === text.length || text.charCodeAt(i + 1) === 32 ? i : -1;
    const letter = code | 32;
    if ((letter < 97 || letter > 122) && (code < 45 || code > 57) && code !== 95) return -1;
  }
  return -1;
}

const DEPTH = 60;
const KEY = /^([A-Za-z_][A-Za-z0-9_./-]*|"[^"\\]*"|'[^']*') *:(?: +|$)/;
/** Words of YAML 1.1 that are no strings, as a value and as a key. */
const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ...words(true, 'y Y yes Yes YES true True TRUE on On ON'),
  ...words(false, 'n N no No NO false False FALSE off Off OFF'),
  ...words(null, 'null Null NULL ~'),
]);

function words<T>(value: T, list: string): [string, T][] {
  return list.split(' ').map((word) => [word, value]);
}

class QuickReader {
  readonly #lines: readonly string[];
  readonly #places: Lines | undefined;
  /** The line that is read next, without blank ones and comments; its indentation and what stands behind it. */
  #at = -1;
  #indent = -1;
  #rest = '';

  constructor(lines: readonly string[], places: Lines | undefined) {
    this.#lines = lines;
    this.#places = places;
    this.#next();
  }

  document(): unknown {
    if (this.#indent < 0) return null;
    const value = this.#block(0);
    if (this.#indent >= 0) throw new NotSure();
    return value;
  }

  #next(): void {
    for (;;) {
      this.#at++;
      const line = this.#lines[this.#at];
      if (line === undefined) {
        this.#indent = -1;
        this.#rest = '';
        return;
      }
      let indent = 0;
      while (line.charCodeAt(indent) === 32) indent++;
      if (indent === line.length || line.charCodeAt(indent) === 35) continue;
      this.#indent = indent;
      this.#rest = indent === 0 ? line : line.slice(indent);
      return;
    }
  }

  #block(depth: number): unknown {
    if (depth > DEPTH) throw new NotSure();
    if (this.#rest === '-' || this.#rest.startsWith('- ')) return this.#sequence(depth);
    if (plainKeyEnd(this.#rest) > 0 || KEY.test(this.#rest)) return this.#mapping(depth);
    throw new NotSure();
  }

  #sequence(depth: number): unknown[] {
    const indent = this.#indent;
    const items: unknown[] = [];
    const places = this.#placesOf(items);
    while (this.#indent === indent && (this.#rest === '-' || this.#rest.startsWith('- '))) {
      const behind = this.#rest.slice(1);
      const content = behind.trimStart();
      if (content === '' || content.startsWith('#')) {
        this.#next();
        places?.set(items.length, this.#at);
        items.push(this.#indent > indent ? this.#block(depth + 1) : null);
        continue;
      }
      places?.set(items.length, this.#at);
      if (content === '-' || content.startsWith('- ') || plainKeyEnd(content) > 0 || KEY.test(content)) {
        this.#indent = indent + 1 + behind.length - content.length;
        this.#rest = content;
        items.push(this.#block(depth + 1));
        continue;
      }
      items.push(this.#value(content, indent));
    }
    if (this.#indent > indent) throw new NotSure();
    return items;
  }

  #mapping(depth: number): Record<string, unknown> {
    const indent = this.#indent;
    const map: Record<string, unknown> = {};
    const places = this.#placesOf(map);
    while (this.#indent === indent) {
      const rest = this.#rest;
      const end = plainKeyEnd(rest);
      let key: string;
      let content: string;
      if (end > 0) {
        key = rest.slice(0, end);
        if (WORDS.has(key)) throw new NotSure();
        let from = end + 1;
        while (rest.charCodeAt(from) === 32) from++;
        content = rest.slice(from);
      } else {
        const match = KEY.exec(rest);
        if (match === null) throw new NotSure();
        key = match[1]!;
        const first = key.charCodeAt(0);
        if (first === 34 || first === 39) key = key.slice(1, -1);
        else if (WORDS.has(key)) throw new NotSure();
        content = rest.slice(match[0].length);
      }
      if (key === '__proto__' || Object.hasOwn(map, key)) throw new NotSure();
      places?.set(key, this.#at);
      if (content === '' || content.startsWith('#')) {
        this.#next();
        if (this.#indent > indent) map[key] = this.#block(depth + 1);
        else if (this.#indent === indent && (this.#rest === '-' || this.#rest.startsWith('- ')))
          map[key] = this.#sequence(depth + 1);
        else map[key] = null;
      } else map[key] = this.#value(content, indent);
    }
    if (this.#indent > indent) throw new NotSure();
    return map;
  }

  #placesOf(collection: object): Map<string | number, number> | undefined {
    if (this.#places === undefined) return undefined;
    const places = new Map<string | number, number>();
    this.#places.set(collection, places);
    return places;
  }

  /** A value that begins on the line of its key or dash; `indent` is that of the key or dash. */
  #value(content: string, indent: number): unknown {
    if (content.startsWith('|')) return this.#literal(content, indent);
    const value = scalar(content);
    this.#next();
    // What is deeper than a scalar continues it.
    if (this.#indent > indent) throw new NotSure();
    return value;
  }

  #literal(content: string, indent: number): string {
    if (content !== '|' && content !== '|-') throw new NotSure();
    const lines: string[] = [];
    let own = -1;
    for (;;) {
      const line = this.#lines[this.#at + 1];
      if (line === undefined) break;
      let spaces = 0;
      while (line.charCodeAt(spaces) === 32) spaces++;
      if (spaces === line.length) {
        if (own === -1 && spaces > indent) throw new NotSure();
        lines.push(own === -1 ? '' : line.slice(own));
      } else {
        if (own === -1) {
          if (spaces <= indent) break;
          own = spaces;
        } else if (spaces < own) {
          if (spaces > indent) throw new NotSure();
          break;
        }
        lines.push(line.slice(own));
      }
      this.#at++;
    }
    while (lines.at(-1) === '') lines.pop();
    if (lines.length === 0) throw new NotSure();
    this.#next();
    return lines.join('\n') + (content === '|' ? '\n' : '');
  }
}

function scalar(content: string): unknown {
  const first = content.charCodeAt(0);
  if (first === 34 || first === 39) {
    const end = content.indexOf(first === 34 ? '"' : "'", 1);
    if (end === content.length - 1 && !content.includes('\\')) return content.slice(1, end);
    const behind = content.slice(end + 1).trimStart();
    const text = content.slice(1, end);
    // An escape or a doubled quote, text over several lines, or something behind it that is no comment.
    if (end === -1 || text.includes('\\') || content[end + 1] === "'") throw new NotSure();
    if (behind !== '' && !(behind.startsWith('#') && content[end + 1] === ' ')) throw new NotSure();
    return text;
  }
  if (first === 91 || first === 123) return new FlowReader(content).whole();
  const comment = content.indexOf(' #');
  const text = (comment === -1 ? content : content.slice(0, comment)).trimEnd();
  if ('{]},&*!>%@`?:#'.includes(content[0]!) || text.includes(': ') || text.endsWith(':')) throw new NotSure();
  if (WORDS.has(text)) return WORDS.get(text);
  // Digits, sign or point in front: perhaps a number of one of YAML 1.1's many forms.
  if (first <= 57 && (first >= 48 || first === 43 || first === 45 || first === 46)) {
    if (/^(?:0|-?[1-9][0-9]{0,14})$/.test(text)) return Number(text);
    if (!/^\d[\w-]*\/|^\d\w*-\w*-\w|^\d+\.\d+\.\d|^\d+[G-WYZg-nq-wyz]/.test(text)) throw new NotSure();
  }
  return text;
}

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_./-]{0,999}$/;

/**
 * Flow collections that end on their line: plain scalars without blanks and colons, quoted ones without escapes, a blank
 * behind each colon, nothing left out. The rest, such as a comma at the end, is not sure.
 */
class FlowReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The whole of it; only a comment may follow. */
  whole(): unknown {
    const value = this.#value(0);
    const end = this.#at;
    this.#blanks();
    if (this.#at < this.#text.length && !(this.#at > end && this.#text[this.#at] === '#')) throw new NotSure();
    return value;
  }

  #value(depth: number): unknown {
    if (depth > DEPTH) throw new NotSure();
    switch (this.#text.charCodeAt(this.#at)) {
      case 91:
        return this.#sequence(depth);
      case 123:
        return this.#mapping(depth);
      case 34:
      case 39:
        return this.#quoted();
      default:
        return scalar(this.#plain());
    }
  }

  #sequence(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#at++;
    this.#blanks();
    if (this.#takes(93)) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      this.#blanks();
      if (this.#takes(93)) return items;
      this.#comma();
    }
  }

  #mapping(depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    this.#at++;
    this.#blanks();
    if (this.#takes(125)) return map;
    for (;;) {
      const first = this.#text.charCodeAt(this.#at);
      let key: string;
      if (first === 34 || first === 39) key = this.#quoted();
      else {
        key = this.#plain();
        if (!PLAIN_KEY.test(key) || WORDS.has(key)) throw new NotSure();
      }
      if (key.length > 1000 || key === '__proto__' || Object.hasOwn(map, key)) throw new NotSure();
      if (!this.#takes(58) || !this.#takes(32)) throw new NotSure();
      this.#blanks();
      map[key] = this.#value(depth + 1);
      this.#blanks();
      if (this.#takes(125)) return map;
      this.#comma();
    }
  }

  #quoted(): string {
    const quote = this.#text[this.#at]!;
    const end = this.#text.indexOf(quote, this.#at + 1);
    const text = this.#text.slice(this.#at + 1, end);
    if (end === -1 || text.includes('\\') || this.#text[end + 1] === quote) throw new NotSure();
    this.#at = end + 1;
    return text;
  }

  /** Letters, digits and `_ . / -`, which does not begin it: no indicator of YAML is among them. */
  #plain(): string {
    const start = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      const letter = code | 32;
      if ((letter < 97 || letter > 122) && (code < 45 || code > 57) && code !== 95) break;
    }
    if (this.#at === start || this.#text.charCodeAt(start) === 45) throw new NotSure();
    return this.#text.slice(start, this.#at);
  }

  #comma(): void {
    if (!this.#takes(44)) throw new NotSure();
    this.#blanks();
  }

  #takes(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }

  #blanks(): void {
    while (this.#text.charCodeAt(this.#at) === 32) this.#at++;
  }
}
