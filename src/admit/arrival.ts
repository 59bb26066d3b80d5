import { instantOf, type LockRow, type Reason } from '#kernel';
import type { BundleHead } from '#bundle';
import type { AdmittedBundle, Database } from '#store';
import { reason } from './faults.ts';

/** How far the sealing side's clock may be ahead of ours, in milliseconds. */
export const CLOCK_TOLERANCE = 24 * 60 * 60 * 1000;

/** What is inside already, as far as it bears on what may follow. */
export type Inside = Pick<Database, 'admitted' | 'seen' | 'highest' | 'pointersOf'>;

export const nothingInside: Inside = {
  admitted: () => [],
  seen: () => undefined,
  highest: () => undefined,
  pointersOf: () => [],
};

/** The latest sealed time that was ever admitted: time was at least that late, whatever the clock says. */
export function clockFloor(inside: Inside): number {
  return inside.admitted().reduce((latest, { sealed }) => Math.max(latest, Date.parse(sealed)), 0);
}

/** Whether a bundle whose seal holds may come in: for this site, in time, and nothing moves back. */
export function judgeArrival(head: BundleHead, inside: Inside, site: string, now: number): Reason[] {
  const { seal } = head;
  const where = 'seal.dsse.json';
  if (seal.destinations.length > 0 && !seal.destinations.includes(site)) {
    const detail = `It is for ${seal.destinations.slice(0, 8).join(', ')}; this is ${site === '' ? 'a side without a name' : site}.`;
    return [reason('admit.wrong-destination', where, detail)];
  }
  if (Date.parse(seal.sealed) > now + CLOCK_TOLERANCE) {
    return [reason('admit.sealed-in-future', where, `It was sealed at ${seal.sealed}; it is ${instantOf(now)} here.`)];
  }
  const newest = inside.highest(seal.channel);
  if (newest === undefined || isHeadAgain(head, inside)) return [];
  if (seal.sequence < newest.sequence) {
    const detail = `It has sequence ${seal.sequence} in channel ${seal.channel}; ${newest.sequence} is already here.`;
    return [reason('admit.older', where, detail)];
  }
  if (seal.sequence === newest.sequence) {
    const detail = `Sequence ${seal.sequence} in channel ${seal.channel} is a bundle with another index.`;
    return [reason('admit.sequence-reused', where, detail)];
  }
  return [];
}

/** The same content as the newest bundle of its channel: admitting it moves nothing back, whatever its number. */
export function isHeadAgain({ seal }: BundleHead, inside: Inside): boolean {
  const newest = inside.highest(seal.channel);
  return newest !== undefined && newest.lock === seal.lock;
}

/** A name that moves (tag, dist-tag) was set by a bundle of another channel that was sealed later. */
export function judgePointers(head: BundleHead, rows: readonly LockRow[], inside: Inside): Reason[] {
  const reasons: Reason[] = [];
  for (const row of rows) {
    if (row.row !== 'pointer') continue;
    const current = inside
      .pointersOf(row.ecosystem, row.authority, row.name)
      .find(({ pointer, file, version }) => pointer === row.pointer && file === row.file && version === row.version);
    if (current === undefined || current.value === row.value) continue;
    const by: AdmittedBundle | undefined = inside.seen(current.bundle);
    if (by === undefined || by.channel === head.seal.channel || by.sealed <= head.seal.sealed) continue;
    reasons.push(
      reason(
        'admit.older',
        `${row.ecosystem} ${row.name} ${row.pointer}`,
        `It would move from ${current.value} back to ${row.value}: channel ${by.channel} set it with a bundle sealed at ${by.sealed}.`,
      ),
    );
    if (reasons.length === 20) break;
  }
  return reasons;
}
