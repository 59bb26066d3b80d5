import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '#kernel';
import { publicKeyOf } from '../algorithm.ts';
import { parseObjects, parseTokenUri } from './pkcs11.ts';

test('a PKCS #11 URI names module, token and key (RFC 7512)', () => {
  assert.deepEqual(parseTokenUri('pkcs11:token=a%20b;object=k;id=%01%ff?module-path=/m.so&pin-source=file:/pin'), {
    token: 'a b',
    object: 'k',
    id: '01ff',
    module: '/m.so',
    pinSource: '/pin',
  });
});

test('what does not name a key, or would show the PIN, is refused', () => {
  for (const uri of [
    'pkcs11:',
    'pkcs11:token=t?module-path=/m.so',
    'pkcs11:object=k?module-path=/m.so',
    'pkcs11:token=t;object=k',
    'pkcs11:token=t;token=u;object=k?module-path=/m.so',
    'pkcs11:token=t;object=k;slot-id=3?module-path=/m.so',
    'pkcs11:token=t;object=%zz?module-path=/m.so',
    'pkcs11:token=t;object=k?module-path=/m.so&pin-value=1234',
  ]) {
    assert.throws(
      () => parseTokenUri(uri),
      (error) => isFault(error) && error.code === 'trust.token',
      uri,
    );
  }
});

test('public keys are read from what pkcs11-tool lists', () => {
  const listed = `Public Key Object; EC  EC_POINT 256 bits
  EC_POINT:   0441042bc09c2cc6ff87d06e34e970ba6a25653b5e98482ede6a2550cbd7cdc6ce4715d426b92dfe8a54fe3695dba9326fbbbd4f657c9c3398767b23e0e1bf0125c242
  EC_PARAMS:  06082a8648ce3d030107
  label:      first key
  ID:         a1
Public Key Object; EC  EC_POINT 384 bits
  EC_POINT:   0461047a8880fb4f1b52a747675523a1f8cb13504df8ac6c29f2ad0018909a6248cdef98e34ceb8033d64c8d324ac496ea8ed628cf5dd9c73b28ae79759bd7dad45d5e394a37a7b157845e763e03afa3baff004af1732b8bc94b4fa437e957036ad7f2
  EC_PARAMS:  06052b81040022
  label:      second
  ID:         a2
Public Key Object; EC_EDWARDS  EC_POINT 255 bits
  EC_POINT:   0420da70bdb51235d148eb95f6b464c3bbf6dd2cad6f7f08c24b6bb8c770e2abbda9
  EC_PARAMS:  130c656477617264733235353139 (OID 2.21.100.119.97.114.100.115.50.53.53.49.57)
  label:      third
  ID:         a3
Public Key Object; RSA 2048 bits
  label:      other
  ID:         a4
`;
  assert.deepEqual(
    parseObjects(listed).map(({ label, id, key }) => [label, id, key === undefined ? '' : publicKeyOf(key)?.algorithm]),
    [
      ['first key', 'a1', 'ecdsa-p256'],
      ['second', 'a2', 'ecdsa-p384'],
      ['third', 'a3', 'ed25519'],
      ['other', 'a4', ''],
    ],
  );
});
