import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { doctorVerb } from './verbs/doctor.ts';

test('the doctor names what is lacking, what that costs and what to do', async (t) => {
  const bin = await temporaryFolder(t);
  // A machine that forbids namespaces, as its own unshare says.
  await writeFile(join(bin, 'unshare'), '#!/bin/sh\necho "unshare failed: Operation not permitted" >&2\nexit 1\n', {
    mode: 0o755,
  });
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  const output = await doctorVerb.run({}, testWorld(nodeFiles, bin, { env }));
  assert.deepEqual([output.verdict, doctorVerb.exit(output)], ['lacking', 1]);
  const namespaces = output.checks.find(({ name }) => name === 'namespaces');
  assert.equal(namespaces?.ok, false);
  assert.match(namespaces?.found ?? '', /Operation not permitted/);
  assert.match(namespaces?.costs ?? '', /no rehearsal/);
  assert.match(namespaces?.fix ?? '', /user namespaces/);
  for (const { ok, costs, fix } of output.checks) assert.equal(ok, costs === '' && fix === '');
});
