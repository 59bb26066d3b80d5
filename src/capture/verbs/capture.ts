import { dirname, join, resolve } from 'node:path';
import {
  type ArtifactRow,
  type Digest,
  digestOf,
  hexOf,
  type Home,
  identityKey,
  type Implementation,
  type InputRow,
  type LockRow,
  printable,
  type World,
} from '#kernel';
import type { Closure } from '#ecosystems';
import { ecosystemOf, ecosystems } from '#ecosystems/list';
import { openLedger } from '#ledger';
import {
  formatLock,
  hasRole,
  LOCK_LIMITS,
  type MergedLock,
  parseMergedLock,
  type Project,
  readProject,
  rowKey,
} from '#project';
import { openStore, type Store } from '#store';
import { homePath, makeFolderDurably, openHome, openNetwork, readIfThere, writeDurably } from '#system';
import { gatherInputs, parentOf, siblingRow } from '../inputs.ts';
import { checkStored, fetchAll, inLanes } from '../io/fetch.ts';
import { openJournal } from '../io/journal.ts';
import { openOutside } from '../io/upstream.ts';
import type { CaptureInput, CaptureOutput } from '../operations.ts';
import { captureFault } from '../faults.ts';
import { changesOf, inputKey, type Job, jobsOf, mergeRows, planCapture } from '../plan.ts';

const CLIENTS = { npm: 'npm', pypi: 'pip', oci: 'oci' } as const;

export const captureVerb: Implementation<CaptureInput, CaptureOutput> = {
  async run(input, world) {
    const path = resolve(world.cwd, input.file ?? 'sallyport.yaml');
    const project = await readProject(world.files, path);
    const lockPath = join(dirname(path), 'sallyport.lock');
    const bytes = await readIfThere(world.files, lockPath, LOCK_LIMITS.bytes);
    const lock = bytes === undefined ? undefined : parseMergedLock(bytes, lockPath);
    const home =
      input.frozen === true
        ? undefined
        : await openHome(
            world.files,
            homePath(world, { file: path, ...(input.home === undefined ? {} : { home: input.home }) }),
          );
    const prepared =
      home === undefined || project.prepare.length === 0
        ? []
        : await (
            await import('../io/prepare.ts')
          ).prepareInputs(world, home, project, { unconfined: input.unconfined === true });
    const { inputs, rows } = await gatherInputs(
      world.files,
      project,
      ecosystems.map(({ id }) => id),
      lock?.rows,
    );
    if (home === undefined) return frozen(lockPath, bytes, lock, rows);
    return { ...(await run(world, home, project, { lockPath, bytes, lock, inputs, rows })), prepared };
  },

  exit: ({ verdict }) => (verdict === 'differs' ? 1 : 0),

  show(output, style) {
    const { lock, changes, fetched } = output;
    const lines: string[] = [];
    if (output.verdict === 'differs') {
      lines.push(style.bad('sallyport.lock does not fit the project:'));
      for (const { where, detail } of output.reasons) lines.push(`  ${printable(where)}: ${detail}`);
      return lines.join('\n');
    }
    if (output.verdict === 'same') return style.good('sallyport.lock fits the project.');
    for (const one of output.prepared) {
      const { makes, confined, requests, attempts } = one;
      const refused = requests.filter(({ outcome }) => outcome === 'refused').length + attempts.length;
      const asked = confined
        ? `${requests.length} requests recorded, ${refused} attempts refused`
        : style.warn('unconfined: what it asked is not known');
      lines.push(`made     ${printable(makes)}: ${asked}`);
    }
    lines.push(`${style.good('captured')} ${output.artifacts} artifacts and ${output.documents} documents`);
    lines.push(`fetched  ${fetched.count} artifacts, ${fetched.bytes} bytes; ${output.kept} were here`);
    lines.push(`lock     ${lock.path}`);
    lines.push(`         ${lock.digest}`);
    lines.push(
      `changes  ${changes.added.length} added, ${changes.removed.length} removed, ${changes.changed.length} changed`,
    );
    for (const note of output.notes) lines.push(style.warn(`note     ${printable(note)}`));
    if (output.ledger !== undefined)
      lines.push(style.dim(`ledger   size ${output.ledger.size}, root ${output.ledger.root}`));
    return lines.join('\n');
  },
};

interface State {
  readonly lockPath: string;
  readonly bytes: Uint8Array | undefined;
  readonly lock: MergedLock | undefined;
  readonly inputs: Awaited<ReturnType<typeof gatherInputs>>['inputs'];
  readonly rows: readonly InputRow[];
}

async function run(world: World, home: Home, project: Project, state: State): Promise<Omit<CaptureOutput, 'prepared'>> {
  const { files, report, signal } = world;
  const { lock } = state;
  const store = await openStore(files, home);
  const network = await openNetwork({ signal, agent: `sallyport/${world.version}` });
  const folder = `${home.path}/capture`;
  await makeFolderDurably(files, folder, 0o700);
  const journal = await openJournal(files, folder);
  try {
    const outside = openOutside(world, project.folder, store, network);

    report({ type: 'step', step: 'check', title: 'Check what the store has' });
    const damaged = await damagedRows(world, store, planCapture(lock, state.rows).kept);
    const plan = planCapture(lock, state.rows, damaged);
    report({ type: 'end', step: 'check', title: `${plan.kept.length} rows of the lock are kept`, ok: true });

    const wanted = state.inputs.filter(({ entry, input }) => plan.resolve.has(inputKey(entry.ecosystem, input.path)));
    report({ type: 'step', step: 'resolve', title: `Resolve ${wanted.length} inputs` });
    const closures: { path: string; closure: Closure }[] = [];
    const beside = new Map<string, InputRow>();
    const folderOf = new Map<string, string>();
    await inLanes(wanted, 4, signal, async ({ entry, input, targets }) => {
      const half = await ecosystemOf(entry.ecosystem)!.outside();
      const sibling: typeof input.sibling = async (file, limit) => {
        const bytes = await input.sibling(file, limit);
        const row = siblingRow(entry.ecosystem, input.path, file, bytes);
        beside.set(row.path, row);
        return bytes;
      };
      const closure = await half.resolve({ ...input, sibling }, targets, outside.upstreamFor(input.path));
      closures.push({
        path: input.path,
        closure: tied(
          closure,
          project,
          targets.map(({ name }) => name),
        ),
      });
    });
    closures.sort((a, b) => (a.path < b.path ? -1 : 1));
    report({ type: 'end', step: 'resolve', title: `Resolved ${wanted.length} inputs`, ok: true });

    // What was read beside an input that was resolved again is known anew; for the others it stays.
    const inputRows = state.rows.filter((row) => {
      const parent = parentOf(row);
      return parent === undefined || !plan.resolve.has(inputKey(parent.ecosystem, parent.path));
    });
    inputRows.push(...beside.values());

    const jobs = jobsOf(closures);
    for (const job of jobs) folderOf.set(identityKey(job), job.inputs[0] ?? '');
    const earlier = new Map<string, ArtifactRow>();
    for (const row of lock?.rows ?? []) if (row.row === 'artifact') earlier.set(identityKey(row), row);
    const {
      rows: artifacts,
      fetched,
      kept,
    } = await fetchAll(jobs, {
      files,
      home,
      folder: project.folder,
      store,
      network,
      journal,
      report,
      signal,
      earlier: (key) => earlier.get(key),
      routeOf: async (job: Job) => {
        const client = CLIENTS[job.ecosystem as keyof typeof CLIENTS] ?? 'files';
        return (await outside.settings(client, folderOf.get(identityKey(job)) ?? '')).route;
      },
    });

    signal.throwIfAborted();
    const all = mergeRows(inputRows, plan.kept, artifacts, closures);
    await checkPolicies(store, all);
    const text = formatLock({ rows: all });
    if (state.bytes === undefined || !Buffer.from(text).equals(state.bytes)) {
      await writeDurably(files, state.lockPath, text);
    }
    const digest = digestOf(text);
    const changes = changesOf(lock?.rows ?? [], all);
    const counts = { artifacts: 0, documents: 0, pointers: 0 };
    for (const { row } of all) {
      if (row === 'artifact') counts.artifacts += 1;
      else if (row === 'document') counts.documents += 1;
      else if (row === 'pointer') counts.pointers += 1;
    }
    const ledger = await record(world, home, project, digest, inputRows, { ...counts, ...fetched });
    await journal.clear();
    const notes = new Set(outside.notes());
    for (const { closure } of closures) for (const note of closure.notes) notes.add(note);
    return {
      verdict: 'captured',
      reasons: [],
      lock: { path: state.lockPath, digest },
      artifacts: counts.artifacts,
      documents: counts.documents,
      fetched,
      kept: kept + plan.kept.filter(({ row }) => row === 'artifact').length,
      notes: [...notes],
      changes,
      ledger,
    };
  } finally {
    await journal.close();
    await network.close();
  }
}

/** Rows whose content is not in the store, or not as the row and its evidence say. */
async function damagedRows(world: World, store: Store, rows: readonly LockRow[]): Promise<Set<string>> {
  const damaged = new Set<string>();
  let done = 0;
  await inLanes(rows, 4, world.signal, async (row) => {
    if (row.row !== 'artifact' && row.row !== 'document') return;
    const expected = row.row === 'artifact' ? row.evidence.filter(({ scope }) => scope === 'file') : [];
    const size = await checkStored(store, row.digest, expected);
    if (size !== row.size) damaged.add(rowKey(row));
    done += 1;
    world.report({ type: 'amount', step: 'check', done, total: rows.length, unit: 'items' });
  });
  return damaged;
}

/** Policies that nobody can read must not cross: inside, there is no map without them. */
async function checkPolicies(store: Store, rows: readonly LockRow[]): Promise<void> {
  const policies = rows.filter((row) => hasRole(row, 'policy')).filter(({ name }) => /\.(?:ya?ml|json)$/.test(name));
  if (policies.length === 0) return;
  const manifests: { name: string; bytes: Uint8Array }[] = [];
  for (const { name, digest, size } of policies) {
    manifests.push({ name, bytes: (await store.read(digest, size))! });
  }
  const { whyUnknown } = await import('#policy');
  const [first, ...others] = whyUnknown(manifests);
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` There are ${others.length} more like it.`;
  throw captureFault('capture.policy-unknown', { where: first.where, detail: `${first.code}: ${first.detail}${more}` });
}

/** A closure that was resolved for some targets only is not for any. */
function tied(closure: Closure, project: Project, targets: readonly string[]): Closure {
  if (targets.length === project.targets.length) return closure;
  return {
    ...closure,
    artifacts: closure.artifacts.map((one) => (one.targets === 'any' ? { ...one, targets } : one)),
  };
}

function frozen(
  lockPath: string,
  bytes: Uint8Array | undefined,
  lock: MergedLock | undefined,
  inputs: readonly InputRow[],
): CaptureOutput {
  const differences = [...planCapture(lock, inputs).differences];
  if (bytes === undefined) differences.unshift({ where: 'sallyport.lock', detail: 'It does not exist.' });
  else if (lock !== undefined && differences.length === 0 && !Buffer.from(formatLock(lock)).equals(bytes)) {
    differences.push({
      where: 'sallyport.lock',
      detail: 'Its lines are not in order, or stand twice: a merge left it so.',
    });
  }
  const rows = lock?.rows ?? [];
  return {
    verdict: differences.length === 0 ? 'same' : 'differs',
    reasons: differences.map((one) => ({ code: 'capture.frozen', ...one })),
    lock: { path: lockPath, digest: bytes === undefined ? '' : digestOf(bytes) },
    artifacts: rows.filter(({ row }) => row === 'artifact').length,
    documents: rows.filter(({ row }) => row === 'document').length,
    fetched: { count: 0, bytes: 0 },
    kept: 0,
    notes: [],
    prepared: [],
    changes: { added: [], removed: [], changed: [] },
  };
}

async function record(
  world: World,
  home: Home,
  project: Project,
  lock: Digest,
  inputs: readonly InputRow[],
  counts: Readonly<Record<string, number>>,
): Promise<{ size: number; root: string }> {
  const ledger = await openLedger(world.files, home, world.clock);
  try {
    const { size, root } = await ledger.append({
      predicateType: 'sallyport/captured/v1',
      subject: [{ name: 'sallyport.lock', digest: { sha256: hexOf(lock) } }],
      predicate: {
        project: project.name,
        channel: project.channel,
        inputs: inputs.map(({ ecosystem, path, digest }) => ({ ecosystem, path, digest })),
        counts,
      },
    });
    return { size, root };
  } finally {
    await ledger.close();
  }
}
