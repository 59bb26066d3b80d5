import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closedSocket, readNotification, readSocketAddress, writeAnswer } from './observed-calls.ts';

test('a notification is read as the kernel lays it out, on both processors', () => {
  const bytes = Buffer.alloc(80);
  bytes.writeBigUInt64LE(77n, 0);
  bytes.writeUInt32LE(4242, 8);
  bytes.writeInt32LE(42, 16);
  bytes.writeUInt32LE(0xc000003e, 20);
  bytes.writeBigUInt64LE(3n, 32);
  bytes.writeBigUInt64LE(0xffff_ffff_ffff_fffen, 40);
  const notification = readNotification(bytes);
  assert.deepEqual(
    [notification.id, notification.pid, notification.name, notification.args.slice(0, 2)],
    [77n, 4242, 'connect', [3n, 0xffff_ffff_ffff_fffen]],
  );
  bytes.writeUInt32LE(0xc00000b7, 20);
  assert.equal(readNotification(bytes).name, undefined);
  bytes.writeInt32LE(203, 16);
  assert.equal(readNotification(bytes).name, 'connect');
});

test('an answer lets the call go on, or is an error number', () => {
  assert.equal(writeAnswer(1n).toString('hex'), '010000000000000000000000000000000000000001000000');
  assert.equal(writeAnswer(1n, 97).toString('hex'), '010000000000000000000000000000009fffffff00000000');
});

test('addresses of every family that a program may call', () => {
  const four = Buffer.from('020001bbcb0071050000000000000000', 'hex');
  assert.deepEqual(readSocketAddress(four), { family: 'inet', address: '203.0.113.5', port: 443 });
  const six = Buffer.from('0a0001bb0000000020010db800000000000000000000000900000000', 'hex');
  assert.deepEqual(readSocketAddress(six), { family: 'inet6', address: '2001:db8::9', port: 443 });
  const mapped = Buffer.from('0a000035000000000000000000000000' + '0000ffff0a000001' + '00000000', 'hex');
  assert.deepEqual(readSocketAddress(mapped), { family: 'inet6', address: '10.0.0.1', port: 53 });
  const path = Buffer.concat([Buffer.from([1, 0]), Buffer.from('/run/docker.sock\0rest')]);
  assert.deepEqual(readSocketAddress(path), { family: 'unix', path: '/run/docker.sock' });
  const abstract = Buffer.concat([Buffer.from([1, 0, 0]), Buffer.from('name')]);
  assert.deepEqual(readSocketAddress(abstract), { family: 'unix', path: '@name' });
  assert.deepEqual(readSocketAddress(Buffer.from([16, 0, 0, 0])), { family: 'other', number: 16 });
  assert.equal(readSocketAddress(Buffer.from([1])), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => void readSocketAddress(Buffer.from(bytes))));
});

test('sockets that lead past the namespace are attempts, those that lead nowhere are not', () => {
  assert.deepEqual(
    [closedSocket(40, 1, 0), closedSocket(17, 3, 768), closedSocket(2, 3, 1), closedSocket(10, 1, 132)],
    ['vsock', 'packet', 'raw icmp', 'sctp'],
  );
  // AF_ALG, netlink, multipath TCP.
  assert.deepEqual(
    [closedSocket(38, 5, 0), closedSocket(16, 3, 16), closedSocket(2, 1, 262)],
    [undefined, undefined, undefined],
  );
  assert.equal(closedSocket(61, 1, 0), 'family 61');
});
