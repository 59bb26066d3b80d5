import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../components.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const MACHINE = process.arch === 'arm64' ? 'arm64' : 'x64';

// The machine of a newcomer has an older Node and its npm; they install the pinned one and start the launcher.
test('npm ci && npm start with Node 18 and npm 9', async (t) => {
  const folder = await temporaryFolder(t);
  const old = join(folder, 'old');
  const git = await run('git', ['rev-parse', '--git-dir'], { cwd: root }).catch(() => undefined);
  if (git === undefined) return t.skip('this is no git checkout, from which a clean one could be made');
  try {
    await run('npm', ['install', '--prefix', old, '--no-audit', '--no-fund', `node-linux-${MACHINE}@18`, 'npm@9']);
  } catch {
    return t.skip(skipped('Node 18 with npm 9', 'the npm registry of this machine does not give them'));
  }
  const bin = join(old, 'node_modules', `node-linux-${MACHINE}`, 'bin');
  const npm = join(old, 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const { PATH = '/usr/bin:/bin', NODE_COMPILE_CACHE: _cache, SALLYPORT_LAUNCHER: _launcher, ...others } = process.env;
  // npm's own variables of the run that we are in would configure the inner npm.
  const env = Object.fromEntries(Object.entries(others).filter(([name]) => !name.startsWith('npm_')));
  const options = {
    env: { ...env, PATH: `${bin}:${join(old, 'node_modules', '.bin')}:${PATH}` },
    cwd: join(folder, 'checkout'),
  };
  const node = join(bin, 'node');
  const { stdout: version } = await run(node, ['--version']);
  assert.match(version, /^v18\./);
  const { stdout: npmVersion } = await run(node, [npm, '--version'], { env: options.env });
  used('node', version.trim(), 'npm node-linux-*');
  used('npm', npmVersion.trim(), 'npm');

  // What is committed, and nothing that lies about in the working folder.
  await run('git', ['clone', '--quiet', '--no-hardlinks', root, options.cwd]);
  await run(node, [npm, 'ci', '--no-audit', '--no-fund'], options);
  assert.ok((await readdir(join(options.cwd, 'node_modules'))).includes(`node-linux-${MACHINE}`));
  await access(join(options.cwd, 'node_modules', `node-linux-${MACHINE}`, 'bin', 'node'));
  const help = await run(node, [npm, 'start', '--', '--help'], options);
  assert.match(help.stdout, /^Usage: sallyport rehearse/m);

  const possible = await run('unshare', ['--user', '--map-root-user', '--net', 'true']).catch(() => undefined);
  if (possible === undefined) {
    skipped('npm start to its end', 'network namespaces are not allowed here');
    return;
  }
  const started = await run(node, [npm, 'start'], { ...options, maxBuffer: 64 * 1024 * 1024 }).catch(
    (error: Error & { stdout: string; stderr: string }) =>
      assert.fail(`${error.message}\n${error.stdout.slice(-5000)}\n${error.stderr.slice(-5000)}`),
  );
  assert.match(started.stdout, /without internet/i);
});
