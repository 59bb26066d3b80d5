import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findProgram, isAlive, runProcess } from '#system';
import { skipped, used } from '../../components.ts';
import { launcher, smallProject, whyNoEnclave } from './small-project.ts';

const why = await whyNoEnclave();

interface Said {
  readonly code: number | null;
  // oxlint-disable-next-line no-explicit-any
  readonly json: any;
  readonly stderr: string;
}

async function sallyport(cwd: string, ...args: string[]): Promise<Said> {
  const env = process.env as Record<string, string>;
  const at = args.includes('--') ? args.indexOf('--') : args.length;
  const words = [...args.slice(0, at), '--json', ...args.slice(at)];
  const ended = await runProcess(launcher, words, { cwd, env, keep: 64 * 1024 * 1024, timeout: 180_000 });
  const json: unknown = ended.stdout === '' ? undefined : JSON.parse(ended.stdout);
  return { code: ended.code, json, stderr: ended.stderr };
}

describe('an enclave that is kept', { skip: why !== false && skipped('namespaces', why) }, () => {
  let base = '';
  let folder = '';
  let pid = 0;

  async function keep(...more: string[]): Promise<void> {
    const { code, json, stderr } = await sallyport(folder, 'rehearse', '--keep', ...more);
    assert.equal(code, 0, JSON.stringify(json?.reasons ?? json) + stderr);
    assert.equal(json.kept.name, 'small');
  }

  before(async () => {
    if (why !== false) return;
    base = await mkdtemp(join(tmpdir(), 'sallyport-kept-'));
    // A name that a shell and a short socket path would stumble over.
    folder = join(base, `-it's a "project" – проект ${'x'.repeat(120)}`);
    await mkdir(folder);
    await smallProject(folder);
    await keep();
  });
  after(async () => {
    if (why !== false) return;
    await sallyport(folder, 'enclave', 'stop');
    await rm(base, { recursive: true, force: true });
  });

  test('can be listed, also from below, and a second rehearsal is told of it', async () => {
    const listed = await sallyport(join(folder, 'data'), 'enclave', 'list');
    const [one] = listed.json.enclaves;
    pid = one.pid;
    assert.deepEqual([listed.code, one.name, one.project], [0, 'small', folder]);
    assert.deepEqual(
      one.services.map(({ name, state }: { name: string; state: string }) => [name, state]),
      [
        ['back', 'ready'],
        ['front', 'ready'],
      ],
    );
    assert.ok(one.machines.includes('user'));
    assert.equal((await stat(join(folder, '.sallyport', 'enclaves', 'small'))).mode & 0o777, 0o700);
    const second = await sallyport(folder, 'rehearse');
    assert.deepEqual([second.code, second.json.fault.code], [3, 'rehearse.running']);
    assert.match(second.json.fault.fix, /enclave stop/);
  });

  test('runs what a user tries: what is declared works, all else is blocked, recorded and shown', async () => {
    const asked = await sallyport(folder, 'enclave', 'shell', '--', 'curl', '-s', 'http://front:8000/');
    assert.deepEqual([asked.code, asked.json.stdout, asked.json.attempts], [0, 'behind', []]);
    const out = await sallyport(
      folder,
      ...['enclave', 'shell', '--', 'curl', '-sS', '-m', '5', 'https://registry.example.test/package'],
    );
    assert.deepEqual([out.code, out.json.verdict], [1, 'failed']);
    const call = out.json.attempts.find(({ kind }: { kind: string }) => kind === 'call');
    assert.deepEqual([call.from, call.serverName, call.port], ['user', 'registry.example.test', 443]);
    const from = await sallyport(folder, 'enclave', 'shell', '--machine', 'front', '--', 'sh', '-c', 'exit 7');
    assert.deepEqual([from.code, from.json.machine, from.json.code], [1, 'front', 7]);
    const nobody = await sallyport(folder, 'enclave', 'shell', '--machine', 'frnt', '--', 'true');
    assert.deepEqual([nobody.code, nobody.json.fault.code], [2, 'enclave.machine']);
    const none = await sallyport(folder, 'enclave', 'shell');
    assert.deepEqual([none.code, none.json.fault.code], [2, 'enclave.no-command']);
  });

  test('shows what services wrote, and nothing else', async () => {
    const logs = await sallyport(folder, 'enclave', 'logs', 'back');
    assert.equal(logs.code, 0);
    assert.match(logs.json.text, /: started\nasked \/\n/);
    const unknown = await sallyport(folder, 'enclave', 'logs', '../report');
    assert.deepEqual([unknown.code, unknown.json.fault.code], [2, 'enclave.machine']);
  });

  test('gives its packets, which another program reads', async (t) => {
    const file = join(folder, 'packets.pcap');
    const capturing = sallyport(folder, 'enclave', 'capture', '-o', file, '--machine', 'user', '--seconds', '10');
    let over = false;
    const all = capturing.finally(() => (over = true));
    // Once it captures, an attempt is among the packets; how long that takes is the machine's.
    while (!over) await sallyport(folder, 'enclave', 'shell', '--', 'curl', '-s', '-m', '3', 'http://203.0.113.9:81/');
    const { code, json } = await all;
    assert.equal(code, 0, JSON.stringify(json));
    assert.ok(json.packets > 0, JSON.stringify(json));
    const again = await sallyport(folder, 'enclave', 'capture', '-o', file, '--seconds', '1');
    assert.deepEqual([again.code, again.json.fault.code], [3, 'enclave.exists']);
    const bytes = await readFile(file);
    // libpcap, microseconds, this machine's byte order, Ethernet.
    assert.deepEqual([bytes.readUInt32LE(0).toString(16), bytes.readUInt32LE(20) & 0xffff], ['a1b2c3d4', 1]);
    const tshark = await findProgram('tshark', process.env);
    if (tshark === undefined) return t.skip(skipped('tshark', 'it is not on this machine'));
    const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', HOME: folder };
    const read = await runProcess(
      tshark,
      ['-r', file, '-Y', 'tcp.flags.syn==1 && tcp.dstport==81', '-T', 'fields', '-e', 'ip.dst'],
      { env },
    );
    assert.equal(read.code, 0, read.stderr);
    assert.deepEqual([...new Set(read.stdout.trim().split('\n'))], ['203.0.113.9']);
    used('tshark', 'reads what enclave capture writes');
  });

  test('gives a person a terminal', async (t) => {
    const script = await findProgram('script', process.env);
    if (script === undefined) return t.skip(skipped('script', 'it is not on this machine'));
    // A terminal for the command, which takes it for a person's.
    const words = `stty columns 97 rows 31; '${launcher}' enclave shell --machine front`;
    const child = spawn(script, ['-qec', words, '/dev/null'], {
      cwd: folder,
      env: { ...process.env, TERM: 'xterm-256color' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const text = heard(child);
    await until(() => text().includes('front$ '));
    child.stdin.write('stty size; echo "term=$TERM"; curl -s -m 3 http://203.0.113.5:82/; echo now; sleep 100\n');
    await until(() => /^now\r/m.test(text()));
    // Ctrl-C is for what runs there, and not for the command here.
    child.stdin.write('\u0003');
    await until(() => (text().match(/front\$ /g) ?? []).length >= 2);
    child.stdin.write('exit\n');
    await new Promise((resolve) => child.once('close', resolve));
    assert.match(text(), /^31 97\r/m);
    assert.match(text(), /^term=xterm-256color\r/m);
    assert.match(text(), /front .*called 203\.0\.113\.5:82\/tcp/);
  });

  test('is stopped by one word; who follows a log sees its end', async (t) => {
    const child = spawn(launcher, ['enclave', 'logs', 'back', '--follow'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const text = heard(child);
    await until(() => text().includes('asked /'));
    const before = text().length;
    await sallyport(folder, 'enclave', 'shell', '--', 'curl', '-s', 'http://front:8000/');
    await until(() => text().slice(before).includes('asked /'));
    const ended = new Promise((resolve) => child.once('close', resolve));
    const stopped = await sallyport(folder, 'enclave', 'stop');
    assert.deepEqual([stopped.code, stopped.json.stopped], [0, ['small']]);
    assert.equal(await ended, 0);
    assert.equal(isAlive(pid), false);
    assert.deepEqual(await readdir(join(folder, '.sallyport', 'enclaves')), []);
    assert.equal(existsSync(join(folder, '.sallyport', 'work')), false);
    assert.deepEqual((await sallyport(folder, 'enclave', 'list')).json, { enclaves: [] });
    const late = await sallyport(folder, 'enclave', 'shell', '--', 'true');
    assert.deepEqual([late.code, late.json.fault.code], [3, 'enclave.none']);
  });

  test('ends when its time is over, and one whose keeper was killed is no longer there', async () => {
    const wrong = await sallyport(folder, 'rehearse', '--keep', '--keep-for', 'ever');
    assert.deepEqual([wrong.code, wrong.json.fault.code], [2, 'rehearse.age']);
    await keep('--keep-for', '5s');
    await until(() => !existsSync(join(folder, '.sallyport', 'rehearsal.lock')));
    assert.deepEqual(await readdir(join(folder, '.sallyport', 'enclaves')), []);

    await keep();
    const [killed] = (await sallyport(folder, 'enclave', 'list')).json.enclaves;
    process.kill(killed.pid, 'SIGKILL');
    await until(() => !isAlive(killed.pid));
    assert.deepEqual(await readdir(join(folder, '.sallyport', 'enclaves')), ['small']);
    assert.deepEqual((await sallyport(folder, 'enclave', 'list')).json, { enclaves: [] });
    assert.deepEqual(await readdir(join(folder, '.sallyport', 'enclaves')), []);
    // And nothing of it is in the way.
    const third = await sallyport(folder, 'rehearse');
    assert.equal(third.code, 0, JSON.stringify(third.json?.reasons ?? third.json));
  });
});

function heard(child: ChildProcess): () => string {
  let text = '';
  child.stdout?.on('data', (piece: Buffer) => (text += piece.toString()));
  return () => text;
}

async function until(what: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!what()) {
    assert.ok(Date.now() < end, 'it took too long');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
