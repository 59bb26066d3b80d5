import { basename, join, resolve } from 'node:path';
import { ADMITTED, type Files, type World } from '#kernel';
import { policyFault } from '../faults.ts';
import type { ManifestFile } from '../read-cluster.ts';

const FILE_LIMIT = 64 * 1024 * 1024;
/** What is read of it and made of it takes about eight times as much memory. */
const TOTAL_LIMIT = 192 * 1024 * 1024;
const NOTHING = new Uint8Array();
const MANIFEST = /\.(?:ya?ml|json)$/;

/** Whether what is named are manifests as they lie there, and not those that were sealed. */
export async function isPlain(named: string, { files, cwd }: World): Promise<boolean> {
  if (named.startsWith(ADMITTED)) return false;
  return MANIFEST.test(named) || (await files.look(resolve(cwd, named)))?.kind !== 'file';
}

/** The manifests of a folder, a file, a bundle, or what was admitted (`admitted:CHANNEL`). */
export async function manifestsOf(
  named: string,
  trust: { readonly root?: string | undefined; readonly home?: string | undefined },
  world: World,
): Promise<ManifestFile[]> {
  const { files, cwd, sealed } = world;
  if (await isPlain(named, world)) return manifestsBelow(files, resolve(cwd, named));
  if (sealed === undefined) throw new Error('nobody reads bundles here');
  const read = await sealed(named, 'policy', { ...trust, limit: TOTAL_LIMIT }, world);
  if (read.verdict === 'refused') {
    const refused = read.reasons.map(({ code, where, detail }) => ({
      code: 'policy.bundle-refused' as const,
      detail: `${code}${where === '' ? '' : ` (${where})`}: ${detail}`,
    }));
    return [{ name: named, bytes: NOTHING, refused }];
  }
  if (read.verdict === 'too-large') throw policyFault('policy.too-large', { where: named });
  // Nothing there is not the same as nothing allowed.
  if (read.files.length === 0) throw policyFault('policy.none-sealed', { where: named });
  return read.files.filter(({ name }) => MANIFEST.test(name));
}

/**
 * Every manifest below a folder, in the order of names, relative to the folder. Links are not followed; one with the name
 * of a manifest makes the answer unknown.
 */
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
      else if (MANIFEST.test(name)) {
        // A cluster may well have what it leads to: left out in silence, the map would be of another one.
        const detail = 'It is a link or a device, which is not read; put a copy in its place.';
        found.push({ name: prefix + name, bytes: NOTHING, refused: [{ code: 'policy.unreadable', detail }] });
      }
    }
  };
  const look = await files.look(path);
  if (look?.kind === 'file') await add(path, basename(path));
  else if (look?.kind === 'folder') await walk(path, '');
  else throw policyFault('policy.no-folder', { where: path });
  return found;
}
