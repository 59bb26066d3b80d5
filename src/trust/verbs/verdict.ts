import type { Reason, Style } from '#kernel';
import type { Custody } from '../role.ts';
import { CUSTODY } from './show.ts';

/** A verdict about a root, as a person reads it. */
export function showVerdict(
  output: {
    readonly verdict: string;
    readonly root: { readonly path: string; readonly version: number; readonly fingerprint: string };
    readonly custody: Custody;
    readonly reasons: readonly Reason[];
  },
  style: Style,
): string {
  const { verdict, root, custody, reasons } = output;
  const mark = verdict === 'refused' ? style.bad(verdict) : style.good(verdict);
  const lines = [`${mark} ${root.path}`, `  version ${root.version}, fingerprint ${root.fingerprint}`];
  for (const { code, where, detail } of reasons) {
    lines.push(`  ${style.bold(code)}${where === '' ? '' : ` ${where}`}: ${detail}`);
  }
  if (custody !== 'shared') lines.push(`  ${style.warn(CUSTODY[custody])}`);
  return lines.join('\n');
}
