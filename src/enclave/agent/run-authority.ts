import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { certificatePem, certificateToSign, signedCertificate } from '#formats';

const DAY = 24 * 60 * 60 * 1000;
/** Certificates that are kept: a program that asks for more names waits for new ones. */
const KEPT = 2000;

/**
 * An authority for one run. Its key is in the memory of the process that made it and nowhere else, so it is gone with
 * it; what trusted it trusts nothing any more.
 */
export class RunAuthority {
  /** PEM. */
  readonly certificate: string;
  /** Under which name OpenSSL looks for it in a folder of certificates (X509_NAME_hash, and `.0`). */
  readonly hashedName: string;
  readonly #key: KeyObject;
  readonly #name: string;
  readonly #keyId: Uint8Array;
  readonly #from: Date;
  readonly #until: Date;
  readonly #leaf: { readonly pem: string; readonly spki: Uint8Array };
  readonly #contexts = new Map<string, SecureContext>();

  private constructor(now: Date) {
    const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = own.publicKey.export({ type: 'spki', format: 'der' });
    this.#key = own.privateKey;
    this.#keyId = keyId(spki);
    this.#name = `Sallyport recorder ${randomBytes(8).toString('hex')}`;
    // Programs are started under other clocks too (reproducible builds): a day before, a week after.
    this.#from = new Date(now.getTime() - DAY);
    this.#until = new Date(now.getTime() + 7 * DAY);
    this.#leaf = {
      pem: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      spki: leaf.publicKey.export({ type: 'spki', format: 'der' }),
    };
    this.hashedName = `${nameHash(this.#name)}.0`;
    this.certificate = this.#issue(this.#name, spki, { kind: 'authority', pathLength: 0 });
  }

  static create(now: Date): RunAuthority {
    return new RunAuthority(now);
  }

  /** What a server of this name or address shows. Throws RangeError where that is no name of a server. */
  contextFor(server: string): SecureContext {
    const known = this.#contexts.get(server);
    if (known !== undefined) return known;
    const family = isIP(server);
    const cert = this.#issue('Recorded server', this.#leaf.spki, {
      kind: 'server',
      names: family === 0 ? [server] : [],
      addresses: family === 0 ? [] : [addressBytes(server)],
    });
    const context = createSecureContext({ key: this.#leaf.pem, cert });
    if (this.#contexts.size >= KEPT) this.#contexts.clear();
    this.#contexts.set(server, context);
    return context;
  }

  #issue(subject: string, publicKey: Uint8Array, role: Parameters<typeof certificateToSign>[0]['role']): string {
    const serial = randomBytes(16);
    serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
    const toSign = certificateToSign({
      serial,
      issuer: this.#name,
      subject,
      notBefore: this.#from,
      notAfter: this.#until,
      publicKey,
      subjectKeyId: keyId(publicKey),
      authorityKeyId: this.#keyId,
      role,
    });
    return certificatePem(signedCertificate(toSign, sign('sha256', toSign, this.#key)));
  }
}

/** Any value that tells keys apart will do (RFC 5280, 4.2.1.2). */
function keyId(spki: Uint8Array): Uint8Array {
  return createHash('sha256').update(spki).digest().subarray(0, 20);
}

/**
 * OpenSSL's hash of a name of one short common name: SHA-1 over its canonical form (lower case, single spaces, UTF8String,
 * without the outer SEQUENCE), the first four bytes as a little-endian number.
 */
function nameHash(commonName: string): string {
  const text = Buffer.from(commonName.toLowerCase(), 'ascii');
  const value = Buffer.concat([Buffer.from('0603550403', 'hex'), Buffer.from([0x0c, text.length]), text]);
  const canonical = Buffer.concat([Buffer.from([0x31, value.length + 2, 0x30, value.length]), value]);
  const digest = createHash('sha1').update(canonical).digest();
  return digest.readUInt32LE(0).toString(16).padStart(8, '0');
}

/** An address as its 4 or 16 bytes. */
function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split('.').map(Number));
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text =
    dotted === null
      ? address
      : `${dotted[1]}${[2, 4].map((at) => (Number(dotted[at]) * 256 + Number(dotted[at + 1])).toString(16)).join(':')}`;
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const middle = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return Uint8Array.from([...first, ...middle, ...last].flatMap((group) => [group >> 8, group & 0xff]));
}
