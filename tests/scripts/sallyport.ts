import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The launcher of this checkout. */
export const launcher = fileURLToPath(new URL('../../sallyport', import.meta.url));

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The one JSON document on stdout, where `--json` was asked for. */
  // oxlint-disable-next-line no-explicit-any
  readonly json: any;
}

/** Runs the product as a user does: by its launcher, in a folder, with an environment that names no home. */
export async function sallyport(
  folder: string,
  args: readonly string[],
  options: { env?: Record<string, string>; killAfter?: number; signal?: NodeJS.Signals } = {},
): Promise<Ran> {
  const { SALLYPORT_HOME: _home, ...env } = process.env;
  const child = spawn(launcher, args, {
    cwd: folder,
    env: { ...env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const timer =
    options.killAfter === undefined
      ? undefined
      : setTimeout(() => child.kill(options.signal ?? 'SIGKILL'), options.killAfter);
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? -1));
  });
  clearTimeout(timer);
  let json: unknown;
  if (args.includes('--json') && out !== '') json = JSON.parse(out);
  return { code, out, err, json };
}

/** Starts the depot of a home on a free port of loopback; it ends with the test. */
export async function serving(
  test: { after(fn: () => Promise<void>): void },
  folder: string,
  home: string,
): Promise<{ base: string; stop(): Promise<number> }> {
  const args = ['serve', '--home', home, '--listen', '127.0.0.1:0', '--json'];
  const child = spawn(launcher, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  const stop = async (): Promise<number> => {
    child.kill('SIGTERM');
    return closed;
  };
  test.after(async () => void (await stop()));
  let out = '';
  for await (const piece of child.stdout.setEncoding('utf8')) {
    out += piece as string;
    if (out.includes('\n')) break;
  }
  const { listening } = JSON.parse(out) as { listening: string[] };
  const [base] = listening;
  if (base === undefined) throw new Error(`it does not listen: ${out}`);
  return { base, stop };
}
