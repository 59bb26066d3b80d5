import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { decodeFrame, encodeFrame, frameProblem } from './zstd-frame.ts';
import { largestStoredFrame, MAX_FRAME_BYTES } from './layout.ts';

test('a frame gives back its content, and its bytes depend on the content only', async () => {
  for (const content of [
    Buffer.from('x'),
    Buffer.alloc(MAX_FRAME_BYTES),
    randomBytes(300_000),
    Buffer.from('ab'.repeat(9999)),
  ]) {
    const frame = await encodeFrame(content);
    assert.deepEqual(await encodeFrame(content), frame);
    assert.ok(frame.length <= largestStoredFrame(content.length));
    const decoded = await decodeFrame(frame, content.length);
    assert.ok(decoded.ok && Buffer.compare(decoded.content, content) === 0);
  }
});

test('what is not exactly one frame of the due size is refused', async () => {
  const content = Buffer.from('content '.repeat(1000));
  const good = Buffer.from(await encodeFrame(content));
  const skippable = Buffer.from('502a4d18040000006576696c', 'hex');
  const params = (more: Record<number, number>) => ({ params: { [constants.ZSTD_c_compressionLevel]: 3, ...more } });
  const cases: Record<string, Uint8Array> = {
    empty: new Uint8Array(),
    foreign: randomBytes(100),
    'cut at the end': good.subarray(0, -1),
    'cut in the header': good.subarray(0, 7),
    'bytes after it': Buffer.concat([good, Buffer.from([0])]),
    'two frames': Buffer.concat([good, good]),
    'a skippable frame after it': Buffer.concat([good, skippable]),
    'a skippable frame before it': Buffer.concat([skippable, good]),
    'no content size': zstdCompressSync(content, params({ [constants.ZSTD_c_contentSizeFlag]: 0 })),
    'a checksum': zstdCompressSync(content, {
      ...params({ [constants.ZSTD_c_checksumFlag]: 1 }),
      pledgedSrcSize: content.length,
    }),
    'another size': await encodeFrame(content.subarray(1)),
    'a bomb': zstdCompressSync(Buffer.alloc(64 * 1024 * 1024), { pledgedSrcSize: 64 * 1024 * 1024 }),
  };
  for (const [name, frame] of Object.entries(cases)) {
    const decoded = await decodeFrame(frame, content.length);
    assert.equal(decoded.ok, false, name);
  }
});

test('a bomb that lies about its size is stopped at the due size', async () => {
  const bomb = Buffer.from(zstdCompressSync(Buffer.alloc(64 * 1024 * 1024), { pledgedSrcSize: 64 * 1024 * 1024 }));
  const lying = Buffer.from(await encodeFrame(Buffer.alloc(1000)));
  const header = lying.subarray(0, 7);
  const blocks = bomb.subarray(bomb.indexOf(bomb.subarray(10, 14)));
  const decoded = await decodeFrame(Buffer.concat([header, blocks]), 1000);
  assert.equal(decoded.ok, false);
});

test('the walk ends on any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(1000), (bytes, size) => {
      frameProblem(Buffer.concat([Buffer.from('28b52ffd', 'hex'), bytes]), size);
    }),
  );
});
