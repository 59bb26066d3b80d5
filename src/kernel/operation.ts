import type { ZodType } from 'zod';
import type { Files } from './files.ts';
import type { Clock } from './instant.ts';
import type { Report } from './progress.ts';
import type { SealedFiles } from './sealed-files.ts';

/** What every operation gets from the composition root. Nothing below reads `process` by itself. */
export interface World {
  readonly clock: Clock;
  readonly files: Files;
  readonly report: Report;
  /** Aborted by SIGINT and SIGTERM: work stops at a point from which a second run goes on. */
  readonly signal: AbortSignal;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks a person, or undefined where nobody can answer (no terminal, `--json`). */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** The same, for what must not be seen: nothing of the answer is shown. */
  readonly askSecret?: ((question: string) => Promise<string>) | undefined;
  /** The terminal itself, for what a person does in a program that runs elsewhere; undefined where nobody is there. */
  readonly terminal?: PersonsTerminal | undefined;
  /** How to start the product again as another process: command and leading arguments. */
  readonly self: readonly string[];
  readonly version: string;
  /** Reads what was sealed; undefined where nobody does. */
  readonly sealed?: SealedFiles | undefined;
}

export interface PersonsTerminal {
  readonly columns: number;
  readonly rows: number;
  /** As TERM has it. */
  readonly kind: string;
  write(data: Uint8Array): void;
  /** Every key goes to `heard` as it is, also Ctrl-C, until the function that comes back is called. */
  take(heard: (data: Uint8Array) => void): () => void;
}

/** One flag or argument of an operation on the command line, beside its key in the input. */
export interface Parameter {
  /** Key in the input object. */
  readonly key: string;
  /** `-o, --out FILE`, or `BUNDLE`, `[DIR]`, `[PATH...]` for a positional argument. */
  readonly form: string;
  readonly help: string;
}

/**
 * A verb of the product, defined once: command line, JSON output and later the HTTP API and the console derive from it.
 * `load` imports the implementation when it is needed, so that starting the product costs nothing for the others.
 */
export interface Operation<I = unknown, O = unknown> {
  /** `['ledger', 'verify']` is `sallyport ledger verify`. */
  readonly name: readonly string[];
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  readonly input: ZodType<I>;
  readonly output: ZodType<O>;
  readonly load: () => Promise<Implementation<I, O>>;
}

export interface Implementation<I, O> {
  run(input: I, world: World): Promise<O>;
  /** 0: done, and the answer is yes. 1: a negative verdict. */
  exit(output: O): 0 | 1;
  /** The output as a person reads it. */
  show(output: O, style: Style): string;
  /**
   * For an operation that goes on after its result is known (`serve`): called once with `emit`, which prints the
   * result, and ends when the operation ends. Used in place of `run`.
   */
  follow?(input: I, world: World, emit: (output: O) => void): Promise<void>;
}

/** How text may look: identity functions where the output is no terminal or NO_COLOR is set. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  /** Columns of the terminal, or 100. */
  readonly width: number;
}

/** Keeps the types of an operation's input and output together where it is written. */
export function operation<I, O>(definition: Operation<I, O>): Operation<I, O> {
  return definition;
}
