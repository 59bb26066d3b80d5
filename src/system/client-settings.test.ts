import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { isFault } from '#kernel';
import { temporaryFolder } from '#system/testing';
import {
  npmSettings,
  ociSettings,
  pipConfig,
  pipSettings,
  plainSettings,
  type SettingsOptions,
} from './client-settings.ts';
import { nodeFiles } from './files.ts';
import { findProgram } from './tools.ts';

const SECRET = 'p1anted-secret-9d1e';
const PEM = '-----BEGIN CERTIFICATE-----\nTm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----';
type After = { after(fn: () => Promise<void>): void };

async function options(t: After, env: Record<string, string> = {}): Promise<SettingsOptions & { home: string }> {
  const root = await temporaryFolder(t);
  const home = join(root, 'home');
  const folder = join(root, 'project');
  await mkdir(home);
  await mkdir(folder);
  const signal = new AbortController().signal;
  return { files: nodeFiles, folder, home, signal, env: { PATH: process.env['PATH'], HOME: home, ...env } };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const noNpm = (await findProgram('npm', process.env)) === undefined ? 'npm is not installed' : false;
const noPython = (await findProgram('python3', process.env)) === undefined ? 'python3 is not installed' : false;

test('npm: registry, scopes, proxies, authorities and credentials of project and user', { skip: noNpm }, async (t) => {
  const o = await options(t, { TEST_TOKEN: SECRET });
  await writeFile(join(o.home, 'ca.pem'), `${PEM}\n${PEM}\n`);
  await writeFile(
    join(o.home, '.npmrc'),
    [
      'registry=https://user.example.test/npm/',
      '//user.example.test/npm/:_authToken=users',
      `@scope:registry=https://name:${SECRET}@scoped.example.test/`,
      `cafile=${join(o.home, 'ca.pem')}`,
      `https-proxy=http://me:${SECRET}@proxy.example.test:3128/`,
      'noproxy=direct.example.test',
      '//basic.example.test/:username=me',
      `//basic.example.test/:_password=${base64(SECRET)}`,
      `//legacy.example.test/:_auth=${base64(`you:${SECRET}`)}`,
    ].join('\n'),
  );
  await writeFile(join(o.folder, 'package.json'), '{}');
  await mkdir(join(o.folder, 'deep'));
  await writeFile(
    join(o.folder, '.npmrc'),
    'registry=https://registry.example.test/npm/\n//registry.example.test/npm/:_authToken=${TEST_TOKEN}\n//unset.example.test/:_authToken=${NO_SUCH_NAME}\n',
  );
  const settings = await npmSettings({ ...o, folder: join(o.folder, 'deep') });
  assert.deepEqual(settings.registries, ['https://registry.example.test/npm/']);
  assert.deepEqual(settings.scopes, { '@scope': 'https://scoped.example.test/' });
  assert.deepEqual(settings.notes, []);
  const { route } = settings;
  assert.equal(route.authorities!.length, 2);
  assert.equal(route.httpsProxy, `http://me:${SECRET}@proxy.example.test:3128/`);
  assert.equal(route.noProxy, 'direct.example.test');
  const sent = (url: string): string | undefined => route.authorization!(new URL(url));
  assert.equal(sent('https://registry.example.test/npm/left/-/left-1.0.0.tgz'), `Bearer ${SECRET}`);
  assert.equal(sent('https://registry.example.test/other/left'), undefined, 'another path of the host');
  assert.equal(sent('https://registry.example.test:8443/npm/left'), undefined, 'another port');
  assert.equal(sent('https://registry.example.test.evil.example.test/npm/left'), undefined);
  assert.equal(sent('https://user.example.test/npm/left'), 'Bearer users');
  assert.equal(sent('https://basic.example.test/x'), `Basic ${base64(`me:${SECRET}`)}`);
  assert.equal(sent('https://legacy.example.test/x'), `Basic ${base64(`you:${SECRET}`)}`);
  assert.equal(sent('https://scoped.example.test/@scope%2fx'), `Basic ${base64(`name:${SECRET}`)}`);
  assert.equal(sent('https://unset.example.test/'), 'Bearer ${NO_SUCH_NAME}', 'as npm: a name that is not set stays');
});

test('npm: the environment wins, and unchecked certificates are told', { skip: noNpm }, async (t) => {
  const o = await options(t, {
    npm_config_registry: 'https://env.example.test/',
    npm_config_strict_ssl: 'false',
    HTTPS_PROXY: 'http://upper.example.test:1/',
    https_proxy: 'http://lower.example.test:1/',
    NO_PROXY: 'direct.example.test',
  });
  const settings = await npmSettings(o);
  assert.deepEqual(settings.registries, ['https://env.example.test/']);
  assert.equal(settings.route.httpsProxy, 'http://lower.example.test:1/');
  assert.match(settings.route.noProxy, /direct\.example\.test/);
  assert.equal(settings.route.unchecked!('any.example.test'), true);
  assert.match(settings.notes[0]!, /strict-ssl/);
});

test('npm: a missing file of authorities, and a missing npm, are faults', { skip: noNpm }, async (t) => {
  const o = await options(t, { npm_config_cafile: '/no/such/ca.pem' });
  await assert.rejects(npmSettings(o), { code: 'network.settings' });
});

test('npm: what it says when it fails shows no credentials', async (t) => {
  const o = await options(t);
  const bin = join(o.home, 'bin');
  await mkdir(bin);
  await writeFile(
    join(bin, 'npm'),
    `#!/bin/sh\necho "bad https://user:${SECRET}@registry.example.test/" >&2\nexit 7\n`,
  );
  await chmod(join(bin, 'npm'), 0o755);
  await assert.rejects(npmSettings({ ...o, env: { ...o.env, PATH: `${bin}:/usr/bin:/bin` } }), (error) => {
    assert.ok(isFault(error) && error.code === 'network.settings');
    assert.ok(!inspect(error).includes(SECRET));
    assert.match(error.message, /ended with 7/);
    return true;
  });
});

test('pip: its listing, as Python writes texts', () => {
  const config = pipConfig(
    [
      "global.index-url='https://registry.example.test/simple'",
      "install.extra-index-url='\\nhttps://a.example.test/simple\\nhttps://b.example.test/simple'",
      'global.note="it\'s"',
      "global.odd='back\\\\slash \\x41 \\''",
      'not a line',
    ].join('\n'),
  );
  assert.equal(config.get('global.index-url'), 'https://registry.example.test/simple');
  assert.equal(config.get('install.extra-index-url')!.split('\n').length, 3);
  assert.equal(config.get('global.note'), "it's");
  assert.equal(config.get('global.odd'), "back\\slash A '");
  assert.equal(config.size, 4);
});

test('pip: index, further indexes, certificate, trusted hosts and netrc', { skip: noPython }, async (t) => {
  const o = await options(t);
  await mkdir(join(o.home, '.config/pip'), { recursive: true });
  await writeFile(join(o.home, 'ca.pem'), PEM);
  await writeFile(
    join(o.home, '.config/pip/pip.conf'),
    [
      '[global]',
      `index-url = https://me:${SECRET}@registry.example.test/simple/`,
      'extra-index-url =',
      '    https://extra.example.test/simple/',
      '    https://other.example.test/simple/',
      `cert = ${join(o.home, 'ca.pem')}`,
      'trusted-host = lab.example.test',
      `proxy = http://proxy.example.test:3128`,
    ].join('\n'),
  );
  await writeFile(
    join(o.home, '.netrc'),
    `# a comment with machine words\nmachine extra.example.test\n  login you\n  password ${SECRET}\nmachine last.example.test login a password b\n`,
  );
  const settings = await pipSettings(o);
  assert.deepEqual(settings.registries, [
    'https://registry.example.test/simple/',
    'https://extra.example.test/simple/',
    'https://other.example.test/simple/',
  ]);
  const { route } = settings;
  assert.equal(route.authorities!.length, 1);
  assert.equal(route.httpProxy, 'http://proxy.example.test:3128');
  assert.equal(route.unchecked!('lab.example.test:8443'), true);
  assert.equal(route.unchecked!('registry.example.test'), false);
  assert.match(settings.notes[0]!, /lab\.example\.test/);
  const sent = (url: string): string | undefined => route.authorization!(new URL(url));
  assert.equal(sent('https://registry.example.test/simple/x/'), `Basic ${base64(`me:${SECRET}`)}`);
  assert.equal(sent('https://extra.example.test/simple/x/'), `Basic ${base64(`you:${SECRET}`)}`);
  assert.equal(sent('https://last.example.test/'), `Basic ${base64('a:b')}`);
  assert.equal(sent('https://other.example.test/simple/x/'), undefined);
});

test('pip: Python files of the project are not taken for parts of pip', { skip: noPython }, async (t) => {
  const o = await options(t, { PIP_INDEX_URL: 'https://env.example.test/simple' });
  const marker = join(o.home, 'ran');
  for (const name of ['pip.py', 'json.py', 'logging.py', 'pip/__main__.py', 'pip/__init__.py']) {
    await mkdir(join(o.folder, 'pip'), { recursive: true });
    await writeFile(join(o.folder, name), `open(${JSON.stringify(marker)}, 'w')\n`);
  }
  const before = process.cwd();
  process.chdir(o.folder);
  try {
    assert.deepEqual((await pipSettings(o)).registries, ['https://env.example.test/simple']);
  } finally {
    process.chdir(before);
  }
  assert.equal(await nodeFiles.look(marker), undefined);
});

test(
  'pip: the environment wins, and without any index its own default is asked of pip',
  { skip: noPython },
  async (t) => {
    const o = await options(t, { PIP_INDEX_URL: 'https://env.example.test/simple' });
    assert.deepEqual((await pipSettings(o)).registries, ['https://env.example.test/simple']);
    const { registries } = await pipSettings(await options(t));
    assert.equal(registries.length, 1);
    assert.ok(URL.canParse(registries[0]!));
    assert.deepEqual((await pipSettings(await options(t, { PIP_NO_INDEX: '1' }))).registries, []);
  },
);

test("oci: Docker's and Podman's credentials go to their registry alone", async (t) => {
  const o = await options(t);
  await mkdir(join(o.home, '.docker'));
  const auths = {
    'registry.example.test:5000': { auth: base64(`me:${SECRET}`) },
    'https://hub.example.test/v1/': { auth: base64('you:b') },
    'empty.example.test': {},
  };
  await writeFile(join(o.home, '.docker/config.json'), JSON.stringify({ auths }));
  const { route } = await ociSettings(o);
  const sent = (url: string): string | undefined => route.authorization!(new URL(url));
  assert.equal(sent('https://registry.example.test:5000/v2/'), `Basic ${base64(`me:${SECRET}`)}`);
  assert.equal(sent('https://registry.example.test/v2/'), undefined);
  assert.equal(sent('https://hub.example.test/v2/'), `Basic ${base64('you:b')}`);
  assert.equal(sent('https://empty.example.test/v2/'), undefined);
  await writeFile(join(o.home, '.docker/config.json'), 'not JSON');
  assert.equal((await ociSettings(o)).route.authorization!(new URL('https://hub.example.test/')), undefined);
});

test("oci: Docker's helpers are asked, and one that fails or is not there gives nothing", async (t) => {
  const o = await options(t);
  const bin = join(o.home, 'bin');
  await mkdir(bin);
  await mkdir(join(o.home, '.docker'));
  const helper = `#!/bin/sh\nread host\ntest "$host" = bad.example.test && { echo "no credentials"; exit 1; }\necho '{"ServerURL":"x","Username":"me","Secret":"${SECRET}"}'\n`;
  await writeFile(join(bin, 'docker-credential-test'), helper);
  await chmod(join(bin, 'docker-credential-test'), 0o755);
  await writeFile(
    join(o.home, '.docker/config.json'),
    JSON.stringify({
      auths: { 'stored.example.test': {}, 'bad.example.test': {} },
      credsStore: 'test',
      credHelpers: { 'own.example.test': 'test', 'none.example.test': 'absent', 'evil.example.test': '../../bin/sh' },
    }),
  );
  const { route } = await ociSettings({ ...o, env: { ...o.env, PATH: `${bin}:/usr/bin:/bin` } });
  const sent = (host: string): string | undefined => route.authorization!(new URL(`https://${host}/v2/`));
  assert.equal(sent('stored.example.test'), `Basic ${base64(`me:${SECRET}`)}`);
  assert.equal(sent('own.example.test'), `Basic ${base64(`me:${SECRET}`)}`);
  for (const host of ['bad', 'none', 'evil']) assert.equal(sent(`${host}.example.test`), undefined);
});

test('plain files: proxies of the environment, ALL_PROXY where it is HTTP', async (t) => {
  const o = await options(t, { ALL_PROXY: 'http://all.example.test:1/', NO_PROXY: 'a,b' });
  const { route } = await plainSettings(o);
  assert.deepEqual(
    [route.httpProxy, route.httpsProxy, route.noProxy],
    ['http://all.example.test:1/', 'http://all.example.test:1/', 'a,b'],
  );
  const socks = await plainSettings(await options(t, { all_proxy: 'socks5://all.example.test:1/' }));
  assert.equal(socks.route.httpsProxy, '');
});
