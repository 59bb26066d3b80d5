import { resolve } from 'node:path';
import { type Implementation, printable, type World } from '#kernel';
import { trustFault } from '../faults.ts';
import { keyDerivationOf } from '../crypto-profile.ts';
import { cryptoProfile, preferred } from '../io/crypto-profiles.ts';
import { makeKeyFiles } from '../io/key-files.ts';
import { type Passphrases, passphrasesOf } from '../io/keys.ts';
import type { KeyNewInput, KeyNewOutput } from '../operations.ts';

export const keyNewVerb: Implementation<KeyNewInput, KeyNewOutput> = {
  async run(input, world) {
    const { files, cwd, env } = world;
    const path = resolve(cwd, input.file);
    const named = input.passphraseFile !== undefined || (env['SALLYPORT_PASSPHRASE_FILE'] ?? '') !== '';
    const passphrases = named ? passphrasesOf(world, input.passphraseFile) : await askTwice(world, path);
    const profile = await cryptoProfile(files);
    const { key, publicPath } = await makeKeyFiles(files, path, {
      holder: input.holder,
      algorithm: input.algorithm ?? preferred(profile),
      profile,
      ...(passphrases === undefined ? {} : { passphrases }),
    });
    const encrypted = passphrases !== undefined;
    const derivation = encrypted
      ? keyDerivationOf(Buffer.from(await files.read(path, 64 * 1024)).toString('latin1'))
      : undefined;
    return {
      path,
      public: publicPath,
      holder: input.holder,
      algorithm: key.algorithm,
      keyid: key.keyid,
      encrypted,
      ...(derivation === undefined ? {} : { derivation }),
      profile: profile.name,
      module: key.module.name,
      validation: key.module.validation,
    };
  },

  exit: () => 0,

  show(output, style) {
    const guard = output.encrypted
      ? `encrypted by its passphrase (${output.derivation ?? ''}, AES-256-CBC)`
      : style.warn('not encrypted: whoever reads the file signs as its holder');
    return [
      `${style.good('private key')} ${output.path}`,
      `            ${output.algorithm}, ${guard}`,
      `            made by ${output.module} (validation: ${output.validation}), profile ${output.profile}`,
      `public half ${output.public}`,
      `            of ${output.holder}, key ${output.keyid}`,
      style.dim("Keep the first, give the second to whoever proposes the next root ('sallyport trust propose --add')."),
    ].join('\n');
  },
};

/** From a person, who may want none; twice, since nobody sees what is typed. */
async function askTwice(world: World, path: string): Promise<Passphrases | undefined> {
  if (world.askSecret === undefined) return undefined;
  const first = await world.askSecret(`Passphrase for ${printable(path)} (empty: the file is not encrypted): `);
  if (first === '') return undefined;
  if ((await world.askSecret('The same again: ')) !== first)
    throw trustFault('trust.passphrases-differ', { where: path });
  return async () => [first];
}
