import { childEnvironment, runProcess } from './processes.ts';
import { debianTools, findProgram, type ToolsOptions } from './tools.ts';

/** How pip is run on this machine. */
export interface Pip {
  readonly command: string;
  /** Leading arguments before pip's own. */
  readonly args: readonly string[];
  /** `host`: the machine's Python has it. `cache`: unpacked by us (Debian's Python comes without pip). */
  readonly source: 'host' | 'cache';
}

/** The machine's pip, else Debian's unpacked into the cache. Throws what debianTools throws where neither can be had. */
export async function pipProgram(options: ToolsOptions): Promise<Pip> {
  const python = options.ignoreHost === true ? undefined : await findProgram('python3', options.env);
  if (python !== undefined) {
    const args = ['-m', 'pip'];
    const env = childEnvironment(options.env, { also: ['HOME'] });
    // Not in the working folder: `-m` would take a pip.py that lies there for pip.
    const ended = await runProcess(python, [...args, '--version'], { env, timeout: 60_000, cwd: '/' });
    if (ended.code === 0) return { command: python, args, source: 'host' };
  }
  const { pip3 } = await debianTools(['pip3'], options);
  return { command: pip3.path, args: [], source: pip3.source };
}
