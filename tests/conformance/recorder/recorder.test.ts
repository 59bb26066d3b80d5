import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { digestOf, homeAt } from '#kernel';
import { testWorld } from '#kernel/testing';
import { capture, type CaptureOutput } from '#capture/operations';
import { openTestUpstream } from '#enclave/testing';
import { findProgram, nodeFiles } from '#system';
import { namespacesHere, temporaryFolder } from '#system/testing';
import { createSide } from '#trust';
import { skipped, used } from '../../components.ts';
import { gitServer, goModule, npmPackage, PYTHON_MISDEEDS, sdist, serving, type Site } from './registries.ts';

const { skip: noSpaces } = await namespacesHere();

/** Why a client is not tested: it is not on this machine. */
async function without(...names: readonly string[]): Promise<string | false> {
  if (noSpaces !== false) return noSpaces;
  for (const name of names) {
    if ((await findProgram(name, process.env)) === undefined) return skipped(name, 'it is not on this machine');
  }
  for (const name of names) used(`${name}, recorded`, '');
  return false;
}

interface Ask {
  readonly needs?: string;
  readonly posts?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a shell script as a preparation, whose outputs go to `made`, against servers of any name. */
async function prepare(t: TestContext, handler: RequestListener, script: string, ask: Ask = {}) {
  const root = await temporaryFolder(t);
  const folder = join(root, 'project');
  await mkdir(folder);
  await mkdir(join(root, 'user'));
  const upstream = await openTestUpstream(handler);
  t.after(() => upstream.close());
  await writeFile(join(root, 'ca.pem'), upstream.authority);
  const clock = { now: () => Date.parse('2026-11-22T06:00:00Z') };
  await createSide(nodeFiles, homeAt(join(folder, '.sallyport')), { site: 'outside', purpose: 'one-person', clock });
  await writeFile(
    join(folder, 'run.sh'),
    `{\n${script}\n} > made.part 2>&1 || { cat made.part >&2; exit 1; }\nmv made.part made\n`,
  );
  const keys = [
    ...(ask.needs === undefined ? [] : [`needs: [${ask.needs}]`]),
    ...(ask.posts === undefined ? [] : [`posts: ['${ask.posts}']`]),
  ];
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: test\ntargets:\n  linux: { os: linux, arch: amd64 }\nprepare:\n  - { ${['run: [sh, run.sh]', 'makes: made', ...keys].join(', ')} }\ninputs:\n  - files: made\n`,
  );
  const env = {
    PATH: process.env['PATH'],
    HOME: join(root, 'user'),
    XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? '/root', '.cache'),
    PYENV_ROOT: process.env['PYENV_ROOT'] ?? join(process.env['HOME'] ?? '/root', '.pyenv'),
    SSL_CERT_FILE: join(root, 'ca.pem'),
    PIP_CERT: join(root, 'ca.pem'),
    npm_config_cafile: join(root, 'ca.pem'),
    ...upstream.env,
    ...ask.env,
  };
  const verb = await capture.load();
  const output = (await verb.run({}, testWorld(nodeFiles, folder, { env }))) as CaptureOutput;
  const [prepared] = output.prepared;
  assert.ok(prepared);
  const made = await readFile(join(folder, 'made'), 'utf8');
  const asked = prepared.requests.map(({ method, url, outcome, status }) => `${method} ${url} ${status ?? outcome}`);
  return { prepared, made, asked, upstream };
}

const digests = (requests: CaptureOutput['prepared'][number]['requests']) => requests.map(({ digest }) => digest);

test(
  'pip: resolves, downloads over a redirect, and builds a source distribution whose code goes nowhere',
  { skip: await without('python3') },
  async (t) => {
    const made = await sdist(await temporaryFolder(t));
    const page = `<a href="https://files.example.test/moved/${made.name}#sha256=${made.sha256}">${made.name}</a>`;
    const site: Site = new Map<string, Buffer | string>([
      ['registry.example.test/simple/noisy/', page],
      [`files.example.test/${made.name}`, made.bytes],
    ]);
    const ran = await prepare(t, serving(site), 'python3 -m pip wheel -v --no-cache-dir noisy==1.0 -w out && ls out', {
      needs: 'pip',
      env: { PIP_INDEX_URL: 'https://registry.example.test/simple' },
    });
    assert.match(ran.made, /noisy-1\.0-py3-none-any\.whl\s*$/);
    // Its code ran, more than once, and every attempt was stopped.
    const tried = ran.made.match(/MISDEED \w+ \w+/g) ?? [];
    assert.equal(tried.length >= 7, true, ran.made);
    assert.deepEqual(
      tried.filter((line) => !line.endsWith('stopped') && !line.includes('docker')),
      [],
      ran.made,
    );
    const whole = ran.prepared.requests.find(({ redirects }) => redirects.length > 0);
    assert.equal(whole?.url, `https://files.example.test/moved/${made.name}`);
    assert.deepEqual(whole?.redirects, [`https://cdn.example.test/${made.name}`]);
    assert.equal(whole?.digest, `sha256:${made.sha256}`);
    assert.equal(ran.asked.includes('POST https://collect.example.test/in refused'), true);
    assert.equal(ran.asked.includes('GET http://169.254.169.254/latest/meta-data/ refused'), true);
    const { attempts } = ran.prepared;
    const has = (wanted: Readonly<Record<string, unknown>>): boolean =>
      attempts.some((one) => Object.entries(wanted).every(([key, value]) => one[key] === value));
    assert.equal(has({ kind: 'call', address: '203.0.113.66', port: 4444, protocol: 'tcp' }), true);
    assert.equal(has({ kind: 'call', address: '203.0.113.67', port: 53123, protocol: 'udp' }), true);
    assert.equal(has({ kind: 'call', address: '203.0.113.68', port: 443, protocol: 'udp' }), true);
    assert.equal(
      has({ kind: 'name', name: 'c2vjcmv0cw.tunnel.example.test' }),
      true,
      JSON.stringify(attempts, null, 1),
    );
    assert.equal(
      ran.upstream.tunnels.some((host) => /collect|203\.0\.113|169\.254/.test(host)),
      false,
    );
  },
);

test('npm: installs with its scripts, which go nowhere', { skip: await without('npm') }, async (t) => {
  const registry = 'https://registry.example.test/npm/';
  const { packument, bytes } = await npmPackage(await temporaryFolder(t), registry);
  const site: Site = new Map<string, Buffer | string>([
    ['registry.example.test/npm/noisy', packument],
    ['registry.example.test/npm/noisy/-/noisy-1.0.0.tgz', bytes],
  ]);
  // Newer ones ask who may run scripts; older ones let everybody.
  const script = `echo '{"allowScripts":{"noisy":true}}' > package.json
    npm install --foreground-scripts noisy@1.0.0 && cat node_modules/noisy/tried`;
  const ran = await prepare(t, serving(site), script, { needs: 'npm', env: { npm_config_registry: registry } });
  assert.match(ran.made, /added 1 package/);
  assert.deepEqual(
    ran.prepared.requests.filter(({ outcome }) => outcome === 'answered').map(({ url, digest }) => [url, digest]),
    [
      [`${registry}noisy`, digestOf(packument)],
      [`${registry}noisy/-/noisy-1.0.0.tgz`, digestOf(bytes)],
    ],
  );
  assert.match(ran.made, /(ECONNRESET|closed|ECONNREFUSED)$/);
  assert.equal(
    ran.prepared.attempts.some((one) => one['address'] === '203.0.113.70' && one['port'] === 4445),
    true,
  );
});

test(
  'git over https clones by its own protocol, where its server may be sent to',
  { skip: await without('git') },
  async (t) => {
    const root = await temporaryFolder(t);
    const work = join(root, 'work');
    const git = (...words: readonly string[]): Buffer =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.test', ...words], { cwd: work });
    await mkdir(work);
    git('init', '-q', '-b', 'main');
    await writeFile(join(work, 'file'), 'x'.repeat(5000));
    git('add', '.');
    git('commit', '-q', '-m', 'one');
    execFileSync('git', ['clone', '-q', '--bare', work, join(root, 'repository.git')]);
    const head = git('rev-parse', 'HEAD').toString().trim();
    const server = gitServer(root);
    const script = 'git clone -q https://git.example.test/repository.git clone && git -C clone rev-parse HEAD';
    const ran = await prepare(t, server, script, { posts: 'https://git.example.test/repository.git' });
    assert.equal(ran.made.trim(), head);
    const post = ran.prepared.requests.find(({ method }) => method === 'POST');
    assert.equal(post?.url, 'https://git.example.test/repository.git/git-upload-pack');
    assert.equal((post?.sent?.size ?? 0) > 0, true);
    // Undeclared, the same clone stops at its first body.
    const refused = await prepare(t, server, `${script} || true`);
    assert.match(refused.made, /403/);
    assert.equal(refused.asked.includes('POST https://git.example.test/repository.git/git-upload-pack refused'), true);
  },
);

test('curl, and Python without pip', { skip: await without('curl', 'python3') }, async (t) => {
  const site: Site = new Map<string, Buffer | string>([
    ['files.example.test/a', 'a'.repeat(100_000)],
    ['plain.example.test/b', 'b'],
  ]);
  const script = `curl -fsSL https://files.example.test/moved/a | sha256sum
    curl -fsS --http2 https://files.example.test/a | sha256sum
    curl -fsS http://plain.example.test/b; echo
    curl -sS -o /dev/null -w '%{http_code}\\n' https://files.example.test/none
    env -i curl -fsS https://files.example.test/a | sha256sum
    env -i PATH="$PATH" python3 -c 'import urllib.request as u; print(len(u.urlopen("https://files.example.test/a").read()))'
    python3 - <<'PROGRAM'
${PYTHON_MISDEEDS}
PROGRAM`;
  const ran = await prepare(t, serving(site), script, { needs: 'python3' });
  const sum = `${digestOf('a'.repeat(100_000)).slice(7)}  -`;
  const [one, two, plain, missing, three, length] = ran.made.split('\n');
  assert.deepEqual([one, two, plain, missing, three, length], [sum, sum, 'b', '404', sum, '100000']);
  assert.deepEqual(digests(ran.prepared.requests).slice(0, 3), [
    digestOf('a'.repeat(100_000)),
    digestOf('a'.repeat(100_000)),
    digestOf('b'),
  ]);
  assert.doesNotMatch(ran.made, /MISDEED (?!docker)\w+ done/);
});

test('go: downloads a module through its proxy protocol', { skip: await without('go', 'python3') }, async (t) => {
  const site: Site = new Map(Object.entries(await goModule(await temporaryFolder(t))));
  const script = `mkdir m && cd m && go mod init example.test/main >/dev/null 2>&1
    go mod edit -require example.test/greet@v1.0.0
    go mod download -json example.test/greet@v1.0.0 | grep Version; cd ..`;
  const ran = await prepare(t, serving(site), script, {
    needs: 'go',
    env: { GOPROXY: 'https://user:secret@goproxy.example.test', GONOSUMDB: '*', GOSUMDB: 'off' },
  });
  assert.match(ran.made, /"Version": "v1\.0\.0"/);
  const zip = ran.prepared.requests.find(({ url }) => url.endsWith('v1.0.0.zip'));
  assert.equal(zip?.digest, digestOf(site.get('goproxy.example.test/example.test/greet/@v/v1.0.0.zip') ?? ''));
  assert.doesNotMatch(JSON.stringify(ran.prepared), /secret/);
});

test('Java, which reads no variable and no PEM file', { skip: await without('java', 'javac') }, async (t) => {
  const site: Site = new Map([['files.example.test/a', 'hello']]);
  const script = `cat > Ask.java <<'PROGRAM'
    import java.net.URI;
    import java.net.http.*;
    public class Ask {
      public static void main(String[] words) throws Exception {
        var client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
        var request = HttpRequest.newBuilder(URI.create(words[0])).build();
        System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
      }
    }
PROGRAM
    java Ask.java https://files.example.test/moved/a
    env -u JAVA_TOOL_OPTIONS java Ask.java https://files.example.test/a`;
  const ran = await prepare(t, serving(site), script, { needs: 'java' });
  assert.deepEqual(ran.made.match(/^hello$/gm), ['hello', 'hello'], ran.made);
  assert.deepEqual(digests(ran.prepared.requests), [digestOf('hello'), digestOf('hello')]);
});

test('Maven resolves from its repository', { skip: await without('mvn', 'java') }, async (t) => {
  const parent = `<project><modelVersion>4.0.0</modelVersion><groupId>example.test</groupId><artifactId>parent</artifactId><version>1</version><packaging>pom</packaging></project>`;
  const path = 'maven.example.test/example/test/parent/1/parent-1.pom';
  const site: Site = new Map([
    [path, parent],
    [`${path}.sha1`, execFileSync('sha1sum', { input: parent }).toString().slice(0, 40)],
  ]);
  const script = `cat > pom.xml <<'PROGRAM'
    <project><modelVersion>4.0.0</modelVersion>
      <parent><groupId>example.test</groupId><artifactId>parent</artifactId><version>1</version><relativePath/></parent>
      <artifactId>child</artifactId><packaging>pom</packaging>
      <repositories><repository><id>central</id><url>https://maven.example.test</url></repository></repositories>
    </project>
PROGRAM
    mvn -B -q validate && echo resolved`;
  const ran = await prepare(t, serving(site), script, { needs: 'mvn' });
  assert.match(ran.made, /resolved\n$/);
  const pom = ran.prepared.requests.find(({ url }) => url.endsWith('parent-1.pom'));
  assert.equal(pom?.digest, digestOf(parent));
});
