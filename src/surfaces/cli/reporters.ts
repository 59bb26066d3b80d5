import { printable, type Progress, type Report, type Style } from '#kernel';

/** Where progress goes: always stderr. */
export type Write = (text: string) => void;

export interface Reporter {
  readonly report: Report;
  /** Clears a live line before something else is printed. */
  finish(): void;
}

/** One JSON event a line. */
export function ndjsonReporter(write: Write, now: () => number): Reporter {
  return {
    report: (event) => write(`${JSON.stringify({ time: new Date(now()).toISOString(), ...event })}\n`),
    finish: () => undefined,
  };
}

/** A line a step, and an amount at most every five seconds: for logs and pipes. */
export function plainReporter(write: Write, now: () => number): Reporter {
  let last = 0;
  return {
    report(event) {
      if (event.type === 'amount') {
        if (now() - last < 5000) return;
        last = now();
      }
      write(`${line(event)}\n`);
    },
    finish: () => undefined,
  };
}

/** A live line that is written over, at most ten times a second. */
export function terminalReporter(write: Write, now: () => number, style: Style): Reporter {
  let live = false;
  let last = 0;
  const clear = (): void => {
    if (live) write('\r\u001b[2K');
    live = false;
  };
  return {
    report(event) {
      if (event.type === 'amount') {
        if (now() - last < 100 && event.done !== event.total) return;
        last = now();
        clear();
        write(style.dim(cut(line(event), style.width - 1)));
        live = true;
        return;
      }
      clear();
      const text = line(event);
      if (event.type === 'step') write(`${style.bold('•')} ${text}\n`);
      else if (event.type === 'end') write(`${event.ok ? style.good('✓') : style.bad('✗')} ${text}\n`);
      else write(`${event.level === 'warn' ? style.warn('!') : style.dim('·')} ${text}\n`);
    },
    finish: clear,
  };
}

function line(event: Progress): string {
  switch (event.type) {
    case 'step':
      return printable(event.title);
    case 'end':
      return printable(event.ok ? event.title : `${event.title}: failed`);
    case 'note':
      return printable(event.text);
    case 'amount': {
      const amount =
        event.unit === 'bytes'
          ? `${size(event.done)}${event.total === undefined ? '' : ` of ${size(event.total)}`}`
          : `${event.done}${event.total === undefined ? '' : ` of ${event.total}`}`;
      return printable(`  ${event.step}: ${amount}${event.current === undefined ? '' : `  ${event.current}`}`);
    }
  }
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Bytes for people: `12.3 MB`, powers of ten as on media. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  for (const [unit, factor] of [
    ['kB', 1e3],
    ['MB', 1e6],
    ['GB', 1e9],
  ] as const) {
    if (bytes < factor * 999.95 || unit === 'GB') return `${(bytes / factor).toFixed(1)} ${unit}`;
  }
  return `${bytes} B`;
}
