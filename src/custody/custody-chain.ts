import { createHash } from 'node:crypto';
import type { Reason } from '#kernel';
import type { Root } from '#trust';
import { type Custody, handsOf, readCustody } from './custody-statement.ts';
import { reason } from './faults.ts';

/** Links of one chain, and the longest line. */
const LINKS = 256;

/** Envelopes, one a line, as they travel beside a bundle. Undefined where it is no such file. */
export function parseChain(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const text = Buffer.from(bytes).toString('utf8');
  if (!text.endsWith('\n')) return undefined;
  const lines = text.slice(0, -1).split('\n');
  return lines.length > LINKS ? undefined : lines.map((line) => Buffer.from(line, 'utf8'));
}

export function formatChain(links: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(links.flatMap((link) => [link, Buffer.from('\n')]));
}

/** What the link before is named by. */
export function linkDigest(link: Uint8Array): string {
  return createHash('sha256').update(link).digest('hex');
}

/** What is in front of us now, to be compared with what the chain says. Absent is not compared. */
export interface InHand {
  /** sha256 of each volume. */
  readonly volumes: readonly string[];
  readonly medium?: string;
  readonly seals?: readonly string[];
}

export interface ChainJudgement {
  readonly links: readonly Custody[];
  readonly reasons: readonly Reason[];
}

/**
 * Judges a chain from its first link: each names the digest of the one before, is signed by the persons whom it names,
 * was given away by who had it, and speaks of the same medium, volumes and seals.
 */
export function judgeChain(root: Root, links: readonly Uint8Array[], hand: InHand): ChainJudgement {
  const read: Custody[] = [];
  const reasons: Reason[] = [];
  let before: { readonly custody: Custody; readonly digest: string } | undefined;
  for (const [index, bytes] of links.entries()) {
    const where = `link ${index + 1}`;
    const custody = readCustody(bytes);
    if (typeof custody === 'string') {
      reasons.push(reason('custody.chain', where, custody));
      break;
    }
    read.push(custody);
    if (custody.previous !== (before?.digest ?? '')) {
      reasons.push(reason('custody.chain', where, 'It does not follow the one before it.'));
    }
    const hands = handsOf(root, bytes);
    const named = [...new Set([custody.from, custody.to])];
    // Whoever takes it says so; a hand-over is said by both.
    const needed = custody.event === 'handed-over' ? named : [custody.to];
    const missing = needed.filter((name) => !hands.includes(name));
    if (missing.length > 0)
      reasons.push(reason('custody.unsigned', where, `${missing.join(' and ')} did not sign it.`));
    if (before !== undefined) {
      const { custody: last } = before;
      if (custody.from !== last.to) {
        reasons.push(reason('custody.hands', where, `${custody.from} gave it away; ${last.to} had it.`));
      }
      if (custody.medium !== last.medium) {
        reasons.push(reason('custody.medium', where, `It was ${last.medium} and is ${custody.medium}.`));
      }
      if (volumesOf(custody) !== volumesOf(last))
        reasons.push(reason('custody.volume', where, 'It speaks of other volumes.'));
      if (custody.seals.join(' ') !== last.seals.join(' ')) {
        reasons.push(reason('custody.seal', where, `${last.seals.join(', ')} became ${custody.seals.join(', ')}.`));
      }
      if (Date.parse(custody.at) < Date.parse(last.at)) {
        reasons.push(reason('custody.chain', where, `It is of ${custody.at}, the one before of ${last.at}.`));
      }
      if (last.event === 'refused' || last.event === 'destroyed') {
        reasons.push(reason('custody.chain', where, `It was ${last.event} before.`));
      }
    }
    before = { custody, digest: linkDigest(bytes) };
  }
  const last = read.at(-1);
  if (last === undefined) return { links: [], reasons: [reason('custody.chain', '', 'It has no link.'), ...reasons] };
  const known = new Set(last.volumes.map(({ sha256 }) => sha256));
  for (const sha256 of hand.volumes) {
    if (!known.has(sha256))
      reasons.push(reason('custody.volume', '', `${sha256} is none of those that were handed over.`));
  }
  if (hand.medium !== undefined && hand.medium !== last.medium) {
    reasons.push(reason('custody.medium', '', `It is ${hand.medium}; the chain speaks of ${last.medium}.`));
  }
  if (hand.seals !== undefined && [...hand.seals].sort().join(' ') !== last.seals.join(' ')) {
    reasons.push(
      reason(
        'custody.seal',
        '',
        `It has ${hand.seals.join(', ') || 'none'}; it left with ${last.seals.join(', ') || 'none'}.`,
      ),
    );
  }
  return { links: read, reasons };
}

function volumesOf({ volumes }: Custody): string {
  return volumes.map(({ sha256 }) => sha256).join(' ');
}
