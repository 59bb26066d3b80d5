import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createHash, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  decodeEnvelope,
  formatVkey,
  isProblem,
  NOTE_COSIGNATURE_MLDSA44,
  noteSignatureFits,
  pae,
  parseVkey,
} from '#formats';
import { derSignature, publicKeyOf, readPublicKey, signatureFits } from './algorithm.ts';
import { verifySigstoreBundle } from './sigstore.ts';

const data = join(import.meta.dirname, '../../../shared/data');
const absent = existsSync(data) ? false : 'the vectors are not beside the repository';

interface Group {
  readonly publicKey?: { readonly pk: string };
  readonly publicKeyDer?: string;
  readonly publicKeySpki?: string;
  readonly tests: readonly {
    tcId: number;
    comment: string;
    msg: string;
    sig: string;
    ctx?: string;
    result: string;
    flags: string[];
  }[];
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** SubjectPublicKeyInfo of ML-DSA-65 and 87 (RFC 9881) before the key's bytes. */
const MLDSA_SPKI: Readonly<Record<string, { size: number; prefix: string }>> = {
  'mldsa_65_verify_test.json': { size: 1952, prefix: '308207b2300b0609608648016503040312038207a100' },
  'mldsa_87_verify_test.json': { size: 2592, prefix: '30820a32300b060960864801650304031303820a2100' },
};

/** ECDSA, Ed25519 and ML-DSA vectors through the entry point that judges every envelope. */
for (const file of [
  'ed25519_test.json',
  'ecdsa_secp256r1_sha256_test.json',
  'ecdsa_secp384r1_sha384_test.json',
  'mldsa_65_verify_test.json',
  'mldsa_87_verify_test.json',
]) {
  test(`Wycheproof ${file}`, { skip: absent }, () => {
    const { testGroups } = JSON.parse(readFileSync(join(data, 'wycheproof', file), 'utf8')) as { testGroups: Group[] };
    const wrong: string[] = [];
    let cases = 0;
    let accepted = 0;
    for (const group of testGroups) {
      const key = readPublicKey(spkiOf(group, file).toString('base64'));
      for (const { tcId, comment, msg, sig, ctx, result } of group.tests) {
        // Our envelopes have no context string, so a vector with one cannot be valid here.
        const due = result === 'valid' && (ctx ?? '') === '';
        const fits = key !== undefined && signatureFits(key, hex(msg), hex(sig));
        cases += 1;
        if (fits) accepted += 1;
        if (fits !== due && !(result === 'acceptable' && !fits))
          wrong.push(`${tcId} ${comment}: ${fits ? 'fits' : 'does not fit'}`);
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(cases > 50 && accepted > 5, `${cases} cases, ${accepted} fit`);
  });
}

/** Vectors whose entry point is another one than envelopes have. */
function wycheproof(file: string, judge: (group: Group, message: Uint8Array, signature: Uint8Array) => boolean): void {
  test(`Wycheproof ${file}`, { skip: absent }, () => {
    const { testGroups } = JSON.parse(readFileSync(join(data, 'wycheproof', file), 'utf8')) as { testGroups: Group[] };
    const wrong: string[] = [];
    let accepted = 0;
    let cases = 0;
    for (const group of testGroups) {
      for (const { tcId, comment, msg, sig, ctx = '', result } of group.tests) {
        const fits = judge(group, hex(msg), hex(sig));
        const due = result === 'valid' && ctx === '';
        cases += 1;
        if (fits) accepted += 1;
        if (fits !== due && !(result === 'acceptable' && ctx === '')) {
          wrong.push(`${tcId} ${comment}: ${fits ? 'fits' : 'does not fit'}`);
        }
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(cases > 50 && accepted > 5, `${cases} cases, ${accepted} fit`);
  });
}

// As tokens and agents give a signature: r and s beside each other.
wycheproof('ecdsa_secp256r1_sha256_p1363_test.json', (group, message, signature) => {
  const key = readPublicKey(hex(group.publicKeyDer ?? '').toString('base64'));
  return key !== undefined && signature.length === 64 && signatureFits(key, message, derSignature(signature));
});

// As a witness's cosignature is verified.
wycheproof('mldsa_44_verify_test.json', (group, message, signature) => {
  const raw = hex((group as unknown as { publicKey: string }).publicKey);
  const vkey = parseVkey(formatVkey('example.test/witness', NOTE_COSIGNATURE_MLDSA44, raw));
  return !isProblem(vkey) && noteSignatureFits(vkey, message, signature);
});

// As the signature of somebody else over a file, by a key that the caller has.
wycheproof('rsa_signature_3072_sha256_test.json', (group, message, signature) => {
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: '' }, tlogEntries: [] },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_256', digest: createHash('sha256').update(message).digest('base64') },
      signature: Buffer.from(signature).toString('base64'),
    },
  };
  const key = (group as unknown as { publicKeyPem: string }).publicKeyPem;
  return verifySigstoreBundle(Buffer.from(JSON.stringify(bundle)), message, { key }).verdict === 'verified';
});

function spkiOf(group: Group, file: string): Buffer {
  const der = group.publicKeyDer ?? group.publicKeySpki;
  if (der !== undefined) return hex(der);
  const raw = hex((group as unknown as { publicKey: string }).publicKey);
  return Buffer.concat([hex(MLDSA_SPKI[file]?.prefix ?? ''), raw]);
}

test('CCTV Ed25519: no key of small order, no second encoding', { skip: absent }, () => {
  const vectors = JSON.parse(readFileSync(join(data, 'cctv-ed25519/ed25519vectors.json'), 'utf8')) as {
    number: number;
    key: string;
    sig: string;
    msg: string;
    flags: string[] | null;
  }[];
  const wrong: string[] = [];
  let refused = 0;
  for (const { number, key: raw, sig, msg, flags } of vectors) {
    const spki = Buffer.concat([hex('302a300506032b6570032100'), hex(raw)]);
    const key = readPublicKey(spki.toString('base64'));
    const bad = (flags ?? []).some((flag) => flag === 'low_order_A' || flag === 'non_canonical_A');
    if (bad !== (key === undefined)) wrong.push(`${number}: key ${key === undefined ? 'refused' : 'taken'}`);
    if (bad) refused += 1;
    // OpenSSL compares the encoding of R, so a second encoding of R never fits.
    if (
      key !== undefined &&
      (flags ?? []).includes('non_canonical_R') &&
      signatureFits(key, Buffer.from(msg), hex(sig))
    ) {
      wrong.push(`${number}: fits with a second encoding of R`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(refused > 100, `${refused} refused`);
});

interface SigstoreBundle {
  readonly verificationMaterial: { readonly certificate?: { readonly rawBytes: string } };
  readonly dsseEnvelope?: object;
}

/** Envelopes that other programs wrote, judged by the key of their certificate alone. */
for (const [name, due] of [
  ['rekor2-dsse-happy-path', true],
  ['dsse-invalid-sig_fail', false],
] as const) {
  test(`an envelope of sigstore: ${name}`, { skip: absent }, () => {
    const path = join(data, 'sigstore-bundles', name, 'bundle.sigstore.json');
    const { verificationMaterial, dsseEnvelope } = JSON.parse(readFileSync(path, 'utf8')) as SigstoreBundle;
    const envelope = decodeEnvelope(Buffer.from(JSON.stringify(dsseEnvelope)));
    assert.ok(!isProblem(envelope));
    const certificate = new X509Certificate(Buffer.from(verificationMaterial.certificate?.rawBytes ?? '', 'base64'));
    const key = publicKeyOf(certificate.publicKey);
    assert.equal(key?.algorithm, 'ecdsa-p256');
    const message = pae(envelope.payloadType, envelope.payload);
    const fits = envelope.signatures.map(({ sig }) => key !== undefined && signatureFits(key, message, sig));
    assert.deepEqual(fits, [due]);
  });
}
