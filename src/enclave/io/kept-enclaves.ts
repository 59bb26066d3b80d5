import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSafeName } from '#kernel';
import { processStart } from '#system';
import { enclaveFault } from '../faults.ts';
import { type KeeperAnswer, type KeeperInput, type KeeperRequest, type KeptRecord, keptRecord } from '../kept.ts';

export interface Kept {
  readonly folder: string;
  readonly record: KeptRecord;
}

/** Where records of the project's kept enclaves lie: of `folder`, or of the nearest folder above that has any. */
async function enclavesOf(folder: string): Promise<string> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const path = join(at, '.sallyport', 'enclaves');
    if (
      await stat(path)
        .then((found) => found.isDirectory())
        .catch(() => false)
    )
      return path;
    if (dirname(at) === at) return join(resolve(folder), '.sallyport', 'enclaves');
  }
}

/** All that live; what a killed keeper left is taken away. Enclaves die with their keeper, so a record is all that is left. */
export async function keptEnclaves(folder: string): Promise<Kept[]> {
  const base = await enclavesOf(folder);
  const names = await readdir(base).catch(() => [] as string[]);
  const kept: Kept[] = [];
  for (const name of names.sort()) {
    if (!isSafeName(name)) continue;
    const place = join(base, name);
    const record = await readRecord(place);
    if (record === undefined) {
      // One that is being made has no record yet, and is young.
      const age =
        Date.now() -
        (await stat(place).then(
          ({ mtimeMs }) => mtimeMs,
          () => Date.now(),
        ));
      if (age > 60_000) await rm(place, { recursive: true, force: true });
    } else if ((await processStart(record.pid)) === record.start) kept.push({ folder: place, record });
    else await rm(place, { recursive: true, force: true });
  }
  return kept;
}

/** The one that is meant. Throws enclave.none and enclave.which. */
export async function keptEnclave(folder: string, name: string | undefined): Promise<Kept> {
  const all = await keptEnclaves(folder);
  const found = name === undefined ? all : all.filter(({ record }) => record.name === name);
  const [first] = found;
  if (first === undefined) throw enclaveFault('enclave.none', { where: name ?? resolve(folder) });
  if (found.length > 1) {
    throw enclaveFault('enclave.which', { detail: `There are ${all.map(({ record }) => record.name).join(', ')}.` });
  }
  return first;
}

export interface Conversation {
  /** The last answer. Throws enclave.refused, and enclave.gone where the keeper ended. */
  readonly done: Promise<KeeperAnswer & { say: 'done' }>;
  input(data: Uint8Array): void;
  /** Nothing more will come from here. */
  end(): void;
}

/** Asks a keeper. Each answer before the last goes to `heard`. */
export async function askKeeper(
  kept: Kept,
  request: KeeperRequest,
  heard: (answer: KeeperAnswer) => void = () => undefined,
): Promise<Conversation> {
  const gone = (): Error => enclaveFault('enclave.gone', { where: kept.record.name });
  const socket = await connectBelow(kept.folder).catch((error: unknown) => {
    throw enclaveFault('enclave.gone', { where: kept.record.name, cause: error });
  });
  socket.on('error', () => undefined);
  const done = new Promise<KeeperAnswer & { say: 'done' }>((settle, reject) => {
    createInterface({ input: socket, crlfDelay: Infinity })
      .on('line', (line) => {
        const answer = JSON.parse(line) as KeeperAnswer;
        if (answer.say === 'done') settle(answer);
        else if (answer.say === 'refused') {
          reject(enclaveFault('enclave.refused', { where: kept.record.name, detail: answer.detail }));
        } else heard(answer);
      })
      .on('close', () => reject(gone()));
  });
  // Whoever waits for it learns it; nobody may be waiting yet.
  done.catch(() => undefined);
  socket.write(`${JSON.stringify(request)}\n`);
  return {
    done,
    input(data) {
      const line: KeeperInput = { input: Buffer.from(data).toString('base64') };
      socket.write(`${JSON.stringify(line)}\n`);
    },
    end: () => void socket.end(),
  };
}

/** Waits until a keeper has ended and taken its record away. False where it does not end in time. */
export async function waitUntilGone(kept: Kept, time: number): Promise<boolean> {
  const end = Date.now() + time;
  while ((await processStart(kept.record.pid)) === kept.record.start) {
    if (Date.now() > end) return false;
    await sleep(50);
  }
  return true;
}

async function readRecord(folder: string): Promise<KeptRecord | undefined> {
  const text = await readFile(join(folder, 'record.json'), 'utf8').catch(() => '');
  try {
    return keptRecord.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** See the keeper: the folder is named by its descriptor, because the path of a socket is short. */
async function connectBelow(folder: string): Promise<Socket> {
  const file = openSync(folder, 'r');
  try {
    return await new Promise<Socket>((settle, reject) => {
      const socket = connect({ path: `/proc/self/fd/${file}/socket`, allowHalfOpen: true });
      socket.once('connect', () => settle(socket));
      socket.once('error', reject);
    });
  } finally {
    closeSync(file);
  }
}
