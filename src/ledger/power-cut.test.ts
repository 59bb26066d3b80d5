import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isProblem } from '#formats';
import type { Files, Happening } from '#kernel';
import { fixedClock } from '#kernel/testing';
import { type Ledger, openLog, parseLedgerVkey, verifyLedger } from '#ledger';
import { type Fate, powerCutFiles, type PowerCutFiles, testSigner } from '#ledger/testing';

const signer = testSigner();
const vkey = parseLedgerVkey(signer.vkey);
assert(!isProblem(vkey));
const FOLDER = '/home/ledger';

const happening = (name: string): Happening => ({
  predicateType: 'sallyport/sealed/v1',
  subject: [{ name, digest: { sha256: 'ab'.repeat(32) } }],
  predicate: {},
});

/** Opens as after a new start of the machine: the lock of the process that wrote before belongs to no one. */
async function open(files: Files): Promise<Ledger> {
  const state = `${FOLDER}/state`;
  if ((await files.look(state)) !== undefined) {
    for (const { name } of await files.list(state))
      if (/^lock\.\d+$/.test(name)) await files.remove(`${state}/${name}`);
  }
  return openLog(files, FOLDER, signer, fixedClock(), { wait: 0 });
}

/** Fates: everything that was not flushed is lost, or each thing by the toss of a coin. */
function fates(seed: number): Fate[] {
  let state = seed * 2654435761 + 1;
  const coin = (): boolean => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 16) % 2 === 0;
  };
  return [() => false, coin];
}

/** Appends of several sizes until the power goes; says what was acknowledged. */
async function work(files: PowerCutFiles): Promise<{ acknowledged: number; ended: boolean }> {
  let acknowledged = 0;
  try {
    const ledger = await open(files);
    acknowledged = ledger.size;
    for (const count of [1, 3]) {
      const names = Array.from({ length: count }, (_, i) => `${count} ${i}`);
      const answers = await Promise.all(names.map((name) => ledger.append(happening(name))));
      acknowledged = Math.max(acknowledged, ...answers.map(({ size }) => size));
    }
    await ledger.close();
    return { acknowledged, ended: true };
  } catch (error) {
    assert.match(String(error), /ECRASH/);
    return { acknowledged, ended: false };
  }
}

async function base(before: number): Promise<PowerCutFiles> {
  const files = powerCutFiles(0);
  await files.makeFolder('/home');
  await files.syncFolder('/');
  const ledger = await open(files);
  await Promise.all(Array.from({ length: before }, (_, i) => ledger.appendEntry(Buffer.from(`before ${i}`))));
  await ledger.close();
  return files;
}

for (const before of [0, 4, 253]) {
  test(`a power cut at every call of appends to ${before} entries, with what was not flushed lost or not`, async (t) => {
    const good = await base(before);
    let cuts = 0;
    for (let failAt = 1; ; failAt++) {
      let ended = false;
      for (const [i, fate] of fates(failAt)
        .slice(0, before > 100 ? 1 : 3)
        .entries()) {
        const where = `cut at call ${failAt}, fate ${i}`;
        const files = good.survivors(() => true, failAt);
        const done = await work(files);
        ended = done.ended;
        const disk = files.survivors(fate, 0);
        // A reader, before anything is repaired.
        if (before > 0 || done.acknowledged > 0) {
          const report = await verifyLedger(disk, FOLDER, vkey);
          assert.deepEqual(report.reasons, [], where);
          assert(report.size >= done.acknowledged, `${where}: ${report.size} of ${done.acknowledged}`);
        }
        const again = await open(disk);
        assert(again.size >= done.acknowledged, where);
        // One entry, then more than the cut append had: what that left would lie between the two sizes.
        await again.append(happening('after'));
        await again.appendAll(Array.from({ length: 7 }, (_, j) => happening(`after ${j}`)));
        const { size } = again;
        await again.close();
        // The new start flushed what it stands on: the next cut loses nothing of it.
        const later = await verifyLedger(
          disk.survivors(() => false, 0),
          FOLDER,
          vkey,
        );
        assert.deepEqual(later.reasons, [], where);
        assert.equal(later.size, size, where);
        cuts += 1;
      }
      // The process is killed, another opens the ledger and says its size; then the power goes.
      const files = good.survivors(() => true, failAt);
      await work(files);
      const machine = files.restarted();
      const { size } = await open(machine);
      const disk = machine.survivors(() => false, 0);
      const where = `killed at call ${failAt}, then a power cut`;
      const report = await verifyLedger(disk, FOLDER, vkey);
      if (size > 0) assert.deepEqual([report.reasons, report.size], [[], size], where);
      assert.equal((await open(disk)).size, size, where);
      if (ended) break;
    }
    t.diagnostic(`${cuts} power cuts`);
  });
}
