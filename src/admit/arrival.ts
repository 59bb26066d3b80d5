import { identityKey, instantOf, type LockRow, type Reason } from '#kernel';
import type { BundleHead } from '#bundle';
import type { Catalog } from '#ecosystems';
import { ecosystemOf } from '#ecosystems/list';
import type { AdmittedBundle, Database } from '#store';
import { digestOf } from '#kernel';
import type { AdmissionPolicy } from './admission-policy.ts';
import { reason } from './faults.ts';

/** What is inside already, as far as it bears on what may follow. */
export type Inside = Pick<Database, 'admitted' | 'seen' | 'highest' | 'head' | 'at' | 'pointersOf'>;

export const nothingInside: Inside = {
  admitted: () => [],
  seen: () => undefined,
  highest: () => undefined,
  head: () => undefined,
  at: () => [],
  pointersOf: () => [],
};

/**
 * How a bundle stands to its channel. `newer`: it becomes the head. `head-again`: the content of the head, whatever the
 * number. `replayed`: it was admitted before, and others after it. `overtaken`: never seen, and a later one of its
 * channel is here already: couriers overtake each other.
 */
export type Arrival = 'newer' | 'head-again' | 'replayed' | 'overtaken';

export function arrivalOf(head: BundleHead, inside: Inside): Arrival {
  const { seal } = head;
  const highest = inside.highest(seal.channel);
  if (highest === undefined) return 'newer';
  if (inside.head(seal.channel)?.lock === seal.lock) return 'head-again';
  if (seal.sequence > highest.sequence) return 'newer';
  return isSame(head, inside.at(seal.channel, seal.sequence)) ? 'replayed' : 'overtaken';
}

function isSame(head: BundleHead, admitted: readonly AdmittedBundle[]): boolean {
  const keys = new Set<string>([head.seal.index, digestOf(head.sealEnvelope)]);
  return admitted.some(({ bundle }) => keys.has(bundle));
}

/** Whether a bundle whose seal holds may come in: for this site, in time, and no number twice. Times in milliseconds. */
export function judgeArrival(
  head: BundleHead,
  inside: Inside,
  site: string,
  now: number,
  policy: AdmissionPolicy,
  floor: number,
): Reason[] {
  const { seal } = head;
  const where = 'seal.dsse.json';
  if (seal.destinations.length > 0 && !seal.destinations.includes(site)) {
    const detail = `It is for ${seal.destinations.slice(0, 8).join(', ')}; this is ${site === '' ? 'a side without a name' : site}.`;
    return [reason('admit.wrong-destination', where, detail)];
  }
  if (Date.parse(seal.sealed) > now + policy.tolerance) {
    return [reason('admit.sealed-in-future', where, `It was sealed at ${seal.sealed}; it is ${instantOf(now)} here.`)];
  }
  if (now < floor - policy.tolerance) {
    const detail = `It says ${instantOf(now)}; a bundle that is here was sealed at ${instantOf(floor)}.`;
    return [reason('admit.clock-behind', 'clock', detail)];
  }
  const arrival = arrivalOf(head, inside);
  const highest = inside.highest(seal.channel);
  if (highest === undefined || arrival === 'head-again' || arrival === 'replayed') return [];
  if (inside.at(seal.channel, seal.sequence).length > 0) {
    const detail = `Sequence ${seal.sequence} in channel ${seal.channel} is a bundle with another index.`;
    return [reason('admit.sequence-reused', where, detail)];
  }
  if (seal.sequence > highest.sequence + policy.jump) {
    const detail = `It has sequence ${seal.sequence} in channel ${seal.channel}; the highest here is ${highest.sequence}, and ${policy.jump} more is the most.`;
    return [reason('admit.sequence-jump', where, detail)];
  }
  return [];
}

const SHOWN = 20;

/**
 * What the rows of a bundle would move back: a name that moves (tag, dist-tag) and that a bundle of another channel set
 * which was sealed later; and of a bundle that was overtaken everything that a later one of its channel has otherwise.
 */
export function judgeRows(
  head: BundleHead,
  rows: readonly LockRow[],
  inside: Inside,
  catalog: Pick<Catalog, 'artifacts'> | undefined,
): Reason[] {
  const { channel } = head.seal;
  const overtaken = arrivalOf(head, inside) === 'overtaken';
  const reasons: Reason[] = [];
  for (const row of rows) {
    if (reasons.length === SHOWN) break;
    if (row.row === 'pointer') {
      const current = inside
        .pointersOf(row.ecosystem, row.authority, row.name)
        .find(({ pointer, file, version }) => pointer === row.pointer && file === row.file && version === row.version);
      if (current === undefined || current.value === row.value) continue;
      const by: AdmittedBundle | undefined = inside.seen(current.bundle);
      if (by === undefined) continue;
      const later = by.channel === channel ? overtaken : by.sealed > head.seal.sealed;
      if (!later) continue;
      reasons.push(
        reason(
          'admit.older',
          `${row.ecosystem} ${row.name} ${row.pointer}`,
          `It would move from ${current.value} back to ${row.value}: channel ${by.channel} set it with a bundle sealed at ${by.sealed}.`,
        ),
      );
    } else if (row.row === 'artifact' && overtaken) {
      const key = identityKey(row);
      const lookup = ecosystemOf(row.ecosystem)?.lookupKey(row.name) ?? row.name;
      const current = catalog
        ?.artifacts(row.ecosystem, lookup)
        .find((one) => identityKey(one) === key && inside.seen(one.bundle)?.channel === channel);
      if (current === undefined || current.digest === row.digest) continue;
      reasons.push(
        reason(
          'admit.older',
          `${row.ecosystem} ${row.name} ${row.file === '' ? row.version : row.file}`,
          `It would change from ${current.digest} back to ${row.digest}: sequence ${current.sequence} of channel ${channel} brought it.`,
        ),
      );
    }
  }
  return reasons;
}
