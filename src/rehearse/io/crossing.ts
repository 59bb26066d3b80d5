import { createPublicKey } from 'node:crypto';
import { copyFile, constants, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkLines } from '#bundle';
import { type Digest, digestOf, isDigest, type World } from '#kernel';
import { type Lock, parseLock, type Project, readProject } from '#project';
import type { Refusal } from '../report.ts';
import { StepFailure, type Story } from '../story.ts';
import type { Place } from './place.ts';
import { at, entryAt, mustRun, numberAt, runProduct, type Said, textAt } from './product.ts';

/** What has crossed, for the enclave and the report. */
export interface Crossed {
  readonly project: Project;
  readonly lock: Lock;
  readonly lockDigest: string;
  readonly bundle: { readonly path: string; readonly size: number; readonly index: string; readonly sequence: number };
  readonly check: readonly string[];
}

/** From the project's folder to the admitted bundle, each step a command of the product. Undefined where one failed. */
export async function cross(
  world: World,
  place: Place,
  story: Story,
  { unconfined, onProject }: { readonly unconfined: boolean; readonly onProject: (project: Project) => void },
): Promise<Crossed | undefined> {
  const { folder } = place;
  const file = join(folder, 'sallyport.yaml');
  const homes = ['--purpose', 'rehearsal'];

  const outside = await story.step('init-outside', 'The outside has a home, keys and a root', 'outside', async () => {
    const said = await mustRun(world, ['init', folder, '--home', place.outside, '--site', 'outside', ...homes], folder);
    const fingerprint = textAt(said.output, 'root', 'fingerprint');
    return {
      value: { root: textAt(said.output, 'root', 'path'), fingerprint },
      detail: `root ${fingerprint.slice(0, 16)}…, keys for rehearsals only`,
      command: said.command,
    };
  });
  if (outside === undefined) return undefined;
  const project = await story.step('project', 'sallyport.yaml can be read', 'outside', async () => {
    const value = await readProject(world.files, file);
    const { inputs, services, flows, requests } = value;
    const detail = `${inputs.length} inputs, ${services.length} services, ${flows.length} flows, ${requests.length} requests`;
    if (inputs.length === 0) throw new StepFailure('It names no input: there is nothing to carry.');
    return { value, detail };
  });
  if (project === undefined) return undefined;
  onProject(project);
  // Side by side, like all that follows where neither needs the other: each is a process of its own.
  const looks = lookAtBundles(world, place);
  const inside = story.step('init-inside', 'The inside has a home of its own', 'inside', async () => {
    const site = project.destinations[0] ?? 'inside';
    const said = await mustRun(world, ['init', folder, '--home', place.inside, '--site', site, ...homes], folder);
    return { value: true, detail: `site ${textAt(said.output, 'site')}`, command: said.command };
  });

  const capturing = story.step(
    'capture',
    'Everything it needs is captured, and each byte checked',
    'outside',
    async () => {
      const words = ['capture', '-f', file, '--home', place.outside, ...(unconfined ? ['--unconfined'] : [])];
      const said = await mustRun(world, words, folder);
      const { output } = said;
      const path = textAt(output, 'lock', 'path') || join(folder, 'sallyport.lock');
      const bytes = await readFile(path);
      const lock = parseLock(bytes, path);
      const fetched = numberAt(output, 'fetched', 'count');
      return {
        value: { lock, digest: digestOf(bytes) },
        detail: `${numberAt(output, 'artifacts')} artifacts, ${numberAt(output, 'documents')} documents; ${fetched} fetched, the rest was here`,
        bytes: numberAt(output, 'fetched', 'bytes'),
        digest: digestOf(bytes),
        command: said.command,
        ...entryAt(output),
      };
    },
  );
  const [ready, captured, bundles] = await together(inside, capturing, looks);
  if (ready === undefined) return undefined;
  if (captured === undefined) return undefined;

  const bundle = await sealed(world, place, story, project, captured.digest, bundles);
  if (bundle === undefined) return undefined;

  const inspecting = story.step('inspect', 'The bundle can be read before anything is trusted', 'inside', async () => {
    const said = await mustRun(world, ['inspect', bundle.path], folder);
    const detail = `${numberAt(said.output, 'bundle', 'blobs')} blobs for ${textAt(said.output, 'bundle', 'channel')}`;
    return { value: true, detail, bytes: numberAt(said.output, 'bundle', 'bytes'), command: said.command };
  });
  const pinning = story.step('pin', 'The inside pins the outside’s root, by its fingerprint', 'inside', async () => {
    const args = ['trust', 'pin', outside.root, '--fingerprint', outside.fingerprint, '--home', place.inside];
    const said = await mustRun(world, args, folder);
    return { value: true, detail: textAt(said.output, 'verdict'), command: said.command, ...entryAt(said.output) };
  });
  const [, pinned] = await together(inspecting, pinning);
  if (pinned === undefined) return undefined;
  const admitted = await story.step('admit', 'The inside admits the bundle', 'inside', async () => {
    const said = await mustRun(world, ['admit', bundle.path, '--home', place.inside], folder);
    return {
      value: true,
      detail: textAt(said.output, 'verdict'),
      bytes: bundle.size,
      digest: bundle.index,
      command: said.command,
      // What is here already may be left without an entry of this run.
      ...(at(said.output, 'ledger', 'index') === undefined ? {} : entryAt(said.output)),
    };
  });
  if (admitted === undefined) return undefined;

  const key = join(place.media, 'sealer.pem');
  const secret = await readFile(join(place.outside, 'keys', 'sealer.key'));
  await writeFile(key, createPublicKey(secret).export({ type: 'spki', format: 'pem' }));
  const check = checkLines(bundle.path, key, { index: bundle.index as Digest });
  return { project, lock: captured.lock, lockDigest: captured.digest, bundle, check };
}

/** What lies on the medium from the run before; undefined where it is not there or cannot be read. */
async function lookAtBundles(world: World, place: Place) {
  const look = async (bundle: string): Promise<Said | undefined> => {
    if ((await world.files.look(bundle)) === undefined) return undefined;
    try {
      const said = await runProduct(world, ['inspect', bundle], place.folder);
      return said.code === 0 ? said : undefined;
    } catch (error) {
      world.signal.throwIfAborted();
      // One that cannot be read is made again.
      if (error instanceof StepFailure) return undefined;
      throw error;
    }
  };
  const paths = [earlierBundle(place), overtakenBundle(place), join(place.media, 'bundle.sallyport')] as const;
  const [before, between, here] = await together(look(paths[0]), look(paths[1]), look(paths[2]));
  return { before, between, here };
}

/** Waits for all of them, also where one fails: nothing may still run when a rehearsal ends. Throws the first failure. */
export async function together<T extends readonly Promise<unknown>[]>(
  ...all: T
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const settled = await Promise.allSettled(all);
  for (const one of settled) if (one.status === 'rejected') throw one.reason;
  return settled.map((one) => (one.status === 'fulfilled' ? one.value : undefined)) as {
    -readonly [K in keyof T]: Awaited<T[K]>;
  };
}

/** The bundle of this lock: the one that is here, or a new one. Both it and an earlier one are needed. */
async function sealed(
  world: World,
  place: Place,
  story: Story,
  project: Project,
  lockDigest: string,
  { before, between, here }: Awaited<ReturnType<typeof lookAtBundles>>,
): Promise<Crossed['bundle'] | undefined> {
  const path = join(place.media, 'bundle.sallyport');
  const earlier = earlierBundle(place);
  const file = join(place.folder, 'sallyport.yaml');
  const overtaken = overtakenBundle(place);
  const number = (one: { output: Said['output'] }): number => numberAt(one.output, 'bundle', 'sequence');
  const ofChannel = (one: { output: Said['output'] }): boolean =>
    textAt(one.output, 'bundle', 'channel') === project.channel;
  const earlierUsable =
    before !== undefined &&
    between !== undefined &&
    ofChannel(before) &&
    ofChannel(between) &&
    number(before) < number(between);
  const usable =
    here !== undefined &&
    earlierUsable &&
    textAt(here.output, 'bundle', 'lock') === lockDigest &&
    number(between) < number(here);
  if (!usable) {
    const made = await story.step(
      'earlier',
      'Two earlier deliveries of the same channel: one to be overtaken, one to be refused later',
      'outside',
      async () => {
        if (earlierUsable) return { value: true, detail: 'were here', command: before.command };
        const yaml = join(place.earlier, 'sallyport.yaml');
        const deliver = async (text: string, bundle: string) => {
          await writeEarlier(place, project, text);
          await rm(bundle, { force: true });
          await mustRun(world, ['capture', '-f', yaml, '--home', place.outside], place.earlier);
          return mustRun(world, ['seal', '-o', bundle, '-f', yaml, '--home', place.outside], place.earlier);
        };
        const first = await deliver('An earlier delivery', earlier);
        const said = await deliver('A later delivery', overtaken);
        return {
          value: true,
          detail: `sequences ${number(first)} and ${number(said)}`,
          bytes: numberAt(said.output, 'size'),
          digest: textAt(said.output, 'bundle', 'index'),
          command: said.command,
          ...entryAt(said.output),
        };
      },
    );
    if (made === undefined) return undefined;
  }
  return story.step('seal', 'The lock and all it names are sealed into one signed bundle', 'outside', async () => {
    if (!usable) {
      const said = await mustRun(world, ['seal', '-o', path, '-f', file, '--home', place.outside], place.folder);
      const value = {
        path,
        size: numberAt(said.output, 'size'),
        index: textAt(said.output, 'bundle', 'index'),
        sequence: numberAt(said.output, 'bundle', 'sequence'),
      };
      const detail = `sequence ${value.sequence}, ${numberAt(said.output, 'bundle', 'blobs')} blobs`;
      return { value, detail, bytes: value.size, digest: value.index, command: said.command, ...entryAt(said.output) };
    }
    const value = {
      path,
      size: (await stat(path)).size,
      index: textAt(here.output, 'bundle', 'index'),
      sequence: numberAt(here.output, 'bundle', 'sequence'),
    };
    const detail = `the lock has not changed, so the bundle of sequence ${value.sequence} is used again`;
    return { value, detail, bytes: value.size, digest: value.index, command: here.command };
  });
}

function earlierBundle(place: Place): string {
  return join(place.media, 'earlier.sallyport');
}

/** Sealed after the earlier one and before the bundle of the project. */
function overtakenBundle(place: Place): string {
  return join(place.media, 'overtaken.sallyport');
}

/** A project of one line of text: what matters is its channel and that it is older. */
async function writeEarlier(place: Place, project: Project, text: string): Promise<void> {
  await rm(place.earlier, { recursive: true, force: true });
  await mkdir(place.earlier, { mode: 0o700 });
  await writeFile(join(place.earlier, 'note.txt'), `${text} of ${project.name}.\n`);
  // JSON is YAML too, and no name in it needs thought about quoting.
  const document = {
    sallyport: '1.0',
    name: project.name,
    channel: project.channel,
    ...(project.destinations.length === 0 ? {} : { destinations: project.destinations }),
    targets: Object.fromEntries(project.targets.map(({ name, os, arch }) => [name, { os, arch }])),
    inputs: [{ files: 'note.txt' }],
  };
  await writeFile(join(place.earlier, 'sallyport.yaml'), `${JSON.stringify(document, null, 2)}\n`);
}

/** Ledger of a side, verified whole. */
export async function verifyLedgers(world: World, place: Place, story: Story): Promise<void> {
  await Promise.all(
    (['outside', 'inside'] as const).map((side) =>
      story.step(`ledger-${side}`, `The ledger ${side} is whole`, side, async () => {
        const said = await mustRun(world, ['ledger', 'verify', join(place[side], 'ledger')], place.folder);
        return { value: true, detail: `${numberAt(said.output, 'size')} entries`, command: said.command };
      }),
    ),
  );
}

/** Largest bundle of which a damaged copy is made; beyond it the small earlier one is damaged. */
const COPY_LIMIT = 512 * 1024 * 1024;

/** Three bundles that must not pass, each given to the real `admit`. */
export async function refuse(world: World, place: Place, story: Story, crossed: Crossed): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  const earlier = earlierBundle(place);
  const attempt = async (what: string, id: string, expected: RegExp, bundle: () => Promise<string>): Promise<void> => {
    await story.step(id, `Refused: ${what}`, 'inside', async () => {
      const path = await bundle();
      const said = await runProduct(world, ['admit', path, '--home', place.inside], place.folder);
      const reasons = Array.isArray(said.output['reasons']) ? (said.output['reasons'] as unknown[]) : [];
      const codes = [...new Set(reasons.map((reason) => textAt(reason, 'code')))];
      const verdict = textAt(said.output, 'verdict');
      const detail = textAt(reasons[0], 'detail') || verdict;
      const refused = said.code === 1 && verdict === 'refused';
      refusals.push({ what, bundle: path, refused, codes, detail, ...entryAt(said.output) });
      if (!refused) throw new StepFailure(`It was not refused: ${verdict}.`);
      if (!codes.some((code) => expected.test(code))) {
        throw new StepFailure(
          `It was refused for another reason than the one shown here: ${codes.join(', ')}: ${detail}`,
        );
      }
      return { value: true, detail: `${codes.join(', ')}: ${detail}`, command: said.command, ...entryAt(said.output) };
    });
  };

  await attempt('a bundle in which one bit is flipped', 'refuse-flipped', /^(bundle|trust)\./, async () => {
    const whole = crossed.bundle.size <= COPY_LIMIT ? crossed.bundle.path : earlier;
    const path = join(place.work, 'flipped.sallyport');
    await copyFile(whole, path, constants.COPYFILE_FICLONE);
    const file = await open(path, 'r+');
    try {
      const position = Math.floor((await file.stat()).size / 2);
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, position);
      byte[0] = (byte[0] ?? 0) ^ 0x10;
      await file.write(byte, 0, 1, position);
    } finally {
      await file.close();
    }
    return path;
  });
  await attempt('a bundle that is sealed with a foreign key', 'refuse-stranger', /^trust\./, async () => {
    const path = join(place.media, 'stranger.sallyport');
    // One that an earlier version of the product wrote may be refused for its form alone, which would show nothing.
    if ((await world.files.look(path)) !== undefined) {
      const said = await runProduct(world, ['inspect', path], place.folder);
      if (said.code === 0) return path;
    }
    const args = ['init', place.folder, '--home', place.stranger, '--site', 'stranger', '--purpose', 'rehearsal'];
    await mustRun(world, args, place.folder);
    const yaml = join(place.earlier, 'sallyport.yaml');
    if ((await world.files.look(yaml)) === undefined) await writeEarlier(place, crossed.project, 'An earlier delivery');
    await mustRun(world, ['capture', '-f', yaml, '--home', place.stranger], place.earlier);
    const temporary = `${path}.new`;
    await rm(temporary, { force: true });
    await mustRun(world, ['seal', '-o', temporary, '-f', yaml, '--home', place.stranger], place.earlier);
    await rename(temporary, path);
    return path;
  });
  await attempt('an older bundle, after a newer one', 'refuse-older', /^admit\.older$/, async () => {
    // Couriers overtake each other: the delivery in between comes in late and moves nothing. The one before it would.
    await mustRun(world, ['admit', overtakenBundle(place), '--home', place.inside], place.folder);
    return earlier;
  });
  return refusals;
}

/** Digests that the lock names, artifacts and documents alike. */
export function lockedDigests(lock: Lock): ReadonlySet<string> {
  const digests = new Set<string>();
  for (const row of lock.rows) {
    const digest = at(row, 'digest');
    if (isDigest(digest)) digests.add(digest);
  }
  return digests;
}
