import { Command, CommanderError, Option } from 'commander';
import {
  errorCode,
  errorMessage,
  Fault,
  isFault,
  isObject,
  type PersonsTerminal,
  printable,
  type World,
} from '#kernel';
import { type AnyOperation, operationsFault } from '#operations';
import { ndjsonReporter, plainReporter, type Reporter, terminalReporter } from './reporters.ts';
import { styleFor } from './style.ts';

/** The machine that the command line runs on; main.ts passes the real one, tests another. */
export interface Terminal {
  readonly stdout: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  readonly stderr: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  readonly stdinIsTTY: boolean;
  readonly ask: (question: string) => Promise<string>;
  /** Shows nothing of the answer. */
  readonly askSecret?: (question: string) => Promise<string>;
  readonly person?: PersonsTerminal;
  /** Keeps the account of a bug and says where. */
  readonly keepBugReport: (text: string) => string;
}

export type Base = Omit<World, 'report' | 'ask' | 'askSecret' | 'terminal'>;

/** Runs one command line (without `node` and script) and resolves to the exit code of CONTRACTS. */
export async function runCommandLine(
  argv: readonly string[],
  operations: readonly AnyOperation[],
  base: Base,
  terminal: Terminal,
  stopped: () => 'SIGINT' | 'SIGTERM' | undefined,
): Promise<number> {
  const wantsJson =
    argv.includes('--json') && (argv.indexOf('--') === -1 || argv.indexOf('--json') < argv.indexOf('--'));
  const style = styleFor(terminal.stdout, base.env);
  let exit = 0;
  const program = new Command('sallyport')
    .description('Run software where there is no internet: capture, seal, carry, admit, serve, rehearse.')
    .version(base.version, '-V, --version', 'print the version')
    .helpCommand('help [COMMAND]', 'say how a command is used')
    .showHelpAfterError("('sallyport help' lists the commands)")
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void (wantsJson || terminal.stderr.write(text)),
    })
    .exitOverride();
  const groups = new Map<string, Command>();

  for (const operation of operations) {
    const parent = groupOf(program, groups, operation.name.slice(0, -1));
    const command = parent
      .command(operation.name.at(-1) ?? '')
      .description(operation.summary)
      .exitOverride()
      .copyInheritedSettings(parent)
      // A verb may have verbs below it (rehearse, rehearse verify): what stands behind one is its own.
      .enablePositionalOptions();
    groups.set(operation.name.join(' '), command);
    const positional: { key: string; many: boolean }[] = [];
    const flags: { key: string; attribute: string }[] = [];
    const shape = shapeOf(operation.input);
    for (const { key, form, help } of parametersOf(operation, shape)) {
      if (form.startsWith('-')) {
        const option = new Option(form.replace(/ ([A-Z][A-Z0-9_:|=-]*)(?:\.\.\.)?$/, ' <$1>'), help);
        if (isArray(shape[key])) option.argParser((value: string, previous: string[] = []) => [...previous, value]);
        command.addOption(option);
        flags.push({ key, attribute: option.attributeName() });
      } else {
        const many = form.includes('...');
        command.argument(form.startsWith('[') ? form : `<${form}>`, help);
        positional.push({ key, many });
      }
    }
    command
      .option('--json', 'print the result as one JSON document')
      .addOption(
        new Option('--log <FORM>', 'progress on stderr').choices(['auto', 'plain', 'ndjson', 'quiet']).default('auto'),
      );
    command.action(async (...values: unknown[]) => {
      const options = command.opts<Record<string, unknown>>();
      const input: Record<string, unknown> = {};
      positional.forEach(({ key }, i) => {
        if (values[i] !== undefined) input[key] = values[i];
      });
      for (const { key, attribute } of flags) if (options[attribute] !== undefined) input[key] = options[attribute];
      exit = await perform(operation, input, String(options['log']));
    });
  }

  const perform = async (operation: AnyOperation, raw: unknown, log: string): Promise<number> => {
    const reporter = reporterFor(log, terminal, base, wantsJson);
    const someoneThere = !wantsJson && terminal.stdinIsTTY && terminal.stderr.isTTY === true;
    const world: World = {
      ...base,
      report: reporter.report,
      ask: someoneThere ? terminal.ask : undefined,
      askSecret: someoneThere ? terminal.askSecret : undefined,
      terminal: someoneThere && terminal.stdout.isTTY === true ? terminal.person : undefined,
    };
    try {
      const parsed = operation.input.safeParse(raw);
      if (!parsed.success) throw wrongInput(operation, raw, parsed.error.issues[0]);
      const implementation = await operation.load();
      const emit = (output: unknown): 0 | 1 => {
        reporter.finish();
        const text = wantsJson ? JSON.stringify(output) : implementation.show(output, style);
        if (text !== '') terminal.stdout.write(`${text}\n`);
        return implementation.exit(output);
      };
      if (implementation.follow !== undefined) {
        let code: 0 | 1 = 0;
        await implementation.follow(parsed.data, world, (output) => {
          code = emit(output);
        });
        return signalExit(stopped()) ?? code;
      }
      const output = await implementation.run(parsed.data, world);
      return emit(output);
    } finally {
      reporter.finish();
    }
  };

  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (error.code === 'commander.help') return 2;
      const message = error.message.replace(/^error: /, '');
      if (wantsJson) printFault(operationsFault('usage', { detail: `${message}.` }), terminal);
      return 2;
    }
    const signal = signalExit(stopped());
    if (signal !== undefined) {
      if (!wantsJson) terminal.stderr.write('Stopped. The same command goes on from here.\n');
      return signal;
    }
    const fault = isFault(error) ? error : systemFaultOf(error);
    if (fault !== undefined) {
      if (wantsJson) printFault(fault, terminal);
      else showFault(fault, terminal, base.env);
      return fault.exit;
    }
    const account = bugReport(error, argv, base.version);
    const place = terminal.keepBugReport(account);
    const message = `This is a bug in Sallyport: ${printable(errorMessage(error))}`;
    if (wantsJson) {
      printFault(
        new Fault('bug', message, `Keep ${place} and pass it on to who maintains Sallyport.`, place, 3),
        terminal,
      );
    } else {
      terminal.stderr.write(`${message}\nThe report is in ${place}\n`);
    }
    return 70;
  }
}

/** Which flag or argument is missing or wrong, in its own spelling. */
function wrongInput(
  operation: AnyOperation,
  raw: unknown,
  issue: { readonly path: readonly PropertyKey[]; readonly message: string } | undefined,
): Fault {
  const key = String(issue?.path[0] ?? '');
  const form = operation.parameters.find((parameter) => parameter.key === key)?.form ?? key;
  const missing = !isObject(raw) || raw[key] === undefined;
  return operationsFault('usage', {
    where: form,
    detail: missing ? `${form} is missing.` : `${form}: ${issue?.message ?? ''}.`,
  });
}

function groupOf(program: Command, groups: Map<string, Command>, path: readonly string[]): Command {
  let parent = program;
  for (let depth = 1; depth <= path.length; depth++) {
    const key = path.slice(0, depth).join(' ');
    let group = groups.get(key);
    if (group === undefined) {
      group = parent
        .command(path[depth - 1] ?? '')
        .description(GROUPS[key] ?? '')
        .exitOverride()
        .copyInheritedSettings(parent);
      groups.set(key, group);
    }
    parent = group;
  }
  return parent;
}

const GROUPS: Readonly<Record<string, string>> = {
  trust: 'Roots and keys: show what this side trusts, pin a root, write the next one',
  'trust key': 'Keys of people: make one',
  'trust ceremony': 'Sign the next root together, offline, step by step, with a transcript',
  ledger: 'The tamper-evident log of a side: verify it, prove an entry, list it',
  policy: 'Who can talk to whom by the policies of Kubernetes manifests, and what a change opens or closes',
  enclave: 'Rehearsal networks that are still there: list, look into, stop',
  clock: 'The floor of time below which no clock of this side is believed: set it anew',
  release: 'The outward gate: draft what goes back, read it, agree to it, let it go',
  medium: 'Media by serial number: registered, issued, returned, lost, destroyed',
  custody: 'Who had a medium in hand: record a link of the chain, verify it, take a scanner’s word',
  sigstore: 'Sigstore bundles of others: verify one offline',
  tuf: 'TUF repositories of others: verify one offline',
};

interface Shape {
  readonly [key: string]: unknown;
}

function shapeOf(input: unknown): Shape {
  return (input as { shape?: Shape }).shape ?? {};
}

/** An operation whose input knows a home takes `--home`, unless it says so itself. */
function parametersOf(operation: AnyOperation, shape: Shape): AnyOperation['parameters'] {
  if (!('home' in shape) || operation.parameters.some(({ key }) => key === 'home')) return operation.parameters;
  const help = 'the folder of this side (default: SALLYPORT_HOME, else .sallyport beside sallyport.yaml)';
  return [...operation.parameters, { key: 'home', form: '--home DIR', help }];
}

function isArray(schema: unknown): boolean {
  let at = schema as { def?: { type?: string; innerType?: unknown } } | undefined;
  while (at?.def?.innerType !== undefined) at = at.def.innerType as typeof at;
  return at?.def?.type === 'array';
}

function reporterFor(log: string, terminal: Terminal, base: Base, wantsJson: boolean): Reporter {
  const write = (text: string): void => void terminal.stderr.write(text);
  const now = (): number => base.clock.now();
  if (log === 'ndjson') return ndjsonReporter(write, now);
  if (log === 'quiet' || (log === 'auto' && wantsJson)) return { report: () => undefined, finish: () => undefined };
  if (log === 'auto' && terminal.stderr.isTTY === true) {
    return terminalReporter(write, now, styleFor(terminal.stderr, base.env));
  }
  return plainReporter(write, now);
}

function printFault(fault: Fault, terminal: Terminal): void {
  const { code, message, fix, where } = fault;
  terminal.stdout.write(`${JSON.stringify({ fault: { code, message, fix, where } })}\n`);
}

function showFault(fault: Fault, terminal: Terminal, env: Record<string, string | undefined>): void {
  const style = styleFor(terminal.stderr, env);
  const where = fault.where === '' ? '' : `\n  where: ${printable(fault.where)}`;
  terminal.stderr.write(
    `${style.bad('error')} ${printable(fault.message)}${where}\n  fix:   ${printable(fault.fix)}\n  code:  ${style.dim(fault.code)}\n`,
  );
}

/** Errors of the operating system that reach the surface are faults of the machine, not bugs of ours. */
function systemFaultOf(error: unknown): Fault | undefined {
  const path =
    typeof error === 'object' && error !== null && 'path' in error && typeof error.path === 'string' ? error.path : '';
  const detail = { where: path, detail: `(${errorMessage(error)})`, cause: error };
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return operationsFault('system.no-space', detail);
    case 'EROFS':
      return operationsFault('system.read-only', detail);
    case 'EACCES':
    case 'EPERM':
      return operationsFault('system.no-permission', detail);
    case 'ENOENT':
    case 'ENOTDIR':
      return path === '' ? undefined : operationsFault('system.not-found', detail);
    case 'EIO':
      return operationsFault('system.io', detail);
    default:
      return undefined;
  }
}

function signalExit(signal: 'SIGINT' | 'SIGTERM' | undefined): number | undefined {
  if (signal === undefined) return undefined;
  return signal === 'SIGINT' ? 130 : 143;
}

function bugReport(error: unknown, argv: readonly string[], version: string): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const cause = error instanceof Error && error.cause !== undefined ? `\ncause: ${String(error.cause)}` : '';
  // Values of flags may be secret; only the words that look like commands and flags are kept.
  const words = argv.map((word, i) => (i < 2 || word.startsWith('--') ? (word.split('=')[0] ?? '') : '…'));
  return `sallyport ${version}\nnode ${process.version} ${process.platform} ${process.arch}\ncommand: ${words.join(' ')}\n\n${stack}${cause}\n`;
}
