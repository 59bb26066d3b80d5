import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { checkServerIdentity as checked, connect, createServer, type TLSSocket } from 'node:tls';
import { RunAuthority } from './run-authority.ts';

/** Whether a client that trusts only `trusted` accepts what the server shows for a name or address. */
async function accepts(server: RunAuthority, shown: string, trusted: RunAuthority, asked: string): Promise<string> {
  const listener = createServer({ SNICallback: (_, done) => done(null, server.contextFor(shown)) });
  listener.on('tlsClientError', () => undefined);
  listener.on('secureConnection', (socket: TLSSocket) => socket.on('error', () => undefined).end());
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  try {
    return await new Promise((resolve) => {
      const { port } = listener.address() as AddressInfo;
      // The name that is sent only leads to the callback; what the certificate is checked for is another.
      const socket = connect({
        port,
        servername: 'any.example.test',
        ca: trusted.certificate,
        checkServerIdentity: (_, cert) => checked(asked, cert),
      });
      socket.once('secureConnect', () => resolve('yes'));
      socket.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message));
    });
  } finally {
    listener.close();
  }
}

describe('the authority of a run', () => {
  test('what it issues is accepted for that name and address, and for no other', async () => {
    const authority = RunAuthority.create(new Date());
    const other = RunAuthority.create(new Date());
    for (const name of [
      ...['registry.example.test', 'a_b.example.test', 'x'.repeat(63) + '.example.test', '192.0.2.1', '::1'],
      ...['2001:db8::1', '2001:db8:0:0:1::', '::ffff:192.0.2.1', 'fe80:1:2:3:4:5:6:7'],
    ]) {
      assert.equal(await accepts(authority, name, authority, name), 'yes', name);
      assert.equal(
        await accepts(authority, name, authority, 'other.example.test'),
        'ERR_TLS_CERT_ALTNAME_INVALID',
        name,
      );
      assert.match(await accepts(authority, name, other, name), /SIGNATURE|CERT|ISSUER/, name);
    }
  });

  test('it is for a few days, and a clock that is somewhat wrong does not matter', async () => {
    const days = (count: number): Date => new Date(Date.now() + count * 86_400_000);
    for (const [made, expected] of [
      [days(0.9), 'yes'],
      [days(-6.9), 'yes'],
      [days(1.1), 'CERT_NOT_YET_VALID'],
      [days(-7.1), 'CERT_HAS_EXPIRED'],
    ] as const) {
      const authority = RunAuthority.create(made);
      const name = 'registry.example.test';
      assert.equal(await accepts(authority, name, authority, name), expected, made.toISOString());
    }
  });

  test('what is no name of a server gets no certificate', () => {
    const authority = RunAuthority.create(new Date());
    for (const name of ['', 'a b', 'x'.repeat(254), 'a\0b']) {
      assert.throws(() => authority.contextFor(name), RangeError, name);
    }
  });
});
