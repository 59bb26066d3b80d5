import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { isFault } from '#kernel';
import type { Ecosystem } from '#ecosystems';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { draftProject, nearest, parseProject, type Project, readProject } from './index.ts';

const HEAD = `sallyport: "1.0"
name: storefront
targets:
  linux: { os: linux, arch: amd64 }
inputs:
  - npm: web/package-lock.json
`;

function read(source: string): Project {
  return parseProject(Buffer.from(source), '/project/sallyport.yaml');
}

function refused(source: string | Uint8Array): { code: string; where: string; message: string; fix: string } {
  try {
    parseProject(Buffer.from(source), '/project/sallyport.yaml');
  } catch (error) {
    assert.ok(isFault(error), String(error));
    assert.equal(error.exit, 2);
    return error;
  }
  return assert.fail(`it was read: ${String(source).slice(0, 80)}`);
}

test('the smallest project, with its defaults', () => {
  const project = read(HEAD);
  assert.equal(project.folder, '/project');
  assert.equal(project.channel, 'main');
  assert.deepEqual(project.destinations, []);
  assert.deepEqual(project.targets, [{ name: 'linux', os: 'linux', arch: 'amd64' }]);
  assert.deepEqual(project.inputs, [{ ecosystem: 'npm', value: 'web/package-lock.json', where: 'sallyport.yaml:6:5' }]);
});

test('everything that a project can say', () => {
  const project = read(`${HEAD}  - oci: registry.example.test/nats:2
    from: ./image//layout/
  - files: { url: "https://files.example.test/x", sha256: "${'a'.repeat(64)}" }
destinations: [b, a, b]
services:
  data: { image: "registry.example.test/nats:2", arguments: ["-js"], port: 4222 }
  web: { folder: ./web, install: npm, run: [node, server.js], port: 8080, needs: [data], environment: { DATA: "nats://data" } }
flows:
  - { from: web, to: data, port: 4222, protocol: tcp, reason: events, owner: shop, review-by: "2027-01-01", ticket: T-1 }
  - { from: outside, to: web, port: 8080, protocol: tcp, reason: customers, owner: shop }
requests:
  - { to: web, path: "/orders?x=1", expect: { status: 200, contains: ok } }
`);
  assert.deepEqual(project.destinations, ['a', 'b']);
  assert.equal(project.inputs[1]!.from, 'image/layout');
  assert.deepEqual(
    project.services.map(({ name }) => name),
    ['data', 'web'],
  );
  assert.equal(project.services[1]!.folder, 'web');
  assert.equal(project.flows[0]!.reviewBy, '2027-01-01');
  assert.deepEqual(project.requests[0], {
    from: 'outside',
    to: 'web',
    method: 'GET',
    path: '/orders?x=1',
    headers: {},
    expect: { status: 200, contains: 'ok' },
  });
});

test('mistakes are named with line, column and what to write', () => {
  const service = 'services:\n  web: { folder: web, run: [node], port: 1 }\n';
  const cases: readonly (readonly [string, string, string, RegExp])[] = [
    ['unknown key', `${HEAD}chanel: main\n`, 'sallyport.yaml:7:1', /Did you mean 'channel'/],
    ['unknown key below', HEAD.replace('arch: amd64', 'arhc: amd64'), 'sallyport.yaml:4:23', /arch/],
    ['unknown input option', `${HEAD}    form: x\n`, 'sallyport.yaml:7:5', /Did you mean 'from'/],
    ['duplicate key', `${HEAD}name: again\n`, 'sallyport.yaml:7:1', /once in a mapping/],
    ['wrong version', HEAD.replace('"1.0"', '"2.0"'), 'sallyport.yaml:1:12', /line that is named/],
    ['missing name', HEAD.replace('name: storefront\n', ''), 'sallyport.yaml:1:1', /line that is named/],
    ['number as version', HEAD.replace('arch: amd64', 'arch: amd64, node: 26'), 'sallyport.yaml:4:42', /line/],
    ['no inputs', HEAD.replace(/inputs:[^]*/, 'inputs: []\n'), 'sallyport.yaml:5:9', /line/],
    ['duplicate input', `${HEAD}  - npm: web/package-lock.json\n`, 'sallyport.yaml:7:5', /Remove one/],
    ['up and out', `${HEAD}    from: ../other\n`, 'sallyport.yaml:7:11', /line/],
    ['a role of packages (ROLE-4)', `${HEAD}    role: policy\n`, 'sallyport.yaml:7:5', /Only inputs of kind 'files'/],
    ['unknown role', `${HEAD}  - files: x\n    role: policies\n`, 'sallyport.yaml:8:11', /line/],
    ['unknown target', `${HEAD}    targets: [linxu]\n`, 'sallyport.yaml:7:14', /Did you mean 'linux'/],
    [
      'need of nobody',
      `${HEAD}services:\n  web: { folder: web, run: [node], needs: [dta] }\n`,
      'sallyport.yaml:8:36',
      /Declared: web/,
    ],
    [
      'image and folder',
      `${HEAD}services:\n  web: { folder: web, image: x, run: [node] }\n`,
      'sallyport.yaml:8:3',
      /either|image/,
    ],
    ['port', `${HEAD}services:\n  web: { folder: web, run: [node], port: 99999 }\n`, 'sallyport.yaml:8:42', /line/],
    [
      'ring',
      `${HEAD}services:\n  a: { folder: a, run: [x], needs: [b] }\n  b: { folder: b, run: [x], needs: [a] }\n`,
      'sallyport.yaml:8:29',
      /needs/,
    ],
    [
      'flow from nobody',
      `${HEAD}${service}flows:\n  - { from: wbe, to: web, port: 1, protocol: tcp, reason: r, owner: o }\n`,
      'sallyport.yaml:10:13',
      /Did you mean 'web'/,
    ],
    [
      'flow without a reason',
      `${HEAD}${service}flows:\n  - { from: outside, to: web, port: 1, protocol: tcp, owner: o }\n`,
      'sallyport.yaml:10:5',
      /line/,
    ],
    [
      'flow twice',
      `${HEAD}${service}flows:\n${'  - { from: outside, to: web, port: 1, protocol: tcp, reason: r, owner: o }\n'.repeat(2)}`,
      'sallyport.yaml:11:5',
      /Keep one/,
    ],
    [
      'request to nobody',
      `${HEAD}requests:\n  - { to: web, path: /, expect: { status: 200 } }\n`,
      'sallyport.yaml:8:11',
      /No service is declared/,
    ],
    [
      'two ways to be ready',
      `${HEAD}services:\n  web: { folder: web, run: [node], ready: { tcp: 1, log: x } }\n`,
      'sallyport.yaml:8:36',
      /one of 'tcp', 'http', 'run' and 'log'/,
    ],
    [
      'ready over HTTP without a port',
      `${HEAD}services:\n  web: { folder: web, run: [node], ready: { http: /health } }\n`,
      'sallyport.yaml:8:36',
      /Write 'port'/,
    ],
    [
      'a status without a path',
      `${HEAD}services:\n  web: { folder: web, run: [node], port: 1, ready: { tcp: 1, status: 200 } }\n`,
      'sallyport.yaml:8:45',
      /belong|http/,
    ],
    [
      'a pattern that is none',
      `${HEAD}services:\n  web: { folder: web, run: [node], ready: { log: '(' } }\n`,
      'sallyport.yaml:8:50',
      /line/,
    ],
    [
      'restarts of what is not started again',
      `${HEAD}services:\n  web: { folder: web, run: [node], restarts: 3 }\n`,
      'sallyport.yaml:8:36',
      /on-failure/,
    ],
    ['name of a service', `${HEAD}services:\n  Web_1: { folder: web, run: [node] }\n`, 'sallyport.yaml:8:3', /line/],
    ['tab', `${HEAD}services:\n\tweb: {}\n`, 'sallyport.yaml:8:1', /spaces/],
    ['merge key', `${HEAD}services:\n  web: { <<: { folder: web } }\n`, 'sallyport.yaml:8:10', /Remove/],
    ['two documents', `${HEAD}---\na: b\n`, 'sallyport.yaml:7:1', /---/],
    ['a list', '- a\n', 'sallyport.yaml:1:1', /sallyport/],
    ['nothing', '', 'sallyport.yaml', /sallyport/],
  ];
  for (const [what, source, where, fix] of cases) {
    const error = refused(source);
    assert.equal(error.where, where, `${what}: ${error.message}`);
    assert.match(error.fix, fix, `${what}: ${error.message}`);
  }
});

test('a service is ready by its port unless it says how, and is started once unless it says more', () => {
  const { services, timeLimit, limits } = read(`${HEAD}services:
  a: { folder: a, run: [x] }
  b: { folder: b, run: [x], port: 80 }
  c: { folder: c, run: [x], port: 80, ready: { http: /health, status: 204 }, start-within: 5 }
  d: { folder: d, run: [x], ready: { run: [check, it] }, restart: on-failure, restarts: 2 }
  e: { folder: e, run: [x], port: 80, ready: { log: 'up and (running|well)' } }
  f: { folder: f, run: [x], ready: { http: /, port: 81 } }
time-limit: 600
limits: { memory: 512, processes: 200 }
`);
  assert.deepEqual(
    services.map(({ ready }) => ready),
    [
      undefined,
      { kind: 'tcp', port: 80 },
      { kind: 'http', port: 80, path: '/health', status: 204 },
      { kind: 'run', run: ['check', 'it'] },
      { kind: 'log', pattern: 'up and (running|well)' },
      { kind: 'http', port: 81, path: '/', status: 200 },
    ],
  );
  assert.deepEqual(
    services.map(({ startWithin, restart, restarts }) => [startWithin, restart, restarts]),
    [
      [60, 'never', 5],
      [60, 'never', 5],
      [5, 'never', 5],
      [60, 'on-failure', 2],
      [60, 'never', 5],
      [60, 'never', 5],
    ],
  );
  assert.equal(timeLimit, 600);
  assert.deepEqual(limits, { memory: 512 * 1024 * 1024, processes: 200 });
  assert.throws(() => read(`${HEAD}limits: { memory: 1 }\n`), { code: 'project.invalid' });
});

test('aliases work within bounds, and cannot be made to explode', () => {
  const project = read(`${HEAD}services:
  a: { folder: a, run: &run [node, x.js] }
  b: { folder: b, run: *run }
`);
  assert.deepEqual(project.services[1]!.run, ['node', 'x.js']);
  let bomb = 'a0: &a0 [x, x, x, x, x, x, x, x, x]\n';
  for (let i = 1; i < 12; i++)
    bomb += `a${i}: &a${i} [${Array(9)
      .fill(`*a${i - 1}`)
      .join(', ')}]\n`;
  // Followed, they would be 9 to the 12th values: this would not end.
  refused(HEAD + bomb);
});

test('bytes that are not UTF-8, and controls in names, are refused and shown as escapes', () => {
  assert.equal(refused(Buffer.concat([Buffer.from(HEAD), Buffer.from([0xff])])).code, 'project.unreadable');
  const error = refused(`${HEAD}"\\e[2Jchannel": main\n`);
  assert.ok(!error.message.includes('\u001b'));
});

test('whatever is given is read or refused, never a crash', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), fc.nat({ max: 40 }), (noise, at, cut) => {
      const where = at % HEAD.length;
      const source = HEAD.slice(0, where) + noise + HEAD.slice(where + cut);
      try {
        parseProject(Buffer.from(source), '/project/sallyport.yaml');
      } catch (error) {
        assert.ok(isFault(error), `${String(error)}\n${source}`);
      }
    }),
    { numRuns: 500 },
  );
});

test('a file that is not there, or is a folder, or too large', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'sallyport.yaml');
  await assert.rejects(readProject(nodeFiles, path), { code: 'project.missing', exit: 2 });
  await mkdir(path);
  await assert.rejects(readProject(nodeFiles, path), { code: 'project.unreadable' });
  await writeFile(join(folder, 'large.yaml'), '#'.repeat(1024 * 1024 + 1));
  await assert.rejects(readProject(nodeFiles, join(folder, 'large.yaml')), { code: 'project.unreadable' });
});

test('the nearest word is near, or there is none', () => {
  assert.equal(nearest('chanel', ['channel', 'name']), 'channel');
  assert.equal(nearest('Inputs', ['inputs']), 'inputs');
  assert.equal(nearest('targtes', ['targets', 'target']), 'targets');
  assert.equal(nearest('entirely', ['channel', 'name']), undefined);
});

/** An ecosystem that only recognises. */
function recogniser(id: string, pattern: RegExp): Ecosystem {
  const recognise = (path: string): boolean => pattern.test(path);
  return {
    id,
    title: id,
    lookupKey: (name) => name,
    outside: async () => ({ recognise, resolve: async () => assert.fail() }),
    inside: async () => assert.fail(),
  };
}

test('a draft names what can be read, offers images, and says what else is there', async (t) => {
  const folder = join(await temporaryFolder(t), 'My Shop!');
  const write = async (path: string, source: string): Promise<void> => {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), source);
  };
  await write('web/package-lock.json', '{}');
  await write('web/node_modules/x/package-lock.json', '{}');
  await write(
    'web/Dockerfile',
    'FROM registry.example.test/node:26 AS build\nFROM build\nFROM scratch\nFROM --platform=linux/amd64 registry.example.test/base:1\n',
  );
  await write('deploy/app.yaml', 'spec:\n  containers:\n    - name: app\n      image: "registry.example.test/app:1"\n');
  await write('zarf.yaml', 'components:\n  - name: a\n    images:\n      - registry.example.test/zarf:1\n');
  await write('hauler.yaml', 'spec:\n  images:\n    - name: registry.example.test/hauled:1\n');
  await write('chart/Chart.yaml', 'name: chart\n');
  await write('api/poetry.lock', '');
  await write('with space/package-lock.json', '{}');
  await write('image/oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  await write(
    'image/index.json',
    '{"manifests":[{"annotations":{"org.opencontainers.image.ref.name":"registry.example.test/data:1"}}]}',
  );
  await write('bad\nname/package-lock.json', '{}');
  const draft = await draftProject(nodeFiles, folder, [
    recogniser('npm', /package-lock\.json$/),
    recogniser('oci', /oci-layout$/),
    recogniser('pypi', /poetry\.lock$/),
  ]);
  assert.equal(draft.inputs, 3);
  const project = read(draft.text);
  assert.equal(project.name, 'my-shop');
  assert.deepEqual(
    project.inputs.map(({ value, from }) => [value, from]),
    [
      ['registry.example.test/data:1', 'image'],
      ['web/package-lock.json', undefined],
      ['with space/package-lock.json', undefined],
    ],
  );
  for (const image of ['node:26', 'base:1', 'app:1', 'zarf:1', 'hauled:1']) {
    assert.match(draft.text, new RegExp(`# - oci: registry\\.example\\.test/${image}`));
  }
  assert.match(draft.text, /api\/poetry\.lock: a lockfile of Poetry/);
  assert.match(draft.text, /chart\/Chart\.yaml: a Helm chart/);
  assert.doesNotMatch(draft.text, /scratch|node_modules/);
});

test('the draft of an empty folder says what to write, and where', async (t) => {
  const draft = await draftProject(nodeFiles, await temporaryFolder(t), []);
  assert.equal(draft.inputs, 0);
  assert.match(refused(draft.text).message, /name at least one input/);
});

test('the example of the repository is read', async () => {
  const path = join(import.meta.dirname, '../../examples/storefront/sallyport.yaml');
  const project = parseProject(await readFile(path), path);
  assert.equal(project.services.length, 3);
  assert.equal(project.flows.length, 2);
});

test('what a preparation may see, reach and send to', () => {
  const project = read(`${HEAD}prepare:
  - run: [python3, build.py]
    makes: ./out//layout/
    needs: [pip, go1.24]
    reads: [./build.py, src]
    reaches: [git.example.test, "mirror.example.test:8443"]
    posts: ["https://git.example.test/team/tool.git"]
  - { run: [make], makes: made }
`);
  assert.deepEqual(project.prepare, [
    {
      run: ['python3', 'build.py'],
      makes: 'out/layout',
      needs: ['pip', 'go1.24'],
      reads: ['build.py', 'src'],
      reaches: ['git.example.test', 'mirror.example.test:8443'],
      posts: ['https://git.example.test/team/tool.git'],
    },
    { run: ['make'], makes: 'made', needs: [], posts: [] },
  ]);
  for (const [wrong, says] of [
    ['needs: [../../bin/sh]', /name of a program/],
    ['needs: [""]', /name of a program/],
    ['reads: [../elsewhere]', /below the folder/],
    ['reads: []', /prepare\[0\]\.reads/],
    ['reaches: ["https://git.example.test/"]', /write a host/],
    ['reaches: ["*"]', /write a host/],
    ['posts: ["git.example.test"]', /write an address/],
    ['posts: ["https://user:word@git.example.test/"]', /without user/],
    ['posts: ["https://git.example.test/?all"]', /without user/],
    ['posts: ["file:///etc"]', /write an address/],
    ['confined: false', /not known/],
  ] as const) {
    assert.match(refused(`${HEAD}prepare:\n  - { run: [make], makes: made, ${wrong} }\n`).message, says, wrong);
  }
});
