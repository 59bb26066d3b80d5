import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findProgram, namespacesAllowed, debianTools, runProcess } from '#system';
import { temporaryFolder } from '#system/testing';
import { errorMessage } from '#kernel';
import { skipped, used } from '../../components.ts';
import { type Aims, layOut, writePcap } from './aims.ts';

// The misdeeds of examples/misdeeds, unconfined, against what this machine lays out for them: each succeeds here where
// that does no harm. A misdeed that fails anyway would prove nothing where it is stopped.

const packages = fileURLToPath(new URL('../../../examples/misdeeds/packages/', import.meta.url));
const widgets = join(packages, 'npm', 'helpful-widgets', 'misdeeds.mjs');
const gadgets = join(packages, 'pypi', 'helpful_gadgets');
const python = await findProgram('python3', process.env);

type Account = Record<string, { readonly achieved: boolean; readonly how: string; readonly heartbeat?: string }>;

/** Those that would change this machine, or need rights that are not to be had, are left out. */
const WIDGETS =
  'https-by-name tcp-by-address udp-by-address quic dns-tunnel dns-by-address host-loopback unix-socket abstract-socket read-key read-ssh read-environ write-home write-product write-store write-project signal';
const GADGETS = 'tcp-by-address unix-socket abstract-socket read-key read-environ signal';
const IN_NAMESPACES = 'vsock packet-socket raw-socket netlink';

async function committed(
  folder: string,
  { aims, secret }: Aims,
  only: string,
  command: readonly [string, ...string[]],
): Promise<Account> {
  await writeFile(join(folder, 'aims.json'), JSON.stringify({ ...aims, only: only.split(' ') }));
  const [program, ...args] = command;
  const ended = await runProcess(program, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', PYTHONDONTWRITEBYTECODE: '1', [secret.name]: secret.value },
    timeout: 60_000,
  });
  assert.equal(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout) as Account;
}

function achieved(account: Account, expected: string): void {
  assert.deepEqual(Object.keys(account).sort(), expected.split(' ').sort());
  assert.deepEqual(
    Object.entries(account).filter(([, one]) => !one.achieved),
    [],
  );
}

const fromNode = `import { commit } from ${JSON.stringify(widgets)}; console.log(JSON.stringify(await commit()));`;
const fromPython = 'import json; from helpful_gadgets import misdeeds; print(json.dumps(misdeeds.commit()))';

test('unconfined, the misdeeds of an npm package succeed', async (t) => {
  const folder = await temporaryFolder(t);
  const aims = await layOut(t, folder);
  const command = [process.execPath, '--input-type=module', '-e', fromNode] as const;
  achieved(await committed(folder, aims, WIDGETS, command), WIDGETS);
  assert.deepEqual([...new Set(aims.reached)].sort(), ['abstract', 'dns', 'http', 'tcp', 'udp', 'unix']);
  assert.ok(aims.reached.filter((what) => what === 'dns').length > 30, 'a tunnel asks much');
});

test('its QUIC packet is one, with a server name that tshark can read', async (t) => {
  const tshark = await findProgram('tshark', process.env);
  if (tshark === undefined) return t.skip(skipped('tshark', 'tshark is not on this machine'));
  const folder = await temporaryFolder(t);
  const aims = await layOut(t, folder);
  await committed(folder, aims, 'quic', [process.execPath, '--input-type=module', '-e', fromNode]);
  const file = join(folder, 'quic.pcap');
  await writePcap(file, aims.datagrams);
  const fields = ['frame.protocols', 'quic.version', 'tls.handshake.extensions_server_name'].flatMap((one) => [
    '-e',
    one,
  ]);
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder };
  const ended = await runProcess(tshark, ['-r', file, '-T', 'fields', ...fields], {
    env,
    cwd: folder,
    timeout: 60_000,
  });
  assert.match(ended.stdout, /quic:tls\t0x00000001\tquic\.example\.test/, ended.stderr);
  used('tshark', (await runProcess(tshark, ['--version'], { env, cwd: folder })).stdout.split(/\s+/)[2] ?? '');
});

test('unconfined, the misdeeds of a Python distribution succeed', { skip: needsPython() }, async (t) => {
  const folder = await temporaryFolder(t);
  const aims = await layOut(t, folder);
  achieved(await committed(folder, aims, GADGETS, inPython(fromPython)), GADGETS);
  assert.deepEqual(aims.reached, ['tcp', 'unix', 'abstract']);
});

test('with rights over a network namespace its sockets of other families open', { skip: needsPython() }, async (t) => {
  const tools = await debianTools(['ip', 'nft'], { env: process.env }).catch((error: unknown) => errorMessage(error));
  if (typeof tools === 'string') return t.skip(`no namespaces: ${tools}`);
  const answer = await namespacesAllowed(process.env, { ip: tools.ip.path, nft: tools.nft.path });
  if (!answer.allowed) return t.skip(`no namespaces: ${answer.reason}`);
  const folder = await temporaryFolder(t);
  const aims = await layOut(t, folder);
  const unshare = ['unshare', '--user', '--map-root-user', '--net', ...inPython(fromPython)] as const;
  const account = await committed(folder, aims, IN_NAMESPACES, unshare);
  // A kernel without vsock has nothing to stop.
  if (account['vsock']?.how === 'EAFNOSUPPORT') delete account['vsock'];
  achieved(account, account['vsock'] === undefined ? IN_NAMESPACES.replace('vsock ', '') : IN_NAMESPACES);
});

test('unconfined, what is read is carried out although nobody knows what it is', async (t) => {
  const folder = await temporaryFolder(t);
  const aims = await layOut(t, folder);
  const blind = { ...aims, aims: { ...aims.aims, treasures: [] } };
  const account = await committed(folder, blind, 'read-key', [process.execPath, '--input-type=module', '-e', fromNode]);
  assert.match(account['read-key']?.how ?? '', /ledger\.key was carried out$/);
  assert.deepEqual([account['read-key']?.achieved, aims.reached.includes('tcp')], [true, true]);
});

test('unconfined, a daemon outlives the process that left it behind', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'aims.json'), JSON.stringify({ only: [] }));
  await t.test('from Node', async (t) => {
    // It beats beside the module, so the module is a copy.
    for (const name of ['misdeeds.mjs', 'quic.mjs']) {
      await writeFile(join(folder, name), await readPackage('npm', 'helpful-widgets', name));
    }
    const ask = (call: string): Promise<Account[string]> =>
      evaluate(folder, [
        process.execPath,
        '--input-type=module',
        '-e',
        `import * as m from ${JSON.stringify(join(folder, 'misdeeds.mjs'))}; console.log(JSON.stringify(await m.${call}()));`,
      ]);
    assert.equal((await ask('startDaemon')).how, 'started');
    endLater(t, join(folder, 'heartbeat'));
    assert.deepEqual(await ask('lookForDaemon'), { achieved: true, how: 'it still runs' });
  });
  await t.test('from Python', { skip: needsPython() }, async (t) => {
    const imports = 'import json, sys; from helpful_gadgets import misdeeds;';
    const started = await evaluate(folder, inPython(`${imports} print(json.dumps(misdeeds.start_daemon()))`));
    assert.equal(started.how, 'started');
    endLater(t, started.heartbeat ?? '');
    const look = `${imports} print(json.dumps(misdeeds.look_for_daemon(json.loads(sys.argv[1]))))`;
    const found = await evaluate(folder, [...inPython(look), JSON.stringify(started)]);
    assert.deepEqual(found, { achieved: true, how: 'it still runs' });
  });
});

test('unconfined, greed has its fill', async (t) => {
  const folder = await temporaryFolder(t);
  const program = join(packages, 'npm', 'greedy-widgets', 'greed.mjs');
  for (const [greed, bound, had] of [
    ['memory', 128, '128 MiB of memory'],
    ['disk', 32, '32 MiB on disk'],
    ['processes', 20, '20 processes'],
  ] as const) {
    const take = `import { take } from ${JSON.stringify(program)}; await take('${greed}');`;
    const ended = await runProcess(process.execPath, ['--input-type=module', '-e', take], {
      cwd: folder,
      env: { GREED_BOUND: String(bound) },
      timeout: 60_000,
    });
    assert.equal(ended.stdout, `Nobody stopped it: ${had}.\n`, ended.stderr);
  }
});

function needsPython(): string | false {
  return python === undefined ? skipped('python3', 'python3 is not on this machine') : false;
}

function inPython(program: string): [string, ...string[]] {
  return [python ?? 'python3', '-c', `import sys; sys.path.insert(0, ${JSON.stringify(gadgets)}); ${program}`];
}

async function readPackage(...path: string[]): Promise<Buffer> {
  return readFile(join(packages, ...path));
}

async function evaluate(folder: string, [program, ...args]: readonly [string, ...string[]]): Promise<Account[string]> {
  const env = { PATH: process.env['PATH'] ?? '', PYTHONDONTWRITEBYTECODE: '1' };
  const ended = await runProcess(program, args, { cwd: folder, env, timeout: 60_000 });
  assert.equal(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout) as Account[string];
}

/** The daemon writes its number wherever it beats. */
function endLater(t: TestContext, heartbeat: string): void {
  t.after(async () => {
    const pid = Number(await readFile(heartbeat, 'utf8'));
    assert.ok(pid > 1);
    process.kill(pid, 'SIGKILL');
  });
}
