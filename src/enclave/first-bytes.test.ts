import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { test } from 'node:test';
import fc from 'fast-check';
import { readFirstBytes } from './first-bytes.ts';

async function clientHello(servername: string): Promise<Buffer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const bytes = new Promise<Buffer>((resolve) => {
    server.once('connection', (socket) => {
      socket.once('data', (piece: Buffer) => {
        resolve(piece);
        socket.destroy();
      });
    });
  });
  const client = connectTls({ socket: connect(port, '127.0.0.1'), servername });
  client.on('error', () => undefined);
  try {
    return await bytes;
  } finally {
    client.destroy();
    server.close();
  }
}

test('the server name of a real ClientHello is read, whole or cut anywhere', async () => {
  const hello = await clientHello('registry.example.test');
  const read = readFirstBytes(hello);
  assert.deepEqual([read.speaks, read.serverName, read.incomplete], ['tls', 'registry.example.test', false]);
  for (let length = 1; length < hello.length; length++) {
    const part = readFirstBytes(hello.subarray(0, length));
    assert.deepEqual([part.speaks, part.serverName, part.incomplete], ['tls', undefined, true]);
  }
  // The same message in records of a hundred bytes.
  const body = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += 100) {
    const part = body.subarray(at, at + 100);
    records.push(Buffer.from([0x16, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  assert.equal(readFirstBytes(Buffer.concat(records)).serverName, 'registry.example.test');
});

test('HTTP and SSH are told apart', () => {
  const http = readFirstBytes(
    Buffer.from('POST /v1/x HTTP/1.1\r\nUser-Agent: x\r\nHOST:  telemetry.example.test:81 \r\n\r\n'),
  );
  assert.deepEqual([http.speaks, http.request], ['http', 'POST telemetry.example.test:81/v1/x']);
  assert.equal(readFirstBytes(Buffer.from('SSH-2.0-x\r\n')).speaks, 'ssh');
});

test('any bytes, also a damaged hello, are read without an exception', async () => {
  const hello = await clientHello('registry.example.test');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      readFirstBytes(bytes);
      readFirstBytes(Buffer.concat([Buffer.from('1603010080010000', 'hex'), bytes]));
    }),
  );
  fc.assert(
    fc.property(fc.nat(hello.length - 1), fc.nat(255), (at, value) => {
      const damaged = Buffer.from(hello);
      damaged[at] = value;
      readFirstBytes(damaged);
    }),
  );
});
