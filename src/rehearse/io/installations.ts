import { mkdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ecosystemOf } from '#ecosystems/list';
import { type ImageRoot, readBeneath, unpackImage } from '#enclave';
import { type ArtifactRow, describeIdentity, type Digest, digestOf } from '#kernel';
import { StepFailure } from '../story.ts';
import type { Crossed } from './crossing.ts';
import { ending, type Stage } from './stage.ts';

const INSTALL_TIME = 10 * 60_000;
/** Bytes of the largest lockfile. */
const LOCKFILE = 256 * 1024 * 1024;

export interface Installation {
  readonly id: string;
  readonly kind: 'npm' | 'pip' | 'image' | 'file';
  /** Lockfile relative to the project, or the image's reference, or the file's name. */
  readonly input: string;
  readonly machine: string;
  readonly row?: ArtifactRow;
}

/** What is installed: inputs with a real client, each in a machine of its own, so that an attempt names its step. */
export function installationsOf(crossed: Crossed, unique: (name: string) => string): Installation[] {
  const list: Installation[] = [];
  const count = { npm: 0, pip: 0, image: 0, file: 0 };
  const add = (kind: Installation['kind'], input: string, row?: ArtifactRow): void => {
    count[kind] += 1;
    const id = `${kind}-${count[kind]}`;
    list.push({ id, kind, input, machine: unique(`install-${id}`), ...(row === undefined ? {} : { row }) });
  };
  for (const { ecosystem, value } of crossed.project.inputs) {
    if (typeof value !== 'string') continue;
    if (ecosystem === 'npm') add('npm', value);
    if (ecosystem === 'pypi') add('pip', value);
    if (ecosystem === 'oci') add('image', value);
  }
  const files = crossed.lock.rows.filter(
    (row): row is ArtifactRow => row.row === 'artifact' && row.ecosystem === 'files',
  );
  // A few stand for all: each is one more machine, and the digest of every file was checked when it was admitted.
  for (const row of files.slice(0, 5)) add('file', row.name === '' ? row.file : row.name, row);
  return list;
}

/** Installs everything with the real clients, side by side: each is in a machine of its own. Returns the images. */
export async function install(
  stage: Stage,
  installations: readonly Installation[],
): Promise<ReadonlyMap<string, ImageRoot>> {
  const images = new Map<string, ImageRoot>();
  await Promise.all(
    installations.map(async (one) => {
      if (one.kind === 'npm') return installNpm(stage, one);
      if (one.kind === 'pip') return installPip(stage, one);
      if (one.kind === 'file') return fetchFile(stage, one);
      const image = await pullImage(stage, one);
      if (image !== undefined) images.set(one.input, image);
    }),
  );
  return images;
}

async function installNpm(stage: Stage, { id, input, machine }: Installation): Promise<void> {
  await stage.story.step(id, `npm ci of ${input}`, 'enclave', async () => {
    const { npm = '' } = stage.clients;
    const name = basename(input);
    if (name !== 'package-lock.json' && name !== 'npm-shrinkwrap.json') {
      throw new StepFailure(`No real client for ${name} is run here.`, 'not-tested');
    }
    const folder = join(stage.copy, dirname(input));
    const cache = join(stage.place.work, `${machine}-cache`);
    await mkdir(cache);
    const before = await digestInside(stage, input);
    const started = await stage.enclave.run(machine, process.execPath, [npm, 'ci', '--no-fund'], {
      cwd: folder,
      env: stage.environment({
        ...(await clientEnvironment('npm', 'npm', stage.base)),
        npm_config_cache: cache,
        ...noNpmConfig(stage),
      }),
      readable: [stage.copy],
      writable: [folder, cache],
      limits: stage.limits,
      timeout: INSTALL_TIME,
    });
    if (started.code !== 0) throw new StepFailure(ending('npm', started));
    stage.npmInstalled.add(input);
    if ((await digestInside(stage, input)) !== before) throw new StepFailure('The lockfile was changed.');
    const added = /added (\d+) packages?/.exec(started.stdout)?.[0] ?? 'done';
    return { value: true, detail: `${added}, lockfile unchanged`, digest: before, command: 'npm ci' };
  });
}

async function installPip(stage: Stage, { id, input, machine }: Installation): Promise<void> {
  await stage.story.step(id, `pip install --require-hashes of ${input}`, 'enclave', async () => {
    const { pip } = stage.clients;
    if (pip === undefined) throw new StepFailure('pip is missing.', 'not-tested');
    const target = join(stage.place.work, `${machine}-packages`);
    const name = basename(input);
    if (!name.endsWith('.txt')) throw new StepFailure(`No real client for ${name} is run here.`, 'not-tested');
    const args = [
      ...pip.args,
      'install',
      '--require-hashes',
      '--no-cache-dir',
      '--no-compile',
      '--target',
      target,
      '-r',
      name,
    ];
    await mkdir(target);
    const before = await digestInside(stage, input);
    const ended = await stage.enclave.run(machine, pip.command, args, {
      cwd: dirname(join(stage.copy, input)),
      env: stage.environment({
        ...(await clientEnvironment('pypi', 'pip', stage.base)),
        PIP_CONFIG_FILE: '/dev/null',
        PYTHONNOUSERSITE: '1',
      }),
      readable: [stage.copy],
      writable: [target],
      limits: stage.limits,
      timeout: INSTALL_TIME,
    });
    if (ended.code !== 0) throw new StepFailure(ending('pip', ended));
    stage.pythonFolders.set(resolve(stage.copy, dirname(input)), target);
    const count = /Successfully installed (.*)/.exec(ended.stdout)?.[1]?.trim().split(/\s+/).length ?? 0;
    const command = `pip install --require-hashes -r ${name}`;
    return { value: true, detail: `${count} packages installed`, digest: before, command };
  });
}

function pullImage(stage: Stage, { id, input, machine, row }: Installation): Promise<ImageRoot | undefined> {
  return stage.story.step(id, `skopeo pulls ${input}`, 'enclave', async () => {
    const { skopeo } = stage.clients;
    if (skopeo === undefined) throw new StepFailure('skopeo is missing.', 'not-tested');
    const layout = join(stage.place.work, `${machine}-layout`);
    await mkdir(layout);
    const source = `docker://${new URL(stage.base).host}/${input}`;
    const env = stage.environment({ XDG_RUNTIME_DIR: '/run' });
    const args = [
      '--insecure-policy',
      'copy',
      '--preserve-digests',
      '--src-tls-verify=false',
      source,
      `oci:${layout}:image`,
    ];
    const ended = await stage.enclave.run(machine, skopeo, args, {
      cwd: '/tmp',
      env,
      writable: [layout],
      limits: stage.limits,
      timeout: INSTALL_TIME,
    });
    if (ended.code !== 0) throw new StepFailure(ending('skopeo', ended));
    const folder = join(stage.place.work, `${machine}-image`);
    const root = await unpackImage(stage.enclave, { machine, layout, folder, env });
    const locked = new Set(stage.crossed.lock.rows.flatMap((one) => ('digest' in one ? [one.digest] : [])));
    if (!locked.has(root.manifest)) throw new StepFailure(`Its manifest ${root.manifest} is not in the lock.`);
    const tag = row === undefined ? '' : ` (${describeIdentity(row)})`;
    return {
      value: root,
      detail: `by digest, as locked${tag}`,
      digest: root.manifest,
      command: `skopeo copy ${source} oci:…`,
    };
  });
}

async function fetchFile(stage: Stage, { id, input, machine, row }: Installation): Promise<void> {
  await stage.story.step(id, `A file is fetched: ${input}`, 'enclave', async () => {
    const path = input.split('/').map(encodeURIComponent).join('/');
    const url = `${stage.base}/files/${path}`;
    const answer = await stage.probe(machine, { probe: 'http', url, timeout: 60_000 });
    if (answer.status !== 200) throw new StepFailure(`${url} answered ${answer.status ?? answer.detail}.`);
    if (row !== undefined && answer.digest !== row.digest) {
      throw new StepFailure(`Expected ${row.digest}, found ${answer.digest}.`);
    }
    return { value: true, detail: 'as locked', bytes: answer.size ?? 0, digest: answer.digest ?? '' };
  });
}

/** Of a file in the project as the enclave has it, where a program may have put something else in its place. */
async function digestInside(stage: Stage, input: string): Promise<Digest> {
  const bytes = await readBeneath(stage.copy, join(stage.copy, input), LOCKFILE).catch(() => undefined);
  if (bytes === undefined) throw new StepFailure(`${input} is no plain file any more.`);
  return digestOf(bytes);
}

/** What `client-config` would print for this client. */
export async function clientEnvironment(
  ecosystem: string,
  client: string,
  base: string,
): Promise<Readonly<Record<string, string>>> {
  const half = await ecosystemOf(ecosystem)?.inside();
  return half?.clients.find((one) => one.client === client)?.environment(base) ?? {};
}

/** Two files that are not there: npm refuses one name for both. */
export function noNpmConfig({ place }: Stage): Record<string, string> {
  return {
    npm_config_userconfig: join(place.work, 'no-user-npmrc'),
    npm_config_globalconfig: join(place.work, 'no-global-npmrc'),
  };
}
