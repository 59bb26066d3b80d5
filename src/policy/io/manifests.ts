import { basename, join } from 'node:path';
import type { Files } from '#kernel';
import { policyFault } from '../faults.ts';
import type { ManifestFile } from '../read-cluster.ts';

const FILE_LIMIT = 64 * 1024 * 1024;
/** What is read of it and made of it takes about eight times as much memory. */
const TOTAL_LIMIT = 192 * 1024 * 1024;
const MANIFEST = /\.(?:ya?ml|json)$/;

/** Every manifest below a folder, in the order of names; links are not followed. Names are relative to the folder. */
export async function manifestsBelow(files: Files, path: string): Promise<ManifestFile[]> {
  const found: ManifestFile[] = [];
  let total = 0;
  const add = async (full: string, name: string): Promise<void> => {
    const size = (await files.look(full))?.size ?? 0;
    total += size;
    if (size > FILE_LIMIT || total > TOTAL_LIMIT) throw policyFault('policy.too-large', { where: full });
    found.push({ name, bytes: await files.read(full, FILE_LIMIT) });
  };
  const walk = async (folder: string, prefix: string): Promise<void> => {
    for (const { name, kind } of await files.list(folder)) {
      const full = join(folder, name);
      if (kind === 'folder') await walk(full, `${prefix}${name}/`);
      else if (kind === 'file' && MANIFEST.test(name)) await add(full, prefix + name);
    }
  };
  const look = await files.look(path);
  if (look?.kind === 'file') await add(path, basename(path));
  else if (look?.kind === 'folder') await walk(path, '');
  else throw policyFault('policy.no-folder', { where: path });
  return found;
}
