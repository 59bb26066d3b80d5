import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { isFault } from '#kernel';
import { type DownloadSink, type Network, type NetworkOptions, type Route, withoutSecrets } from '../network.ts';
import { temporaryFolder } from './temporary.ts';

const SECRET = 'p1anted-secret-7f3a';
const direct: Route = { httpProxy: '', httpsProxy: '', noProxy: '' };
type After = { after(fn: () => Promise<void> | void): void };

async function listen(t: After, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function serve(t: After, handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  t.after(() => server.closeAllConnections());
  return `http://127.0.0.1:${await listen(t, server)}`;
}

function memorySink(): DownloadSink & { bytes(): Buffer; restarts: number } {
  let held = Buffer.alloc(0);
  let validator = '';
  return {
    restarts: 0,
    get size() {
      return held.length;
    },
    get validator() {
      return validator;
    },
    async restart() {
      held = Buffer.alloc(0);
      this.restarts += 1;
    },
    async begin(answer) {
      validator = answer.validator;
    },
    async write(bytes) {
      held = Buffer.concat([held, bytes]);
    },
    bytes: () => held,
  };
}

/** What every way out must do, with servers that fail, redirect, lie and ask for credentials. */
export function networkContract(open: (options: NetworkOptions) => Promise<Network>): void {
  async function network(t: After, over: Partial<NetworkOptions> = {}): Promise<Network> {
    const opened = await open({ signal: new AbortController().signal, agent: 'test', backoff: 5, ...over });
    t.after(() => opened.close());
    return opened;
  }

  test('a document is fetched, also compressed, and at most as large as allowed', async (t) => {
    const base = await serve(t, (request, response) => {
      if (request.headers['accept-encoding'] === 'gzip') {
        response.setHeader('content-encoding', 'gzip').end(gzipSync('x'.repeat(1000)));
      } else response.end('plain');
    });
    const net = await network(t);
    assert.equal((await net.getBytes({ url: base, route: direct }, 1000)).bytes.length, 1000);
    await assert.rejects(net.getBytes({ url: base, route: direct }, 999), { code: 'network.too-large' });
    assert.equal(net.requests(), 2);
  });

  test('busy and failing servers are asked again, with Retry-After, and not for ever', async (t) => {
    const seen: number[] = [];
    let count = 0;
    const base = await serve(t, (request, response) => {
      count += 1;
      seen.push(Date.now());
      if (request.url === '/down') response.writeHead(503).end();
      else if (count === 1) response.writeHead(500).end();
      else if (count === 2) response.writeHead(429, { 'retry-after': '1' }).end();
      else if (count === 3) request.socket.destroy();
      else response.end('at last');
    });
    const net = await network(t);
    assert.equal(Buffer.from((await net.getBytes({ url: base, route: direct }, 100)).bytes).toString(), 'at last');
    assert.equal(count, 4);
    assert.ok(seen[2]! - seen[1]! >= 950, 'Retry-After is kept');
    const short = await network(t, { attempts: 2 });
    assert.equal((await short.getBytes({ url: `${base}/down`, route: direct }, 100)).status, 503);
    assert.equal(count, 6);
  });

  test('other negative answers are answers at once', async (t) => {
    const base = await serve(t, (_, response) => void response.writeHead(404).end('no'));
    const net = await network(t);
    assert.equal((await net.getBytes({ url: base, route: direct }, 100)).status, 404);
    await assert.rejects(net.download({ url: base, route: direct }, memorySink(), 100), { code: 'network.refused' });
    assert.equal(net.requests(), 2);
  });

  function ranged(bytes: Buffer, etag: string) {
    return (request: IncomingMessage, response: ServerResponse, cut: number | undefined): void => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const matches = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
      const start = matches ? from : 0;
      const rest = bytes.subarray(start);
      const head = { etag, 'content-length': rest.length };
      if (start > 0)
        response.writeHead(206, { ...head, 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
      else response.writeHead(200, head);
      if (cut === undefined) response.end(rest);
      else response.write(rest.subarray(0, cut), () => setTimeout(() => response.socket?.destroy(), 10));
    };
  }

  test('a download that breaks off goes on where it was', async (t) => {
    const bytes = randomBytes(500_000);
    const ranges: (string | undefined)[] = [];
    const answer = ranged(bytes, '"v1"');
    const base = await serve(t, (request, response) => {
      ranges.push(request.headers.range);
      answer(request, response, ranges.length < 4 ? 100_000 : undefined);
    });
    const sink = memorySink();
    await (await network(t)).download({ url: base, route: direct }, sink, bytes.length);
    assert.deepEqual(sink.bytes(), bytes);
    assert.equal(ranges[0], undefined);
    assert.match(ranges[3]!, /^bytes=[1-9]\d+-$/);
    assert.equal(sink.restarts, 0);
  });

  test('it begins again where the content has changed, or the server knows no ranges', async (t) => {
    const one = randomBytes(200_000);
    const two = randomBytes(200_000);
    let count = 0;
    const changing = await serve(t, (request, response) => {
      count += 1;
      if (count === 1) ranged(one, '"v1"')(request, response, 50_000);
      else ranged(two, '"v2"')(request, response, undefined);
    });
    const net = await network(t);
    const sink = memorySink();
    await net.download({ url: changing, route: direct }, sink, 200_000);
    assert.deepEqual(sink.bytes(), two);
    assert.equal(sink.restarts, 1);

    let calls = 0;
    const plain = await serve(t, (_, response) => {
      calls += 1;
      response.writeHead(200, { 'content-length': one.length });
      if (calls === 1) response.write(one.subarray(0, 50_000), () => setTimeout(() => response.socket?.destroy(), 10));
      else response.end(one);
    });
    const again = memorySink();
    await net.download({ url: plain, route: direct }, again, 200_000);
    assert.deepEqual(again.bytes(), one);
  });

  test('a server that sends more than is expected, or another part, is stopped', async (t) => {
    const base = await serve(t, (request, response) => {
      if (request.url === '/part') response.writeHead(206, { 'content-range': 'bytes 5-9/10' }).end('56789');
      else response.end(randomBytes(100_000));
    });
    const net = await network(t);
    await assert.rejects(net.download({ url: base, route: direct }, memorySink(), 10), { code: 'network.too-large' });
    await assert.rejects(net.download({ url: `${base}/part`, route: direct }, memorySink(), 10), {
      code: 'network.refused',
    });
  });

  test('a silent server counts as broken', async (t) => {
    const base = await serve(t, () => undefined);
    const net = await network(t, { attempts: 1, quiet: 300 });
    await assert.rejects(net.getBytes({ url: base, route: direct }, 10), { code: 'network.unreachable' });
  });

  test('credentials go to the host that they belong to, and not on to another', async (t) => {
    const seen: Record<string, string | undefined> = {};
    const other = await serve(t, (request, response) => {
      seen['other'] = request.headers.authorization ?? request.headers.cookie ?? 'none';
      response.end('fine');
    });
    const own = await serve(t, (request, response) => {
      seen[`own ${request.url}`] = request.headers.authorization;
      if (request.url === '/away') response.writeHead(302, { location: `${other}/there` }).end();
      else if (request.url === '/near') response.writeHead(301, { location: '/here' }).end();
      else response.end('fine');
    });
    const route: Route = {
      ...direct,
      authorization: (url) => (url.origin === own ? `Bearer ${SECRET}` : undefined),
    };
    const net = await network(t);
    await net.getBytes({ url: `${own}/near`, route }, 100);
    assert.equal(seen['own /here'], `Bearer ${SECRET}`);
    await net.getBytes({ url: `${own}/away`, route }, 100);
    assert.equal(seen['other'], 'none');
    await net.getBytes(
      { url: `${own}/away`, route: direct, headers: { authorization: `Bearer ${SECRET}`, cookie: SECRET } },
      100,
    );
    assert.equal(seen['own /away'], `Bearer ${SECRET}`);
    assert.equal(seen['other'], 'none');
    await net.getBytes({ url: own.replace('//', `//user:${SECRET}@`) + '/away', route: direct }, 100);
    assert.equal(seen['own /away'], `Basic ${Buffer.from(`user:${SECRET}`).toString('base64')}`);
    assert.equal(seen['other'], 'none');
  });

  test('redirects end: in a ring, to another scheme, to nowhere', async (t) => {
    const base = await serve(t, (request, response) => {
      const location = { '/ring': '/ring', '/file': 'file:///etc/passwd', '/bad': 'http://[' }[request.url ?? ''];
      response.writeHead(302, { location }).end();
    });
    const net = await network(t);
    for (const path of ['/ring', '/file', '/bad']) {
      await assert.rejects(net.getBytes({ url: base + path, route: direct }, 100), { code: 'network.redirect' });
    }
  });

  test('no error shows a secret, however deep one looks', async (t) => {
    const base = await serve(t, (request, response) => {
      if (request.url?.startsWith('/ring') === true) response.writeHead(302, { location: request.url }).end();
      else if (request.url?.startsWith('/reset') === true) request.socket.destroy();
      else response.writeHead(403).end();
    });
    const route: Route = { ...direct, authorization: () => `Bearer ${SECRET}` };
    const net = await network(t, { attempts: 2 });
    const withUser = base.replace('//', `//user:${SECRET}@`);
    const refusedPort = await serve(t, () => undefined);
    const urls = [
      `${withUser}/ring?token=${SECRET}`,
      `${withUser}/reset?token=${SECRET}#${SECRET}`,
      `${withUser}/forbidden?token=${SECRET}`,
      `${refusedPort.replace(/:\d+$/, ':1')}/?token=${SECRET}`,
      `ftp://user:${SECRET}@127.0.0.1/`,
      `http://user:${SECRET}@[broken/?token=${SECRET}`,
    ];
    for (const url of urls) {
      await net.download({ url, route }, memorySink(), 10).then(
        () => assert.fail(url),
        (error: unknown) => {
          assert.ok(isFault(error), inspect(error));
          const seen = inspect(error, { depth: 20, showHidden: true }) + error.where + error.message + error.fix;
          assert.ok(!seen.includes(SECRET), seen);
          assert.ok(!seen.includes(Buffer.from(`user:${SECRET}`).toString('base64')), seen);
        },
      );
    }
    assert.equal(
      withoutSecrets(`https://user:${SECRET}@registry.example.test/a?token=${SECRET}#x`),
      'https://registry.example.test/a',
    );
  });

  /** A proxy that forwards plain requests, tunnels CONNECT, and asks for credentials. */
  async function proxy(t: After, seen: string[], expected?: string): Promise<string> {
    const server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      if (expected !== undefined && request.headers['proxy-authorization'] !== expected) {
        response.writeHead(407).end();
        return;
      }
      response.end('from the proxy');
    });
    server.on('connect', (request, socket) => {
      seen.push(`CONNECT ${request.url}`);
      if (expected !== undefined && request.headers['proxy-authorization'] !== expected) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
        return;
      }
      const port = Number(/:(\d+)$/.exec(request.url ?? '')?.[1]);
      const onward = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
      t.after(() => void onward.destroy());
    });
    t.after(() => server.closeAllConnections());
    return `http://127.0.0.1:${await listen(t, server)}`;
  }

  test('a proxy is used, with its credentials, except for hosts of NO_PROXY', async (t) => {
    const seen: string[] = [];
    const base = await serve(t, (_, response) => void response.end('direct'));
    const credentials = `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`;
    const through = (await proxy(t, seen, credentials)).replace('//', `//me:${SECRET}@`);
    const net = await network(t, { attempts: 1 });
    const text = async (url: string, route: Route): Promise<string> =>
      Buffer.from((await net.getBytes({ url, route }, 1000)).bytes).toString();
    assert.equal(await text('http://registry.example.test/x', { ...direct, httpProxy: through }), 'from the proxy');
    assert.deepEqual(seen, ['GET http://registry.example.test/x']);
    for (const noProxy of ['127.0.0.1', '*', 'other.example.test, 127.0.0.1']) {
      assert.equal(await text(base, { ...direct, httpProxy: through, noProxy }), 'direct');
    }
    assert.equal(seen.length, 1);
  });

  /** An authority of our own and a certificate for 127.0.0.1, made by openssl. */
  function certificate(folder: string): { ca: string; cert: string; key: string } {
    const run = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    run('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test authority');
    run(
      ...['req', '-x509', ...ec, '-keyout', 'server.key', '-out', 'server.pem', '-subj', '/CN=127.0.0.1'],
      ...[
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-addext',
        'basicConstraints=critical,CA:FALSE',
      ],
    );
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
    return { ca: read('ca.pem'), cert: read('server.pem'), key: read('server.key') };
  }

  function hasOpenssl(): boolean {
    try {
      execFileSync('openssl', ['version'], { stdio: 'pipe' });
      return true;
    } catch {
      return false;
    }
  }

  test(
    'the authority of the client is trusted, others are not; also through a proxy',
    { skip: hasOpenssl() ? false : 'openssl is not installed' },
    async (t) => {
      const { ca, cert, key } = certificate(await temporaryFolder(t));
      const server = createTlsServer({ cert, key }, (request, response) => {
        if (request.url === '/down') response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
        else response.end('over tls');
      });
      t.after(() => server.closeAllConnections());
      const url = `https://127.0.0.1:${await listen(t, server)}`;
      const net = await network(t, { attempts: 1 });
      const trusting: Route = { ...direct, authorities: [ca] };
      await assert.rejects(net.getBytes({ url, route: direct }, 100), { code: 'network.certificate' });
      assert.equal((await net.getBytes({ url, route: trusting }, 100)).status, 200);
      assert.equal((await net.getBytes({ url, route: { ...direct, unchecked: () => true } }, 100)).status, 200);
      await assert.rejects(net.getBytes({ url, route: { ...direct, unchecked: () => false } }, 100), {
        code: 'network.certificate',
      });
      await assert.rejects(net.getBytes({ url: `${url}/down`, route: trusting }, 100), { code: 'network.redirect' });

      const seen: string[] = [];
      const httpsProxy = await proxy(t, seen);
      assert.equal((await net.getBytes({ url, route: { ...trusting, httpsProxy } }, 100)).status, 200);
      assert.match(seen[0]!, /^CONNECT 127\.0\.0\.1:\d+$/);
    },
  );

  test('a stopped run stops at once', async (t) => {
    const base = await serve(t, () => undefined);
    const controller = new AbortController();
    const net = await network(t, { signal: controller.signal });
    const asked = net.getBytes({ url: base, route: direct }, 100);
    setTimeout(() => controller.abort(), 50);
    await assert.rejects(asked, { name: 'AbortError' });
  });
}
