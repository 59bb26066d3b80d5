import { ArchiveProblem } from './byte-source.ts';

const STATES = 12;
const POSITIONS = 16;
const SHORTEST = 2;
/** Where each set of probabilities begins (LZMA specification, "Probability model variables"). */
const IS_MATCH = 0;
const IS_REP = IS_MATCH + STATES * POSITIONS;
const IS_REP_G0 = IS_REP + STATES;
const IS_REP_G1 = IS_REP_G0 + STATES;
const IS_REP_G2 = IS_REP_G1 + STATES;
const IS_REP0_LONG = IS_REP_G2 + STATES;
const SLOT = IS_REP0_LONG + STATES * POSITIONS;
const SPECIAL = SLOT + 4 * 64;
const ALIGN = SPECIAL + 128;
const LENGTH = ALIGN + 16;
/** Of one coder of lengths: two choices, eight low and eight middle for each position, 256 high. */
const LENGTH_MIDDLE = 2 + POSITIONS * 8;
const LENGTH_HIGH = LENGTH_MIDDLE + POSITIONS * 8;
const REP_LENGTH = LENGTH + LENGTH_HIGH + 256;
const LITERAL = REP_LENGTH + LENGTH_HIGH + 256;
const HALF = 1024;
/** The range decoder: numbers of 32 bits without a sign, which are fast in an array and slow in fields. */
const RANGE = 0;
const CODE = 1;
/** Where the next byte of the input is. */
const AT = 2;

/** The largest chunk of LZMA2, in bytes of content. */
export const LZMA2_CHUNK = 2 * 1024 * 1024;

/**
 * What LZMA2 chunks expand to (the xz file format 1.2.1, section 5.3.1, and the LZMA specification in 7-Zip's SDK). A
 * chunk is expanded in one go; what later chunks may refer to is kept, at most `window` bytes.
 */
export class Lzma2 {
  readonly #window: number;
  #kept: Uint8Array = Buffer.alloc(0);
  #end = 0;
  /** Bytes since the dictionary was reset. */
  #total = 0;
  #probabilities = new Uint16Array(0);
  #literalPosition = 0;
  #literalContext = 0;
  #positionMask = 0;
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;
  /** What has to be reset before a chunk may rely on it. */
  #due: 'dictionary' | 'properties' | 'state' | 'nothing' = 'dictionary';
  // The range decoder.
  #input: Uint8Array = Buffer.alloc(0);
  readonly #coder = new Uint32Array(3);

  constructor(window: number) {
    this.#window = window;
  }

  /** A chunk that is stored; control bytes 1 and 2. */
  stored(bytes: Uint8Array, resets: boolean): Uint8Array {
    if (resets) this.#resetDictionary();
    else if (this.#due === 'dictionary') fail('It refers to what is not there.');
    this.#room(bytes.length);
    this.#kept.set(bytes, this.#end);
    this.#end += bytes.length;
    this.#total += bytes.length;
    // A compressed chunk may not go on with a state that this one left behind.
    if (this.#due === 'nothing') this.#due = 'state';
    return bytes;
  }

  /** A compressed chunk; control bytes from 0x80. `properties` where it brings new ones. */
  expanded(control: number, properties: number | undefined, bytes: Uint8Array, size: number): Uint8Array {
    const reset = (control >> 5) & 3;
    if (reset === 3) this.#resetDictionary();
    if (this.#due === 'dictionary') fail('It refers to what is not there.');
    if (properties !== undefined) this.#setProperties(properties);
    else if (this.#due === 'properties') fail('It brings no properties.');
    if (reset > 0) this.#resetState();
    else if (this.#due !== 'nothing') fail('It goes on with a state that is none.');
    this.#due = 'nothing';
    this.#room(size);
    this.#input = bytes;
    if (bytes.length < 5 || bytes[0] !== 0) fail('A chunk begins wrongly.');
    this.#coder[RANGE] = 0xffffffff;
    this.#coder[CODE] = (bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!;
    this.#coder[AT] = 5;
    const from = this.#end;
    this.#expand(from + size);
    if (this.#coder[AT] !== bytes.length || this.#coder[CODE] !== 0) fail('A chunk does not end where it says.');
    return Uint8Array.prototype.slice.call(this.#kept, from, this.#end);
  }

  #resetDictionary(): void {
    this.#total = 0;
    this.#due = 'properties';
  }

  #setProperties(properties: number): void {
    if (properties > 224) fail('Its properties are none.');
    const context = properties % 9;
    const rest = (properties - context) / 9;
    const position = rest % 5;
    if (context + position > 4) fail('Its properties are none of LZMA2.');
    this.#literalContext = context;
    this.#literalPosition = position;
    this.#positionMask = 2 ** ((rest - position) / 5) - 1;
    if (this.#due === 'properties') this.#due = 'state';
  }

  #resetState(): void {
    const size = LITERAL + 0x300 * 2 ** (this.#literalContext + this.#literalPosition);
    if (this.#probabilities.length !== size) this.#probabilities = new Uint16Array(size);
    this.#probabilities.fill(HALF);
    this.#state = 0;
    this.#rep0 = this.#rep1 = this.#rep2 = this.#rep3 = 0;
  }

  /** Makes room for a chunk behind what may still be referred to. */
  #room(size: number): void {
    if (this.#end + size <= this.#kept.length) return;
    const keep = Math.min(this.#end, this.#window);
    const need = keep + size;
    if (need + LZMA2_CHUNK > this.#kept.length) {
      const most = this.#window + 2 * LZMA2_CHUNK;
      const larger = Buffer.allocUnsafe(Math.max(need, Math.min(most, this.#kept.length * 2)));
      larger.set(this.#kept.subarray(this.#end - keep, this.#end));
      this.#kept = larger;
    } else this.#kept.copyWithin(0, this.#end - keep, this.#end);
    this.#end = keep;
  }

  #expand(until: number): void {
    while (this.#end < until) {
      const position = this.#total & this.#positionMask;
      const state = this.#state;
      if (this.#bit(IS_MATCH + state * POSITIONS + position) === 0) {
        this.#literal();
        continue;
      }
      let length: number;
      if (this.#bit(IS_REP + state) === 0) {
        this.#rep3 = this.#rep2;
        this.#rep2 = this.#rep1;
        this.#rep1 = this.#rep0;
        length = SHORTEST + this.#length(LENGTH, position);
        this.#rep0 = this.#distance(length - SHORTEST);
        this.#state = state < 7 ? 7 : 10;
      } else {
        const isOther = this.#bit(IS_REP_G0 + state) === 1;
        if (!isOther && this.#bit(IS_REP0_LONG + state * POSITIONS + position) === 0) {
          length = 1;
          this.#state = state < 7 ? 9 : 11;
        } else {
          if (isOther) this.#choose(state);
          length = SHORTEST + this.#length(REP_LENGTH, position);
          this.#state = state < 7 ? 8 : 11;
        }
      }
      this.#copy(length, until);
    }
  }

  /** One of the three distances before the last becomes the last. */
  #choose(state: number): void {
    let distance = this.#rep1;
    if (this.#bit(IS_REP_G1 + state) === 1) {
      distance = this.#rep2;
      if (this.#bit(IS_REP_G2 + state) === 1) {
        distance = this.#rep3;
        this.#rep3 = this.#rep2;
      }
      this.#rep2 = this.#rep1;
    }
    this.#rep1 = this.#rep0;
    this.#rep0 = distance;
  }

  #copy(length: number, until: number): void {
    if (this.#rep0 >= Math.min(this.#total, this.#window)) fail('It refers to what is not there.');
    if (this.#end + length > until) fail('A chunk is longer than it says.');
    const kept = this.#kept;
    let to = this.#end;
    for (let from = to - this.#rep0 - 1, left = length; left > 0; left--) kept[to++] = kept[from++]!;
    this.#end = to;
    this.#total += length;
  }

  #bit(index: number): number {
    const coder = this.#coder;
    const probabilities = this.#probabilities;
    const probability = probabilities[index]!;
    const range = coder[RANGE]!;
    const code = coder[CODE]!;
    const bound = Math.imul(range >>> 11, probability) >>> 0;
    if (code < bound) {
      probabilities[index] = probability + ((2048 - probability) >> 5);
      coder[RANGE] = bound;
      if (bound < 0x1000000) this.#next();
      return 0;
    }
    probabilities[index] = probability - (probability >> 5);
    const left = (range - bound) >>> 0;
    coder[RANGE] = left;
    coder[CODE] = code - bound;
    if (left < 0x1000000) this.#next();
    return 1;
  }

  #next(): void {
    const coder = this.#coder;
    const at = coder[AT]!;
    if (at >= this.#input.length) fail('A chunk is too short.');
    coder[RANGE] = coder[RANGE]! << 8;
    coder[CODE] = (coder[CODE]! << 8) | this.#input[at]!;
    coder[AT] = at + 1;
  }

  #tree(start: number, bits: number): number {
    let node = 1;
    for (let at = 0; at < bits; at++) node = (node << 1) | this.#bit(start + node);
    return node - (1 << bits);
  }

  #reverseTree(start: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let at = 0; at < bits; at++) {
      const bit = this.#bit(start + node);
      node = (node << 1) | bit;
      value |= bit << at;
    }
    return value;
  }

  #direct(bits: number): number {
    const coder = this.#coder;
    let value = 0;
    for (let at = 0; at < bits; at++) {
      const range = coder[RANGE]! >>> 1;
      const code = coder[CODE]!;
      coder[RANGE] = range;
      if (code >= range) {
        coder[CODE] = code - range;
        value = value * 2 + 1;
      } else value *= 2;
      if (range < 0x1000000) this.#next();
    }
    return value;
  }

  #length(start: number, position: number): number {
    if (this.#bit(start) === 0) return this.#tree(start + 2 + position * 8, 3);
    if (this.#bit(start + 1) === 0) return 8 + this.#tree(start + LENGTH_MIDDLE + position * 8, 3);
    return 16 + this.#tree(start + LENGTH_HIGH, 8);
  }

  #literal(): void {
    const kept = this.#kept;
    const before = this.#total === 0 ? 0 : kept[this.#end - 1]!;
    const place = this.#total & ((1 << this.#literalPosition) - 1);
    const start = LITERAL + 0x300 * ((place << this.#literalContext) + (before >> (8 - this.#literalContext)));
    let symbol = 1;
    if (this.#state >= 7) {
      let match = kept[this.#end - this.#rep0 - 1]!;
      do {
        const high = (match >> 7) & 1;
        match <<= 1;
        const bit = this.#bit(start + ((1 + high) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (high !== bit) break;
      } while (symbol < 0x100);
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(start + symbol);
    kept[this.#end] = symbol & 0xff;
    this.#end += 1;
    this.#total += 1;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #distance(length: number): number {
    const slot = this.#tree(SLOT + Math.min(length, 3) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + this.#reverseTree(SPECIAL + base - slot, bits);
    return base + this.#direct(bits - 4) * 16 + this.#reverseTree(ALIGN, 4);
  }
}

function fail(why: string): never {
  throw new ArchiveProblem('compressed', `LZMA2 data are damaged: ${why}`);
}
