import { type Instant, isInstant, type JsonObject, type Reason } from '#kernel';
import { reason } from './faults.ts';

export const MEDIUM_PREDICATE = 'sallyport/medium/v1';
export const mediumEvents = ['registered', 'issued', 'returned', 'lost', 'destroyed'] as const;
export type MediumEvent = (typeof mediumEvents)[number];

/** A medium as the ledger knows it. */
export interface Medium {
  /** As it stands on it; compared byte for byte. */
  readonly serial: string;
  readonly state: MediumEvent;
  /** Who has it while it is issued. */
  readonly to: string;
  readonly due: Instant | '';
  /** Entry of the ledger that says so. */
  readonly entry: number;
  readonly at: string;
}

export function isSerial(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);
}

/** What may follow what: a medium that is gone stays gone. */
const NEXT: Readonly<Record<MediumEvent | 'unknown', readonly MediumEvent[]>> = {
  unknown: ['registered'],
  registered: ['issued', 'lost', 'destroyed'],
  issued: ['returned', 'lost', 'destroyed'],
  returned: ['issued', 'lost', 'destroyed'],
  lost: [],
  destroyed: [],
};

export function mayFollow(medium: Medium | undefined, event: MediumEvent): boolean {
  return NEXT[medium?.state ?? 'unknown'].includes(event);
}

/** Folds statements about media, in the order of the ledger. What is not of the form is passed over. */
export class MediaRegister {
  readonly #media = new Map<string, Medium>();

  add(entry: number, predicate: JsonObject): void {
    const { serial, event, to, due, at } = predicate;
    const known = mediumEvents.find((one) => one === event);
    if (typeof serial !== 'string' || known === undefined || typeof at !== 'string') return;
    const before = this.#media.get(serial);
    if (!mayFollow(before, known)) return;
    this.#media.set(serial, {
      serial,
      state: known,
      to: known === 'issued' && typeof to === 'string' ? to : '',
      due: known === 'issued' && isInstant(due) ? due : '',
      entry,
      at,
    });
  }

  get(serial: string): Medium | undefined {
    return this.#media.get(serial);
  }

  all(): readonly Medium[] {
    return [...this.#media.values()].sort((a, b) => (a.serial < b.serial ? -1 : 1));
  }

  /** What stands against taking something in from a medium with this serial. */
  judge(serial: string): Reason[] {
    const medium = this.#media.get(serial);
    if (medium === undefined)
      return [reason('custody.unregistered', serial, 'The ledger of this side has no entry about it.')];
    if (medium.state !== 'lost' && medium.state !== 'destroyed') return [];
    return [
      reason('custody.gone', serial, `It was recorded as ${medium.state} at ${medium.at}, entry ${medium.entry}.`),
    ];
  }

  /** Media that are out for longer than they may be. `now` in milliseconds. */
  overdue(now: number): Reason[] {
    return this.all()
      .filter(({ state, due }) => state === 'issued' && due !== '' && Date.parse(due) < now)
      .map(({ serial, to, due }) =>
        reason('custody.overdue', serial, `${to === '' ? 'Somebody' : to} has it; it was due at ${due}.`),
      );
  }
}
