import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decoyFiles, leakedFile } from './decoys.ts';

test('each decoy has a canary of its own, in its content', () => {
  const files = decoyFiles(['/srv/side/keys/sealer.key']);
  assert.equal(new Set(files.map(({ canary }) => canary)).size, files.length);
  assert.ok(files.some(({ path }) => path === '/srv/side/keys/sealer.key'));
  for (const file of files) {
    assert.equal(leakedFile(files, Buffer.from(file.content)), file.path, file.path);
    assert.notEqual(decoyFiles([])[0]?.canary, files[0]?.canary);
  }
});

function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((group) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(group.padEnd(5, '0'), 2)])
    .join('');
}

test('a canary is found in what carries it: plain, hexadecimal, base64, base32, cut into labels', () => {
  const files = decoyFiles([]);
  const [file] = files;
  assert.ok(file);
  const labels = (text: string): string => `${(text.match(/.{1,63}/g) ?? []).join('.')}.evil.test`;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (before, after) => {
      const secret = Buffer.concat([before, Buffer.from(file.content), after]);
      const carriers = [
        secret,
        Buffer.from(`POST / HTTP/1.1\r\n\r\n{"k":"${secret.toString('hex')}"}`),
        Buffer.from(`x=${secret.toString('base64')}`),
        Buffer.from(secret.toString('base64url')),
        Buffer.from(labels(secret.toString('hex'))),
        Buffer.from(labels(base32(secret))),
      ];
      for (const carrier of carriers) assert.equal(leakedFile(files, carrier), file.path);
    }),
    { numRuns: 30 },
  );
});

test('nothing is found in what carries none, whatever it is', () => {
  const files = decoyFiles([]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => leakedFile(files, Buffer.from(bytes)) === undefined),
  );
});

test('programs whose own setting a file is may read it; a script may not', () => {
  const readers = (path: string): RegExp | undefined =>
    decoyFiles([]).find((file) => file.path.endsWith(path))?.readers;
  const own = (path: string, command: string): boolean => readers(path)?.test(command) === true;
  assert.ok(own('.npmrc', 'node /usr/bin/npm ci'));
  assert.ok(own('.npmrc', 'node /opt/npm/bin/npm-cli.js install'));
  assert.ok(!own('.npmrc', 'node install.js'));
  assert.ok(!own('.npmrc', 'node /x/node_modules/npm-thief/install.js'));
  assert.ok(own('.docker/config.json', '/usr/bin/skopeo copy a b'));
  assert.ok(!own('.docker/config.json', 'cat .docker/config.json'));
  assert.equal(readers('.ssh/id_rsa'), undefined);
});
