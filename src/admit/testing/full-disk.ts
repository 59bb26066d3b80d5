// Run by full-disk.test.ts in a mount namespace of its own: FOLDER/full is a small tmpfs, FOLDER itself has room.
// It prints what happened, one JSON line a case.
import { mkdir, readdir } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { outsideWith } from '#bundle/testing';
import { digestOf, type Files, isFault } from '#kernel';
import { openStore } from '#store';
import { nodeFiles } from '#system';
import { createSide } from '#trust';
import { admit } from '../verbs/admit.ts';

const folder = process.argv[2]!;
const full = `${folder}/full`;
/** Says that there is room, as a file system may until the moment of the write. */
const optimist: Files = { ...nodeFiles, space: async () => ({ free: 1e12, largestFile: 1e12 }) };

async function attempt(name: string, act: () => Promise<unknown>): Promise<void> {
  let answer: string;
  try {
    const result = await act();
    answer = JSON.stringify(result);
  } catch (error) {
    answer = isFault(error) ? error.code : String(error);
  }
  const left = (await readdir(full, { recursive: true })).filter(
    (path) => !/(^|\/)(ledger|trust|keys)(\/|$)/.test(path),
  );
  process.stdout.write(`${JSON.stringify({ name, answer, left: left.sort() })}\n`);
}

const random = { 'big.bin': randomBytes(6_000_000) };
const small = { 'small.bin': randomBytes(20_000) };
await mkdir(`${folder}/side`);
const outside = await outsideWith(`${folder}/side`, random);
await attempt('seal', () => outside.seal('../full/one'));
await attempt('seal, told late', () => outside.seal('../full/one', { files: optimist }));
const large = await outside.seal('large');
await outside.hold(small);
const fits = await outside.seal('fits');

const home = `${full}/in`;
await createSide(nodeFiles, home, { site: 'high', purpose: 'one-person', clock: outside.world.clock });
const input = { home, root: outside.root };
await attempt('admit', () => admit.run({ ...input, bundle: large }, outside.world));
await attempt('admit, told late', () => admit.run({ ...input, bundle: large }, { ...outside.world, files: optimist }));
await attempt('admit what fits', async () => {
  const { verdict } = await admit.run({ ...input, bundle: fits }, outside.world);
  const store = await openStore(nodeFiles, home);
  return { verdict, content: await store.verify(digestOf(small['small.bin'])) };
});
