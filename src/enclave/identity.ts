/**
 * As whom a confined program runs. Three kinds of numbers: the host's; those of the enclave, in whose user namespace 0
 * is the user who started us; and those of the program, in a user namespace of its own below it.
 */

/** Ids of the enclave beside its 0, as /proc/PID/uid_map has them: `count` ids from `first`. Groups alike. */
export interface IdRange {
  readonly first: number;
  readonly count: number;
}

export interface EnclaveIds {
  /** The enclave's 0 is the root of the host: no foreign program may be it. */
  readonly root: boolean;
  readonly range?: IdRange;
}

/** `owner`: the enclave's 0, for Sallyport itself. A number: this id inside, as somebody who owns nothing outside. */
export type Who = 'owner' | { readonly uid: number; readonly gid: number };

export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface Identity {
  /** Inside. */
  readonly uid: number;
  readonly gid: number;
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
  /** The same ids as the enclave has them: whose its writable folders must be. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Whether there are other ids beside its own, so that changing to them, or giving files to them, means something. */
  readonly several: boolean;
}

/** Ordinary programs. No file of the host is theirs by chance. */
export const NOBODY: Who = { uid: 1000, gid: 1000 };

/**
 * Where there is one id only, the program is 0 inside, because a runtime needs a 0 to set up; it has no capability and
 * owns outside what the user owns. Throws where the host's root has no range: then nobody else could run it.
 */
export function identityOf(ids: EnclaveIds, who: Who): Identity {
  const { range } = ids;
  const single = [{ containerID: 0, hostID: 0, size: 1 }];
  const one = { uid: 0, gid: 0, uidMappings: single, gidMappings: single, owner: { uid: 0, gid: 0 }, several: false };
  if (who === 'owner') return one;
  if (range === undefined) {
    if (ids.root) throw new Error('a foreign program cannot run as the root of the host');
    return one;
  }
  const mapping = ids.root ? apart : withOwn;
  const uid = mapping(range, who.uid);
  const gid = mapping(range, who.gid);
  return {
    ...who,
    uidMappings: uid.mappings,
    gidMappings: gid.mappings,
    owner: { uid: uid.outer, gid: gid.outer },
    several: range.count > 1,
  };
}

/** All of them are ids of the range; one that is beyond it takes its last. */
function apart({ first, count }: IdRange, id: number): { mappings: IdMapping[]; outer: number } {
  if (id < count) return { mappings: [{ containerID: 0, hostID: first, size: count }], outer: first + id };
  const last = first + count - 1;
  return {
    mappings: [
      { containerID: 0, hostID: first, size: count - 1 },
      { containerID: id, hostID: last, size: 1 },
    ],
    outer: last,
  };
}

/** The program is the user who started us, so that its files are theirs; the ids around it come from the range. */
function withOwn({ first, count }: IdRange, id: number): { mappings: IdMapping[]; outer: number } {
  const below = Math.min(id, count);
  const mappings: IdMapping[] = [];
  if (below > 0) mappings.push({ containerID: 0, hostID: first, size: below });
  mappings.push({ containerID: id, hostID: 0, size: 1 });
  if (count > below) mappings.push({ containerID: id + 1, hostID: first + below, size: count - below });
  return { mappings, outer: 0 };
}

/** Ids that no distribution hands out, and systemd keeps free (systemd.io/UIDS-GIDS): 1879048192 to 2147352575. */
const FREE = { first: 0x7000_0000, blocks: 4000 } as const;
const BLOCK = 65_536;

/**
 * Which ids of this machine the enclave takes when root starts it. `map` is /proc/self/uid_map: a machine that is itself
 * a container may have few. `turn` (a process id) keeps enclaves that run side by side apart.
 */
export function rangeFor(map: string, turn: number): IdRange | undefined {
  const present = map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , count = 0]) => ({ first, end: first + count }));
  const first = FREE.first + (turn % FREE.blocks) * BLOCK;
  const holds = (from: number, count: number): boolean =>
    present.some((one) => one.first <= from && from + count <= one.end);
  if (holds(first, BLOCK)) return { first, count: BLOCK };
  // The upper half of the largest piece: below it are the people and services of that machine.
  const [largest] = present.sort((a, b) => b.end - b.first - (a.end - a.first));
  if (largest === undefined) return undefined;
  const size = largest.end - largest.first;
  const count = Math.min(BLOCK, Math.floor(size / 2));
  return count < 2 ? undefined : { first: largest.end - count, count };
}
