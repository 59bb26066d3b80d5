/** The little of DNS (RFC 1035) that the sink speaks: one question in, one answer out. Input is hostile. Pure. */

export interface Question {
  readonly id: number;
  /** Lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  /** The question as it stood, to be repeated in the answer. */
  readonly raw: Uint8Array;
  readonly flags: number;
}

export const TYPE = { A: 1, AAAA: 28 } as const;
const TYPE_NAMES: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  10: 'NULL',
  12: 'PTR',
  13: 'HINFO',
  15: 'MX',
  16: 'TXT',
  24: 'SIG',
  25: 'KEY',
  28: 'AAAA',
  29: 'LOC',
  33: 'SRV',
  35: 'NAPTR',
  43: 'DS',
  46: 'RRSIG',
  48: 'DNSKEY',
  52: 'TLSA',
  64: 'SVCB',
  65: 'HTTPS',
  251: 'IXFR',
  252: 'AXFR',
  255: 'ANY',
  256: 'URI',
  257: 'CAA',
};

export function typeName(type: number): string {
  return TYPE_NAMES[type] ?? `TYPE${type}`;
}

/** Undefined where it is no query with one question. */
export function readQuestion(message: Uint8Array): Question | undefined {
  const data = Buffer.from(message.buffer, message.byteOffset, message.length);
  if (data.length < 17) return undefined;
  const flags = data.readUInt16BE(2);
  if ((flags & 0x8000) !== 0 || data.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = 12;
  for (;;) {
    const length = data[at];
    // A question needs no compression pointer, so there is none.
    if (length === undefined || length > 63) return undefined;
    at += 1;
    if (length === 0) break;
    if (at + length > data.length) return undefined;
    labels.push(data.toString('latin1', at, at + length).toLowerCase());
    at += length;
    if (at - 12 > 255) return undefined;
  }
  if (at + 4 > data.length) return undefined;
  return {
    id: data.readUInt16BE(0),
    name: labels.join('.'),
    type: data.readUInt16BE(at),
    raw: data.subarray(12, at + 4),
    flags,
  };
}

/** RFC 1035, 4.1.1: the name is not there. */
const NXDOMAIN = 3;

/**
 * An answer with the given addresses (4 or 16 bytes each, of the type that was asked), or none: there is nothing of this
 * type (NODATA), and for `unknown` not even the name.
 */
export function writeAnswer(question: Question, addresses: readonly Uint8Array[] | 'unknown'): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(question.id, 0);
  // An answer, authoritative, recursion available; the caller's "recursion desired" is repeated.
  const code = addresses === 'unknown' ? NXDOMAIN : 0;
  header.writeUInt16BE(0x8480 | (question.flags & 0x0100) | code, 2);
  header.writeUInt16BE(1, 4);
  const given = addresses === 'unknown' ? [] : addresses;
  header.writeUInt16BE(given.length, 6);
  const records = given.map((address) => {
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(question.type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(5, 6);
    record.writeUInt16BE(address.length, 10);
    return Buffer.concat([record, address]);
  });
  return Buffer.concat([header, question.raw, ...records]);
}

/** Gives each unknown name an address of 198.18.0.0/15 and remembers which. */
export class NameBook {
  readonly #byName = new Map<string, number>();
  readonly #byAddress = new Map<string, string>();

  addressOf(name: string): Uint8Array {
    let number = this.#byName.get(name);
    if (number === undefined) {
      // Two to the seventeenth addresses; a program that asks for more names gets the last one again.
      number = Math.min(this.#byName.size + 1, 0x1fffe);
      if (this.#byName.size < 0x1fffe) this.#byName.set(name, number);
      this.#byAddress.set(dotted(number), name);
    }
    return Buffer.from(dotted(number).split('.').map(Number));
  }

  nameOf(address: string): string | undefined {
    return this.#byAddress.get(address);
  }
}

function dotted(number: number): string {
  return `198.${18 + (number >> 16)}.${(number >> 8) & 0xff}.${number & 0xff}`;
}
