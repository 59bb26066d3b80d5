import { createServer as createPlain, type Server } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ecosystems } from '#ecosystems/list';
import { type Clock, errorCode, errorMessage, type Files, type Home, type Report } from '#kernel';
import { openDatabase, openStore } from '#store';
import { depotFault } from '../faults.ts';
import { depotHandler } from '../handler.ts';
import { type Journal, openJournal } from '../journal.ts';
import type { Listen } from '../listen.ts';
import type { Tokens } from '../tokens.ts';

export interface DepotSettings {
  readonly files: Files;
  readonly home: Home;
  readonly clock: Clock;
  readonly report: Report;
  readonly listen: Listen;
  /** PEM. */
  readonly tls?: { readonly cert: Uint8Array; readonly key: Uint8Array };
  readonly tokens?: Tokens;
}

export interface Depot {
  /** `http://127.0.0.1:4873` */
  readonly addresses: readonly string[];
  readonly counts: Readonly<Journal['counts']>;
  /** Takes no new work, gives running downloads a moment, and ends. */
  close(): Promise<void>;
}

/** Largest set of headers, and how long a client may take for them. */
const HEADERS_LIMIT = 16 * 1024;
const HEADERS_TIME = 15_000;
const REQUEST_TIME = 60_000;
/** A connection on which nothing moves in either direction is closed after this. */
const SILENCE = 120_000;
const KEEP_ALIVE = 65_000;
const CONNECTIONS = 4096;
const GRACE = 2000;

/** Serves what was admitted to a home, until it is closed. What is admitted meanwhile appears by itself. */
export async function openDepot(settings: DepotSettings): Promise<Depot> {
  const { files, home, clock, report, listen, tls } = settings;
  const store = await openStore(files, home);
  const database = openDatabase(home.database);
  const warn = (text: string): void => report({ type: 'note', level: 'warn', text });
  const journal = await openJournal(files, home.path, clock, (error) =>
    warn(`What is served cannot be recorded: ${errorMessage(error)}`),
  );
  const handler = depotHandler({
    ecosystems: await Promise.all(
      ecosystems.map(async ({ id, title, inside }) => ({ id, title, half: await inside() })),
    ),
    catalog: database.catalog(store),
    journal,
    ...(settings.tokens === undefined ? {} : { tokens: settings.tokens }),
    onBug: (error, request) =>
      warn(`${request}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  });
  const options = { maxHeaderSize: HEADERS_LIMIT, headersTimeout: HEADERS_TIME, requestTimeout: REQUEST_TIME };
  let server: Server;
  try {
    server =
      tls === undefined
        ? createPlain({ ...options, noDelay: true }, handler)
        : createSecure(
            { ...options, cert: Buffer.from(tls.cert), key: Buffer.from(tls.key), minVersion: 'TLSv1.2' },
            handler,
          );
  } catch (error) {
    await journal.close();
    database.close();
    throw depotFault('depot.tls-unusable', { detail: errorMessage(error), cause: error });
  }
  server.keepAliveTimeout = KEEP_ALIVE;
  server.timeout = SILENCE;
  server.maxConnections = CONNECTIONS;
  try {
    await started(server, listen);
  } catch (error) {
    await journal.close();
    database.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  return {
    addresses: [`${tls === undefined ? 'http' : 'https'}://${host}:${port}`],
    counts: journal.counts,
    async close() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), GRACE);
      await ended;
      clearTimeout(late);
      await journal.close();
      database.close();
    },
  };
}

function started(server: Server, { host, port }: Listen): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        depotFault('depot.cannot-listen', {
          where: `${host}:${port}`,
          detail: errorCode(error) === 'EADDRINUSE' ? 'Another program listens there.' : `${errorMessage(error)}.`,
          cause: error,
        }),
      ),
    );
    server.listen({ host, port, backlog: 511 }, resolve);
  });
}
