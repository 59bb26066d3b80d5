import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { openLibc } from './libc.ts';

/** Runs in a worker, as it does in use: only there the module is switched on. */
const inside = `
import { parentPort, workerData } from 'node:worker_threads';
const { openLibc } = await import(workerData.module);
const libc = await openLibc();
if ('unavailable' in libc) throw new Error(libc.unavailable);
const listener = libc.listen(workerData.path);
parentPort.postMessage({ listener, tooLong: libc.listen('/' + 'x'.repeat(108)), bad: libc.accept(9999) });
const before = libc.poll([listener], 5000);
const one = libc.accept(listener);
const { data, descriptors } = libc.receive(one, 100);
const counter = libc.eventfd();
const silent = libc.poll([counter], 0);
parentPort.postMessage({
  before, silent, data: data.toString(), descriptors,
  nowhere: libc.readMemory(process.pid, 8n, 8) === undefined,
  ioctl: libc.ioctl(one, 0x541b, Buffer.alloc(128)),
});
for (const descriptor of [listener, one, counter]) libc.close(descriptor);
`;

test('descriptors are waited for, messages received, memory that is not there is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'libc '));
  try {
    const path = join(folder, 'socket');
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(inside)}`), {
      execArgv: ['--experimental-ffi', '--no-warnings'],
      workerData: { path, module: new URL('./libc.ts', import.meta.url).href },
    });
    const messages: Record<string, unknown>[] = [];
    const ended = new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
    worker.on('message', (message: Record<string, unknown>) => {
      messages.push(message);
      if (messages.length === 1)
        connect(path)
          .on('error', () => undefined)
          .end('hello');
    });
    await ended;
    assert.ok(Number(messages[0]?.['listener']) > 2);
    // ENAMETOOLONG, EBADF.
    assert.deepEqual([messages[0]?.['tooLong'], messages[0]?.['bad']], [-36, -9]);
    assert.deepEqual(messages[1], {
      before: ['readable'],
      silent: [undefined],
      data: 'hello',
      descriptors: [],
      nowhere: true,
      ioctl: 0,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('where it is switched off there is none, and it is said why', async () => {
  const code = `
    import { parentPort, workerData } from 'node:worker_threads';
    parentPort.postMessage(await (await import(workerData)).openLibc());`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    execArgv: ['--no-experimental-ffi'],
    workerData: new URL('./libc.ts', import.meta.url).href,
  });
  const libc = await new Promise<Awaited<ReturnType<typeof openLibc>>>((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  assert.match('unavailable' in libc ? libc.unavailable : '', /ffi/i);
});
