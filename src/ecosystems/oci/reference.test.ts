import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isFault } from '#kernel';
import { canonicalAuthority, formatReference, loginOf, parseReference } from './reference.ts';

const HEX = 'a'.repeat(64);

test('references are read as all clients read them', () => {
  for (const [text, authority, name, tag, digest] of [
    ['nginx', 'docker.io', 'library/nginx', 'latest', undefined],
    ['nginx:1.27', 'docker.io', 'library/nginx', '1.27', undefined],
    ['team/app', 'docker.io', 'team/app', 'latest', undefined],
    ['index.docker.io/nginx', 'docker.io', 'library/nginx', 'latest', undefined],
    ['registry-1.docker.io/library/nginx', 'docker.io', 'library/nginx', 'latest', undefined],
    ['registry.example.test/a/b/c:1', 'registry.example.test', 'a/b/c', '1', undefined],
    ['registry.example.test:5000/a', 'registry.example.test:5000', 'a', 'latest', undefined],
    ['Registry.Example.Test/a', 'registry.example.test', 'a', 'latest', undefined],
    ['localhost/a', 'localhost', 'a', 'latest', undefined],
    ['localhost:5000/a:b', 'localhost:5000', 'a', 'b', undefined],
    [`a/b@sha256:${HEX}`, 'docker.io', 'a/b', undefined, `sha256:${HEX}`],
    [`a/b:1@sha512:${HEX}${HEX}`, 'docker.io', 'a/b', '1', `sha512:${HEX}${HEX}`],
    ['r.example.test/a__b/c---d.e_f', 'r.example.test', 'a__b/c---d.e_f', 'latest', undefined],
  ] as const) {
    assert.deepEqual(parseReference(text), { authority, name, tag, digest }, text);
  }
});

test('what is no reference is a usage fault', () => {
  for (const text of [
    '',
    '/',
    'a/',
    '/a',
    'A/b',
    'a//b',
    'a:',
    'a:b:c',
    'a@',
    'a@sha256:short',
    `a@md5:${HEX}`,
    `a@sha256:${HEX.toUpperCase()}`,
    'r.example.test/../a',
    'r.example.test/a b',
    'r.example.test/-a',
    'r.example.test/a___b',
    `r.example.test/${'a'.repeat(256)}`,
    `a:${'t'.repeat(129)}`,
    '-r.example.test/a',
    'https://r.example.test/a',
    'user@r.example.test/a',
  ]) {
    assert.throws(
      () => parseReference(text),
      (error) => isFault(error) && error.exit === 2,
      text,
    );
  }
});

test('property: a reference that was read is written so that it is read the same', () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,8}(?:[._-][a-z0-9]{1,4})?$/);
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 4 }),
      fc.stringMatching(/^[A-Za-z0-9_][\w.-]{0,20}$/),
      (parts, tag) => {
        const first = parseReference(`r.example.test:5000/${parts.join('/')}:${tag}`);
        assert.deepEqual(parseReference(formatReference(first)), first);
      },
    ),
  );
});

test('one registry has one name, and credentials stand under the one that its client uses', () => {
  assert.equal(canonicalAuthority('INDEX.docker.io'), 'docker.io');
  assert.equal(loginOf('docker.io'), 'index.docker.io');
  assert.equal(loginOf('r.example.test:5000'), 'r.example.test:5000');
});
