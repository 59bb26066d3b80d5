/**
 * The ClientHello in the first packets of a QUIC connection. They are encrypted under keys that anybody can derive from
 * the packet itself (RFC 9001, 5.2; version 2: RFC 9369, 3.3), so the server name can be read although nobody answers.
 * Input is hostile: every length is checked, and what is kept is bounded. Pure.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { type FirstBytes, readHandshake } from './first-bytes.ts';

interface Version {
  readonly salt: Buffer;
  readonly label: string;
  /** The two bits of an Initial packet's type (RFC 9000, 17.2; RFC 9369, 3.2). */
  readonly initial: number;
}

const VERSIONS: Readonly<Record<number, Version>> = {
  0x00000001: { salt: Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex'), label: 'quic', initial: 0 },
  0x6b3343cf: { salt: Buffer.from('0dede3def700a6db819381be6e269dcbf9bd2ed9', 'hex'), label: 'quicv2', initial: 1 },
};

/** A long header with the fixed bit and a version that is not negotiation (RFC 9000, 17.2), of whatever version. */
export function isQuicLong(bytes: Uint8Array): boolean {
  return bytes.length >= 7 && ((bytes[0] ?? 0) & 0xc0) === 0xc0 && bytes.subarray(1, 5).some((byte) => byte !== 0);
}

/** A piece of the handshake, from a CRYPTO frame (RFC 9000, 19.6). */
interface Piece {
  readonly offset: number;
  readonly data: Buffer;
}

/** Most of one connection: a ClientHello with post-quantum keys takes two datagrams. */
const LONGEST = 16_384;
const PIECES = 256;
/** Connections that are still put together. */
const CONNECTIONS = 512;

/** Puts the ClientHellos of many connections together. */
export class QuicHellos {
  readonly #open = new Map<string, Piece[]>();

  /**
   * One more datagram of this connection (`key`: its two ends). Undefined where it holds no Initial packet that can be
   * read; `incomplete` where more datagrams could tell more.
   */
  take(key: string, datagram: Uint8Array): FirstBytes | undefined {
    const pieces = initialPieces(datagram);
    if (pieces === undefined) return undefined;
    const all = [...(this.#open.get(key) ?? []), ...pieces].slice(0, PIECES);
    this.#open.delete(key);
    const { serverName, incomplete, protocols } = readHandshake(joined(all));
    if (incomplete) {
      this.#open.set(key, all);
      for (const oldest of this.#open.keys()) {
        if (this.#open.size <= CONNECTIONS) break;
        this.#open.delete(oldest);
      }
    }
    return {
      speaks: 'quic',
      incomplete,
      ...(serverName === undefined ? {} : { serverName }),
      ...(protocols === undefined ? {} : { protocols }),
    };
  }
}

/** What there is from the beginning without a gap. */
function joined(pieces: readonly Piece[]): Buffer {
  const sorted = [...pieces].sort((a, b) => a.offset - b.offset);
  const parts: Buffer[] = [];
  let have = 0;
  for (const { offset, data } of sorted) {
    if (offset > have) break;
    if (offset + data.length <= have) continue;
    const part = data.subarray(have - offset);
    parts.push(part);
    have += part.length;
  }
  return Buffer.concat(parts);
}

/** The CRYPTO frames of all Initial packets of a datagram; undefined where none can be opened. */
export function initialPieces(datagram: Uint8Array): Piece[] | undefined {
  const data = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length);
  let found: Piece[] | undefined;
  // Packets may be coalesced (RFC 9000, 12.2).
  for (let at = 0, count = 0; at < data.length && count < 8; count++) {
    const packet = readPacket(data.subarray(at));
    if (packet === undefined) break;
    at += packet.length;
    if (packet.payload !== undefined) found = [...(found ?? []), ...cryptoFrames(packet.payload)];
  }
  return found;
}

/** The payload is there for Initial packets of a client that open. */
function readPacket(data: Buffer): { readonly length: number; readonly payload?: Buffer } | undefined {
  if (!isQuicLong(data)) return undefined;
  const first = data.readUInt8(0);
  const version = VERSIONS[data.readUInt32BE(1)];
  if (version === undefined) return undefined;
  const reader = cursor(data, 5);
  const destination = reader.take(reader.u8());
  reader.take(reader.u8());
  const isInitial = ((first >> 4) & 3) === version.initial;
  // A token stands only in Initial packets; other long packets are skipped by their length.
  if (isInitial) reader.take(reader.variable());
  const rest = reader.variable();
  const start = reader.at();
  if (!reader.ok() || destination.length > 20 || rest < 20 || start + rest > data.length) return undefined;
  const length = start + rest;
  if (!isInitial) return { length };
  const payload = open(data.subarray(0, length), start, destination, version);
  return payload === undefined ? { length } : { length, payload };
}

function open(packet: Buffer, start: number, destination: Buffer, version: Version): Buffer | undefined {
  const secret = expand(hmac(version.salt, destination), 'client in', 32);
  const key = expand(secret, `${version.label} key`, 16);
  const iv = expand(secret, `${version.label} iv`, 12);
  const mask = createCipheriv('aes-128-ecb', expand(secret, `${version.label} hp`, 16), null)
    .setAutoPadding(false)
    .update(packet.subarray(start + 4, start + 20));
  const first = packet.readUInt8(0) ^ (mask.readUInt8(0) & 0x0f);
  const size = (first & 3) + 1;
  const header = Buffer.from(packet.subarray(0, start + size));
  header[0] = first;
  for (let at = 0; at < size; at++) {
    const byte = header.readUInt8(start + at) ^ mask.readUInt8(1 + at);
    header[start + at] = byte;
    // A client's first packet numbers are small: what was cut off of them is zero.
    const place = 12 - size + at;
    iv[place] = iv.readUInt8(place) ^ byte;
  }
  const decipher = createDecipheriv('aes-128-gcm', key, iv);
  decipher.setAAD(header);
  decipher.setAuthTag(packet.subarray(-16));
  try {
    return Buffer.concat([decipher.update(packet.subarray(start + size, -16)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function cryptoFrames(payload: Buffer): Piece[] {
  const pieces: Piece[] = [];
  const reader = cursor(payload, 0);
  while (reader.ok() && reader.at() < payload.length && pieces.length < PIECES) {
    const type = reader.variable();
    // PADDING and PING.
    if (type === 0 || type === 1) continue;
    if (type === 2 || type === 3) {
      reader.variable();
      reader.variable();
      const ranges = reader.variable();
      reader.variable();
      for (let left = Math.min(ranges, 1024); left > 0; left--) {
        reader.variable();
        reader.variable();
      }
      if (type === 3) for (let left = 3; left > 0; left--) reader.variable();
      continue;
    }
    if (type !== 6) break;
    const offset = reader.variable();
    const data = reader.take(reader.variable());
    if (reader.ok() && offset + data.length <= LONGEST) pieces.push({ offset, data });
  }
  return pieces;
}

function hmac(key: Uint8Array, data: Uint8Array): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

/** HKDF-Expand-Label (RFC 8446, 7.1) with an empty context, for at most 32 bytes. */
function expand(secret: Uint8Array, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
  return hmac(secret, info).subarray(0, length);
}

function cursor(bytes: Buffer, from: number) {
  let at = from;
  let good = true;
  const room = (count: number): boolean => {
    if (at + count > bytes.length) good = false;
    return good;
  };
  return {
    u8: () => (room(1) ? bytes.readUInt8((at += 1) - 1) : 0),
    /** RFC 9000, 16. A number beyond what JavaScript counts exactly is none. */
    variable(): number {
      const first = room(1) ? bytes.readUInt8(at) : 0;
      const size = 1 << (first >> 6);
      if (!room(size)) return 0;
      let value = BigInt(first & 0x3f);
      for (let index = 1; index < size; index++) value = (value << 8n) | BigInt(bytes.readUInt8(at + index));
      at += size;
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) good = false;
      return good ? Number(value) : 0;
    },
    take: (count: number) => (room(count) ? bytes.subarray((at += count) - count, at) : Buffer.alloc(0)),
    at: () => at,
    ok: () => good,
  };
}
