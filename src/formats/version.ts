import { printable } from '#kernel';

const VERSION = /^([1-9]\d{0,3})\.(0|[1-9]\d{0,3})$/;

/**
 * The rule of versions for documents of ours (docs/spec/envelope.md, "Versions"): `major.minor`, of which this reader
 * knows major 1, and perhaps names of features without which the document must not be read, of which it knows none.
 * Undefined where it may be read, whatever else it says; otherwise one sentence on what it needs.
 */
export function needsNewer(version: unknown, critical?: unknown): string | undefined {
  const major = typeof version === 'string' ? VERSION.exec(version)?.[1] : undefined;
  if (major === undefined) return 'It does not say which version it is of.';
  if (major !== '1') return `It is of version ${printable(String(version))}; known here is 1.`;
  if (critical === undefined) return undefined;
  if (!Array.isArray(critical) || !critical.every((name) => typeof name === 'string')) {
    return "Its list 'critical' is no list of names.";
  }
  if (critical.length === 0) return undefined;
  return `It needs ${critical.slice(0, 8).map(printable).join(', ')}, which is not known here.`;
}

const PREDICATE_TYPE = /^sallyport\/[a-z-]+\/v(\d+)$/;

/**
 * The same for an entry of a ledger: the major version is part of the statement's type, and the predicate may have
 * `critical`. Of a type that is not ours nothing is known, and nothing is wrong.
 */
export function statementNeedsNewer(type: string, predicate?: { readonly [key: string]: unknown }): string | undefined {
  const major = PREDICATE_TYPE.exec(type)?.[1];
  if (major === undefined) return undefined;
  if (major !== '1') return `It is of type ${printable(type)}; known here is v1.`;
  return needsNewer('1.0', predicate?.['critical']);
}
