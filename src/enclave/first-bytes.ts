/** What the first bytes of a connection say about it. Input is hostile: every length is checked. Pure. */

export interface FirstBytes {
  readonly speaks: 'tls' | 'http' | 'ssh' | 'quic' | '';
  readonly serverName?: string;
  readonly request?: string;
  /** Whether more bytes could tell more. */
  readonly incomplete: boolean;
}

const METHODS = /^(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI) /;

export function readFirstBytes(bytes: Uint8Array): FirstBytes {
  if (bytes.length === 0) return { speaks: '', incomplete: true };
  if (bytes[0] === 0x16) return readClientHello(bytes);
  const text = Buffer.from(bytes.subarray(0, 8192)).toString('latin1');
  if (METHODS.test(text)) {
    const end = text.indexOf('\r\n\r\n');
    const [first = '', ...headers] = text.split('\r\n');
    const [method = '', path = ''] = first.split(' ');
    const host = headers.map((line) => /^host:\s*(.*?)\s*$/i.exec(line)?.[1]).find((value) => value !== undefined);
    const request = `${method} ${host ?? ''}${path}`.slice(0, 512);
    return { speaks: 'http', request, incomplete: end === -1 && bytes.length < 8192 };
  }
  if (text.startsWith('SSH-')) return { speaks: 'ssh', incomplete: false };
  const mayBeMethod = bytes.length < 8 && /^[A-Z]+$/.test(text);
  return { speaks: '', incomplete: mayBeMethod };
}

/** QUIC long header (RFC 9000, 17.2): form and fixed bit set, then a version. */
export function isQuicInitial(bytes: Uint8Array): boolean {
  return bytes.length >= 7 && ((bytes[0] ?? 0) & 0xc0) === 0xc0 && bytes.subarray(1, 5).some((byte) => byte !== 0);
}

/** TLS ClientHello (RFC 8446, 4.1.2), over as many records as it takes; server_name is RFC 6066, 3. */
function readClientHello(bytes: Uint8Array): FirstBytes {
  const unknown = { speaks: 'tls', incomplete: false } as const;
  const more = { speaks: 'tls', incomplete: bytes.length < 65536 } as const;
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: Buffer[] = [];
  let at = 0;
  let have = 0;
  let need = 4;
  while (have < need) {
    if (at + 5 > data.length) return more;
    if (data[at] !== 0x16) return unknown;
    const length = data.readUInt16BE(at + 3);
    if (length === 0 || length > 16384) return unknown;
    if (at + 5 + length > data.length) return more;
    parts.push(data.subarray(at + 5, at + 5 + length));
    have += length;
    at += 5 + length;
    const start = Buffer.concat(parts);
    if (start.length >= 4) {
      if (start[0] !== 1) return unknown;
      need = 4 + start.readUIntBE(1, 3);
      if (need > 65536) return unknown;
    }
  }
  const hello = Buffer.concat(parts).subarray(4, need);
  const reader = cursor(hello);
  reader.skip(34);
  reader.skip(reader.u8());
  reader.skip(reader.u16());
  reader.skip(reader.u8());
  const end = reader.u16() + reader.at();
  while (reader.ok() && reader.at() + 4 <= end) {
    const type = reader.u16();
    const length = reader.u16();
    if (type !== 0) {
      reader.skip(length);
      continue;
    }
    reader.skip(2);
    const kind = reader.u8();
    const name = reader.take(reader.u16()).toString('latin1');
    if (!reader.ok() || kind !== 0 || !/^[\x21-\x7e]{1,255}$/.test(name)) return unknown;
    return { speaks: 'tls', serverName: name, incomplete: false };
  }
  return unknown;
}

function cursor(bytes: Buffer) {
  let at = 0;
  let good = true;
  const room = (count: number): boolean => {
    if (at + count > bytes.length) good = false;
    return good;
  };
  return {
    u8: () => (room(1) ? bytes.readUInt8((at += 1) - 1) : 0),
    u16: () => (room(2) ? bytes.readUInt16BE((at += 2) - 2) : 0),
    skip(count: number) {
      if (room(count)) at += count;
    },
    take: (count: number) => (room(count) ? bytes.subarray((at += count) - count, at) : Buffer.alloc(0)),
    at: () => at,
    ok: () => good,
  };
}
