import { describeIdentity, type LockRow, printable } from '#kernel';
import type { LockedFile } from './report.ts';

/** What the depot sent of one content. */
export interface Served {
  readonly answers: number;
  readonly bytes: number;
}

export interface LockedFilesOptions {
  /** Names of the targets that this machine is. */
  readonly targets: ReadonlySet<string>;
  /** Content that clients may do without, as `ecosystem name version`. */
  readonly optional: ReadonlySet<string>;
}

/** Every file that the lock names, and whether the depot served it, by digest; where it did not, why. */
export function lockedFiles(
  rows: readonly LockRow[],
  served: ReadonlyMap<string, Served>,
  options: LockedFilesOptions,
): LockedFile[] {
  return rows.flatMap((row) => {
    if (row.row !== 'artifact' && row.row !== 'document') return [];
    const sent = served.get(row.digest);
    const targets = row.row === 'document' || row.targets === 'any' ? 'any' : row.targets.join(' ');
    const why = (): LockedFile['why'] => {
      if (sent !== undefined) return '';
      if (row.row === 'document') return 'answers-made-from-it';
      if (row.targets !== 'any' && !row.targets.some((name) => options.targets.has(name))) return 'other-target';
      if (options.optional.has(`${row.ecosystem} ${row.name} ${row.version}`)) return 'optional';
      return 'not-asked';
    };
    return [
      {
        artifact: printable(describeIdentity(row)),
        ecosystem: row.ecosystem,
        row: row.row,
        digest: row.digest,
        size: row.size,
        targets,
        served: sent !== undefined,
        answers: sent?.answers ?? 0,
        bytes: sent?.bytes ?? 0,
        why: why(),
      },
    ];
  });
}
