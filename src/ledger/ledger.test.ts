import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isProblem } from '#formats';
import { fixedClock } from '#kernel/testing';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { openLog, parseLedgerVkey, verifyLedger } from '#ledger';
import { testSigner } from '#ledger/testing';

test('what is appended is on disk, verifies, and is there after opening again', async (t) => {
  const folder = `${await temporaryFolder(t)}/ledger`;
  const signer = testSigner();
  const vkey = parseLedgerVkey(signer.vkey);
  assert(!isProblem(vkey));
  for (let round = 0; round < 3; round++) {
    const ledger = await openLog(nodeFiles, folder, signer, fixedClock());
    const before = ledger.size;
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        ledger.append({
          predicateType: 'sallyport/sealed/v1',
          subject: [{ name: `bundle ${round} ${i}`, digest: { sha256: 'ab'.repeat(32) } }],
          predicate: { i },
        }),
      ),
    );
    assert.deepEqual(
      all.map(({ index }) => index),
      Array.from({ length: 100 }, (_, i) => before + i),
    );
    await ledger.appendEntry(Buffer.from('opaque'));
    await ledger.close();
    const report = await verifyLedger(nodeFiles, folder, vkey);
    assert.deepEqual(report.reasons, []);
    assert.equal(report.verdict, 'verified');
    assert.equal(report.size, 101 * (round + 1));
    assert.equal(report.statements, 100 * (round + 1));
  }
});

test('a log that is being written verifies at any moment', async (t) => {
  const folder = `${await temporaryFolder(t)}/ledger`;
  const signer = testSigner();
  const vkey = parseLedgerVkey(signer.vkey);
  assert(!isProblem(vkey));
  const ledger = await openLog(nodeFiles, folder, signer, fixedClock());
  await ledger.appendEntry(Buffer.from('first'));
  let writing = true;
  const writer = (async () => {
    for (let i = 0; i < 40; i++) {
      await Promise.all(Array.from({ length: 13 }, (_, j) => ledger.appendEntry(Buffer.from(`${i} ${j}`))));
    }
    writing = false;
  })();
  let size = 0;
  let times = 0;
  while (writing) {
    const report = await verifyLedger(nodeFiles, folder, vkey);
    assert.deepEqual(report.reasons, []);
    assert(report.size >= size);
    size = report.size;
    times += 1;
  }
  await writer;
  await ledger.close();
  assert(times > 3);
  t.diagnostic(`verified ${times} times`);
});
