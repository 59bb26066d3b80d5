import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Enclave, type ImageRoot, unpackImage } from '#enclave';
import { lastWords, runProcess } from '#system';

/** The machine's own Python, which is in the toolbox of every program. */
export const PYTHON = '/usr/bin/python3';

/** Whether there is one. */
export const hasPython = existsSync(PYTHON);

/**
 * Makes an OCI image of that Python with its libraries, and unpacks it as any other: there is no compiler and no registry.
 * `config` is what the image says of itself; a file of user 101 and somebody of the name `app` are in it.
 */
export async function pythonRoot(
  enclave: Enclave,
  machine: string,
  folder: string,
  config: Readonly<Record<string, unknown>> = {},
): Promise<ImageRoot> {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  const run = async (command: string, args: readonly string[]): Promise<string> => {
    const ended = await runProcess(command, args, { env, cwd: '/', timeout: 60_000 });
    if (ended.code !== 0) throw new Error(`${command}: ${lastWords(ended)}`);
    return ended.stdout;
  };
  const program = realpathSync(PYTHON);
  const version = /python(\d+\.\d+)$/.exec(program)?.[1] ?? '3';
  const library = `/usr/lib/python${version}`;
  const dynamic = (await run('/bin/sh', ['-c', `ls -d ${library}/lib-dynload/_ctypes.*so`])).trim();
  const linked = await run('ldd', [program, dynamic]);
  const files = [...linked.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = '']) => path);
  const image = join(folder, 'python-image');
  const layout = join(image, 'layout');
  const blobs = join(layout, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const layer = join(image, 'layer.tar');
  const without = ['test', 'lib2to3', 'idlelib', 'tkinter', '__pycache__', 'config-*', 'dist-packages'];
  await run('tar', [
    ...['-C', '/', '-chf', layer, '--owner=0', '--group=0', ...without.map((name) => `--exclude=${library}/${name}`)],
    ...['--transform=s,^/*,,', '--absolute-names', PYTHON, library, ...new Set(files)],
  ]);
  const put = async (bytes: Uint8Array): Promise<{ digest: string; size: number }> => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    await writeFile(join(blobs, hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const second = join(image, 'second');
  await mkdir(join(second, 'etc'), { recursive: true });
  await mkdir(join(second, 'srv'));
  // As in many images: folders that their own owner may not write to, and a layer that does.
  await mkdir(join(second, 'closed'));
  await chmod(join(second, 'closed'), 0o555);
  await writeFile(join(second, 'etc', 'passwd'), 'root:x:0:0::/:/none\napp:x:101:102::/srv:/none\n');
  await writeFile(join(second, 'srv', 'data'), 'of the image');
  await chmod(join(second, 'srv', 'data'), 0o600);
  const above = join(image, 'second.tar');
  await run('tar', ['-C', second, '-cf', above, '--owner=101', '--group=102', '.']);
  await writeFile(join(image, 'more'), 'in it');
  const third = join(image, 'third.tar');
  await run('tar', ['-C', image, '-cf', third, '--transform=s,^,closed/,', 'more']);
  const type = 'application/vnd.oci.image';
  const layers = await Promise.all(
    [layer, above, third].map(async (path) => ({
      mediaType: `${type}.layer.v1.tar`,
      ...(await put(await readFile(path))),
    })),
  );
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const diffs = layers.map(({ digest }) => digest);
  const settings = { architecture, os: 'linux', config, rootfs: { type: 'layers', diff_ids: diffs } };
  const manifest = await put(
    json({ schemaVersion: 2, config: { mediaType: `${type}.config.v1+json`, ...(await put(json(settings))) }, layers }),
  );
  await writeFile(
    join(layout, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ mediaType: `${type}.manifest.v1+json`, ...manifest }] }),
  );
  return unpackImage(enclave, { machine, layout, folder: join(image, 'unpacked'), env });
}
