import { printable } from '#kernel';
import { type Place, placeText } from '../document.ts';
import { type Level, type LintCode, lintCatalogue } from './rules.ts';

/** One thing that lint found. */
export interface Remark {
  readonly rule: LintCode;
  readonly level: Level;
  /** `file:line`. */
  readonly where: string;
  /** What it is about this time, with the evidence. */
  readonly detail: string;
}

/** Gathers remarks; the same rule speaks once about one line. */
export class Remarks {
  readonly #found = new Map<string, Remark>();

  add(rule: LintCode, at: Place | string, detail: string, level: Level = lintCatalogue[rule].level): void {
    const where = printable(typeof at === 'string' ? at : placeText(at));
    const key = `${rule} ${where}`;
    if (!this.#found.has(key)) this.#found.set(key, { rule, level, where, detail: printable(detail) });
  }

  /** By file and line. */
  get list(): Remark[] {
    const at = ({ where }: Remark): [string, number] => {
      const colon = where.lastIndexOf(':');
      return [where.slice(0, colon), Number(where.slice(colon + 1))];
    };
    return [...this.#found.values()].sort((a, b) => {
      const [[x, i], [y, j]] = [at(a), at(b)];
      return x < y ? -1 : x > y ? 1 : i - j || (a.rule < b.rule ? -1 : 1);
    });
  }
}

/** `a, b, c and 4 more`. */
export function some(names: readonly string[], limit = 3): string {
  const shown = names.slice(0, limit).join(', ');
  return names.length > limit ? `${shown} and ${names.length - limit} more` : shown;
}
