// ML-DSA of this product beside another implementation of it, by the accumulated and the benchmark vectors of C2SP's CCTV.
// The vectors are made of deterministic signatures, which node:crypto does not make (it signs with fresh randomness, as
// FIPS 204 prefers): @noble/post-quantum makes them, the keys are ours, and our readers judge every signature of both.
import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { formatVkey, isProblem, NOTE_COSIGNATURE_MLDSA44, noteSignatureFits, parseVkey } from '#formats';
import { readPublicKey, signatureFits } from '#trust';
import { used } from '../../components.ts';

const data = join(import.meta.dirname, '../../../../shared/data/cctv-mldsa');
const skip = existsSync(data) ? false : 'the vectors are not beside the repository';

interface Variant {
  readonly name: '44' | '65' | '87';
  readonly other: typeof ml_dsa44;
  /** PrivateKeyInfo before a seed of 32 bytes (RFC 9881): what our key files hold. */
  readonly pkcs8: string;
  /** Bytes of a public key. */
  readonly size: number;
}

const VARIANTS: readonly Variant[] = [
  { name: '44', other: ml_dsa44, pkcs8: '3034020100300b060960864801650304031104228020', size: 1312 },
  { name: '65', other: ml_dsa65, pkcs8: '3034020100300b060960864801650304031204228020', size: 1952 },
  { name: '87', other: ml_dsa87, pkcs8: '3034020100300b060960864801650304031304228020', size: 2592 },
];

function keyOf({ pkcs8, size }: Variant, seed: Uint8Array): { privateKey: KeyObject; spki: Buffer; raw: Buffer } {
  const key = Buffer.concat([Buffer.from(pkcs8, 'hex'), seed]);
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { privateKey, spki, raw: spki.subarray(-size) };
}

/** The reader that such a key has with us: an envelope's for 65 and 87, a note's for 44. */
function readerOf({ name }: Variant, { spki, raw }: { spki: Buffer; raw: Buffer }) {
  if (name === '44') {
    const vkey = parseVkey(formatVkey('example.test/witness', NOTE_COSIGNATURE_MLDSA44, raw));
    assert(!isProblem(vkey));
    return (message: Uint8Array, signature: Uint8Array) => noteSignatureFits(vkey, message, signature);
  }
  const key = readPublicKey(spki.toString('base64'));
  assert(key !== undefined);
  return (message: Uint8Array, signature: Uint8Array) => signatureFits(key, message, signature);
}

for (const variant of VARIANTS) {
  test(`ML-DSA-${variant.name}: 100 accumulated keys and signatures of CCTV`, { skip }, () => {
    used('@noble/post-quantum', '0.7.1', 'npm');
    const page = readFileSync(join(data, 'accumulated/README.md'), 'utf8');
    const section = page.slice(page.indexOf(`### ML-DSA-${variant.name}`));
    const due = /- 100 iterations: `([0-9a-f]{64})`/.exec(section)?.[1];
    // All seeds at once: reading SHAKE128 further gives the same bytes.
    const seeds = createHash('shake128', { outputLength: 32 * 100 }).digest();
    const all = createHash('shake128', { outputLength: 32 });
    const message = new Uint8Array();
    for (let i = 0; i < 100; i++) {
      const seed = seeds.subarray(32 * i, 32 * (i + 1));
      const key = keyOf(variant, seed);
      const signature = variant.other.sign(message, variant.other.keygen(seed).secretKey, { extraEntropy: false });
      assert.ok(readerOf(variant, key)(message, signature), `key ${i}`);
      all.update(key.raw).update(signature);
    }
    assert.equal(all.digest('hex'), due);
  });

  test(`ML-DSA-${variant.name}: every benchmark message of CCTV, signed here and read by both`, { skip }, () => {
    const seed = Buffer.alloc(32);
    const key = keyOf(variant, seed);
    const reads = readerOf(variant, key);
    const { publicKey } = variant.other.keygen(seed);
    assert.deepEqual(Buffer.from(publicKey), key.raw);
    for (const file of [`ML-DSA-${variant.name}.json`, `ML-DSA-${variant.name}.alt.json`]) {
      const messages = JSON.parse(readFileSync(join(data, 'benchmark', file), 'utf8')) as string[];
      assert.ok(messages.length > 100);
      for (const [i, text] of messages.entries()) {
        const message = Buffer.from(text, 'ascii');
        const signature = sign(null, message, key.privateKey);
        assert.ok(reads(message, signature), text);
        assert.ok(!reads(Buffer.from(`${text} `), signature), text);
        if (i % 16 === 0) assert.ok(variant.other.verify(signature, message, publicKey), text);
      }
    }
  });
}
