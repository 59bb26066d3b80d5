import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { sallyport } from './sallyport.ts';

// Stopped at any moment, and run again: the same end, and nothing in between that looks finished.

const MEGABYTE = 1_000_000;

async function project(folder: string): Promise<void> {
  await mkdir(join(folder, 'files'), { recursive: true });
  for (let index = 0; index < 12; index++) {
    await writeFile(join(folder, 'files', `part-${index}.bin`), randomBytes(3 * MEGABYTE));
  }
  await writeFile(
    join(folder, 'sallyport.yaml'),
    'sallyport: "1.0"\nname: interrupted\ntargets:\n  linux-amd64: { os: linux, arch: amd64 }\ninputs:\n  - files: files\n',
  );
}

/** Runs until it ends well, stopping it a little later each time; says how often it was stopped. */
async function untilDone(folder: string, words: readonly string[], signal: NodeJS.Signals): Promise<number> {
  let stopped = 0;
  for (let after = 120; ; after = Math.ceil(after * 1.4)) {
    const ran = await sallyport(folder, words, { killAfter: after, signal });
    if (ran.code === 0) return stopped;
    // 130: it stopped by itself. -1: the signal ended it before it could listen, or was SIGKILL.
    assert.ok([130, -1].includes(ran.code), `${words.join(' ')}: ${ran.code}\n${ran.out}${ran.err}`);
    stopped += 1;
    assert.ok(stopped < 60, `${words.join(' ')} never ends`);
  }
}

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
  test(`a crossing that ${signal} stops again and again ends as one that is left alone`, async (t) => {
    const folder = await temporaryFolder(t);
    await project(folder);
    for (const [home, site] of [
      ['out', 'low'],
      ['in', 'high'],
      ['calm', 'low'],
    ] as const) {
      assert.equal((await sallyport(folder, ['init', '--home', home, '--site', site, '--json'])).code, 0);
    }
    assert.equal((await sallyport(folder, ['capture', '--home', 'calm', '--json'])).code, 0);
    const calm = await readFile(join(folder, 'sallyport.lock'), 'utf8');
    await writeFile(join(folder, 'sallyport.lock'), calm.split('\n')[0] + '\n');

    let stopped = await untilDone(folder, ['capture', '--home', 'out', '--json'], signal);
    assert.equal(await readFile(join(folder, 'sallyport.lock'), 'utf8'), calm);

    stopped += await untilDone(folder, ['seal', '-o', 'one.bundle', '--home', 'out', '--json'], signal);
    const root = join('out', 'trust', 'root.1.dsse.json');
    assert.equal((await sallyport(folder, ['verify', 'one.bundle', '--root', root, '--json'])).code, 0);

    stopped += await untilDone(folder, ['admit', 'one.bundle', '--root', root, '--home', 'in', '--json'], signal);
    for (const home of ['out', 'in']) {
      const verified = await sallyport(folder, ['ledger', 'verify', '--home', home, '--json']);
      assert.equal(verified.code, 0, verified.out);
    }
    assert.ok(stopped > 2, 'nothing was ever stopped');
    const again = await sallyport(folder, ['admit', 'one.bundle', '--root', root, '--home', 'in', '--json']);
    assert.equal(again.json.verdict, 'already-here');
    assert.deepEqual(await readdir(join(folder, 'in', 'quarantine')).catch(() => []), []);
    // A process that is killed cannot tidy up; what it leaves has a name that nobody takes for a bundle.
    const left = (await readdir(folder)).filter((name) => name.includes('bundle') && name !== 'one.bundle');
    if (signal === 'SIGINT') assert.deepEqual(left, []);
    for (const name of left) assert.match(name, /^\..*\.sallyport-tmp$/);
  });
}
