import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import test from 'node:test';
import { z } from 'zod';
import { Fault } from '#kernel';
import { nodeFiles } from './files.ts';
import { readSettings } from './settings-file.ts';
import { temporaryFolder } from './testing/index.ts';

const shape = z.strictObject({ version: z.literal('1.0'), names: z.array(z.string()).default([]) });

test('settings are read strictly, and what cannot be understood is a Fault', async (t) => {
  const path = `${await temporaryFolder(t)}/rules.yaml`;
  const read = () => readSettings(nodeFiles, path, shape, (where, detail) => new Fault('x', detail, '', where, 3));
  assert.equal(await read(), undefined);
  writeFileSync(path, "version: '1.0'\n");
  assert.deepEqual((await read())?.value, { version: '1.0', names: [] });
  for (const [text, detail] of [
    ["version: '1.0'\nversion: '1.0'", /unique/],
    ["version: '1.0'\nnames: [&a b, *a]", /[Aa]lias/],
    ["version: '1.0'\nnames: [*a]", /[Aa]lias/],
    ["version: '1.0'\nnames: [", /./],
    ["version: '1.0'\nother: 1", /other/],
    ["version: '2.0'", /version/],
    ["version: '1.0'\n---\nversion: '1.0'", /document/],
    [`version: ${'['.repeat(30_000)}`, /./],
    ['', /./],
  ] as const) {
    writeFileSync(path, text);
    await assert.rejects(read(), (error: Fault) => {
      assert.equal(error.code, 'x', text.slice(0, 40));
      assert.match(error.message, detail);
      return error.where === path;
    });
  }
});
