import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ecosystemOf } from '#ecosystems/list';
import { isFault } from '#kernel';
import { debianTools, findProgram, type Tool } from '#system';
import { type Descriptor, Layout, OCI_INDEX } from '../../../src/ecosystems/oci/testing/layout.ts';
import { skipped, used } from '../../components.ts';
import {
  emptyHome,
  fetched,
  loopbackUpstream,
  projectInput,
  serveHome,
  serveProcess,
  TARGETS,
} from '../depot/inside.ts';

// Debian's docker-registry as upstream, into which skopeo pushed; skopeo again as the client inside.

/** skopeo that is unpacked, not installed, has no policy file; digests are what is checked here. */
const POLICY = '--insecure-policy';
let tools: Readonly<Record<'skopeo' | 'docker-registry', Tool>> | undefined;
let reason = '';
let folder: string;
let home: Awaited<ReturnType<typeof emptyHome>>;
let made: ReturnType<Layout['index']>;
let signature: Descriptor;
const stop: (() => unknown)[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  try {
    tools = await debianTools(['skopeo', 'docker-registry'], { env: process.env });
  } catch (error) {
    if (!isFault(error)) throw error;
    reason = skipped('skopeo, docker-registry', error.message);
    return;
  }
  used('skopeo', firstLine(await run(tools.skopeo.path, ['--version'])), tools.skopeo.source);
  used(
    'docker-registry',
    firstLine(await run(tools['docker-registry'].path, ['--version'])),
    tools['docker-registry'].source,
  );
  const layout = new Layout();
  made = layout.index('app');
  signature = layout.referrer(made.amd64, 'application/vnd.example.signature', 'signed');
  layout.add(made.index, '1.0');
  layout.add(layout.image('amd64', 'another'), '2.0');
  // As old clients store a signature where the registry has no referrers API: under a tag made of the digest.
  layout.add(signature, 'signature');
  const fallback = layout.json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [signature] }, OCI_INDEX);
  layout.add(fallback, made.amd64.digest.replace(':', '-'));
  await layout.write(join(folder, 'layout'));
  home = await emptyHome(join(folder, 'home'));
});
after(async () => {
  for (const end of stop.reverse()) await end();
  await rm(folder, { recursive: true, force: true });
});

function firstLine(text: string): string {
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? text.split('\n')[0] ?? '';
}

async function run(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder, XDG_RUNTIME_DIR: folder },
  });
  let out = '';
  let problem = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (problem += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${problem}`);
  return out === '' ? problem : out;
}

async function freePort(): Promise<number> {
  const socket = createSocket().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, 'close');
  return port;
}

async function startRegistry(path: string): Promise<string> {
  const port = await freePort();
  await mkdir(join(folder, 'registry'), { recursive: true });
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
    http: { addr: `127.0.0.1:${port}` },
  };
  await writeFile(join(folder, 'registry.yml'), JSON.stringify(config));
  const child = spawn(path, ['serve', join(folder, 'registry.yml')], { stdio: 'ignore', env: {} });
  const ended = once(child, 'exit');
  stop.push(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  for (let i = 0; i < 100; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    if (answer?.status === 200) return `127.0.0.1:${port}`;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('docker-registry did not start');
}

async function clientText(name: string, base: string): Promise<string> {
  const inside = await ecosystemOf('oci')?.inside();
  const config = inside?.clients.find(({ client }) => client === name);
  assert.ok(config);
  return config.render(base);
}

async function captured(image: string): Promise<void> {
  const outside = await ecosystemOf('oci')?.outside();
  assert.ok(outside);
  const input = projectInput(folder, image, { oci: image });
  const closure = await outside.resolve(input, TARGETS, loopbackUpstream(home.store));
  home.publish(await fetched(closure, home.store, folder, image));
}

test('an image from a real registry is served to a real client byte for byte, without a platform that nobody needs', async (t) => {
  if (tools === undefined) return t.skip(reason);
  const skopeo = tools.skopeo.path;
  const registry = await startRegistry(tools['docker-registry'].path);
  const push = async (from: string, to: string): Promise<void> => {
    await run(skopeo, [
      POLICY,
      'copy',
      '--all',
      '--dest-tls-verify=false',
      `oci:${join(folder, 'layout')}:${from}`,
      `docker://${registry}/team/app:${to}`,
    ]);
  };
  await push('1.0', '1.0');
  await push('signature', 'signature');
  const hex = made.amd64.digest.replace(':', '-');
  const fallback = await readFile(join(folder, 'layout/index.json'), 'utf8');
  const { manifests } = JSON.parse(fallback) as { manifests: (Descriptor & { annotations: Record<string, string> })[] };
  const index = manifests.find(({ annotations }) => annotations['org.opencontainers.image.ref.name'] === hex);
  assert.ok(index);
  const stored = await readFile(join(folder, 'layout/blobs', index.digest.replace(':', '/')));
  const put = await fetch(`http://${registry}/v2/team/app/manifests/${hex}`, {
    method: 'PUT',
    headers: { 'content-type': OCI_INDEX },
    body: stored,
  });
  assert.equal(put.status, 201);

  await captured(`${registry}/team/app:1.0`);
  const depot = await serveHome(home.path);
  stop.push(() => depot.close());
  const at = new URL(depot.base).host;
  const image = `docker://${at}/${registry.replace(':', '_')}/team/app:1.0`;

  const inspected = JSON.parse(await run(skopeo, [POLICY, 'inspect', '--tls-verify=false', image])) as Record<
    string,
    unknown
  >;
  assert.equal(inspected['Digest'], made.index.digest);
  assert.equal(inspected['Architecture'], 'amd64');
  const raw = await run(skopeo, [POLICY, 'inspect', '--raw', '--tls-verify=false', image]);
  const bytes = await readFile(join(folder, 'layout/blobs', made.index.digest.replace(':', '/')), 'utf8');
  assert.equal(raw, bytes);

  await run(skopeo, [POLICY, 'copy', '--src-tls-verify=false', image, `oci:${join(folder, 'out')}:1.0`]);
  const out = JSON.parse(await readFile(join(folder, 'out/index.json'), 'utf8')) as { manifests: Descriptor[] };
  assert.equal(out.manifests[0]?.digest, made.amd64.digest);
  const tags = JSON.parse(
    await run(skopeo, [POLICY, 'list-tags', '--tls-verify=false', image.replace(':1.0', '')]),
  ) as {
    Tags: string[];
  };
  assert.deepEqual(tags.Tags, ['1.0', hex]);

  // The other platform is absent on purpose, and the client is told so.
  const arm = ['copy', '--src-tls-verify=false', '--override-arch', 'arm64', image, `oci:${join(folder, 'arm')}:1.0`];
  await assert.rejects(run(skopeo, [POLICY, ...arm]), /not for linux\/arm64\/v8/);
  await assert.rejects(
    run(skopeo, [POLICY, 'inspect', '--tls-verify=false', image.replace('1.0', '9.9')]),
    /No admitted bundle brought/,
  );

  const referrers = (await (
    await fetch(
      `${depot.base}/v2/team/app/referrers/${made.amd64.digest}?artifactType=application/vnd.example.signature`,
    )
  ).json()) as { manifests: Descriptor[] };
  assert.deepEqual(
    referrers.manifests.map(({ digest }) => digest),
    [signature.digest],
  );

  await assert.rejects(
    run(skopeo, [
      POLICY,
      'copy',
      '--dest-tls-verify=false',
      `oci:${join(folder, 'layout')}:2.0`,
      `docker://${at}/team/app:2.0`,
    ]),
    /only gives images|unsupported|405/i,
  );
});

test("an index that holds all platforms is copied whole by the client's --all", async (t) => {
  if (tools === undefined) return t.skip(reason);
  const outside = await ecosystemOf('oci')?.outside();
  assert.ok(outside);
  const both = [...TARGETS, { name: 'linux-arm64', os: 'linux', arch: 'arm64' }];
  const input = projectInput(folder, 'layout/index.json', { oci: 'registry.example.test/whole:1.0', from: 'layout' });
  const closure = await outside.resolve(input, both, loopbackUpstream(home.store));
  home.publish(await fetched(closure, home.store, folder, 'layout/index.json'), 2);
  const depot = await serveHome(home.path);
  stop.push(() => depot.close());
  const image = `docker://${new URL(depot.base).host}/registry.example.test/whole:1.0`;
  await run(tools.skopeo.path, [
    POLICY,
    'copy',
    '--all',
    '--src-tls-verify=false',
    image,
    `oci:${join(folder, 'all')}:1.0`,
  ]);
  const out = JSON.parse(await readFile(join(folder, 'all/index.json'), 'utf8')) as { manifests: Descriptor[] };
  assert.equal(out.manifests[0]?.digest, made.index.digest);

  // With podman's configuration the name stays as it is, and what is not here is asked of nobody else.
  const config = (await clientText('podman', depot.base)).replaceAll('REGISTRY', 'registry.example.test');
  await writeFile(join(folder, 'registries.conf'), config);
  const plain = ['--registries-conf', join(folder, 'registries.conf'), 'inspect', '--raw'];
  const raw = await run(tools.skopeo.path, [POLICY, ...plain, 'docker://registry.example.test/whole:1.0']);
  assert.equal(raw, await readFile(join(folder, 'layout/blobs', made.index.digest.replace(':', '/')), 'utf8'));
  await assert.rejects(
    run(tools.skopeo.path, [POLICY, ...plain, 'docker://registry.example.test/none:1.0']),
    (error: Error) => {
      assert.match(error.message, /No admitted bundle brought/);
      assert.doesNotMatch(error.message, /lookup|dial/);
      return true;
    },
  );
});

test('containerd pulls by the unchanged name, from one depot for all registries', async (t) => {
  const containerd = await findProgram('containerd', process.env);
  const ctr = await findProgram('ctr', process.env);
  if (containerd === undefined || ctr === undefined || process.getuid?.() !== 0) {
    return t.skip(skipped('containerd', 'it is not on this machine, or this is not root, and it needs both'));
  }
  used('containerd', firstLine(await run(containerd, ['--version'])));
  const layout = new Layout();
  const { index } = layout.index('containerd');
  layout.add(index, '1.0');
  await layout.write(join(folder, 'for-containerd'));
  const image = 'registry.example.test/team/containerd:1.0';
  const outside = await ecosystemOf('oci')?.outside();
  assert.ok(outside);
  const input = projectInput(folder, 'for-containerd/index.json', { oci: image, from: 'for-containerd' });
  const served = await emptyHome(join(folder, 'containerd-home'));
  const closure = await outside.resolve(input, TARGETS, loopbackUpstream(served.store));
  served.publish(await fetched(closure, served.store, folder, 'for-containerd/index.json'));
  const depot = await serveHome(served.path);
  stop.push(() => depot.close());

  const at = (name: string): string => join(folder, 'containerd', name);
  await mkdir(at('certs/_default'), { recursive: true });
  await writeFile(at('certs/_default/hosts.toml'), await clientText('containerd', depot.base));
  await writeFile(
    at('config.toml'),
    `version = 2\nroot = "${at('root')}"\nstate = "${at('state')}"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "${at('sock')}"\n`,
  );
  const daemon = spawn(containerd, ['-c', at('config.toml')], { stdio: 'ignore' });
  const ended = once(daemon, 'exit');
  stop.push(async () => {
    daemon.kill('SIGTERM');
    await ended;
  });
  for (let i = 0; i < 100 && (await access(at('sock')).catch(() => false)) === false; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const pull = ['images', 'pull', '--snapshotter', 'native', '--hosts-dir', at('certs'), '--platform', 'linux/amd64'];
  await run(ctr, ['-a', at('sock'), ...pull, image]);
  const listed = await run(ctr, ['-a', at('sock'), 'images', 'ls']);
  assert.ok(listed.includes(`${image} `) && listed.includes(index.digest), listed);
  // What is not here is asked of nobody else: the registry itself is never looked up.
  await assert.rejects(run(ctr, ['-a', at('sock'), ...pull, 'registry.example.test/team/none:1.0']), (error: Error) => {
    assert.match(error.message, /not found/);
    assert.doesNotMatch(error.message, /lookup|dial/);
    return true;
  });
});

/** A registry that asks for a token of a service elsewhere, which asks for a password. */
async function guardedRegistry(layout: Layout, index: Descriptor): Promise<{ host: string; asked: string[] }> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x.example.test');
    asked.push(`${url.pathname}${url.search} ${request.headers.authorization ?? '-'}`);
    if (url.pathname === '/token') {
      const good = request.headers.authorization === `Basic ${Buffer.from('user:secret').toString('base64')}`;
      response.writeHead(good ? 200 : 401).end(good ? '{"token":"pull-token"}' : '{}');
      return;
    }
    if (request.headers.authorization !== 'Bearer pull-token') {
      const challenge = `Bearer realm="http://127.0.0.1:${(server.address() as AddressInfo).port}/token",service="registry",scope="repository:team/app:pull"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end('{"errors":[{"code":"UNAUTHORIZED"}]}');
      return;
    }
    const last = url.pathname.split('/').at(-1) ?? '';
    const content = layout.blobs.get(last === '1.0' ? index.digest : last);
    const media = /"mediaType":"([^"]+)"/.exec(Buffer.from(content ?? '').toString('latin1'))?.[1];
    response.writeHead(content === undefined ? 404 : 200, media === undefined ? {} : { 'content-type': media });
    response.end(content);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stop.push(() => server.close());
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

test('a token is fetched with the credentials of the registry and sent with every request', async () => {
  const layout = new Layout();
  const { index } = layout.index('guarded');
  const { host, asked } = await guardedRegistry(layout, index);
  const outside = await ecosystemOf('oci')?.outside();
  assert.ok(outside);
  const image = `${host}/team/app:1.0`;
  const store = (await emptyHome(join(folder, 'guarded'))).store;
  const plain = loopbackUpstream(store);
  const resolveWith = (secret: string) =>
    outside.resolve(projectInput(folder, image, { oci: image }), TARGETS, {
      ...plain,
      getBytes: (request, limit) =>
        plain.getBytes(
          request.credentialsOf === host
            ? {
                ...request,
                headers: { ...request.headers, authorization: `Basic ${Buffer.from(secret).toString('base64')}` },
              }
            : request,
          limit,
        ),
    });
  const closure = await resolveWith('user:secret');
  assert.ok(asked.some((line) => line.startsWith('/token?service=registry&scope=repository%3Ateam%2Fapp%3Apull ')));
  const rows = await fetched(closure, store, folder, image);
  assert.equal(rows.length, closure.artifacts.length + 1);
  assert.doesNotMatch(JSON.stringify(rows), /pull-token|secret/);

  await assert.rejects(resolveWith('user:wrong'), (error) => isFault(error) && error.code === 'oci.access-denied');
});

test('over the gap by the commands: a registry with a password outside, skopeo inside, and the password nowhere', async (t) => {
  if (tools === undefined) return t.skip(reason);
  const layout = new Layout();
  const { index, amd64 } = layout.index('crossed');
  const { host, asked } = await guardedRegistry(layout, index);
  const project = join(folder, 'crossing');
  await mkdir(join(project, 'docker'), { recursive: true });
  const auth = Buffer.from('user:secret').toString('base64');
  await writeFile(join(project, 'docker/config.json'), JSON.stringify({ auths: { [host]: { auth } } }), {
    mode: 0o600,
  });
  await writeFile(
    join(project, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: crossing\ntargets:\n  one: { os: linux, arch: amd64 }\ninputs:\n  - oci: ${host}/team/app:1.0\n`,
  );
  const sallyport = fileURLToPath(new URL('../../../sallyport', import.meta.url));
  const command = async (...args: string[]): Promise<string> => {
    const child = spawn(sallyport, args, {
      cwd: project,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DOCKER_CONFIG: join(project, 'docker') },
    });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 0, `sallyport ${args.join(' ')}: ${out}`);
    return out;
  };
  await command('init', '--home', 'outside', '--site', 'outside');
  const said = await command('capture', '--home', 'outside');
  assert.ok(asked.some((line) => line.startsWith('/token') && line.endsWith(`Basic ${auth}`)));
  await command('seal', '-o', 'bundle', '--home', 'outside');
  await command('init', '--home', 'inside', '--site', 'inside');
  await command('admit', 'bundle', '--root', 'outside/trust/root.1.dsse.json', '--home', 'inside');
  for (const place of ['sallyport.lock', 'bundle', 'outside/state.db']) {
    const text = await readFile(join(project, place), 'latin1').catch(() => '');
    assert.doesNotMatch(text + said, new RegExp(`secret|pull-token|${auth}`), place);
  }
  const depot = await serveProcess(join(project, 'inside'));
  stop.push(() => depot.stop());
  const image = `docker://${new URL(depot.base).host}/${host.replace(':', '_')}/team/app:1.0`;
  await run(tools.skopeo.path, [POLICY, 'copy', '--src-tls-verify=false', image, `oci:${join(folder, 'crossed')}:1.0`]);
  const out = JSON.parse(await readFile(join(folder, 'crossed/index.json'), 'utf8')) as { manifests: Descriptor[] };
  assert.equal(out.manifests[0]?.digest, amd64.digest);
});
