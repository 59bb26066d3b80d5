import { STATEMENT_PAYLOAD_TYPE } from '#formats';
import { type Digest, digestOf, homeAt, type World } from '#kernel';
import { type Ledger, type LedgerView, openLedger, readHomeLedger } from '#ledger';
import { readIfThere, writeDurably } from '#system';
import { sealersOf, signEnvelope } from '#trust';
import { type RecordedEntry, rehearsedHappening, reportStatement } from '../evidence.ts';
import { renderPage } from '../page.ts';
import type { LedgerProof, Report, ReportedLedger, Step } from '../report.ts';
import type { Crossed } from './crossing.ts';
import type { Place } from './place.ts';

/** Newest entries of a ledger that are searched for what the rehearsal relies on. */
const SEARCHED = 4096;
const VKEY_LIMIT = 4096;
const PRIVATE = { mode: 0o600 } as const;

/** Paths of what lies beside a report. */
export function besideReport(report: string): { readonly page: string; readonly signature: string } {
  const stem = report.replace(/\.json$/, '');
  return { page: `${stem}.html`, signature: `${stem}.dsse.json` };
}

export interface GatheredProofs {
  readonly ledgers: ReportedLedger[];
  readonly proofs: LedgerProof[];
}

/** Proofs of the entries on either side that the rehearsal relies on, under the checkpoints of now. */
export async function gatherProofs(
  world: World,
  place: Place,
  crossed: Crossed,
  steps: readonly Step[],
): Promise<GatheredProofs> {
  const ledgers: ReportedLedger[] = [];
  const proofs: LedgerProof[] = [];
  for (const side of ['outside', 'inside'] as const) {
    const home = homeAt(place[side]);
    const view = await readHomeLedger(world.files, home);
    const vkey = Buffer.from((await readIfThere(world.files, `${home.trust}/ledger.vkey`, VKEY_LIMIT)) ?? []);
    ledgers.push({ side, origin: view.origin, vkey: vkey.toString('utf8').trim(), size: view.size, root: view.root });
    const wanted = await reliedOn(view, side, crossed, steps);
    for (const [index, what] of [...wanted].sort(([a], [b]) => a - b)) {
      const { entry, type = 'opaque' } = await view.record(index);
      const { text } = await view.prove(index);
      proofs.push({
        side,
        index,
        type,
        what,
        entry: Buffer.from(entry).toString('utf8'),
        proof: Buffer.from(text).toString('utf8'),
      });
    }
  }
  return { ledgers, proofs };
}

/** Indexes and what relies on them: entries that steps left, and those about this lock and this bundle. */
async function reliedOn(
  view: LedgerView,
  side: 'outside' | 'inside',
  { lockDigest, bundle }: Crossed,
  steps: readonly Step[],
): Promise<ReadonlyMap<number, string>> {
  const wanted = new Map<number, string>();
  const about: Readonly<Record<string, readonly [digest: string | undefined, what: string]>> =
    side === 'outside'
      ? {
          'sallyport/captured/v1': [lockDigest, 'The lock was captured'],
          'sallyport/sealed/v1': [bundle.index, 'The bundle was sealed'],
        }
      : {
          'sallyport/pinned/v1': [undefined, 'The root of the outside was pinned'],
          'sallyport/admitted/v1': [bundle.index, 'The bundle was admitted'],
        };
  const newest = new Map<string, number>();
  for await (const { index, type = '', happening } of view.records(Math.max(0, view.size - SEARCHED))) {
    const [digest] = about[type] ?? [''];
    const holds = digest === undefined || happening?.subject.some((one) => `sha256:${one.digest.sha256}` === digest);
    if (holds === true) newest.set(type, index);
  }
  for (const [type, index] of newest) wanted.set(index, about[type]?.[1] ?? type);
  for (const step of steps) {
    if (step.side === side && step.ledger !== undefined && step.ledger < view.size && !wanted.has(step.ledger)) {
      wanted.set(step.ledger, step.title);
    }
  }
  return wanted;
}

/**
 * Writes the report and what vouches for it: first the report, then the entry with its digest in the ledger inside, then
 * signature and page. Whatever moment it is cut off at, no signature stands beside a report that it is not over: the
 * one of the last rehearsal is removed first, and the new one is written when the entry is durable.
 */
export async function writeReport(world: World, place: Place, draft: Omit<Report, 'entry'>): Promise<Report> {
  const { files } = world;
  const home = homeAt(place.inside);
  const [signer] = await sealersOf(files, home);
  if (signer === undefined) throw new Error('the inside has no sealer');
  const ledger = await openLedger(files, home, world.clock);
  try {
    // Nobody else appends while this process holds the ledger, so the index is known before the entry is there.
    const report: Report = { ...draft, entry: { origin: ledger.origin, index: ledger.size } };
    const digest = await put(world, report);
    const { index } = await ledger.append(rehearsedHappening(report, digest));
    if (index !== report.entry?.index) throw new Error(`entry ${index} was to be ${report.entry?.index}`);
    const recorded = await recordedEntry(ledger, index);
    const payload = reportStatement(report, digest, recorded);
    await writeDurably(files, report.signature, signEnvelope(STATEMENT_PAYLOAD_TYPE, payload, [signer]), PRIVATE);
    await writeDurably(files, report.page, renderPage(report, { digest, recorded }), PRIVATE);
    return report;
  } finally {
    await ledger.close();
  }
}

/** A report of a rehearsal in which nothing crossed: there is no inside that could vouch for it. */
export async function writeUnsigned(world: World, report: Report): Promise<void> {
  const digest = await put(world, report);
  await writeDurably(world.files, report.page, renderPage(report, { digest }), PRIVATE);
}

async function put({ files }: World, report: Report): Promise<Digest> {
  await files.remove(report.signature);
  await files.remove(report.page);
  const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`, 'utf8');
  await writeDurably(files, report.report, bytes, PRIVATE);
  return digestOf(bytes);
}

async function recordedEntry(ledger: Ledger, index: number): Promise<RecordedEntry> {
  for await (const { entry, statement } of ledger.records(index)) {
    if (statement === undefined) break;
    return { origin: ledger.origin, index, entry, statement, proof: await ledger.prove(index) };
  }
  throw new Error(`entry ${index} cannot be read back`);
}
