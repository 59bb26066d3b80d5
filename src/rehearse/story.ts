import { errorMessage, isFault, type Reason, type World } from '#kernel';
import type { Report, Step } from './report.ts';

/** A step did not do what it should: an answer about the project, not a bug of ours. */
export class StepFailure extends Error {
  readonly outcome: 'failed' | 'not-tested';
  /** A code of the catalogue that says more than that a step failed. */
  readonly code: string | undefined;
  constructor(detail: string, outcome: 'failed' | 'not-tested' = 'failed', code?: string) {
    super(detail);
    this.code = code;
    this.name = 'StepFailure';
    this.outcome = outcome;
  }
}

/** What a step says beside its value. */
export interface Told<T> {
  readonly value: T;
  readonly detail: string;
  readonly command?: string;
  readonly bytes?: number;
  readonly digest?: string;
  readonly ledger?: number;
}

/** The steps of a rehearsal as they happen: each is reported, timed, and kept for the report. */
export class Story {
  readonly steps: Step[] = [];
  readonly reasons: Reason[] = [];
  readonly #world: World;
  readonly #began: number;

  /** `began` is when the rehearsal began, by performance.now(). */
  constructor(world: World, began: number = performance.now()) {
    this.#world = world;
    this.#began = began;
  }

  /** Undefined where the step failed or could not be tried; the report says why. An abort is thrown. */
  async step<T>(id: string, title: string, side: Step['side'], work: () => Promise<Told<T>>): Promise<T | undefined> {
    this.#world.signal.throwIfAborted();
    this.#world.report({ type: 'step', step: id, title });
    const started = performance.now();
    const end = (outcome: Step['outcome'], told: Partial<Told<T>>): void => {
      const { command, bytes, digest, ledger } = told;
      this.steps.push({
        id,
        title,
        outcome,
        side,
        ...(command === undefined ? {} : { command }),
        start: Math.floor(started - this.#began),
        milliseconds: Math.floor(performance.now() - started),
        ...(bytes === undefined ? {} : { bytes }),
        ...(digest === undefined ? {} : { digest }),
        ...(ledger === undefined ? {} : { ledger }),
        detail: told.detail ?? '',
      });
      const text = told.detail === undefined || told.detail === '' ? title : `${title}: ${told.detail}`;
      this.#world.report({ type: 'end', step: id, title: text, ok: outcome === 'ok' });
    };
    try {
      const told = await work();
      end('ok', told);
      return told.value;
    } catch (error) {
      if (this.#world.signal.aborted) throw error;
      if (!(error instanceof StepFailure) && !isFault(error)) throw error;
      const outcome = error instanceof StepFailure ? error.outcome : 'failed';
      const detail = isFault(error)
        ? [error.message, error.where, error.fix].filter((part) => part !== '').join(' ')
        : errorMessage(error);
      end(outcome, { detail });
      this.reasons.push({
        code: codeOf(error, outcome),
        where: id,
        detail,
      });
      return undefined;
    }
  }

  /** A step that is left out because one before it gave nothing. */
  skip(id: string, title: string, side: Step['side'], why: string): void {
    const start = Math.floor(performance.now() - this.#began);
    this.steps.push({ id, title, outcome: 'not-tested', side, start, milliseconds: 0, detail: why });
    this.reasons.push({ code: 'rehearse.not-tested', where: id, detail: why });
  }

  get verdict(): Report['verdict'] {
    return this.steps.length > 0 && this.steps.every(({ outcome }) => outcome === 'ok') ? 'proved' : 'not-proved';
  }
}

function codeOf(error: unknown, outcome: 'failed' | 'not-tested'): string {
  if (error instanceof StepFailure && error.code !== undefined) return error.code;
  return outcome === 'failed' ? 'rehearse.step-failed' : 'rehearse.not-tested';
}
