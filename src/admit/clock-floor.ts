import { parseStrictJson } from '#formats';
import { type Files, type Home, type Instant, isInstant, isObject } from '#kernel';
import type { Ledger } from '#ledger';
import { readIfThere, writeDurably } from '#system';
import { admitFault } from './faults.ts';
import type { Inside } from './arrival.ts';

export const FLOOR_RESET_PREDICATE = 'sallyport/floor-reset/v1';

/** A floor that the holders of the root set anew: what was admitted before `index` moves it no more. */
export interface FloorReset {
  /** Of the entry in the ledger of this side. */
  readonly index: number;
  readonly floor: Instant;
}

/** The latest sealed time that was ever admitted: time was at least that late, whatever the clock says. */
export function clockFloor(inside: Pick<Inside, 'admitted'>, reset: FloorReset | undefined): number {
  const start = reset === undefined ? 0 : Date.parse(reset.floor);
  return inside
    .admitted()
    .filter(({ ledgerIndex }) => reset === undefined || ledgerIndex > reset.index)
    .reduce((latest, { sealed }) => Math.max(latest, Date.parse(sealed)), start);
}

function placeOf(home: Home): string {
  return `${home.path}/floor.json`;
}

/**
 * The reset that holds. The file only says where in the ledger it stands: without an entry there it is nothing, and
 * where the file is lost the floor is the higher one again.
 */
export async function readFloorReset(
  files: Files,
  home: Home,
  ledger: Pick<Ledger, 'records' | 'size'>,
): Promise<FloorReset | undefined> {
  const bytes = await readIfThere(files, placeOf(home), 4096);
  if (bytes === undefined) return undefined;
  const parsed = parseStrictJson(bytes);
  const index = parsed.ok && isObject(parsed.value) ? parsed.value['entry'] : undefined;
  if (typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < ledger.size) {
    for await (const { type, happening } of ledger.records(index)) {
      const floor = happening?.predicate['floor'];
      if (type === FLOOR_RESET_PREDICATE && typeof floor === 'string' && isInstant(floor)) return { index, floor };
      break;
    }
  }
  throw admitFault('admit.floor', { where: placeOf(home) });
}

/** After the entry in the ledger is durable. */
export async function writeFloorReset(files: Files, home: Home, { index }: FloorReset): Promise<void> {
  await writeDurably(files, placeOf(home), `${JSON.stringify({ entry: index })}\n`);
}
