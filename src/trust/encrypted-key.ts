import { createCipheriv, type KeyObject, scryptSync } from 'node:crypto';

/**
 * Cost of scrypt: 16 MiB and, with p = 8, about a third of a second here. N is the most that OpenSSL opens by itself
 * (its limit is 32 MiB), so every tool that reads PKCS#8 through OpenSSL reads these files.
 */
export const SCRYPT = { N: 16384, r: 8, p: 8 } as const;
/** Bytes of salt and of the cipher's first block. */
export const SALT_SIZE = 16;
export const IV_SIZE = 16;

const PBES2 = '2a864886f70d01050d';
const SCRYPT_OID = '2b06010401da47040b';
const AES_256_CBC = '60864801650304012a';

/**
 * A private key as EncryptedPrivateKeyInfo (RFC 5958) in PEM: PBES2 (RFC 8018) with scrypt (RFC 7914, section 7) and
 * AES-256-CBC. node:crypto opens this form and writes only PBKDF2 with 2,048 rounds, which is why it is written here.
 * `salt` and `iv` are fresh random bytes.
 */
export function encryptPrivateKey(key: KeyObject, passphrase: string, salt: Uint8Array, iv: Uint8Array): string {
  const secret = scryptSync(passphrase, salt, 32, { ...SCRYPT, maxmem: 64 * 1024 * 1024 });
  const cipher = createCipheriv('aes-256-cbc', secret, iv);
  const plain = key.export({ format: 'der', type: 'pkcs8' });
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  plain.fill(0);
  secret.fill(0);
  const parameters = sequence(octets(salt), integer(SCRYPT.N), integer(SCRYPT.r), integer(SCRYPT.p));
  const algorithm = sequence(
    identifier(PBES2),
    sequence(sequence(identifier(SCRYPT_OID), parameters), sequence(identifier(AES_256_CBC), octets(iv))),
  );
  const lines =
    sequence(algorithm, octets(sealed))
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines.join('\n')}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

/** One element of DER: tag, length in the shortest form, content. */
function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

function sequence(...content: readonly Uint8Array[]): Buffer {
  return element(0x30, ...content);
}

function octets(bytes: Uint8Array): Buffer {
  return element(0x04, bytes);
}

function identifier(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, 'hex'));
}

/** A whole number from 1 to 2^31 - 1. */
function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return element(0x02, (bytes[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}
