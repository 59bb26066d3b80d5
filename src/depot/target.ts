/** What a request line asks for. */
export interface RequestTarget {
  /** Still percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Longest request target that is read; npm and pip stay far below. */
export const TARGET_LIMIT = 8192;

/**
 * Reads a request target strictly: origin form (or absolute form, of which only the path counts), percent-encoding
 * valid UTF-8, and after decoding once no control character, backslash, `.` or `..` segment. Handlers decode once more
 * nowhere, so `%252e` stays text. Undefined means 400.
 */
export function parseTarget(raw: string): RequestTarget | undefined {
  if (raw.length > TARGET_LIMIT) return undefined;
  let origin = raw;
  if (!raw.startsWith('/')) {
    const absolute = /^https?:\/\/[^/?#]+(\/[^#]*)?$/i.exec(raw);
    if (absolute === null) return undefined;
    origin = absolute[1] ?? '/';
  }
  const mark = origin.indexOf('?');
  const path = mark === -1 ? origin : origin.slice(0, mark);
  // eslint-disable-next-line no-control-regex
  if (!/^[\u0021-\u007e]+$/.test(path) || path.includes('#') || path.startsWith('//')) return undefined;
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f\\]/.test(decoded)) return undefined;
  if (decoded.split('/').some((part) => part === '.' || part === '..')) return undefined;
  return { path, query: new URLSearchParams(mark === -1 ? '' : origin.slice(mark + 1)) };
}

/** The Host header as a base address can hold it; undefined where it is something else. */
export function parseHost(header: string | undefined): string | undefined {
  return header !== undefined && /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/.test(header)
    ? header.toLowerCase()
    : undefined;
}
