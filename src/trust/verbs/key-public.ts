import { resolve } from 'node:path';
import type { Implementation } from '#kernel';
import { writeDurably } from '#system';
import { trustFault } from '../faults.ts';
import { cryptoProfile } from '../io/crypto-profiles.ts';
import { keyNames, passphrasesOf, signingKey } from '../io/keys.ts';
import type { KeyPublicInput, KeyPublicOutput } from '../operations.ts';
import { encodePublicHalf } from '../public-half.ts';
import { isHolderName } from '../root.ts';

/** The public half of a key that is there already: in a file, on a token, with an agent. */
export const keyPublicVerb: Implementation<KeyPublicInput, KeyPublicOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    if (!isHolderName(input.holder)) throw trustFault('trust.holder-name', { where: '--holder' });
    const [name = ''] = keyNames(cwd, [input.key]);
    const key = await signingKey(files, name, passphrasesOf(world, input.passphraseFile), await cryptoProfile(files));
    const path = resolve(cwd, input.out);
    await writeDurably(files, path, encodePublicHalf(input.holder, key));
    const { name: module, validation } = key.module;
    return { public: path, holder: input.holder, algorithm: key.algorithm, keyid: key.keyid, module, validation };
  },
  exit: () => 0,
  show: ({ public: path, holder, algorithm, keyid, module, validation }, style) =>
    [
      `${style.good('public half')} ${path}`,
      `  ${algorithm} of ${holder}, key ${keyid}`,
      `  signs by ${module} (validation: ${validation})`,
      style.dim("Give it to whoever proposes the next root ('sallyport trust propose --add')."),
    ].join('\n'),
};
