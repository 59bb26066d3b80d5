import { basename, resolve } from 'node:path';
import {
  type Digest,
  type JsonObject,
  digestOf,
  errorCode,
  errorMessage,
  type Files,
  hexOf,
  type Home,
  homeAt,
  identityKey,
  type Implementation,
  instantOf,
  isFault,
  type LockRow,
  printable,
  type Reason,
  type World,
} from '#kernel';
import {
  amount,
  type BundleHead,
  type BundleReading,
  judgeSeal,
  lockDifference,
  openMedium,
  readBundle,
  type SealJudgement,
  summaryOf,
  trustOf,
} from '#bundle';
import { custodyReason, judgeChain, judgeScans, mediaOf, parseChain } from '#custody';
import { ecosystemOf } from '#ecosystems/list';
import {
  ADMITTED_PREDICATE,
  HELD_PREDICATE,
  type Ledger,
  openLog,
  openWitness,
  REFUSED_PREDICATE,
  type Witness,
} from '#ledger';
import { parseLock } from '#project';
import { type Database, openDatabase, openStore, type Store } from '#store';
import { homePath, openHome, readIfThere } from '#system';
import { type EffectiveRoot, effectiveRoot, keepRoots, ledgerSigner, readRoots, type SignatureMade } from '#trust';
import { type AdmissionPolicy, readAdmissionPolicy } from '../admission-policy.ts';
import { type Approval, type ApprovalJudgement, judgeApprovals } from '../approval.ts';
import { type Arrival, arrivalOf, judgeArrival, judgeRows, nothingInside } from '../arrival.ts';
import { clockFloor, readFloorReset } from '../clock-floor.ts';
import { type ContentJudgement, judgeContents, nothingExamined, openedOf } from '../contents.ts';
import { keepEvidence } from '../evidence.ts';
import { admitFault, reason } from '../faults.ts';
import { type Freshness, freshnessOf, worseThan } from '../freshness.ts';
import { approvalsOf, Copying, promotionsOf, removeHeld } from '../held.ts';
import type { AdmitInput, AdmitOutput } from '../operations.ts';
import { judgeLowLedger, type LowLedger } from '../low-ledger.ts';
import { judgePromotions } from '../promotion.ts';
import { Quarantine } from '../quarantine.ts';
import { type Admission, lookupKey, recoveredDatabase } from '../recover.ts';

type Output = AdmitOutput;

/** How long a second admission waits for the first, in milliseconds. */
const WAIT = 30 * 60 * 1000;
/** Contents that move into the store side by side: each is a few waits for the file system. */
const ADOPTING = 8;
/** Space that ledger, database and folders may take. */
const SLACK = 1024 ** 2;
const PROMOTION_LIMIT = 1024 ** 2;
const CHAIN_LIMIT = 16 * 1024 ** 2;

export const admit: Implementation<AdmitInput, Output> = {
  run: (input, world) => admitBundle(input, world, false),
  exit: ({ verdict }) => (verdict === 'admitted' || verdict === 'already-here' ? 0 : 1),
  show(output, style) {
    const { verdict, reasons, bundle, trust, figures, ledger } = output;
    const lines = [
      verdict === 'admitted' || verdict === 'already-here'
        ? style.good(verdict)
        : verdict === 'held'
          ? style.warn(verdict)
          : style.bad(verdict),
      ...reasons.map(
        ({ code, where, detail }) => `  ${style.bold(code)}${where === '' ? '' : ` at ${where}`}: ${detail}`,
      ),
    ];
    if (bundle !== undefined && trust !== undefined) {
      lines.push(
        `  ${bundle.project}, channel ${bundle.channel}, sequence ${bundle.sequence}, sealed ${bundle.sealed} at ${bundle.site}`,
        ...(output.freshness === undefined
          ? []
          : [`  ${output.freshness.grade}: sealed ${output.freshness.days} days ago`]),
        ...(output.approvers === undefined ? [] : [`  approved by ${output.approvers.join(', ')}`]),
        `  by ${trust.holders.join(', ')}${trust.custody === 'one-person' ? style.warn(' (keys of one person)') : ` (${trust.custody})`}`,
        `  ${figures.written.blobs} blobs new (${amount(figures.written.bytes)}), ${figures.reused} were here${figures.healed > 0 ? `, ${figures.healed} had rotted and are whole again` : ''}`,
      );
    }
    if (output.evidence !== undefined) lines.push(`  evidence is kept in ${output.evidence}`);
    if (reasons[0] !== undefined) lines.push(style.dim(`'sallyport explain ${reasons[0].code}' says what to do.`));
    lines.push(
      `  ledger: ${ledger.index === undefined ? '' : `entry ${ledger.index}, `}size ${ledger.size}, root ${ledger.root}`,
    );
    return lines.join('\n');
  },
};

/**
 * `held` is true for a bundle that waits in quarantine already: approvers decide then, and nobody holds it again.
 * `signed` is what approvers signed by just now.
 */
export async function admitBundle(
  input: AdmitInput,
  world: World,
  held: boolean,
  signed: readonly SignatureMade[] = [],
): Promise<Output> {
  const { files } = world;
  const path = homePath(world, input.home === undefined ? {} : { home: input.home });
  try {
    return await admitTo(await openHome(files, path), input, world, held, signed);
  } catch (error) {
    throw await asFault(error, files, homeAt(path));
  }
}

interface Inside {
  readonly files: Files;
  readonly home: Home;
  readonly effective: EffectiveRoot;
  readonly site: string;
  readonly ledger: Ledger;
  /** Undefined where nothing was ever admitted: a refusal must not make it. */
  readonly database: Database | undefined;
  readonly store: Store | undefined;
  readonly path: string;
  /** Milliseconds, read once for the whole decision. */
  readonly now: number;
  readonly world: World;
  readonly policy: AdmissionPolicy;
  readonly input: AdmitInput;
  /** Undefined where no log of others was ever seen. */
  readonly witness: Witness | undefined;
  /** Envelopes of rings before this one. */
  readonly promotions: readonly Uint8Array[];
  /** `--hold`. */
  readonly hold: boolean;
  /** Whether it waits in quarantine already. */
  readonly held: boolean;
  readonly signed: readonly SignatureMade[];
}

interface Judged {
  readonly reading: BundleReading;
  readonly freshness: Freshness | undefined;
  /** Why it is held; empty: it is not. */
  readonly holding: readonly Reason[];
  readonly approval: ApprovalJudgement | undefined;
  readonly low: LowLedger | undefined;
  readonly judgement: SealJudgement | undefined;
  readonly rows: readonly LockRow[];
  readonly reused: number;
  readonly rotten: ReadonlySet<Digest>;
}

async function admitTo(
  home: Home,
  input: AdmitInput,
  world: World,
  held: boolean,
  signed: readonly SignatureMade[],
): Promise<Output> {
  const { files, cwd, clock } = world;
  const started = performance.now();
  const policy = await readAdmissionPolicy(files, home.path);
  const rootFile = input.root === undefined ? undefined : resolve(cwd, input.root);
  const effective = await effectiveRoot(files, home.path, rootFile);
  const site = (await readRoots(files, home.path)).at(-1)?.root.site ?? '';
  const path = resolve(cwd, input.bundle);
  // The ledger has one writer, so whoever holds it is the only one who changes this side.
  const ledger = await openLog(files, home.ledger, await ledgerSigner(files, home.path), clock, { wait: WAIT });
  let database: Database | undefined;
  try {
    const storeIfThere = async (): Promise<Store | undefined> =>
      (await files.look(home.store)) === undefined ? undefined : openStore(files, home);
    database = await recoveredDatabase(files, home, ledger, storeIfThere);
    const store = await storeIfThere();
    const now = clock.now();
    const hold = input.hold === true;
    const observed = database?.observed() ?? new Map<string, number>();
    const known = observed.size > 0 || (await files.look(`${home.path}/witness/state.json`)) !== undefined;
    const witness = known ? await openWitness(files, home, site, observed) : undefined;
    const promotions = held ? await promotionsOf(files, path) : [];
    for (const name of input.promotion ?? []) {
      const bytes = await readIfThere(files, resolve(cwd, name), PROMOTION_LIMIT);
      if (bytes === undefined) throw admitFault('admit.no-promotion', { where: resolve(cwd, name) });
      promotions.push(bytes);
    }
    const side = {
      files,
      home,
      effective,
      site,
      ledger,
      database,
      store,
      path,
      now,
      world,
      policy,
      input,
      witness,
      promotions,
      hold,
      held,
      signed,
    };
    const { output, opened } = await admitInto(side);
    database = opened;
    return { ...output, figures: { ...output.figures, milliseconds: Math.round(performance.now() - started) } };
  } finally {
    database?.close();
    await ledger.close();
  }
}

async function admitInto(side: Inside): Promise<{ output: Output; opened: Database | undefined }> {
  const { files, home, world } = side;
  const copy = new Copying(files, home, await openMedium(world, side.path, side.input.path), asksForVolume(side));
  let quarantine: Quarantine | undefined;
  let left = false;
  try {
    quarantine = await Quarantine.open(files, home.quarantine);
    world.report({ type: 'step', step: 'admit', title: 'Reading the bundle into quarantine' });
    const judged = await readInto(side, quarantine, copy);
    const { verdict, reasons, read } = judged.reading;
    world.report({ type: 'end', step: 'admit', title: `Read ${amount(read)}`, ok: verdict === 'whole' });
    const refusing = async (why: readonly Reason[]): Promise<{ output: Output; opened: Database | undefined }> => {
      // First of all no unjudged byte stays on this side; the folder of quarantine goes with the last of them.
      await copy.remove();
      await quarantine?.remove();
      left = true;
      return { output: await refuse(side, judged, why), opened: side.database };
    };
    if (verdict === 'refused') return await refusing(reasons);
    const hands = await judgeHands(side, judged, copy);
    if (hands.length > 0) return await refusing(hands);
    const contents = await examined(side, judged, quarantine);
    if (contents.refused.length > 0) return await refusing(contents.refused);
    if (judged.holding.length > 0) return { output: await hold(side, judged, copy), opened: side.database };
    const done = await commit(side, judged, quarantine, contents);
    if (judged.reading.head !== undefined) await removeHeld(files, home, judged.reading.head.seal.index);
    return done;
  } finally {
    await copy.medium.close();
    await copy.remove().catch(() => undefined);
    if (!left) await quarantine?.remove().catch(() => undefined);
  }
}

/** Reads the medium once, into quarantine, and judges all of it. Changes nothing else. */
async function readInto(side: Inside, quarantine: Quarantine, copy: Copying): Promise<Judged> {
  const { effective, site, store, world, policy } = side;
  const inside = side.database ?? nothingInside;
  // A clock that was set back does not make an expired root fresh again.
  const floor = clockFloor(inside, await readFloorReset(side.files, side.home, side.ledger));
  const now = Math.max(side.now, floor);
  let judgement: SealJudgement | undefined;
  let rows: readonly LockRow[] = [];
  let reused = 0;
  let freshness: Freshness | undefined;
  let holding: readonly Reason[] = [];
  let approval: ApprovalJudgement | undefined;
  let low: LowLedger | undefined;
  let opened: ReadonlySet<Digest> = new Set();
  const rotten = new Set<Digest>();
  const reading = await readBundle(
    copy.medium,
    {
      async head(head) {
        judgement = judgeSeal(effective, head, now);
        if (judgement.reasons.length > 0) return judgement.reasons;
        const reasons = judgeArrival(head, inside, site, side.now, policy, floor);
        if (reasons.length > 0) return reasons;
        freshness = freshnessOf(head.seal.sealed, now, policy.freshness);
        // What is here already is not made worse by its age.
        const here = hereAlready(arrivalOf(head, inside));
        // Approvers are those of the newest root, which the bundle may have brought: one of them may be revoked there.
        const newest = { ...effective, root: judgement.root };
        const rings = judgePromotions(newest, head, side.promotions, policy, now);
        if (!here && rings.length > 0) return rings;
        if (!here && worseThan(freshness.grade, policy.hold)) return [ageReason(freshness, head)];
        if (!here && side.held) {
          // It waits for people whatever the reason was, and whatever the rules say by now.
          approval = await judgeHeld(side, newest, head, judgement);
          holding = approval.reasons;
        } else if (!here) holding = holdingReasons(side, head, freshness);
        const judged = judgeLowLedger(head, judgement.root, arrivalOf(head, inside), (origin) =>
          side.witness?.seen(origin),
        );
        if (judged !== undefined && 'code' in judged) return [judged];
        if (judged !== undefined && judged.reasons.length > 0) return judged.reasons;
        low = judged;
        await copy.decide(holding.length > 0 && !side.held);
        // What is held is kept as it came, and beside it until they are examined lie its contents.
        await askForSpace(side, head, holding.length > 0 && !side.held ? 2 : 1);
        return [];
      },
      async lock(bytes, head) {
        const read = rowsOf(bytes);
        if ('code' in read) return [read];
        rows = read;
        opened = openedOf(rows);
        const difference = lockDifference(head.index, rows);
        if (difference !== undefined) return [difference];
        const unknown = rows.find(({ row, ecosystem }) => row !== 'input' && ecosystemOf(ecosystem) === undefined);
        if (unknown !== undefined) return [reason('admit.unknown-ecosystem', 'sallyport.lock', unknown.ecosystem)];
        if (arrivalOf(head, inside) === 'replayed') return [];
        return judgeRows(head, rows, inside, store === undefined ? undefined : side.database?.catalog(store));
      },
      async begin(blob) {
        // A bundle that is held is kept as it came; its contents are examined and go again.
        if (holding.length > 0 && (side.held || !opened.has(blob.digest))) return undefined;
        const size = await store?.size(blob.digest);
        if (store !== undefined && size !== undefined) {
          // A name in the store is not evidence of what lies under it: disks rot.
          if (size === blob.size && (await store.verify(blob.digest)) === 'whole') {
            reused += 1;
            return undefined;
          }
          rotten.add(blob.digest);
        }
        return quarantine.sink(blob);
      },
    },
    {
      until: 'end',
      signal: world.signal,
      progress: (done) => world.report({ type: 'amount', step: 'admit', done, unit: 'bytes' }),
    },
  );
  return { reading, judgement, rows, reused, rotten, freshness, holding, approval, low };
}

/** What the gate says about the contents. Where nothing new comes in, and where people have yet to agree, nothing is opened. */
async function examined(
  side: Inside,
  { reading, rows, holding }: Judged,
  quarantine: Quarantine,
): Promise<ContentJudgement> {
  const { database, store, policy, world } = side;
  const { head } = reading;
  if (head === undefined || (side.held && holding.length > 0)) return nothingExamined;
  if (hereAlready(arrivalOf(head, database ?? nothingInside))) return nothingExamined;
  const arrived = await quarantine.finished();
  world.report({ type: 'step', step: 'examine', title: 'Examining what clients will unpack' });
  const judged = await judgeContents(rows, arrived, { database, store }, policy.contents, world);
  const ok = judged.refused.length === 0;
  world.report({ type: 'end', step: 'examine', title: `Examined ${judged.examined} contents`, ok });
  return judged;
}

/** Nothing new comes of it. */
function hereAlready(arrival: Arrival): boolean {
  return arrival === 'head-again' || arrival === 'replayed';
}

function ageReason({ grade, days }: Freshness, { seal }: BundleHead): Reason {
  const code = grade === 'expired' ? 'admit.expired' : grade === 'stale' ? 'admit.stale' : 'admit.aging';
  return reason(code, 'seal.dsse.json', `It was sealed ${days} days ago, at ${seal.sealed}.`);
}

function holdingReasons({ hold, policy, world }: Inside, head: BundleHead, freshness: Freshness): Reason[] {
  const reasons: Reason[] = [];
  if (worseThan(freshness.grade, policy.accept)) reasons.push(ageReason(freshness, head));
  if (policy.approval === 'always')
    reasons.push(reason('admit.held', '', 'This side lets nothing in without approvers.'));
  else if (hold) reasons.push(reason('admit.held', '', `It was asked for, at ${instantOf(world.clock.now())}.`));
  return reasons;
}

/** What approvers agree to when they let a bundle in. */
export function admission(site: string, { seal }: BundleHead): Approval {
  const { index, channel, sequence } = seal;
  return { decision: 'admit', index, channel, sequence, site, from: 0 };
}

async function judgeHeld(
  side: Inside,
  effective: EffectiveRoot,
  head: BundleHead,
  { holders }: SealJudgement,
): Promise<ApprovalJudgement> {
  const envelopes = await approvalsOf(side.files, side.home, head.seal.index);
  return judgeApprovals(effective, admission(side.site, head), envelopes, holders, side.now);
}

function rowsOf(lock: Uint8Array): readonly LockRow[] | Reason {
  try {
    return parseLock(lock, 'sallyport.lock').rows;
  } catch (error) {
    if (!isFault(error)) throw error;
    return reason('admit.lock', error.where, error.message);
  }
}

async function askForSpace({ files, home, store }: Inside, head: BundleHead, times: number): Promise<void> {
  let need = SLACK;
  let largest = 0;
  for (const { digest, size } of head.index.blobs) {
    if ((await store?.size(digest)) === size) continue;
    // A file takes whole blocks of its file system.
    need += Math.ceil(size / 4096) * 4096 * times;
    largest = Math.max(largest, size);
  }
  const space = await files.space(home.path);
  if (largest > space.largestFile) {
    throw admitFault('admit.file-too-large', {
      where: home.path,
      detail: `The largest content has ${largest} bytes; a file there holds ${space.largestFile}.`,
    });
  }
  if (need > space.free) {
    throw admitFault('admit.no-space', {
      where: home.path,
      detail: `The contents that are not here yet need ${need} bytes; ${space.free} are free.`,
    });
  }
}

/**
 * Contents first, durable and unreferenced; then the ledger's statement and entry, which is the commit; then the
 * database, which the next start makes again from the ledger if this one does not get that far.
 */
async function commit(
  side: Inside,
  judged: Judged,
  quarantine: Quarantine,
  contents: ContentJudgement,
): Promise<{ output: Output; opened: Database | undefined }> {
  const { files, home, ledger, effective, world } = side;
  const { reading, judgement, reused, rotten } = judged;
  const { head, lock } = reading;
  if (head === undefined || lock === undefined || judgement === undefined) throw new Error('a whole bundle has a head');
  const { seal } = head;
  const inside = side.database ?? nothingInside;
  const arrival = arrivalOf(head, inside);
  const highest = inside.highest(seal.channel);

  const arrived = await quarantine.finished();
  const bytes = arrived.reduce((sum, { size }) => sum + size, 0);
  const store = side.store ?? (await openStore(files, home));
  const adopted: Digest[] = [];
  let next = 0;
  const adopt = async (): Promise<void> => {
    for (let one = arrived[next++]; one !== undefined; one = arrived[next++]) {
      world.signal.throwIfAborted();
      await store.adopt(one.path, one.digest, one.size);
      if (!rotten.has(one.digest)) adopted.push(one.digest);
    }
  };
  try {
    const adopters = await Promise.allSettled(Array.from({ length: ADOPTING }, adopt));
    for (const adopter of adopters) if (adopter.status === 'rejected') throw adopter.reason;
    await store.syncAdopted();
  } catch (error) {
    // Nothing refers to them yet. Where removing fails too they are found and used by the next run.
    for (const digest of adopted) await store.remove(digest).catch(() => undefined);
    throw error;
  }

  // Overtaken on the way by a bundle that brought all of it: the content is here, and nothing moves.
  const here =
    hereAlready(arrival) ||
    (arrival === 'overtaken' && arrived.every(({ digest }) => digest === seal.lock) && allKnown(side, judged.rows));
  const output = (entry: number | undefined): Output => ({
    verdict: here ? 'already-here' : 'admitted',
    reasons: [...noticesOf(head, arrival, judged.freshness), ...(judged.low?.notices ?? []), ...contents.notices],
    ledger: { size: ledger.size, root: ledger.root, ...(entry === undefined ? {} : { index: entry }) },
    ...(judged.freshness === undefined ? {} : { freshness: judged.freshness }),
    ...(judged.approval === undefined ? {} : { approvers: [...judged.approval.holders] }),
    trust: trustOf(judgement, effective),
    bundle: summaryOf(seal),
    figures: {
      read: reading.read,
      written: { blobs: arrived.length, bytes },
      reused,
      healed: rotten.size,
      examined: contents.examined,
      milliseconds: 0,
    },
  });
  // What was admitted before, or the same content in a seal that is no newer: nothing is to be recorded, unless
  // something had to be put right.
  const known = arrival === 'replayed' || (arrival === 'head-again' && seal.sequence <= (highest?.sequence ?? 0));
  if (known && arrived.length === 0) return { output: output(undefined), opened: side.database };

  const admission: Admission = {
    bundle: bundleKey(head, inside),
    lock: seal.lock,
    sequence: seal.sequence,
    channel: seal.channel,
    sealed: seal.sealed,
  };
  const observation = await observationOf(side, judged);
  const { index } = await ledger.append({
    predicateType: ADMITTED_PREDICATE,
    subject: [{ name: 'index.jsonl', digest: { sha256: hexOf(seal.index) } }],
    predicate: {
      // Without a key nothing is published: the entry is about contents that were put right.
      ...(known ? {} : { key: admission.bundle }),
      verdict: here ? 'already-here' : 'admitted',
      arrival,
      lock: admission.lock,
      channel: admission.channel,
      sequence: admission.sequence,
      sealed: admission.sealed,
      project: seal.project,
      site: seal.site,
      destinations: [...seal.destinations],
      rings: seal.rings.map(({ ring, sites }) => ({ ring, sites: [...sites] })),
      promotions: side.promotions.map((one) => digestOf(one)),
      seal: digestOf(head.sealEnvelope),
      custody: judgement.custody,
      holders: [...judgement.holders],
      approvers: [...(judged.approval?.holders ?? [])],
      ...signedOf(side),
      freshness: judged.freshness === undefined ? null : { ...judged.freshness },
      policy: side.policy.digest ?? '',
      root: judgement.root.fingerprint,
      medium: mediumName(side.path),
      serial: side.input.medium ?? '',
      blobs: seal.blobs,
      bytes: seal.bytes,
      written: bytes,
      healed: [...rotten],
      examined: contents.record,
      observed: observation ?? null,
    },
  });
  let opened = side.database;
  try {
    opened ??= openDatabase(home.database);
    if (!known) opened.publish({ ...admission, ledgerIndex: index, rows: judged.rows, lookupKey });
    contents.remember(opened);
    if (observation !== undefined) opened.observe(observation.origin, observation.size);
    if (judgement.added.length > 0) await keepRoots(files, home.path, judgement.added);
  } catch (error) {
    if (side.database === undefined) opened?.close();
    throw error;
  }
  return { output: output(index), opened };
}

/**
 * The other side's log as it was seen now, cosigned: kept first, then signed, then part of the entry in this
 * side's ledger, which from then on is committed to that past. Undefined where the tree is no larger than what was seen.
 */
async function observationOf(
  side: Inside,
  { low }: Judged,
): Promise<{ readonly origin: string; readonly size: number; [key: string]: string | number } | undefined> {
  if (low === undefined || !['first', 'grown', 'same'].includes(low.outcome)) return undefined;
  const { origin, size, root } = low.seen;
  const known = side.database?.observed() ?? new Map<string, number>();
  if (low.outcome === 'same' && known.get(origin) === size) return undefined;
  const witness = side.witness ?? (await openWitness(side.files, side.home, side.site, known));
  const cosigned = await witness.cosign(low.seen, side.now);
  return {
    origin,
    size,
    root: Buffer.from(root).toString('base64'),
    witness: witness.signer.name,
    checkpoint: Buffer.from(cosigned).toString('utf8'),
  };
}

/** What is worth knowing although it is no reason against it. */
function noticesOf(head: BundleHead, arrival: Arrival, freshness: Freshness | undefined): Reason[] {
  const { channel, sequence } = head.seal;
  if (arrival === 'replayed') {
    return [reason('admit.replayed', 'seal.dsse.json', `Sequence ${sequence} of channel ${channel}.`)];
  }
  return arrival === 'head-again' || freshness === undefined || freshness.grade === 'fresh'
    ? []
    : [ageReason(freshness, head)];
}

function allKnown({ database, store }: Inside, rows: readonly LockRow[]): boolean {
  if (database === undefined || store === undefined) return false;
  const catalog = database.catalog(store);
  return rows.every((row) => {
    if (row.row === 'input') return true;
    const key = lookupKey(row.ecosystem, row.name);
    if (row.row === 'pointer') {
      return catalog
        .pointers(row.ecosystem, key)
        .some((one) => identityKey(one) === identityKey(row) && one.pointer === row.pointer && one.value === row.value);
    }
    return catalog.byDigest(row.ecosystem, row.digest).some((one) => identityKey(one) === identityKey(row));
  });
}

function signedOf({ signed }: Inside): JsonObject {
  return signed.length === 0 ? {} : { signed };
}

/** Whether a chain of custody or a scanner has to speak of the very bytes that are read. */
function asksForVolume({ policy, input, held }: Inside): boolean {
  return !held && (input.custody !== undefined || policy.custody === 'required' || policy.scans.length > 0);
}

/**
 * What the rules of the site demand of the hands through which the bundle came: a medium that is registered, a chain of
 * custody that holds and speaks of these bytes, and the word of the site's scanners. What was held was judged then.
 */
async function judgeHands(side: Inside, { reading, judgement }: Judged, copy: Copying): Promise<Reason[]> {
  const { policy, input, files, home, ledger, world } = side;
  if (side.held || reading.head === undefined || judgement === undefined) return [];
  const sha256 = asksForVolume(side) ? copy.digest() : '';
  const reasons: Reason[] = [];
  if (input.medium !== undefined || policy.medium === 'registered') {
    if (input.medium === undefined)
      reasons.push(custodyReason('custody.required', '--medium', 'No serial number was given.'));
    else {
      const found = (await mediaOf(ledger)).judge(input.medium);
      reasons.push(...found.filter(({ code }) => policy.medium === 'registered' || code === 'custody.gone'));
    }
  }
  if (input.custody !== undefined || policy.custody === 'required') {
    const path = input.custody === undefined ? undefined : resolve(world.cwd, input.custody);
    const bytes = path === undefined ? undefined : await readIfThere(files, path, CHAIN_LIMIT);
    const links = bytes === undefined ? undefined : parseChain(bytes);
    if (links === undefined)
      reasons.push(custodyReason('custody.required', '--custody', 'No chain of custody is there.'));
    else {
      const hand = {
        volumes: [sha256],
        ...(input.medium === undefined ? {} : { medium: input.medium }),
        ...(input.seal === undefined ? {} : { seals: input.seal }),
      };
      reasons.push(...judgeChain(judgement.root, links, hand).reasons);
    }
  }
  if (policy.scans.length > 0) {
    const scans: Uint8Array[] = [];
    for (const name of input.scan ?? []) {
      const bytes = await readIfThere(files, resolve(world.cwd, name), PROMOTION_LIMIT);
      if (bytes !== undefined) scans.push(bytes);
    }
    reasons.push(...(await judgeScans(files, home, sha256, scans, policy.scans)));
  }
  return reasons;
}

/** The whole bundle stays in quarantine, verified, and nothing of it is served. */
async function hold(side: Inside, judged: Judged, copy: Copying): Promise<Output> {
  const { home, ledger, effective } = side;
  const { reading, judgement, holding } = judged;
  const { head } = reading;
  if (head === undefined || judgement === undefined) throw new Error('a whole bundle has a head');
  if (!side.held) {
    await copy.hold(head.seal.index, side.promotions);
  }
  const reasons = [...holding];
  const { index } = await ledger.append({
    predicateType: HELD_PREDICATE,
    subject: [{ name: 'index.jsonl', digest: { sha256: hexOf(head.seal.index) } }],
    predicate: {
      channel: head.seal.channel,
      sequence: head.seal.sequence,
      seal: digestOf(head.sealEnvelope),
      holders: [...judgement.holders],
      approvers: [...(judged.approval?.holders ?? [])],
      ...signedOf(side),
      medium: mediumName(side.path),
      reasons: reasons.map(({ code, where, detail }) => ({ code, where, detail })),
    },
  });
  return {
    verdict: 'held',
    reasons,
    ledger: { size: ledger.size, root: ledger.root, index },
    bundle: summaryOf(head.seal),
    ...(judged.freshness === undefined ? {} : { freshness: judged.freshness }),
    ...(judged.approval === undefined ? {} : { approvers: [...judged.approval.holders] }),
    trust: trustOf(judgement, effective),
    figures: {
      read: reading.read,
      written: { blobs: 0, bytes: 0 },
      reused: 0,
      healed: 0,
      examined: 0,
      milliseconds: 0,
    },
    held: `${home.quarantine}/held/${hexOf(head.seal.index)}`,
  };
}

/**
 * What the database knows a bundle by: the digest of its index, or, where an earlier bundle with this index was
 * followed by another one and is now sealed again with a new number, the digest of the new seal.
 */
function bundleKey(head: BundleHead, inside: Pick<Database, 'seen'>): Digest {
  return inside.seen(head.seal.index) === undefined ? head.seal.index : digestOf(head.sealEnvelope);
}

async function refuse(side: Inside, judged: Judged, reasons: readonly Reason[]): Promise<Output> {
  const { files, home, ledger } = side;
  const { reading, judgement } = judged;
  const { head, read } = reading;
  const evidence = await keepEvidence(files, home, {
    at: instantOf(side.now),
    medium: mediumName(side.path),
    reasons,
    read,
    head,
  });
  const { index } = await ledger.append({
    predicateType: REFUSED_PREDICATE,
    subject: [{ name: 'refusal.json', digest: { sha256: hexOf(evidence.digest) } }],
    predicate: {
      medium: mediumName(side.path),
      index: head?.seal.index ?? '',
      seal: head === undefined ? '' : digestOf(head.sealEnvelope),
      // Only where the seal holds: what somebody claims in a bundle is not repeated.
      ...(head === undefined || judgement === undefined || judgement.reasons.length > 0
        ? {}
        : { channel: head.seal.channel, sequence: head.seal.sequence }),
      read,
      reasons: reasons.map(({ code, where, detail }) => ({ code, where, detail })),
    },
  });
  return {
    verdict: 'refused',
    reasons: [...reasons],
    ledger: { size: ledger.size, root: ledger.root, index },
    ...(head === undefined || judgement === undefined || judgement.reasons.length > 0
      ? {}
      : {
          bundle: summaryOf(head.seal),
          trust: {
            custody: judgement.custody,
            holders: [...judgement.holders],
            root: {
              version: judgement.root.version,
              fingerprint: judgement.root.fingerprint,
              pinned: side.effective.pinned,
            },
          },
        }),
    figures: { read, written: { blobs: 0, bytes: 0 }, reused: 0, healed: 0, examined: 0, milliseconds: 0 },
    evidence: evidence.folder,
  };
}

function mediumName(path: string): string {
  return printable(basename(path)).slice(0, 256);
}

/** System errors while a home is written become faults that say what to do; everything else is as it was. */
async function asFault(error: unknown, files: Files, home: Home): Promise<unknown> {
  const code = errorCode(error);
  if (isFault(error) || !/^E[A-Z0-9]+$/.test(code)) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const space = await files.space(home.path).catch(() => undefined);
    const detail = space === undefined ? '' : ` ${space.free} bytes are free.`;
    return admitFault('admit.no-space', {
      where: home.path,
      detail: `(${errorMessage(error)})${detail}`,
      cause: error,
    });
  }
  return admitFault('admit.write', { where: home.path, detail: `(${errorMessage(error)})`, cause: error });
}
