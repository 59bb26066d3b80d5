// The depot beside nginx, in turn, in one run: a large content, and many small ones. Above 1 is faster than nginx.
//
//   ./sallyport :node bench/run.ts depot
import { spawn } from 'node:child_process';
import { createCipheriv, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ecosystemOf } from '#ecosystems/list';
import { type ArtifactRow, digestOf, homeAt } from '#kernel';
import { openDatabase, openStore, type Store } from '#store';
import { findProgram, nodeFiles } from '#system';
import { type Figure, median } from './figure.ts';
import { startDepot, startNginx, type Stops } from './servers.ts';

const LARGE = 1024 ** 3;
const SMALL = 64 * 1024;
const SMALL_COUNT = 64;
const ROUNDS = 5;
const SECONDS = 5;

/** Empty where nginx or wrk is not on this machine; the reason goes to stderr. */
export async function run(): Promise<Figure[]> {
  const nginx = await findProgram('nginx', process.env);
  const wrk = await findProgram('wrk', process.env);
  if (nginx === undefined || wrk === undefined) {
    process.stderr.write('bench/depot: needs nginx and wrk (Debian: nginx-light, wrk); skipped\n');
    return [];
  }
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const stop: Stops = [];
  try {
    const home = join(folder, 'home');
    const { large, small } = await fill(home);
    const depot = await startDepot(home, stop);
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    const peer = await startNginx(nginx, folder, { port, root: join(home, 'store') }, stop);
    const paths = {
      ours: { large: `/files/${large.name}`, small: small.map(({ name }) => `/files/${name}`) },
      peer: { large: nginxPath(large.digest), small: small.map(({ digest }) => nginxPath(digest)) },
    };

    const seconds: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
    for (let round = 0; round < ROUNDS; round++) {
      seconds.ours.push(await download(depot + paths.ours.large));
      seconds.peer.push(await download(peer + paths.peer.large));
    }
    const bytes = LARGE / 1_000_000;
    const figures: Figure[] = [
      {
        name: 'depot: a content of 1 GiB',
        unit: 'MB/s',
        ours: bytes / median(seconds.ours),
        peer: { name: 'nginx', value: bytes / median(seconds.peer) },
        promise: { atLeast: 0.9 },
        note: `median of ${ROUNDS}, one connection`,
      },
    ];
    const rates: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
    for (let round = 0; round < 3; round++) {
      rates.ours.push(await load(wrk, folder, depot, paths.ours.small));
      rates.peer.push(await load(wrk, folder, peer, paths.peer.small));
    }
    figures.push({
      name: 'depot: contents of 64 KiB',
      unit: '1/s',
      ours: median(rates.ours),
      peer: { name: 'nginx', value: median(rates.peer) },
      promise: { atLeast: 0.4 },
      note: `median of 3 x ${SECONDS} s, 16 connections, ${SMALL_COUNT} contents`,
    });
    return figures;
  } finally {
    for (const end of stop.reverse()) await end();
    await rm(folder, { recursive: true, force: true });
  }
}

function nginxPath(digest: string): string {
  const hex = digest.slice('sha256:'.length);
  return `/sha256/${hex.slice(0, 2)}/${hex}`;
}

async function fill(home: string): Promise<{ large: ArtifactRow; small: ArtifactRow[] }> {
  await mkdir(join(home, 'keys'), { recursive: true, mode: 0o700 });
  const store = await openStore(nodeFiles, homeAt(home));
  const large = await noise(store, 'large', LARGE);
  const small: ArtifactRow[] = [];
  for (let i = 0; i < SMALL_COUNT; i++) small.push(await noise(store, `small-${i}`, SMALL));
  const database = openDatabase(homeAt(home).database);
  database.publish({
    bundle: digestOf('bench'),
    lock: digestOf('lock'),
    sequence: 1,
    channel: 'main',
    sealed: '2026-01-01T00:00:00Z',
    ledgerIndex: 0,
    rows: [large, ...small],
    lookupKey: (ecosystem, name) => ecosystemOf(ecosystem)?.lookupKey(name) ?? name,
  });
  database.close();
  return { large, small };
}

async function noise(store: Store, name: string, size: number): Promise<ArtifactRow> {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const zeros = Buffer.alloc(Math.min(size, 4 * 1024 * 1024));
  const incoming = await store.begin();
  while (incoming.size < size) await incoming.write(cipher.update(zeros.subarray(0, size - incoming.size)));
  const digest = await incoming.commit();
  return {
    row: 'artifact',
    ecosystem: 'files',
    authority: '',
    name,
    version: '',
    file: name,
    targets: 'any',
    digest,
    size,
    media: '',
    origin: '',
    published: '',
    evidence: [],
    inputs: [],
    facts: {},
  };
}

/** Seconds for one download; the bytes are dropped as they come. */
async function download(url: string): Promise<number> {
  const start = performance.now();
  const child = spawn('curl', ['-sS', '-f', '-o', '/dev/null', url], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`curl ended with ${code}`);
  return (performance.now() - start) / 1000;
}

/** Requests a second by wrk over all paths in turn. */
async function load(wrk: string, folder: string, base: string, paths: readonly string[]): Promise<number> {
  const script = join(folder, 'paths.lua');
  await writeFile(
    script,
    `local p = {${paths.map((path) => JSON.stringify(path)).join(',')}}\nlocal i = 0\nrequest = function() i = i % #p + 1 return wrk.format("GET", p[i]) end\n`,
  );
  const child = spawn(wrk, ['-t1', '-c16', `-d${SECONDS}s`, '-s', script, base], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await once(child, 'close');
  if (/Non-2xx|Socket errors/.test(out)) throw new Error(out);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1]);
}
