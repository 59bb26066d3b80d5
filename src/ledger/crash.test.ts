import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isProblem } from '#formats';
import type { Files, Happening } from '#kernel';
import { fixedClock } from '#kernel/testing';
import { type FaultPlan, faultyFiles } from '#system/testing';
import { type Ledger, openLog, parseLedgerVkey, readLedger, verifyLedger } from '#ledger';
import { powerCutFiles, type PowerCutFiles, testSigner } from '#ledger/testing';

const signer = testSigner();
const vkey = (() => {
  const parsed = parseLedgerVkey(signer.vkey);
  assert(!isProblem(parsed));
  return parsed;
})();
const clock = fixedClock();

const FOLDER = '/home/ledger';

function happening(name: string): Happening {
  return {
    predicateType: 'sallyport/sealed/v1',
    subject: [{ name, digest: { sha256: 'cd'.repeat(32) } }],
    predicate: {},
  };
}

const open = (files: Files): Promise<Ledger> => openLog(files, FOLDER, signer, clock, { wait: 0 });

/** The process that held the lock is gone. In these tests it is this one, which lives, so the lock is taken away. */
async function killed(files: Files): Promise<void> {
  const state = `${FOLDER}/state`;
  if ((await files.look(state)) === undefined) return;
  for (const { name } of await files.list(state)) if (/^lock\.\d+$/.test(name)) await files.remove(`${state}/${name}`);
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
async function holds(files: Files, acknowledged: Acknowledged, atLeast: number): Promise<number> {
  const report = await verifyLedger(files, FOLDER, vkey);
  assert.deepEqual(report.reasons, []);
  assert.equal(report.verdict, 'verified');
  assert(report.size >= atLeast, `size went back from ${atLeast} to ${report.size}`);
  const names = new Map<number, string | undefined>();
  for await (const { index, entry, digest, happening: found } of (await readLedger(files, FOLDER, vkey)).records()) {
    names.set(index, digest === undefined ? Buffer.from(entry).toString() : found?.subject[0]?.name);
  }
  for (const [index, name] of acknowledged) assert.equal(names.get(index), name, `entry ${index}`);
  return report.size;
}

/**
 * A log of `before` entries, then an append of three and one more under a fault at the n-th call; then a new start, and
 * an append of another number, so that what the failed one left behind would show.
 */
async function scenario(template: PowerCutFiles, before: number, plan: FaultPlan): Promise<number> {
  const disk = template.survivors(() => true, 0);
  const acknowledged: Acknowledged = new Map(Array.from({ length: before }, (_, i) => [i, `before ${i}`]));
  const files = faultyFiles(disk, plan);
  try {
    const ledger = await open(files);
    await appendAll(ledger, ['a', 'b', 'c'], acknowledged);
    await appendAll(ledger, ['d'], acknowledged);
    await ledger.close();
  } catch (error) {
    // Opening or closing met the fault.
    assert(files.failed() !== undefined, String(error));
  }

  // What a reader finds before anybody repairs anything.
  const unpublished = before === 0 && (await disk.look(`${FOLDER}/checkpoint`)) === undefined;
  const size = unpublished ? 0 : await holds(disk, acknowledged, before);

  await killed(disk);
  const again = await open(disk);
  assert(again.size >= size, `opening went back from ${size} to ${again.size}`);
  const reopened = again.size;
  assert(await appendAll(again, ['e', 'f'], acknowledged));
  assert.equal(again.size, reopened + 2);
  // Beyond the width of any partial tile that the failed append left.
  assert(await appendAll(again, ['g', 'h', 'i'], acknowledged));
  await again.close();
  await holds(disk, acknowledged, reopened + 5);
  return files.calls();
}

const PLANS = [
  { before: 0, mode: 'crash', torn: true, code: '' },
  { before: 5, mode: 'error', torn: false, code: 'EIO' },
  { before: 5, mode: 'error', torn: true, code: 'ENOSPC' },
  // The append fills a tile and begins the next.
  { before: 254, mode: 'crash', torn: true, code: '' },
] as const;

for (const { before, mode, torn, code } of PLANS) {
  const title = `${mode}${torn ? ' with a torn write' : ''}${code === '' ? '' : ` ${code}`}`;
  test(`${title} at every call of an append to ${before} entries loses nothing and never goes back`, async (t) => {
    const template = powerCutFiles(0);
    await template.makeFolder('/home');
    const ledger = await open(template);
    await Promise.all(Array.from({ length: before }, (_, i) => ledger.appendEntry(Buffer.from(`before ${i}`))));
    await ledger.close();

    const calls = await scenario(template, before, { failAt: 0, mode, torn });
    for (let failAt = 1; failAt <= calls; failAt++) {
      const plan: FaultPlan = { failAt, mode, torn, ...(code === '' ? {} : { code }) };
      try {
        await scenario(template, before, plan);
      } catch (error) {
        throw new Error(`with the fault at call ${failAt} of ${calls}`, { cause: error });
      }
    }
    t.diagnostic(`${calls} calls`);
  });
}

test('a ledger that was never made is made whole or not at all, wherever making it is cut', async () => {
  for (let failAt = 1; ; failAt++) {
    const disk = powerCutFiles(0);
    await disk.makeFolder('/home');
    const files = faultyFiles(disk, { failAt, mode: 'crash' });
    const made = await open(files).catch(() => undefined);
    await made?.close().catch(() => undefined);
    await killed(disk);
    const again = await open(disk);
    await again.append(happening('first'));
    await again.close();
    assert.equal((await verifyLedger(disk, FOLDER, vkey)).verdict, 'verified');
    if (files.failed() === undefined) break;
  }
});
