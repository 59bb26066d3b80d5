import { dirname, resolve } from 'node:path';
import { encodeBase64, isProblem, parseNote, statementNeedsNewer } from '#formats';
import { type Files, homeAt, type Implementation, printable, type Reason } from '#kernel';
import { CHECKPOINT_LIMIT, parseTreeHead, type TreeHead } from '../checkpoint.ts';
import { ledgerFault } from '../faults.ts';
import { isReadProblem, logReader, type LogReader } from '../io/reader.ts';
import { type LedgerRecord, nodeReader, rangeRoot, recordsOf } from '../log-view.ts';
import type { ReconcileInput, ReconcileOutput } from '../operations.ts';
import { findingsOf, type ObservedHead, reconcile } from '../reconciliation.ts';
import { readVkeyFile, vkeyPath } from '../reading.ts';
import { emptyRoot } from '../tree.ts';
import { verifyLedger, verifyUnsigned } from '../verification.ts';

/** What is open and not wrong: the other side may not have had the time. */
const OPEN = new Set(['ledger.never-received', 'ledger.held']);

export const reconcileVerb: Implementation<ReconcileInput, ReconcileOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    const low = await openSide(files, resolve(cwd, input.low));
    const high = input.high === undefined ? undefined : await openSide(files, resolve(cwd, input.high));
    const reasons: Reason[] = [...low.reasons, ...(high?.reasons ?? [])];
    // A log that is not sound says nothing: what it lacks was not "never sent".
    const sound = reasons.length === 0;
    const { deliveries, observed, foreign } = sound
      ? reconcile(low.records, high && { records: high.records, origin: high.head?.origin ?? '' })
      : { deliveries: [], observed: [], foreign: 0 };
    reasons.push(...(await judgeObserved(low, observed)), ...findingsOf(deliveries));
    const verdict =
      reasons.length === 0 ? 'reconciled' : reasons.every(({ code }) => OPEN.has(code)) ? 'open' : 'differs';
    const side = ({ folder, head, signed }: OpenedSide) => ({
      folder,
      origin: head?.origin ?? '',
      size: head?.size ?? 0,
      signed,
    });
    const sides = { low: side(low), ...(high === undefined ? {} : { high: side(high) }) };
    return { verdict, reasons, ...sides, deliveries: [...deliveries], observed: [...observed], foreign };
  },

  exit: ({ verdict }) => (verdict === 'reconciled' ? 0 : 1),

  show({ verdict, reasons, low, high, deliveries, foreign }, style) {
    const lines = [verdict === 'reconciled' ? style.good(verdict) : style.bad(verdict)];
    for (const { code, where, detail } of reasons) {
      lines.push(`  ${style.bold(code)} ${printable(where)}${detail === '' ? '' : `: ${printable(detail)}`}`);
    }
    for (const { channel, sequence, index, state, sealed, outcomes } of deliveries) {
      const inside = outcomes[0] === undefined ? '' : `, inside ${outcomes[0].entry}`;
      const outside = sealed === undefined ? '' : `, outside ${sealed}`;
      lines.push(`  ${printable(channel)} ${sequence}  ${state}  ${index.slice(0, 16)}${style.dim(outside + inside)}`);
    }
    if (foreign > 0) lines.push(`  ${foreign} refused that nobody sealed here`);
    for (const [name, side] of [
      ['low', low],
      ['high', high],
    ] as const) {
      if (side === undefined) continue;
      const by = side.signed === 'checked' ? 'signature checked' : 'signature not checked: no key is here';
      lines.push(style.dim(`  ${name}: ${printable(side.origin)}, size ${side.size}, ${by}`));
    }
    return lines.join('\n');
  },
};

interface OpenedSide {
  readonly folder: string;
  readonly reader: LogReader;
  readonly head: TreeHead | undefined;
  readonly records: readonly LedgerRecord[];
  readonly reasons: readonly Reason[];
  readonly signed: 'checked' | 'not-checked';
}

/** A log, every tile of it judged. A key is used where it lies beside the log; without one the tree alone is. */
async function openSide(files: Files, folder: string): Promise<OpenedSide> {
  const reader = logReader(files, folder);
  const bytes = await reader.file('checkpoint', CHECKPOINT_LIMIT);
  if (isReadProblem(bytes)) throw ledgerFault('ledger.missing', { where: folder, detail: bytes.detail });
  const note = parseNote(bytes);
  const head = isProblem(note) ? note : parseTreeHead(note.text);
  const vkey = await readVkeyFile(files, vkeyPath(homeAt(dirname(folder))));
  const report = vkey === undefined ? await verifyUnsigned(files, folder) : await verifyLedger(files, folder, vkey);
  const reasons: Reason[] = report.reasons.map((reason) => ({
    ...reason,
    where: `${folder} ${reason.where}`.trimEnd(),
  }));
  const records: LedgerRecord[] = [];
  const whole = reasons.length === 0;
  if (!isProblem(head) && whole) {
    for await (const record of recordsOf(reader, 0, head.size)) {
      const newer =
        record.type === undefined ? undefined : statementNeedsNewer(record.type, record.happening?.predicate);
      if (newer === undefined) records.push(record);
      else reasons.push({ code: 'ledger.needs-newer', where: `${folder} entry ${record.index}`, detail: newer });
    }
  }
  return {
    folder,
    reader,
    head: isProblem(head) ? undefined : head,
    records,
    reasons,
    signed: vkey === undefined ? 'not-checked' : 'checked',
  };
}

/** Whether the low log still is what the high side saw of it. */
async function judgeObserved(
  { head, reader, reasons }: OpenedSide,
  observed: readonly ObservedHead[],
): Promise<Reason[]> {
  if (head === undefined || reasons.length > 0) return [];
  const found: Reason[] = [];
  const node = nodeReader(reader, head.size);
  for (const { origin, size, root, entry } of observed) {
    if (origin !== head.origin) continue;
    const where = `entry ${entry} inside`;
    if (size > head.size) {
      found.push({ code: 'ledger.rewound', where, detail: `Size ${size} was seen; the log has ${head.size}.` });
      continue;
    }
    const now = encodeBase64(size === 0 ? emptyRoot() : await rangeRoot(node, { start: 0, end: size }));
    if (now !== root) {
      found.push({ code: 'ledger.forked', where, detail: `At size ${size} its root was ${root} and is ${now}.` });
    }
  }
  return found;
}
