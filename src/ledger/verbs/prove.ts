import { resolve } from 'node:path';
import { encodeBase64 } from '#formats';
import { type Implementation, printable } from '#kernel';
import { homePath, openHome, writeDurably } from '#system';
import type { ProveInput, ProveOutput } from '../operations.ts';
import { readHomeLedger } from '../reading.ts';

export const proveVerb: Implementation<ProveInput, ProveOutput> = {
  async run(input, world) {
    const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const ledger = await readHomeLedger(world.files, home);
    const { hashes, text } = await ledger.prove(input.index);
    const { entry, digest } = await ledger.record(input.index);
    const file = input.out === undefined ? undefined : resolve(world.cwd, input.out);
    if (file !== undefined) await writeDurably(world.files, file, text);
    return {
      index: input.index,
      size: ledger.size,
      root: ledger.root,
      proof: hashes.map((hash) => encodeBase64(hash)),
      proofText: Buffer.from(text).toString('utf8'),
      entry: encodeBase64(entry),
      ...(digest === undefined ? {} : { statement: digest }),
      ...(file === undefined ? {} : { file }),
    };
  },

  exit: () => 0,

  show({ index, size, file, proofText }, style) {
    if (file === undefined) return proofText.replace(/\n$/, '');
    return `${style.good('proved')} entry ${index} in the tree of size ${size}: ${printable(file)}`;
  },
};
