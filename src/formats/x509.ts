/**
 * X.509 version 3 certificates, as they are written (RFC 5280) in DER (X.690): for authorities of our own, which need
 * few fields. Signing is the caller's: the bytes to sign go out, the signature comes back. ECDSA with SHA-256 only.
 */

/** What a certificate says. Names in issuer and subject are one common name each. */
export interface CertificateFields {
  /** 1 to 20 bytes, the first below 0x80, not all zero (RFC 5280, 4.1.2.2). */
  readonly serial: Uint8Array;
  /** At most 64 characters each (ub-common-name). */
  readonly issuer: string;
  readonly subject: string;
  /** Whole seconds; what is below a second is cut off. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo in DER, as `export({ type: 'spki', format: 'der' })` gives it. */
  readonly publicKey: Uint8Array;
  /** Identifiers of the keys of subject and issuer (RFC 5280, 4.2.1.1 and 4.2.1.2): any bytes that tell keys apart. */
  readonly subjectKeyId: Uint8Array;
  readonly authorityKeyId: Uint8Array;
  readonly role:
    | { readonly kind: 'authority'; readonly pathLength: number }
    | {
        readonly kind: 'server';
        /** DNS names in ASCII; a first label may be `*`. */
        readonly names: readonly string[];
        /** 4 or 16 bytes each. */
        readonly addresses: readonly Uint8Array[];
      };
}

/** Object identifiers, encoded. */
const OID = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectKeyIdentifier: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  authorityKeyIdentifier: '551d23',
  extKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
} as const;

/** The bytes that the issuer signs (TBSCertificate). Throws RangeError where a field cannot be written. */
export function certificateToSign(fields: CertificateFields): Uint8Array {
  const { serial, publicKey, role } = fields;
  const isZero = serial.every((byte) => byte === 0);
  if (serial.length === 0 || serial.length > 20 || (serial[0] ?? 0) > 0x7f || isZero) {
    throw new RangeError('a serial number is 1 to 20 bytes and positive');
  }
  if (fields.notAfter.getTime() < fields.notBefore.getTime()) throw new RangeError('it ends before it begins');
  return sequence(
    tagged(0, integer(Uint8Array.of(2))),
    integer(serial),
    algorithm(),
    name(fields.issuer),
    sequence(time(fields.notBefore), time(fields.notAfter)),
    name(fields.subject),
    publicKey,
    tagged(
      3,
      sequence(
        ...(role.kind === 'authority' ? authorityExtensions(role.pathLength) : serverExtensions(role)),
        extension(OID.subjectKeyIdentifier, false, octets(fields.subjectKeyId)),
        extension(OID.authorityKeyIdentifier, false, sequence(implicit(0, fields.authorityKeyId))),
      ),
    ),
  );
}

/** The whole certificate. The signature is an Ecdsa-Sig-Value in DER, as node:crypto writes it unasked. */
export function signedCertificate(toSign: Uint8Array, signature: Uint8Array): Uint8Array {
  return sequence(toSign, algorithm(), bits(signature, 0));
}

/** DER as PEM (RFC 7468): lines of 64 characters. */
export function certificatePem(certificate: Uint8Array): string {
  const lines =
    Buffer.from(certificate)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function authorityExtensions(pathLength: number): Uint8Array[] {
  if (!Number.isInteger(pathLength) || pathLength < 0 || pathLength > 127) {
    throw new RangeError('a path length is 0 to 127');
  }
  return [
    extension(OID.basicConstraints, true, sequence(boolean(true), integer(Uint8Array.of(pathLength)))),
    // keyCertSign (5) and cRLSign (6).
    extension(OID.keyUsage, true, bits(Uint8Array.of(0b0000_0110), 1)),
  ];
}

function serverExtensions(role: CertificateFields['role'] & { kind: 'server' }): Uint8Array[] {
  const names = role.names.map((text) => {
    if (!/^[\x21-\x7e]{1,253}$/.test(text)) throw new RangeError('a DNS name is 1 to 253 printable ASCII characters');
    return implicit(2, Buffer.from(text, 'latin1'));
  });
  const addresses = role.addresses.map((bytes) => {
    if (bytes.length !== 4 && bytes.length !== 16) throw new RangeError('an address is 4 or 16 bytes');
    return implicit(7, bytes);
  });
  if (names.length + addresses.length === 0) throw new RangeError('a server has a name or an address');
  return [
    extension(OID.basicConstraints, true, sequence()),
    // digitalSignature (0): the only thing that an ECDSA key of a server does.
    extension(OID.keyUsage, true, bits(Uint8Array.of(0b1000_0000), 7)),
    extension(OID.extKeyUsage, false, sequence(oid(OID.serverAuth))),
    extension(OID.subjectAltName, false, sequence(...names, ...addresses)),
  ];
}

function algorithm(): Uint8Array {
  // RFC 5758, 3.2: the parameters are absent, not NULL.
  return sequence(oid(OID.ecdsaWithSha256));
}

function name(commonName: string): Uint8Array {
  const { length } = [...commonName];
  if (length === 0 || length > 64) throw new RangeError('a common name has 1 to 64 characters');
  return sequence(der(0x31, sequence(oid(OID.commonName), der(0x0c, Buffer.from(commonName, 'utf8')))));
}

/** RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050 on. */
function time(date: Date): Uint8Array {
  const year = date.getUTCFullYear();
  if (!(year >= 1950 && year <= 9999)) throw new RangeError('a certificate holds times of 1950 to 9999');
  const digits = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  return year < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

// ------------------------------------------------------------------------------------------------------------- DER

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  // X.690, 10.1: the shortest form of the length.
  const head: number[] = [tag];
  if (length < 0x80) head.push(length);
  else {
    const bytes: number[] = [];
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
    head.push(0x80 | bytes.length, ...bytes);
  }
  return Buffer.concat([Uint8Array.from(head), content]);
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return der(0x30, ...parts);
}

function oid(hex: string): Uint8Array {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function octets(bytes: Uint8Array): Uint8Array {
  return der(0x04, bytes);
}

function boolean(value: boolean): Uint8Array {
  return der(0x01, Uint8Array.of(value ? 0xff : 0));
}

/** Of an unsigned number whose first byte is below 0x80; leading zeros are dropped (X.690, 8.3.2). */
function integer(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0 && (bytes[start + 1] ?? 0) < 0x80) start += 1;
  return der(0x02, bytes.subarray(start));
}

function bits(bytes: Uint8Array, unused: number): Uint8Array {
  return der(0x03, Uint8Array.of(unused), bytes);
}

/** Explicit tag, constructed. */
function tagged(number: number, content: Uint8Array): Uint8Array {
  return der(0xa0 | number, content);
}

/** Implicit tag over a primitive value. */
function implicit(number: number, bytes: Uint8Array): Uint8Array {
  return der(0x80 | number, bytes);
}
