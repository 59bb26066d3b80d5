import { openLog } from '#ledger';
import { testSigner } from '#ledger/testing';
import { nodeFiles } from '#system';

/** Appends until it is killed, and says each size after it was acknowledged. */
const ledger = await openLog(nodeFiles, process.argv[2] ?? '', testSigner(), { now: () => Date.now() });
process.stdout.write(`${ledger.size}\n`);
for (let i = 0; ; i++) {
  const answers = await Promise.all([
    ledger.append({
      predicateType: 'sallyport/sealed/v1',
      subject: [{ name: `bundle ${i}`, digest: { sha256: 'bb'.repeat(32) } }],
      predicate: { process: process.pid, i },
    }),
    ...Array.from({ length: i % 7 }, (_, j) => ledger.appendEntry(Buffer.from(`entry ${process.pid} ${i} ${j}`))),
  ]);
  process.stdout.write(`${Math.max(...answers.map(({ size }) => size))}\n`);
}
