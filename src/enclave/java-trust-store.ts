import { createHash } from 'node:crypto';

/** A trust store holds no secret; Java wants a password for its digest all the same. */
export const TRUST_STORE_PASSWORD = 'changeit';

/**
 * One certificate (PEM) as a Java key store in the format JKS, version 2, as sun.security.provider.JavaKeyStore of
 * OpenJDK reads it: Java reads no PEM file, and its own keytool need not be there.
 */
export function javaTrustStore(pem: string): Uint8Array {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const store = Buffer.concat([
    u32(0xfeedfeed),
    u32(2),
    // One entry, of the kind "trusted certificate".
    u32(1),
    u32(2),
    utf('sallyport'),
    // Its time, in milliseconds since 1970: nobody reads it.
    Buffer.alloc(8),
    utf('X.509'),
    u32(der.length),
    der,
  ]);
  const password = Buffer.from(TRUST_STORE_PASSWORD, 'utf16le').swap16();
  const digest = createHash('sha1').update(password).update('Mighty Aphrodite').update(store).digest();
  return Buffer.concat([store, digest]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** As DataOutput.writeUTF, of ASCII. */
function utf(text: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  return Buffer.concat([length, Buffer.from(text, 'latin1')]);
}
