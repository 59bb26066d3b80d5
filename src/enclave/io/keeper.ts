import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, instantOf, shellQuote, type World } from '#kernel';
import { processStart } from '#system';
import { enclaveFault } from '../faults.ts';
import type { KeeperAnswer, KeeperInput, KeeperRequest, KeptRecord, KeptService } from '../kept.ts';
import type { Enclave, InsideOptions, InsideProcess } from './enclave.ts';

export interface KeeperOptions {
  readonly world: World;
  readonly enclave: Enclave;
  /** `enclaves` below the project's `.sallyport`. */
  readonly folder: string;
  /** A safe file name. */
  readonly name: string;
  readonly project: string;
  readonly machines: readonly string[];
  readonly user: string;
  readonly logs: string;
  /** Writable folder of the enclave, for captures. */
  readonly work: string;
  /** Milliseconds after which it ends by itself. */
  readonly age: number;
  readonly services: () => readonly KeptService[];
  /** How a person's programs run in a machine. */
  readonly inside: Pick<InsideOptions, 'cwd' | 'env' | 'readable' | 'writable'>;
}

export interface Keeper {
  readonly record: KeptRecord;
  /** Settles when it is time to end: it was asked to, its age is over, or the signal came. */
  readonly over: Promise<void>;
  /** Takes record and socket away; the enclave itself is closed by who opened it. */
  close(): Promise<void>;
}

/** Bytes of one capture. */
const CAPTURE_LIMIT = 1024 * 1024 * 1024;
/** Milliseconds between two looks whether its record is still there. */
const LOOK = 2000;
const SHELL = ['/bin/sh', '-i'];

/** Lets other processes of this user look into an enclave. Throws enclave.kept where there is one of that name. */
export async function keepEnclave(options: KeeperOptions): Promise<Keeper> {
  const { world, enclave, name } = options;
  const folder = join(options.folder, name);
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    throw enclaveFault('enclave.kept', { where: folder, cause: error });
  });
  const since = world.clock.now();
  const record: KeptRecord = {
    'sallyport-enclave': '1.0',
    name,
    project: options.project,
    pid: process.pid,
    start: await processStart(process.pid),
    since: instantOf(since),
    until: instantOf(since + options.age),
    machines: [...options.machines],
    user: options.user,
    logs: options.logs,
  };
  const over = Promise.withResolvers<void>();
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    void answer(socket);
  });
  const release = await listenBelow(server, folder);
  const temporary = join(folder, 'record.new');
  await writeFile(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(temporary, join(folder, 'record.json'));

  const timer = setTimeout(() => over.resolve(), options.age);
  // Whoever takes the project's folder away takes the way to stop it: then it ends by itself.
  const look = setInterval(() => {
    stat(join(folder, 'record.json')).catch(() => over.resolve());
  }, LOOK);
  const stop = (): void => over.resolve();
  world.signal.addEventListener('abort', stop);
  if (world.signal.aborted) stop();

  async function answer(socket: Socket): Promise<void> {
    const say = (line: KeeperAnswer): void => void socket.write(`${JSON.stringify(line)}\n`);
    const lines = createInterface({ input: socket, crlfDelay: Infinity });
    const iterator = lines[Symbol.asyncIterator]();
    try {
      const first = await iterator.next();
      if (first.done === true) return;
      const request = JSON.parse(first.value) as KeeperRequest;
      switch (request.do) {
        case 'state': {
          const count = (await enclave.attempts()).length;
          say({ say: 'done', services: options.services(), count });
          break;
        }
        case 'stop':
          say({ say: 'done' });
          over.resolve();
          break;
        case 'run':
          await run(request, socket, iterator, say);
          break;
        case 'capture':
          await capture(request, socket, say);
          break;
      }
    } catch (error) {
      say({ say: 'refused', detail: errorMessage(error) });
    } finally {
      socket.end();
    }
  }

  async function run(
    request: KeeperRequest & { do: 'run' },
    socket: Socket,
    lines: AsyncIterator<string>,
    say: (line: KeeperAnswer) => void,
  ): Promise<void> {
    const { machine, terminal } = request;
    if (!options.machines.includes(machine)) throw new Error(`There is no machine '${machine}'.`);
    const before = (await enclave.attempts()).length;
    const { inside } = options;
    const words = request.command ?? SHELL;
    const line = terminal === undefined ? words : onTerminal(words, terminal);
    const program = await enclave.start(machine, '/usr/bin/env', line, {
      ...inside,
      env: { ...inside.env, ...(terminal === undefined ? {} : { TERM: terminal.kind }), PS1: `${machine}$ ` },
      interactive: true,
      onOutput: (piece, from) => say({ say: 'output', from, data: piece.toString('base64') }),
    });
    if (terminal === undefined) program.write(undefined);
    else void typed(program, lines);
    // Whoever asked has gone: nobody would ever end it.
    socket.once('end', () => void program.stop());
    socket.once('close', () => void program.stop());
    const { code, signal } = await program.ended;
    const attempts = (await enclave.attempts()).slice(before).filter(({ from }) => from === machine);
    say({ say: 'done', code, signal, attempts });
  }

  async function capture(
    request: KeeperRequest & { do: 'capture' },
    socket: Socket,
    say: (line: KeeperAnswer) => void,
  ): Promise<void> {
    const { machine, tcpdump, time } = request;
    if (machine !== undefined && !options.machines.includes(machine)) {
      throw new Error(`There is no machine '${machine}'.`);
    }
    const file = join(options.work, `capture-${randomBytes(6).toString('hex')}.pcap`);
    const gone = Promise.withResolvers<void>();
    // An ending from the other side is the word to stop: what there is is still wanted.
    socket.once('end', () => gone.resolve());
    socket.once('close', () => gone.resolve());
    const program = enclave.capture(machine, tcpdump, file, CAPTURE_LIMIT);
    await Promise.race([opens(file), program.ended]);
    say({ say: 'capturing' });
    const halt = new AbortController();
    await Promise.race([
      program.ended,
      gone.promise,
      ...(time === undefined ? [] : [sleep(time, undefined, { signal: halt.signal }).catch(() => undefined)]),
    ]);
    halt.abort();
    const { code, stderr } = await program.stop();
    const detail = stderr.trim().split('\n').slice(-5).join('; ');
    if (code !== 0) {
      await rm(file, { force: true });
      throw new Error(`tcpdump ended with ${code}: ${detail}`);
    }
    say({ say: 'done', file, detail });
  }

  return {
    record,
    over: over.promise,
    async close() {
      clearTimeout(timer);
      clearInterval(look);
      world.signal.removeEventListener('abort', stop);
      server.close();
      for (const socket of open) socket.destroy();
      release();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The path of a socket holds 107 bytes at most, that of a project any number: the folder is named by its descriptor. That
 * stays open as long as the server, which removes the socket by the same name. Returns how to close it.
 */
async function listenBelow(server: Server, folder: string): Promise<() => void> {
  const file = openSync(folder, 'r');
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(`/proc/self/fd/${file}/socket`, resolve);
  });
  return () => closeSync(file);
}

async function typed(program: InsideProcess, lines: AsyncIterator<string>): Promise<void> {
  for (;;) {
    const line = await lines.next();
    if (line.done === true) return program.write(undefined);
    program.write(Buffer.from((JSON.parse(line.value) as KeeperInput).input, 'base64'));
  }
}

/** script(1) makes a terminal in the machine, of the size of the person's; what is typed comes over its input. */
function onTerminal(words: readonly string[], size: { readonly columns: number; readonly rows: number }): string[] {
  const sized = `stty columns ${Math.trunc(size.columns)} rows ${Math.trunc(size.rows)} 2>/dev/null`;
  // What a shell starts in the background, as the first process of a machine does, ignores Ctrl-C.
  return [
    '--default-signal=INT,QUIT',
    'script',
    '-q',
    '-e',
    '-c',
    `${sized}; exec ${words.map(shellQuote).join(' ')}`,
    '/dev/null',
  ];
}

/** Once tcpdump has written its first bytes it sees every packet. */
async function opens(file: string): Promise<void> {
  for (;;) {
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && found.size > 0) return;
    await sleep(20);
  }
}
