import { type Files, printable } from '#kernel';
import { makeFolderDurably, writeDurably } from '#system';
import { CHAIN_LIMIT } from '../chain.ts';
import type { KeptRoot } from './roots.ts';

const ROOT_FILE = /^root\.([1-9][0-9]{0,9})\.dsse\.json$/;

/** The roots in a folder by their versions, oldest first; a file is itself. What they say is judged elsewhere. */
export async function rootFilesAt(files: Files, path: string): Promise<readonly string[]> {
  if ((await files.look(path))?.kind !== 'folder') return [path];
  return (await files.list(path))
    .flatMap(({ name, kind }) => {
      const version = Number(ROOT_FILE.exec(name)?.[1] ?? 0);
      return kind === 'file' && version > 0 ? [{ version, path: `${path}/${name}` }] : [];
    })
    .sort((a, b) => a.version - b.version)
    .slice(0, CHAIN_LIMIT)
    .map((one) => one.path);
}

/**
 * Writes a chain alone, for an emergency: whoever carries it inside stops what a revoked key sealed, without waiting for
 * a bundle. It is no secret, and nothing in it is believed for having been carried.
 */
export async function writeStopMedium(files: Files, folder: string, chain: readonly KeptRoot[]): Promise<void> {
  const last = chain.at(-1)?.root;
  if (last === undefined) throw new Error('a side has a root');
  await makeFolderDurably(files, folder);
  for (const { root, bytes } of chain) await writeDurably(files, `${folder}/root.${root.version}.dsse.json`, bytes);
  const revoked = last.revoked.map(({ keyid, since, reason }) => `  ${keyid} since ${since}: ${printable(reason)}`);
  const text = [
    `Roots 1 to ${last.version} of ${last.site}.`,
    `Fingerprint of the newest, to be compared by another way: ${last.fingerprint}`,
    ...(revoked.length === 0 ? ['No key is revoked.'] : ['Revoked keys:', ...revoked]),
    'On every inside: sallyport trust accept THIS_FOLDER --home HOME',
  ];
  await writeDurably(files, `${folder}/README.txt`, `${text.join('\n')}\n`);
}
