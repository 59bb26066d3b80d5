import { printable } from '#kernel';
import { type Place, placeText } from './document.ts';
import type { policyCatalogue } from './faults.ts';

export type FindingCode = Extract<keyof typeof policyCatalogue, string>;

/** What is wrong or worth knowing in the manifests. After an `error` there is no answer, for it would be wrong. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'note';
  readonly code: FindingCode;
  /** `file:line`. */
  readonly where: string;
  readonly detail: string;
}

export class Findings {
  readonly list: Finding[] = [];

  error(code: FindingCode, at: Place | string, detail: string): void {
    this.#add('error', code, at, detail);
  }
  warning(code: FindingCode, at: Place | string, detail: string): void {
    this.#add('warning', code, at, detail);
  }
  note(code: FindingCode, at: Place | string, detail: string): void {
    this.#add('note', code, at, detail);
  }

  get errors(): readonly Finding[] {
    return this.list.filter(({ severity }) => severity === 'error');
  }

  #add(severity: Finding['severity'], code: FindingCode, at: Place | string, detail: string): void {
    const where = typeof at === 'string' ? at : placeText(at);
    this.list.push({ severity, code, where: printable(where), detail: printable(detail) });
  }
}
