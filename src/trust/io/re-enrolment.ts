import { encodeBase64 } from '#formats';
import { type Files, type Happening, instantOf, type LedgerAppender, type Reason } from '#kernel';
import { makeFolderDurably, readIfThere, writeDurably } from '#system';
import { extendChain } from '../chain.ts';
import { rootFileOf } from '../draft.ts';
import { trustFault } from '../faults.ts';
import { isRevocationReason, readRoot, type Root } from '../root.ts';
import { judgeRoot } from '../verification.ts';
import { readDraft } from './drafts.ts';
import { cryptoProfile } from './crypto-profiles.ts';
import { homeOf, type Place } from './place.ts';
import { isRehearsalHome, type KeptRoot, outsideProfile, type Pinning, readPinned, readRoots } from './roots.ts';

export interface ReenrolOptions {
  readonly now: number;
  /** Fingerprint of the new root, had by another way than the file. */
  readonly expected: string;
  /** Why; it stands in the ledger for all to read. */
  readonly reason: string;
  readonly ledger: () => Promise<LedgerAppender>;
}

/**
 * A new beginning, for the day when too few holders of the root are left to sign the next one (keys lost, people gone).
 * Nothing can prove that the new root follows the old one, so people vouch for it: on each side somebody compares the
 * fingerprint, says why, and the ledger has it. The old chain goes to `trust/ended/FINGERPRINT/` and judges no more what
 * arrives; what it signed can be verified by it for ever, and what it revoked stays revoked.
 */
export async function reenrol(files: Files, home: Place, path: string, options: ReenrolOptions): Promise<Pinning> {
  const { expected, now } = options;
  if (!isRevocationReason(options.reason)) {
    throw trustFault('trust.proposal', {
      where: '--reason',
      detail: 'It is empty, longer than 256 characters or not plain text.',
    });
  }
  const draft = await readDraft(files, path);
  const bytes = rootFileOf(draft);
  const { root } = draft;
  const shown = { path, version: root.version, fingerprint: root.fingerprint };
  const refused = (reason: Reason): Pinning => ({
    verdict: 'refused',
    reasons: [reason],
    root: shown,
    custody: root.custody,
  });
  const read = readRoot(bytes);
  if (!read.ok) return refused(read.reason);
  if (root.fingerprint !== expected) {
    const detail = `The file has ${root.fingerprint}; ${expected} was given.`;
    return refused({ code: 'trust.fingerprint-differs', where: path, detail });
  }
  const pinned = await readPinned(files, home);
  const { trust } = homeOf(home);
  const chain = pinned?.chain ?? (await readOwn(files, home, root));
  const last = chain.at(-1)?.root;
  if (last === undefined) throw trustFault('trust.no-root', { where: trust });
  if (last.fingerprint === root.fingerprint) {
    await tidy(files, trust, root);
    return { verdict: 'already-pinned', reasons: [], root: shown, custody: root.custody };
  }
  const where = `version ${root.version}`;
  if (last.site !== root.site) {
    return refused({ code: 'trust.root-site', where, detail: `It is of ${root.site}; this one is of ${last.site}.` });
  }
  if (root.version <= last.version) {
    return refused({ code: 'trust.foreign-root', where, detail: `Version ${last.version} is here.` });
  }
  if (extendChain(last, [bytes]).ok) {
    return refused({ code: 'trust.succeeds', where, detail: `Enough holders of version ${last.version} signed it.` });
  }
  const revoked = new Set(last.revoked.map(({ keyid }) => keyid));
  const back = root.holders.flatMap(({ keys }) => keys).find(({ keyid }) => revoked.has(keyid));
  const kept = new Set(root.revoked.map(({ keyid }) => keyid));
  const dropped = back?.keyid ?? [...revoked].find((keyid) => !kept.has(keyid));
  if (dropped !== undefined) {
    return refused({ code: 'trust.revocation-dropped', where, detail: `Key ${dropped} was revoked.` });
  }
  const unfit =
    judgeRoot(root, { now, expectRehearsal: await isRehearsalHome(files, home) }) ??
    outsideProfile({ root, bytes, path }, await cryptoProfile(files, home));
  if (unfit !== undefined) return refused(unfit);

  const ledger = await options.ledger();
  const { size, root: head } = await ledger.append(happening(last, root, chain, options));
  await archive(files, trust, chain, last);
  if (pinned === undefined) await writeDurably(files, `${trust}/root.${root.version}.dsse.json`, bytes);
  else {
    const document = {
      fingerprint: root.fingerprint,
      version: root.version,
      site: root.site,
      root: encodeBase64(bytes),
    };
    await writeDurably(files, `${trust}/pinned.json`, `${JSON.stringify(document, null, 2)}\n`);
    await writeDurably(files, `${trust}/root.${root.version}.dsse.json`, bytes);
  }
  await tidy(files, trust, root);
  return { verdict: 'pinned', reasons: [], root: shown, custody: root.custody, ledger: { size, root: head } };
}

/** The side's own chain; where a crash left the new root beside the old ones, those that were not archived yet. */
async function readOwn(files: Files, home: Place, next: Root): Promise<readonly KeptRoot[]> {
  const { trust } = homeOf(home);
  const path = `${trust}/root.${next.version}.dsse.json`;
  const there = await readIfThere(files, path, 8 * 1024 * 1024);
  const read = there === undefined ? undefined : readRoot(there);
  if (there !== undefined && read?.ok === true && read.value.root.fingerprint === next.fingerprint) {
    return [{ root: read.value.root, bytes: there, path }];
  }
  return readRoots(files, home);
}

async function archive(files: Files, trust: string, chain: readonly KeptRoot[], last: Root): Promise<void> {
  const folder = `${trust}/ended/${last.fingerprint}`;
  await makeFolderDurably(files, folder, 0o700);
  for (const { root, bytes } of chain) await writeDurably(files, `${folder}/root.${root.version}.dsse.json`, bytes);
}

/** Removes roots before the new one from where chains are read. */
async function tidy(files: Files, trust: string, root: Root): Promise<void> {
  for (const { name } of await files.list(trust)) {
    const version = Number(/^root\.([1-9][0-9]{0,9})\.dsse\.json$/.exec(name)?.[1] ?? root.version);
    if (version < root.version) await files.remove(`${trust}/${name}`);
  }
  await files.syncFolder(trust);
}

function happening(last: Root, root: Root, chain: readonly KeptRoot[], { now, reason }: ReenrolOptions): Happening {
  return {
    predicateType: 'sallyport/re-enrolled/v1',
    subject: [{ name: `root.${root.version}`, digest: { sha256: root.fingerprint } }],
    predicate: {
      site: root.site,
      version: root.version,
      custody: root.custody,
      ended: {
        version: last.version,
        fingerprint: last.fingerprint,
        roots: chain.map((kept) => kept.root.fingerprint),
      },
      holders: root.holders.map(({ name }) => name),
      reason,
      time: instantOf(now),
    },
  };
}
