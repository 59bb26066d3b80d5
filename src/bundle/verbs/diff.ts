import { resolve } from 'node:path';
import type { z } from 'zod';
import { type Implementation, isFault, type LockRow, printable, type Reason, type World } from '#kernel';
import { parseLock, rowKey } from '#project';
import { reason } from '../faults.ts';
import { openMedium } from '../medium.ts';
import type { diffInput, diffOutput, DiffRow } from '../operations.ts';
import { readBundle } from '../reader.ts';
import { type SealSummary, summaryOf } from '../summary.ts';
import { showReasons } from './show-reasons.ts';

interface Side {
  readonly summary?: SealSummary;
  readonly rows: readonly LockRow[];
  readonly reasons: readonly Reason[];
}

export const diff: Implementation<z.infer<typeof diffInput>, z.infer<typeof diffOutput>> = {
  async run(input, world) {
    const from = await read(input.from, world);
    const to = await read(input.to, world);
    const reasons = [...from.reasons, ...to.reasons];
    const summaries = {
      ...(from.summary === undefined ? {} : { from: from.summary }),
      ...(to.summary === undefined ? {} : { to: to.summary }),
    };
    if (reasons.length > 0) {
      return { verdict: 'refused', reasons, ...summaries, added: [], removed: [], changed: [] };
    }
    const before = new Map(from.rows.map((row) => [rowKey(row), shown(row)]));
    const added: DiffRow[] = [];
    const changed: { from: DiffRow; to: DiffRow }[] = [];
    for (const row of to.rows) {
      const key = rowKey(row);
      const old = before.get(key);
      before.delete(key);
      const now = shown(row);
      if (old === undefined) added.push(now);
      else if (old.value !== now.value) changed.push({ from: old, to: now });
    }
    const removed = [...before.values()];
    const same = added.length === 0 && removed.length === 0 && changed.length === 0;
    return { verdict: same ? 'same' : 'differs', reasons: [], ...summaries, added, removed, changed };
  },
  exit: ({ verdict }) => (verdict === 'same' ? 0 : 1),
  show(output, style) {
    if (output.verdict === 'refused') return showReasons('refused', output.reasons, style);
    const name = (row: DiffRow): string =>
      [row.row === 'artifact' ? '' : row.row, row.ecosystem, row.name, row.version, row.file]
        .filter((part) => part !== '')
        .map(printable)
        .join(' ');
    return [
      ...output.added.map((row) => style.good(`+ ${name(row)}`)),
      ...output.removed.map((row) => style.bad(`- ${name(row)}`)),
      ...output.changed.map(({ to }) => style.warn(`~ ${name(to)}`)),
      `${output.added.length} added, ${output.removed.length} removed, ${output.changed.length} changed`,
    ].join('\n');
  },
};

async function read(path: string, world: World): Promise<Side> {
  const medium = await openMedium(world, resolve(world.cwd, path));
  try {
    const { reasons, head, lock } = await readBundle(medium, {}, { until: 'lock', signal: world.signal });
    const summary = head === undefined ? {} : { summary: summaryOf(head.seal) };
    const named = reasons.map((one) => ({ ...one, where: `${printable(path)} ${one.where}`.trimEnd() }));
    if (reasons.length > 0 || lock === undefined) return { ...summary, rows: [], reasons: named };
    return { ...summary, rows: parseLock(lock, `${path} sallyport.lock`).rows, reasons: [] };
  } catch (error) {
    if (!isFault(error) || !error.code.startsWith('lock.')) throw error;
    return { rows: [], reasons: [reason('bundle.lock', error.where, error.message)] };
  } finally {
    await medium.close();
  }
}

function shown(row: LockRow): DiffRow {
  if (row.row === 'input') {
    const { ecosystem, path, digest, size } = row;
    return { row: 'input', ecosystem, authority: '', name: path, version: '', file: '', value: digest, size };
  }
  const { ecosystem, authority, name, version, file } = row;
  if (row.row === 'pointer') {
    return { row: 'pointer', ecosystem, authority, name, version: row.pointer, file, value: row.value, size: 0 };
  }
  return { row: row.row, ecosystem, authority, name, version, file, value: row.digest, size: row.size };
}
