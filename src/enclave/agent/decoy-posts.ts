import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Attempt } from '../attempt.ts';
import { DECOY_SOCKETS, type DecoyFile, decoyFiles, leakedFile } from '../decoys.ts';
import type { Machine } from '../network.ts';
import type { Shown } from '../runtime-spec.ts';
import type { Watch } from './watch.ts';

export interface DecoyOptions {
  /** Folder of the agent's own, below which the decoys are made. */
  readonly folder: string;
  readonly machines: readonly Machine[];
  /** Absolute paths of the side's keys. */
  readonly keys: readonly string[];
  readonly tell: (attempt: Attempt) => void;
}

/** A file that is watched: where the agent has it, and where programs find it. */
export interface WatchedFile {
  readonly machine: string;
  readonly source: string;
  readonly path: string;
  /** Source of a regular expression of command lines that read it by themselves. */
  readonly readers: string;
}

export interface Decoys {
  /** What programs of this machine are shown. Programs of an image are shown sockets only: their home is the image's. */
  shown(machine: string, image: boolean): Shown[];
  readonly files: readonly WatchedFile[];
  /** Paths of the sockets, also through /var/run. */
  readonly sockets: ReadonlySet<string>;
  leaks(bytes: Buffer): string | undefined;
  /** From then on it is known who connects. */
  use(watch: Watch): void;
}

/** Milliseconds after which a connection to a decoy is ended: it has nothing to say. */
const PATIENCE = 300;
const KEPT = 64;

export async function openDecoys(options: DecoyOptions): Promise<Decoys> {
  const known: DecoyFile[] = [];
  const files: WatchedFile[] = [];
  let watch: Watch | undefined;
  const folderOf = (machine: Machine): string => join(options.folder, machine.id);
  await Promise.all(
    options.machines.map(async (machine) => {
      const folder = folderOf(machine);
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      for (const [index, file] of decoyFiles(options.keys).entries()) {
        const source = join(folder, `f${index}`);
        // Open to all: whoever the program is to the agent, nothing but the decoy is in the way.
        writeFileSync(source, file.content);
        chmodSync(source, 0o644);
        known.push(file);
        files.push({ machine: machine.name, source, path: file.path, readers: file.readers?.source ?? '' });
      }
      await Promise.all(DECOY_SOCKETS.map((path, index) => post(machine.name, path, join(folder, `s${index}`))));
    }),
  );
  async function post(machine: string, path: string, source: string): Promise<void> {
    const server = createServer((socket) => {
      let first: Buffer = Buffer.alloc(0);
      const end = (): void => {
        if (socket.destroyed) return;
        socket.destroy();
        const leak = leakedFile(known, first);
        options.tell({
          time: new Date().toISOString(),
          from: machine,
          kind: 'socket',
          protocol: 'unix',
          path,
          answer: 'decoy',
          ...(first.length === 0 ? {} : { firstBytes: first.subarray(0, KEPT).toString('hex') }),
          ...(leak === undefined ? {} : { leaks: leak }),
          ...(watch?.connected(machine, path) ?? watch?.connected(machine, `/var${path}`)),
        });
      };
      socket.on('error', end);
      socket.on('end', end);
      socket.once('data', (piece) => {
        first = piece as Buffer;
        end();
      });
      setTimeout(end, PATIENCE);
    });
    server.listen(source);
    await once(server, 'listening');
    chmodSync(source, 0o666);
  }
  const byMachine = new Map(options.machines.map((machine) => [machine.name, machine]));
  return {
    shown(name, image) {
      const machine = byMachine.get(name);
      if (machine === undefined) return [];
      const sockets = DECOY_SOCKETS.map((path, index) => ({
        source: join(folderOf(machine), `s${index}`),
        path,
        writable: false,
      }));
      const own = files.filter((file) => file.machine === name);
      return image ? sockets : [...sockets, ...own.map(({ source, path }) => ({ source, path, writable: false }))];
    },
    files,
    sockets: new Set(DECOY_SOCKETS.flatMap((path) => [path, `/var${path}`])),
    leaks: (bytes) => leakedFile(known, bytes),
    use: (opened) => void (watch = opened),
  };
}
