import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { isProblem } from '#formats';
import type { Files, Happening } from '#kernel';
import { fixedClock } from '#kernel/testing';
import { nodeFiles } from '#system';
import { type FaultPlan, faultyFiles } from '#system/testing';
import { type Ledger, openLog, parseLedgerVkey, readLedger, verifyLedger } from '#ledger';
import { testSigner } from '#ledger/testing';

const signer = testSigner();
const vkey = (() => {
  const parsed = parseLedgerVkey(signer.vkey);
  assert(!isProblem(parsed));
  return parsed;
})();
const clock = fixedClock();

/** In memory where the machine has such a place: the faults are injected, and a thousand real flushes take minutes. */
async function memoryFolder(test: { after(fn: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(`${existsSync('/dev/shm') ? '/dev/shm' : tmpdir()}/sallyport-test-`);
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function happening(name: string): Happening {
  return {
    predicateType: 'sallyport/sealed/v1',
    subject: [{ name, digest: { sha256: 'cd'.repeat(32) } }],
    predicate: {},
  };
}

const open = (files: Files, folder: string): Promise<Ledger> => openLog(files, folder, signer, clock, { wait: 0 });

/** The process that held the lock is gone. In these tests it is this one, which lives, so the lock is taken away. */
async function killed(folder: string): Promise<void> {
  for (const name of await readdir(`${folder}/state`).catch(() => [] as string[])) {
    if (/^lock\.\d+$/.test(name)) await rm(`${folder}/state/${name}`);
  }
}

/** What was acknowledged: index to name. */
type Acknowledged = Map<number, string>;

async function appendAll(ledger: Ledger, names: readonly string[], acknowledged: Acknowledged): Promise<boolean> {
  const answers = await Promise.allSettled(names.map((name) => ledger.append(happening(name))));
  for (const [i, answer] of answers.entries()) {
    if (answer.status === 'fulfilled') acknowledged.set(answer.value.index, names[i] ?? '');
  }
  return answers.every(({ status }) => status === 'fulfilled');
}

/** Everything acknowledged is there under its index, and the whole verifies. Says the size. */
async function holds(folder: string, acknowledged: Acknowledged, atLeast: number): Promise<number> {
  const report = await verifyLedger(nodeFiles, folder, vkey);
  assert.deepEqual(report.reasons, []);
  assert.equal(report.verdict, 'verified');
  assert(report.size >= atLeast, `size went back from ${atLeast} to ${report.size}`);
  const names = new Map<number, string | undefined>();
  for await (const { index, entry, digest, happening: found } of (
    await readLedger(nodeFiles, folder, vkey)
  ).records()) {
    names.set(index, digest === undefined ? Buffer.from(entry).toString() : found?.subject[0]?.name);
  }
  for (const [index, name] of acknowledged) assert.equal(names.get(index), name, `entry ${index}`);
  return report.size;
}

/**
 * A log of `before` entries, then an append of three and one more under a fault at the n-th call; then a new start, and
 * an append of another number, so that what the failed one left behind would show.
 */
async function scenario(template: string, folder: string, before: number, plan: FaultPlan): Promise<number> {
  await rm(folder, { recursive: true, force: true });
  await cp(template, folder, { recursive: true });
  const acknowledged: Acknowledged = new Map(Array.from({ length: before }, (_, i) => [i, `before ${i}`]));
  const files = faultyFiles(nodeFiles, plan);
  try {
    const ledger = await open(files, folder);
    await appendAll(ledger, ['a', 'b', 'c'], acknowledged);
    await appendAll(ledger, ['d'], acknowledged);
    await ledger.close();
  } catch (error) {
    // Opening or closing met the fault.
    assert(files.failed() !== undefined, String(error));
  }
  const calls = files.calls();

  // What a reader finds before anybody repairs anything.
  const published = before === 0 && (await nodeFiles.look(`${folder}/checkpoint`)) === undefined;
  const size = published ? 0 : await holds(folder, acknowledged, before);

  await killed(folder);
  const again = await open(nodeFiles, folder);
  assert(again.size >= size, `opening went back from ${size} to ${again.size}`);
  const reopened = again.size;
  assert(await appendAll(again, ['e', 'f'], acknowledged));
  assert.equal(again.size, reopened + 2);
  await again.close();
  await holds(folder, acknowledged, reopened + 2);
  return calls;
}

const PLANS = [
  { before: 0, mode: 'crash', torn: true, code: '' },
  { before: 0, mode: 'error', torn: true, code: 'ENOSPC' },
  { before: 5, mode: 'crash', torn: false, code: '' },
  { before: 5, mode: 'error', torn: false, code: 'EIO' },
  // The append fills a tile and begins the next.
  { before: 254, mode: 'crash', torn: true, code: '' },
  { before: 254, mode: 'error', torn: true, code: 'ENOSPC' },
] as const;

for (const { before, mode, torn, code } of PLANS) {
  const title = `${mode}${torn ? ' with a torn write' : ''}${code === '' ? '' : ` ${code}`}`;
  test(`${title} at every call of an append to ${before} entries loses nothing and never goes back`, async (t) => {
    const root = await memoryFolder(t);
    const template = `${root}/template`;
    const ledger = await open(nodeFiles, template);
    await Promise.all(Array.from({ length: before }, (_, i) => ledger.appendEntry(Buffer.from(`before ${i}`))));
    await ledger.close();

    const folder = `${root}/ledger`;
    const calls = await scenario(template, folder, before, { failAt: 0, mode, torn });
    for (let failAt = 1; failAt <= calls; failAt++) {
      const plan: FaultPlan = { failAt, mode, torn, ...(code === '' ? {} : { code }) };
      try {
        await scenario(template, folder, before, plan);
      } catch (error) {
        throw new Error(`with the fault at call ${failAt} of ${calls}`, { cause: error });
      }
    }
    t.diagnostic(`${calls} calls`);
  });
}

test('a ledger that was never made is made whole or not at all, wherever making it is cut', async (t) => {
  const root = await memoryFolder(t);
  for (let failAt = 1; ; failAt++) {
    const folder = `${root}/${failAt}/ledger`;
    const files = faultyFiles(nodeFiles, { failAt, mode: 'crash' });
    const made = await open(files, folder).catch(() => undefined);
    await made?.close().catch(() => undefined);
    await killed(folder);
    const again = await open(nodeFiles, folder);
    await again.append(happening('first'));
    await again.close();
    assert.equal((await verifyLedger(nodeFiles, folder, vkey)).verdict, 'verified');
    if (files.failed() === undefined) break;
  }
});
