import type { TrustCode } from './faults.ts';
import { type Judged, readRoot, refuse, type Root } from './root.ts';
import { countHolders } from './threshold.ts';

/** Longest chain that is followed in one go (TUF calls it the maximum number of root rotations). */
export const CHAIN_LIMIT = 1024;

export interface Extension {
  readonly root: Root;
  /** The files that were new, in order; empty where there was nothing newer. */
  readonly added: readonly Uint8Array[];
  /** The roots of `added`. */
  readonly roots: readonly Root[];
}

/**
 * Follows a root to its newest version by TUF's rules (TUF specification, section 5.3): each is the version after the
 * one before, and is signed by the threshold of the older root and by its own. Files of the same version or an older
 * one are passed over, since a medium carries the whole chain; a file of the same version with another content is
 * refused. What one version revokes stays revoked in all that follow. Expiry is judged at use, so that a chain may pass through expired versions.
 */
export function extendChain(root: Root, newerRootBytes: readonly Uint8Array[]): Judged<Extension> {
  if (newerRootBytes.length > CHAIN_LIMIT) {
    return refuse(
      'trust.root-malformed',
      '',
      `There are ${newerRootBytes.length} roots; at most ${CHAIN_LIMIT} are followed.`,
    );
  }
  let last = root;
  const added: Uint8Array[] = [];
  const passed: Root[] = [];
  for (const bytes of newerRootBytes) {
    const read = readRoot(bytes);
    if (!read.ok) return read;
    const { envelope } = read.value;
    // Whoever judges by a profile judges all that follows by it.
    const next = last.profile === undefined ? read.value.root : { ...read.value.root, profile: last.profile };
    const where = `version ${next.version}`;
    if (next.version < last.version) continue;
    if (next.version === last.version) {
      if (next.fingerprint === last.fingerprint) continue;
      return refuse(
        'trust.foreign-root',
        where,
        `It has the fingerprint ${next.fingerprint}, not ${last.fingerprint}.`,
      );
    }
    if (next.version !== last.version + 1) {
      return refuse('trust.root-gap', where, `Version ${last.version + 1} is due.`);
    }
    if (next.site !== last.site) return refuse('trust.root-site', where, `It is of ${next.site}, not of ${last.site}.`);
    if ((next.custody === 'rehearsal') !== (last.custody === 'rehearsal')) {
      return refuse(
        'trust.rehearsal-root',
        where,
        'A chain is of a rehearsal from its beginning to its end, or not at all.',
      );
    }
    const back = last.revoked.find(({ keyid }) => !next.revoked.some((revoked) => revoked.keyid === keyid));
    if (back !== undefined) {
      return refuse('trust.revocation-dropped', where, `Version ${last.version} revokes key ${back.keyid}.`);
    }
    const count = countHolders(last, 'root', envelope);
    if (!count.ok) {
      const code =
        count.reason.code === 'trust.foreign-key'
          ? 'trust.foreign-root'
          : count.reason.code === 'trust.algorithm'
            ? 'trust.algorithm'
            : 'trust.root-not-succeeded';
      return refuse(code, where, count.reason.detail);
    }
    const own = next.profile === undefined ? count : countHolders(next, 'root', envelope);
    if (!own.ok) return refuse(own.reason.code as TrustCode, where, own.reason.detail);
    last = next;
    added.push(bytes);
    passed.push(next);
  }
  return { ok: true, value: { root: last, added, roots: passed } };
}
