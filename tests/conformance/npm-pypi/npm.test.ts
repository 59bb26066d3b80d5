import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ecosystemOf } from '#ecosystems/list';
import { admitted, npmLock, npmPackage, npmRegistry, npmSample, type Sample } from '#ecosystems/testing';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';
import { run, serve } from './serve.ts';

const npm = ecosystemOf('npm');
assert.ok(npm);
const version = await run('npm', ['--version'], '/', {});
const skip = version.code === 0 ? false : skipped('npm', 'there is no npm in PATH');
const DEPENDENCIES = { left: '^1.0.0', '@demo/right': '^2.0.0' };

/** A project folder with the sample's lock, and the depot that has what it needs. */
async function project(t: TestContext, sample: Sample) {
  assert.ok(npm);
  const { catalog } = await admitted(npm, sample);
  const served = await serve(t, ['npm'], catalog);
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'home'));
  await writeFile(join(folder, 'package-lock.json'), sample.input.bytes);
  const manifest = { name: 'demo-app', version: '1.0.0', dependencies: DEPENDENCIES };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  const client = (await npm.inside()).clients.find((c) => c.client === 'npm');
  assert.ok(client);
  const environment = {
    ...client.environment(served.base),
    npm_config_cache: join(folder, 'cache'),
    npm_config_fetch_retries: '0',
  };
  return { folder, served, environment };
}

function sampleWith(resolved: boolean): Sample {
  const sample = npmSample();
  const [, left, , right] = sample.packages;
  assert.ok(left && right);
  return { ...sample, input: { path: 'package-lock.json', bytes: npmLock(DEPENDENCIES, [left, right], resolved) } };
}

for (const resolved of [true, false]) {
  const which = resolved ? 'that names the addresses of another registry' : 'without addresses';
  test(`npm ci installs from an unmodified lock ${which}`, { skip }, async (t) => {
    const { folder, served, environment } = await project(t, sampleWith(resolved));
    const before = await readFile(join(folder, 'package-lock.json'), 'utf8');
    const ran = await run('npm', ['ci'], folder, environment);
    assert.equal(ran.code, 0, `${ran.output}\n${served.log.join('\n')}`);
    const installed = JSON.parse(await readFile(join(folder, 'node_modules/@demo/right/package.json'), 'utf8'));
    assert.equal(installed.version, '2.0.1');
    assert.equal(await readFile(join(folder, 'package-lock.json'), 'utf8'), before);
    assert.ok(
      served.log.every((line) => line.endsWith(' 200')),
      served.log.join('\n'),
    );
    used('npm', version.output.trim());
  });
}

test('npm install resolves ranges to captured versions only', { skip }, async (t) => {
  const { folder, environment } = await project(t, sampleWith(false));
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'demo-app', version: '1.0.0', dependencies: { left: '*' } }),
  );
  await writeFile(
    join(folder, 'package-lock.json'),
    JSON.stringify({ name: 'demo-app', lockfileVersion: 3, packages: {} }),
  );
  const ran = await run('npm', ['install'], folder, environment);
  assert.equal(ran.code, 0, ran.output);
  assert.equal(JSON.parse(await readFile(join(folder, 'node_modules/left/package.json'), 'utf8')).version, '1.2.0');
});

test('npm says why a package is not here', { skip }, async (t) => {
  const { folder, environment } = await project(t, sampleWith(false));
  const ran = await run('npm', ['install', 'absent-package'], folder, environment);
  assert.notEqual(ran.code, 0);
  assert.match(ran.output, /404.*absent-package is not in this depot/);
});

test('npm refuses a tarball that is not the one of its lock', { skip }, async (t) => {
  const sample = sampleWith(false);
  const [, left, , right] = npmSample().packages;
  assert.ok(left && right);
  const { folder, environment } = await project(t, sample);
  const other = { ...left, integrity: npmPackage('left', '1.2.0', { description: 'other' }).integrity };
  await writeFile(join(folder, 'package-lock.json'), npmLock(DEPENDENCIES, [other, right], false));
  const ran = await run('npm', ['ci'], folder, environment);
  assert.notEqual(ran.code, 0);
  assert.match(ran.output, /EINTEGRITY/);
});

test('npm audit fails, and does not say that there are no vulnerabilities', { skip }, async (t) => {
  const { folder, environment } = await project(t, sampleWith(true));
  assert.equal((await run('npm', ['ci'], folder, environment)).code, 0);
  const ran = await run('npm', ['audit'], folder, environment);
  assert.notEqual(ran.code, 0);
  assert.doesNotMatch(ran.output, /found 0 vulnerabilities/);
  assert.match(ran.output, /audit endpoint returned an error|no advisory data|503/);
});

test('an aliased and a scoped dependency from a registry below a path prefix', { skip }, async (t) => {
  const right = npmPackage('@demo/right', '2.0.1');
  const lock = npmLock({ 'the-right': 'npm:@demo/right@2.0.1' }, [], true, {
    'node_modules/the-right': {
      name: '@demo/right',
      version: '2.0.1',
      resolved: right.url,
      integrity: right.integrity,
    },
  });
  const base = npmSample();
  const sample = { ...base, upstream: npmRegistry([right]), input: { path: 'package-lock.json', bytes: lock } };
  const { folder, environment } = await project(t, sample);
  const manifest = { name: 'demo-app', version: '1.0.0', dependencies: { 'the-right': 'npm:@demo/right@2.0.1' } };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  const ran = await run('npm', ['ci'], folder, environment);
  assert.equal(ran.code, 0, ran.output);
});
