import { resolve } from 'node:path';
import { type Digest, isFault, type LockRow, type Reason, type World } from '#kernel';
import { parseLock } from '#project';
import { homePath, openHome } from '#system';
import { type EffectiveRoot, effectiveRoot } from '#trust';
import type { BundleHead } from './bundle-head.ts';
import { lockDifference } from './bundle-index.ts';
import { reason } from './faults.ts';
import { judgeSeal, type SealJudgement } from './judge-seal.ts';
import { openMedium } from './medium.ts';
import { readBundle } from './reader.ts';
import { amount } from './summary.ts';

/** A bundle of which every byte was read and judged. */
export interface VerifiedReading {
  readonly verdict: 'verified' | 'refused';
  readonly reasons: readonly Reason[];
  readonly head?: BundleHead;
  readonly judgement?: SealJudgement;
  readonly effective: EffectiveRoot;
  /** What was chosen; empty where the bundle is refused. */
  readonly content: ReadonlyMap<Digest, Uint8Array>;
  /** Bytes of the bundle that were read. */
  readonly read: number;
}

/**
 * Reads a bundle from its medium once and judges every byte of it by the root that is named, or that a home pinned.
 * What `choose` names among the rows of its lock is kept in memory meanwhile, and given only where all of it holds: the
 * caller says no more than it can bear.
 */
export async function readVerified(
  bundle: string,
  named: {
    readonly root?: string | undefined;
    readonly home?: string | undefined;
    /** Where on a medium it lies. */
    readonly path?: string | undefined;
  },
  world: World,
  choose: (rows: readonly LockRow[]) => ReadonlySet<Digest> = () => new Set(),
): Promise<VerifiedReading> {
  const { files, cwd } = world;
  const now = world.clock.now();
  const rootFile = named.root === undefined ? undefined : resolve(cwd, named.root);
  // A home is asked only where no root is named, so that this works on a machine that has none.
  const home =
    named.root === undefined || named.home !== undefined
      ? homePath(world, named.home === undefined ? {} : { home: named.home })
      : undefined;
  if (home !== undefined) await openHome(files, home);
  const effective = await effectiveRoot(files, home, rootFile);
  const medium = await openMedium(world, resolve(cwd, bundle), named.path);
  let judgement: SealJudgement | undefined;
  let chosen: ReadonlySet<Digest> = new Set();
  const content = new Map<Digest, Uint8Array>();
  try {
    world.report({ type: 'step', step: 'verify', title: 'Verifying the bundle' });
    const { verdict, reasons, head, read } = await readBundle(
      medium,
      {
        async head(found) {
          judgement = judgeSeal(effective, found, now);
          return judgement.reasons;
        },
        async lock(bytes, { index }) {
          let rows: readonly LockRow[];
          try {
            rows = parseLock(bytes, 'sallyport.lock').rows;
          } catch (error) {
            if (!isFault(error)) throw error;
            return [reason('bundle.lock', error.where, error.message)];
          }
          const difference = lockDifference(index, rows);
          if (difference !== undefined) return [difference];
          chosen = choose(rows);
          return [];
        },
        async begin({ digest }) {
          if (!chosen.has(digest)) return undefined;
          const pieces: Uint8Array[] = [];
          return {
            write: async (bytes) => void pieces.push(Uint8Array.from(bytes)),
            end: async () => void content.set(digest, Buffer.concat(pieces)),
            abort: async () => undefined,
          };
        },
      },
      {
        until: 'end',
        signal: world.signal,
        progress: (done) => world.report({ type: 'amount', step: 'verify', done, unit: 'bytes' }),
      },
    );
    const whole = verdict === 'whole';
    world.report({ type: 'end', step: 'verify', title: `Read ${amount(read)}`, ok: whole });
    return {
      verdict: whole ? 'verified' : 'refused',
      reasons,
      ...(head === undefined ? {} : { head }),
      ...(judgement === undefined ? {} : { judgement }),
      effective,
      content: whole ? content : new Map(),
      read,
    };
  } finally {
    await medium.close();
  }
}
