/** What the first bytes of a connection say about it. Input is hostile: every length is checked. Pure. */

export interface FirstBytes {
  readonly speaks: 'tls' | 'http' | 'ssh' | 'quic' | '';
  readonly serverName?: string;
  readonly request?: string;
  /** The application protocols that a TLS client offers (ALPN). */
  readonly protocols?: readonly string[];
  /** Whether more bytes could tell more. */
  readonly incomplete: boolean;
}

/** More than any real one, post-quantum keys included. */
const LONGEST_HELLO = 65_536;

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

/** TLS ClientHello (RFC 8446, 4.1.2), over as many records as it takes. */
function readClientHello(bytes: Uint8Array): FirstBytes {
  const unknown = { speaks: 'tls', incomplete: false } as const;
  const more = { speaks: 'tls', incomplete: bytes.length < LONGEST_HELLO } as const;
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const { incomplete, ...said } = readHandshake(Buffer.concat(parts));
    if (!incomplete) return { speaks: 'tls', incomplete, ...said };
    if (at + 5 > data.length) return more;
    if (data[at] !== 0x16) return unknown;
    const length = data.readUInt16BE(at + 3);
    if (length === 0 || length > 16384) return unknown;
    if (at + 5 + length > data.length) return more;
    parts.push(data.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
}

/**
 * A ClientHello as a handshake message: its server name (server_name, RFC 6066, 3) and the protocols that it offers
 * (ALPN, RFC 7301, 3.1), where they can be read.
 */
export function readHandshake(message: Buffer): Pick<FirstBytes, 'serverName' | 'protocols' | 'incomplete'> {
  if (message.length < 4) return { incomplete: true };
  const end = 4 + message.readUIntBE(1, 3);
  if (message[0] !== 1 || end > LONGEST_HELLO) return { incomplete: false };
  if (message.length < end) return { incomplete: true };
  const reader = cursor(message.subarray(4, end));
  reader.skip(34);
  reader.skip(reader.u8());
  reader.skip(reader.u16());
  reader.skip(reader.u8());
  const last = reader.u16() + reader.at();
  let serverName: string | undefined;
  let protocols: string[] | undefined;
  while (reader.ok() && reader.at() + 4 <= last) {
    const type = reader.u16();
    const content = cursor(reader.take(reader.u16()));
    if (type === 0) {
      content.skip(2);
      const kind = content.u8();
      const name = content.take(content.u16()).toString('latin1');
      if (content.ok() && kind === 0 && /^[\x21-\x7e]{1,255}$/.test(name)) serverName = name;
    } else if (type === 16) {
      const names: string[] = [];
      const to = content.u16() + content.at();
      while (content.ok() && content.at() < to && names.length < 16) {
        names.push(content.take(content.u8()).toString('latin1'));
      }
      if (content.ok()) protocols = names.filter((name) => /^[\x21-\x7e]+$/.test(name));
    }
  }
  return {
    incomplete: false,
    ...(serverName === undefined ? {} : { serverName }),
    ...(protocols === undefined ? {} : { protocols }),
  };
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
