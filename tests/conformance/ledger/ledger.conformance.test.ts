import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { isProblem } from '#formats';
import type { Clock, Files } from '#kernel';
import { type Ledger, openLog, parseLedgerVkey, verifyLedger } from '#ledger';
import { forgeries, forgerySigner, powerCutFiles, testSigner, writeForgeryBase } from '#ledger/testing';
import { nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';

/**
 * Our logs before judges that we did not write: golang.org/x/mod sumdb/note + sumdb/tlog, and Tessera's fsck package.
 * The program is built once a version into a cache.
 */
const here = import.meta.dirname;
const clock: Clock = { now: () => Date.now() };
const signer = testSigner();
const vkey = parseLedgerVkey(signer.vkey);
assert(!isProblem(vkey));

let judge = '';
let skip: string | false = false;

interface Ran {
  readonly code: number | string;
  readonly out: string;
}

function run(command: string, args: readonly string[], cwd = here): Promise<Ran> {
  return new Promise((done) => {
    execFile(command, args, { cwd, timeout: 300_000 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : (error.code ?? 'killed'), out: `${stdout}${stderr}` });
    });
  });
}

before(async () => {
  const hash = createHash('sha256');
  for (const name of ['go.mod', 'go.sum', 'main.go']) hash.update(readFileSync(join(here, name)));
  const modules = join(here, '../../../node_modules');
  const cache = join(existsSync(modules) ? join(modules, '.cache') : tmpdir(), 'sallyport-ledger-judge');
  const path = join(cache, hash.digest('hex').slice(0, 16));
  if (!existsSync(path)) {
    const go = await run('go', ['version']);
    if (go.code !== 0) {
      skip = skipped('golang.org/x/mod and tessera fsck', 'no Go on this machine to build the judges');
      return;
    }
    await mkdir(cache, { recursive: true });
    const made = await run('go', ['build', '-trimpath', '-o', `${path}.${process.pid}`, '.']);
    if (made.code !== 0 && /dial tcp|no such host|i\/o timeout|lookup disabled|Forbidden|Not Found/.test(made.out)) {
      const why = `no Go modules of the judges here: ${made.out.trim().split('\n').at(-1)}`;
      skip = skipped('golang.org/x/mod and tessera fsck', why);
      return;
    }
    assert.equal(made.code, 0, made.out);
    await rename(`${path}.${process.pid}`, path);
  }
  judge = path;
  used('golang.org/x/mod sumdb/note, sumdb/tlog', '0.42.0', 'Go module');
  used('tessera fsck', '1.0.4', 'Go module');
});

const JUDGES = ['xmod', 'fsck'] as const;

async function accepted(folder: string, key = signer.vkey): Promise<void> {
  for (const name of JUDGES) {
    const { code, out } = await run(judge, [name, folder, key]);
    assert.equal(code, 0, `${name}: ${out}`);
  }
}

test('logs of every interesting size are accepted by x/mod and by fsck', async (t) => {
  if (skip !== false) return t.skip(skip);
  const folder = `${await temporaryFolder(t)}/ledger`;
  const ledger = await openLog(nodeFiles, folder, signer, clock);
  for (const size of [1, 2, 3, 255, 256, 257, 511, 512, 513, 1000]) {
    await Promise.all(
      Array.from({ length: size - ledger.size }, (_, i) => ledger.appendEntry(Buffer.from(`entry ${size} ${i}`))),
    );
    assert.equal(ledger.size, size);
    await accepted(folder);
  }
  await ledger.append({
    predicateType: 'sallyport/sealed/v1',
    subject: [{ name: 'a bundle', digest: { sha256: 'aa'.repeat(32) } }],
    predicate: {},
  });
  await ledger.close();
  await accepted(folder);
});

test('a log with tiles of level 2 is accepted by fsck and by ours', async (t) => {
  if (skip !== false) return t.skip(skip);
  const folder = `${await temporaryFolder(t)}/ledger`;
  const ledger = await openLog(nodeFiles, folder, signer, clock);
  await Promise.all(Array.from({ length: 65_800 }, (_, i) => ledger.appendEntry(Buffer.from(`entry ${i}`))));
  await ledger.close();
  const { code, out } = await run(judge, ['fsck', folder, signer.vkey]);
  assert.equal(code, 0, out);
  assert.equal((await verifyLedger(nodeFiles, folder, vkey)).verdict, 'verified');
});

test('our proofs are verified by x/mod, and not for another entry', async (t) => {
  if (skip !== false) return t.skip(skip);
  const root = await temporaryFolder(t);
  const ledger = await openLog(nodeFiles, `${root}/ledger`, signer, clock);
  await Promise.all(Array.from({ length: 300 }, (_, i) => ledger.appendEntry(Buffer.from(`entry ${i}`))));
  for (const index of [0, 1, 127, 255, 256, 298, 299]) {
    await writeFile(`${root}/proof`, await ledger.prove(index));
    await writeFile(`${root}/entry`, `entry ${index}`);
    const right = await run(judge, ['proof', root, signer.vkey, `${root}/proof`, `${root}/entry`]);
    assert.equal(right.code, 0, right.out);
    await writeFile(`${root}/entry`, `entry ${index + 1}`);
    const wrong = await run(judge, ['proof', root, signer.vkey, `${root}/proof`, `${root}/entry`]);
    assert.equal(wrong.code, 1, wrong.out);
  }
  await ledger.close();
});

test('after kill -9 of a writer, at any moment, both judges accept what a reader finds', async (t) => {
  if (skip !== false) return t.skip(skip);
  const folder = `${await temporaryFolder(t)}/ledger`;
  let size = 0;
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, [join(here, 'writer.ts'), folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    let acknowledged = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString('utf8').split('\n')) if (line !== '') acknowledged = Number(line);
    });
    await new Promise((done) => child.stdout.once('data', done));
    await new Promise((done) => setTimeout(done, 20 + round * 37));
    child.kill('SIGKILL');
    await new Promise((done) => child.once('close', done));
    // Killed before its first checkpoint: nothing was reported, and there is nothing to judge.
    if (acknowledged === 0 && size === 0) continue;
    await accepted(folder);
    const report = await verifyLedger(nodeFiles, folder, vkey);
    assert.deepEqual(report.reasons, []);
    assert(report.size >= acknowledged && report.size >= size, `${report.size} < ${acknowledged}`);
    size = report.size;
  }
  t.diagnostic(`${size} entries`);
});

/** Copies a log out of a file system in memory, so that programs can read it. */
async function lay(files: Files, from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const { name, kind } of await files.list(from)) {
    if (kind === 'folder') await lay(files, `${from}/${name}`, `${to}/${name}`);
    else await writeFile(`${to}/${name}`, await files.read(`${from}/${name}`, 64 * 1024 * 1024));
  }
}

const FOLDER = '/home/ledger';

/** Opens as after a new start of the machine: the lock of the process that wrote before belongs to no one. */
async function reopened(files: Files): Promise<Ledger> {
  const state = `${FOLDER}/state`;
  const names = (await files.look(state)) === undefined ? [] : await files.list(state);
  for (const { name } of names) if (/^lock\.\d+$/.test(name)) await files.remove(`${state}/${name}`);
  return openLog(files, FOLDER, signer, clock, { wait: 0 });
}

for (const [kind, plan] of [
  ['a power cut that loses whatever was not flushed', undefined],
  ['a process that ends', { mode: 'crash', torn: true }],
  ['a full disk', { mode: 'error', torn: true, code: 'ENOSPC' }],
] as const) {
  test(`after ${kind}, at every call of an append, both judges accept what is there, and what it becomes`, async (t) => {
    if (skip !== false) return t.skip(skip);
    const root = await temporaryFolder(t);
    const good = powerCutFiles(0);
    await good.makeFolder('/home');
    await good.syncFolder('/');
    const first = await reopened(good);
    // The append leaps over the end of a tile.
    await Promise.all(Array.from({ length: 254 }, (_, i) => first.appendEntry(Buffer.from(`before ${i}`))));
    await first.close();
    const folders: string[] = [];
    for (let failAt = 1; ; failAt++) {
      const under = good.survivors(() => true, plan === undefined ? failAt : 0);
      const faulty = plan === undefined ? undefined : faultyFiles(under, { failAt, ...plan });
      const files = faulty ?? under;
      let ended = true;
      try {
        const ledger = await reopened(files);
        const names = Array.from({ length: 5 }, (_, i) => `entry ${i}`);
        const answers = await Promise.allSettled(names.map((name) => ledger.appendEntry(Buffer.from(name))));
        ended = answers.every(({ status }) => status === 'fulfilled');
        await ledger.close();
      } catch {
        ended = false;
      }
      const disk = under.survivors(() => plan !== undefined, 0);
      await lay(disk, FOLDER, `${root}/${failAt}`);
      const again = await reopened(disk);
      await again.appendEntry(Buffer.from('after'));
      await again.close();
      await lay(disk, FOLDER, `${root}/${failAt}-after`);
      folders.push(`${root}/${failAt}`, `${root}/${failAt}-after`);
      // Some calls may fail without harm; what ends the round is a fault that was not met.
      if (faulty === undefined ? ended : faulty.failed() === undefined) break;
    }
    const { code, out } = await run(judge, ['every', signer.vkey, ...folders]);
    assert.equal(code, 0, out);
    assert.ok(folders.length > 40, `${folders.length} logs`);
    t.diagnostic(`${folders.length} logs`);
  });
}

test('the judges refuse what ours refuses, but for what C2SP leaves to the reader', async (t) => {
  if (skip !== false) return t.skip(skip);
  const root = await temporaryFolder(t);
  await writeForgeryBase(`${root}/good`);
  await accepted(`${root}/good`, forgerySigner.vkey);
  const wider: string[] = [];
  for (const [i, { name, others, forge }] of forgeries.entries()) {
    const folder = `${root}/${i}`;
    await cp(`${root}/good`, folder, { recursive: true });
    await forge(folder);
    // A named pipe would hold a reader that opens whatever is there.
    if (name.includes('pipe')) continue;
    const codes = await Promise.all(JUDGES.map((judged) => run(judge, [judged, folder, forgerySigner.vkey])));
    const accepting = JUDGES.filter((_, j) => codes[j]?.code === 0);
    if (accepting.length === 0) continue;
    wider.push(`${name}: ${accepting.join(', ')}`);
    assert.equal(others, 'may accept', `${name} is accepted by ${accepting.join(', ')}`);
    await rm(folder, { recursive: true });
  }
  t.diagnostic(`${forgeries.length} forgeries; accepted by others: ${wider.length === 0 ? 'none' : wider.join('; ')}`);
});
