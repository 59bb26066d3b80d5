import type { AdmittedArtifact, Catalog } from '#ecosystems';
import { canonicalAuthority, canonicalName, isAuthorityLike } from './reference.ts';

/** One repository of one registry as it stands inside. */
export interface Repository {
  readonly authority: string;
  readonly name: string;
  /** By digest as clients write it: sha256, and sha512 where it is known. */
  readonly manifests: ReadonlyMap<string, AdmittedArtifact>;
  readonly blobs: ReadonlyMap<string, AdmittedArtifact>;
  /** Tag to digest; the newest bundle's word counts. */
  readonly tags: ReadonlyMap<string, string>;
  /** Manifests whose subject is the key, by digest. */
  readonly referrers: ReadonlyMap<string, readonly AdmittedArtifact[]>;
  /** Children of an index that were left outside on purpose: digest to platform. */
  readonly absent: ReadonlyMap<string, string>;
}

export interface Repositories {
  /** Every repository of that name, whatever its registry. */
  named(name: string): readonly Repository[];
  all(): readonly Repository[];
}

const views = new WeakMap<Catalog, { readonly generation: number; readonly repositories: Repositories }>();

/** The repositories of a catalog. A view is kept until something new is admitted. */
export function repositoriesOf(catalog: Catalog): Repositories {
  const known = views.get(catalog);
  if (known !== undefined && known.generation === catalog.generation) return known.repositories;
  const byName = new Map<string, readonly Repository[]>();
  const named = (name: string): readonly Repository[] => {
    const before = byName.get(name);
    if (before !== undefined) return before;
    const made = read(name, catalog);
    // Names that do not exist are not kept: anybody could fill the memory with them.
    if (made.length > 0) byName.set(name, made);
    return made;
  };
  const repositories = { named, all: () => catalog.keys('oci').flatMap(named) };
  views.set(catalog, { generation: catalog.generation, repositories });
  return repositories;
}

function read(name: string, catalog: Catalog): readonly Repository[] {
  const pointers = catalog.pointers('oci', name);
  const rows = catalog.artifacts('oci', name);
  const authorities = new Set([...rows, ...pointers].map((row) => row.authority));
  return [...authorities].sort().map((authority) => {
    const manifests = new Map<string, AdmittedArtifact>();
    const blobs = new Map<string, AdmittedArtifact>();
    const referrers = new Map<string, AdmittedArtifact[]>();
    const absent = new Map<string, string>();
    for (const row of rows) {
      if (row.authority !== authority) continue;
      const kind = row.facts['kind'];
      const into = kind === 'manifest' || kind === 'index' ? manifests : blobs;
      const names = [
        row.digest,
        row.version,
        ...row.evidence.filter(isFileHash).map((e) => `${e.algorithm}:${e.value}`),
      ];
      const isNew = !into.has(row.digest);
      for (const one of names) if (!into.has(one)) into.set(one, row);
      const subject = row.facts['subject'];
      if (subject !== undefined && isNew) referrers.set(subject, [...(referrers.get(subject) ?? []), row]);
      for (const child of (row.facts['absent'] ?? '').split(' ')) {
        const [digest, platform] = child.split('=');
        if (digest !== undefined && digest !== '') absent.set(digest, platform ?? '');
      }
    }
    const tags = new Map<string, string>();
    for (const row of pointers) {
      if (row.authority === authority && !tags.has(row.pointer)) tags.set(row.pointer, row.value);
    }
    return { authority, name, manifests, blobs, tags, referrers, absent };
  });
}

function isFileHash(evidence: { readonly algorithm: string; readonly scope: string }): boolean {
  return evidence.scope === 'file' && (evidence.algorithm === 'sha256' || evidence.algorithm === 'sha512');
}

export type Chosen =
  | { readonly repository: Repository }
  | { readonly repository: undefined; readonly why: string; readonly authority: string; readonly name: string };

/**
 * Which repository a client means. In this order: the `ns` query (containerd with a mirror for all registries), a
 * registry's name as the first part of the path, the Host under which we were reached, and at last the only
 * repository of that name. Where two registries have the name, guessing would be dependency confusion.
 */
export function choose(repositories: Repositories, path: string, ns: string | null, host: string | undefined): Chosen {
  const at = (authority: string, name: string): Repository | undefined => {
    const canonical = canonicalAuthority(authority);
    return repositories.named(canonicalName(canonical, name)).find((one) => one.authority === canonical);
  };
  if (ns !== null && ns !== '') {
    const repository = at(ns, path);
    if (repository !== undefined) return { repository };
    const authority = canonicalAuthority(ns);
    const name = canonicalName(authority, path);
    return { repository: undefined, why: `No admitted bundle brought ${authority}/${name}.`, authority, name };
  }
  const slash = path.indexOf('/');
  const first = path.slice(0, Math.max(0, slash));
  if (isAuthorityLike(first)) {
    // A reference can hold no second colon: HOST_PORT stands for a registry on a port of its own.
    for (const authority of [first, first.replace(/_(\d{1,5})$/, ':$1')]) {
      const repository = at(authority, path.slice(slash + 1));
      if (repository !== undefined) return { repository };
    }
  }
  const hosted = host === undefined ? undefined : at(host, path);
  if (hosted !== undefined) return { repository: hosted };
  const named = repositories.named(path);
  const all = named.length > 0 || path.includes('/') ? named : repositories.named(`library/${path}`);
  if (all.length === 1 && all[0] !== undefined) return { repository: all[0] };
  const authority = isAuthorityLike(first) ? canonicalAuthority(first) : '';
  const name = isAuthorityLike(first) ? path.slice(slash + 1) : path;
  const why =
    all.length === 0
      ? `No admitted bundle brought ${path}.`
      : `Several registries have ${path}: ask for ${all.map((one) => `${one.authority}/${one.name}`).join(' or ')}.`;
  return { repository: undefined, why, authority, name };
}
