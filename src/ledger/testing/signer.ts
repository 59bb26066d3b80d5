import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { formatVkey, NOTE_ED25519, noteKeyHash } from '#formats';
import type { LogSigner } from '../ports.ts';

/** PKCS#8 of an Ed25519 key is this prefix and its 32-byte seed (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A log's signer whose key follows from a number, so that tests are the same every time. */
export function testSigner(seed = 1, name = 'test-site/0123456789abcdef'): LogSigner {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, Buffer.alloc(32, seed)]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const raw = spki.subarray(-32);
  return {
    name,
    keyHash: noteKeyHash(name, NOTE_ED25519, raw),
    sign: (message) => sign(null, message, key),
    vkey: formatVkey(name, NOTE_ED25519, raw),
    keyid: createHash('sha256').update(spki).digest('hex'),
  };
}
