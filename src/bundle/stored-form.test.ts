import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { storedForm } from './stored-form.ts';

test('compressed formats and small contents stay as they are, everything else is compressed', () => {
  const text = Buffer.from('text '.repeat(1000));
  assert.equal(storedForm(text, text.length), 'zstd');
  assert.equal(storedForm(text, 512), 'raw');
  assert.equal(storedForm(new Uint8Array(), 0), 'raw');
  for (const magic of [
    gzipSync(text),
    zstdCompressSync(text),
    Buffer.from('PK\x03\x04 and so on'),
    Buffer.from('fd377a585a000004', 'hex'),
    Buffer.from('BZh91AY'),
    Buffer.from('RIFF\0\0\0\0WEBP'),
    Buffer.from('89504e470d0a1a0a', 'hex'),
  ]) {
    assert.equal(storedForm(magic, 100_000), 'raw', magic.toString('latin1', 0, 8));
  }
  // Brotli has no magic number; compressing it again costs time and loses nothing.
  assert.equal(storedForm(brotliCompressSync(text), 100_000), 'zstd');
  assert.equal(storedForm(Buffer.from('\x7fELF'), 100_000), 'zstd');
});
