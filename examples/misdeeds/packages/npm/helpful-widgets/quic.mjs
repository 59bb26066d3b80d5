// A QUIC version 1 Initial packet as a client sends it first (RFC 9000, RFC 9001): a TLS 1.3 ClientHello with a server
// name, in a CRYPTO frame, padded to 1200 bytes, sealed with the keys that follow from the connection id.
import { createCipheriv, createHmac, randomBytes } from 'node:crypto';

const SALT = Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex');
const SIZE = 1200;
const NUMBER = Buffer.alloc(4);

export function quicInitial(name) {
  const id = randomBytes(8);
  const source = randomBytes(8);
  const head = (length) =>
    Buffer.concat([
      // A long header, type Initial, with a packet number of four bytes.
      Buffer.from([0xc3, 0, 0, 0, 1, id.length]),
      id,
      Buffer.from([source.length]),
      source,
      // No token.
      Buffer.from([0]),
      variable(length),
      NUMBER,
    ]);
  const hello = clientHello(name, source);
  const frame = Buffer.concat([Buffer.from([0x06, 0]), variable(hello.length), hello]);
  const plain = Buffer.alloc(SIZE - head(0).length - 16);
  frame.copy(plain);
  const packet = head(NUMBER.length + plain.length + 16);

  const initial = createHmac('sha256', SALT).update(id).digest();
  const secret = expand(initial, 'client in', 32);
  const cipher = createCipheriv('aes-128-gcm', expand(secret, 'quic key', 16), expand(secret, 'quic iv', 12));
  cipher.setAAD(packet);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  // The sample lies where it would with a packet number of four bytes, which is what it has.
  const mask = createCipheriv('aes-128-ecb', expand(secret, 'quic hp', 16), null).update(sealed.subarray(0, 16));
  packet[0] ^= mask[0] & 0x0f;
  for (let n = 0; n < NUMBER.length; n++) packet[packet.length - NUMBER.length + n] ^= mask[1 + n];
  return Buffer.concat([packet, sealed]);
}

/** HKDF-Expand-Label of TLS 1.3 (RFC 8446, 7.1), for at most 32 bytes. */
function expand(secret, label, length) {
  const full = `tls13 ${label}`;
  const info = Buffer.concat([Buffer.from([0, length, full.length]), Buffer.from(full), Buffer.from([0, 1])]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

/** A length in two bytes (RFC 9000, 16). */
function variable(value) {
  return Buffer.from([0x40 | (value >> 8), value & 0xff]);
}

function clientHello(name, source) {
  const host = Buffer.from(name);
  const extensions = Buffer.concat([
    extension(0x0000, sized(2, Buffer.concat([Buffer.from([0]), sized(2, host)]))),
    // Groups, signature algorithms, ALPN h3, TLS 1.3 alone, a key share of X25519, transport parameters.
    extension(0x000a, sized(2, Buffer.from([0, 0x1d]))),
    extension(0x000d, sized(2, Buffer.from('040308040401', 'hex'))),
    extension(0x0010, sized(2, sized(1, Buffer.from('h3')))),
    extension(0x002b, sized(1, Buffer.from([0x03, 0x04]))),
    extension(0x0033, sized(2, Buffer.concat([Buffer.from([0, 0x1d]), sized(2, randomBytes(32))]))),
    extension(0x0039, Buffer.concat([Buffer.from([0x0f, source.length]), source])),
  ]);
  const body = Buffer.concat([
    Buffer.from([0x03, 0x03]),
    randomBytes(32),
    Buffer.from([0]),
    sized(2, Buffer.from([0x13, 0x01])),
    sized(1, Buffer.from([0])),
    sized(2, extensions),
  ]);
  return Buffer.concat([Buffer.from([1]), sized(3, body)]);
}

function extension(type, data) {
  return Buffer.concat([Buffer.from([type >> 8, type & 0xff]), sized(2, data)]);
}

/** Data behind its length in so many bytes. */
function sized(bytes, data) {
  const length = Buffer.alloc(bytes);
  length.writeUIntBE(data.length, 0, bytes);
  return Buffer.concat([length, data]);
}
