import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type Digest, digestOf, hexOf } from '#kernel';
import { encodeTarHeader } from '#formats';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { sealersOf, type Signer } from '#trust';
import { rawName } from './layout.ts';
import type { Medium } from './medium.ts';
import { type BundleReading, readBundle } from './reader.ts';
import { bundleLies, craftBundle, type Lies, outsideWith } from './testing/index.ts';

const lock = Buffer.from(`{"sallyport-lock":"1.0","critical":[]}\n${' '.repeat(600)}\n`);
const small = Buffer.from('hello');
const packed = gzipSync(randomBytes(20_000));
const text = Buffer.from('some text '.repeat(3000));
const contents = [small, packed, text, Buffer.alloc(0)];
let signers: readonly Signer[];

before(async () => {
  const folder = await temporaryFolder({ after: (clean) => void process.once('beforeExit', () => void clean()) });
  const outside = await outsideWith(folder, {});
  signers = await sealersOf(nodeFiles, outside.home);
});

/** A medium that gives bytes in pieces as small as `piece`. */
function medium(bytes: Uint8Array): Medium {
  let at = 0;
  return {
    async read(into) {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
    async close() {},
  };
}

async function read(bytes: Uint8Array): Promise<BundleReading & { contents: Map<Digest, Buffer>; aborted: number }> {
  const found = new Map<Digest, Buffer>();
  let aborted = 0;
  const reading = await readBundle(
    medium(bytes),
    {
      async begin(blob) {
        const parts: Buffer[] = [];
        return {
          write: async (part) => void parts.push(Buffer.from(part)),
          end: async () => void found.set(blob.digest, Buffer.concat(parts)),
          abort: async () => void (aborted += 1),
        };
      },
    },
    { until: 'end' },
  );
  return { ...reading, contents: found, aborted };
}

const craft = (lies: Lies = {}): Promise<Buffer> => craftBundle(lock, contents, signers, lies);

async function code(bytes: Uint8Array): Promise<string> {
  const { verdict, reasons } = await read(bytes);
  assert.equal(verdict === 'refused', reasons.length > 0);
  return reasons[0]?.code ?? verdict;
}

const blob = (bytes: Uint8Array): string => rawName(hexOf(digestOf(bytes)));

test('a whole bundle gives back every content', async () => {
  const bytes = await craft();
  const { verdict, contents: found, head, lock: readLock, read: length } = await read(bytes);
  assert.equal(verdict, 'whole');
  assert.equal(length, bytes.length);
  assert.deepEqual(Buffer.from(readLock!), lock);
  for (const content of contents) assert.deepEqual(found.get(digestOf(content)), content);
  assert.equal(head!.carried.get('note.txt')!.toString(), 'carried\n');
});

test('no bit of a bundle can change, and no byte can be cut off or added', async () => {
  const bytes = await craft();
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (position, bit) => {
      const changed = Buffer.from(bytes);
      changed[position]! ^= 1 << bit;
      assert.notEqual(await code(changed), 'whole');
    }),
    { numRuns: 300 },
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), async (length) => {
      assert.notEqual(await code(bytes.subarray(0, length)), 'whole');
    }),
    { numRuns: 100 },
  );
  for (const more of [1, 511, 512, 1024, 10_240]) {
    assert.equal(await code(Buffer.concat([bytes, Buffer.alloc(more)])), 'bundle.trailing');
  }
  assert.equal(await code(Buffer.concat([bytes, bytes])), 'bundle.trailing');
});

test('any bytes give a verdict', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 4000 }), fc.boolean(), async (bytes, marked) => {
      const start = marked ? (await craft()).subarray(0, 1024) : new Uint8Array();
      assert.notEqual(await code(Buffer.concat([start, bytes])), 'whole');
    }),
    { numRuns: 100 },
  );
});

test('bytes that are no bundle are refused by name', async () => {
  assert.equal(await code(new Uint8Array()), 'bundle.empty');
  assert.equal(await code(Buffer.alloc(100_000)), 'bundle.foreign');
  assert.equal(await code(randomBytes(100_000)), 'bundle.foreign');
  assert.equal(await code(Buffer.from('sallyport-bundle/2\0 and more')), 'bundle.unknown-version');
  assert.equal(await code(Buffer.from('sallyport-bundle/1\0 and no more')), 'bundle.truncated');
  assert.equal(await code(Buffer.from('sallyport-bundle/01\0')), 'bundle.unknown-version');
});

for (const [name, [expected, lie]] of Object.entries(bundleLies({ small, packed, text }))) {
  test(`${name} is refused: ${expected}`, async () => {
    const bytes = await craft(lie);
    const { reasons, contents: kept } = await read(bytes);
    assert.equal(reasons[0]?.code, expected, JSON.stringify(reasons));
    // What was handed on as finished is right even in a bundle that is refused.
    for (const [digest, content] of kept) assert.equal(digestOf(content), digest);
  });
}

test('the same members packed by another tar are refused', async (t) => {
  const { execFileSync } = await import('node:child_process');
  const { writeFile } = await import('node:fs/promises');
  const folder = await temporaryFolder(t);
  await writeFile(`${folder}/a.bundle`, await craft());
  const names = execFileSync('tar', ['tf', `${folder}/a.bundle`])
    .toString()
    .trim()
    .split('\n');
  execFileSync('tar', ['xf', `${folder}/a.bundle`, '-C', folder]);
  for (const format of ['gnu', 'ustar', 'pax', 'v7']) {
    const args = [
      `--format=${format}`,
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '--mtime=@0',
      '-C',
      folder,
      '-cf',
      '-',
    ];
    const other = execFileSync('tar', [...args, ...names]);
    assert.notEqual(await code(other), 'whole', format);
  }
});

test('names from a bundle are shown without control characters', async () => {
  const bytes = await craft({ seal: (s) => ({ ...s, sealed: '\u001b[2J\u202e' }) });
  const { reasons } = await read(bytes);
  assert.doesNotMatch(JSON.stringify(reasons), /\\u001b|\u202e/);
});

test('a content over 8 GiB is announced by a pax record', async () => {
  const size = 9 * 1024 ** 3;
  const grown = (bytes: Buffer, header: Uint8Array): Buffer => {
    const start = bytes.indexOf(Buffer.from(encodeTarHeader(blob(packed), packed.length)));
    return Buffer.concat([bytes.subarray(0, start), header, bytes.subarray(start + 512)]);
  };
  const blobs: Lies['blobs'] = (b) => b.map((one) => (one.digest === digestOf(packed) ? { ...one, size } : one));
  const header = Buffer.from(encodeTarHeader(blob(packed), size));
  assert.equal(await code(await craft({ blobs, file: (b) => grown(b, header) })), 'bundle.truncated');
  const other = Buffer.from(header);
  other.write('12', 512, 'latin1');
  assert.equal(await code(await craft({ blobs, file: (b) => grown(b, other) })), 'bundle.header');
  assert.equal(await code(await craft({ file: (b) => grown(b, header) })), 'bundle.header');
});

test('until: the head alone is judged without reading on', async () => {
  const bytes = await craft();
  const broken = Buffer.from(bytes);
  broken[bytes.length - 1500]! ^= 1;
  const head = await readBundle(medium(broken), {}, { until: 'head' });
  assert.equal(head.verdict, 'whole');
  const withLock = await readBundle(medium(broken), {}, { until: 'lock' });
  assert.equal(withLock.verdict, 'whole');
  assert.deepEqual(Buffer.from(withLock.lock!), lock);
});
