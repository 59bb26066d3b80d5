import { createHash } from 'node:crypto';

/** Who may ask: sha256 of each token, with the name that stands in the journal. */
export type Tokens = ReadonlyMap<string, string>;

/** `[NAME ]TOKEN` a line; undefined where a line is something else, with its number. */
export function parseTokens(text: string): { readonly tokens: Tokens } | { readonly line: number } {
  const tokens = new Map<string, string>();
  for (const [i, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const match = /^(?:([A-Za-z0-9._@-]{1,64})\s+)?([\x21-\x7e]{16,512})$/.exec(line);
    if (match === null) return { line: i + 1 };
    tokens.set(fingerprint(match[2] ?? ''), match[1] ?? `line ${i + 1}`);
  }
  return tokens.size === 0 ? { line: 1 } : { tokens };
}

/**
 * The name of who asks, undefined for nobody that we know: `Bearer TOKEN`, or Basic with the token as password
 * (RFC 6750, RFC 7617). Tokens are looked up by their hash, so that the time taken tells nothing about them.
 */
export function whoAsks(tokens: Tokens, header: string | undefined): string | undefined {
  const match = /^(bearer|basic)\s+(\S+)$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [, scheme = '', value = ''] = match;
  if (scheme.toLowerCase() === 'bearer') return tokens.get(fingerprint(value));
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon === -1 ? undefined : tokens.get(fingerprint(pair.slice(colon + 1)));
}

function fingerprint(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
