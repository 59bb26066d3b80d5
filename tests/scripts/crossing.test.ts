import assert from 'node:assert/strict';
import { appendFile, chmod, copyFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '#kernel';
import { temporaryFolder } from '#system/testing';
import { sallyport, serving } from './sallyport.ts';

// The story of a crossing as scripts outside rely on it: names, shapes and exit codes, by the real command.

const TARGET = '{ os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }';

async function project(folder: string, name = 'story'): Promise<void> {
  await mkdir(join(folder, 'files'), { recursive: true });
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: ${name}\nchannel: main\ntargets:\n  linux-amd64: ${TARGET}\ninputs:\n  - files: files\n`,
  );
  await writeFile(join(folder, 'files', 'hello.txt'), 'hello\n');
  await writeFile(join(folder, 'files', 'Größe & Maß.txt'), 'compressible '.repeat(5000));
  await writeFile(join(folder, 'files', 'random.bin'), randomBytes(300_000));
}

async function outside(folder: string): Promise<{ root: string; bundle: string }> {
  await project(folder);
  const made = await sallyport(folder, ['init', '--home', 'out', '--site', 'low', '--json']);
  assert.equal(made.code, 0, made.out + made.err);
  const captured = await sallyport(folder, ['capture', '--home', 'out', '--json']);
  assert.equal(captured.code, 0, captured.out + captured.err);
  const bundle = join(folder, 'one.bundle');
  const sealed = await sallyport(folder, ['seal', '-o', bundle, '--home', 'out', '--json']);
  assert.equal(sealed.code, 0, sealed.out + sealed.err);
  return { root: join(folder, 'out', 'trust', 'root.1.dsse.json'), bundle };
}

async function tree(folder: string, without: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const relative = path.slice(folder.length + 1);
    if (without.some((name) => relative === name || relative.startsWith(`${name}/`))) continue;
    if (relative.startsWith('state.db-')) continue;
    found.push(entry.isFile() ? `${relative} ${digestOf(await readFile(path))}` : relative);
  }
  return found.sort();
}

test('init makes a closed home with keys and a root of its own, and keeps what is there', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'package-lock.json'), '{"name":"x","lockfileVersion":3,"packages":{"":{"name":"x"}}}');
  const first = await sallyport(folder, ['init', '--json']);
  assert.equal(first.code, 0, first.out + first.err);
  const home = join(folder, '.sallyport');
  assert.equal((await stat(home)).mode & 0o777, 0o700);
  for (const name of await readdir(join(home, 'keys'))) {
    assert.equal((await stat(join(home, 'keys', name))).mode & 0o777, 0o600, name);
  }
  assert.match(await readFile(join(folder, 'sallyport.yaml'), 'utf8'), /package-lock\.json/);
  assert.match(await readFile(join(home, '.gitignore'), 'utf8'), /^\*$/m);
  const root = await readFile(join(home, 'trust', 'root.1.dsse.json'), 'utf8');
  const again = await sallyport(folder, ['init', '--json']);
  assert.equal(again.code, 0);
  assert.equal(await readFile(join(home, 'trust', 'root.1.dsse.json'), 'utf8'), root);
  const shown = await sallyport(folder, ['trust', 'show', '--json']);
  assert.equal(shown.code, 0);
  assert.equal(shown.json.root.version, 1);
  assert.equal(shown.json.root.path, join(home, 'trust', 'root.1.dsse.json'));
  assert.match(shown.json.root.fingerprint, /^[0-9a-f]{64}$/);

  await chmod(home, 0o750);
  const open = await sallyport(folder, ['trust', 'show', '--json']);
  assert.equal(open.code, 3);
  assert.equal(open.json.fault.code, 'home.open-mode');
});

test('what is captured and sealed outside is admitted inside, once, and recorded on both sides', async (t) => {
  const folder = await temporaryFolder(t);
  const { root, bundle } = await outside(folder);

  const lock = await readFile(join(folder, 'sallyport.lock'), 'utf8');
  const again = await sallyport(folder, ['capture', '--home', 'out', '--json']);
  assert.equal(again.code, 0);
  assert.equal(again.json.fetched.count, 0);
  assert.equal(await readFile(join(folder, 'sallyport.lock'), 'utf8'), lock);
  assert.equal((await sallyport(folder, ['capture', '--home', 'out', '--frozen', '--json'])).code, 0);

  const inspected = await sallyport(folder, ['inspect', bundle, '--json']);
  assert.equal(inspected.code, 0, inspected.out);
  const verified = await sallyport(folder, ['verify', bundle, '--root', root, '--json']);
  assert.equal(verified.code, 0, verified.out);
  assert.match(JSON.stringify(verified.json), /one-person/);

  const noRoot = await sallyport(folder, ['admit', bundle, '--home', 'missing', '--json']);
  assert.equal(noRoot.code, 3);

  assert.equal((await sallyport(folder, ['init', '--home', 'in', '--site', 'high', '--json'])).code, 0);
  const unpinned = await sallyport(folder, ['admit', bundle, '--home', 'in', '--json']);
  assert.equal(unpinned.code, 3, unpinned.out);

  const admitted = await sallyport(folder, ['admit', bundle, '--root', root, '--home', 'in', '--json']);
  assert.equal(admitted.code, 0, admitted.out + admitted.err);
  assert.equal(admitted.json.verdict, 'admitted');
  assert.equal(typeof admitted.json.ledger.size, 'number');
  const checkpoint = (await readFile(join(folder, 'in', 'ledger', 'checkpoint'), 'utf8')).split('\n');
  assert.equal(checkpoint[1], String(admitted.json.ledger.size));
  assert.equal(checkpoint[2], admitted.json.ledger.root);

  const second = await sallyport(folder, ['admit', bundle, '--root', root, '--home', 'in', '--json']);
  assert.equal(second.code, 0);
  assert.equal(second.json.verdict, 'already-here');

  for (const home of ['out', 'in']) {
    const ledger = await sallyport(folder, ['ledger', 'verify', join(folder, home, 'ledger'), '--json']);
    assert.equal(ledger.code, 0, ledger.out);
  }
  const proved = await sallyport(folder, [
    'ledger',
    'prove',
    String(admitted.json.ledger.size - 1),
    '--home',
    'in',
    '--json',
  ]);
  assert.equal(proved.code, 0, proved.out);
});

test('every damaged, foreign or older bundle is refused by name and changes only ledger and refused', async (t) => {
  const folder = await temporaryFolder(t);
  const { root, bundle } = await outside(folder);
  assert.equal((await sallyport(folder, ['init', '--home', 'in', '--site', 'high', '--json'])).code, 0);
  const pinned = await sallyport(folder, ['trust', 'show', '--home', 'out', '--json']);
  const { fingerprint } = pinned.json.root;
  const wrong = await sallyport(folder, [
    'trust',
    'pin',
    root,
    '--fingerprint',
    '0'.repeat(64),
    '--home',
    'in',
    '--json',
  ]);
  assert.equal(wrong.code, 1, wrong.out);
  const pin = await sallyport(folder, ['trust', 'pin', root, '--fingerprint', fingerprint, '--home', 'in', '--json']);
  assert.equal(pin.code, 0, pin.out);

  const size = (await stat(bundle)).size;
  const bytes = await readFile(bundle);
  const cases: Record<string, (path: string) => Promise<void>> = {
    empty: (path) => writeFile(path, ''),
    foreign: (path) => writeFile(path, randomBytes(20_000)),
    'cut at half': async (path) => {
      await copyFile(bundle, path);
      await truncate(path, size >> 1);
    },
    'last block cut': async (path) => {
      await copyFile(bundle, path);
      await truncate(path, size - 512);
    },
    'one bit in the middle': (path) => writeFile(path, flip(bytes, size >> 1)),
    'one bit in the first header': (path) => writeFile(path, flip(bytes, 200)),
    'one bit near the end': (path) => writeFile(path, flip(bytes, size - 1500)),
    'something after the end': async (path) => {
      await copyFile(bundle, path);
      await appendFile(path, Buffer.alloc(512));
    },
    'twice in one file': (path) => writeFile(path, Buffer.concat([bytes, bytes])),
  };
  const before = await tree(join(folder, 'in'), ['ledger', 'refused']);
  const path = join(folder, 'bad.bundle');
  const codes = new Set<string>();
  for (const [name, make] of Object.entries(cases)) {
    await make(path);
    const refused = await sallyport(folder, ['admit', path, '--home', 'in', '--json']);
    assert.equal(refused.code, 1, `${name}: ${refused.out}${refused.err}`);
    assert.equal(refused.json.verdict, 'refused', name);
    assert.notEqual(refused.json.reasons.length, 0, name);
    for (const { code } of refused.json.reasons) codes.add(code);
    assert.equal((await sallyport(folder, ['verify', path, '--root', root, '--json'])).code, 1, name);
    assert.deepEqual(await tree(join(folder, 'in'), ['ledger', 'refused']), before, name);
  }

  const explained = await sallyport(folder, ['explain', '--json']);
  const known = new Set(explained.json.entries.map(({ code }: { code: string }) => code));
  for (const code of codes) assert.ok(known.has(code), code);

  await mkdir(join(folder, 'other'));
  const foreign = await outside(join(folder, 'other'));
  const byOther = await sallyport(folder, ['admit', foreign.bundle, '--home', 'in', '--json']);
  assert.equal(byOther.code, 1);
  assert.equal(byOther.json.verdict, 'refused');
  const rootOfOther = await sallyport(folder, [
    'admit',
    foreign.bundle,
    '--root',
    foreign.root,
    '--home',
    'in',
    '--json',
  ]);
  assert.equal(rootOfOther.code, 1, rootOfOther.out);
  assert.deepEqual(await tree(join(folder, 'in'), ['ledger', 'refused']), before);
  assert.equal((await sallyport(folder, ['ledger', 'verify', join(folder, 'in', 'ledger'), '--json'])).code, 0);

  const good = await sallyport(folder, ['admit', bundle, '--home', 'in', '--json']);
  assert.equal(good.code, 0, good.out);
});

test('what was admitted is served, also when the database was lost: the ledger and the store make it again', async (t) => {
  const folder = await temporaryFolder(t);
  const { root, bundle } = await outside(folder);
  assert.equal((await sallyport(folder, ['init', '--home', 'in', '--site', 'high', '--json'])).code, 0);
  assert.equal((await sallyport(folder, ['admit', bundle, '--root', root, '--home', 'in', '--json'])).code, 0);
  for (const name of ['state.db', 'state.db-wal', 'state.db-shm']) await rm(join(folder, 'in', name), { force: true });
  const { base, stop } = await serving(t, folder, 'in');
  const answer = await fetch(`${base}/files/files/hello.txt`);
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), 'hello\n');
  const missing = await fetch(`${base}/files/files/none.txt`);
  assert.equal(missing.status, 404);
  assert.match(await missing.text(), /No admitted bundle/);
  assert.equal(await stop(), 143);
});

test('two bundles are compared, and a frozen capture tells what differs', async (t) => {
  const folder = await temporaryFolder(t);
  const { bundle } = await outside(folder);
  await writeFile(join(folder, 'files', 'hello.txt'), 'hello again\n');
  const frozen = await sallyport(folder, ['capture', '--home', 'out', '--frozen', '--json']);
  assert.equal(frozen.code, 1, frozen.out);
  assert.equal((await sallyport(folder, ['capture', '--home', 'out', '--json'])).code, 0);
  const two = join(folder, 'two.bundle');
  assert.equal((await sallyport(folder, ['seal', '-o', two, '--home', 'out', '--json'])).code, 0);
  const diff = await sallyport(folder, ['diff', '--from', bundle, '--to', two, '--json']);
  assert.match(diff.out, /hello\.txt/);
  assert.ok(diff.code === 0 || diff.code === 1);
});

test('two admissions at once both end well', async (t) => {
  const folder = await temporaryFolder(t);
  const { root, bundle } = await outside(folder);
  assert.equal((await sallyport(folder, ['init', '--home', 'in', '--site', 'high', '--json'])).code, 0);
  const both = await Promise.all(
    [1, 2].map(() => sallyport(folder, ['admit', bundle, '--root', root, '--home', 'in', '--json'])),
  );
  assert.deepEqual(both.map(({ json }) => json.verdict).sort(), ['admitted', 'already-here']);
  assert.equal((await sallyport(folder, ['ledger', 'verify', join(folder, 'in', 'ledger'), '--json'])).code, 0);
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

test('a file that an input leads to is an input too', async (t) => {
  const folder = await temporaryFolder(t);
  await project(folder);
  await appendFile(join(folder, 'sallyport.yaml'), '  - npm: package-lock.json\n');
  const packages = {
    '': { name: 'shop', workspaces: ['part'] },
    'node_modules/part': { resolved: 'part', link: true },
    part: { version: '1.0.0' },
  };
  const lock = { name: 'shop', lockfileVersion: 3, requires: true, packages };
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock));
  await mkdir(join(folder, 'part'));
  await writeFile(join(folder, 'part', 'package.json'), '{"name":"part","version":"1.0.0"}');
  assert.equal((await sallyport(folder, ['init', '--home', 'out', '--site', 'low', '--json'])).code, 0);
  const capture = ['capture', '--home', 'out', '--json'];
  const first = await sallyport(folder, capture);
  assert.equal(first.code, 0, first.out + first.err);
  assert.equal((await sallyport(folder, [...capture, '--frozen'])).code, 0);
  const before = await readFile(join(folder, 'sallyport.lock'), 'utf8');
  assert.equal((await sallyport(folder, capture)).code, 0);
  assert.equal(await readFile(join(folder, 'sallyport.lock'), 'utf8'), before);

  await writeFile(join(folder, 'part', 'package.json'), '{"name":"part","version":"1.0.1"}');
  const frozen = await sallyport(folder, [...capture, '--frozen']);
  assert.equal(frozen.code, 1);
  assert.match(frozen.out, /part\/package\.json/);
  assert.equal((await sallyport(folder, capture)).code, 0);
  assert.equal((await sallyport(folder, [...capture, '--frozen'])).code, 0);
});
