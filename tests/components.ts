import { appendFileSync } from 'node:fs';

/** A real program, server or data set that a test worked with, or would have. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** Where it is from: `machine`, `npm`, `PyPI`, `Debian`, `shared data`, … */
  readonly from: string;
  /** Why it was not used; '' where it was. */
  readonly skipped: string;
}

/** Says that a test really worked with it: it stands in the table that the test command ends with. */
export function used(name: string, version: string, from = 'machine'): void {
  write({ name, version, from, skipped: '' });
}

/** Says that a test would have worked with it; returns the reason, for the test's own `skip`. */
export function skipped(name: string, reason: string): string {
  write({ name, version: '', from: '', skipped: reason });
  return reason;
}

function write(component: Component): void {
  const file = process.env['SALLYPORT_TEST_COMPONENTS'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(component)}\n`);
}
