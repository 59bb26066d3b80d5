import type { Digest } from '#kernel';
import type { Database } from '#store';
import { admitFault } from './faults.ts';

/** Hex digits that a name of a bundle needs at least. */
const LEAST = 4;

/** The one index that `name` means: `sha256:` and the first hex digits of it, or the digits alone. */
export function namedBundle<One>(
  all: readonly One[],
  name: string,
  indexOf: (one: One) => Digest,
): { readonly one: One } | { readonly count: number } {
  const wanted = name.startsWith('sha256:') ? name : `sha256:${name}`;
  const found = wanted.length < 'sha256:'.length + LEAST ? [] : all.filter((one) => indexOf(one).startsWith(wanted));
  const [one] = found;
  return one !== undefined && found.length === 1 ? { one } : { count: found.length };
}

/** The admitted bundle of this name. Throws admit.not-admitted. */
export function admittedBundle(
  database: Database | undefined,
  name: string,
  where: string,
): ReturnType<Database['admitted']>[number] {
  const found = namedBundle(database?.admitted() ?? [], name, ({ bundle }) => bundle);
  if ('one' in found) return found.one;
  throw admitFault('admit.not-admitted', { where, detail: found.count > 1 ? `${found.count} begin with it.` : '' });
}
