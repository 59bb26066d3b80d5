import { basename, resolve } from 'node:path';
import { digestOf, homeAt, hexOf, type Implementation, instantOf, type World } from '#kernel';
import { ecosystems } from '#ecosystems/list';
import { openLedger } from '#ledger';
import { draftProject } from '#project';
import { homePath, openHome, writeDurably } from '#system';
import { createSide, isSite, ledgerSigner, ownRoot, readRoots } from '#trust';
import { operationsFault } from '../faults.ts';
import type { InitInput, InitOutput } from '../init.ts';

export const initVerb: Implementation<InitInput, InitOutput> = {
  async run(input, world) {
    const folder = resolve(world.cwd, input.folder ?? '.');
    const look = await world.files.look(folder);
    if (look?.kind !== 'folder') throw operationsFault('init.no-folder', { where: folder });
    const path = homePath(
      { ...world, cwd: folder },
      input.home === undefined ? {} : { home: resolve(world.cwd, input.home) },
    );
    const site = siteName(input.site, input.home === undefined ? folder : path, folder);

    const project = input.project
      ? await writeProject(world, folder, input.folder !== undefined || input.home === undefined)
      : undefined;
    // The root is written last: a home without one is new, or was cut short and is finished now.
    const made = (await readRoots(world.files, homeAt(path))).length === 0;
    if (made) await createSide(world.files, homeAt(path), { site, purpose: input.purpose, clock: world.clock });
    const home = await openHome(world.files, path);
    const { root, path: rootPath } = await ownRoot(world.files, home);
    const signer = await ledgerSigner(world.files, home);
    const ledger = await openLedger(world.files, home, world.clock);
    try {
      if (ledger.size === 0) {
        await ledger.append({
          predicateType: 'sallyport/initialised/v1',
          subject: [{ name: 'root', digest: { sha256: root.fingerprint } }],
          predicate: { site: root.site, custody: root.custody, time: instantOf(world.clock.now()) },
        });
      }
      return {
        ...(project === undefined ? {} : { project }),
        home: { path, made },
        site: root.site,
        custody: root.custody,
        root: { path: rootPath, version: root.version, fingerprint: root.fingerprint },
        ledger: { origin: signer.name, size: ledger.size, root: ledger.root },
      };
    } finally {
      await ledger.close();
    }
  },

  exit: () => 0,

  show(output, style) {
    const { project, home, root } = output;
    const lines: string[] = [];
    if (project?.written === true)
      lines.push(`${style.good('wrote')} ${project.path} (${project.inputs} inputs found)`);
    else if (project !== undefined) lines.push(`${style.dim('kept')}  ${project.path}`);
    lines.push(`${home.made ? style.good('made ') : style.dim('kept ')} ${home.path}`);
    lines.push(`root   ${root.path}`);
    lines.push(`       version ${root.version}, fingerprint ${root.fingerprint}`);
    lines.push(`ledger ${output.ledger.origin}`);
    if (output.custody !== 'shared') {
      lines.push(
        style.warn(`The keys of this side are held by one person (${output.custody}); every verdict says so.`),
      );
    }
    return lines.join('\n');
  },
};

/** Writes sallyport.yaml where there is none. Where nothing is found and only a home was asked for, none is written. */
async function writeProject(world: World, folder: string, always: boolean): Promise<InitOutput['project']> {
  const path = `${folder}/sallyport.yaml`;
  const there = await world.files.look(path);
  const draft = await draftProject(world.files, folder, ecosystems);
  if (there !== undefined) return { path, written: false, inputs: draft.inputs };
  if (draft.inputs === 0 && !always) return undefined;
  await writeDurably(world.files, path, draft.text, { exclusive: true });
  return { path, written: true, inputs: draft.inputs };
}

function siteName(asked: string | undefined, path: string, folder: string): string {
  if (asked !== undefined) {
    if (!isSite(asked)) throw operationsFault('init.bad-site', { where: asked });
    return asked;
  }
  const base = basename(path).replace(/^\.+/, '');
  const name = (base === 'sallyport' || base === '' ? basename(folder) : base)
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[-.]+/, '')
    .slice(0, 64)
    .replace(/[-.]+$/, '');
  // A folder name without one usable letter still needs a site that two machines are unlikely to share.
  return name === '' ? `site-${hexOf(digestOf(path)).slice(0, 8)}` : name;
}
