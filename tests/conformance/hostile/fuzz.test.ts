import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { examinePath } from '#gate';
import { type HostileCase, hostileCorpus } from '#gate/testing';
import { gunzipped, randomBytesOf, readZip, sourceOf, tarMembers, xzExpanded } from '#formats';
import { nodeFiles, systemClock } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';

// Members of the corpus, changed at random: an answer every time, soon, and what is accepted is what others see.

const RUNS = 600;
const world = { files: nodeFiles, clock: systemClock, signal: new AbortController().signal };
const LARGEST = 64 * 1024;

interface Seed {
  readonly hostile: HostileCase;
  readonly bytes: Buffer;
}

const seeds: readonly Seed[] = hostileCorpus.flatMap((hostile) => {
  if (/bomb|many|file-2|huge|deep|large/.test(hostile.name)) return [];
  const made = hostile.make();
  return made instanceof Uint8Array && made.length <= LARGEST ? [{ hostile, bytes: Buffer.from(made) }] : [];
});

type Change =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'splice'; readonly at: number; readonly from: number; readonly length: number }
  | { readonly kind: 'zero'; readonly at: number; readonly length: number }
  | { readonly kind: 'members' }
  | { readonly kind: 'header'; readonly at: number; readonly field: number; readonly value: number };

const anywhere = fc.nat(LARGEST);
const changes: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: anywhere, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('cut' as const), at: anywhere }),
  fc.record({ kind: fc.constant('splice' as const), at: anywhere, from: anywhere, length: fc.nat(2048) }),
  fc.record({ kind: fc.constant('zero' as const), at: anywhere, length: fc.nat(600) }),
  // The other archive's members before its own.
  fc.record({ kind: fc.constant('members' as const) }),
  // A byte of a tar header, with a checksum that is right again.
  fc.record({ kind: fc.constant('header' as const), at: anywhere, field: fc.nat(511), value: fc.nat(255) }),
);

function changed(bytes: Buffer, other: Buffer, change: Change): Buffer {
  if (bytes.length === 0) return bytes;
  const at = 'at' in change ? change.at % bytes.length : 0;
  switch (change.kind) {
    case 'flip': {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1 << change.bit;
      return copy;
    }
    case 'cut':
      return bytes.subarray(0, at);
    case 'splice': {
      const from = other.length === 0 ? 0 : change.from % other.length;
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + change.length), bytes.subarray(at)]);
    }
    case 'members': {
      const end = other.indexOf(Buffer.alloc(1024));
      return Buffer.concat([other.subarray(0, end - (end % 512)), bytes]);
    }
    case 'zero':
      return Buffer.from(bytes).fill(0, at, Math.min(bytes.length, at + change.length));
    case 'header': {
      const copy = Buffer.from(bytes);
      const block = copy.subarray(at - (at % 512), at - (at % 512) + 512);
      if (block.length < 512) return copy;
      block[change.field] = change.value;
      block.fill(0x20, 148, 156);
      const sum = block.reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
      return copy;
    }
  }
}

/** Behind gzip most changes are only a wrong checksum: they are made in what is compressed. */
function mutated({ bytes }: Seed, other: Seed, list: readonly Change[], inside: boolean): Buffer {
  let plain = bytes;
  let zipped = false;
  if (inside && bytes[0] === 0x1f) {
    try {
      plain = gunzipSync(bytes);
      zipped = plain.length <= LARGEST;
    } catch {
      // Broken gzip is among the cases.
    }
    if (!zipped) plain = bytes;
  }
  for (const change of list) plain = changed(plain, other.bytes, change);
  return zipped ? gzipSync(plain) : plain;
}

async function filesIn(as: 'tar' | 'zip', bytes: Buffer): Promise<[string, string][]> {
  const found: [string, string][] = [];
  const digest = async (content: { some(most: number): Promise<Uint8Array | undefined> }): Promise<string> => {
    const hash = createHash('sha256');
    for (let part = await content.some(65536); part !== undefined; part = await content.some(65536)) hash.update(part);
    return hash.digest('hex');
  };
  if (as === 'zip') {
    for (const { name, folder, open } of await readZip(randomBytesOf(bytes), 1000, () => undefined)) {
      if (!folder) found.push([name, await digest(open(() => undefined))]);
    }
    return found;
  }
  const source = sourceOf(randomBytesOf(bytes));
  const spend = (): void => undefined;
  const tar =
    bytes[0] === 0x1f
      ? gunzipped(source, { spend, many: false })
      : bytes[0] === 0xfd
        ? xzExpanded(source, spend)
        : source;
  for await (const { name, type, content } of tarMembers(tar)) {
    if (type === 'file') found.push([name, await digest(content)]);
  }
  return found;
}

test('changed at random, every member of the corpus gets an answer, and what is accepted others see alike', async (t) => {
  const folder = await temporaryFolder(t);
  const accepted: { readonly as: 'tar' | 'zip'; readonly path: string; readonly files: [string, string][] }[] = [];
  // Of hostile ones little is ever accepted, so that half begin as harmless ones.
  const harmless = seeds.filter(({ hostile }) => hostile.expect !== 'refuse');
  // By name, so that what fails can be read.
  const named = new Map(seeds.map((seed) => [seed.hostile.name, seed]));
  const any = fc.oneof(...[seeds, harmless].map((some) => fc.constantFrom(...some.map(({ hostile }) => hostile.name))));
  let number = 0;
  await fc.assert(
    fc.asyncProperty(
      any,
      any,
      fc.array(changes, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (one, two, list, inside) => {
        const seed = named.get(one)!;
        const other = named.get(two)!;
        const bytes = mutated(seed, other, list, inside);
        const { as } = seed.hostile;
        const path = join(folder, `case${number++}`);
        await writeFile(path, bytes);
        const started = performance.now();
        for (const kind of [as, undefined]) {
          const { verdict } = await examinePath(path, kind, world);
          assert.ok(['accept', 'neutralised', 'refuse'].includes(verdict));
          if (verdict === 'refuse' || kind !== as || (as !== 'tar' && as !== 'zip')) continue;
          // What Python has no module for is not compared.
          if (bytes.subarray(0, 4).toString('hex') === '28b52ffd') continue;
          accepted.push({ as, path, files: await filesIn(as, bytes) });
        }
        assert.ok(performance.now() - started < 20_000);
        if (accepted.at(-1)?.path !== path) await rm(path);
      },
    ),
    { numRuns: RUNS },
  );
  const python = spawnSync('python3', ['-I', join(import.meta.dirname, 'members.py')], {
    encoding: 'utf8',
    input: accepted.map(({ as, path }) => `${JSON.stringify([as, path])}\n`).join(''),
  });
  if (python.error !== undefined) {
    await t.test('Python', (inner) => inner.skip(skipped('Python tarfile', 'Python is not on this machine')));
    return;
  }
  used('Python tarfile and zipfile', '');
  const seen = python.stdout.split('\n').filter((line) => line !== '');
  assert.equal(seen.length, accepted.length, python.stderr);
  for (const [at, { path, files }] of accepted.entries()) {
    assert.deepEqual(JSON.parse(seen[at]!), files, path);
  }
});
