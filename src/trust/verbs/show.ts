import type { Implementation } from '#kernel';
import { homePath, openHome } from '#system';
import { trustFault } from '../faults.ts';
import { readVkey } from '../io/keys.ts';
import { readPinned, readRoots } from '../io/roots.ts';
import type { ShowInput, ShowOutput } from '../operations.ts';

export const showVerb: Implementation<ShowInput, ShowOutput> = {
  async run(input, world) {
    const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const own = (await readRoots(world.files, home)).at(-1);
    const pinned = await readPinned(world.files, home);
    const kept = pinned?.chain.at(-1) ?? own;
    if (kept === undefined) throw trustFault('trust.no-root', { where: home.trust });
    const { root } = kept;
    const { name, vkey } = await readVkey(world.files, home);
    return {
      root: { path: kept.path, version: root.version, fingerprint: root.fingerprint },
      pinned: pinned !== undefined,
      ...(own === undefined
        ? {}
        : { own: { path: own.path, version: own.root.version, fingerprint: own.root.fingerprint } }),
      custody: root.custody,
      site: root.site,
      expires: root.expires,
      expired: world.clock.now() >= Date.parse(root.expires),
      holders: root.holders.map(({ name: holder, keys, require }) => ({
        name: holder,
        roles: [...require.keys()],
        keys: keys.map(({ keyid, algorithm }) => ({ keyid, algorithm })),
      })),
      thresholds: Object.fromEntries(root.thresholds),
      ledger: { origin: name, vkey },
    };
  },

  exit: () => 0,

  show(output, style) {
    const { root, own } = output;
    const lines = [
      `${output.pinned ? style.good('pinned root') : 'own root   '} ${root.path}`,
      `            version ${root.version} of ${output.site}, ${output.expired ? style.bad(`expired ${output.expires}`) : `holds until ${output.expires}`}`,
      `fingerprint ${style.bold(root.fingerprint)}`,
      `custody     ${output.custody === 'shared' ? 'shared' : style.warn(CUSTODY[output.custody])}`,
    ];
    for (const holder of output.holders) {
      lines.push(`holder      ${holder.name}: ${holder.roles.join(', ')}`);
      for (const { keyid, algorithm } of holder.keys) lines.push(style.dim(`            ${algorithm} ${keyid}`));
    }
    if (output.pinned && own !== undefined) {
      lines.push(`own root    ${own.path}`, `            version ${own.version}, fingerprint ${own.fingerprint}`);
    }
    lines.push(`ledger      ${output.ledger.vkey}`);
    return lines.join('\n');
  },
};

export const CUSTODY = {
  'one-person': 'one-person: one person holds every key, so no name here means that two agreed',
  rehearsal: 'rehearsal: keys for practice, refused anywhere but in a rehearsal',
} as const;
