import { basename } from 'node:path';
import type { RandomBytes, Schemas } from '#formats';
import type { Clock, Files, Reason } from '#kernel';
import { judgeTarFile, judgeZip, PLAIN } from './archive.ts';
import { type Answer, Examination } from './examination.ts';
import { gateFault } from './faults.ts';
import { judgeCrate } from './kinds/crate.ts';
import { judgeDeb } from './kinds/deb.ts';
import { judgeGoModule } from './kinds/gomod.ts';
import { judgeChart } from './kinds/helm.ts';
import { judgeJson } from './kinds/json.ts';
import { judgeMaven } from './kinds/maven.ts';
import { judgeMedium, judgeRawMedium } from './kinds/medium.ts';
import { judgeNpm } from './kinds/npm.ts';
import { judgeLayout } from './kinds/oci.ts';
import { judgeWheel } from './kinds/wheel.ts';
import { containerOf, MAGIC_BYTES } from './magic.ts';
import { openFile } from './opened.ts';
import type { ExamineKind } from './operations.ts';
import { recognise } from './recognise.ts';

export interface Examined {
  readonly verdict: Answer;
  readonly as: ExamineKind | 'unknown';
  readonly reasons: readonly Reason[];
}

const FOLDERS: ReadonlySet<ExamineKind> = new Set(['oci', 'medium']);

/**
 * Judges a file or folder as the inner door would. It reads and nothing else: no file is written, no link followed, no
 * program started. A JSON document must also fit `schemas` where they are given. Throws examine.not-there and examine.read.
 */
export async function examinePath(
  path: string,
  as: ExamineKind | undefined,
  world: { readonly files: Files; readonly clock: Clock; readonly signal: AbortSignal },
  schemas?: Schemas,
): Promise<Examined> {
  const { files } = world;
  const look = await files.look(path);
  if (look === undefined) throw gateFault('examine.not-there', { where: path });
  const examination = new Examination(world.clock, world.signal);
  const answer = (kind: ExamineKind | 'unknown'): Examined => ({
    verdict: examination.answer,
    as: kind,
    reasons: examination.reasons,
  });
  if (look.kind === 'link') {
    examination.found('examine.link', '', 'It is a link, and links are not followed. Name what it leads to.');
    return answer(as ?? 'unknown');
  }
  if (look.kind === 'other' && !look.block) {
    examination.found('examine.special', '', 'It is a device, a FIFO or a socket.');
    return answer(as ?? 'unknown');
  }
  if (look.kind === 'folder') {
    const kind = as ?? ((await files.look(`${path}/oci-layout`)) === undefined ? 'medium' : 'oci');
    if (!FOLDERS.has(kind)) examination.found('examine.wrong-kind', '', 'It is a folder.');
    else await examination.whole(() => (kind === 'oci' ? judgeLayout : judgeMedium)(path, files, examination));
    return answer(kind);
  }
  if (as === 'oci' || (look.block && as !== undefined && as !== 'medium')) {
    examination.found('examine.wrong-kind', '', look.block ? 'It is a block device.' : 'It is a file.');
    return answer(as);
  }
  const file = await openFile(files, path);
  try {
    examination.size = file.size;
    if (file.size === 0) {
      examination.found('examine.empty', '', 'It has no bytes.');
      return answer(as ?? 'unknown');
    }
    let kind: ExamineKind | 'unknown' = as ?? (look.block ? 'medium' : 'unknown');
    await examination.whole(async () => {
      if (kind === 'medium') {
        const unknown = await judgeRawMedium(file, examination);
        if (unknown === undefined) return;
        if (look.block) examination.refused(unknown);
        else examination.found('examine.wrong-kind', '', 'It is a file, and no image of a medium.');
        return;
      }
      if (kind === 'unknown') kind = await recognise(file, basename(path), examination);
      if (kind === 'unknown') await tellUnknown(file, examination);
      else await judgeFile(kind, file, basename(path), examination, schemas);
    });
    return answer(kind);
  } finally {
    await file.close();
  }
}

/** Why a file of no known kind is refused. */
export async function tellUnknown(file: RandomBytes, examination: Examination): Promise<void> {
  const start = Buffer.alloc(Math.min(MAGIC_BYTES, file.size));
  const container = containerOf(start.subarray(0, await file.read(start, 0)));
  if (container?.kind === 'unreadable') {
    examination.found('examine.unreadable', '', `It is compressed with ${container.label}, which is not read here.`);
  } else examination.found('examine.unknown-kind', '', 'Neither its first bytes nor its name say what it is.');
}

/** Judges a file as one kind. Folders have their own ways. */
export async function judgeFile(
  kind: ExamineKind,
  file: RandomBytes,
  name: string,
  examination: Examination,
  schemas?: Schemas,
): Promise<void> {
  switch (kind) {
    case 'tar':
      if (!(await judgeTarFile(file, examination, PLAIN, () => undefined))) {
        examination.found('examine.wrong-kind', '', 'It is no tar archive, plain or compressed with gzip or zstd.');
      }
      return;
    case 'zip':
      return judgeZip(file, examination, PLAIN);
    case 'json':
      return judgeJson(file, examination, schemas);
    case 'npm':
      return judgeNpm(file, examination);
    case 'crate':
      return judgeCrate(file, examination);
    case 'helm':
      return judgeChart(file, examination);
    case 'wheel':
      return judgeWheel(file, name, examination);
    case 'gomod':
      return judgeGoModule(file, examination);
    case 'maven':
      return judgeMaven(file, examination);
    case 'deb':
      return judgeDeb(file, examination);
    case 'oci':
    case 'medium':
      throw new TypeError(`${kind} is a folder`);
  }
}
