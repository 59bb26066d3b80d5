import { decodeBase64, decodeEnvelope, encodeBase64, isProblem, parseStrictJson } from '#formats';
import {
  errorCode,
  type Files,
  type Happening,
  instantOf,
  isFault,
  isObject,
  type LedgerAppender,
  type Reason,
  type Verdict,
} from '#kernel';
import { makeFolderDurably, readIfThere, writeDurably } from '#system';
import { extendChain } from '../chain.ts';
import type { CryptoProfile } from '../crypto-profile.ts';
import { trustFault } from '../faults.ts';
import { readRoot, type Root, ROOT_SIZE_LIMIT } from '../root.ts';
import type { Custody } from '../role.ts';
import { judgeRoot } from '../verification.ts';
import { countHolders } from '../threshold.ts';
import { cryptoProfile, underProfile } from './crypto-profiles.ts';
import { homeOf, type Place } from './place.ts';

/** A root with the file that holds it. */
export interface KeptRoot {
  readonly root: Root;
  readonly bytes: Uint8Array;
  /** Absolute, or as it was named. */
  readonly path: string;
}

const ROOT_NAME = /^root\.([1-9][0-9]{0,9})\.dsse\.json$/;

/** One root file, for example the one of `--root`. Throws trust.no-root and trust.not-a-root. */
export async function readRootFile(files: Files, path: string): Promise<KeptRoot> {
  let bytes: Uint8Array | undefined;
  try {
    // A pipe or a device could keep the reader waiting for ever.
    if ((await files.look(path))?.kind === 'other') {
      throw trustFault('trust.not-a-root', { where: path, detail: 'It is no plain file.' });
    }
    bytes = await readIfThere(files, path, ROOT_SIZE_LIMIT);
  } catch (cause) {
    if (isFault(cause) || errorCode(cause) === '') throw cause;
    throw trustFault('trust.not-a-root', { where: path, detail: `Reading it failed: ${errorCode(cause)}.`, cause });
  }
  if (bytes === undefined) throw trustFault('trust.no-root', { where: path, detail: 'The file does not exist.' });
  const read = readRoot(bytes);
  if (!read.ok) {
    const { code, where, detail } = read.reason;
    throw trustFault('trust.not-a-root', {
      where: path,
      detail: `${code}${where === '' ? '' : ` at ${where}`}: ${detail}`,
    });
  }
  return { root: read.value.root, bytes, path };
}

/** Roots in a folder that follow one another, oldest first. A file that does not follow is a Fault. */
async function readChain(
  files: Files,
  folder: string,
  from?: KeptRoot,
  passOver: readonly KeptRoot[] = [],
): Promise<readonly KeptRoot[]> {
  const chain: KeptRoot[] = from === undefined ? [] : [from];
  if ((await files.look(folder))?.kind !== 'folder') return chain;
  const versions = (await files.list(folder))
    .filter(({ kind }) => kind === 'file')
    .map(({ name }) => ({ name, version: Number(ROOT_NAME.exec(name)?.[1] ?? 0) }))
    .filter(({ version }) => version > (from?.root.version ?? 0))
    .sort((a, b) => a.version - b.version);
  for (const { name, version } of versions) {
    const kept = await readRootFile(files, `${folder}/${name}`);
    const last = chain.at(-1);
    if (passOver.some(({ bytes }) => Buffer.from(bytes).equals(kept.bytes))) {
      // A side that pinned its own root has one chain in both places.
      const own = last !== undefined && extendChain(last.root, [kept.bytes]);
      if (own === false || !own.ok) continue;
    }
    const broken = (detail: string) => trustFault('trust.chain-broken', { where: kept.path, detail });
    if (kept.root.version !== version) throw broken(`It holds version ${kept.root.version}.`);
    if (last !== undefined) {
      const extension = extendChain(last.root, [kept.bytes]);
      if (!extension.ok) throw broken(extension.reason.detail);
    }
    chain.push(kept);
  }
  return chain;
}

/** The roots that a side made itself, oldest first; `home` may also be the path of one root file. */
export async function readRoots(files: Files, home: Place): Promise<readonly KeptRoot[]> {
  if (typeof home === 'string') {
    const look = await files.look(home);
    if (look?.kind === 'file' || look?.kind === 'link') return [await readRootFile(files, home)];
  }
  const { trust } = homeOf(home);
  const pinned = (await files.look(pinPath(home))) !== undefined;
  return readChain(files, pinned ? `${trust}/own` : trust);
}

/** The newest root that a side made itself. Throws trust.no-root. */
export async function ownRoot(files: Files, home: Place): Promise<KeptRoot> {
  const own = (await readRoots(files, home)).at(-1);
  if (own === undefined) {
    throw trustFault('trust.no-root', { where: homeOf(home).trust, detail: 'This home never made one.' });
  }
  return own;
}

/** Whether a home was made for a rehearsal: its own root says so. */
export async function isRehearsalHome(files: Files, home: Place | undefined): Promise<boolean> {
  if (home === undefined) return false;
  return (await readRoots(files, home)).at(-1)?.root.custody === 'rehearsal';
}

/**
 * `trust/pinned.json` is what makes a side pinned. It holds the pinned root itself, so that one rename decides; the
 * files beside it are put in their places afterwards, and a second run ends what a crash left.
 */
function pinPath(home: Place): string {
  return `${homeOf(home).trust}/pinned.json`;
}

export interface Pinned {
  /** The newest root of the pinned chain. */
  readonly root: Root;
  /** The whole chain from the root that was pinned. */
  readonly chain: readonly KeptRoot[];
}

export async function readPinned(files: Files, home: Place): Promise<Pinned | undefined> {
  const path = pinPath(home);
  const bytes = await readIfThere(files, path, 2 * ROOT_SIZE_LIMIT);
  if (bytes === undefined) return undefined;
  const broken = (detail: string) => trustFault('trust.chain-broken', { where: path, detail });
  const parsed = parseStrictJson(bytes);
  const text = parsed.ok && isObject(parsed.value) ? parsed.value['root'] : undefined;
  const first = typeof text === 'string' ? decodeBase64(text) : undefined;
  if (first === undefined) throw broken('It is damaged.');
  const read = readRoot(first);
  if (!read.ok) throw broken(read.reason.detail);
  const { trust } = homeOf(home);
  const { root } = read.value;
  // A crash while the files were put in place may have left the side's own roots beside the pinned chain.
  const own = await readChain(files, `${trust}/own`);
  const from = { root, bytes: first, path: rootPath(trust, root.version) };
  const chain = await readChain(files, trust, from, own);
  return { root: chain.at(-1)?.root ?? root, chain };
}

function rootPath(folder: string, version: number): string {
  return `${folder}/root.${version}.dsse.json`;
}

export interface EffectiveRoot {
  /** The newest root that holds for this command. */
  readonly root: Root;
  /** All files of the chain that lead to it, oldest first. */
  readonly chain: readonly Uint8Array[];
  readonly path: string;
  readonly pinned: boolean;
  readonly fingerprint: string;
  /** Whether the home was made for a rehearsal: what `expectRehearsal` of a verification has to be. */
  readonly rehearsal: boolean;
  /**
   * Set where `--root` is not on the pinned chain (`trust.foreign-root`) or is signed by algorithms that the profile
   * does not verify (`trust.algorithm`): the answer of the command is negative. `root` is the pinned one even then, so
   * that a caller who overlooks it trusts nobody new; by a profile its signatures do not count anyway.
   */
  readonly refusal?: Reason;
}

/**
 * The root that judges what is admitted. With nothing pinned, `rootFile` holds for this command only; with a pin,
 * `rootFile` must lie on the pinned chain or continue it. Throws trust.no-root where there is neither. A side's own root
 * never judges by itself: what a side made is not evidence for what arrives.
 */
export async function effectiveRoot(files: Files, home: Place | undefined, rootFile?: string): Promise<EffectiveRoot> {
  const rehearsal = await isRehearsalHome(files, home);
  const profile = await cryptoProfile(files, home);
  const pinned = home === undefined ? undefined : await readPinned(files, home);
  const given = rootFile === undefined ? undefined : await readRootFile(files, rootFile);
  if (pinned === undefined) {
    if (given === undefined) throw trustFault('trust.no-root', { where: home === undefined ? '' : homeOf(home).path });
    const outside = outsideProfile(given, profile);
    const alone = effective([given], false, rehearsal, profile);
    return outside === undefined ? alone : { ...alone, refusal: outside };
  }
  const kept = effective(pinned.chain, true, rehearsal, profile);
  if (given === undefined) return kept;
  if (pinned.chain.some(({ root }) => root.fingerprint === given.root.fingerprint)) return kept;
  if (given.root.version > pinned.root.version) {
    const extension = extendChain(kept.root, [given.bytes]);
    if (extension.ok) return effective([...pinned.chain, given], true, rehearsal, profile);
    if (extension.reason.code === 'trust.algorithm')
      return { ...kept, refusal: { ...extension.reason, where: given.path } };
  }
  const detail = `Its fingerprint is ${given.root.fingerprint}; the pinned root has ${kept.fingerprint}.`;
  return { ...kept, refusal: { code: 'trust.foreign-root', where: given.path, detail } };
}

/**
 * The root by which persons are known on either side: the effective one, or, where nothing is pinned and no file is
 * named (outside), the side's own. Not for judging what arrives.
 */
export async function rootOfPersons(files: Files, home: Place, rootFile?: string): Promise<EffectiveRoot> {
  if (rootFile !== undefined || (await readPinned(files, home)) !== undefined)
    return effectiveRoot(files, home, rootFile);
  return effectiveRoot(files, home, (await readRoots(files, home)).at(-1)?.path);
}

/** Why a root that a person brings cannot be believed by a profile: it is not signed by what that verifies. */
export function outsideProfile({ root, bytes, path }: KeptRoot, profile: CryptoProfile): Reason | undefined {
  const under = underProfile(root, profile);
  if (under === root) return undefined;
  const envelope = decodeEnvelope(bytes, { size: ROOT_SIZE_LIMIT });
  const count = isProblem(envelope) ? undefined : countHolders(under, 'root', envelope);
  if (count?.ok === true) return undefined;
  return { code: 'trust.algorithm', where: path, detail: count?.reason.detail ?? '' };
}

function effective(
  chain: readonly KeptRoot[],
  pinned: boolean,
  rehearsal: boolean,
  profile: CryptoProfile,
): EffectiveRoot {
  const last = chain.at(-1);
  if (last === undefined) throw new Error('a chain has a root');
  return {
    root: underProfile(last.root, profile),
    chain: chain.map(({ bytes }) => bytes),
    path: last.path,
    pinned,
    fingerprint: last.root.fingerprint,
    rehearsal,
  };
}

/**
 * Keeps newer roots of the pinned chain that arrived in an admitted bundle. Does nothing where nothing is pinned. The
 * caller has verified them with {@link extendChain}; they are verified again when they are read.
 */
export async function keepRoots(files: Files, home: Place, added: readonly Uint8Array[]): Promise<void> {
  const pinned = await readPinned(files, home);
  if (pinned === undefined) return;
  const extension = extendChain(pinned.root, added);
  if (!extension.ok)
    throw trustFault('trust.chain-broken', { where: homeOf(home).path, detail: extension.reason.detail });
  for (const [index, bytes] of extension.value.added.entries()) {
    const version = extension.value.roots[index]?.version ?? 0;
    await writeDurably(files, rootPath(homeOf(home).trust, version), bytes);
  }
}

export interface Pinning extends Verdict<'pinned' | 'already-pinned' | 'refused'> {
  readonly root: { readonly path: string; readonly version: number; readonly fingerprint: string };
  readonly custody: Custody;
  /** The ledger after the entry; absent where nothing was pinned now. */
  readonly ledger?: { readonly size: number; readonly root: string };
}

export interface PinOptions {
  readonly now: number;
  /** The fingerprint that a person had by another way than the file; where it is absent, `ask` gets it. */
  readonly expected?: string;
  /** Called only where nothing is pinned yet. */
  readonly ask: (root: Root) => Promise<string>;
  /** Opened only where something is going to be pinned. */
  readonly ledger: () => Promise<LedgerAppender>;
}

/**
 * Fixes a side's root once. The ledger's entry comes first: a crash in between leaves an entry about a pin that a
 * second run makes, never a pin without an entry.
 */
export async function pinRoot(files: Files, home: Place, rootFile: string, options: PinOptions): Promise<Pinning> {
  const given = await readRootFile(files, rootFile);
  const { root } = given;
  const shown = { path: given.path, version: root.version, fingerprint: root.fingerprint };
  const refused = (reason: Reason): Pinning => ({
    verdict: 'refused',
    reasons: [reason],
    root: shown,
    custody: root.custody,
  });
  const pinned = await readPinned(files, home);
  const same = pinned?.chain.find((kept) => kept.root.fingerprint === root.fingerprint);
  if (pinned !== undefined && same === undefined) {
    const detail = `It is version ${pinned.root.version} of ${pinned.root.site}, fingerprint ${pinned.root.fingerprint}.`;
    return refused({ code: 'trust.pinned-other', where: given.path, detail });
  }
  const expected = options.expected ?? (pinned === undefined ? await options.ask(root) : root.fingerprint);
  if (expected !== root.fingerprint) {
    const detail = `The file has ${root.fingerprint}; ${expected} was given.`;
    return refused({ code: 'trust.fingerprint-differs', where: given.path, detail });
  }
  if (same !== undefined) {
    await settle(files, home);
    return { verdict: 'already-pinned', reasons: [], root: { ...shown, path: same.path }, custody: root.custody };
  }
  const unfit =
    judgeRoot(root, { now: options.now, expectRehearsal: await isRehearsalHome(files, home) }) ??
    outsideProfile(given, await cryptoProfile(files, home));
  if (unfit !== undefined) return refused(unfit);
  const ledger = await options.ledger();
  // The ledger admits one process at a time, and whoever had it before may have pinned.
  if ((await readPinned(files, home)) !== undefined) {
    return pinRoot(files, home, rootFile, { ...options, expected, ledger: async () => ledger });
  }
  const { size, root: head } = await ledger.append(pinnedHappening(root, options.now));
  const { trust } = homeOf(home);
  for (const own of await readRoots(files, home)) {
    await makeFolderDurably(files, `${trust}/own`, 0o700);
    await writeDurably(files, rootPath(`${trust}/own`, own.root.version), own.bytes);
  }
  const document = {
    fingerprint: root.fingerprint,
    version: root.version,
    site: root.site,
    root: encodeBase64(given.bytes),
  };
  await makeFolderDurably(files, trust, 0o700);
  try {
    await writeDurably(files, pinPath(home), `${JSON.stringify(document, null, 2)}\n`, { exclusive: true });
  } catch (error) {
    // Another command pinned meanwhile; whatever it pinned stands, and a second look says whether it is the same.
    if (errorCode(error) === 'EEXIST') return pinRoot(files, home, rootFile, { ...options, expected });
    throw error;
  }
  await settle(files, home);
  const path = rootPath(trust, root.version);
  return {
    verdict: 'pinned',
    reasons: [],
    root: { ...shown, path },
    custody: root.custody,
    ledger: { size, root: head },
  };
}

function pinnedHappening(root: Root, now: number): Happening {
  return {
    predicateType: 'sallyport/pinned/v1',
    subject: [{ name: `root.${root.version}`, digest: { sha256: root.fingerprint } }],
    predicate: {
      site: root.site,
      version: root.version,
      custody: root.custody,
      expires: root.expires,
      time: instantOf(now),
    },
  };
}

/** Puts the files where people look for them: the pinned chain in `trust/`, the side's own roots in `trust/own/`. */
async function settle(files: Files, home: Place): Promise<void> {
  const { trust } = homeOf(home);
  const pinned = await readPinned(files, home);
  if (pinned === undefined) return;
  const first = pinned.chain[0];
  const kept = new Set(pinned.chain.slice(1).map(({ path }) => path));
  if (first !== undefined) {
    const there = await readIfThere(files, first.path, ROOT_SIZE_LIMIT);
    if (there === undefined || !Buffer.from(there).equals(first.bytes))
      await writeDurably(files, first.path, first.bytes);
    kept.add(first.path);
  }
  for (const { name } of await files.list(trust)) {
    const path = `${trust}/${name}`;
    if (ROOT_NAME.test(name) && !kept.has(path)) await files.remove(path);
  }
  await files.syncFolder(trust);
}
