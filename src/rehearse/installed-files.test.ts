import assert from 'node:assert/strict';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { tarball } from '#ecosystems/testing';
import { testWorld } from '#kernel/testing';
import { openStore } from '#store';
import { nodeFiles, runProcess } from '#system';
import { temporaryFolder } from '#system/testing';
import { tellInstalled } from './io/installed-files.ts';
import type { Stage } from './io/stage.ts';
import { Story } from './story.ts';

const PLAIN = {
  'index.js': 'exports.plain = true;\n',
  'bin/run.js': '#!/usr/bin/env node\r\nconsole.log(1);\r\n',
  '.gitignore': 'x\n',
  'lib/deep/a b.js': '// a name with a space\n',
};

/** A folder in which npm has installed two packages, one with an install script, and what compares it. */
async function installed(t: TestContext): Promise<{ modules: string; compare(): Promise<string> }> {
  const folder = await temporaryFolder(t);
  const copy = join(folder, 'work', 'project');
  const modules = join(copy, 'web', 'node_modules');
  const store = await openStore(nodeFiles, join(folder, 'home'));
  const packed = (files: Readonly<Record<string, string>>): Uint8Array =>
    tarball(Object.fromEntries(Object.entries(files).map(([path, text]) => [`package/${path}`, text])));
  const plain = packed({ 'package.json': '{}', ...PLAIN });
  const digest = await store.put(plain);
  const row = (name: string) => ({ row: 'artifact', ecosystem: 'npm', name, version: '1.0.0', digest });
  const lock = {
    packages: {
      '': { name: 'web' },
      'node_modules/plain': { version: '1.0.0' },
      'node_modules/scripted': { version: '1.0.0', hasInstallScript: true },
      'node_modules/elsewhere': { version: '1.0.0', optional: true },
    },
  };
  await mkdir(join(folder, 'project', 'web'), { recursive: true });
  await writeFile(join(folder, 'project', 'web', 'package-lock.json'), JSON.stringify(lock));
  // As npm leaves it: the return is gone from a program's first line, an ignore list has another name.
  const files: Record<string, string> = { 'plain/package.json': '{}', 'plain/.npmignore': 'x\n', 'scripted/made': '1' };
  for (const [path, text] of Object.entries(PLAIN)) files[`plain/${path}`] = text;
  files['plain/bin/run.js'] = '#!/usr/bin/env node\nconsole.log(1);\r\n';
  delete files['plain/.gitignore'];
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(modules, path)), { recursive: true });
    await writeFile(join(modules, path), text);
  }
  const world = testWorld(nodeFiles, folder);
  return {
    modules,
    async compare() {
      const story = new Story(world);
      const stage = {
        ...{ world, story, copy, npmInstalled: new Set(['web/package-lock.json']) },
        place: { folder: join(folder, 'project'), inside: join(folder, 'home') },
        crossed: { lock: { rows: [row('plain'), row('scripted'), row('elsewhere')] } },
      };
      await tellInstalled(stage as unknown as Stage);
      const [step] = story.steps;
      return `${step?.outcome}: ${step?.detail}`;
    },
  };
}

test('what npm makes of a package is the same, and what a script makes of its own is its own', async (t) => {
  const { compare } = await installed(t);
  assert.equal(await compare(), 'ok: 5 files of 1 packages; 1 with install scripts may have changed their own');
});

test('a file that another package changed is named, however it was done, and nothing is opened or followed', async (t) => {
  const { modules, compare } = await installed(t);
  const at = (path: string): string => join(modules, 'plain', path);
  const says = (path: string): string =>
    `failed: web/node_modules/plain/${path} is not what plain@1.0.0 holds. Install scripts ran there of scripted@1.0.0.`;
  const index = PLAIN['index.js'];

  await writeFile(at('index.js'), index.replace('true', 'evil'));
  assert.equal(await compare(), says('index.js'));
  await writeFile(at('index.js'), `${index}more`);
  assert.equal(await compare(), says('index.js'));

  // The same bytes, by a link that can be turned at any time.
  await rm(at('index.js'));
  await writeFile(join(modules, 'same'), index);
  await symlink('../same', at('index.js'));
  assert.equal(await compare(), says('index.js'));
  await rm(at('index.js'));
  const pipe = await runProcess('mkfifo', [at('index.js')], { env: { PATH: process.env['PATH'] ?? '' } });
  assert.equal(pipe.code, 0, pipe.stderr);
  assert.equal(await compare(), says('index.js'));
  await rm(at('index.js'));
  assert.equal(await compare(), says('index.js'));
  await writeFile(at('index.js'), index);

  // A link on the way to it.
  await rename(at('lib'), join(modules, 'lib'));
  await symlink('../lib', at('lib'));
  assert.equal(await compare(), says('lib/deep/a b.js'));
  await rm(join(modules, 'plain'), { recursive: true });
  assert.match(await compare(), /^failed: web\/node_modules\/plain is not there\./);
});
