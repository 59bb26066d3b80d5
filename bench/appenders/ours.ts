import { randomFillSync } from 'node:crypto';
import { openLog } from '#ledger';
import { testSigner } from '#ledger/testing';
import { nodeFiles } from '#system';

/**
 * Appenders in a closed loop on our ledger, as main.go has them on Tessera's: an entry counts when a signed checkpoint
 * that covers it is on the disk. Usage: ours.ts FOLDER APPENDERS SECONDS entry|statement; answers with one JSON document.
 */
const [folder = '', appenders = '64', seconds = '2', kind = 'entry'] = process.argv.slice(2);

const ledger = await openLog(nodeFiles, folder, testSigner(), { now: () => Date.now() });
const waits: number[] = [];
const start = performance.now();
const end = start + Number(seconds) * 1000;
let counter = 0;
await Promise.all(
  Array.from({ length: Number(appenders) }, async () => {
    while (performance.now() < end) {
      const entry = randomFillSync(Buffer.allocUnsafe(1024));
      const from = performance.now();
      counter += 1;
      if (kind === 'entry') await ledger.appendEntry(entry);
      else {
        await ledger.append({
          predicateType: 'sallyport/sealed/v1',
          subject: [{ name: `bundle ${counter}`, digest: { sha256: 'ab'.repeat(32) } }],
          predicate: { counter },
        });
      }
      waits.push(performance.now() - from);
    }
  }),
);
const taken = (performance.now() - start) / 1000;
await ledger.close();
waits.sort((a, b) => a - b);
const at = (part: number): number => waits[Math.floor(waits.length * part)] ?? 0;
console.log(JSON.stringify({ entries: waits.length, seconds: taken, p50: at(0.5), p99: at(0.99) }));
