import { readFile, readlink, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { Writable } from 'node:stream';
import { errorMessage } from '#kernel';
import { findProgram, lastWords, runProcess } from '#system';
import { enclaveFault } from '../faults.ts';
import { type EnclaveIds, type IdRange, rangeFor } from '../identity.ts';

/** Which ids an enclave gets, and how. */
export interface GivenIds {
  readonly ids: EnclaveIds;
  /** They are written from outside, before the enclave begins. */
  readonly given: boolean;
  readonly users?: IdRange;
  readonly groups?: IdRange;
  /** Programs that may write them for an ordinary user (newuidmap(1)). */
  readonly helpers?: { readonly users: string; readonly groups: string };
}

/** What this user may have: root a range that is nobody's; others what /etc/subuid grants them, or only their own id. */
export async function enclaveIds(env: Readonly<Record<string, string | undefined>>): Promise<GivenIds> {
  const own: GivenIds = { ids: { root: false }, given: false };
  if (process.getuid?.() === 0) {
    const [users, groups] = await Promise.all(
      ['uid_map', 'gid_map'].map(async (file) =>
        rangeFor(await readFile(`/proc/self/${file}`, 'utf8').catch(() => ''), process.pid),
      ),
    );
    const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
    const rights = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
    // CAP_SETGID and CAP_SETUID: without them nobody can be made of the range.
    const may = (rights & 0xc0n) === 0xc0n;
    if (may && users !== undefined && groups !== undefined) {
      const count = Math.min(users.count, groups.count);
      const ids = { root: true, range: { first: 1, count } };
      return { ids, given: true, users: { ...users, count }, groups: { ...groups, count } };
    }
    // Root of a container that is nobody outside it is an ordinary user.
    const map = await readFile('/proc/self/uid_map', 'utf8').catch(() => '');
    if (!/^\s*0\s+0\s+4294967295\s*$/.test(map)) return own;
    throw enclaveFault('enclave.failed', {
      detail: 'Foreign programs never run as root, and this root may not give them other ids (CAP_SETUID, CAP_SETGID).',
    });
  }
  const [newuidmap, newgidmap, users, groups] = await Promise.all([
    findProgram('newuidmap', env),
    findProgram('newgidmap', env),
    subordinate('/etc/subuid'),
    subordinate('/etc/subgid'),
  ]);
  if (newuidmap === undefined || newgidmap === undefined || users === undefined || groups === undefined) return own;
  const count = Math.min(users.count, groups.count);
  return {
    ids: { root: false, range: { first: 1, count } },
    given: true,
    users: { ...users, count },
    groups: { ...groups, count },
    helpers: { users: newuidmap, groups: newgidmap },
  };
}

/** Writes them for a process that waits in its new user namespace, and lets it begin. Throws enclave.failed. */
export async function giveIds(
  pid: number,
  { given, users, groups, helpers }: GivenIds,
  input: Writable,
): Promise<void> {
  if (!given || users === undefined || groups === undefined) return;
  await inNewSpace(pid);
  const lines = (own: number, { first, count }: IdRange): readonly (readonly number[])[] => [
    [0, own, 1],
    [1, first, count],
  ];
  const uid = lines(process.getuid?.() ?? 0, users);
  const gid = lines(process.getgid?.() ?? 0, groups);
  try {
    if (helpers === undefined) {
      const text = (map: readonly (readonly number[])[]): string => map.map((line) => `${line.join(' ')}\n`).join('');
      await writeFile(`/proc/${pid}/uid_map`, text(uid));
      await writeFile(`/proc/${pid}/gid_map`, text(gid));
    } else {
      for (const [helper, map] of [
        [helpers.users, uid],
        [helpers.groups, gid],
      ] as const) {
        const ended = await runProcess(helper, [String(pid), ...map.flat().map(String)], { env: {}, timeout: 10_000 });
        if (ended.code !== 0) throw new Error(lastWords(ended));
      }
    }
  } catch (error) {
    throw enclaveFault('enclave.failed', { detail: `No ids for foreign programs: ${errorMessage(error)}` });
  }
  input.write('begin\n');
}

/** `NAME:FIRST:COUNT` of this user, by name or number (subuid(5)). */
async function subordinate(file: string): Promise<IdRange | undefined> {
  const uid = process.getuid?.() ?? 0;
  const username = nameOf(uid);
  for (const line of (await readFile(file, 'utf8').catch(() => '')).split('\n')) {
    const [who, first, count] = line.trim().split(':');
    if (who !== username && who !== String(uid)) continue;
    const range = { first: Number(first), count: Math.min(Number(count), 65_536) };
    if (Number.isSafeInteger(range.first) && Number.isSafeInteger(range.count) && range.count > 1) return range;
  }
  return undefined;
}

/** The number itself where nobody has given it a name. */
function nameOf(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    return String(uid);
  }
}

async function inNewSpace(pid: number): Promise<void> {
  const own = await readlink('/proc/self/ns/user');
  const end = performance.now() + 10_000;
  while (performance.now() < end) {
    const space = await readlink(`/proc/${pid}/ns/user`).catch(() => undefined);
    if (space === undefined) break;
    if (space !== own) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw enclaveFault('enclave.failed', { detail: 'There is no new user namespace.' });
}
