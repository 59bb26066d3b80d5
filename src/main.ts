import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { operationsFor, sealedFiles } from '#operations';
import { nodeFiles, systemClock } from '#system';
import { runCommandLine } from './surfaces/cli/index.ts';

// The composition root: the machine's clock, files, terminal and signals meet the operations here and nowhere else.

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
const stop = new AbortController();
let stoppedBy: 'SIGINT' | 'SIGTERM' | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first signal asks for a clean stop; a second one does not wait for it.
    if (stoppedBy !== undefined) process.exit(signal === 'SIGINT' ? 130 : 143);
    stoppedBy = signal;
    stop.abort();
  });
}
// A reader that went away (`sallyport … | head`) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.umask(0o022);

const launcher = process.env['SALLYPORT_LAUNCHER'];
const words = process.argv.slice(2);
process.exitCode = await runCommandLine(
  words,
  await operationsFor(words),
  {
    clock: systemClock,
    files: nodeFiles,
    signal: stop.signal,
    cwd: process.cwd(),
    env: process.env,
    self: launcher === undefined ? [process.execPath, process.argv[1] ?? ''] : [launcher],
    version: manifest.version,
    sealed: sealedFiles,
  },
  {
    stdout: process.stdout,
    stderr: process.stderr,
    stdinIsTTY: process.stdin.isTTY === true,
    async ask(question) {
      const terminal = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await terminal.question(question, { signal: stop.signal });
      } finally {
        terminal.close();
      }
    },
    async askSecret(question) {
      process.stderr.write(question);
      // As a terminal it takes the echo from the kernel, and its own goes nowhere.
      const silent = new Writable({ write: (_piece, _encoding, done) => done() });
      const terminal = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 });
      terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
      try {
        return await terminal.question('', { signal: stop.signal });
      } finally {
        terminal.close();
        process.stderr.write('\n');
      }
    },
    person: {
      get columns() {
        return process.stdout.columns;
      },
      get rows() {
        return process.stdout.rows;
      },
      kind: process.env['TERM'] ?? 'dumb',
      write: (data) => void process.stdout.write(data),
      take(heard) {
        process.stdin.setRawMode(true);
        process.stdin.on('data', heard).resume();
        return () => {
          process.stdin.off('data', heard).pause();
          process.stdin.setRawMode(false);
        };
      },
    },
    keepBugReport(text) {
      const place = join(mkdtempSync(join(tmpdir(), 'sallyport-bug-')), 'report.txt');
      writeFileSync(place, text, { mode: 0o600 });
      return place;
    },
  },
  () => stoppedBy,
);
