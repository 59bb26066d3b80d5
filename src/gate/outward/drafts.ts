import { encodeBase64 } from '#formats';
import { type Files, type Home, isObject, type JsonObject } from '#kernel';
import {
  ADMITTED_PREDICATE,
  type LedgerRecord,
  OUTCOMES,
  readHomeLedger,
  REFUSED_PREDICATE,
  understood,
} from '#ledger';
import { readIfThere } from '#system';
import { gateFault } from '../faults.ts';
import type { ReceiptLevel, ReleaseLine } from './release-text.ts';

const LOCK_LIMIT = 64 * 1024 * 1024;
/** How many lost receipts the next one makes up for. */
const RECEIPTS = 16;
/**
 * The lines of a receipt: the checkpoint of this side's log with a proof that it continues the one of the receipt
 * before, what was seen of the logs outside, and, by level, what became of each bundle and which artifacts are here.
 */
export async function receiptLines(files: Files, home: Home, level: ReceiptLevel): Promise<ReleaseLine[]> {
  const ledger = await readHomeLedger(files, home);
  if (ledger.size === 0) throw gateFault('gate.nothing-to-release', { where: home.ledger });
  const vkey = Buffer.from((await readIfThere(files, `${home.trust}/ledger.vkey`, 4096)) ?? [])
    .toString('utf8')
    .trim();
  const lines: ReleaseLine[] = [
    ['vkey', vkey],
    ['checkpoint', encodeBase64(ledger.checkpoint)],
  ];
  const before: number[] = [];
  const seen = new Map<string, string>();
  const outcomes: LedgerRecord[] = [];
  const locks = new Set<string>();
  for await (const record of understood(ledger.records())) {
    const { type, happening } = record;
    if (type === undefined || happening === undefined) continue;
    const { predicate } = happening;
    const { kind, size } = predicate;
    if (type === 'sallyport/released/v1' && kind === 'receipt' && typeof size === 'number') before.push(size);
    const observed = predicate['observed'];
    if (isObject(observed) && typeof observed['origin'] === 'string' && typeof observed['checkpoint'] === 'string') {
      seen.set(observed['origin'], observed['checkpoint']);
    }
    if (OUTCOMES.has(type)) outcomes.push(record);
    if (type === ADMITTED_PREDICATE && typeof predicate['lock'] === 'string') locks.add(predicate['lock']);
  }
  // From each of the last receipts: any of them may have been lost on its way.
  for (const size of [...new Set(before)].sort((x, y) => x - y).slice(-RECEIPTS)) {
    if (size <= 0 || size >= ledger.size) continue;
    lines.push(['from', String(size)]);
    for (const hash of await ledger.proveConsistency(size)) lines.push(['hash', encodeBase64(hash)]);
  }
  for (const checkpoint of seen.values()) lines.push(['seen', encodeBase64(Buffer.from(checkpoint, 'utf8'))]);
  if (level === 'checkpoint') return lines;

  for (const record of outcomes) {
    const line = outcomeOf(record);
    if (line === undefined) continue;
    const { hashes } = await ledger.prove(record.index);
    lines.push(line, ['entry', encodeBase64(record.entry), ...hashes.map(encodeBase64)]);
  }
  if (level === 'verdicts') return lines;
  const artifacts = new Set<string>();
  for (const lock of [...locks].sort()) {
    const hex = lock.replace(/^sha256:/, '');
    const bytes = await readIfThere(files, `${home.store}/sha256/${hex.slice(0, 2)}/${hex}`, LOCK_LIMIT);
    for (const text of Buffer.from(bytes ?? [])
      .toString('utf8')
      .split('\n')) {
      const row = rowIn(text);
      if (row !== undefined) artifacts.add(row.join(' '));
    }
  }
  for (const row of [...artifacts].sort()) lines.push(['artifact', ...row.split(' ')]);
  return lines;
}

/** A refusal of something that names no bundle of ours says nothing to the other side. */
function outcomeOf({ index, type = '', happening }: LedgerRecord): ReleaseLine | undefined {
  const predicate: JsonObject = happening?.predicate ?? {};
  const named =
    type === REFUSED_PREDICATE ? predicate['index'] : `sha256:${happening?.subject[0]?.digest.sha256 ?? ''}`;
  const verdict = OUTCOMES.get(type);
  if (typeof named !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(named) || verdict === undefined) return undefined;
  const { channel, sequence, reasons } = predicate;
  const codes = Array.isArray(reasons)
    ? [...new Set(reasons.map((one) => (isObject(one) && typeof one['code'] === 'string' ? one['code'] : '')))]
    : [];
  return [
    'outcome',
    typeof channel === 'string' && /^[A-Za-z0-9@._/+~-]{1,214}$/.test(channel) ? channel : 'unknown',
    String(typeof sequence === 'number' ? sequence : 0),
    named,
    verdict,
    String(index),
    ...codes.filter((code) => /^[a-z]+\.[a-z0-9-]{1,64}$/.test(code)).slice(0, 16),
  ];
}

/** Identity and digest of an artifact row of a lock; a name that a line cannot hold is left out by its digest alone. */
function rowIn(text: string): string[] | undefined {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(row) || row['row'] !== 'artifact') return undefined;
  const { ecosystem, name, version, digest } = row;
  const word = (value: unknown): string =>
    typeof value === 'string' && /^[A-Za-z0-9@._/+~-]{1,214}$/.test(value) ? value : '-';
  return [word(ecosystem), word(name), word(version), String(digest)];
}

/** The records of the ledger as digests: an auditor outside asks for what they want to see by its number. */
export async function ledgerLines(files: Files, home: Home): Promise<ReleaseLine[]> {
  const ledger = await readHomeLedger(files, home);
  if (ledger.size === 0) throw gateFault('gate.nothing-to-release', { where: home.ledger });
  const vkey = Buffer.from((await readIfThere(files, `${home.trust}/ledger.vkey`, 4096)) ?? [])
    .toString('utf8')
    .trim();
  const lines: ReleaseLine[] = [
    ['vkey', vkey],
    ['checkpoint', encodeBase64(ledger.checkpoint)],
  ];
  for await (const { index, type, digest } of ledger.records()) {
    if (type !== undefined && digest !== undefined) lines.push(['record', String(index), type, digest]);
  }
  return lines;
}
