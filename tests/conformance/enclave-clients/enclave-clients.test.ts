import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Attempt, type Enclave, openEnclave } from '#enclave';
import { errorMessage } from '#kernel';
import { debianTools, findProgram, namespacesAllowed, runProcess, runtimeEnvironment } from '#system';
import { skipped, used } from '../../components.ts';
import { goProgram, helmProgram } from './programs.ts';

// Real programs in an enclave: each gets what a declared flow leads to, and what it wants from outside is refused and
// stands in the record, by name and port. npm, pip and skopeo are judged by every rehearsal.

const found = await debianTools(['ip', 'nft', 'curl'], { env: process.env }).catch((error: unknown) =>
  errorMessage(error),
);
const answer =
  typeof found === 'string'
    ? ({ allowed: false, reason: found } as const)
    : await namespacesAllowed(process.env, { ip: found.ip.path, nft: found.nft.path });
const skip = answer.allowed ? false : `no namespaces: ${answer.reason}`;
const tools =
  typeof found === 'string'
    ? { ip: '', nft: '', curl: '' }
    : {
        ip: found.ip.path,
        nft: found.nft.path,
        curl: found.curl.path,
      };

/** Serves the files of its working folder. */
const SERVER = `require('node:http').createServer((q, s) => {
  require('node:fs').readFile('.' + new URL(q.url, 'http://s').pathname, (error, data) => s.writeHead(error ? 404 : 200).end(data));
}).listen(8080, '::')`;

describe('real programs in an enclave', { skip }, () => {
  let work = '';
  let site = '';
  let desk = '';
  let enclave: Enclave;
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LANG: 'C.UTF-8',
    ...runtimeEnvironment(process.env),
  };
  const git = async (cwd: string, ...words: string[]): Promise<void> => {
    const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.test', '-c', 'init.defaultBranch=main'];
    const ended = await runProcess('git', [...identity, ...words], { cwd, env: { ...env, HOME: work } });
    assert.equal(ended.code, 0, ended.stderr);
  };
  const inside = (command: string, args: readonly string[], also: Record<string, string> = {}) =>
    enclave.run('client', command, args, { cwd: desk, env: { ...env, ...also }, timeout: 60_000 });

  before(async () => {
    if (skip !== false) return;
    work = await realpath(await mkdtemp(join(tmpdir(), 'sallyport-test-')));
    [site, desk] = [join(work, 'site'), join(work, 'desk')];
    await mkdir(site);
    await mkdir(desk);
    await writeFile(join(site, 'greeting'), 'well met');
    const programs = await Promise.all([goProgram(), helmProgram()]);
    enclave = await openEnclave({
      machines: ['server', 'client'],
      flows: [8080, 9418].map((port) => ({ from: 'client', to: 'server', port, protocol: 'tcp' as const })),
      writable: [work],
      readable: [tools.curl, ...programs.flatMap((one) => ('path' in one ? [dirname(one.path)] : []))],
      env: process.env,
      tools,
      signal: new AbortController().signal,
    });
    const server = await enclave.start('server', process.execPath, ['-e', SERVER], { cwd: site, env });
    assert.equal(await server.listening(8080, 10_000), true);
  });
  after(async () => {
    if (skip !== false) return;
    await enclave.close();
    await rm(work, { recursive: true, force: true });
  });

  /** The call that is looked for; who made it, where that is known. */
  async function refused(wanted: Partial<Attempt>, command: RegExp): Promise<Attempt> {
    const attempts = await enclave.attempts();
    const call = attempts.find(
      (one) =>
        one.kind === 'call' &&
        one.from === 'client' &&
        Object.entries(wanted).every(([key, value]) => one[key as keyof Attempt] === value),
    );
    assert.ok(call, JSON.stringify(attempts.filter(({ from }) => from === 'client').slice(-10)));
    if (enclave.unwatched === '') assert.match(call.process?.command ?? 'nobody', command);
    return call;
  }

  test('curl', async () => {
    const got = await inside(tools.curl, ['-sS', 'http://server:8080/greeting']);
    assert.deepEqual([got.code, got.stdout], [0, 'well met']);
    const shut = await inside(tools.curl, ['-sS', '--max-time', '20', 'https://files.example.test:8443/x']);
    assert.notEqual(shut.code, 0);
    await refused({ serverName: 'files.example.test', port: 8443, protocol: 'tcp', speaks: 'tls' }, /curl/);
    const plain = await inside(tools.curl, ['-sS', '--max-time', '20', 'http://files.example.test/over-there']);
    assert.notEqual(plain.code, 0);
    await refused({ request: 'GET files.example.test/over-there', port: 80 }, /curl/);
    used('curl', (await inside(tools.curl, ['--version'])).stdout.split(' ')[1] ?? '');
  });

  test('git, by its own protocol and over HTTPS', async (t) => {
    if ((await findProgram('git', env)) === undefined) return t.skip(skipped('git', 'git is not on this machine'));
    const from = join(work, 'from');
    await mkdir(from);
    await git(from, 'init', '-q');
    await writeFile(join(from, 'README'), 'a repository');
    await git(from, 'add', 'README');
    await git(from, 'commit', '-q', '-m', 'the first');
    await git(work, 'clone', '-q', '--bare', from, join(site, 'demo.git'));
    await git(join(site, 'demo.git'), 'update-server-info');
    const words = ['daemon', '--reuseaddr', '--export-all', `--base-path=${site}`, site];
    const trust = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' };
    const daemon = await enclave.start('server', 'git', words, { cwd: site, env: { ...env, ...trust } });
    assert.equal(await daemon.listening(9418, 10_000), true);
    for (const [address, folder] of [
      ['git://server/demo.git', 'by-git'],
      ['http://server:8080/demo.git', 'by-http'],
    ] as const) {
      const cloned = await inside('git', ['clone', '-q', address, folder]);
      assert.equal(cloned.code, 0, cloned.stderr);
      const log = await inside('git', ['-C', folder, 'log', '--format=%s'], trust);
      assert.equal(log.stdout, 'the first\n', log.stderr);
    }
    const shut = await inside('git', ['clone', '-q', 'https://git.example.test/demo.git', 'outside']);
    assert.notEqual(shut.code, 0);
    await refused({ serverName: 'git.example.test', port: 443, protocol: 'tcp' }, /git-remote-https?/);
    const bare = await inside('git', ['clone', '-q', 'git://203.0.113.20/demo.git', 'outside']);
    assert.notEqual(bare.code, 0);
    await refused({ address: '203.0.113.20', port: 9418, protocol: 'tcp' }, /git/);
    used('git', (await inside('git', ['--version'])).stdout.trim().split(' ').at(-1) ?? '');
  });

  test('a Python program', async (t) => {
    // A version manager's script would not find its own interpreter in there.
    const shim = await findProgram('python3', process.env);
    if (shim === undefined) return t.skip(skipped('python3', 'python3 is not on this machine'));
    const program = `import sys, urllib.request
for address in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(address, timeout=10).read().decode())
    except OSError as error:
        print("no answer:", error)`;
    const python = '/usr/bin/python3';
    const ended = await inside(python, [
      '-c',
      program,
      'http://server:8080/greeting',
      'https://api.example.test:9443/v1',
    ]);
    assert.match(ended.stdout, /^well met\nno answer: /, ended.stderr);
    await refused({ serverName: 'api.example.test', port: 9443, protocol: 'tcp' }, /python3/);
    used('python3', (await inside(python, ['--version'])).stdout.trim().split(' ')[1] ?? '');
  });

  test('a static Go program with a resolver of its own', async (t) => {
    const go = await goProgram();
    if ('reason' in go) return t.skip(skipped('go', go.reason));
    const ended = await inside(go.path, ['http://server:8080/greeting', 'https://proxy.example.test/module']);
    assert.match(ended.stdout, /^200 well met\nno answer: .*proxy\.example\.test/, ended.stderr);
    await refused({ serverName: 'proxy.example.test', port: 443, protocol: 'tcp' }, /fetch/);
    used('go', (await runProcess('go', ['version'], { env: definedOf(process.env) })).stdout.split(' ')[2] ?? '');
  });

  test('helm', async (t) => {
    const helm = await helmProgram();
    if ('reason' in helm) return t.skip(skipped('helm', helm.reason));
    const chart = join(work, 'demo');
    await mkdir(join(chart, 'templates'), { recursive: true });
    await writeFile(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: demo\nversion: 0.1.0\n');
    await writeFile(
      join(chart, 'templates', 'map.yaml'),
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}" }\n',
    );
    for (const words of [
      ['package', chart, '-d', site],
      ['repo', 'index', site],
    ]) {
      const ended = await runProcess(helm.path, words, { cwd: work, env: { ...env, HOME: work } });
      assert.equal(ended.code, 0, ended.stderr);
    }
    const homes = {
      HELM_CACHE_HOME: join(desk, 'helm'),
      HELM_CONFIG_HOME: join(desk, 'helm'),
      HELM_DATA_HOME: join(desk, 'helm'),
    };
    const added = await inside(helm.path, ['repo', 'add', 'own', 'http://server:8080'], homes);
    assert.equal(added.code, 0, added.stderr);
    const made = await inside(helm.path, ['template', 'first', 'own/demo'], homes);
    assert.match(made.stdout, /kind: ConfigMap\nmetadata: \{ name: "first" \}/, made.stderr);
    const shut = await inside(helm.path, ['repo', 'add', 'theirs', 'https://charts.example.test/stable'], homes);
    assert.notEqual(shut.code, 0);
    await refused({ serverName: 'charts.example.test', port: 443, protocol: 'tcp' }, /helm/);
    const oci = await inside(
      helm.path,
      ['pull', 'oci://registry.example.test/charts/demo', '--version', '1.0.0'],
      homes,
    );
    assert.notEqual(oci.code, 0);
    await refused({ serverName: 'registry.example.test', port: 443, protocol: 'tcp' }, /helm/);
    used('helm', (await inside(helm.path, ['version', '--short'], homes)).stdout.trim());
  });
});

function definedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
