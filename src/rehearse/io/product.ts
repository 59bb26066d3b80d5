import { isObject, type JsonObject, type Progress, type World } from '#kernel';
import { lastWords, runProcess } from '#system';
import { StepFailure } from '../story.ts';

export interface Said {
  /** 0 or 1. */
  readonly code: number;
  readonly output: JsonObject;
  /** The command line as a person would type it. */
  readonly command: string;
}

/** Bytes of one document on standard output: the verdict of a large bundle has a row for each finding. */
const OUTPUT_LIMIT = 256 * 1024 * 1024;

/** Runs a command of the product as a user would, and reads its document. Throws StepFailure where it says a fault. */
export async function runProduct(world: World, args: readonly string[], cwd: string): Promise<Said> {
  const [program = '', ...leading] = world.self;
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(world.env)) {
    // Each side is named by --home; a variable of the caller must not decide for both.
    if (value !== undefined && name !== 'SALLYPORT_HOME') env[name] = value;
  }
  let rest = '';
  const ended = await runProcess(program, [...leading, ...args, '--json', '--log', 'ndjson'], {
    cwd,
    env,
    signal: world.signal,
    keep: OUTPUT_LIMIT,
    grace: 15_000,
    onOutput(piece, from) {
      if (from !== 'stderr') return;
      const lines = (rest + piece.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = read(line);
        if (event !== undefined && typeof event['type'] === 'string' && event['type'] !== 'end') {
          world.report(event as unknown as Progress);
        }
      }
    },
  });
  const command = ['sallyport', ...args].map(shown).join(' ');
  const output = read(ended.stdout);
  if (output !== undefined && (ended.code === 0 || ended.code === 1)) {
    return { code: ended.code, output: output as JsonObject, command };
  }
  const fault = output?.['fault'];
  const words = isObject(fault)
    ? [fault['message'], fault['where'], fault['fix']]
        .filter((part) => typeof part === 'string' && part !== '')
        .join(' ')
    : lastWords(ended);
  throw new StepFailure(`${command} ended with ${ended.code ?? ended.signal}: ${words}`);
}

/** The same, where only 0 will do. */
export async function mustRun(world: World, args: readonly string[], cwd: string): Promise<Said> {
  const said = await runProduct(world, args, cwd);
  if (said.code === 0) return said;
  const reasons = Array.isArray(said.output['reasons']) ? (said.output['reasons'] as JsonObject[]) : [];
  const why = reasons.map(
    (reason) => `${String(reason['code'])} ${String(reason['where'])} ${String(reason['detail'])}`,
  );
  throw new StepFailure(`${said.command} answered ${String(said.output['verdict'])}: ${why.slice(0, 5).join('; ')}`);
}

/** A field of a document by its path; undefined where it is not there. */
export function at(document: unknown, ...path: readonly string[]): unknown {
  let value: unknown = document;
  for (const key of path) value = isObject(value) ? value[key] : undefined;
  return value;
}

export function textAt(document: unknown, ...path: readonly string[]): string {
  const value = at(document, ...path);
  return typeof value === 'string' ? value : '';
}

export function numberAt(document: unknown, ...path: readonly string[]): number {
  const value = at(document, ...path);
  return typeof value === 'number' ? value : 0;
}

/** The index of the newest entry, where a document tells the ledger's size. */
export function entryAt(document: unknown): { readonly ledger?: number } {
  const index = at(document, 'ledger', 'index');
  if (typeof index === 'number') return { ledger: index };
  const size = at(document, 'ledger', 'size');
  return typeof size === 'number' && size > 0 ? { ledger: size - 1 } : {};
}

function read(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function shown(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
