import type { Reason, Style } from '#kernel';

/** A negative verdict as a person reads it. */
export function showReasons(verdict: string, reasons: readonly Reason[], style: Style): string {
  return [
    style.bad(verdict),
    ...reasons.map(
      ({ code, where, detail }) => `  ${style.bold(code)}${where === '' ? '' : ` at ${where}`}: ${detail}`,
    ),
    ...(reasons[0] === undefined ? [] : [style.dim(`'sallyport explain ${reasons[0].code}' says what to do.`)]),
  ].join('\n');
}
