import { resolve } from 'node:path';
import { type Implementation, instantOf } from '#kernel';
import { writeDurably } from '#system';
import { keyNames, keySigner, passphrasesOf } from '#trust';
import { volumeAt } from '../io/volume.ts';
import type { ScanRecordInput, ScanRecordOutput } from '../operations.ts';
import { signScan } from '../scan.ts';

export const scanRecordVerb: Implementation<ScanRecordInput, ScanRecordOutput> = {
  async run(input, world) {
    const { files, cwd, clock } = world;
    const { scanner, verdict, engine } = input;
    const signer = await keySigner(
      files,
      keyNames(cwd, [input.key])[0] ?? '',
      scanner,
      passphrasesOf(world, input.passphraseFile),
    );
    const { sha256 } = await volumeAt(world, resolve(cwd, input.volume));
    const path = resolve(cwd, input.out);
    const scan = { sha256, scanner, verdict, engine, at: instantOf(clock.now()) };
    await writeDurably(files, path, signScan(scan, signer));
    return { path, sha256, scanner, verdict };
  },
  exit: () => 0,
  show: ({ path, scanner, verdict }) => `${scanner} says ${verdict}: ${path}`,
};
