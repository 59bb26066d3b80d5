/**
 * An expected failure: it could not be done (network, disk, missing tool). It says what happened, where, and what to
 * do next without a web page. A negative answer is a Verdict, not a Fault; anything else that is thrown is a bug.
 */
export class Fault extends Error {
  readonly code: string;
  /** The file, line, artifact or address that it is about. */
  readonly where: string;
  readonly fix: string;
  /** 2: the words of the command or its configuration are wrong. 3: it could not be done. */
  readonly exit: 2 | 3;

  constructor(code: string, message: string, fix: string, where: string, exit: 2 | 3, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Fault';
    this.code = code;
    this.fix = fix;
    this.where = where;
    this.exit = exit;
  }
}

/** One entry of a catalogue: what `sallyport explain CODE` prints. */
export interface Explanation {
  /** One sentence: what it means. */
  readonly title: string;
  /** What to do next, offline. */
  readonly fix: string;
  /** `fault` exits 3, `usage` exits 2, `reason` stands in a negative verdict and exits 1. Default: fault. */
  readonly kind?: 'fault' | 'usage' | 'reason';
}

export type Catalogue = Readonly<Record<string, Explanation>>;

/** What a fault may say beyond its catalogue entry. */
export interface FaultDetail {
  readonly where?: string;
  /** What happened this time: names, expected and found. It follows the title. */
  readonly detail?: string;
  /** In place of the catalogue's fix, where this occurrence knows better. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** Makes the faults of a context from its catalogue, so that no fault exists that `explain` does not know. */
export function faultsOf<C extends Catalogue>(catalogue: C): (code: keyof C & string, detail?: FaultDetail) => Fault {
  return (code, detail = {}) => {
    const entry = catalogue[code];
    if (entry === undefined) throw new Error(`no such fault: ${code}`);
    const message = detail.detail === undefined ? entry.title : `${entry.title} ${detail.detail}`;
    const exit = entry.kind === 'usage' ? 2 : 3;
    return new Fault(code, message, detail.fix ?? entry.fix, detail.where ?? '', exit, detail.cause);
  };
}

export function isFault(error: unknown): error is Fault {
  return error instanceof Fault;
}

/** The code of a system error (`ENOSPC`), or '' where it has none. */
export function errorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
