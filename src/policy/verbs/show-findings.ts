import type { Style } from '#kernel';

interface Shown {
  readonly severity: 'error' | 'warning' | 'note';
  readonly code: string;
  readonly where: string;
  readonly detail: string;
}

/** `where: severity: detail (code)`, a line each, as compilers write. */
export function showFindings(findings: readonly Shown[], style: Style): string {
  return findings
    .map(({ severity, code, where, detail }) => {
      const word =
        severity === 'error' ? style.bad(severity) : severity === 'warning' ? style.warn(severity) : severity;
      return `${where}: ${word}: ${detail} ${style.dim(`(${code})`)}`;
    })
    .join('\n');
}
