import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { alpine, linuxAmd64, linuxArm64 } from '#ecosystems/testing';
import { environmentsOf } from './environment.ts';
import { normaliseName } from './names.ts';
import { compareBuild, parseSdistName, parseWheelName, rankOf, ranksOf, supportedTags } from './wheel.ts';

function rank(file: string, target = linuxAmd64): number | undefined {
  const [environment] = environmentsOf(target);
  const wheel = parseWheelName(file);
  assert.ok(environment && wheel, file);
  return rankOf(wheel, ranksOf(supportedTags(environment)));
}

test('wheels that fit a target, and those that do not', () => {
  for (const [file, on] of [
    ['x-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl', 'amd64'],
    ['x-1.0-cp38-abi3-manylinux2014_x86_64.whl', 'amd64'],
    ['x-1.0-cp311-cp311-manylinux1_x86_64.whl', 'amd64'],
    ['x-1.0-cp311-cp311-manylinux_2_36_x86_64.whl', 'amd64'],
    ['x-1.0-py2.py3-none-any.whl', 'amd64 arm64 alpine'],
    ['x-1.0-py3-none-manylinux2014_aarch64.whl', 'arm64'],
    ['x-1.0-cp311-cp311-musllinux_1_1_x86_64.whl', 'alpine'],
    ['x-1.0-cp311-none-any.whl', 'amd64 arm64 alpine'],
    ['x-1.0-cp311-cp311-manylinux_2_37_x86_64.whl', ''],
    ['x-1.0-cp312-cp312-manylinux2014_x86_64.whl', ''],
    ['x-1.0-cp312-abi3-manylinux2014_x86_64.whl', ''],
    ['x-1.0-cp310-cp310-manylinux2014_x86_64.whl', ''],
    ['x-1.0-cp311-cp311-musllinux_1_3_x86_64.whl', ''],
    ['x-1.0-cp311-cp311-win_amd64.whl', ''],
    ['x-1.0-cp311-cp311-macosx_11_0_arm64.whl', ''],
    ['x-1.0-py2-none-any.whl', ''],
    ['x-1.0-cp311-cp311t-manylinux2014_x86_64.whl', ''],
  ] as const) {
    const fitting = [linuxAmd64, linuxArm64, alpine]
      .filter((target) => rank(file, target) !== undefined)
      .map((t) => t.name.replace('linux-', ''));
    assert.equal(fitting.join(' '), on, file);
  }
});

test('the more special wheel is the better one', () => {
  const order = [
    'x-1.0-cp311-cp311-manylinux_2_28_x86_64.whl',
    'x-1.0-cp311-cp311-manylinux2014_x86_64.whl',
    'x-1.0-cp311-cp311-linux_x86_64.whl',
    'x-1.0-cp311-abi3-manylinux2014_x86_64.whl',
    'x-1.0-cp39-abi3-manylinux2014_x86_64.whl',
    'x-1.0-py3-none-manylinux2014_x86_64.whl',
    'x-1.0-cp311-none-any.whl',
    'x-1.0-py311-none-any.whl',
    'x-1.0-py3-none-any.whl',
    'x-1.0-py30-none-any.whl',
  ].map((file) => rank(file) ?? -1);
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  assert.ok(!order.includes(-1));
  assert.ok(compareBuild('2', '10') < 0 && compareBuild('', '0') < 0 && compareBuild('1a', '1b') < 0);
});

test("the tags are those of pip's own library, in its order", (t) => {
  const script = [
    'import sys, platform',
    'from pip._vendor.packaging import tags',
    'print(platform.libc_ver()[1], platform.machine(), *sys.version_info[:2], *tags.sys_tags())',
  ].join('\n');
  let words: string[];
  try {
    words = execFileSync('python3', ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .trim()
      .split(' ');
  } catch {
    return t.skip('there is no python3 with pip in PATH');
  }
  const [libc = '', machine, major, minor, ...theirs] = words;
  if (machine !== 'x86_64' || libc === '') return t.skip('this comparison is for glibc on x86_64');
  const target = {
    ...linuxAmd64,
    libc: { name: 'glibc' as const, version: libc },
    python: [{ implementation: 'cpython', version: `${major}.${minor}` }],
  };
  const [environment] = environmentsOf(target);
  assert.ok(environment);
  // pip before 24 lacks the tag that names the interpreter and nothing else.
  const young = `cp${major}${minor}-none-any`;
  const ours = supportedTags(environment).filter((tag) => tag !== young || theirs.includes(young));
  assert.deepEqual(ours, theirs);
});

test('names of files', () => {
  assert.equal(parseWheelName('x-1.0-1build-py3-none-any.whl')?.build, '1build');
  for (const bad of [
    'x.whl',
    'x-1.0-py3-none.whl',
    'x-1.0-b-py3-none-any.whl',
    'x-1.0--none-any.whl',
    'x-1-py3-none-any.zip',
    '../x-1-py3-none-any.whl',
  ]) {
    assert.equal(parseWheelName(bad), undefined, bad);
  }
  const sdist = (file: string, project: string) => parseSdistName(file, normaliseName, project);
  assert.equal(sdist('my-project-1.0.tar.gz', 'my-project'), '1.0');
  assert.equal(sdist('My_Project-1.0-2.zip', 'my-project'), '1.0-2');
  assert.equal(sdist('my-project-extra-1.0.tar.gz', 'my-project'), undefined);
  assert.equal(sdist('other-1.0.tar.gz', 'my-project'), undefined);
});

test('whatever name: a wheel or not, never an error', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('x', '-', '1.0', 'py3', 'none', 'any', '.', '_', 'é', '\n')), (parts) => {
      const wheel = parseWheelName(`${parts.join('')}.whl`);
      if (wheel !== undefined) rank(`${parts.join('')}.whl`);
    }),
  );
});
