import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from '#system/testing';
import { launcher, sallyport } from './sallyport.ts';

// What is said wrongly, and what is not there: exit codes and shapes that scripts outside rely on.

const run = promisify(execFile);

test('wrong words are 2, and a fault is one JSON document', async (t) => {
  const folder = await temporaryFolder(t);
  for (const words of [
    ['teleport'],
    ['seal', '--fast'],
    ['inspect'],
    ['ledger', 'prove', 'first'],
    ['diff', '--from', 'a'],
  ]) {
    const said = await sallyport(folder, [...words, '--json']);
    assert.equal(said.code, 2, `${words.join(' ')}: ${said.out}${said.err}`);
    assert.deepEqual(Object.keys(said.json.fault), ['code', 'message', 'fix', 'where'], words.join(' '));
    assert.equal((await sallyport(folder, words)).out, '', `${words.join(' ')}: stdout is for data`);
  }
});

test('help says of each command what it does', async (t) => {
  const { out } = await sallyport(await temporaryFolder(t), ['help']);
  assert.match(out, /^ {2}policy /m);
  assert.doesNotMatch(out, /^ {2}[a-z-]+$/m);
});

test('what is not there is 3 and says what to do', async (t) => {
  const folder = await temporaryFolder(t);
  for (const words of [
    ['inspect', 'missing.bundle'],
    ['capture'],
    ['seal', '-o', 'x.bundle'],
    ['trust', 'show'],
    ['ledger', 'verify', 'missing'],
    ['serve'],
  ]) {
    const said = await sallyport(folder, [...words, '--json']);
    assert.ok([2, 3].includes(said.code), `${words.join(' ')}: ${said.code} ${said.out}${said.err}`);
    const { code, fix } = said.json.fault;
    assert.notEqual(fix, '', words.join(' '));
    assert.equal((await sallyport(folder, ['explain', code])).code, 0, code);
  }
});

test('a file that is no bundle is judged, not a fault', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'empty'), '');
  await writeFile(join(folder, 'text'), 'hello\n');
  for (const name of ['empty', 'text']) {
    const said = await sallyport(folder, ['inspect', name, '--json']);
    assert.equal(said.code, 1, said.out + said.err);
    assert.equal(said.json.verdict, 'refused');
  }
});

test('a project file that is wrong is 2 and names line and column', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(
    join(folder, 'sallyport.yaml'),
    'sallyport: "1.0"\nname: x\ntargets:\n  a: { os: linux, arch: amd64 }\ninput:\n  - files: x\n',
  );
  const said = await sallyport(folder, ['capture', '--json']);
  assert.equal(said.code, 2, said.out + said.err);
  assert.match(said.json.fault.where, /sallyport\.yaml:5:1/);
  assert.match(said.json.fault.fix, /inputs/);
});

test('the launcher is found through links, from anywhere, whatever NODE_OPTIONS says', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'bin'));
  await symlink(launcher, join(folder, 'bin', 'first'));
  await symlink('first', join(folder, 'bin', 'sallyport'));
  const env = { ...process.env, NODE_OPTIONS: '--require ./not-there.js', NODE_PATH: '/nowhere' };
  const { stdout } = await run(join(folder, 'bin', 'sallyport'), ['--version'], { cwd: folder, env });
  assert.match(stdout, /^\d+\.\d+\.\d+/);
});

test('a reader that goes away is no error', async (t) => {
  const folder = await temporaryFolder(t);
  const child = spawn('sh', ['-c', '"$1" explain | head -n 1; "$1" explain > /dev/full', 'sh', launcher], {
    cwd: folder,
  });
  let err = '';
  child.stderr.on('data', (piece: Buffer) => (err += piece.toString()));
  child.stdout.resume();
  await new Promise((resolve) => child.on('close', resolve));
  assert.doesNotMatch(err, /EPIPE/);
});
