import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../components.ts';
import { launcher } from './sallyport.ts';

// A disk that is full during capture, seal and admit: a fault that says so, nothing half-done, and after more space is
// there the same command ends well. The small disk is a tmpfs in a mount namespace of its own, so nothing stays behind.

const run = promisify(execFile);
const possible = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'true']).status === 0;
const skip = possible ? false : skipped('tmpfs in a namespace', 'user namespaces are not allowed here');
if (possible) used('tmpfs in a namespace', 'kernel');

async function story(folder: string, script: string): Promise<string> {
  const lines = `set -u
s() { "${launcher}" "$@"; }
small() { mount -t tmpfs -o size=6m none "$1"; }
large() { mount -t tmpfs -o remount,size=200m tmpfs "$1"; }
must() { want=$1; shift; s "$@" > said 2> err; got=$?; [ "$got" = "$want" ] || { echo "$*: $got, not $want"; cat said err; exit 1; }; }
${script}`;
  const words = ['--user', '--map-root-user', '--mount', 'sh', '-c', lines];
  try {
    const { SALLYPORT_HOME: _home, ...env } = process.env;
    return (await run('unshare', words, { cwd: folder, env })).stdout;
  } catch (error) {
    return assert.fail((error as { stdout: string }).stdout + (error as { stderr: string }).stderr);
  }
}

async function project(folder: string): Promise<void> {
  await mkdir(join(folder, 'files'));
  for (let index = 0; index < 5; index++)
    await writeFile(join(folder, 'files', `${index}.bin`), randomBytes(4_000_000));
  await writeFile(
    join(folder, 'sallyport.yaml'),
    'sallyport: "1.0"\nname: full\ntargets:\n  linux-amd64: { os: linux, arch: amd64 }\ninputs:\n  - files: files\n',
  );
}

test('capture, seal and admit on a full disk', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  await project(folder);
  await story(
    folder,
    `mkdir disk medium inside
small disk
must 0 init --home disk/out --site low --json
must 3 capture --home disk/out --json
grep -q '"fault"' said || { echo 'capture prints no fault'; cat said; exit 1; }
grep -qi 'space\\|full' said || { echo 'capture does not say that the disk is full'; cat said; exit 1; }
large disk
must 0 capture --home disk/out --json

small medium
must 3 seal -o medium/one.bundle --home disk/out --json
grep -qi 'space\\|full' said || { echo 'seal does not say that the medium is full'; cat said; exit 1; }
[ -z "$(ls -A medium)" ] || { echo 'seal left something'; ls -la medium; exit 1; }
large medium
must 0 seal -o medium/one.bundle --home disk/out --json

small inside
must 0 init --home inside/in --site high --json
root=disk/out/trust/root.1.dsse.json
must 3 admit medium/one.bundle --root $root --home inside/in --json
grep -qi 'space\\|full' said || { echo 'admit does not say that the disk is full'; cat said; exit 1; }
must 0 ledger verify --home inside/in --json
large inside
must 0 admit medium/one.bundle --root $root --home inside/in --json
grep -q '"admitted"' said || { cat said; exit 1; }
must 0 ledger verify --home inside/in --json
must 0 ledger verify --home disk/out --json`,
  );
});
