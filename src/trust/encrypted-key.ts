import { createCipheriv, type KeyObject, pbkdf2Sync, scryptSync } from 'node:crypto';

/**
 * Cost of scrypt: 16 MiB and, with p = 8, about a third of a second here. N is the most that OpenSSL opens by itself
 * (its limit is 32 MiB), so every tool that reads PKCS#8 through OpenSSL reads these files.
 */
export const SCRYPT = { N: 16384, r: 8, p: 8 } as const;
/** Rounds of PBKDF2 with HMAC-SHA-256; SP 800-132 asks for as many as people can bear, and this is a third of a second. */
export const PBKDF2_ROUNDS = 600_000;
/** Bytes of salt and of the cipher's first block. */
export const SALT_SIZE = 16;
export const IV_SIZE = 16;

const PBES2 = '2a864886f70d01050d';
const SCRYPT_OID = '2b06010401da47040b';
const PBKDF2_OID = '2a864886f70d01050c';
const HMAC_SHA256 = '2a864886f70d0209';
const AES_256_CBC = '60864801650304012a';

/**
 * A private key as EncryptedPrivateKeyInfo (RFC 5958) in PEM: PBES2 (RFC 8018) with scrypt (RFC 7914, section 7) or
 * PBKDF2 (HMAC-SHA-256), and AES-256-CBC. node:crypto opens both forms and writes only PBKDF2 with 2,048 rounds, which is
 * why they are written here. `salt` and `iv` are fresh random bytes.
 */
export function encryptPrivateKey(
  key: KeyObject,
  passphrase: string,
  salt: Uint8Array,
  iv: Uint8Array,
  by: 'scrypt' | 'pbkdf2' = 'scrypt',
): string {
  const secret =
    by === 'scrypt'
      ? scryptSync(passphrase, salt, 32, { ...SCRYPT, maxmem: 64 * 1024 * 1024 })
      : pbkdf2Sync(passphrase, salt, PBKDF2_ROUNDS, 32, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', secret, iv);
  const plain = key.export({ format: 'der', type: 'pkcs8' });
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  plain.fill(0);
  secret.fill(0);
  const derivation =
    by === 'scrypt'
      ? sequence(
          identifier(SCRYPT_OID),
          sequence(octets(salt), integer(SCRYPT.N), integer(SCRYPT.r), integer(SCRYPT.p)),
        )
      : sequence(
          identifier(PBKDF2_OID),
          sequence(octets(salt), integer(PBKDF2_ROUNDS), sequence(identifier(HMAC_SHA256), element(0x05))),
        );
  const algorithm = sequence(identifier(PBES2), sequence(derivation, sequence(identifier(AES_256_CBC), octets(iv))));
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
