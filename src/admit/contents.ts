import { type Arrived, examineArrivals, isOpened, RULES } from '#gate';
import {
  type ArtifactRow,
  describeIdentity,
  type Digest,
  type JsonObject,
  type LockRow,
  type Reason,
  type World,
} from '#kernel';
import type { Database, Store } from '#store';
import type { ContentRules } from './content-rules.ts';
import { reason } from './faults.ts';
import type { Quarantined } from './quarantine.ts';

/** Reasons of one bundle that are told and recorded; more of them say nothing new. */
const TOLD = 50;

/** What the gate says about the contents of a bundle. */
export interface ContentJudgement {
  /** Empty: they may come in. */
  readonly refused: readonly Reason[];
  /** What comes in all the same, and is worth knowing: neutralised, noted, excepted. */
  readonly notices: readonly Reason[];
  readonly examined: number;
  /** For the ledger. */
  readonly record: JsonObject;
  /** Remembers what was found without fault; called once it is inside. */
  remember(database: Database): void;
}

export const nothingExamined: ContentJudgement = {
  refused: [],
  notices: [],
  examined: 0,
  record: { rules: RULES, contents: 0 },
  remember: () => undefined,
};

/** Digests of contents that a client unpacks. */
export function openedOf(rows: readonly LockRow[]): ReadonlySet<Digest> {
  return new Set(rows.flatMap((row) => (row.row === 'artifact' && isOpened(row) ? [row.digest] : [])));
}

/**
 * Has the gate examine the copies in quarantine, and what was here before and is named anew. What was examined under
 * the same rules and found without fault is not opened again.
 */
export async function judgeContents(
  rows: readonly LockRow[],
  arrived: readonly Quarantined[],
  inside: { readonly database: Database | undefined; readonly store: Store | undefined },
  { note, except }: ContentRules,
  world: World,
): Promise<ContentJudgement> {
  const places = new Map(arrived.map(({ digest, path }) => [digest, path]));
  const excepted = new Set<string>(except);
  const notices: Reason[] = [];
  const passed = new Set<string>();
  const opened: Arrived[] = [];
  for (const row of rows) {
    if (row.row !== 'artifact' || !isOpened(row)) continue;
    if (excepted.has(row.digest)) {
      passed.add(row.digest);
      notices.push(exceptedReason(row));
    } else {
      const path = places.get(row.digest) ?? inside.store?.pathOf(row.digest);
      if (path !== undefined) opened.push({ row, path });
    }
  }
  const { database } = inside;
  const found = await examineArrivals(opened, world, new Set(note), {
    has: (digest, as) => database?.examined(digest, as, RULES) === true,
  });
  const { refused, dropped, noted, examined, clean } = found;
  return {
    refused: shortened(refused),
    notices: shortened([...dropped, ...noted, ...notices]),
    examined,
    record: {
      rules: RULES,
      contents: examined,
      neutralised: recorded(dropped),
      noted: recorded(noted),
      excepted: [...passed],
    },
    remember: (into) => into.markExamined(clean, RULES),
  };
}

function exceptedReason(row: ArtifactRow): Reason {
  const detail = `It is ${row.digest}, which admission.yaml lets in without looking.`;
  return reason('admit.excepted', describeIdentity(row), detail);
}

function shortened(reasons: readonly Reason[]): readonly Reason[] {
  if (reasons.length <= TOLD) return reasons;
  const rest = reasons.length - TOLD + 1;
  return [...reasons.slice(0, TOLD - 1), reason('admit.more-reasons', '', `${rest} more are not listed.`)];
}

function recorded(reasons: readonly Reason[]): { code: string; where: string; detail: string }[] {
  return shortened(reasons).map(({ code, where, detail }) => ({ code, where, detail }));
}
