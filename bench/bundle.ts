// Seal and admit beside what people do without us: skopeo copy into a layout, tar, zstd -3. In turn, in one run. Then
// the memory and the disk that a large bundle takes.
//
//   ./sallyport :node bench/run.ts bundle
//   SALLYPORT_BENCH_BIG=500000000 ./sallyport :node bench/run.ts bundle     the large one with so many bytes
import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ArtifactRow, type Digest, hexOf } from '#kernel';
import { formatLock } from '#project';
import { openStore, type Store } from '#store';
import { findProgram, nodeFiles } from '#system';
import { createSide } from '#trust';
import { type Figure, median } from './figure.ts';
import { measured, type Measured } from './measured.ts';

const launcher = fileURLToPath(new URL('../sallyport', import.meta.url));
const LAYER = 30_000_000;
const LAYERS = 10;
const ROUNDS = 5;
const BIG = Number(process.env['SALLYPORT_BENCH_BIG'] ?? 5_000_000_000);
const MB = 1_000_000;

export async function run(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  try {
    return [...(await besidePeer(join(folder, 'peer'))), ...(await large(join(folder, 'large')))];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function besidePeer(folder: string): Promise<Figure[]> {
  const skopeo = await findProgram('skopeo', process.env);
  const zstd = await findProgram('zstd', process.env);
  if (zstd === undefined) {
    process.stderr.write('bench/bundle: needs zstd; the comparison is skipped\n');
    return [];
  }
  const layers = Array.from({ length: LAYERS }, () => ({ size: LAYER, packed: true }));
  const { store, root, digests } = await outside(folder, layers);
  const layout = join(folder, 'layout');
  await ociLayout(layout, store, digests);
  const seconds: { seal: number[]; admit: number[]; peer: number[] } = { seal: [], admit: [], peer: [] };
  const copy =
    skopeo === undefined
      ? `cp -r ${layout} ${folder}/copy`
      : `${skopeo} --insecure-policy copy -q oci:${layout}:bench oci:${folder}/copy:bench`;
  for (let round = 0; round < ROUNDS; round++) {
    const peer = await measured('sh', [
      '-c',
      `${copy} && tar -C ${folder}/copy -cf - . | ${zstd} -q -3 -T2 -o ${folder}/peer.tar.zst`,
    ]);
    expect(peer);
    seconds.peer.push(peer.seconds);
    await rm(`${folder}/copy`, { recursive: true });
    await rm(`${folder}/peer.tar.zst`);
    const sealed = await measured(launcher, ['seal', '-o', 'one.bundle', '--home', 'out', '--json'], { cwd: folder });
    expect(sealed);
    seconds.seal.push(sealed.seconds);
    await inside(folder);
    const admitted = await admit(folder, root);
    expect(admitted);
    seconds.admit.push(admitted.seconds);
    await rm(`${folder}/one.bundle`);
    await rm(`${folder}/in`, { recursive: true });
  }
  const peer = {
    name: `${skopeo === undefined ? 'cp' : 'skopeo copy'} + tar + zstd -3`,
    value: median(seconds.peer),
  };
  const note = `${LAYERS} compressed blobs of ${LAYER / MB} MB, median of ${ROUNDS}; ours ends with fsync`;
  return [
    { name: 'bundle: seal', unit: 's', ours: median(seconds.seal), peer, promise: { atMost: 0.45 }, note },
    { name: 'bundle: admit', unit: 's', ours: median(seconds.admit), peer, promise: { atMost: 0.5 }, note },
  ];
}

/** Four parts of compressed content, one that seal compresses. */
async function large(folder: string): Promise<Figure[]> {
  const part = Math.floor(BIG / 5);
  const { root } = await outside(folder, [
    ...Array.from({ length: 4 }, () => ({ size: part, packed: true })),
    { size: part, packed: false },
  ]);
  const sealed = await measured(launcher, ['seal', '-o', 'one.bundle', '--home', 'out', '--json'], { cwd: folder });
  expect(sealed);
  await inside(folder);
  const before = await diskOf(`${folder}/in`);
  let peak = before;
  let looking = true;
  const looker = (async () => {
    while (looking) {
      peak = Math.max(peak, await diskOf(`${folder}/in`));
      await new Promise((done) => setTimeout(done, 50));
    }
  })();
  const admitted = await admit(folder, root);
  looking = false;
  await looker;
  expect(admitted);
  const content = (JSON.parse(admitted.out) as { bundle: { bytes: number } }).bundle.bytes;
  const note = `${(content / 1e9).toFixed(1)} GB of content`;
  const memory = { unit: 'MB', promise: { atMost: 300 }, note } as const;
  return [
    { name: 'bundle: memory of seal', ours: sealed.peakMemory / MB, ...memory },
    { name: 'bundle: memory of admit', ours: admitted.peakMemory / MB, ...memory },
    {
      name: 'bundle: disk of admit at the peak, by content',
      unit: 'x',
      ours: (peak - before) / content,
      promise: { atMost: 1.05 },
      note,
    },
    { name: 'bundle: speed of seal', unit: 'MB/s', ours: content / MB / sealed.seconds, note },
    { name: 'bundle: speed of admit', unit: 'MB/s', ours: content / MB / admitted.seconds, note },
  ];
}

function expect({ code, out }: Measured): void {
  if (code !== 0) throw new Error(`a command of the bench ended with ${code}: ${out}`);
}

async function inside(folder: string): Promise<void> {
  await createSide(nodeFiles, `${folder}/in`, { site: 'inside', purpose: 'one-person', clock: Date });
}

function admit(folder: string, root: string): Promise<Measured> {
  return measured(launcher, ['admit', 'one.bundle', '--root', root, '--home', 'in', '--json'], { cwd: folder });
}

async function outside(
  folder: string,
  contents: readonly { size: number; packed: boolean }[],
): Promise<{ store: Store; root: string; digests: readonly Digest[] }> {
  await mkdir(folder, { recursive: true });
  const side = await createSide(nodeFiles, `${folder}/out`, { site: 'bench', purpose: 'one-person', clock: Date });
  const store = await openStore(nodeFiles, side.home);
  const digests: Digest[] = [];
  for (const { size, packed } of contents) digests.push(await generated(store, size, packed));
  await writeFile(
    `${folder}/sallyport.yaml`,
    [
      'sallyport: "1.0"',
      'name: bench',
      'channel: main',
      'targets:',
      '  linux-amd64: { os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }',
      'inputs:',
      '  - files: files',
      '',
    ].join('\n'),
  );
  const rows = digests.map((digest, i): ArtifactRow => {
    const value = hexOf(digest);
    return {
      row: 'artifact',
      ecosystem: 'files',
      authority: '',
      name: `content-${i}`,
      version: '',
      file: `content-${i}`,
      targets: 'any',
      digest,
      size: contents[i]?.size ?? 0,
      media: 'application/octet-stream',
      origin: `files/content-${i}`,
      published: '',
      evidence: [{ algorithm: 'sha256', value, scope: 'file', source: 'first-use', grade: 'first-use' }],
      inputs: ['files'],
      facts: {},
    };
  });
  await writeFile(`${folder}/sallyport.lock`, formatLock({ rows }));
  return { store, root: side.rootPath, digests };
}

/** Content that cannot be compressed and begins like gzip, or text of which zstd saves about half. */
async function generated(store: Store, size: number, packed: boolean): Promise<Digest> {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const zeros = Buffer.alloc(1024 * 1024);
  const incoming = await store.begin();
  for (let at = 0; at < size; at += zeros.length) {
    const random = cipher.update(zeros.subarray(0, Math.min(zeros.length, size - at)));
    const piece = packed ? random : Buffer.from(random.toString('hex').slice(0, random.length), 'latin1');
    if (at === 0 && packed) piece.set([0x1f, 0x8b, 0x08]);
    await incoming.write(piece);
  }
  return incoming.commit();
}

/** An OCI image layout whose layers are hard links to what the store holds, for skopeo. */
async function ociLayout(folder: string, store: Store, digests: readonly Digest[]): Promise<void> {
  const blobs = `${folder}/blobs/sha256`;
  await mkdir(blobs, { recursive: true });
  const keep = async (document: object): Promise<{ digest: string; size: number }> => {
    const bytes = Buffer.from(JSON.stringify(document));
    const hex = createHash('sha256').update(bytes).digest('hex');
    await writeFile(`${blobs}/${hex}`, bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  for (const digest of digests) execFileSync('ln', [store.pathOf(digest), `${blobs}/${hexOf(digest)}`]);
  const config = await keep({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: digests },
  });
  const manifest = await keep({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: digests.map((digest) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest,
      size: LAYER,
    })),
  });
  await writeFile(`${folder}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    `${folder}/index.json`,
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifest,
          annotations: { 'org.opencontainers.image.ref.name': 'bench' },
        },
      ],
    }),
  );
}

/** Bytes that a folder takes on disk. */
async function diskOf(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    // A file may move while we look; it is counted at the next look.
    sum += await stat(`${entry.parentPath}/${entry.name}`).then(
      ({ blocks }) => blocks * 512,
      () => 0,
    );
  }
  return sum;
}
