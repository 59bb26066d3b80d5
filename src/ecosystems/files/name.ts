/** Longest name under which a file is served, in bytes of UTF-8. */
const NAME_LIMIT = 1024;

/** Whether a name of parts joined by `/` can be served and asked for without being read as something else. */
export function isServable(name: string): boolean {
  return (
    name.isWellFormed() &&
    Buffer.byteLength(name) <= NAME_LIMIT &&
    // eslint-disable-next-line no-control-regex
    !/[\u0000-\u001f\u007f\\]/.test(name) &&
    name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/** The path below `/files/` of a name: each part percent-encoded. */
export function encodeName(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}

/** Media types that a browser or a tool acts upon; everything else is opaque bytes. */
const MEDIA: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  gz: 'application/gzip',
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  md: 'text/markdown; charset=utf-8',
  pdf: 'application/pdf',
  tar: 'application/x-tar',
  tgz: 'application/gzip',
  txt: 'text/plain; charset=utf-8',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  zip: 'application/zip',
  zst: 'application/zstd',
};

export function mediaOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return MEDIA[name.slice(dot + 1).toLowerCase()] ?? 'application/octet-stream';
}
