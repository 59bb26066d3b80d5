/** PEP 503: runs of `-`, `_` and `.` are one `-`; letters are lower case. */
export function normaliseName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

/** PEP 508: letters, digits, `.`, `_`, `-`, not at the ends. */
export function isProjectName(name: string): boolean {
  return name.length <= 200 && /^(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9])$/.test(name);
}
