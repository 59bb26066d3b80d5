import { once } from 'node:events';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Route } from '#system';
import { RunAuthority } from '../agent/run-authority.ts';

/** Servers of any name on this machine, reached as a company reaches its mirrors: by a proxy and an authority of its own. */
export interface TestUpstream {
  /** The way to them, with nothing else on it. */
  readonly route: Route;
  /** The environment of a machine that is set to that way. */
  readonly env: Readonly<Record<string, string>>;
  /** Certificate of the authority of these servers (PEM). */
  readonly authority: string;
  /** `host:port` that the proxy was asked for. */
  readonly tunnels: string[];
  close(): Promise<void>;
}

/** `handler` answers for every name: TLS on port 443 and 8443, plain HTTP on every other. */
export async function openTestUpstream(handler: RequestListener): Promise<TestUpstream> {
  const authority = RunAuthority.create(new Date());
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const listen = async (server: Server): Promise<number> => {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };
  const secure = createHttps(
    { SNICallback: (name, done) => done(null, authority.contextFor(name)), keepAliveTimeout: 60_000 },
    handler,
  );
  secure.on('tlsClientError', () => undefined);
  const ports = { tls: await listen(secure), plain: await listen(createHttp({ keepAliveTimeout: 60_000 }, handler)) };
  const tunnels: string[] = [];
  const proxy = await listen(
    createServer((client) => {
      let head = '';
      const read = (piece: Buffer): void => {
        head += piece.toString('latin1');
        if (!head.includes('\r\n\r\n')) return;
        client.off('data', read);
        const tunnel = /^CONNECT (\S+):(\d+) HTTP/.exec(head);
        // Plain HTTP comes with the whole address in its first line, and goes on without it.
        const [, target = '', port = '80'] = tunnel ?? /^[A-Z]+ http:\/\/([^/:]+)(?::(\d+))?\//.exec(head) ?? [];
        tunnels.push(`${target}:${port}`);
        const to = connect(port === '443' || port === '8443' ? ports.tls : ports.plain, '127.0.0.1');
        sockets.add(to);
        to.once('connect', () => {
          if (tunnel !== null) client.write('HTTP/1.1 200 OK\r\n\r\n');
          else to.write(head.replace(/http:\/\/[^/]+/, ''), 'latin1');
          client.pipe(to).pipe(client);
        });
        to.on('error', () => client.destroy());
        to.once('close', () => client.destroy());
        client.once('close', () => to.destroy());
      };
      client.on('data', read);
    }),
  );
  const address = `http://127.0.0.1:${proxy}/`;
  return {
    route: { httpProxy: address, httpsProxy: address, noProxy: '', authorities: [authority.certificate] },
    env: { http_proxy: address, https_proxy: address, no_proxy: '' },
    authority: authority.certificate,
    tunnels,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
