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
  /** Folder of what went out and what is missing. */
  readonly journal: string;
  readonly clock: Clock;
  readonly report: Report;
  readonly listen: Listen;
  /** PEM. */
  readonly tls?: { readonly cert: Uint8Array; readonly key: Uint8Array };
  readonly tokens?: Tokens;
  readonly patience?: Patience;
}

export interface Depot {
  /** `http://127.0.0.1:4873` */
  readonly addresses: readonly string[];
  readonly counts: Readonly<Journal['counts']>;
  /** Takes no new work, gives running downloads a moment, and ends. */
  close(): Promise<void>;
}

/** How long clients may take, in milliseconds. */
export interface Patience {
  /** For the headers of a request, and for all of it. */
  readonly headers: number;
  readonly request: number;
  /** A connection on which nothing moves in either direction is closed after this. */
  readonly silence: number;
}

const PATIENCE: Patience = { headers: 15_000, request: 60_000, silence: 120_000 };
/** How often that is looked at. */
const LOOK_EVERY = 5000;
/** Largest set of headers, in bytes. */
const HEADERS_LIMIT = 16 * 1024;
const KEEP_ALIVE = 65_000;
const CONNECTIONS = 4096;
const GRACE = 2000;

/** Serves what was admitted to a home, until it is closed. What is admitted meanwhile appears by itself. */
export async function openDepot(settings: DepotSettings): Promise<Depot> {
  const { files, home, clock, report, listen, tls } = settings;
  const store = await openStore(files, home);
  const database = openDatabase(home.database);
  const warn = (text: string): void => report({ type: 'note', level: 'warn', text });
  const journal = await openJournal(files, settings.journal, clock, (error) =>
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
  const patience = settings.patience ?? PATIENCE;
  const options = {
    maxHeaderSize: HEADERS_LIMIT,
    headersTimeout: patience.headers,
    requestTimeout: patience.request,
    connectionsCheckingInterval: Math.min(LOOK_EVERY, patience.headers),
  };
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
  server.timeout = patience.silence;
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
