import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { errorMessage } from '#kernel';
import { type MediumMap, readMedium, streamOf } from '#media';
import { type Image, makeExfat, makeFat, makeIso, makeUdf, TREE } from '#media/testing';
import { debianTools } from '#system';
import { sallyport } from '../../scripts/sallyport.ts';
import { skipped, used } from '../../components.ts';

// File systems made by others, read by us; file systems made by us, read by others; and a block device of this kernel
// that stops to give bytes.

const NAMES = ['mkfs.fat', 'mcopy', 'xorriso', 'genisoimage', 'mkudffs', 'sfdisk', 'mkfs.exfat', '7z'] as const;
const tools = await debianTools([...NAMES, 'mount.exfat-fuse'], { env: process.env }).catch((error: unknown) =>
  errorMessage(error),
);
const noTools = typeof tools === 'string' ? skipped('tools of file systems', `no tools: ${tools}`) : false;

function tool(name: (typeof NAMES)[number] | 'mount.exfat-fuse'): string {
  assert.ok(typeof tools !== 'string');
  return tools[name].path;
}

/** A program beside another one in its package; '' where the host's own is used and lies elsewhere. */
function beside(name: (typeof NAMES)[number], other: string): string {
  const path = tool(name);
  const folders = [dirname(path), ...globSync(join(dirname(path), '..', 'root', '{usr/,}{s,}bin'))];
  return folders.map((folder) => join(folder, other)).find((one) => existsSync(one)) ?? '';
}

function must(
  command: string,
  args: readonly string[],
  options: { input?: string; cwd?: string; status?: number } = {},
) {
  const { status = 0, ...rest } = options;
  const ended = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' }, ...rest });
  assert.equal(ended.status, status, `${command} ${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
  return ended.stdout;
}

let work = '';
let bundle: Buffer;
let number = 0;

before(async () => {
  work = await mkdtemp(join(tmpdir(), 'sallyport-media-'));
  await mkdir(join(work, 'files'));
  await writeFile(join(work, 'files', 'note.txt'), 'carried on a stick\n');
  await writeFile(join(work, 'files', 'random.bin'), randomBytes(2_000_000));
  const target = '{ os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }';
  await writeFile(
    join(work, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: media\nchannel: main\ntargets:\n  linux-amd64: ${target}\ninputs:\n  - files: files\n`,
  );
  await run(['init', '--home', 'out', '--site', 'low']);
  await run(['capture', '--home', 'out']);
  await mkdir(join(work, 'tree', 'docs', 'deep'), { recursive: true });
  await run(['seal', '-o', 'tree/storefront main 1.bundle', '--home', 'out']);
  bundle = await readFile(join(work, 'tree', 'storefront main 1.bundle'));
  await writeFile(join(work, 'tree', 'docs', 'read me first.txt'), 'read me');
  await writeFile(
    join(work, 'tree', 'docs', 'deep', 'a much longer name, with gr\u00fc\u00dfe.bin'),
    randomBytes(70_000),
  );
  await writeFile(join(work, 'tree', 'empty.txt'), '');
});
after(() => rm(work, { recursive: true, force: true }));

// oxlint-disable-next-line no-explicit-any
async function run(command: readonly string[], code = 0): Promise<any> {
  const ran = await sallyport(work, [...command, '--json']);
  assert.equal(ran.code, code, `${command.join(' ')}: ${ran.out}${ran.err}`);
  return ran.json;
}

/** A home inside of its own for each medium. */
async function admit(medium: string, code = 0, home = `in${number++}`) {
  if (!existsSync(join(work, home))) await run(['init', '--home', home, '--site', 'high']);
  const root = globSync(join(work, 'out/trust/root.*'))[0]!;
  return { home, answer: await run(['admit', medium, '--root', root, '--home', home], code) };
}

async function mapOf(path: string): Promise<{ map: MediumMap; contents: Map<string, string> }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const source = {
      size,
      read: async (into: Uint8Array, position: number) => (await file.read(into, 0, into.length, position)).bytesRead,
    };
    const map = await readMedium(source);
    assert.ok(!('reason' in map), JSON.stringify(map));
    const contents = new Map<string, string>();
    for (const { path: name, kind, size: length, extents } of map.volumes.flatMap(({ entries }) => entries)) {
      if (kind !== 'file') continue;
      const bytes = Buffer.alloc(length);
      assert.equal(await streamOf(source, extents)(bytes), length);
      contents.set(name, createHash('sha256').update(bytes).digest('hex'));
    }
    return { map, contents };
  } finally {
    await file.close();
  }
}

/** What lies in a folder, as the kernel shows it. */
async function contentsOf(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of globSync('**', { cwd: folder, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(
      path.slice(folder.length + 1),
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    );
  }
  return found;
}

/** By 7-Zip's readers of file systems. */
async function by7z(path: string, status = 0): Promise<Map<string, string>> {
  const folder = `${path}.out`;
  // What stands in the package's bin is a script that names a place on the host.
  const [program = tool('7z')] = globSync(join(dirname(tool('7z')), '../root/usr/lib/{p7zip,7zip}/7z'));
  must(program, ['x', '-y', '-snl-', `-o${folder}`, path], { status });
  return contentsOf(folder);
}

function sorted(contents: ReadonlyMap<string, string>): string[] {
  return [...contents].map(([name, digest]) => `${digest} ${name}`).sort();
}

async function empty(name: string, megabytes: number): Promise<string> {
  const path = join(work, name);
  await (await open(path, 'w')).close();
  await truncate(path, megabytes * 1024 * 1024);
  return path;
}

async function fat(bits: 12 | 16 | 32, megabytes: number): Promise<string> {
  const path = await empty(`fat${bits}.img`, megabytes);
  must(tool('mkfs.fat'), ['-F', String(bits), ...(bits === 32 ? ['-s', '1'] : []), '-n', 'STICK', path]);
  must(tool('mcopy'), ['-s', '-i', path, ...globSync(join(work, 'tree/*')), '::']);
  return path;
}

const KINDS = [
  [12, 8],
  [16, 32],
  [32, 64],
] as const;
for (const [bits, megabytes] of KINDS) {
  test(`FAT${bits} of dosfstools and mtools: admitted byte for byte`, { skip: noTools }, async () => {
    used('mkfs.fat and mcopy', 'dosfstools, mtools', 'Debian');
    const path = await fat(bits, megabytes);
    const { map, contents } = await mapOf(path);
    assert.deepEqual([map.volumes[0]?.kind, map.volumes[0]?.label], [`FAT${bits}`, 'STICK']);
    assert.deepEqual(sorted(contents), sorted(await contentsOf(join(work, 'tree'))));
    assert.deepEqual(sorted(contents), sorted(await by7z(path)), '7-Zip sees the same');
    const { answer } = await admit(path);
    assert.deepEqual([answer.verdict, answer.figures.read], ['admitted', bundle.length]);
    assert.equal((await run(['examine', path, '--as', 'medium'])).verdict, 'accept');
    assert.equal((await run(['inspect', path])).bundle.sequence, 1);
  });
}

test('partition tables of sfdisk, both kinds, logical partitions too', { skip: noTools }, async () => {
  used('sfdisk', 'util-linux', 'Debian');
  const volume = await readFile(await fat(16, 32));
  const tables = {
    dos: 'label: dos\nsize=10M,type=c\ntype=5\nsize=5M,type=c\nsize=40M,type=c\n',
    gpt: 'label: gpt\nsize=10M\nsize=40M\n',
  };
  for (const [name, script] of Object.entries(tables)) {
    const path = await empty(`${name}.img`, 100);
    must(tool('sfdisk'), ['-q', path], { input: script });
    const parts = JSON.parse(must(tool('sfdisk'), ['-J', path])) as {
      partitiontable: { partitions: { start: number; size: number }[] };
    };
    const { start } = parts.partitiontable.partitions.find(({ size }) => size * 512 === 40 * 1024 * 1024)!;
    const file = await open(path, 'r+');
    await file.write(volume, 0, volume.length, start * 512);
    await file.close();
    const { map } = await mapOf(path);
    assert.deepEqual([map.table, map.volumes[0]?.start], [name === 'gpt' ? 'GPT' : 'MBR', start * 512]);
    assert.equal((await admit(path)).answer.verdict, 'admitted');
  }
});

const DISCS = {
  'xorriso, Rock Ridge': ['xorriso', ['-as', 'mkisofs', '-quiet']],
  'xorriso, Joliet and Rock Ridge': ['xorriso', ['-as', 'mkisofs', '-quiet', '-J', '-R']],
  'genisoimage, names of ISO 9660 alone': ['genisoimage', ['-quiet']],
  'genisoimage, Joliet': ['genisoimage', ['-quiet', '-J', '-joliet-long']],
  'genisoimage, Joliet and Rock Ridge': ['genisoimage', ['-quiet', '-J', '-joliet-long', '-R']],
  'genisoimage, UDF': ['genisoimage', ['-quiet', '-udf', '-allow-limited-size']],
  'genisoimage, UDF, Joliet and Rock Ridge': ['genisoimage', ['-quiet', '-udf', '-J', '-joliet-long', '-R']],
} as const;
for (const [name, [program, words]] of Object.entries(DISCS)) {
  test(`a disc of ${name}: admitted byte for byte`, { skip: noTools }, async () => {
    used(program, 'Debian 12', 'Debian');
    const path = join(work, `${name.replace(/\W+/g, '-')}.iso`);
    must(tool(program), [...words, '-o', path, join(work, 'tree')]);
    const { map, contents } = await mapOf(path);
    assert.equal(map.volumes[0]?.kind, words.includes('-udf' as never) ? 'UDF' : 'ISO 9660');
    const digests = (some: ReadonlyMap<string, string>): string[] => [...some.values()].sort();
    const tree = await contentsOf(join(work, 'tree'));
    if (words.length === 1 && program === 'genisoimage') assert.deepEqual(digests(contents), digests(tree));
    else assert.deepEqual(sorted(contents), sorted(tree));
    assert.deepEqual(digests(contents), digests(await by7z(path)), '7-Zip sees the same');
    assert.equal((await admit(path)).answer.verdict, 'admitted');
  });
}

test('UDF of mkudffs: plain partitions are read, others refused by name', { skip: noTools }, async () => {
  used('mkudffs', 'udftools', 'Debian');
  for (const revision of ['1.02', '1.50', '2.00', '2.01']) {
    for (const block of ['512', '2048', '4096']) {
      const path = await empty(`udf-${revision}-${block}.img`, 32);
      must(tool('mkudffs'), ['--media-type=hd', `--udfrev=${revision}`, '-b', block, '--label=STICK', path]);
      const { map } = await mapOf(path);
      const [volume] = map.volumes;
      assert.deepEqual([volume?.kind, volume?.entries.length], ['UDF', 0]);
      const info = must(beside('mkudffs', 'udfinfo'), [path]);
      assert.equal(volume?.label, /^label=(.*)$/m.exec(info)?.[1]);
      assert.equal(volume?.serial, /^uuid=(.*)$/m.exec(info)?.[1]);
    }
  }
  assert.equal((await run(['inspect', 'udf-2.01-512.img'], 1)).reasons[0].code, 'media.no-bundle');
  const sparable = await empty('udf-cdrw.img', 32);
  must(tool('mkudffs'), ['--media-type=cdrw', sparable]);
  assert.equal((await run(['examine', sparable, '--as', 'medium'], 1)).reasons[0].code, 'media.feature');
});

test('what we make for our tests, others find clean', { skip: noTools }, async () => {
  const write = async (name: string, image: Image): Promise<string> => {
    const path = await empty(name, 0);
    const file = await open(path, 'r+');
    await file.truncate(image.size);
    for (const at of image.written()) {
      const bytes = image.bytes(at, Math.min(4096, image.size - at));
      await file.write(bytes, 0, bytes.length, at);
    }
    await file.close();
    return path;
  };
  const tree = new Map(
    Object.entries(TREE).map(([name, bytes]) => [name, createHash('sha256').update(bytes!).digest('hex')]),
  );
  for (const kind of ['FAT12', 'FAT16', 'FAT32'] as const) {
    const path = await write(`made-${kind}.img`, makeFat(kind, TREE).image);
    must(beside('mkfs.fat', 'fsck.fat'), ['-n', path]);
    assert.deepEqual(sorted(await by7z(path)), sorted(tree), kind);
  }
  must(beside('mkfs.exfat', 'fsck.exfat'), ['-n', await write('made-exfat.img', makeExfat(TREE).image)]);
  assert.deepEqual(sorted(await by7z(await write('made.iso', makeIso(TREE).image))), sorted(tree));
  // 7-Zip reads all of it and ends with a warning about headers, which it does not name.
  assert.deepEqual(sorted(await by7z(await write('made.udf', makeUdf(TREE).image), 2)), sorted(tree));
});

/** A loop device of this kernel, which only root may have. */
async function onDevice(path: string, act: (device: string) => Promise<void>, readOnly = true): Promise<void> {
  const device = must('losetup', ['--find', '--show', ...(readOnly ? ['--read-only'] : []), path]).trim();
  try {
    await act(device);
  } finally {
    must('losetup', ['--detach', device]);
  }
}
const loop =
  process.getuid?.() === 0 && existsSync('/dev/loop-control')
    ? false
    : skipped('loop device', 'no loop devices here, or this is not root');

test(
  'a block device is read as it is, and refused where it stops to give bytes',
  { skip: noTools || loop },
  async () => {
    used('loop device', 'kernel');
    const path = await fat(32, 64);
    const { extents } = (await mapOf(path)).map.volumes[0]!.entries.find(({ path: name }) => name.endsWith('.bundle'))!;
    await onDevice(path, async (device) => {
      const { answer } = await admit(device);
      assert.deepEqual([answer.verdict, answer.figures.read], ['admitted', bundle.length]);
      assert.equal((await run(['examine', device])).verdict, 'accept');
    });
    // The kernel answers EIO where a file behind a loop device has no bytes any more: as a stick with bad sectors does.
    await onDevice(path, async (device) => {
      const home = `in${number++}`;
      const root = globSync(join(work, 'out/trust/root.*'))[0]!;
      await run(['init', '--home', home, '--site', 'high']);
      // The lock of the ledger has a number in its name.
      const inside = async (): Promise<string[]> =>
        sorted(await contentsOf(join(work, home))).filter((line) => !line.includes('/state/lock.'));
      const untouched = await inside();
      await truncate(path, extents[0]!.start + 1024 * 1024);
      for (const command of ['admit', 'verify']) {
        const { fault } = await run([command, device, '--root', root, '--home', home], 3);
        assert.equal(fault.code, 'bundle.unreadable');
        assert.match(fault.message, /EIO.* at byte \d+ of the medium/);
      }
      assert.deepEqual(await inside(), untouched);
      await truncate(path, 0);
      assert.equal((await run(['examine', device], 3)).fault.code, 'examine.read');
    });
    const bare = join(work, 'bare.img');
    await writeFile(bare, Buffer.concat([bundle, randomBytes(1024 * 1024 - (bundle.length % 512))]));
    await onDevice(bare, async (device) => {
      assert.equal((await admit(device)).answer.verdict, 'admitted');
    });
  },
);

const fuse = loop || (existsSync('/dev/fuse') ? false : skipped('exFAT of exfat-fuse', 'no FUSE here'));
test('exFAT of exfatprogs, filled by exfat-fuse: admitted byte for byte', { skip: noTools || fuse }, async () => {
  used('mkfs.exfat and exfat-fuse', 'exfatprogs, exfat-fuse', 'Debian');
  const path = await empty('exfat.img', 64);
  must(tool('mkfs.exfat'), ['-L', 'STICK', path]);
  await mkdir(join(work, 'mnt'));
  // Many small files, most of them removed again, so that the bundle lies in many pieces.
  const script = `set -e
mount.exfat-fuse "$1" "$2"
trap 'umount "$2"' EXIT
mkdir "$2/many"
for i in $(seq 200); do echo $i > "$2/many/a file with number $i.txt"; done
rm "$2"/many/*[13579].txt
cp -r "$3"/. "$2/"
rm -r "$2/many"`.replace('mount.exfat-fuse', tool('mount.exfat-fuse'));
  const words = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
  await onDevice(
    path,
    async (device) => void must('unshare', [...words, device, join(work, 'mnt'), join(work, 'tree')]),
    false,
  );
  const { map, contents } = await mapOf(path);
  assert.deepEqual([map.volumes[0]?.kind, map.volumes[0]?.label], ['exFAT', 'STICK']);
  assert.deepEqual(sorted(contents), sorted(await contentsOf(join(work, 'tree'))));
  assert.ok(map.volumes[0]!.entries.find(({ path: name }) => name.endsWith('.bundle'))!.extents.length > 10);
  must(beside('mkfs.exfat', 'fsck.exfat'), ['-n', path]);
  assert.equal((await admit(path)).answer.verdict, 'admitted');
});
