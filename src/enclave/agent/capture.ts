import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import type { Machine } from '../network.ts';
import type { Event, Request } from '../protocol.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/**
 * Packets of the enclave, as a pcap file: of one machine's link as the router sees it, or of all links together. The
 * agent is root of the namespace that owns the links; programs in the machines are not, and cannot do this.
 */
export class Captures {
  readonly #send: (event: Event) => void;
  readonly #running = new Map<number, ChildProcess>();

  constructor(send: (event: Event) => void) {
    this.#send = send;
  }

  start(request: Request & { do: 'capture' }, machines: readonly Machine[]): void {
    const machine = machines.find(({ name }) => name === request.machine);
    if (request.machine !== undefined && machine === undefined) throw new Error(`no machine ${request.machine}`);
    const started = performance.now();
    const file = openSync(request.file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    // -U: each packet as it comes. -Z root: it is root of this namespace, and there is nobody else to become.
    const args = ['-i', machine?.id ?? 'any', '-n', '-U', '-s', '0', '-Z', 'root', '-w', '-'];
    const child = spawn(request.tcpdump, args, { stdio: ['ignore', 'pipe', 'pipe'], env: process.env });
    this.#running.set(request.process, child);
    const tell = (from: 'stdout' | 'stderr', data: Buffer): void =>
      this.#send({ event: 'output', process: request.process, from, data: data.toString('base64') });
    let size = 0;
    let trouble = '';
    child.stdout.on('data', (piece: Buffer) => {
      if (size + piece.length > request.limit) trouble = `the capture is larger than ${request.limit} bytes`;
      try {
        if (trouble === '') writeSync(file, piece);
      } catch (error) {
        trouble = error instanceof Error ? error.message : String(error);
      }
      size += piece.length;
      if (trouble !== '') child.kill('SIGTERM');
    });
    child.stderr.on('data', (piece: Buffer) => tell('stderr', piece));
    const end = (code: number | null, signal: string | null): void => {
      if (!this.#running.delete(request.process)) return;
      closeSync(file);
      if (trouble !== '') tell('stderr', Buffer.from(`${trouble}\n`));
      const milliseconds = Math.round(performance.now() - started);
      const ended = { code, signal, timedOut: false, stopped: null, milliseconds };
      this.#send({ event: 'ended', process: request.process, ...ended });
    };
    child.once('error', (error) => {
      tell('stderr', Buffer.from(`${error.message}\n`));
      end(127, null);
    });
    child.once('close', end);
  }

  /** SIGINT: tcpdump writes what it still holds and says how much there was. */
  stop(number: number): void {
    this.#running.get(number)?.kill('SIGINT');
  }
}
