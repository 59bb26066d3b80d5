import { type Implementation, printable } from '#kernel';
import { type Attempt, describeAttempt } from '../attempt.ts';
import { enclaveFault } from '../faults.ts';
import { askKeeper, keptEnclave } from '../io/kept-enclaves.ts';
import type { ShellInput, ShellOutput } from '../operations.ts';

/** Bytes of each output that stand in the result. */
const KEPT = 16 * 1024 * 1024;

export const shellVerb: Implementation<ShellInput, ShellOutput> = {
  async run(input, world) {
    const kept = await keptEnclave(input.project ?? world.cwd, input.name);
    const { terminal } = world;
    const command = input.command ?? [];
    if (command.length === 0 && terminal === undefined) throw enclaveFault('enclave.no-command');
    const machine = input.machine ?? kept.record.user;
    if (!kept.record.machines.includes(machine)) {
      throw enclaveFault('enclave.machine', { where: machine, detail: `It has ${kept.record.machines.join(', ')}.` });
    }
    const pieces = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    const sizes = { stdout: 0, stderr: 0 };
    const conversation = await askKeeper(
      kept,
      {
        do: 'run',
        machine,
        ...(command.length === 0 ? {} : { command }),
        ...(terminal === undefined
          ? {}
          : { terminal: { columns: terminal.columns, rows: terminal.rows, kind: terminal.kind } }),
      },
      (answer) => {
        if (answer.say !== 'output') return;
        const data = Buffer.from(answer.data, 'base64');
        // The person's own terminal, and the person's own program: it may move the cursor.
        if (terminal !== undefined) return terminal.write(data);
        pieces[answer.from].push(data.subarray(0, Math.max(0, KEPT - sizes[answer.from])));
        sizes[answer.from] += data.length;
      },
    );
    const release = terminal?.take((data) => conversation.input(data));
    const stop = (): void => conversation.end();
    world.signal.addEventListener('abort', stop);
    try {
      const { code = null, signal = null, attempts } = await conversation.done;
      world.signal.throwIfAborted();
      return {
        machine,
        verdict: code === 0 ? 'done' : 'failed',
        code,
        signal,
        stdout: Buffer.concat(pieces.stdout).toString('utf8'),
        stderr: Buffer.concat(pieces.stderr).toString('utf8'),
        attempts: (attempts ?? []) as ShellOutput['attempts'],
      };
    } finally {
      world.signal.removeEventListener('abort', stop);
      release?.();
      conversation.end();
    }
  },

  exit: ({ verdict }) => (verdict === 'done' ? 0 : 1),

  show({ machine, code, signal, stdout, stderr, attempts }, style) {
    const escaped = (text: string): string => text.split('\n').map(printable).join('\n').trimEnd();
    const lines = [escaped(stdout), escaped(stderr)].filter((text) => text !== '');
    if (code !== 0) lines.push(style.bad(`It ended with ${code ?? signal}.`));
    const counted = new Map<string, number>();
    for (const attempt of attempts) {
      const text = printable(describeAttempt(attempt as unknown as Attempt));
      counted.set(text, (counted.get(text) ?? 0) + 1);
    }
    if (counted.size === 0) lines.push(style.dim(`${machine} tried nothing that is not declared.`));
    else lines.push(style.bold('Blocked and recorded:'));
    for (const [text, count] of counted) lines.push(`  ${text}${count > 1 ? ` (${count} times)` : ''}`);
    return lines.join('\n');
  },
};
