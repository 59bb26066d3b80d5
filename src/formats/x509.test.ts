import assert from 'node:assert/strict';
import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type CertificateFields, certificatePem, certificateToSign, signedCertificate } from './x509.ts';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = keys.publicKey.export({ type: 'spki', format: 'der' });
const fields: CertificateFields = {
  serial: Uint8Array.of(1),
  issuer: 'an authority',
  subject: 'a server',
  notBefore: new Date('2026-01-01T00:00:00Z'),
  notAfter: new Date('2026-02-01T00:00:00Z'),
  publicKey: spki,
  subjectKeyId: Uint8Array.of(1, 2, 3),
  authorityKeyId: Uint8Array.of(4, 5, 6),
  role: { kind: 'server', names: ['registry.example.test'], addresses: [] },
};

function certificate(some: Partial<CertificateFields>): X509Certificate {
  const toSign = certificateToSign({ ...fields, ...some });
  return new X509Certificate(certificatePem(signedCertificate(toSign, sign('sha256', toSign, keys.privateKey))));
}

describe('X.509 certificates', () => {
  test('an authority is read back as one, and its signature holds', () => {
    const read = certificate({
      subject: 'an authority',
      authorityKeyId: fields.subjectKeyId,
      role: { kind: 'authority', pathLength: 0 },
    });
    assert.equal(read.ca, true);
    assert.equal(read.subject, 'CN=an authority');
    assert.equal(read.checkIssued(read), true);
    assert.equal(read.verify(keys.publicKey), true);
    assert.equal(read.subjectAltName, undefined);
  });

  test('a server has names, addresses and one purpose', () => {
    const addresses = [Uint8Array.of(192, 0, 2, 1), Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? 1 : 0))];
    const names = ['registry.example.test', '*.example.test'];
    const read = certificate({ role: { kind: 'server', names, addresses } });
    assert.equal(read.ca, false);
    assert.equal(
      read.subjectAltName,
      'DNS:registry.example.test, DNS:*.example.test, IP Address:192.0.2.1, IP Address:0:0:0:0:0:0:0:1',
    );
    // node:crypto shows the extended purposes under this name.
    assert.deepEqual(read.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.equal(read.checkHost('a.example.test', { subject: 'never' }), '*.example.test');
    assert.equal(read.checkHost('example.test', { subject: 'never' }), undefined);
    assert.equal(read.checkIP('192.0.2.1'), '192.0.2.1');
    assert.equal(read.checkIP('192.0.2.2'), undefined);
  });

  test('times change their form with the year 2050, and keep their value', () => {
    for (const year of ['1950', '1999', '2000', '2049', '2050', '9999']) {
      const at = new Date(`${year}-12-31T23:59:59Z`);
      const read = certificate({ notBefore: new Date('1950-01-01T00:00:00Z'), notAfter: at });
      assert.equal(read.validToDate.getTime(), at.getTime(), year);
    }
  });

  test('one changed bit of what was signed breaks the signature', () => {
    const toSign = certificateToSign(fields);
    const signature = sign('sha256', toSign, keys.privateKey);
    const changed = Uint8Array.from(toSign);
    // Within the common name of the subject.
    const at = Buffer.from(changed).indexOf('a server');
    changed[at] = 'b'.charCodeAt(0);
    const read = new X509Certificate(signedCertificate(changed, signature));
    assert.equal(read.subject, 'CN=b server');
    assert.equal(read.verify(keys.publicKey), false);
  });

  test('whatever the fields are, another reader reads the same', () => {
    const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 20 }).filter((bytes) => (bytes[0] ?? 0) > 0 && (bytes[0] ?? 0) < 0x80),
        fc.stringMatching(/^[A-Za-z0-9 äöüß漢字_-]{1,64}$/),
        fc.array(fc.array(label, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 200 }),
        fc.date({ min: new Date('1950-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (serial, subject, labels, notBefore) => {
          const names = labels.map((parts) => parts.join('.'));
          const read = certificate({
            serial,
            subject,
            notBefore,
            notAfter: new Date('9999-12-31T23:59:59Z'),
            role: { kind: 'server', names, addresses: [] },
          });
          assert.equal(BigInt(`0x${read.serialNumber}`), BigInt(`0x${Buffer.from(serial).toString('hex')}`));
          assert.equal(read.toLegacyObject().subject.CN, subject);
          assert.equal(read.subjectAltName, names.map((name) => `DNS:${name}`).join(', '));
          assert.equal(read.validFromDate.getTime(), Math.floor(notBefore.getTime() / 1000) * 1000);
          assert.equal(read.verify(keys.publicKey), true);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('what cannot be written is refused', () => {
    const server = (names: string[], addresses: Uint8Array[] = []) =>
      ({ role: { kind: 'server', names, addresses } }) as const;
    const wrong: readonly Partial<CertificateFields>[] = [
      { serial: new Uint8Array(0) },
      { serial: Uint8Array.of(0, 0) },
      { serial: Uint8Array.of(0x80) },
      { serial: new Uint8Array(21).fill(1) },
      { subject: '' },
      { issuer: 'x'.repeat(65) },
      { notAfter: new Date('2025-01-01T00:00:00Z') },
      { notBefore: new Date('1949-12-31T23:59:59Z') },
      server([]),
      server(['a b']),
      server(['registry.example.test\0.evil.example.test']),
      server(['bücher.example.test']),
      server(['x'.repeat(254)]),
      server([], [Uint8Array.of(1, 2, 3)]),
      { role: { kind: 'authority', pathLength: -1 } },
    ];
    for (const some of wrong) assert.throws(() => certificateToSign({ ...fields, ...some }), RangeError);
  });
});
