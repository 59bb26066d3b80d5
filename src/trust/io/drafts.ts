import {
  errorCode,
  type Files,
  type Happening,
  instantOf,
  type JsonObject,
  type LedgerAppender,
  type Reason,
  type Verdict,
} from '#kernel';
import { makeFolderDurably, readIfThere, writeDurably } from '#system';
import { extendChain } from '../chain.ts';
import { type Draft, DRAFT_SIZE_LIMIT, encodeDraft, parseDraft, progressOf, rootFileOf } from '../draft.ts';
import { trustFault } from '../faults.ts';
import type { Root } from '../root.ts';
import type { Custody } from '../role.ts';
import { judgeRoot } from '../verification.ts';
import { cryptoProfile, underProfile } from './crypto-profiles.ts';
import { homeOf, type Place } from './place.ts';
import { isRehearsalHome, type KeptRoot, readPinned, readRoots } from './roots.ts';

/** A draft, or a root in place of one. Throws trust.not-a-draft. */
export async function readDraft(files: Files, path: string): Promise<Draft> {
  const unfit = (detail: string, cause?: unknown) => trustFault('trust.not-a-draft', { where: path, detail, cause });
  let bytes: Uint8Array | undefined;
  try {
    const look = await files.look(path);
    if (look?.kind === 'other') throw unfit('It is no plain file.');
    bytes = await readIfThere(files, path, DRAFT_SIZE_LIMIT);
  } catch (cause) {
    if (!/^E[A-Z0-9]+$/.test(errorCode(cause))) throw cause;
    throw unfit(`Reading it failed: ${errorCode(cause)}.`, cause);
  }
  if (bytes === undefined) throw unfit('It does not exist.');
  const draft = parseDraft(bytes);
  if (typeof draft === 'string') throw unfit(draft);
  return draft;
}

/** A new draft; a file that is there is kept (trust.draft-exists), since it may hold signatures. */
export async function writeNewDraft(files: Files, path: string, draft: Draft): Promise<void> {
  try {
    await writeDurably(files, path, encodeDraft(draft), { exclusive: true });
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw trustFault('trust.draft-exists', { where: path, cause: error });
    throw error;
  }
}

export interface Acceptance extends Verdict<'accepted' | 'already-here' | 'refused'> {
  readonly root: { readonly path: string; readonly version: number; readonly fingerprint: string };
  readonly custody: Custody;
  /** The ledger after the entry; absent where nothing was accepted now. */
  readonly ledger?: { readonly size: number; readonly root: string };
}

export interface AcceptOptions {
  readonly now: number;
  /** Opened only where something is going to be accepted. */
  readonly ledger: () => Promise<LedgerAppender>;
  /** The ceremony in which it was signed; its transcript stands in the same entry. */
  readonly ceremony?: { readonly subject: Happening['subject'][number]; readonly record: JsonObject };
}

interface Chain {
  readonly roots: readonly KeptRoot[];
  readonly last: Root;
  readonly folder: string;
}

/** The chains that a side keeps: its own, and the one that it pinned. */
async function chainsOf(files: Files, home: Place): Promise<readonly Chain[]> {
  const { trust } = homeOf(home);
  const profile = await cryptoProfile(files, home);
  const own = await readRoots(files, home);
  const pinned = await readPinned(files, home);
  const chain = (roots: readonly KeptRoot[], folder: string): Chain[] => {
    const last = roots.at(-1)?.root;
    return last === undefined ? [] : [{ roots, last: underProfile(last, profile), folder }];
  };
  return [...chain(own, pinned === undefined ? trust : `${trust}/own`), ...chain(pinned?.chain ?? [], trust)];
}

/**
 * Takes the next root into a side's own chain, or into the one that it pinned, if the thresholds of the old root and of
 * the new one signed (TUF specification, section 5.3). The ledger's entry comes first: a crash in between leaves an
 * entry about a root that a second run puts in its place, never a root without an entry.
 */
export async function acceptDraft(
  files: Files,
  home: Place,
  from: string | { readonly path: string; readonly draft: Draft },
  options: AcceptOptions,
): Promise<Acceptance> {
  const { path, draft } = typeof from === 'string' ? { path: from, draft: await readDraft(files, from) } : from;
  const { root } = draft;
  const shown = { path, version: root.version, fingerprint: root.fingerprint };
  const chains = await chainsOf(files, home);
  if (chains.length === 0) throw trustFault('trust.no-root', { where: homeOf(home).path });
  const answer = (verdict: Acceptance['verdict'], reasons: readonly Reason[], at = path): Acceptance => ({
    verdict,
    reasons,
    root: { ...shown, path: at },
    custody: root.custody,
  });
  const kept = chains.flatMap(({ roots }) => roots).find((one) => one.root.fingerprint === root.fingerprint);
  if (kept !== undefined) {
    // A crash may have left it in one of two places.
    await put(files, chains, draft);
    return answer('already-here', [], kept.path);
  }
  const unfit = judgeRoot(root, { now: options.now, expectRehearsal: await isRehearsalHome(files, home) });
  if (unfit !== undefined) return answer('refused', [unfit]);
  const judged = chains.map((chain) => ({ chain, reasons: reasonsAgainst(chain.last, draft) }));
  const target = judged.find(({ reasons }) => reasons.length === 0)?.chain;
  if (target === undefined) {
    const nearest =
      judged.find(({ chain }) =>
        chain.roots.some((one) => one.root.fingerprint === draft.previous?.root.fingerprint),
      ) ??
      judged.find(({ chain }) => chain.last.site === root.site) ??
      judged[0];
    return answer('refused', nearest?.reasons ?? []);
  }
  const ledger = await options.ledger();
  // The ledger admits one process at a time, and whoever had it before may have accepted.
  const now = await chainsOf(files, home);
  const same = now.some(({ folder, last }) => folder === target.folder && last.fingerprint === target.last.fingerprint);
  if (!same) {
    return acceptDraft(files, home, { path, draft }, { ...options, ledger: async () => ledger });
  }
  const { size, root: head } = await ledger.append(rotatedHappening(target.last, draft, options));
  const [place = path] = await put(files, now, draft);
  return { ...answer('accepted', [], place), ledger: { size, root: head } };
}

/** Why a draft is not the next root after `last`; empty where it is. */
function reasonsAgainst(last: Root, draft: Draft): readonly Reason[] {
  const reasons: Reason[] = [];
  const { root } = draft;
  if (root.version <= last.version) {
    const detail = `The side has version ${last.version}, fingerprint ${last.fingerprint}.`;
    return [{ code: 'trust.foreign-root', where: `version ${root.version}`, detail }];
  }
  const next = last.profile === undefined ? root : { ...root, profile: last.profile };
  for (const [judge, code] of [
    [last, 'trust.root-not-succeeded'],
    [next, 'trust.root-unsigned'],
  ] as const) {
    const progress = progressOf(judge, draft);
    if (progress.enough) continue;
    if (progress.reason?.code === 'trust.algorithm') {
      reasons.push({ ...progress.reason, where: `version ${root.version}` });
      continue;
    }
    const detail = `${progress.signed.length} of ${progress.threshold} holders of version ${judge.version} signed; these could: ${progress.missing.join(', ')}.`;
    reasons.push({ code, where: `version ${root.version}`, detail });
  }
  if (root.site === last.site && root.version === last.version + 1 && reasons.length > 0) return reasons;
  const extension = extendChain(last, [rootFileOf(draft)]);
  return extension.ok ? [] : [extension.reason];
}

/** Puts a root where the chains that it continues are; the paths of it. */
async function put(files: Files, chains: readonly Chain[], draft: Draft): Promise<readonly string[]> {
  const bytes = rootFileOf(draft);
  const name = `root.${draft.root.version}.dsse.json`;
  const places: string[] = [];
  for (const { last, folder } of chains) {
    const extension = extendChain(last, [bytes]);
    if (!extension.ok || extension.value.added.length === 0) continue;
    const path = `${folder}/${name}`;
    await makeFolderDurably(files, folder, 0o700);
    await writeDurably(files, path, bytes);
    places.push(path);
  }
  return places;
}

function rotatedHappening(previous: Root, draft: Draft, { now, ceremony }: AcceptOptions): Happening {
  const { root } = draft;
  const before = new Set(previous.revoked.map(({ keyid }) => keyid));
  return {
    predicateType: 'sallyport/root-rotated/v1',
    subject: [
      { name: `root.${root.version}`, digest: { sha256: root.fingerprint } },
      ...(ceremony === undefined ? [] : [ceremony.subject]),
    ],
    predicate: {
      site: root.site,
      version: root.version,
      custody: root.custody,
      expires: root.expires,
      ...(ceremony === undefined ? {} : { ceremony: ceremony.record }),
      previous: { version: previous.version, fingerprint: previous.fingerprint },
      // Who agreed: by the older root, and by the new one.
      signed: { previous: [...progressOf(previous, draft).signed], own: [...progressOf(root, draft).signed] },
      revoked: root.revoked
        .filter(({ keyid }) => !before.has(keyid))
        .map(({ keyid, since, reason }) => ({ keyid, since, reason })),
      time: instantOf(now),
    },
  };
}
