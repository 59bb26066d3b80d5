import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { depotHandler } from '#depot';
import type { Catalog } from '#ecosystems';
import { ecosystemOf } from '#ecosystems/list';
import { runtimeEnvironment } from '#system';

export interface Served {
  readonly base: string;
  /** `GET /npm/demo 200`, in order. */
  readonly log: string[];
}

/** A catalogue served by the depot's own handler on loopback, until the test ends. */
export async function serve(
  test: { after(fn: () => unknown): void },
  ids: readonly string[],
  catalog: Catalog,
): Promise<Served> {
  const served = await Promise.all(
    ids.map(async (id) => {
      const ecosystem = ecosystemOf(id);
      if (ecosystem === undefined) throw new Error(`no such ecosystem: ${id}`);
      return { id, title: ecosystem.title, half: await ecosystem.inside() };
    }),
  );
  const log: string[] = [];
  const bugs: unknown[] = [];
  const handler = depotHandler({
    ecosystems: served,
    catalog,
    journal: { served: () => undefined, missed: () => undefined, isBehind: false },
    onBug: (error) => void bugs.push(error),
  });
  const server = createServer((request, response) => {
    response.on('finish', () => void log.push(`${request.method} ${request.url} ${response.statusCode}`));
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
    if (bugs.length > 0) throw bugs[0];
  });
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, log };
}

export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** Runs a client with nothing of the caller's environment but PATH: its settings would change what is tested. */
export async function run(
  command: string,
  args: readonly string[],
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: folder,
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: join(folder, 'home'),
        LANG: 'C.UTF-8',
        ...runtimeEnvironment(process.env),
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
    const pieces: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
    child.stderr.on('data', (piece: Buffer) => pieces.push(piece));
    child.on('error', (error) => resolve({ code: 127, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? -1, output: Buffer.concat(pieces).toString('utf8') }));
  });
}
