import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject } from '#kernel';
import { lockedFiles, type Served } from '../locked-files.ts';
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
    const notAsked = value.files.filter(({ row, served }) => row === 'artifact' && !served).length;
    const rest = notAsked === 0 ? '' : `; nobody here asked for ${notAsked} (other targets, optional)`;
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
  const served = new Map<string, Served>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const { digest, sent } = JSON.parse(line) as { digest: string; sent: number };
    const before = served.get(digest);
    served.set(digest, { answers: (before?.answers ?? 0) + 1, bytes: (before?.bytes ?? 0) + sent });
  }
  const locked = lockedDigests(crossed.lock);
  // Documents are what answers are made from; only artifacts go out as they are.
  const artifacts = new Set<string>();
  for (const row of crossed.lock.rows) if (row.row === 'artifact') artifacts.add(row.digest);
  return {
    locked: artifacts.size,
    served: [...served.keys()].filter((digest) => artifacts.has(digest)).length,
    bytes: [...served.values()].reduce((sum, { bytes: sent }) => sum + sent, 0),
    foreign: [...served.keys()].filter((digest) => !locked.has(digest)),
    files: lockedFiles(crossed.lock.rows, served, {
      targets: targetsHere(crossed),
      optional: await optionalPackages(place, crossed),
    }),
  };
}

function targetsHere({ project }: Crossed): ReadonlySet<string> {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  return new Set(
    project.targets.filter((target) => target.os === 'linux' && target.arch === arch).map(({ name }) => name),
  );
}

/** Packages that npm's lockfiles call optional, as `npm NAME VERSION`. */
async function optionalPackages(place: Place, { project }: Crossed): Promise<ReadonlySet<string>> {
  const optional = new Set<string>();
  for (const { ecosystem, value } of project.inputs) {
    if (ecosystem !== 'npm' || typeof value !== 'string') continue;
    const document: unknown = JSON.parse(await readFile(join(place.folder, value), 'utf8').catch(() => 'null'));
    const packages = isObject(document) ? document['packages'] : undefined;
    if (!isObject(packages)) continue;
    for (const [path, entry] of Object.entries(packages)) {
      if (!isObject(entry) || (entry['optional'] !== true && entry['devOptional'] !== true)) continue;
      const name = typeof entry['name'] === 'string' ? entry['name'] : path.split('node_modules/').at(-1);
      optional.add(`npm ${name} ${String(entry['version'])}`);
    }
  }
  return optional;
}
