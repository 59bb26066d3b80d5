import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isFault } from '#kernel';
import { debianTools } from '#system';
import { skipped, used } from '../../components.ts';
import { emptyHome, filesOf, serveProcess } from './inside.ts';

// `sallyport serve` as a command: what it prints, how it ends, whom it lets in.

const COMMAND = fileURLToPath(new URL('../../../sallyport', import.meta.url));
let folder: string;
let home: Awaited<ReturnType<typeof emptyHome>>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data/a'), 'content');
  home = await emptyHome(join(folder, 'home'));
  home.publish(await filesOf(home, folder, 'data'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function run(command: string, ...args: string[]): Promise<{ code: number; out: string; problem: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
  let [out, problem] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (problem += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, out, problem };
}

test('one document when it listens, a clean end at a signal, and the journal written', async () => {
  const served = await serveProcess(home.path);
  assert.match(served.base, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(await (await fetch(`${served.base}/files/data/a`)).text(), 'content');
  assert.ok([0, 143].includes(await served.stop()));
  assert.match(await readFile(join(home.path, 'served.jsonl'), 'utf8'), /"path":"\/files\/data\/a".*"whole":true/);
});

test('two depots over one home serve at once; a port in use is a fault', async () => {
  const one = await serveProcess(home.path);
  const two = await serveProcess(home.path);
  assert.equal((await fetch(`${two.base}/files/data/a`)).status, 200);
  const third = await run(COMMAND, 'serve', '--json', '--home', home.path, '--listen', new URL(one.base).host);
  assert.deepEqual(
    [third.code, (JSON.parse(third.out) as { fault: { code: string } }).fault.code],
    [3, 'depot.cannot-listen'],
  );
  await one.stop();
  await two.stop();
});

test('a second depot keeps a journal of its own where it is told to', async () => {
  const before = await readFile(join(home.path, 'served.jsonl'), 'utf8').catch(() => '');
  const served = await serveProcess(home.path, '--journal', join(folder, 'elsewhere'));
  assert.equal((await fetch(`${served.base}/files/data/a`)).status, 200);
  await served.stop();
  assert.match(await readFile(join(folder, 'elsewhere', 'served.jsonl'), 'utf8'), /"path":"\/files\/data\/a"/);
  assert.equal(await readFile(join(home.path, 'served.jsonl'), 'utf8').catch(() => ''), before);
});

test('beyond this machine only with a certificate and tokens, unless told otherwise', async () => {
  const open = await run(COMMAND, 'serve', '--json', '--home', home.path, '--listen', '0.0.0.0:0');
  assert.deepEqual(
    [open.code, (JSON.parse(open.out) as { fault: { code: string } }).fault.code],
    [2, 'depot.open-to-others'],
  );
  const half = await run(COMMAND, 'serve', '--json', '--home', home.path, '--tls-cert', 'x');
  assert.equal(half.code, 2);
  await writeFile(join(folder, 'bad'), 'short', { mode: 0o600 });
  const bad = await run(COMMAND, 'serve', '--json', '--home', home.path, '--token-file', join(folder, 'bad'));
  assert.deepEqual(
    [bad.code, (JSON.parse(bad.out) as { fault: { code: string } }).fault.code],
    [3, 'depot.tokens-malformed'],
  );
  await chmod(join(folder, 'bad'), 0o644);
  const readable = await run(COMMAND, 'serve', '--json', '--home', home.path, '--token-file', join(folder, 'bad'));
  assert.equal((JSON.parse(readable.out) as { fault: { code: string } }).fault.code, 'depot.tokens-open');
});

test('with a certificate and tokens: who has none is asked for one, and names stand in the journal', async (t) => {
  let tools;
  try {
    tools = await debianTools(['openssl', 'curl'], { env: process.env });
  } catch (error) {
    if (!isFault(error)) throw error;
    return t.skip(skipped('openssl, curl', error.message));
  }
  const [openssl, curl] = [tools.openssl.path, tools.curl.path];
  used('openssl', (await run(openssl, 'version')).out.split(' ')[1] ?? '');
  used('curl', (await run(curl, '--version')).out.split(' ')[1] ?? '');
  const [cert, key, tokens] = [join(folder, 'cert.pem'), join(folder, 'key.pem'), join(folder, 'tokens')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = await run(
    openssl,
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
  );
  assert.equal(made.code, 0, made.problem);
  await writeFile(tokens, 'ci-1 0123456789abcdef\n', { mode: 0o600 });
  const served = await serveProcess(home.path, '--tls-cert', cert, '--tls-key', key, '--token-file', tokens);
  assert.match(served.base, /^https:/);
  const get = (...args: string[]) => run(curl, '-sS', '-w', '%{http_code}', '--cacert', cert, ...args);
  assert.match((await get(`${served.base}/files/data/a`)).out, /401$/);
  assert.match((await get(`${served.base}/v2/`)).out, /"UNAUTHORIZED".*401$/);
  assert.match((await get('-H', 'Authorization: Bearer wrong-token-wrong', `${served.base}/files/data/a`)).out, /401$/);
  assert.equal(
    (await get('-H', 'Authorization: Bearer 0123456789abcdef', `${served.base}/files/data/a`)).out,
    'content200',
  );
  assert.equal((await get('-u', 'x:0123456789abcdef', `${served.base}/files/data/a`)).out, 'content200');
  await served.stop();
  const journal = await readFile(join(home.path, 'served.jsonl'), 'utf8');
  assert.match(journal, /"token":"ci-1"/);
  assert.doesNotMatch(journal, /0123456789abcdef/);
});

test('client-config knows a client of every ecosystem', async () => {
  const all = await run(COMMAND, 'client-config', '--json');
  const { clients } = JSON.parse(all.out) as { clients: { client: string; ecosystem: string }[] };
  assert.deepEqual([...new Set(clients.map(({ ecosystem }) => ecosystem))].sort(), ['files', 'npm', 'oci', 'pypi']);
  for (const { client } of clients) {
    const one = await run(COMMAND, 'client-config', client, '--url', 'http://depot.example.test:1', '--json');
    assert.equal(one.code, 0, client);
    assert.match((JSON.parse(one.out) as { text: string }).text, /depot\.example\.test:1/);
  }
  assert.equal((await run(COMMAND, 'client-config', 'nobody', '--json')).code, 2);
});
