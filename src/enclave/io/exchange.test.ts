import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import type { RequestListener } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { digestOf } from '#kernel';
import { openNetwork } from '#system';
import { temporaryFolder } from '#system/testing';
import {
  ANSWER_HEADER,
  decodeWords,
  encodeWords,
  type GivenAnswer,
  type HeaderPair,
  REQUEST_HEADER,
  WHOLE_TRAILER,
} from '../recorder-channel.ts';
import { openTestUpstream, type TestUpstream } from '../testing/index.ts';
import { openExchange, type Permission } from './exchange.ts';

type After = { after(fn: () => Promise<void> | void): void };
const SECRET = 'p1anted-secret-77aa';

interface Asking {
  readonly method?: string;
  readonly headers?: readonly HeaderPair[];
  readonly body?: string;
  /** Gives up after the first bytes. */
  readonly leave?: boolean;
}

async function bench(
  t: After,
  handler: RequestListener,
  permission: Partial<Permission> = {},
  route?: Partial<TestUpstream['route']>,
) {
  const upstream = await openTestUpstream(handler);
  const folder = await temporaryFolder(t);
  const listener = createServer();
  const theirs = new Promise<Socket>((resolve) => listener.once('connection', resolve));
  await new Promise<void>((resolve) => listener.listen(join(folder, 'channel'), resolve));
  const session: ClientHttp2Session = connectHttp2('http://recorder', {
    createConnection: () => connect(join(folder, 'channel')),
  });
  session.on('error', () => undefined);
  const stop = new AbortController();
  const channel = await theirs;
  channel.on('error', () => undefined);
  const exchange = await openExchange(channel, {
    permission: { known: [], ...permission },
    openNetwork,
    routeFor: async () => ({ ...upstream.route, ...route }),
    agent: 'test/1',
    signal: stop.signal,
  });
  t.after(async () => {
    session.destroy();
    await exchange.close();
    listener.close();
    await upstream.close();
  });
  const ask = (
    url: string,
    asking: Asking = {},
  ): Promise<{ status: number; headers: Map<string, string[]>; body: Buffer; broken: boolean }> =>
    new Promise((resolve) => {
      const { method = 'GET', headers = [], body } = asking;
      const words = encodeWords({ machine: 'prepare', method, url, headers, hasBody: body !== undefined });
      const stream = session.request({ ':method': 'POST', [REQUEST_HEADER]: words }, { endStream: body === undefined });
      if (body !== undefined) stream.end(body);
      let given: GivenAnswer = { status: 0, headers: [] };
      const pieces: Buffer[] = [];
      let isWhole = false;
      stream.once('response', (fields) => (given = decodeWords(fields[ANSWER_HEADER])));
      stream.on('data', (piece: Buffer) => {
        pieces.push(piece);
        if (asking.leave === true) stream.destroy();
      });
      stream.once('trailers', (trailers) => (isWhole = trailers[WHOLE_TRAILER] === 'yes'));
      stream.on('error', () => undefined);
      stream.once('close', () => {
        const all = new Map<string, string[]>();
        for (const [name, value] of given.headers) all.set(name, [...(all.get(name) ?? []), value]);
        resolve({ status: given.status, headers: all, body: Buffer.concat(pieces), broken: !isWhole });
      });
    });
  const settled = async () => {
    await exchange.settle(5000);
    return exchange.recording.requests();
  };
  return { ask, upstream, exchange, settled, stop };
}

const REGISTRY = 'https://registry.example.test';

test('an answer comes as it is, and its record has the digest of its body', async (t) => {
  const text = 'x'.repeat(300_000);
  const b = await bench(t, (request, response) => {
    assert.equal(request.headers['user-agent'], 'client/9');
    assert.equal(request.headers['accept-encoding'], 'identity');
    assert.equal(request.headers['host'], 'registry.example.test');
    response.writeHead(200, [
      ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'ETag', '"e"', 'Alt-Svc', 'h3=":443"', 'X-One', '1'],
      ...['Transfer-Encoding', 'chunked'],
    ]);
    response.write(text.slice(0, 10));
    setTimeout(() => response.end(text.slice(10)), 20);
  });
  const answer = await b.ask(`${REGISTRY}/a/b?token=${SECRET}`, {
    headers: [
      ['User-Agent', 'client/9'],
      ['Accept-Encoding', 'gzip, br'],
    ],
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.body.toString(), text);
  assert.deepEqual(answer.headers.get('set-cookie'), ['a=1', 'b=2']);
  assert.equal(answer.headers.has('alt-svc'), false);
  assert.equal(answer.headers.has('transfer-encoding'), false);
  const requests = await b.settled();
  const { time, ...rest } = requests[0]!;
  assert.match(time, /^\d{4}-.*Z$/);
  assert.deepEqual(rest, {
    machine: 'prepare',
    method: 'GET',
    url: `${REGISTRY}/a/b`,
    query: digestOf(`?token=${SECRET}`),
    redirects: [],
    outcome: 'answered',
    status: 200,
    digest: digestOf(text),
    size: text.length,
  });
  assert.doesNotMatch(JSON.stringify(requests), new RegExp(SECRET));
});

test("the machine's credentials go to their host over TLS, and never to the program", async (t) => {
  const seen: string[] = [];
  const b = await bench(
    t,
    (request, response) => {
      seen.push(`${request.headers.host} ${request.headers.authorization ?? '-'}`);
      if (request.url === '/moved')
        return void response.writeHead(302, { location: 'https://files.example.test/x' }).end();
      response.end(`hello ${request.headers.host}`);
    },
    {},
    { authorization: (url) => (url.host === 'registry.example.test' ? `Bearer ${SECRET}` : undefined) },
  );
  const answers = [
    await b.ask(`${REGISTRY}/moved`),
    await b.ask('https://files.example.test/x'),
    await b.ask('http://registry.example.test/plain'),
    await b.ask(`${REGISTRY}/own`, { headers: [['Authorization', 'Bearer own']] }),
  ];
  assert.deepEqual(seen, [
    `registry.example.test Bearer ${SECRET}`,
    'files.example.test -',
    'registry.example.test -',
    'registry.example.test Bearer own',
  ]);
  for (const { body, headers } of answers) assert.doesNotMatch(`${body.toString()}${[...headers]}`, new RegExp(SECRET));
  const requests = await b.settled();
  assert.deepEqual(
    requests.map(({ url, redirects }) => [url, redirects]),
    [
      [`${REGISTRY}/moved`, ['https://files.example.test/x']],
      ['http://registry.example.test/plain', []],
      [`${REGISTRY}/own`, []],
    ],
  );
  assert.equal(requests[0]?.digest, digestOf('hello files.example.test'));
});

test('only GET and HEAD pass, and a body only to what is declared', async (t) => {
  const seen: string[] = [];
  const b = await bench(
    t,
    (request, response) => {
      seen.push(`${request.method} ${request.url}`);
      request.resume().once('end', () => response.end('taken'));
    },
    { posts: ['https://git.example.test/team/'] },
  );
  const statuses: number[] = [];
  for (const [url, asking] of [
    [`${REGISTRY}/head`, { method: 'HEAD' }],
    [`${REGISTRY}/a`, { method: 'POST', body: 'out' }],
    [`${REGISTRY}/b`, { method: 'PUT', body: 'out' }],
    [`${REGISTRY}/c`, { method: 'GET', body: 'out' }],
    [`${REGISTRY}/d`, { method: 'DELETE' }],
    ['https://git.example.test/team/repo/git-upload-pack', { method: 'POST', body: 'want' }],
    ['https://git.example.test/teammate/x', { method: 'POST', body: 'want' }],
    ['http://git.example.test/team/x', { method: 'POST', body: 'want' }],
    ['https://git.example.test:8443/team/x', { method: 'POST', body: 'want' }],
  ] as [string, Asking][]) {
    statuses.push((await b.ask(url, asking)).status);
  }
  assert.deepEqual(statuses, [200, 403, 403, 403, 403, 200, 403, 403, 403]);
  assert.deepEqual(seen, ['HEAD /head', 'POST /team/repo/git-upload-pack']);
  const requests = await b.settled();
  assert.deepEqual(
    requests.map(({ outcome }) => outcome),
    ['answered', ...Array.from({ length: 4 }, () => 'refused'), 'answered', 'refused', 'refused', 'refused'],
  );
  assert.deepEqual(requests[0]?.digest, undefined);
  assert.deepEqual(requests[5]?.sent, { digest: digestOf('want'), size: 4 });
  assert.match(requests[1]?.detail ?? '', /POST with a body is not declared/);
});

test('hosts that are not named are refused where hosts are named', async (t) => {
  const b = await bench(t, (_, response) => response.end('x'), {
    hosts: ['files.example.test', 'other.example.test:8443'],
    known: ['registry.example.test'],
  });
  const statuses: number[] = [];
  for (const url of [
    `${REGISTRY}/`,
    'https://files.example.test/',
    'https://other.example.test:8443/',
    'https://other.example.test/',
    'https://evil.example.test/',
    'https://registry.example.test.evil.example.test/',
  ]) {
    statuses.push((await b.ask(url)).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 403, 403, 403]);
  assert.equal(
    b.upstream.tunnels.some((host) => host.includes('evil')),
    false,
  );
});

test('addresses of this machine and its networks are refused, by number and by name, unless they are named', async (t) => {
  const local = await bench(t, (_, response) => response.end('secret of this machine'));
  const open = createServer().listen(0, '127.0.0.1');
  const direct = { httpProxy: '', httpsProxy: '', noProxy: '*' };
  t.after(() => void open.close());
  const b = await bench(t, (_, response) => response.end('x'), {}, direct);
  for (const url of [
    'http://127.0.0.1:9/',
    'http://[::1]:9/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:127.0.0.1]:9/',
    'http://10.1.2.3/',
    // Names of this machine in its own files; the answer is the same for any other that means it.
    'http://localhost:9/',
  ]) {
    const answer = await b.ask(url);
    assert.equal(answer.status, 403, url);
    assert.match(answer.body.toString(), /has an address of this machine/, url);
  }
  assert.equal(
    (await b.settled()).every(({ outcome }) => outcome === 'refused'),
    true,
  );
  const known = await bench(t, (_, response) => response.end('x'), { known: ['127.0.0.1:9'] }, direct);
  const answer = await known.ask('http://127.0.0.1:9/');
  assert.equal(answer.status, 502);
  assert.equal((await known.settled())[0]?.outcome, 'failed');
  assert.deepEqual(local.upstream.tunnels, []);
});

test('a body that breaks off breaks off for the program too', async (t) => {
  const b = await bench(t, (request, response) => {
    response.writeHead(200, request.url === '/sized' ? { 'content-length': 1000 } : {});
    response.write('x'.repeat(100));
    setTimeout(() => response.destroy(), 50);
  });
  for (const path of ['/sized', '/chunked']) {
    const answer = await b.ask(`${REGISTRY}${path}`);
    assert.equal(answer.broken, true, path);
  }
  const requests = await b.settled();
  assert.deepEqual(
    requests.map(({ outcome, size, digest }) => [outcome, size, digest]),
    [
      ['broken', 100, undefined],
      ['broken', 100, undefined],
    ],
  );
});

test('an upstream that is not there, or shows a certificate that nobody trusts, is a failure with words', async (t) => {
  const b = await bench(t, (_, response) => response.end('x'), {}, { authorities: [] });
  const answer = await b.ask(`${REGISTRY}/`);
  assert.equal(answer.status, 502);
  assert.match(answer.body.toString(), /certificate/);
  const gone = await bench(
    t,
    (_, response) => response.end('x'),
    {},
    { httpsProxy: 'http://127.0.0.1:9/', httpProxy: '' },
  );
  assert.equal((await gone.ask(`${REGISTRY}/`)).status, 502);
  assert.equal((await gone.settled())[0]?.outcome, 'failed');
});

test('a program that leaves ends its request, and nothing else', async (t) => {
  let closed = 0;
  const b = await bench(t, (request, response) => {
    if (request.url === '/small') return void response.end('small');
    response.once('close', () => (closed += 1));
    const timer = setInterval(() => response.write('x'.repeat(10_000)), 5);
    response.once('close', () => clearInterval(timer));
  });
  await b.ask(`${REGISTRY}/endless`, { leave: true });
  for (let i = 0; i < 100 && closed === 0; i++) await sleep(20);
  assert.equal(closed, 1);
  assert.equal((await b.ask(`${REGISTRY}/small`)).body.toString(), 'small');
  const requests = await b.settled();
  assert.deepEqual(
    requests.map(({ outcome }) => outcome),
    ['broken', 'answered'],
  );
});

test('aborting ends what is under way', async (t) => {
  const b = await bench(t, (_, response) => void response.write('x'));
  const asked = b.ask(`${REGISTRY}/endless`);
  await sleep(50);
  b.stop.abort();
  const answer = await asked;
  assert.equal(answer.broken, true);
});

test('many at once, each with its own bytes', async (t) => {
  const b = await bench(t, (request, response) => {
    const { url = '' } = request;
    setTimeout(() => response.end(Buffer.alloc(200_000, url)), Number(url.slice(1)) % 7);
  });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, at) => b.ask(`${REGISTRY}/${at}`)));
  for (const [at, { body }] of answers.entries()) assert.equal(body.equals(Buffer.alloc(200_000, `/${at}`)), true);
  const requests = await b.settled();
  assert.equal(requests.length, 100);
  for (const { url, digest } of requests) {
    const hash = createHash('sha256')
      .update(Buffer.alloc(200_000, new URL(url).pathname))
      .digest('hex');
    assert.equal(digest, `sha256:${hash}`);
  }
});
