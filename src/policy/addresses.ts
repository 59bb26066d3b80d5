/** One address family as the range of its numbers. */
export type Family = 4 | 6;

/** Addresses `from` to `to`, inclusive, as numbers of their family. */
export interface AddressRange {
  readonly family: Family;
  readonly from: bigint;
  readonly to: bigint;
}

export const FAMILIES: readonly Family[] = [4, 6];
export const WHOLE: Readonly<Record<Family, AddressRange>> = {
  4: { family: 4, from: 0n, to: (1n << 32n) - 1n },
  6: { family: 6, from: 0n, to: (1n << 128n) - 1n },
};

/** An address in its usual text form, without zone; undefined where it is none. */
export function parseAddress(text: string): { family: Family; value: bigint } | undefined {
  if (text.includes(':')) {
    const value = parseSix(text);
    return value === undefined ? undefined : { family: 6, value };
  }
  const value = parseFour(text);
  return value === undefined ? undefined : { family: 4, value };
}

function parseFour(text: string): bigint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0n;
  for (const part of match.slice(1)) {
    // A leading zero is read as octal by some and as decimal by others (CVE-2021-29923).
    if (part.length > 1 && part.startsWith('0')) return undefined;
    if (Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseSix(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1)?.at(-1);
  if (last?.includes('.') === true) {
    const four = parseFour(last);
    if (four === undefined) return undefined;
    groups.at(-1)!.splice(-1, 1, (four >> 16n).toString(16), (four & 0xffffn).toString(16));
  }
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...head, ...Array<string>(halves.length === 2 ? missing : 0).fill('0'), ...tail]) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    value = (value << 16n) | BigInt(`0x${group}`);
  }
  return value;
}

/** A block in CIDR notation; `canonical` is false where bits are set behind the prefix. Undefined where it is none. */
export function parseBlock(text: string): (AddressRange & { readonly canonical: boolean }) | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (match === null || (match[2]!.length > 1 && match[2]!.startsWith('0'))) return undefined;
  const address = parseAddress(match[1]!);
  if (address === undefined) return undefined;
  const bits = address.family === 4 ? 32 : 128;
  const prefix = Number(match[2]);
  if (prefix > bits) return undefined;
  const rest = (1n << BigInt(bits - prefix)) - 1n;
  const from = address.value & ~rest;
  return { family: address.family, from, to: from | rest, canonical: from === address.value };
}

export function within(range: AddressRange, family: Family, value: bigint): boolean {
  return range.family === family && value >= range.from && value <= range.to;
}

/** Whether it is all of its family. */
export function isWhole({ family, from, to }: AddressRange): boolean {
  return from === WHOLE[family].from && to === WHOLE[family].to;
}

export function addressText(family: Family, value: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  // RFC 5952 section 4.2: the first of the longest runs of two or more zero groups becomes `::`.
  let [start, length] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === '0') j++;
    if (j - i > length) [start, length] = [i, j - i];
  }
  if (start === -1) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}

/** `a.b.c.d-e.f.g.h`, also where it is a single address. */
export function rangeText({ family, from, to }: AddressRange): string {
  return `${addressText(family, from)}-${addressText(family, to)}`;
}
