import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Implementation, isSafeName, printable, type World } from '#kernel';
import { processStart } from '#system';
import { enclaveFault } from '../faults.ts';
import { type Kept, keptEnclave } from '../io/kept-enclaves.ts';
import type { LogsInput, LogsOutput } from '../operations.ts';

const SHOWN = 1024 * 1024;
const PIECE = 64 * 1024;

export const logsVerb: Implementation<LogsInput, LogsOutput> = {
  run: async (input, world) => read(await find(input, world), input.service),

  async follow(input, world, emit) {
    const kept = await find(input, world);
    const first = await read(kept, input.service);
    emit(first);
    if (input.follow !== true) return;
    const path = join(kept.record.logs, `${input.service}.log`);
    let { ino, size: at } = await stat(path);
    let rest = '';
    const halt = new AbortController();
    world.signal.addEventListener('abort', () => halt.abort());
    while (!world.signal.aborted) {
      const alive = (await processStart(kept.record.pid)) === kept.record.start;
      const now = await stat(path).catch(() => undefined);
      // When it was full another took its place: the end of the old one has been read, or is in NAME.log.1.
      if (now !== undefined && now.ino !== ino) [ino, at] = [now.ino, 0];
      for (const piece of now === undefined ? [] : [await readFrom(path, at)]) {
        at += piece.length;
        const lines = (rest + piece.toString('utf8')).split('\n');
        rest = lines.pop() ?? '';
        if (lines.length > 0) emit({ ...first, text: `${escaped(lines.join('\n'))}\n`, cut: false });
        if (piece.length === PIECE) continue;
      }
      if (!alive) return;
      await sleep(100, undefined, { signal: halt.signal }).catch(() => undefined);
    }
  },

  exit: () => 0,
  show: ({ text }) => text.replace(/\n$/, ''),
};

async function find(input: LogsInput, world: World): Promise<Kept> {
  const kept = await keptEnclave(input.project ?? world.cwd, input.name);
  const known =
    isSafeName(input.service) && (await stat(join(kept.record.logs, `${input.service}.log`)).catch(() => undefined));
  if (known === false || known === undefined) throw enclaveFault('enclave.machine', { where: input.service });
  return kept;
}

async function read({ record }: Kept, service: string): Promise<LogsOutput> {
  const path = join(record.logs, `${service}.log`);
  const parts: Buffer[] = [];
  const files: string[] = [];
  for (const file of [`${path}.1`, path]) {
    const bytes = await readFile(file).catch(() => undefined);
    if (bytes === undefined) continue;
    parts.push(bytes);
    files.push(file);
  }
  const all = Buffer.concat(parts);
  const shown = all.subarray(Math.max(0, all.length - SHOWN));
  return { service, files, text: escaped(shown.toString('utf8')), cut: shown.length < all.length };
}

async function readFrom(path: string, position: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PIECE), 0, PIECE, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function escaped(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line.replaceAll('\t', '  ')))
    .join('\n');
}
