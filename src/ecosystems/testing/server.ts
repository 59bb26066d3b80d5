import { createServer } from 'node:http';
import type { Catalog, Ecosystem } from '#ecosystems';
import { bytesOf } from './contract.ts';

export interface TestServer {
  readonly base: string;
  /** `GET /npm/demo 200`, in order. */
  readonly log: string[];
  close(): Promise<void>;
}

/** A depot of the smallest kind on loopback, for tests with real clients: no ranges, no limits, whole blobs in memory. */
export async function testServer(ecosystems: readonly Ecosystem[], catalog: Catalog): Promise<TestServer> {
  const halves = await Promise.all(ecosystems.map((e) => e.inside()));
  const log: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const url = request.url ?? '/';
    const path = url.split('?')[0] ?? '/';
    const half = halves.find((h) => path.startsWith(h.prefix));
    const headers: Record<string, string | undefined> = {};
    for (const [name, value] of Object.entries(request.headers))
      headers[name] = Array.isArray(value) ? value.join(', ') : value;
    void (async () => {
      const answer = await half?.handle(
        {
          method: request.method ?? 'GET',
          path,
          query: new URLSearchParams(url.split('?')[1] ?? ''),
          headers,
          base: `http://${request.headers.host}`,
        },
        catalog,
      );
      const bytes = answer === undefined ? new Uint8Array() : await bytesOf(answer, catalog);
      log.push(`${request.method} ${url} ${answer?.status ?? 404}`);
      response.writeHead(answer?.status ?? 404, { ...answer?.headers, 'content-length': bytes.length });
      response.end(request.method === 'HEAD' ? undefined : bytes);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    base: `http://127.0.0.1:${address.port}`,
    log,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(() => resolve()))),
  };
}
