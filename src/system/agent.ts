import { dirname, extname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { namespaceArguments } from './namespaces.ts';
import { type Running, runtimeEnvironment, startProcess } from './processes.ts';

/** Pieces of what it says on standard error that are kept, the last ones. */
const WORDS = 20;

export interface AgentOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The ids are written from outside (`namespaceArguments`). */
  readonly given?: boolean;
  /** Options of Node itself. */
  readonly node?: readonly string[];
  /** With a channel beside its standard streams. */
  readonly channel?: boolean;
}

export interface Agent {
  readonly running: Running;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly lastWords: string[];
}

/**
 * Starts `agent/main` of a room as the first process of namespaces of its own; `from` is the URL of a module in the
 * room's `io/`. It needs next to nothing of the environment: a PATH for mount and ip, and the compile cache, since half
 * of the time that it takes would be for reading its own modules.
 */
export async function startAgent(unshare: string, from: string, options: AgentOptions): Promise<Agent> {
  const here = fileURLToPath(from);
  const main = join(dirname(here), '..', 'agent', `main${extname(here)}`);
  const cache = options.env['NODE_COMPILE_CACHE'];
  const lastWords: string[] = [];
  const running = await startProcess(
    unshare,
    [...namespaceArguments(unshare, options.given), process.execPath, ...(options.node ?? []), main],
    {
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C',
        ...runtimeEnvironment(options.env),
        ...(cache === undefined || cache === '' ? {} : { NODE_COMPILE_CACHE: cache }),
      },
      cwd: '/',
      interactive: true,
      channel: options.channel ?? false,
      grace: 1000,
      keep: 0,
      onOutput: (piece, stream) => {
        if (stream === 'stderr') lastWords.push(piece.toString().slice(0, 4096));
        if (lastWords.length > WORDS) lastWords.shift();
      },
    },
  );
  const { stdin, stdout } = running.child;
  if (stdin === null || stdout === null) throw new Error('the agent has no standard streams');
  return { running, stdin, stdout, lastWords };
}
