import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as rules from './rules.ts';

// Every rule is shown one repository that is clean and one with a planted violation, which it must find and nothing else.

const ARCHITECTURE =
  '## Layers\n| row | contexts |\n|---|---|\n| 1 | `kernel` |\n| 2 | `formats` |\n| 3 | `ecosystems`, `trust` |\n| 4 | `capture`, `admit` |\n| 5 | `main` |\n';
const DOORS = JSON.stringify({
  imports: { '#kernel': './src/kernel/index.ts', '#kernel/testing': './src/kernel/testing/index.ts' },
});

function repository(files: Record<string, string>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries({
      'ARCHITECTURE.md': ARCHITECTURE,
      'package.json': DOORS,
      'src/kernel/index.ts': "export { a } from './a.ts';\n",
      'src/kernel/testing/index.ts': "import { readFileSync } from 'node:fs';\n",
      'src/kernel/README.md': '# Kernel\n',
      ...files,
    }),
  );
}

type Rule = (repository: ReadonlyMap<string, string>) => string[];
const verbs = new Map([
  ['seal', ['-o', '--out', '--home']],
  ['ledger verify', ['--vkey']],
  ['trust key new', ['--holder']],
]);
const withCodes: Rule = (files) => rules.faultCodes(files, new Map([['src/kernel/faults.ts', ['kernel.used']]]));
const withList: Rule = (files) => rules.ecosystems(files, ['npm']);
const withVerbs: Rule = (files) => rules.commands(files, verbs);

const cases: readonly [string, Rule, Record<string, string>, RegExp?][] = [
  ['downward', rules.layers, { 'src/trust/a.ts': "import { a } from '#formats';\n" }],
  [
    'upward',
    rules.layers,
    { 'src/formats/a.ts': "import {\n  a,\n} from '#trust';\n" },
    /a\.ts:3: formats imports trust/,
  ],
  ['across the gap', rules.layers, { 'src/capture/a.ts': "export { a } from '#admit';\n" }, /capture imports admit/],
  ['across the gap, late', rules.layers, { 'src/admit/a.ts': "await import('#capture');\n" }, /admit imports capture/],
  ['a type upward', rules.layers, { 'src/kernel/b.ts': "import type { A } from '#trust';\n" }, /kernel imports trust/],
  ['an ecosystem with formats', rules.layers, { 'src/ecosystems/npm/a.ts': "import { a } from '#formats';\n" }],
  ['a room without a row', rules.layers, { 'src/annexe/a.ts': '' }, /annexe: it is in no row/],
  ['a deep import', rules.doors, { 'src/trust/a.ts': "import { a } from '../kernel/a.ts';\n" }, /leaves the context/],
  ['a near import', rules.doors, { 'src/trust/io/a.ts': "import { a } from '../b.ts';\n" }],
  [
    'a fake in the product',
    rules.doors,
    { 'src/trust/a.ts': "import { a } from '#kernel/testing';\n" },
    /is for tests/,
  ],
  ['a fake in a test', rules.doors, { 'src/trust/a.test.ts': "import { a } from '#kernel/testing';\n" }],
  ['a barrel', rules.doors, { 'src/trust/index.ts': "export * from './a.ts';\n" }, /export \*/],
  ['a door to nowhere', rules.doors, { 'package.json': '{"imports":{"#x":"./src/x/index.ts"}}' }, /leads to no file/],
  ['files in the core', rules.purity, { 'src/trust/a.ts': "import { open } from 'node:fs/promises';\n" }, /outside io/],
  ['files in io', rules.purity, { 'src/trust/io/a.ts': "import { open } from 'node:fs/promises';\n" }],
  ['a type of the machine', rules.purity, { 'src/trust/a.ts': "import type { Server } from 'node:http';\n" }],
  ['the clock', rules.purity, { 'src/trust/a.ts': 'const now = Date.now();\n' }, /reads the clock/],
  ['the environment', rules.purity, { 'src/trust/a.ts': "process.env['HOME'];\n" }, /take it from the World/],
  ['the way out, outside', rules.wayOut, { 'src/capture/a.ts': "import { openNetwork } from '#system';\n" }],
  [
    'the way out, inside',
    rules.wayOut,
    { 'src/depot/a.ts': "import {\n  homePath,\n  openNetwork,\n} from '#system';\n" },
    /belongs to capture alone/,
  ],
  ['a heavy start', rules.cheapStart, { 'src/trust/operations.ts': "import { b } from '#bundle';\n" }, /every start/],
  [
    'a light start',
    rules.cheapStart,
    { 'src/trust/operations.ts': "import { z } from 'zod';\nload: () => import('#bundle')\n" },
  ],
  ['a used code', withCodes, { 'src/kernel/a.ts': "fault('kernel.used');\n" }],
  ['an unused code', withCodes, {}, /nothing uses kernel\.used/],
  [
    'an unknown reason',
    withCodes,
    { 'src/kernel/a.ts': "fault('kernel.used'); const r = { code: 'kernel.other' };\n" },
    /kernel\.other stands in no catalogue/,
  ],
  ['a listed ecosystem', withList, { 'src/ecosystems/npm/index.ts': '' }],
  [
    'an unlisted ecosystem',
    withList,
    { 'src/ecosystems/npm/index.ts': '', 'src/ecosystems/go/index.ts': '' },
    /go is not listed/,
  ],
  ['an ecosystem without a folder', withList, {}, /npm is listed and has no folder/],
  [
    'an address here',
    rules.addresses,
    { 'README.md': 'http://127.0.0.1:4873/ https://registry.example.test/x http://api:8000\n' },
  ],
  [
    'an address outside',
    rules.addresses,
    { 'README.md': 'see https://docs.sallyport.dev/x\n' },
    /README\.md:1: .*address outside/,
  ],
  [
    "a registry's host",
    rules.addresses,
    { 'src/kernel/a.ts': `'files.${['python', 'hosted.org'].join('')}'\n` },
    /registry's host/,
  ],
  [
    'a lock with addresses',
    rules.portable,
    { 'x/package-lock.json': '"resolved": "https://a.test/b.tgz"' },
    /names where packages/,
  ],
  ['a range', rules.portable, { 'package.json': '{"dependencies":{"zod":"^4.0.0"}}' }, /not exact/],
  ['a path of one machine', rules.portable, { 'src/kernel/a.ts': `open('/${'work'}/main/x')\n` }, /one machine/],
  ['a room with a door', rules.rooms, {}],
  ['a room without a word', rules.rooms, { 'src/trust/index.ts': '' }, /has no README/],
  ['a link', rules.links, { 'docs/a.md': '[kernel](../src/kernel/README.md)\n' }],
  ['a dead link', rules.links, { 'docs/a.md': '[b](b.md)\n' }, /leads nowhere/],
  [
    'a command',
    withVerbs,
    { 'README.md': 'Run `sallyport seal -o x.bundle` and `sallyport ledger verify DIR --vkey F`.\n' },
  ],
  ['no such command', withVerbs, { 'README.md': '```\n./sallyport teleport x\n```\n' }, /no command 'teleport'/],
  ['a command of three words', withVerbs, { 'README.md': 'Run `sallyport trust key new FILE --holder NAME`.\n' }],
  ['no such command of three words', withVerbs, { 'README.md': 'Run `sallyport trust key old`.\n' }, /no command/],
  ['no such flag', withVerbs, { 'README.md': 'Run `sallyport seal --fast`.\n' }, /no flag --fast/],
];

for (const [name, rule, files, finds] of cases) {
  test(`a rule sees ${name}`, () => {
    const troubles = rule(repository(files));
    if (finds === undefined) assert.deepEqual(troubles, []);
    else {
      assert.equal(troubles.length, 1, troubles.join('\n'));
      assert.match(troubles[0]!, finds);
    }
  });
}
