import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { digestOf, type Digest } from '#kernel';
import { emptyHome, filesOf, serveHome } from './inside.ts';

// The depot as any client of HTTP/1.1 sees it: status, ranges, conditions, limits, and what it writes down.

const large = Buffer.alloc(5 * 1024 * 1024 + 123, 0).map((_, i) => (i * 2654435761) >>> 24);
const small = Buffer.from('a small file\n');
let folder: string;
let home: Awaited<ReturnType<typeof emptyHome>>;
let depot: Awaited<ReturnType<typeof serveHome>>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data/large'), large);
  await writeFile(join(folder, 'data/small'), small);
  await writeFile(join(folder, 'data/empty'), '');
  home = await emptyHome(join(folder, 'home'));
  home.publish(await filesOf(home, folder, 'data'));
  depot = await serveHome(home.path);
});
after(async () => {
  await depot.close();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

async function ask(path: string, headers: Record<string, string> = {}, method = 'GET', body = ''): Promise<Answer> {
  const { hostname, port } = new URL(depot.base);
  const asked = request({ hostname, port, path, headers, method, agent: false });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) };
}

/** Bytes sent as they are; the answer as text, until the other side closes. */
async function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(depot.base);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(text);
  let got = '';
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')));
  const late = setTimeout(() => socket.destroy(), 5000);
  await once(socket, 'close');
  clearTimeout(late);
  return got;
}

const ETAG = `"${digestOf(large)}"`;

test('the whole content, with its digest as a strong validator', async () => {
  const { status, headers, body } = await ask('/files/data/large');
  assert.equal(status, 200);
  assert.ok(body.equals(large));
  assert.equal(headers.etag, ETAG);
  assert.equal(headers['accept-ranges'], 'bytes');
  assert.equal(headers['content-length'], String(large.length));
  assert.equal(headers['content-encoding'], undefined);
});

test('HEAD gives the same headers and no body; an empty content is served', async () => {
  const head = await ask('/files/data/large', {}, 'HEAD');
  const get = await ask('/files/data/large');
  assert.equal(head.body.length, 0);
  const { date: _, ...rest } = head.headers;
  const { date: __, ...other } = get.headers;
  assert.deepEqual(rest, other);
  const empty = await ask('/files/data/empty');
  assert.deepEqual([empty.status, empty.headers['content-length'], empty.body.length], [200, '0', 0]);
});

test('ranges of a large and a small content', async () => {
  for (const [name, content] of [
    ['large', large],
    ['small', small],
  ] as const) {
    const size = content.length;
    for (const [range, start, end] of [
      ['bytes=0-0', 0, 1],
      ['bytes=5-', 5, size],
      ['bytes=-4', size - 4, size],
      [`bytes=${size - 1}-`, size - 1, size],
      ['bytes=3-99999999', 3, size],
      ['bytes=2-6', 2, 7],
    ] as const) {
      const { status, headers, body } = await ask(`/files/data/${name}`, { range });
      assert.equal(status, 206, range);
      assert.equal(headers['content-range'], `bytes ${start}-${end - 1}/${size}`);
      assert.equal(headers['content-length'], String(end - start));
      assert.ok(body.equals(content.subarray(start, end)), `${name} ${range}`);
    }
    const beyond = await ask(`/files/data/${name}`, { range: `bytes=${size}-` });
    assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, `bytes */${size}`]);
    for (const range of ['bytes=0-1,3-4', 'bytes=4-2', 'lines=1-2', 'bytes=x']) {
      assert.equal((await ask(`/files/data/${name}`, { range })).status, 200, range);
    }
    assert.equal((await ask(`/files/data/${name}`, { range: 'bytes=0-1' }, 'HEAD')).status, 200);
  }
  assert.equal((await ask('/files/data/empty', { range: 'bytes=0-' })).status, 416);
  const crossing = await ask('/files/data/large', { range: `bytes=${1024 * 1024 - 1}-${2 * 1024 * 1024}` });
  assert.ok(crossing.body.equals(large.subarray(1024 * 1024 - 1, 2 * 1024 * 1024 + 1)));
});

test('conditions', async () => {
  const matched = await ask('/files/data/large', { 'if-none-match': `W/"x", ${ETAG}` });
  assert.deepEqual([matched.status, matched.body.length, matched.headers.etag], [304, 0, ETAG]);
  assert.equal((await ask('/files/data/large', { 'if-none-match': '"x"' })).status, 200);
  assert.equal((await ask('/files/data/large', { range: 'bytes=0-1', 'if-range': ETAG })).status, 206);
  assert.equal((await ask('/files/data/large', { range: 'bytes=0-1', 'if-range': '"x"' })).status, 200);
  const date = 'Sun, 22 Nov 2026 06:00:00 GMT';
  assert.equal((await ask('/files/data/large', { range: 'bytes=0-1', 'if-range': date })).status, 200);
});

test('one connection carries many requests; pipelined ones are answered in order', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { hostname, port } = new URL(depot.base);
  const ports = new Set<number | undefined>();
  for (let i = 0; i < 5; i++) {
    const asked = request({ hostname, port, path: '/files/data/small', agent });
    asked.end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    ports.add(answer.socket.localPort);
    answer.resume();
    await once(answer, 'end');
  }
  agent.destroy();
  assert.equal(ports.size, 1);
  const one = 'GET /files/data/small HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\n\r\n';
  const two = 'GET /files/data/small HTTP/1.1\r\nHost: x\r\nRange: bytes=2-2\r\nConnection: close\r\n\r\n';
  assert.match(await raw(one + two), /\r\n\r\naHTTP\/1\.1 206[^]*\r\n\r\ns$/);
});

test('what leads elsewhere or cannot be read is 400, in the words of the client', async () => {
  for (const path of [
    '/files/../../etc/passwd',
    '/files/%2e%2e/%2e%2e/etc/passwd',
    '/files/a%00',
    '/files/%',
    '/files/..%2f..%2fkeys',
  ]) {
    const answer = await ask(path);
    assert.equal(answer.status, 400, path);
    assert.match(String(answer.headers['content-type']), /^text\/plain/);
  }
  const image = await ask('/v2/..%2f..%2fx/manifests/latest');
  assert.equal(image.status, 400);
  assert.match(image.body.toString(), /^\{"errors":\[\{"code":"NAME_INVALID"/);
  assert.match(await raw('GET /files/ HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400/);
  assert.match(await raw('GET /files/ HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400/);
});

test('nothing can be put here', async () => {
  for (const method of ['PUT', 'POST', 'DELETE', 'PATCH']) {
    const answer = await ask('/files/data/small', {}, method);
    assert.deepEqual([answer.status, answer.headers['allow']], [405, 'GET, HEAD'], method);
  }
  const push = await ask('/v2/a/blobs/uploads/', {}, 'POST');
  assert.equal(push.status, 405);
  assert.match(push.body.toString(), /UNSUPPORTED/);
});

test('huge headers, huge bodies and broken requests end in an answer, and the depot goes on', async () => {
  assert.match(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`), /^HTTP\/1\.1 431/);
  assert.match(
    await raw(`GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    /^HTTP\/1\.1 400/,
  );
  const body = await ask('/files/data/small', {}, 'POST', 'b'.repeat(2 * 1024 * 1024)).catch(() => undefined);
  assert.ok(body === undefined || body.status === 413);
  assert.match(
    await raw('POST /files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    /^HTTP\/1\.1 400/,
  );
  assert.match(await raw('\0\0\0\0\r\n\r\n'), /^HTTP\/1\.1 400/);
  assert.equal((await ask('/files/data/small')).status, 200);
});

test('a client that goes away in the middle leaves nothing behind', async () => {
  const { hostname, port } = new URL(depot.base);
  for (let i = 0; i < 40; i++) {
    const asked = request({ hostname, port, path: '/files/data/large', agent: false });
    asked.on('error', () => undefined);
    asked.end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    await once(answer, 'readable');
    asked.destroy();
  }
  const many = await Promise.all(Array.from({ length: 40 }, () => ask('/files/data/large')));
  for (const { body } of many) assert.ok(body.equals(large));
  assert.deepEqual(depot.notes, []);
});

test('a path that nobody serves says what is served; a forgotten slash is forgiven', async () => {
  const nothing = await ask('/maven2/x');
  assert.equal(nothing.status, 404);
  assert.match(nothing.body.toString(), /\/npm\/[^]*\/v2\//);
  assert.deepEqual([(await ask('/v2')).status, (await ask('/v2')).headers.location], [308, '/v2/']);
  assert.match((await ask('/')).body.toString(), /client-config/);
});

test('a bundle that is admitted while the depot serves appears', async () => {
  assert.equal((await ask('/files/late/x')).status, 404);
  await mkdir(join(folder, 'late'));
  await writeFile(join(folder, 'late/x'), 'late');
  home.publish(await filesOf(home, folder, 'late'), 2);
  assert.equal((await ask('/files/late/x')).body.toString(), 'late');
});

test('every artifact that goes out, and everything that is missing, is written down', async () => {
  await ask('/files/data/small', { 'user-agent': 'journal-test' });
  await ask('/files/data/small', { 'user-agent': 'journal-test', range: 'bytes=0-3' });
  await ask('/files/data/small', { 'user-agent': 'journal-test' }, 'HEAD');
  await ask('/files/none', { 'user-agent': 'journal-test' });
  await ask('/v2/registry.example.test/none/manifests/1.0', { 'user-agent': 'journal-test' });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const lines = async (name: string): Promise<Record<string, unknown>[]> =>
    (await readFile(join(home.path, name), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ agent }) => agent === 'journal-test');
  assert.deepEqual(
    (await lines('served.jsonl')).map(({ digest, sent, whole }) => [digest, sent, whole]),
    [
      [digestOf(small) satisfies Digest, small.length, true],
      [digestOf(small), 4, false],
    ],
  );
  assert.deepEqual(
    (await lines('misses.jsonl')).map(({ ecosystem, name, version }) => [ecosystem, name, version]),
    [
      ['files', 'none', ''],
      ['oci', 'registry.example.test/none', '1.0'],
    ],
  );
});

test('content that the store lost is an error that names it, never a wrong answer', async () => {
  await mkdir(join(folder, 'lost'));
  await writeFile(join(folder, 'lost/x'), large.subarray(7));
  home.publish(await filesOf(home, folder, 'lost'), 3);
  await home.store.remove(digestOf(large.subarray(7)));
  const answer = await ask('/files/lost/x');
  assert.equal(answer.status, 500);
  assert.match(answer.body.toString(), new RegExp(digestOf(large.subarray(7))));
  assert.equal(depot.notes.length, 1);
  depot.notes.length = 0;
});

test('clients that send or read too slowly are let go, and nobody else notices', async (t) => {
  const impatient = await serveHome(home.path, { headers: 300, request: 500, silence: 700 });
  t.after(() => impatient.close());
  const { hostname, port } = new URL(impatient.base);
  const slow = connect(Number(port), hostname);
  let got = '';
  slow.on('data', (chunk: Buffer) => (got += chunk.toString()));
  slow.write('GET /files/data/small HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  const stuck = connect(Number(port), hostname);
  stuck.on('error', () => undefined);
  t.after(() => void slow.destroy());
  t.after(() => void stuck.destroy());
  stuck.pause();
  // More than the buffers of the kernel hold.
  stuck.write('GET /files/data/large HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20));
  await once(slow, 'close');
  assert.match(got, /^HTTP\/1\.1 408/);
  // Node waits once more where the kernel took some of what it was given, and a busy machine is slow to give.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  let read = 0;
  stuck.on('data', (chunk: Buffer) => (read += chunk.length));
  stuck.resume();
  await once(stuck, 'close');
  assert.ok(read < 20 * large.length, 'a client that read nothing was waited for');
  const quick = await fetch(`${impatient.base}/files/data/small`);
  assert.equal(await quick.text(), small.toString());
});
