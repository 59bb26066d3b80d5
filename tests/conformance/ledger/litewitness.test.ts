// litewitness of torchwood, a C2SP witness that we did not write, cosigns our logs: as they grow, after kills, and never a
// rewound or forked one. No registry has it built: SALLYPORT_LITEWITNESS names the program, or this is skipped.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { encodeBase64, isProblem, openNote, parseVkey } from '#formats';
import { openLog, parseLedgerVkey, readLedger } from '#ledger';
import { testSigner } from '#ledger/testing';
import { findProgram, lastWords, nodeFiles, runProcess, runtimeEnvironment } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';

const program = process.env['SALLYPORT_LITEWITNESS'] ?? '';
const agent = await findProgram('ssh-agent', process.env);
const keygen = await findProgram('ssh-keygen', process.env);
const add = await findProgram('ssh-add', process.env);
const skip =
  program === '' || !existsSync(program)
    ? skipped('litewitness', 'SALLYPORT_LITEWITNESS names no program: it has to be built by hand')
    : agent === undefined || keygen === undefined || add === undefined
      ? skipped('litewitness', 'it signs by ssh-agent, which is not on this machine')
      : false;

const signer = testSigner();
const vkey = parseLedgerVkey(signer.vkey);
assert(!isProblem(vkey));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  assert(address !== null && typeof address === 'object');
  return address.port;
}

function started(
  t: TestContext,
  command: string,
  args: readonly string[],
): { child: ChildProcess; said: () => string } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill();
    await new Promise((done) => child.once('close', done));
  });
  return { child, said: () => text };
}

async function until<T>(look: () => T | undefined, what: () => string): Promise<T> {
  for (let i = 0; i < 600; i++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`waited in vain: ${what()}`);
}

/** A witness on loopback that knows one log and has seen nothing of it. */
async function witness(t: TestContext, folder: string) {
  const env = runtimeEnvironment(process.env);
  const run = async (command: string, args: readonly string[], more = {}): Promise<string> => {
    const ended = await runProcess(command, args, { env: { ...env, ...more } });
    assert.equal(ended.code, 0, lastWords(ended));
    return ended.stdout;
  };
  await run(keygen ?? '', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')]);
  const fingerprint = (await run(keygen ?? '', ['-l', '-f', join(folder, 'key')])).split(' ')[1] ?? '';
  const socket = join(folder, 'agent');
  const running = started(t, agent ?? '', ['-D', '-a', socket]);
  await until(() => (existsSync(socket) ? true : undefined), running.said);
  await run(add ?? '', ['-q', join(folder, 'key')], { SSH_AUTH_SOCK: socket });

  const database = join(folder, 'witness.db');
  const db = new DatabaseSync(database);
  db.exec('CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL)');
  db.exec('CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin))');
  const nothing = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';
  db.prepare('INSERT INTO log VALUES (?, 0, ?)').run(signer.name, nothing);
  db.prepare('INSERT INTO key VALUES (?, ?)').run(signer.name, signer.vkey);
  db.close();
  const address = `127.0.0.1:${await freePort()}`;
  const args = ['-name', 'witness.example.test/one', '-db', database, '-ssh-agent', socket, '-listen', address];
  const lite = started(t, program, [...args, '-key', fingerprint]);
  const line = await until(
    () => (lite.said().includes('listening') ? /vkey="?([^"\s]+)/.exec(lite.said())?.[1] : undefined),
    lite.said,
  );
  const key = parseVkey(line);
  assert(!isProblem(key));
  return {
    key,
    async ask(request: string): Promise<{ status: number; body: string }> {
      const response = await fetch(`http://${address}/add-checkpoint`, { method: 'POST', body: request });
      return { status: response.status, body: await response.text() };
    },
  };
}

async function requestOf(folder: string, from: number): Promise<{ request: string; checkpoint: string; size: number }> {
  assert(!isProblem(vkey));
  const view = await readLedger(nodeFiles, folder, vkey);
  const proof = from === 0 || from >= view.size ? [] : await view.proveConsistency(from);
  const checkpoint = Buffer.from(view.checkpoint).toString('utf8');
  const lines = [`old ${from}`, ...proof.map((hash) => encodeBase64(hash)), ''];
  return { request: `${lines.join('\n')}\n${checkpoint}`, checkpoint, size: view.size };
}

test('litewitness cosigns our log as it grows and after every kill, and neither a rewound nor a forked one', async (t) => {
  if (skip !== false) return t.skip(skip);
  const root = await temporaryFolder(t);
  const folder = `${root}/ledger`;
  const lite = await witness(t, root);
  used('litewitness', 'torchwood', 'built by hand');
  let seen = 0;
  const cosigned = async (): Promise<void> => {
    const { request, checkpoint, size } = await requestOf(folder, seen);
    const { status, body } = await lite.ask(request);
    assert.equal(status, 200, body);
    // Its cosignature holds by our reader, under the checkpoint that it was asked about.
    const note = openNote(Buffer.from(checkpoint + body), [vkey, lite.key]);
    assert(!isProblem(note), 'detail' in note ? note.detail : '');
    assert.equal(note.signers.length, 2);
    seen = size;
  };
  const grow = async (count: number): Promise<void> => {
    const ledger = await openLog(nodeFiles, folder, signer, { now: () => Date.now() });
    await Promise.all(Array.from({ length: count }, (_, i) => ledger.appendEntry(Buffer.from(`${seen} ${i}`))));
    await ledger.close();
  };
  for (const count of [1, 1, 253, 1, 1, 255, 300]) {
    await grow(count);
    await cosigned();
  }
  await cp(folder, `${root}/older`, { recursive: true });

  for (let round = 0; round < 5; round++) {
    const writer = spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((done) => writer.stdout.once('data', done));
    writer.stdout.resume();
    await new Promise((done) => setTimeout(done, 30 + round * 41));
    writer.kill('SIGKILL');
    await new Promise((done) => writer.once('close', done));
    await cosigned();
  }

  const replay = await lite.ask((await requestOf(`${root}/older`, 0)).request);
  assert.deepEqual([replay.status, replay.body], [409, `${seen}\n`], 'an older size');
  // The copy goes on by itself, to the size that was seen: another history.
  const forked = await openLog(nodeFiles, `${root}/older`, signer, { now: () => Date.now() });
  await Promise.all(
    Array.from({ length: seen - forked.size }, (_, i) => forked.appendEntry(Buffer.from(`another ${i}`))),
  );
  await forked.close();
  assert.equal((await lite.ask((await requestOf(`${root}/older`, seen)).request)).status, 422, 'a fork');
  const { request } = await requestOf(folder, seen);
  const key = encodeBase64(Buffer.alloc(68, 1));
  const foreign = await lite.ask(request.replace(/(\u2014 \S+) \S+\n$/, `$1 ${key}\n`));
  assert.equal(foreign.status, 403, 'signed by nobody');
});
