import { sourceOf } from '#formats';
import { type ArtifactRow, type Clock, describeIdentity, type Files, printable, type Reason } from '#kernel';
import { isCompression, judgeContainer, PLAIN } from './archive.ts';
import { DROPPED, Examination } from './examination.ts';
import { judgeFile, tellUnknown } from './examine.ts';
import { type ImagePart, judgeImages } from './kinds/oci.ts';
import { doorBounds } from './limits.ts';
import { containerOf, MAGIC_BYTES, promisesArchive } from './magic.ts';
import { type OpenedFile, openFile } from './opened.ts';
import { recognise } from './recognise.ts';

/** Raised with every rule that refuses more than before: what was examined under an older one is examined again. */
export const RULES = 1;
/** Contents that are examined side by side; expanding runs on threads of its own. */
const LANES = 2;

/** An artifact whose bytes lie in a file, and are what its digest says. */
export interface Arrived {
  readonly row: ArtifactRow;
  readonly path: string;
}

/** What was examined before under the rules of today, and found without fault. `as` says all that the answer rests on. */
export interface Remembered {
  has(digest: string, as: string): boolean;
}

export interface Judgement {
  /** Contents that were opened. */
  readonly examined: number;
  readonly refused: readonly Reason[];
  /** What clients leave out when they unpack: neutralised. */
  readonly dropped: readonly Reason[];
  readonly noted: readonly Reason[];
  /** What was found without fault, to be remembered once it is inside. */
  readonly clean: readonly { readonly digest: string; readonly as: string }[];
}

type World = { readonly files: Files; readonly clock: Clock; readonly signal: AbortSignal };

/** `image`: judged with its manifest. `archive`: what it is shows when it is opened. Undefined: nobody unpacks it. */
type DoorKind = 'npm' | 'wheel' | 'image' | 'archive';

/** What clients of its ecosystem do with a file, and so what it is judged as. */
function kindOf({ ecosystem, file }: ArtifactRow): DoorKind | undefined {
  switch (ecosystem) {
    case 'npm':
      return 'npm';
    case 'oci':
      return 'image';
    case 'pypi':
      // Beside a wheel lies its metadata file, which is text (PEP 658).
      return /\.metadata$/i.test(file) ? undefined : /\.whl$/i.test(file) ? 'wheel' : 'archive';
    default:
      return promisesArchive(file) || /\.pom$/i.test(file) ? 'archive' : undefined;
  }
}

/** Whether a client of its ecosystem unpacks it, so that it is examined. */
export function isOpened(row: ArtifactRow): boolean {
  return kindOf(row) !== undefined;
}

/**
 * Examines what came in by the rules of `examine`: packages and archives one by one, images as a whole. Contents of no
 * kind that a client unpacks are not opened. Wrong bytes are an answer; disks that do not read are Faults.
 */
export async function examineArrivals(
  arrived: readonly Arrived[],
  world: World,
  noted: ReadonlySet<string>,
  before: Remembered,
): Promise<Judgement> {
  const jobs = new Map<string, () => Promise<Examination>>();
  const names = new Map<string, string>();
  const images: Arrived[] = [];
  const clean: { digest: string; as: string }[] = [];
  for (const one of arrived) {
    const { row, path } = one;
    const kind = kindOf(row);
    if (kind === 'image') images.push(one);
    if (kind === undefined || kind === 'image') continue;
    // The name of a file is part of what a wheel, or an archive by its name, is judged by.
    const as = kind === 'npm' ? kind : `${kind} ${row.file}`;
    const key = `${row.digest} ${as}`;
    if (jobs.has(key) || before.has(row.digest, as)) continue;
    names.set(key, shown(row));
    jobs.set(key, async () => {
      const examination = new Examination(world.clock, world.signal, doorBounds(row.size, noted));
      await examineFile(kind, row.file, path, world.files, examination);
      if (examination.findings === 0) clean.push({ digest: row.digest, as });
      return examination;
    });
  }
  if (images.length > 0) {
    jobs.set('', async () => {
      const parts = partsOf(images);
      const bytes = parts.reduce((sum, { size }) => sum + size, 0);
      const examination = new Examination(world.clock, world.signal, doorBounds(bytes, noted));
      const layers = {
        has: (digest: string, as: string) => before.has(digest, as),
        add: (digest: string, as: string) => void clean.push({ digest, as }),
      };
      await examination.whole(() => judgeImages(parts, world.files, examination, layers));
      return examination;
    });
  }

  const found = new Map<string, Examination>();
  const waiting = [...jobs];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      world.signal.throwIfAborted();
      found.set(next[0], await next[1]());
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane));
  for (const one of lanes) if (one.status === 'rejected') throw one.reason;

  const refused: Reason[] = [];
  const dropped: Reason[] = [];
  const notes: Reason[] = [];
  for (const key of jobs.keys()) {
    const examination = found.get(key);
    if (examination === undefined) continue;
    const named = (reason: Reason): Reason => ({
      ...reason,
      where: key === '' ? ofImage(reason.where, images) : join(names.get(key) ?? '', reason.where),
    });
    for (const reason of examination.reasons) (DROPPED.has(reason.code) ? dropped : refused).push(named(reason));
    notes.push(...examination.notes.map(named));
  }
  return { examined: jobs.size - (images.length > 0 ? 1 : 0) + images.length, refused, dropped, noted: notes, clean };
}

async function examineFile(
  kind: 'npm' | 'wheel' | 'archive',
  name: string,
  path: string,
  files: Files,
  examination: Examination,
): Promise<void> {
  const file = await openFile(files, path);
  try {
    examination.size = file.size;
    if (file.size === 0) examination.found('examine.empty', '', 'It has no bytes.');
    else await examination.whole(() => (kind === 'archive' ? examineArchive : judgeAs(kind))(file, name, examination));
  } finally {
    await file.close();
  }
}

const judgeAs =
  (kind: 'npm' | 'wheel') =>
  (file: OpenedFile, name: string, examination: Examination): Promise<void> =>
    judgeFile(kind, file, name, examination);

/** A file whose name promises an archive. One that is compressed and no archive is expanded, for its checksum. */
async function examineArchive(file: OpenedFile, name: string, examination: Examination): Promise<void> {
  const start = await sourceOf(file).peek(MAGIC_BYTES);
  const compressed = isCompression(containerOf(start)?.kind);
  if (compressed && /\.(?:gz|zst|xz)$/i.test(name) && !/\.tar\.(?:gz|zst|xz)$/i.test(name)) {
    await judgeContainer(sourceOf(file), examination, PLAIN, { where: '', nesting: 1 });
    return;
  }
  const kind = await recognise(file, name, examination);
  if (kind === 'unknown' || kind === 'json') await tellUnknown(file, examination);
  else await judgeFile(kind, file, name, examination);
}

function partsOf(images: readonly Arrived[]): readonly ImagePart[] {
  const parts = new Map<string, ImagePart>();
  for (const { row, path } of images) {
    const { version: digest, size } = row;
    const mediaType = row.facts['mediaType'] ?? row.media;
    const document = row.facts['kind'] === 'manifest' || row.facts['kind'] === 'index';
    const key = `${digest} ${mediaType}`;
    if (!parts.has(key)) parts.set(key, { digest, mediaType, document, path, size });
  }
  return [...parts.values()];
}

function shown(row: ArtifactRow): string {
  return printable(describeIdentity(row)).slice(0, 200);
}

function join(artifact: string, where: string): string {
  return where === '' ? artifact : `${artifact}!${where}`;
}

/** Reasons about images begin with the digest of the document that they are about. */
function ofImage(where: string, images: readonly Arrived[]): string {
  const row = images.find(({ row: { version } }) => version !== '' && where.startsWith(version))?.row;
  return row === undefined ? join('oci', where) : join(shown(row), where.slice(row.version.length));
}
