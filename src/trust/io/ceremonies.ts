import { hostname, networkInterfaces, release, type as systemType } from 'node:os';
import { encodeBase64 } from '#formats';
import { errorCode, type Files, instantOf, type LedgerAppender, printable } from '#kernel';
import { readIfThere, writeDurably } from '#system';
import {
  attestedBy,
  attestedTranscript,
  type Ceremony,
  CEREMONY_SIZE_LIMIT,
  encodeCeremony,
  endOf,
  type Machine,
  parseCeremony,
  transcriptDigest,
  unattested,
} from '../ceremony.ts';
import { trustFault } from '../faults.ts';
import { opensslModule } from './crypto-profiles.ts';
import { type Acceptance, acceptDraft, type AcceptOptions } from './drafts.ts';
import type { Place } from './place.ts';

/** Throws trust.not-a-ceremony, with the rule that it breaks. */
export async function readCeremony(files: Files, path: string): Promise<Ceremony> {
  const unfit = (detail: string, cause?: unknown) =>
    trustFault('trust.not-a-ceremony', { where: path, detail: printable(detail).slice(0, 1000), cause });
  let bytes: Uint8Array | undefined;
  try {
    if ((await files.look(path))?.kind === 'other') throw unfit('It is no plain file.');
    bytes = await readIfThere(files, path, CEREMONY_SIZE_LIMIT);
  } catch (cause) {
    if (!/^E[A-Z0-9]+$/.test(errorCode(cause))) throw cause;
    throw unfit(`Reading it failed: ${errorCode(cause)}.`, cause);
  }
  if (bytes === undefined) throw unfit('It does not exist.');
  const ceremony = parseCeremony(bytes);
  if (typeof ceremony === 'string') throw unfit(ceremony);
  return ceremony;
}

/** One rename decides: after a crash the file is what it was, or what it was to be. */
export async function writeCeremony(files: Files, path: string, ceremony: Ceremony, isNew = false): Promise<void> {
  try {
    await writeDurably(files, path, encodeCeremony(ceremony), isNew ? { exclusive: true } : {});
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw trustFault('trust.draft-exists', { where: path, cause: error });
    throw error;
  }
}

/** What this machine says of itself. Interfaces with an address count as a network, whatever lies behind them. */
export function machineFacts(version: string): Machine {
  const said = (text: string, limit = 500): string => printable(text).slice(0, limit) || 'unknown';
  const network = Object.entries(networkInterfaces())
    .filter(([, addresses]) => (addresses ?? []).some(({ internal }) => !internal))
    .map(([name]) => said(name, 64));
  return {
    name: said(hostname()),
    system: said(`${systemType()} ${release()}, Sallyport ${version}`),
    module: said(opensslModule().name),
    network: [...network].sort().slice(0, 64),
  };
}

/**
 * Takes the root of a ceremony into a side's chain, as `trust accept` does, with the transcript in the same entry of the
 * ledger: there is never a root of a ceremony whose transcript the ledger has not. One that was aborted leaves an entry
 * and no root. Refused where too few attested.
 */
export async function recordCeremony(
  files: Files,
  home: Place,
  path: string,
  ceremony: Ceremony,
  options: AcceptOptions,
): Promise<Acceptance | { readonly verdict: 'recorded'; readonly ledger: { size: number; root: string } }> {
  const { root } = ceremony.draft;
  const missing = endOf(ceremony) === undefined ? ['it has not ended'] : unattested(ceremony);
  if (missing.length > 0) {
    const shown = { path, version: root.version, fingerprint: root.fingerprint };
    const reason = {
      code: 'trust.ceremony-unattested',
      where: `ceremony ${ceremony.id}`,
      detail: `${missing.join('; ')}.`,
    };
    return { verdict: 'refused', reasons: [reason], root: shown, custody: root.custody };
  }
  const subject = { name: `ceremony.${ceremony.id}`, digest: { sha256: transcriptDigest(ceremony) } };
  const { holders, witnesses } = attestedBy(ceremony);
  const record = {
    id: ceremony.id,
    ended: endOf(ceremony) ?? '',
    attested: [...holders, ...witnesses],
    transcript: encodeBase64(attestedTranscript(ceremony)),
  };
  if (endOf(ceremony) === 'closed') {
    return acceptDraft(files, home, { path, draft: ceremony.draft }, { ...options, ceremony: { subject, record } });
  }
  const ledger: LedgerAppender = await options.ledger();
  const { size, root: head } = await ledger.append({
    predicateType: 'sallyport/ceremony-aborted/v1',
    subject: [subject],
    predicate: { site: root.site, version: root.version, time: instantOf(options.now), ...record },
  });
  return { verdict: 'recorded', ledger: { size, root: head } };
}
