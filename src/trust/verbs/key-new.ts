import { resolve } from 'node:path';
import type { Implementation } from '#kernel';
import { makeKeyFiles } from '../io/key-files.ts';
import { passphrasesOf } from '../io/keys.ts';
import type { KeyNewInput, KeyNewOutput } from '../operations.ts';

export const keyNewVerb: Implementation<KeyNewInput, KeyNewOutput> = {
  async run(input, world) {
    const { files, cwd, env } = world;
    const path = resolve(cwd, input.file);
    const variable = env['SALLYPORT_PASSPHRASE_FILE'] ?? '';
    const encrypted = input.passphraseFile !== undefined || variable !== '';
    const { key, publicPath } = await makeKeyFiles(files, path, {
      holder: input.holder,
      algorithm: input.algorithm ?? 'ed25519',
      ...(encrypted ? { passphrases: passphrasesOf(world, input.passphraseFile) } : {}),
    });
    return { path, public: publicPath, holder: input.holder, algorithm: key.algorithm, keyid: key.keyid, encrypted };
  },

  exit: () => 0,

  show(output, style) {
    const guard = output.encrypted
      ? 'encrypted by its passphrase (scrypt, AES-256-CBC)'
      : style.warn('not encrypted: whoever reads the file signs as its holder');
    return [
      `${style.good('private key')} ${output.path}`,
      `            ${output.algorithm}, ${guard}`,
      `public half ${output.public}`,
      `            of ${output.holder}, key ${output.keyid}`,
      style.dim("Keep the first, give the second to whoever proposes the next root ('sallyport trust propose --add')."),
    ].join('\n');
  },
};
