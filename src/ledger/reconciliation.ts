import { isObject, type JsonObject, type Reason } from '#kernel';
import type { LedgerRecord } from './log-view.ts';
import { OUTCOMES, REFUSED_PREDICATE } from './outcome.ts';

/** What two ledgers say about the same bundles: what one side sealed, and what became of it on the other. */
export interface Delivery {
  readonly channel: string;
  readonly sequence: number;
  /** Numbers under which the same content was sealed before; absent where there are none. */
  readonly earlier?: readonly number[];
  /** Hex of the digest of the bundle's index. */
  readonly index: string;
  /** Entry in the low ledger; absent where it was never sealed there. */
  readonly sealed?: number;
  /** What the high ledger says, last first: entry and verdict. */
  readonly outcomes: readonly { readonly entry: number; readonly verdict: string; readonly codes: readonly string[] }[];
  /** Entry in the low ledger of a receipt that confirms it. */
  readonly confirmed?: number;
  readonly state: 'received' | 'refused' | 'held' | 'sent-unconfirmed' | 'never-sent';
}

/** A tree head of the low log that the high side saw. */
export interface ObservedHead {
  readonly entry: number;
  readonly origin: string;
  readonly size: number;
  /** Base64. */
  readonly root: string;
}

interface Event {
  readonly entry: number;
  readonly verdict: string;
  readonly codes: readonly string[];
}

interface Draft {
  channel: string;
  sequence: number;
  earlier?: number[];
  readonly index: string;
  sealed?: number;
  confirmed?: number;
  readonly outcomes: Event[];
}

/**
/**
 * Puts side by side what two logs recorded. Without the high one, what receipts said of it stands in its place, and the
 * rest is sent and unconfirmed: all that a side can know to which nothing comes back. Pure, and without any key: whether
 * the logs are what their keys signed is asked elsewhere. Refusals of what nobody sealed here (foreign media) are no
 * deliveries and are counted apart. Where the high log is there, receipts of other logs say nothing about it.
 */
export function reconcile(
  low: Iterable<LedgerRecord>,
  high?: { readonly records: Iterable<LedgerRecord>; readonly origin: string },
): { readonly deliveries: readonly Delivery[]; readonly observed: readonly ObservedHead[]; readonly foreign: number } {
  const byIndex = new Map<string, Draft>();
  const of = (index: string): Draft => {
    let draft = byIndex.get(index);
    if (draft === undefined) {
      draft = { channel: '', sequence: 0, index, outcomes: [] };
      byIndex.set(index, draft);
    }
    return draft;
  };
  for (const { index: entry, type, happening } of low) {
    if (happening === undefined) continue;
    const { predicate, subject } = happening;
    if (type === 'sallyport/sealed/v1') {
      const hex = subject[0]?.digest.sha256;
      if (hex === undefined) continue;
      const draft = of(hex);
      if (draft.sealed !== undefined) (draft.earlier ??= []).push(draft.sequence);
      Object.assign(draft, { ...numbersIn(predicate), sealed: entry });
    } else if (type === 'sallyport/receipt-seen/v1') {
      const from = predicate['high'];
      if (high !== undefined && (!isObject(from) || from['origin'] !== high.origin)) continue;
      for (const { index, verdict, codes } of list(predicate['outcomes'])) {
        const known = typeof index === 'string' ? byIndex.get(hexOf(index)) : undefined;
        if (known === undefined) continue;
        known.confirmed = entry;
        if (high === undefined) known.outcomes.unshift({ entry, verdict: String(verdict), codes: codesIn(codes) });
      }
    }
  }
  const observed: ObservedHead[] = [];
  let foreign = 0;
  for (const { index: entry, type, happening } of high?.records ?? []) {
    if (happening === undefined || type === undefined) continue;
    const { predicate, subject } = happening;
    const verdict = OUTCOMES.get(type);
    if (verdict === undefined) continue;
    const seen = predicate['observed'];
    if (isObject(seen)) {
      const { origin, size, root } = seen;
      if (typeof origin === 'string' && typeof size === 'number' && typeof root === 'string') {
        observed.push({ entry, origin, size, root });
      }
    }
    const index = type === REFUSED_PREDICATE ? predicate['index'] : subject[0]?.digest.sha256;
    if (typeof index !== 'string' || index === '') {
      foreign += 1;
      continue;
    }
    const known = byIndex.get(hexOf(index));
    // A refused bundle names what it likes: it is a delivery only where somebody sealed it.
    if (known === undefined && verdict === 'refused') {
      foreign += 1;
      continue;
    }
    const draft = known ?? of(hexOf(index));
    if (draft.sealed === undefined && verdict !== 'refused') Object.assign(draft, numbersIn(predicate));
    const codes = list(predicate['reasons']).map(({ code }) => (typeof code === 'string' ? code : ''));
    draft.outcomes.unshift({ entry, verdict, codes });
  }
  const deliveries = [...byIndex.values()].map((draft) => ({ ...draft, state: stateOf(draft) }));
  deliveries.sort((a, b) => (a.channel < b.channel ? -1 : a.channel > b.channel ? 1 : a.sequence - b.sequence));
  return { deliveries, observed, foreign };
}

function stateOf({ sealed, outcomes }: Draft): Delivery['state'] {
  if (sealed === undefined) return 'never-sent';
  if (outcomes.some(({ verdict }) => verdict === 'admitted')) return 'received';
  if (outcomes[0] === undefined) return 'sent-unconfirmed';
  return outcomes[0].verdict === 'held' ? 'held' : 'refused';
}

/** What is wrong or open about the deliveries; the codes are those of the catalogue. */
export function findingsOf(deliveries: readonly Delivery[]): Reason[] {
  const found: Reason[] = [];
  const name = ({ channel, sequence, index }: Delivery): string => `${channel} ${sequence} ${index.slice(0, 16)}`;
  const numbers = new Map<string, string>();
  for (const [channel, sealed] of Map.groupBy(
    deliveries.filter((one) => one.sealed !== undefined),
    (one) => one.channel,
  )) {
    let before = 0;
    const all = sealed.flatMap(({ sequence, earlier = [] }) => [...earlier, sequence]);
    for (const sequence of all.sort((a, b) => a - b)) {
      if (sequence > before + 1) {
        const missing = sequence === before + 2 ? `${before + 1}` : `${before + 1} to ${sequence - 1}`;
        found.push({ code: 'ledger.number-missing', where: channel, detail: `${missing} was never sealed.` });
      }
      before = sequence;
    }
  }
  for (const one of deliveries) {
    const { channel, sequence, state } = one;
    const key = `${channel}\0${sequence}`;
    const other = numbers.get(key);
    if (other !== undefined && sequence > 0) {
      found.push({ code: 'ledger.number-twice', where: name(one), detail: `${other} has it too.` });
    }
    numbers.set(key, one.index.slice(0, 16));
    if (state === 'never-sent') {
      found.push({
        code: 'ledger.never-sent',
        where: name(one),
        detail: `Entry ${one.outcomes[0]?.entry ?? 0} inside.`,
      });
    } else if (state === 'sent-unconfirmed') {
      const confirmed = one.confirmed === undefined ? '' : ' A receipt says otherwise.';
      found.push({ code: 'ledger.never-received', where: name(one), detail: `Entry ${one.sealed ?? 0}.${confirmed}` });
    } else if (state === 'refused' || state === 'held') {
      const codes = one.outcomes[0]?.codes.join(', ') ?? '';
      found.push({ code: state === 'held' ? 'ledger.held' : 'ledger.refused', where: name(one), detail: codes });
    }
  }
  return found;
}

function numbersIn(predicate: JsonObject): { channel: string; sequence: number } {
  const { channel, sequence } = predicate;
  return {
    channel: typeof channel === 'string' ? channel : '',
    sequence: typeof sequence === 'number' ? sequence : 0,
  };
}

function list(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter((one): one is JsonObject => isObject(one)) : [];
}

function codesIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

function hexOf(index: string): string {
  return index.replace(/^sha256:/, '');
}
