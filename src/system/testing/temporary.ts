import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new empty folder that is removed when the test ends: `const folder = await temporaryFolder(t)`. */
export async function temporaryFolder(test: { after(fn: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  test.after(async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => {
      // A test may leave folders that their owner may not write to.
      execFileSync('chmod', ['-R', 'u+rwX', folder]);
      return rm(folder, { recursive: true, force: true });
    });
  });
  return folder;
}
