import { resolve } from 'node:path';
import type { Implementation } from '#kernel';
import { homePath, openHome } from '#system';
import { trustFault } from '../faults.ts';
import { readPinned, readRoots } from '../io/roots.ts';
import { writeStopMedium } from '../io/stop-medium.ts';
import type { StopInput, StopOutput } from '../operations.ts';

export const stopVerb: Implementation<StopInput, StopOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const chain = (await readPinned(files, home))?.chain ?? (await readRoots(files, home));
    const last = chain.at(-1);
    if (last === undefined) throw trustFault('trust.no-root', { where: home.trust });
    const path = resolve(cwd, input.out);
    await writeStopMedium(files, path, chain);
    const { version, fingerprint, revoked } = last.root;
    return {
      path,
      root: { path: `${path}/root.${version}.dsse.json`, version, fingerprint },
      roots: chain.length,
      revoked: revoked.map(({ keyid, since, reason }) => ({ keyid, since, reason })),
    };
  },
  exit: () => 0,
  show: ({ path, root, roots, revoked }, style) =>
    [
      `${style.good('written')} ${path}: ${roots} roots, ${revoked.length} revoked keys`,
      `  version ${root.version}, fingerprint ${root.fingerprint}`,
      style.dim("Carry it to every inside: 'sallyport trust accept FOLDER --home HOME'."),
    ].join('\n'),
};
