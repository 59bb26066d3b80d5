// `npm ci` from the depot beside the same from a static file server that holds the same answers, in turn, in one run.
//
//   ./sallyport :node bench/run.ts npm-ci
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '#system';
import { type Figure, median } from './figure.ts';
import { measured } from './measured.ts';
import { launcher, startDepot, startNginx, type Stops } from './servers.ts';

const web = fileURLToPath(new URL('../examples/storefront/web', import.meta.url));
const ROUNDS = 5;
const ABBREVIATED = 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*';

/** Empty where nginx is not on this machine; the reason goes to stderr. */
export async function run(): Promise<Figure[]> {
  const nginx = await findProgram('nginx', process.env);
  const npm = await findProgram('npm', process.env);
  if (nginx === undefined || npm === undefined) {
    process.stderr.write('bench/npm-ci: needs nginx (Debian: nginx-light) and npm; skipped\n');
    return [];
  }
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const stop: Stops = [];
  try {
    await cross(folder);
    const depot = await startDepot(join(folder, 'in'), stop);
    const port = await freePort();
    const root = join(folder, 'static');
    const location = 'location / { default_type application/json; try_files $uri $uri/packument.json =404; }';
    const peer = await startNginx(nginx, folder, { port, root, location }, stop);
    const count = await copyAnswers(folder, depot, peer);
    const seconds: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
    for (let round = 0; round <= ROUNDS; round++) {
      const ours = await install(npm, folder, `${depot}/npm/`);
      const theirs = await install(npm, folder, `${peer}/npm/`);
      // The first round warms the disk for both.
      if (round === 0) continue;
      seconds.ours.push(ours);
      seconds.peer.push(theirs);
    }
    return [
      {
        name: 'npm ci from the depot',
        unit: 's',
        ours: median(seconds.ours),
        peer: { name: 'nginx with the same answers as files', value: median(seconds.peer) },
        promise: { atMost: 1.2 },
        note: `${count} packages, clean cache each time, median of ${ROUNDS}`,
      },
    ];
  } finally {
    for (const end of stop.reverse()) await end();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The example's web service, captured with this machine's npm settings, and crossed into `in`. */
async function cross(folder: string): Promise<void> {
  await cp(web, join(folder, 'web'), { recursive: true, filter: (path) => !path.includes('node_modules') });
  await writeFile(
    join(folder, 'sallyport.yaml'),
    'sallyport: "1.0"\nname: bench\nchannel: main\ntargets:\n  here: { os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }\ninputs:\n  - npm: web/package-lock.json\n',
  );
  const bundle = join(folder, 'bundle');
  for (const words of [
    ['init', '--home', 'out', '--site', 'low'],
    ['capture', '--home', 'out'],
    ['seal', '-o', bundle, '--home', 'out'],
    ['init', '--home', 'in', '--site', 'high'],
    ['admit', bundle, '--root', 'out/trust/root.1.dsse.json', '--home', 'in'],
  ]) {
    const ran = await measured(launcher, [...words, '--json'], { cwd: folder });
    if (ran.code !== 0) throw new Error(`sallyport ${words.join(' ')} ended with ${ran.code}: ${ran.out}`);
  }
}

/** What npm asks the depot for, as files: packuments with the peer's own addresses in them, and tarballs. */
async function copyAnswers(folder: string, depot: string, peer: string): Promise<number> {
  const lock = JSON.parse(await readFile(join(folder, 'web', 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { name?: string }>;
  };
  const names = new Set<string>();
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path !== '') names.add(entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
  }
  const root = join(folder, 'static', 'npm');
  for (const name of names) {
    const answer = await fetch(`${depot}/npm/${name.replace('/', '%2f')}`, { headers: { accept: ABBREVIATED } });
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    const text = await answer.text();
    const file = join(root, name, 'packument.json');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text.replaceAll(depot, peer));
    const { versions } = JSON.parse(text) as { versions: Record<string, { dist: { tarball: string } }> };
    for (const { dist } of Object.values(versions)) {
      const tarball = await fetch(dist.tarball);
      const path = join(folder, 'static', decodeURIComponent(new URL(dist.tarball).pathname));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, Buffer.from(await tarball.arrayBuffer()));
    }
  }
  return names.size;
}

async function install(npm: string, folder: string, registry: string): Promise<number> {
  const copy = join(folder, 'install');
  await rm(copy, { recursive: true, force: true });
  await cp(join(folder, 'web'), copy, { recursive: true });
  const cache = join(folder, 'cache');
  await rm(cache, { recursive: true, force: true });
  const ran = await measured(npm, ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: copy,
    env: {
      npm_config_registry: registry,
      npm_config_replace_registry_host: 'always',
      npm_config_cache: cache,
      npm_config_userconfig: '/dev/null',
      npm_config_update_notifier: 'false',
    },
  });
  if (ran.code !== 0) throw new Error(`npm ci from ${registry} ended with ${ran.code}: ${ran.out}`);
  return ran.seconds;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
