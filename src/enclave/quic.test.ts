import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { initialPieces, isQuicLong, QuicHellos } from './quic.ts';

const DESTINATION = '8394c8f03e515708';
/** The CRYPTO frame of RFC 9001, A.2 (the same in RFC 9369, A.2): a ClientHello for example.com. */
const FRAME = Buffer.from(
  '060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868' +
    '04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578' +
    '616d706c652e636f6dff01000100000a00080006001d00170018001000070005' +
    '04616c706e000500050100000000003300260024001d00209370b2c9caa47fba' +
    'baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400' +
    '0d0010000e0403050306030203080408050806002d00020101001c0002400100' +
    '3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000' +
    '75300901100f088394c8f03e51570806048000ffff',
  'hex',
);

/** The keys as both documents print them (A.1), and the first and last bytes of the packet as they print it (A.2). */
const ONE = {
  first: 0xc3,
  version: '00000001',
  key: '1f369613dd76d5467730efcbe3b1a22d',
  iv: 'fa044b2f42a3fd3b46fb255c',
  hp: '9f50449e04a0e810283a1e9933adedd2',
  begins: 'c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11',
  ends: '7e78bfe706ca4cf5e9c5453e9f7cfd2b8b4c8d169a44e55c88d4a9a7f9474241e221af44860018ab0856972e194cd934',
};
const TWO = {
  first: 0xd3,
  version: '6b3343cf',
  key: '8b1a0bc121284290a29e0971b5cd045d',
  iv: '91f73e2351d8fa91660e909f',
  hp: '45b95e15235d6f45a6b19cbcb0294ba9',
  begins: 'd76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485',
  ends: '6f4c4938ae79324dc402894b44faf8afbab35282ab659d13c93f70412e85cb199a37ddec600545473cfb5a05e08d0b209973b2172b4d21fb69745a262ccde96ba18b2faa745b6fe189cf772a9f84cbfc',
};

/** A client's Initial packet with four bytes of packet number. */
function protect(version: typeof ONE, payload: Buffer, number: number): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(0x4000 | (4 + payload.length + 16));
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(number);
  const header = Buffer.concat([
    Buffer.from([version.first]),
    Buffer.from(`${version.version}08${DESTINATION}0000`, 'hex'),
    length,
    counter,
  ]);
  const iv = Buffer.from(version.iv, 'hex');
  for (let at = 0; at < 4; at++) iv.writeUInt8(iv.readUInt8(8 + at) ^ counter.readUInt8(at), 8 + at);
  const cipher = createCipheriv('aes-128-gcm', Buffer.from(version.key, 'hex'), iv);
  cipher.setAAD(header);
  const sealed = Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
  const mask = createCipheriv('aes-128-ecb', Buffer.from(version.hp, 'hex'), null).update(sealed.subarray(0, 16));
  header.writeUInt8(header.readUInt8(0) ^ (mask.readUInt8(0) & 0x0f), 0);
  const start = header.length - 4;
  for (let at = 0; at < 4; at++) header.writeUInt8(header.readUInt8(start + at) ^ mask.readUInt8(1 + at), start + at);
  return Buffer.concat([header, sealed]);
}

const padded = (frame: Buffer, size = 1162): Buffer => Buffer.concat([frame, Buffer.alloc(size - frame.length)]);
/** A CRYPTO frame with a part of that ClientHello. */
function part(from: number, to: number): Buffer {
  const data = FRAME.subarray(4 + from, 4 + to);
  const numbers = Buffer.alloc(4);
  numbers.writeUInt16BE(0x4000 | from, 0);
  numbers.writeUInt16BE(0x4000 | data.length, 2);
  return Buffer.concat([Buffer.from([6]), numbers, data]);
}

for (const [name, version] of Object.entries({ 'RFC 9001': ONE, 'RFC 9369': TWO })) {
  test(`the Initial packet of ${name}, A.2, tells its server name`, () => {
    const packet = protect(version, padded(FRAME), 2);
    assert.equal(packet.length, 1200);
    // The tag stands at its end: with it equal, every byte between is that of the document.
    assert.equal(packet.subarray(0, 32).toString('hex'), version.begins);
    assert.equal(packet.subarray(-version.ends.length / 2).toString('hex'), version.ends);
    assert.deepEqual(new QuicHellos().take('a', packet), {
      speaks: 'quic',
      incomplete: false,
      serverName: 'example.com',
      protocols: ['alpn'],
    });
  });
}

test('a ClientHello in pieces, in any order, over packets and datagrams', () => {
  const hellos = new QuicHellos();
  const size = FRAME.length - 4;
  const first = protect(ONE, padded(Buffer.concat([part(100, 180), Buffer.from([1]), part(0, 60)])), 0);
  const second = protect(ONE, padded(part(180, size)), 1);
  const third = protect(ONE, padded(part(50, 110), 100), 2);
  assert.equal(hellos.take('a', first)?.incomplete, true);
  assert.equal(hellos.take('b', second)?.incomplete, true);
  // Two packets in one datagram.
  assert.equal(hellos.take('a', Buffer.concat([third, second]))?.serverName, 'example.com');
  // The other connection learned nothing from it.
  assert.deepEqual(hellos.take('b', third), { speaks: 'quic', incomplete: true });
});

test('what is damaged or cut tells nothing, and any bytes are read without an exception', () => {
  const packet = protect(ONE, padded(FRAME), 2);
  fc.assert(
    fc.property(fc.nat(packet.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Buffer.from(packet);
      damaged.writeUInt8(damaged.readUInt8(at) ^ flip, at);
      assert.equal(initialPieces(damaged), undefined);
    }),
  );
  for (let length = 0; length < packet.length; length += 7) {
    assert.equal(initialPieces(packet.subarray(0, length)), undefined);
  }
  const hellos = new QuicHellos();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1500 }), (bytes) => void hellos.take('x', bytes)));
  // Payloads that open and hold nonsense.
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 200 }), (bytes) => {
      hellos.take('y', protect(TWO, Buffer.from(bytes), 1));
    }),
  );
});

test('a long header is told from other datagrams', () => {
  assert.equal(isQuicLong(Buffer.from('c00000000108aabbccdd', 'hex')), true);
  assert.equal(isQuicLong(Buffer.from('c00000000008aabbccdd', 'hex')), false);
  assert.equal(isQuicLong(Buffer.from('hello, world')), false);
});

test('connections that never say the rest are forgotten', () => {
  const hellos = new QuicHellos();
  const begin = protect(ONE, padded(part(0, 60)), 0);
  for (let index = 0; index < 600; index++) hellos.take(`c${index}`, begin);
  const rest = protect(ONE, padded(part(60, FRAME.length - 4)), 1);
  assert.equal(hellos.take('c599', rest)?.serverName, 'example.com');
  assert.equal(hellos.take('c0', rest)?.serverName, undefined);
});
