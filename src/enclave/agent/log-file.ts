import { closeSync, constants, openSync, renameSync, writeSync } from 'node:fs';
import type { Logged } from '../protocol.ts';

/** Bytes of one file; there are two, so that between one and two times as much of the newest output is kept. */
const FILE_LIMIT = 8 * 1024 * 1024;

/**
 * The output of a service on disk, bounded: when `NAME.log` is full it becomes `NAME.log.1`, and the one before is gone.
 * What was left out is said at the top. The bytes are the program's own; whoever shows them escapes them.
 */
export class LogFile {
  readonly path: string;
  readonly #limit: number;
  #file: number | undefined;
  /** In the current file, in the one before, and in those that are gone. */
  #size = 0;
  #before = 0;
  #gone = 0;
  #bytes = 0;
  #lines = 0;
  #lineOpen = false;

  constructor(path: string, limit = FILE_LIMIT) {
    this.path = path;
    this.#limit = limit;
    this.#file = open(path);
  }

  write(piece: Buffer): void {
    this.#bytes += piece.length;
    for (let at = piece.indexOf(10); at !== -1; at = piece.indexOf(10, at + 1)) this.#lines += 1;
    let rest = piece;
    while (rest.length > 0) {
      if (this.#size >= this.#limit) this.#turn();
      const part = rest.subarray(0, this.#limit - this.#size);
      this.#put(part);
      rest = rest.subarray(part.length);
    }
  }

  /** A line of ours between those of the program. */
  note(text: string): void {
    this.#put(Buffer.from(`${this.#lineOpen ? '\n' : ''}-- sallyport ${new Date().toISOString()}: ${text}\n`));
  }

  get logged(): Logged {
    return { path: this.path, bytes: this.#bytes, lines: this.#lines, cut: this.#gone > 0 || this.#file === undefined };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #put(part: Buffer): void {
    if (this.#file === undefined) return;
    try {
      writeSync(this.#file, part);
    } catch {
      // A full disk must not end the service: it runs on, and the log says that it was cut.
      this.close();
      return;
    }
    this.#size += part.length;
    this.#lineOpen = part.at(-1) !== 10;
  }

  #turn(): void {
    this.#gone += this.#before;
    this.#before = this.#size;
    this.close();
    renameSync(this.path, `${this.path}.1`);
    this.#file = open(this.path);
    this.#size = 0;
    this.#lineOpen = false;
    if (this.#gone > 0) this.note(`${this.#gone} bytes that came before are left out; ${this.path}.1 comes first`);
  }
}

/** The folder may be writable for programs: a link in place of the file leads nowhere. Undefined where it cannot be made. */
function open(path: string): number | undefined {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  try {
    return openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  } catch {
    return undefined;
  }
}
