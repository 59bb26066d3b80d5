import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '#kernel';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { readAdmissionPolicy } from './admission-policy.ts';

test('rules of admission that cannot be understood are a Fault, whatever is wrong with them', async (t) => {
  const home = await temporaryFolder(t);
  const head = 'sallyport-admission: "1.0"\n';
  for (const text of [
    '[',
    'sallyport-admission: "2.0"\n',
    `${head}colour: red\n`,
    `${head}accept: fine\n`,
    `${head}accept: fresh\naccept: stale\n`,
    // With aliases a small file can be a large value; the reader says so by an error of another kind.
    `${head}promoted: &a [staging]\nscans: *a\n`,
    `${head}freshness: { aging: 30, stale: 10, expired: 365 }\n`,
  ]) {
    await writeFile(join(home, 'admission.yaml'), text);
    await assert.rejects(
      readAdmissionPolicy(nodeFiles, home),
      (error: unknown) => isFault(error) && error.code === 'admit.policy',
      text,
    );
  }
});
