import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Measured {
  readonly code: number;
  readonly seconds: number;
  /** Highest resident memory, in bytes, as the kernel last told it (VmHWM, read every 20 ms). */
  readonly peakMemory: number;
  readonly out: string;
}

/** Runs a command to its end and measures it. What it says on stderr is shown. */
export function measured(
  command: string,
  words: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string | undefined>> } = {},
): Promise<Measured> {
  const started = performance.now();
  const child = spawn(command, words, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  let peakMemory = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peakMemory = Math.max(peakMemory, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // It ended between two looks.
    }
  }, 20);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(timer);
      resolve({ code: code ?? -1, seconds: (performance.now() - started) / 1000, peakMemory, out });
    });
  });
}
