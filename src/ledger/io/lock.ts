import { randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { parseStrictJson, isProblem } from '#formats';
import { type Clock, errorCode, type Files, instantOf, isObject, printable } from '#kernel';
import { readIfThere } from '#system';
import { ledgerFault } from '../faults.ts';

/**
 * One writer at a time, without a lock that outlives a killed process. Locks are numbered files `lock.N`; who links the
 * next number holds it. A number is made with link(), so it appears with its content or not at all; the highest is
 * never removed, only superseded, so two processes that take over the same dead lock cannot both win.
 */
export interface Lock {
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** Ticks since boot, so that a pid that is used again is not taken for its predecessor. */
  readonly started: string;
  readonly boot: string;
  /** The pid namespace: a pid says nothing outside its own. */
  readonly space: string;
  readonly since: string;
}

const LIMIT = 4096;
const POLL = 25;

export async function takeLock(files: Files, folder: string, clock: Clock, wait: number): Promise<Lock> {
  const me = await self(files, clock);
  const deadline = performance.now() + wait;
  for (;;) {
    const held = await tryLock(files, folder, me);
    if ('release' in held) return held;
    if (performance.now() >= deadline) {
      throw ledgerFault('ledger.busy', { where: folder, detail: `It is held by ${held.by}.` });
    }
    await new Promise((done) => setTimeout(done, POLL));
  }
}

async function tryLock(files: Files, folder: string, me: Holder): Promise<Lock | { by: string }> {
  const highest = Math.max(0, ...(await numbers(files, folder)));
  if (highest > 0) {
    const bytes = await readIfThere(files, `${folder}/lock.${highest}`, LIMIT);
    // Gone between the two calls: somebody superseded it.
    if (bytes === undefined) return { by: 'a process that has just taken it' };
    const holder = parseHolder(bytes);
    if (holder !== undefined && (await lives(files, holder, me))) {
      return { by: `process ${holder.pid} since ${printable(holder.since)}` };
    }
  }
  const mine = highest + 1;
  const path = `${folder}/lock.${mine}`;
  const temporary = `${folder}/lock.${randomBytes(6).toString('hex')}.sallyport-tmp`;
  try {
    const file = await files.open(temporary, 'wx', { mode: 0o600 });
    try {
      await file.write(Buffer.from(JSON.stringify(me)));
    } finally {
      await file.close();
    }
    await files.link(temporary, path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return { by: 'a process that has just taken it' };
    throw error;
  } finally {
    await files.remove(temporary).catch(() => undefined);
  }
  const others = await numbers(files, folder);
  // A number below the highest could be linked again after its removal, so it is no lock.
  if (others.some((number) => number > mine)) {
    await files.remove(path);
    return { by: 'a process that has just taken it' };
  }
  for (const number of others) if (number < mine) await files.remove(`${folder}/lock.${number}`).catch(() => undefined);
  return {
    async release() {
      const file = await files.open(path, 'w', { mode: 0o600 });
      await file.close();
    },
  };
}

async function numbers(files: Files, folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const { name } of await files.list(folder)) {
    const digits = /^lock\.([1-9][0-9]{0,14})$/.exec(name)?.[1];
    if (digits !== undefined) found.push(Number(digits));
  }
  return found;
}

async function self(files: Files, clock: Clock): Promise<Holder> {
  const boot = Buffer.from(await files.read('/proc/sys/kernel/random/boot_id', LIMIT))
    .toString('utf8')
    .trim();
  const started = (await processAt(files, process.pid))?.started ?? '';
  const space = readlinkSync('/proc/self/ns/pid');
  return { pid: process.pid, started, boot, space, since: instantOf(clock.now()) };
}

/** An empty file is a released lock, and what is no holder was cut by a power cut: both are free. */
function parseHolder(bytes: Uint8Array): Holder | undefined {
  const parsed = parseStrictJson(bytes);
  if (isProblem(parsed) || !isObject(parsed.value)) return undefined;
  const { pid, started, boot, space, since } = parsed.value;
  if (typeof pid !== 'number' || typeof started !== 'string' || typeof boot !== 'string') return undefined;
  if (typeof space !== 'string' || typeof since !== 'string') return undefined;
  return { pid, started, boot, space, since };
}

async function lives(files: Files, holder: Holder, me: Holder): Promise<boolean> {
  if (holder.boot !== me.boot) return false;
  // A process of another pid namespace cannot be seen from here, and unknown is not dead.
  if (holder.space !== me.space) return true;
  const found = await processAt(files, holder.pid);
  return found !== undefined && found.started === holder.started && !['Z', 'X', 'x'].includes(found.state);
}

/** State and start time of a process (proc_pid_stat(5), fields 3 and 22); its name may hold spaces and parentheses. */
async function processAt(files: Files, pid: number): Promise<{ state: string; started: string } | undefined> {
  let text: string;
  try {
    text = Buffer.from(await files.read(`/proc/${pid}/stat`, LIMIT)).toString('latin1');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, started] = [fields[0], fields[19]];
  return state === undefined || started === undefined ? undefined : { state, started };
}
