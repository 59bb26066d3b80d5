import { printable } from '#kernel';
import type { ServiceLog } from './report.ts';

const LINES = 200;
/** Characters that are kept of one line. */
const LINE = 400;

/** The last lines of what a service writes, however much that is; controls are escaped, so that no reader obeys them. */
export class LogTail {
  readonly #kept: string[] = [];
  #lines = 0;
  #bytes = 0;
  #shortened = false;

  add(line: string): void {
    this.#lines += 1;
    this.#bytes += Buffer.byteLength(line) + 1;
    if (line.length > LINE) this.#shortened = true;
    this.#kept.push(printable(line.slice(0, LINE).replaceAll('\t', '  ')).slice(0, 2 * LINE));
    if (this.#kept.length > LINES) this.#kept.shift();
  }

  /** The newest lines, at most `count`. */
  last(count: number): readonly string[] {
    return this.#kept.slice(-count);
  }

  told(service: string): ServiceLog {
    return {
      service,
      lines: this.#lines,
      bytes: this.#bytes,
      text: this.#kept.join('\n'),
      cut: this.#shortened || this.#lines > this.#kept.length,
    };
  }
}
