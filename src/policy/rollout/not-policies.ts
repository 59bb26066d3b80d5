import { isObject } from '#kernel';
import { decodeDocument, splitDocuments } from '../document.ts';
import type { ManifestFile } from '../read-cluster.ts';

/** Kinds that policies refer to: a change of one changes every policy that names it, in one write. */
const REFERRED = new Set(['Tier', 'NetworkSet', 'GlobalNetworkSet', 'CiliumCIDRGroup']);
const MAY_BE = /\b(?:Tier|NetworkSet|GlobalNetworkSet|CiliumCIDRGroup)\b/;

/** Names of the objects to which policies refer, and that differ between two folders of manifests. */
export function referredChanges(from: readonly ManifestFile[], to: readonly ManifestFile[]): string[] {
  const [old, now] = [referredIn(from), referredIn(to)];
  return [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name));
}

function referredIn(files: readonly ManifestFile[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, bytes } of files) {
    const text = new TextDecoder().decode(bytes);
    if (!MAY_BE.test(text)) continue;
    // Of JSON a file is one document.
    const documents = name.endsWith('.json') ? [{ file: name, line: 1, text }] : splitDocuments(name, text);
    for (const document of documents) {
      const decoded = MAY_BE.test(document.text) ? decodeDocument(document) : undefined;
      if (decoded?.ok === true) collect(decoded.value, found);
    }
  }
  return found;
}

function collect(value: unknown, found: Map<string, string>): void {
  if (!isObject(value)) return;
  if (Array.isArray(value['items'])) for (const item of value['items']) collect(item, found);
  const { kind, metadata, spec } = value;
  if (typeof kind !== 'string' || !REFERRED.has(kind) || !isObject(metadata)) return;
  const { name, namespace = '', labels } = metadata;
  const key = `${kind} ${namespace === '' ? '' : `${String(namespace)}/`}${String(name)}`;
  found.set(key, JSON.stringify([labels, spec]));
}
