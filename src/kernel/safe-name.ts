/** Names of files that we make on disk or on a medium: `[a-z0-9._-]`, 1 to 128 bytes, not `.` or `..`. */
export function isSafeName(name: string): boolean {
  return /^[a-z0-9._-]{1,128}$/.test(name) && name !== '.' && name !== '..';
}

/**
 * Text from outside, fit for a terminal: C0 and C1 controls, bidirectional overrides and lone surrogates are shown as
 * escapes, so that a name can neither move the cursor nor pretend to be another (CVE-2021-42574).
 */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu,
    (c) => {
      const point = c.codePointAt(0) ?? 0;
      return `\\u{${point.toString(16)}}`;
    },
  );
}

/** One word for a POSIX shell, whatever it holds. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
