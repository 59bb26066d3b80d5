import { resolve } from 'node:path';
import type { Home, Implementation, World } from '#kernel';
import { homePath, openHome } from '#system';
import { trustFault } from '../faults.ts';
import { opensslModule, readCryptoProfile } from '../io/crypto-profiles.ts';
import { readVkey } from '../io/keys.ts';
import { readDraft } from '../io/drafts.ts';
import { type KeptRoot, readPinned, readRoots } from '../io/roots.ts';
import type { ShowInput, ShowOutput } from '../operations.ts';
import type { Root } from '../root.ts';
import { showSignatures, signaturesOf } from './signatures.ts';

export const showVerb: Implementation<ShowInput, ShowOutput> = {
  async run(input, world) {
    if (input.file !== undefined) return showFile(input.file, world);
    const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const roots = await readRoots(world.files, home);
    const own = roots.at(-1);
    const pinned = await readPinned(world.files, home);
    const chain = pinned?.chain ?? roots;
    const kept = chain.at(-1);
    if (kept === undefined) throw trustFault('trust.no-root', { where: home.trust });
    const { name, vkey } = await readVkey(world.files, home);
    return {
      ...about(kept.root, world),
      root: shownRoot(kept),
      pinned: pinned !== undefined,
      ...(own === undefined ? {} : { own: shownRoot(own) }),
      chain: chain.map(shownRoot),
      ledger: { origin: name, vkey },
      crypto: await shownCrypto(world, home),
    };
  },

  exit: () => 0,

  show(output, style) {
    const { root, own } = output;
    const kind =
      output.signatures !== undefined ? 'file       ' : output.pinned ? style.good('pinned root') : 'own root   ';
    const lines = [
      `${kind} ${root.path}`,
      `            version ${root.version} of ${output.site}, ${output.expired ? style.bad(`expired ${output.expires}`) : `holds until ${output.expires}`}`,
      `fingerprint ${style.bold(root.fingerprint)}`,
      `custody     ${output.custody === 'shared' ? 'shared' : style.warn(CUSTODY[output.custody])}`,
    ];
    for (const holder of output.holders) {
      lines.push(`holder      ${holder.name}: ${holder.roles.join(', ')}`);
      for (const { keyid, algorithm } of holder.keys) lines.push(style.dim(`            ${algorithm} ${keyid}`));
    }
    const counted = Object.entries(output.thresholds).filter(([, count]) => count > 1);
    if (counted.length > 0) lines.push(`thresholds  ${counted.map(([role, count]) => `${role} ${count}`).join(', ')}`);
    for (const { keyid, since, reason } of output.revoked) {
      lines.push(`revoked     ${keyid}`, style.dim(`            since ${since}: ${reason}`));
    }
    if (output.chain.length > 1) {
      for (const { version, fingerprint } of output.chain) lines.push(style.dim(`version ${version}   ${fingerprint}`));
    }
    if (output.signatures !== undefined) lines.push(...showSignatures(output.signatures, style));
    if (output.pinned && own !== undefined) {
      lines.push(`own root    ${own.path}`, `            version ${own.version}, fingerprint ${own.fingerprint}`);
    }
    if (output.ledger !== undefined) lines.push(`ledger      ${output.ledger.vkey}`);
    const { crypto } = output;
    lines.push(
      `crypto      profile ${crypto.profile}: verifies ${crypto.verify.join(', ') || 'nothing'}`,
      `            by ${crypto.module.name} (validation: ${crypto.module.validation})`,
    );
    return lines.join('\n');
  },
};

type About = Omit<ShowOutput, 'root' | 'pinned' | 'own' | 'chain' | 'ledger' | 'signatures' | 'crypto'>;

async function shownCrypto(world: World, home?: Home): Promise<ShowOutput['crypto']> {
  const { name, digest, ...lists } = await readCryptoProfile(world.files, home);
  return {
    profile: name,
    ...(digest === undefined ? {} : { digest }),
    sign: [...lists.sign],
    verify: [...lists.verify],
    hashes: [...lists.hashes],
    keyFiles: [...lists.keyFiles],
    modules: [...lists.modules],
    module: opensslModule(),
  };
}

function about(root: Root, world: World): About {
  return {
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
    revoked: root.revoked.map(({ keyid, since, reason }) => ({ keyid, since, reason })),
  };
}

function shownRoot({ path, root }: Pick<KeptRoot, 'path' | 'root'>): ShowOutput['root'] {
  return { path, version: root.version, fingerprint: root.fingerprint };
}

/** A draft or a root file by itself: what it says, and who signed it. No home is needed where people sign. */
async function showFile(file: string, world: World): Promise<ShowOutput> {
  const path = resolve(world.cwd, file);
  const draft = await readDraft(world.files, path);
  const root = shownRoot({ path, root: draft.root });
  return {
    ...about(draft.root, world),
    root,
    pinned: false,
    chain: [root],
    signatures: signaturesOf(draft),
    crypto: await shownCrypto(world),
  };
}

export const CUSTODY = {
  'one-person': 'one-person: one person holds every key, so no name here means that two agreed',
  rehearsal: 'rehearsal: keys for practice, refused anywhere but in a rehearsal',
} as const;
