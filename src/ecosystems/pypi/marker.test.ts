import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { linuxAmd64, linuxArm64 } from '#ecosystems/testing';
import { environmentsOf } from './environment.ts';
import { evaluate, parseMarker, type Truth } from './marker.ts';

const [environment] = environmentsOf(linuxAmd64);
const [exact] = environmentsOf({ ...linuxAmd64, python: [{ implementation: 'cpython', version: '3.11.7' }] });

function is(text: string, on = environment): Truth {
  const marker = parseMarker(text);
  assert.ok(marker && on, text);
  return evaluate(marker, on);
}

test('markers as tools write them', () => {
  const cases: [string, Truth][] = [
    ['python_version >= "3.8"', true],
    ["python_version < '3.11'", false],
    ['python_version in "3.10 3.11"', true],
    ['"3.11" == python_version', true],
    ['python_version >= "3.8" and python_version < "4.0"', true],
    ['sys_platform == "win32" or os_name == "posix"', true],
    ['(sys_platform == "win32" and python_version > "3") or platform_machine == "x86_64"', true],
    ['platform_system != "Windows"', true],
    ['implementation_name == "pypy"', false],
    ['platform_python_implementation == "CPython"', true],
    ['"linux" in sys_platform', true],
    ['sys_platform not in "win32 cygwin"', true],
    ['extra == "test"', false],
    ['python_full_version >= "3.11.0"', true],
    ['python_full_version >= "3.8"', true],
    ['python_full_version < "3.11"', false],
    ['python_full_version >= "3.11.4"', 'unknown'],
    ['python_full_version == "3.11.4"', 'unknown'],
    ['python_full_version == "3.12.1"', false],
    ['python_full_version != "3.12.1"', true],
    ['python_full_version == "3.11.*"', true],
    ['platform_release >= "5"', 'unknown'],
    ['platform_release >= "5" and sys_platform == "win32"', false],
    ['platform_release >= "5" or sys_platform == "linux"', true],
    ['python_version ~= "3.10"', true],
    ['os.name == "posix"', true],
  ];
  for (const [text, answer] of cases) assert.equal(is(text), answer, text);
  assert.equal(is('python_full_version >= "3.11.4"', exact), true);
  assert.equal(is('python_full_version == "3.11.7"', exact), true);
  assert.equal(is('platform_machine == "aarch64"', environmentsOf(linuxArm64)[0]), true);
});

test('what is no marker', () => {
  for (const bad of [
    '',
    'python_version',
    'python_version >= 3.8',
    'foo == "x"',
    '(os_name == "posix"',
    'os_name == "posix" and',
    'os_name = "posix"',
    `${'('.repeat(60)}os_name == "a"${')'.repeat(60)}`,
  ]) {
    assert.equal(parseMarker(bad), undefined, bad);
  }
});

test('not (a and b) as not a or not b, with unknowns too', () => {
  const atom = fc.constantFrom(
    ['sys_platform == "linux"', 'sys_platform != "linux"'],
    ['os_name == "nt"', 'os_name != "nt"'],
    ['platform_release == "1"', 'platform_release != "1"'],
  );
  const not = (t: Truth): Truth => (t === 'unknown' ? t : !t);
  fc.assert(
    fc.property(atom, atom, ([a, na], [b, nb]) => {
      assert.equal(is(`${a} and ${b}`), not(is(`${na} or ${nb}`)));
    }),
  );
});
