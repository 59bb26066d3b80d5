import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { digestOf, hexOf } from '#kernel';
import { END, FOLDER, INDEX, MAX_BLOBS, PAE, rawName, SEAL } from '../layout.ts';
import type { Lies, Member } from './craft.ts';

/** Contents of the bundle that is lied about: stored raw and small, raw because it is compressed, and as a frame. */
export interface Sample {
  readonly small: Uint8Array;
  readonly packed: Uint8Array;
  readonly text: Uint8Array;
}

const at = (name: string) => (members: Member[]) => members.findIndex((member) => member.name === name);
const blob = (bytes: Uint8Array): string => rawName(hexOf(digestOf(bytes)));

/** Every way in which the structure of a bundle can be wrong, with the reason that a reader of the bundle alone gives. */
export function bundleLies({ small, packed, text }: Sample): Record<string, [expected: string, Lies]> {
  return {
    'a member too many': ['bundle.member', { members: (m) => [...m, { name: `${FOLDER}/blobs/extra`, bytes: small }] }],
    'a member before the index': [
      'bundle.member',
      { members: (m) => m.toSpliced(at(INDEX)(m), 0, { name: `${FOLDER}/envelopes/extra`, bytes: small }) },
    ],
    'a missing blob': ['bundle.member', { members: (m) => m.filter(({ name }) => name !== blob(packed)) }],
    'the last blob missing': ['bundle.member', { members: (m) => m.slice(0, -1) }],
    'blobs in another order': ['bundle.member', { members: (m) => [...m.slice(0, -2), m.at(-1)!, m.at(-2)!] }],
    'a blob twice': ['bundle.member', { members: (m) => [...m, m.at(-1)!] }],
    'another content under a digest': [
      'bundle.digest',
      { members: (m) => m.with(at(blob(packed))(m), { name: blob(packed), bytes: randomBytes(packed.length) }) },
    ],
    'a content that is shorter than the index says': [
      'bundle.size',
      { members: (m) => m.with(at(blob(packed))(m), { name: blob(packed), bytes: packed.subarray(1) }) },
    ],
    'an index that says more': [
      'bundle.size',
      { blobs: (b) => b.map((one) => (one.digest === digestOf(packed) ? { ...one, size: one.size + 1 } : one)) },
    ],
    'an index that says a terabyte': [
      'bundle.size',
      { blobs: (b) => b.map((one) => (one.digest === digestOf(packed) ? { ...one, size: 1024 ** 4 } : one)) },
    ],
    'an index that says more than a terabyte': [
      'bundle.limit',
      { blobs: (b) => b.map((one) => (one.digest === digestOf(packed) ? { ...one, size: 1024 ** 4 + 1 } : one)) },
    ],
    'an index that gives the frame more': [
      'bundle.frame',
      { blobs: (b) => b.map((one) => (one.digest === digestOf(text) ? { ...one, size: one.size + 1 } : one)) },
    ],
    'an index out of order': ['bundle.index', { blobs: (b) => [b[0]!, ...b.slice(1).reverse()] }],
    'an index without the lock first': ['bundle.index', { blobs: (b) => [...b.slice(1), b[0]!] }],
    'an index with a blob twice': ['bundle.index', { blobs: (b) => [...b, b.at(-1)!] }],
    'an index with wrong totals': [
      'bundle.index',
      { index: (b) => Buffer.from(b.toString().replace(/"bytes":\d+/, '"bytes":1')) },
    ],
    'an index with a duplicate key': [
      'bundle.index',
      { index: (b) => Buffer.from(b.toString().replace('"stored":', '"size":0,"stored":')) },
    ],
    'an index that does not end its last line': ['bundle.index', { index: (b) => b.subarray(0, -1) }],
    'an index with too many blobs': [
      'bundle.limit',
      { index: (b) => Buffer.from(b.toString().replace(/"blobs":\d+/, `"blobs":${MAX_BLOBS + 1}`)) },
    ],
    'an index of another major': [
      'bundle.unknown-version',
      { index: (b) => Buffer.from(b.toString().replace('"1.0"', '"2.0"')) },
    ],
    'an index with an unknown critical feature': [
      'bundle.unknown-critical',
      { index: (b) => Buffer.from(b.toString().replace('"critical":[]', '"critical":["deltas"]')) },
    ],
    'another encoder': ['bundle.unknown-critical', { encoder: (e) => ({ ...e, name: 'brotli' }) }],
    'frames larger than the limit': ['bundle.index', { encoder: (e) => ({ ...e, frame: 1024 ** 3 }) }],
    'a seal of another major': [
      'bundle.unknown-version',
      { payload: (b) => Buffer.from(b.toString().replace('"version":"1.0"', '"version":"9.0"')) },
    ],
    'a seal with an unknown critical feature': [
      'bundle.unknown-critical',
      { payload: (b) => Buffer.from(b.toString().replace('"critical":[]', '"critical":["volumes"]')) },
    ],
    'a seal of another kind': [
      'bundle.statement',
      { payload: (b) => Buffer.from(b.toString().replace('sallyport/seal/v1', 'sallyport/root/v1')) },
    ],
    'a seal with two subjects': [
      'bundle.statement',
      { payload: (b) => Buffer.from(b.toString().replace(/"subject":\[(.*?)\],/, '"subject":[$1,$1],')) },
    ],
    'a seal without a sequence': ['bundle.statement', { seal: (s) => ({ ...s, sequence: 0 }) }],
    'a seal with a negative sequence': ['bundle.statement', { seal: (s) => ({ ...s, sequence: -1 }) }],
    'a seal at no time': ['bundle.statement', { seal: (s) => ({ ...s, sealed: 'yesterday' }) }],
    'a seal that is no JSON': ['bundle.statement', { payload: () => Buffer.from('{') }],
    'a seal for another index': ['bundle.subject', { seal: (s) => ({ ...s, index: digestOf('other') }) }],
    'a seal with other totals': ['bundle.statement', { seal: (s) => ({ ...s, blobs: s.blobs + 1 }) }],
    'a seal that carries a path': [
      'bundle.statement',
      { seal: (s) => ({ ...s, carries: [{ name: '../x', sha256: '0'.repeat(64) }] }) },
    ],
    'a seal that carries two of one name': [
      'bundle.statement',
      { seal: (s) => ({ ...s, carries: [...s.carries, ...s.carries] }) },
    ],
    'a seal that carries too many': [
      'bundle.limit',
      {
        seal: (s) => ({
          ...s,
          carries: Array.from({ length: 300 }, (_, i) => ({ name: `n${i}`, sha256: '0'.repeat(64) })),
        }),
      },
    ],
    'a carried document that was changed': [
      'bundle.envelope',
      { carried: ([one]) => [{ name: one!.name, bytes: Buffer.from('changed\n') }] },
    ],
    'an envelope in another form': [
      'bundle.envelope',
      { envelope: (b) => Buffer.from(Buffer.from(b).toString().replace(',"signatures"', ', "signatures"')) },
    ],
    'an envelope of another type': ['bundle.envelope', { payloadType: 'application/json' }],
    'a signature under another key id': [
      'bundle.envelope',
      {
        envelope: (b) =>
          Buffer.from(
            Buffer.from(b)
              .toString()
              .replace(/"keyid":"./, '"keyid":"x'),
          ),
      },
    ],
    'an envelope that is none': ['bundle.envelope', { envelope: () => Buffer.from('{}\n') }],
    'another PAE than what was signed': [
      'bundle.envelope',
      { members: (m) => m.with(at(PAE)(m), { name: PAE, bytes: Buffer.from(m[at(PAE)(m)]!.bytes).reverse() }) },
    ],
    'an endless envelope': [
      'bundle.limit',
      { members: (m) => m.with(at(SEAL)(m), { name: SEAL, bytes: Buffer.alloc(1024 ** 2 + 1) }) },
    ],
    'a seek table that lies': ['bundle.seek', { seek: (b) => Buffer.from(b).fill('0', 0, 16) }],
    'a frame with something after it': ['bundle.frame', { frame: (f) => Buffer.concat([f, Buffer.from('x')]) }],
    'a frame that is a bomb': [
      'bundle.frame',
      { frame: () => zstdCompressSync(Buffer.alloc(50_000_000), { pledgedSrcSize: 50_000_000 }) },
    ],
    'padding that is not zero': [
      'bundle.padding',
      {
        file: (b) => {
          const end = b.lastIndexOf(END);
          b[end + 1000] = 1;
          return b;
        },
      },
    ],
    'an end that is not zero': [
      'bundle.trailing',
      {
        file: (b) => {
          b[b.length - 1] = 1;
          return b;
        },
      },
    ],
  };
}
