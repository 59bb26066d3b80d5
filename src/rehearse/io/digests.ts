import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeIdentity, printable } from '#kernel';
import type { Report } from '../report.ts';
import { StepFailure } from '../story.ts';
import { type Crossed, lockedDigests } from './crossing.ts';
import type { Place } from './place.ts';
import type { Stage } from './stage.ts';

/** Size of the depot's journal, to know later what was served since. */
export async function servedSize(stage: Stage): Promise<number> {
  const look = await stage.world.files.look(join(stage.place.inside, 'served.jsonl'));
  return look?.size ?? 0;
}

/** The step that says whether what was used came from the depot. `before` is servedSize at the beginning. */
export async function tellDigests(stage: Stage, before: number): Promise<Report['artifacts'] | undefined> {
  return stage.story.step('digests', 'Every artifact that was used came from the depot', 'enclave', async () => {
    const value = await compareDigests(stage.place, stage.crossed, before);
    if (value.foreign.length > 0)
      throw new StepFailure(`The depot served what the lock does not name: ${value.foreign.join(', ')}`);
    if (value.served === 0) throw new StepFailure('The depot served nothing.');
    const rest =
      value.notAsked.length === 0 ? '' : `; nobody here asked for ${value.notAsked.length} (other targets, optional)`;
    return {
      value,
      detail: `${value.served} of ${value.locked} artifacts were served${rest}`,
      bytes: value.bytes,
    };
  });
}

async function compareDigests(
  place: Place,
  crossed: Crossed,
  before: number,
): Promise<NonNullable<Report['artifacts']>> {
  // The depot writes what it served at most 100 ms late.
  await new Promise((resolve) => setTimeout(resolve, 250));
  const bytes = await readFile(join(place.inside, 'served.jsonl'));
  // Put aside under a number meanwhile: then all of the new file is of this run.
  const text = bytes.subarray(bytes.length >= before ? before : 0).toString('utf8');
  const served = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const { digest, sent } = JSON.parse(line) as { digest: string; sent: number };
    served.set(digest, (served.get(digest) ?? 0) + sent);
  }
  const locked = lockedDigests(crossed.lock);
  // Documents are what answers are made from; only artifacts go out as they are.
  const artifacts = new Set<string>();
  for (const row of crossed.lock.rows) if (row.row === 'artifact') artifacts.add(row.digest);
  const notAsked = crossed.lock.rows.flatMap((row) =>
    row.row === 'artifact' && !served.has(row.digest)
      ? [
          {
            artifact: printable(describeIdentity(row)),
            digest: row.digest,
            targets: row.targets === 'any' ? 'any' : row.targets.join(' '),
          },
        ]
      : [],
  );
  return {
    locked: artifacts.size,
    served: [...served.keys()].filter((digest) => artifacts.has(digest)).length,
    bytes: [...served.values()].reduce((sum, size) => sum + size, 0),
    foreign: [...served.keys()].filter((digest) => !locked.has(digest)),
    notAsked,
  };
}
