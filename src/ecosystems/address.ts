/** Host, port and path prefix of an address, without scheme, credentials and final slash: the authority of an identity. */
export function authorityOf(address: string): string {
  const url = new URL(address);
  return `${url.host}${url.pathname}`.replace(/\/+$/, '');
}

/** An address without credentials and fragment, for messages and rows. */
export function withoutSecrets(address: string): string {
  if (!URL.canParse(address)) return '(an address that cannot be read)';
  const url = new URL(address);
  url.username = '';
  url.password = '';
  url.hash = '';
  return url.href;
}

export function isHttp(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol } = new URL(address);
  return protocol === 'https:' || protocol === 'http:';
}

/** `base` with a final slash, so that names can be appended. */
export function folderAddress(base: string): string {
  return base.endsWith('/') ? base : `${base}/`;
}
