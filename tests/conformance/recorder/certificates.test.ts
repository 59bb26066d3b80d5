import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { javaTrustStore, RunAuthority, TRUST_STORE_PASSWORD } from '#enclave/testing';
import { certificatePem, certificateToSign, signedCertificate } from '#formats';
import { errorMessage } from '#kernel';
import { debianTools, findProgram, runtimeEnvironment } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';

// What we write is judged by those who read it every day.

const tool = await debianTools(['openssl'], { env: process.env }).catch((error: unknown) => errorMessage(error));
const openssl = typeof tool === 'string' ? '' : tool.openssl.path;
const noOpenssl = openssl === '' ? skipped('openssl', String(tool)) : false;
const keytool = await findProgram('keytool', process.env);
const noKeytool = keytool === undefined ? skipped('keytool', 'it is not on this machine') : false;
const env = { PATH: process.env['PATH'] ?? '', ...runtimeEnvironment(process.env) };
const say = (program: string, ...words: readonly string[]): string =>
  execFileSync(program, words, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

test(
  'OpenSSL takes authority and server strictly, and finds the authority by its hashed name',
  { skip: noOpenssl },
  async (t) => {
    used('openssl, reading certificates', say(openssl, 'version').trim());
    const folder = await temporaryFolder(t);
    const authority = RunAuthority.create(new Date());
    const root = join(folder, authority.hashedName);
    await writeFile(root, authority.certificate);
    assert.equal(`${say(openssl, 'x509', '-in', root, '-noout', '-subject_hash').trim()}.0`, authority.hashedName);
    assert.match(say(openssl, 'verify', '-x509_strict', '-CAfile', root, root), /: OK/);

    const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = (keys: typeof own): Uint8Array => keys.publicKey.export({ type: 'spki', format: 'der' });
    const issue = (
      fields: Pick<Parameters<typeof certificateToSign>[0], 'subject' | 'publicKey' | 'role'>,
      id: number,
    ): string => {
      const toSign = certificateToSign({
        serial: Uint8Array.of(0x10, id),
        issuer: 'An authority',
        notBefore: new Date(Date.now() - 1000),
        notAfter: new Date(Date.now() + 86_400_000),
        subjectKeyId: Uint8Array.of(id),
        authorityKeyId: Uint8Array.of(1),
        ...fields,
      });
      return certificatePem(signedCertificate(toSign, sign('sha256', toSign, own.privateKey)));
    };
    const ca = join(folder, 'ca.pem');
    const server = join(folder, 'server.pem');
    await writeFile(
      ca,
      issue({ subject: 'An authority', publicKey: spki(own), role: { kind: 'authority', pathLength: 0 } }, 1),
    );
    const names = ['registry.example.test', '*.example.test'];
    await writeFile(
      server,
      issue(
        {
          subject: 'A server',
          publicKey: spki(leaf),
          role: { kind: 'server', names, addresses: [Uint8Array.of(192, 0, 2, 1)] },
        },
        2,
      ),
    );
    const verify = (...more: readonly string[]): string =>
      say(openssl, 'verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca, ...more, server);
    assert.match(verify('-verify_hostname', 'registry.example.test'), /: OK/);
    assert.match(verify('-verify_hostname', 'a.example.test'), /: OK/);
    assert.match(verify('-verify_ip', '192.0.2.1'), /: OK/);
    assert.throws(() => verify('-verify_hostname', 'example.test'), /hostname mismatch|Command failed/);
    assert.throws(() => verify('-verify_ip', '192.0.2.2'), /Command failed/);
    // A server issues nothing, and what is not DER is not read.
    assert.throws(
      () => say(openssl, 'verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', ca, server),
      /Command failed/,
    );
    const shown = say(openssl, 'asn1parse', '-in', server, '-strparse', '4');
    assert.match(shown, /OCTET STRING|SEQUENCE/);
  },
);

test('keytool reads the trust store', { skip: noKeytool }, async (t) => {
  used('keytool, reading our trust store', '');
  const folder = await temporaryFolder(t);
  const { certificate } = RunAuthority.create(new Date());
  const store = Buffer.from(javaTrustStore(certificate));
  const path = join(folder, 'ca.jks');
  await writeFile(path, store);
  const words = ['-list', '-rfc', '-keystore', path, '-storepass', TRUST_STORE_PASSWORD];
  const listed = say(keytool ?? '', ...words);
  // Its own line ends are of two kinds.
  const plain = (text: string): string => text.replace(/\s/g, '');
  assert.equal(plain(listed).includes(plain(certificate)), true, listed);
  // Its digest is checked: one changed byte is refused.
  store[store.length - 30] = (store[store.length - 30] ?? 0) ^ 1;
  await writeFile(path, store);
  assert.throws(() => say(keytool ?? '', ...words), /Command failed/);
});
