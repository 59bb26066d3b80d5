import assert from 'node:assert/strict';
import { cp, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '#kernel';
import { type Report, reportShape } from '#rehearse';
import { debianTools, findProgram, namespacesAllowed, runProcess } from '#system';
import { temporaryFolder } from '#system/testing';
import { used } from '../../components.ts';
import { type Aims, layOut } from './aims.ts';

// The example of misdeeds, carried and rehearsed by the product's own commands, aimed at this machine: nothing is
// achieved, each misdeed stands in the report, and the machine is as it was.

const root = fileURLToPath(new URL('../../../', import.meta.url));
const launcher = join(root, 'sallyport');

const tools = await debianTools(['ip', 'nft'], { env: process.env }).catch((error: unknown) => errorMessage(error));
const python = await findProgram('python3', process.env);
const answer =
  typeof tools === 'string' || python === undefined
    ? ({ allowed: false, reason: typeof tools === 'string' ? tools : 'python3 is not here' } as const)
    : await namespacesAllowed(process.env, { ip: tools.ip.path, nft: tools.nft.path });
const skip = answer.allowed ? false : `no namespaces: ${answer.reason}`;

type Attempt = Report['attempts'][number];
type Trace = (attempt: Attempt) => boolean;

/** Which programs commit a misdeed, and how the report shows that it was tried; '' where only its request says so. */
const NODE = ['install-npm-1', 'web'] as const;
const PYTHON = ['install-pip-1', 'api'] as const;
const call =
  (address: string, port: number, protocol: string): Trace =>
  (one) =>
    one.kind === 'call' && one.address === address && one.port === port && one.protocol === protocol;
const TRACES: readonly (readonly [name: string, by: readonly string[], trace: Trace])[] = [
  ['https-by-name', NODE, (one) => one.serverName === 'telemetry.example.test' && one.port === 443],
  ['https-by-name', PYTHON, (one) => one.serverName === 'telemetry.example.test' && one.port === 443],
  ['tcp-by-address', [...NODE, ...PYTHON], call('203.0.113.7', 8443, 'tcp')],
  ['tcp-by-ipv6-address', NODE, call('2001:db8::7', 8443, 'tcp')],
  ['udp-by-address', NODE, call('203.0.113.8', 9999, 'udp')],
  ['quic', NODE, (one) => call('203.0.113.9', 443, 'udp')(one) && one.speaks === 'quic'],
  ['dns-tunnel', NODE, (one) => one.kind === 'name' && one.name?.endsWith('.tunnel.example.test') === true],
  ['dns-by-address', NODE, call('203.0.113.53', 53, 'udp')],
];

describe('the misdeeds of the example', { skip }, () => {
  let folder = '';
  let project = '';
  let host: Aims;
  let report: Report;
  let code: number | null;

  const cleanups: (() => Promise<void> | void)[] = [];
  const t = { after: (cleanup: () => Promise<void> | void) => void cleanups.unshift(cleanup) };
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });
  before(async () => {
    if (skip !== false) return;
    folder = await temporaryFolder(t);
    project = join(folder, 'misdeeds');
    await cp(join(root, 'examples', 'misdeeds'), project, {
      recursive: true,
      filter: (path) => !/\/(?:\.sallyport|node_modules|sallyport\.lock)$/.test(path),
    });
    host = await layOut(t, folder);
    const { unixSockets, abstractSockets, loopback, homes, product, stores, projects, keys, secret, processes } =
      host.aims as Record<string, unknown>;
    const inside = join(project, '.sallyport', 'inside');
    const aims = {
      ...{ unixSockets, abstractSockets, loopback, homes, secret, processes },
      product: root,
      keys: [
        ...(keys as string[]),
        ...['outside', 'inside'].map((side) => join(project, '.sallyport', side, 'keys', 'ledger.key')),
      ],
      stores: [...(stores as string[]), join(inside, 'store')],
      projects: [...(projects as string[]), project],
    };
    void product;
    await writeFile(join(project, 'aims.json'), JSON.stringify(aims));
    const ended = await runProcess(
      launcher,
      [':node', 'upstream.mjs', launcher, 'rehearse', '.', '--json', '--log', 'ndjson'],
      {
        cwd: project,
        env: { ...definedOf(process.env), [host.secret.name]: host.secret.value },
        timeout: 600_000,
        keep: 64 * 1024 * 1024,
      },
    );
    code = ended.code;
    assert.notEqual(ended.stdout, '', ended.stderr.slice(-4000));
    report = reportShape.parse(JSON.parse(ended.stdout));
    const clients = report.steps.find(({ id }) => id === 'clients')?.detail ?? '';
    for (const word of clients.split(', ')) used(word.split(' ')[0] ?? '', word.split(' ').at(-1) ?? '');
  });

  test('they come all the way: captured, sealed, admitted and served, and what npm and pip install is that', () => {
    const outcomes = new Map(report.steps.map(({ id, outcome }) => [id, outcome]));
    for (const id of ['capture', 'seal', 'admit', 'depot', 'npm-1', 'pip-1', 'service-web', 'service-api', 'digests']) {
      assert.equal(outcomes.get(id), 'ok', `${id}: ${report.steps.find((step) => step.id === id)?.detail}`);
    }
    assert.deepEqual(report.artifacts?.foreign, []);
    assert.equal(report.artifacts?.served, 5);
  });

  test('each was tried, when installing and when running, and came to nothing', () => {
    const asked = report.steps.filter(({ title }) => title.startsWith('GET /misdeeds/'));
    assert.ok(asked.length >= 35, `${asked.length} misdeeds`);
    assert.deepEqual(
      asked.filter(({ outcome }) => outcome !== 'ok').map(({ title, detail }) => `${title}: ${detail}`),
      [],
    );
  });

  for (const [name, by, trace] of TRACES) {
    test(`${name} of ${by.join(', ')} stands in the report`, () => {
      const tried = report.attempts.filter((attempt) => trace(attempt) && !attempt.deliberate);
      assert.deepEqual(
        by.filter((machine) => !tried.some(({ from }) => from === machine)),
        [],
      );
    });
  }

  test('greed is ended, by the limit that it overstepped, and poison is noticed', () => {
    const failed = report.steps.filter(({ side, outcome }) => side === 'enclave' && outcome !== 'ok');
    const said = new Map(failed.map(({ id, detail }) => [id, detail]));
    assert.deepEqual([...said.keys()].sort(), ['npm-2', 'npm-3', 'npm-4', 'npm-5', 'services']);
    // By the kernel, which refuses more, or by the enclave, which ends it: either says so.
    const ends = {
      memory: /more than 512 MiB of memory|greed for memory was refused/,
      disk: /more than 256 MiB written|greed for disk was refused/,
      processes: /more than 200 processes|greed for processes was refused/,
    };
    const services = said.get('services') ?? '';
    for (const [index, [greed, end]] of Object.entries(ends).entries()) {
      assert.match(said.get(`npm-${index + 2}`) ?? '', end);
      const own = new RegExp(`greedy-${greed}: (.*?)(?:greedy-|$)`).exec(services)?.[1] ?? '';
      assert.match(own, end);
    }
    assert.match(said.get('npm-5') ?? '', /lockfile was changed/);
    const words = JSON.stringify([report.logs, report.steps]);
    assert.doesNotMatch(words, /Nobody stopped it/);
    assert.match(words, /greedy-memory/);
    assert.deepEqual([report.verdict, code], ['not-proved', 1]);
  });

  test('what called out is installed and run again without any route, and nothing had leaned on an answer', () => {
    const steps = new Map(report.steps.map((step) => [step.id, step]));
    assert.match(steps.get('alone-installs')?.detail ?? '', /^again web\/package-lock\.json, api\/requirements\.txt/);
    for (const id of ['alone', 'alone-installs', 'alone-services', 'alone-requests']) {
      assert.equal(steps.get(id)?.outcome, 'ok', `${id}: ${steps.get(id)?.detail}`);
    }
  });

  test('this machine heard nothing, and nothing of it was changed or is still running', async () => {
    assert.deepEqual(host.reached, []);
    const planted: string[] = [];
    for (const at of [folder, root, '/etc', '/usr/local/bin', '/etc/cron.d', process.env['HOME'] ?? '/root']) {
      const deep = at === folder;
      for (const name of await readdir(at, { recursive: deep }).catch(() => [])) {
        if (/planted|greed\.tmp|heartbeat/.test(name)) planted.push(join(at, name));
      }
    }
    assert.deepEqual(planted, []);
    const original = await readFile(join(root, 'examples', 'misdeeds', 'poison', 'package-lock.json'), 'utf8');
    assert.equal(await readFile(join(project, 'poison', 'package-lock.json'), 'utf8'), original);
    assert.deepEqual(await processesOf(folder), []);
  });
});

function definedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** Processes whose command or working folder lies there. */
async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const words = await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '');
    const cwd = await readlink(join('/proc', pid, 'cwd')).catch(() => '');
    if (words.includes(folder) || `${cwd}/`.startsWith(`${folder}/`))
      found.push(`${pid} ${words.replaceAll('\0', ' ')}`);
  }
  return found;
}
