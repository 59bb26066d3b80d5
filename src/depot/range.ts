/** Part of a content: `end` is the first byte after it. */
export interface Part {
  readonly start: number;
  readonly end: number;
}

/**
 * A Range header over `size` bytes (RFC 9110, 14.2). Undefined means: send all of it, because there is none, because
 * it cannot be read, or because it asks for several parts, which a server need not give.
 */
export function parseRange(header: string | undefined, size: number): Part | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header?.replace(/\s/g, '') ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size };
  }
  const start = Number(from);
  if (to !== '' && Number(to) < start) return undefined;
  if (start >= size) return 'unsatisfiable';
  return { start, end: to === '' ? size : Math.min(Number(to) + 1, size) };
}

/** If-None-Match: weak comparison (RFC 9110, 13.1.2). */
export function matchesNone(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const bare = etag.replace(/^W\//, '');
  return header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === bare);
}

/** If-Range: strong comparison; a date never matches, because content by digest has none (RFC 9110, 13.1.5). */
export function allowsRange(header: string | undefined, etag: string): boolean {
  return header === undefined || (header.trim() === etag && !etag.startsWith('W/'));
}
