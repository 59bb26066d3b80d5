import type { Closure, Wanted } from '#ecosystems';
import {
  type ArtifactRow,
  compareUtf8,
  describeIdentity,
  type Digest,
  type DocumentRow,
  type Evidence,
  identityKey,
  type InputRow,
  type LockRow,
  type PointerRow,
  type Targets,
} from '#kernel';
import { formatRow, hasRole, type MergedLock, rowKey } from '#project';
import { captureFault } from './faults.ts';
import { parentOf, PROJECT, SIBLING, TARGETS_ROW } from './inputs.ts';

/** An input, as ecosystem and path. */
export type InputKey = string;
export function inputKey(ecosystem: string, path: string): InputKey {
  return `${ecosystem}\0${path}`;
}

export interface Plan {
  /** Inputs that are resolved anew. */
  readonly resolve: ReadonlySet<InputKey>;
  /** Rows of inputs that stay as they are. */
  readonly kept: readonly Exclude<LockRow, InputRow>[];
  /** What differs between the lock's inputs and the project's, for people. */
  readonly differences: readonly { readonly where: string; readonly detail: string }[];
}

/**
 * Which inputs must be resolved: those that are new, changed, or whose settings or targets are; those that a merge left
 * unsettled; and those that share with one of these a row whose part in it cannot be told: one for some targets only, or
 * one that is a policy.
 * `damaged` are rows whose content is not in the store as the row says.
 */
export function planCapture(
  lock: MergedLock | undefined,
  inputs: readonly InputRow[],
  damaged: ReadonlySet<string> = new Set(),
): Plan {
  const before = new Map<InputKey, InputRow>();
  for (const row of lock?.rows ?? []) if (row.row === 'input') before.set(inputKey(row.ecosystem, row.path), row);
  const now = new Map(inputs.map((row) => [inputKey(row.ecosystem, row.path), row]));
  const differences: { where: string; detail: string }[] = [];
  const changed = new Set<InputKey>();
  for (const [key, row] of now) {
    const was = before.get(key);
    if (was?.digest === row.digest) continue;
    changed.add(key);
    differences.push({
      where: row.path,
      detail: was === undefined ? 'It is not in the lock.' : 'It has changed since the lock was written.',
    });
  }
  for (const [key, row] of before) {
    if (now.has(key)) continue;
    changed.add(key);
    differences.push({ where: row.path, detail: 'It stands in the lock and not in the project.' });
  }

  const real = [...now.values()].filter(({ ecosystem }) => ecosystem !== PROJECT && ecosystem !== SIBLING);
  const beside = new Set<InputKey>();
  for (const row of [...before.values(), ...now.values()]) {
    const parent = changed.has(inputKey(row.ecosystem, row.path)) ? parentOf(row) : undefined;
    if (parent !== undefined) beside.add(inputKey(parent.ecosystem, parent.path));
  }
  const resolve = new Set<InputKey>();
  for (const row of real) {
    const key = inputKey(row.ecosystem, row.path);
    const settings = inputKey(PROJECT, `sallyport.yaml#${row.ecosystem}:${row.path}`);
    if (
      changed.has(key) ||
      beside.has(key) ||
      changed.has(settings) ||
      changed.has(inputKey(PROJECT, TARGETS_ROW)) ||
      lock?.unsettled.has(row.path) === true
    ) {
      resolve.add(key);
    }
  }
  if (lock !== undefined && lock.unsettled.size > 0) {
    differences.push({ where: 'sallyport.lock', detail: 'A merge left lines about which its two sides differ.' });
  }

  const rows = (lock?.rows ?? []).filter((row): row is Exclude<LockRow, InputRow> => row.row !== 'input');
  const stays = (row: Exclude<LockRow, InputRow>, path: string): boolean => {
    const key = inputKey(row.ecosystem, path);
    return now.has(key) && !resolve.has(key);
  };
  for (const row of rows) {
    if (!damaged.has(rowKey(row))) continue;
    for (const path of row.inputs)
      if (now.has(inputKey(row.ecosystem, path))) resolve.add(inputKey(row.ecosystem, path));
  }
  for (let grown = true; grown;) {
    grown = false;
    for (const row of rows) {
      if (row.row !== 'artifact') continue;
      const staying = row.inputs.filter((path) => stays(row, path));
      if (staying.length === 0 || staying.length === row.inputs.length) continue;
      const vouched = row.evidence.some(({ source }) => !isLeaving(source, row.inputs, staying));
      // Nor what it is for, where only one of them says so.
      if (row.targets === 'any' && vouched && !hasRole(row, 'policy')) continue;
      for (const path of staying) resolve.add(inputKey(row.ecosystem, path));
      grown = true;
    }
  }

  const kept: Exclude<LockRow, InputRow>[] = [];
  for (const row of rows) {
    const staying = row.inputs.filter((path) => stays(row, path));
    if (staying.length === 0) continue;
    if (row.row !== 'artifact') kept.push({ ...row, inputs: staying });
    else {
      const evidence = row.evidence.filter(({ source }) => !isLeaving(source, row.inputs, staying));
      kept.push({ ...row, inputs: staying, evidence });
    }
  }
  return { resolve, kept, differences };
}

function isLeaving(source: string, inputs: readonly string[], staying: readonly string[]): boolean {
  return inputs.includes(source) && !staying.includes(source);
}

/** An artifact that is to be fetched once, for all the inputs that asked for it. */
export interface Job extends Wanted {
  readonly inputs: readonly string[];
}

/** Merges what several inputs want. Throws capture.conflict where they expect different bytes. */
export function jobsOf(closures: readonly { readonly path: string; readonly closure: Closure }[]): Job[] {
  const jobs = new Map<string, Job>();
  for (const { path, closure } of closures) {
    for (const wanted of closure.artifacts) {
      const key = identityKey(wanted);
      const known = jobs.get(key);
      if (known === undefined) {
        jobs.set(key, { ...wanted, inputs: [path] });
        continue;
      }
      const expected = unionEvidence(known.expected, wanted.expected);
      const values = new Map<string, string>();
      for (const { algorithm, scope, value } of expected) {
        const before = values.get(`${algorithm} ${scope}`);
        if (before !== undefined && before !== value) {
          throw captureFault('capture.conflict', {
            where: describeIdentity(wanted),
            detail: `Among ${[...known.inputs, path].join(', ')} it has the ${algorithm} ${before} and ${value}.`,
          });
        }
        values.set(`${algorithm} ${scope}`, value);
      }
      const size = known.size ?? wanted.size;
      jobs.set(key, {
        ...known,
        ...(size === undefined ? {} : { size }),
        targets: unionTargets(known.targets, wanted.targets),
        sources: [...known.sources, ...wanted.sources],
        expected,
        published: known.published === '' ? wanted.published : known.published,
        facts: { ...known.facts, ...wanted.facts },
        inputs: union(known.inputs, [path]),
      });
    }
  }
  return [...jobs.values()];
}

/** The whole lock: what was kept, and what was resolved. */
export function mergeRows(
  inputs: readonly InputRow[],
  kept: readonly Exclude<LockRow, InputRow>[],
  fetched: readonly ArtifactRow[],
  closures: readonly { readonly path: string; readonly closure: Closure }[],
): LockRow[] {
  const rows = new Map<string, LockRow>();
  for (const row of [...inputs, ...kept]) rows.set(rowKey(row), row);
  for (const row of fetched) {
    const before = rows.get(rowKey(row));
    if (before?.row !== 'artifact') {
      rows.set(rowKey(row), row);
      continue;
    }
    if (before.digest !== row.digest) {
      throw captureFault('capture.conflict', {
        where: describeIdentity(row),
        detail: `For ${before.inputs.join(', ')} it is ${before.digest}, for ${row.inputs.join(', ')} ${row.digest}.`,
      });
    }
    rows.set(rowKey(row), {
      ...row,
      targets: unionTargets(before.targets, row.targets),
      evidence: sortEvidence(unionEvidence(before.evidence, row.evidence)),
      inputs: union(before.inputs, row.inputs),
      facts: { ...before.facts, ...row.facts },
    });
  }
  for (const { path, closure } of closures) {
    for (const document of closure.documents) {
      const row: DocumentRow = { ...document, row: 'document', inputs: [path] };
      // Of a document that upstream changes all the time the newest is kept, for everybody who needs it.
      rows.set(rowKey(row), { ...row, inputs: union(inputsOf(rows.get(rowKey(row))), row.inputs) });
    }
    for (const pointer of closure.pointers) {
      const row: PointerRow = { ...pointer, row: 'pointer', inputs: [path] };
      rows.set(rowKey(row), { ...row, inputs: union(inputsOf(rows.get(rowKey(row))), row.inputs) });
    }
  }
  return [...rows.values()];
}

function inputsOf(row: LockRow | undefined): readonly string[] {
  return row === undefined || row.row === 'input' ? [] : row.inputs;
}

/** The row of a fetched artifact. */
export function artifactRow(job: Job, digest: Digest, size: number, origin: string): ArtifactRow {
  const firstUse: Evidence = {
    algorithm: 'sha256',
    value: digest.slice('sha256:'.length),
    scope: 'file',
    source: 'first-use',
    grade: 'first-use',
  };
  return {
    row: 'artifact',
    ecosystem: job.ecosystem,
    authority: job.authority,
    name: job.name,
    version: job.version,
    file: job.file,
    targets: job.targets === 'any' ? 'any' : union(job.targets, []),
    digest,
    size,
    media: job.media,
    origin,
    published: job.published,
    evidence: sortEvidence(job.expected.length === 0 ? [firstUse] : job.expected),
    inputs: union(job.inputs, []),
    facts: job.facts,
  };
}

/** What a person wants to know after a capture: names of rows that came, went, or changed. */
export function changesOf(
  before: readonly LockRow[],
  after: readonly LockRow[],
): { added: string[]; removed: string[]; changed: string[] } {
  const was = new Map(before.map((row) => [rowKey(row), row]));
  const is = new Map(after.map((row) => [rowKey(row), row]));
  const changes = { added: [] as string[], removed: [] as string[], changed: [] as string[] };
  for (const [key, row] of is) {
    const old = was.get(key);
    if (old === undefined) changes.added.push(nameOf(row));
    else if (formatRow(old) !== formatRow(row)) changes.changed.push(nameOf(row));
  }
  for (const [key, row] of was) if (!is.has(key)) changes.removed.push(nameOf(row));
  for (const list of Object.values(changes)) list.sort(compareUtf8);
  return changes;
}

function nameOf(row: LockRow): string {
  if (row.row === 'input') return `input ${row.path}`;
  if (row.row === 'artifact') return describeIdentity(row);
  return `${describeIdentity(row)} ${row.row === 'document' ? row.role : `→ ${row.pointer}`}`;
}

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])].sort(compareUtf8);
}

function unionTargets(a: Targets, b: Targets): Targets {
  return a === 'any' || b === 'any' ? 'any' : union(a, b);
}

function unionEvidence(a: readonly Evidence[], b: readonly Evidence[]): Evidence[] {
  const all = new Map<string, Evidence>();
  for (const one of [...a, ...b]) {
    // First use is what is said when nobody says more.
    all.set([one.algorithm, one.value, one.scope, one.source].join('\0'), one);
  }
  const found = [...all.values()];
  const vouched = found.filter(({ grade }) => grade !== 'first-use');
  return vouched.length > 0 ? vouched : found;
}

const GRADES = ['strong', 'weak', 'first-use'];

function sortEvidence(evidence: readonly Evidence[]): Evidence[] {
  return [...evidence].sort(
    (a, b) =>
      GRADES.indexOf(a.grade) - GRADES.indexOf(b.grade) ||
      compareUtf8(a.algorithm, b.algorithm) ||
      compareUtf8(a.value, b.value) ||
      compareUtf8(a.source, b.source),
  );
}
