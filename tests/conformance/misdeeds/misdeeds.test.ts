import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '#kernel';
import { type Report, reportShape } from '#rehearse';
import { debianTools, findProgram, namespacesAllowed, runProcess, toolsFolder } from '#system';
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

const OUTSIDE = ['https', 'tcp', 'udp', 'quic', 'tunnel', 'resolver'];

/** Which programs commit a misdeed: install scripts, of a package, and services. */
const NODE = { 'install-npm-1': 'helpful-widgets@1.0.0', web: undefined };
const PYTHON = { 'install-pip-1': 'helpful-gadgets@1.0.0', api: undefined };
const BOTH = { ...NODE, ...PYTHON };

const call =
  (address: string, port: number, protocol: string): Trace =>
  (one) =>
    one.kind === 'call' && one.address === address && one.port === port && one.protocol === protocol;
const file =
  (kind: 'read' | 'write', path: string): Trace =>
  (one) =>
    one.kind === kind && one.path?.includes(path) === true;
const socket =
  (protocol: string, path = ''): Trace =>
  (one) =>
    one.kind === 'socket' && one.protocol.startsWith(protocol) && (one.path ?? '').includes(path);

/** How the report shows that each was tried. */
const TRACES: readonly (readonly [name: string, by: Readonly<Record<string, string | undefined>>, trace: Trace])[] = [
  ['https-by-name', BOTH, (one) => one.serverName === 'telemetry.example.test' && one.port === 443],
  ['tcp-by-address', BOTH, call('203.0.113.7', 8443, 'tcp')],
  ['tcp-by-ipv6-address', NODE, call('2001:db8::7', 8443, 'tcp')],
  ['udp-by-address', NODE, call('203.0.113.8', 9999, 'udp')],
  ['quic', NODE, (one) => call('203.0.113.9', 443, 'udp')(one) && one.serverName === 'quic.example.test'],
  ['dns-tunnel', NODE, (one) => one.kind === 'name' && one.name?.endsWith('.tunnel.example.test') === true],
  ['dns-by-address', NODE, call('203.0.113.53', 53, 'udp')],
  ['unix-socket', BOTH, socket('unix', 'host.sock')],
  ['abstract-socket', BOTH, socket('abstract', '@sallyport-test-')],
  ['vsock', PYTHON, socket('vsock')],
  ['packet-socket', PYTHON, socket('packet')],
  ['raw-socket', PYTHON, socket('raw')],
  ['read-key', BOTH, file('read', '/keys/ledger.key')],
  ['read-ssh', NODE, file('read', '/.ssh/id_ed25519')],
  ['write-home', NODE, file('write', '/home/.planted-by-misdeeds')],
  ['write-etc', NODE, file('write', '/etc/cron.d/planted-by-misdeeds')],
  ['write-usr', NODE, file('write', '/usr/local/bin/planted-by-misdeeds')],
  ['write-product', NODE, file('write', '/owned/product/planted-by-misdeeds')],
  ['write-store', NODE, file('write', '/store/planted-by-misdeeds')],
  ['write-project', NODE, file('write', '/misdeeds/planted-by-misdeeds')],
];
/** These end at something that is not there, or that the kernel refuses, and nobody watches: only their requests tell. */
const UNWATCHED = [
  ...['host-loopback', 'read-shadow', 'read-environ', 'signal', 'daemon'].map((name) => `${name} of web`),
  ...['netlink', 'read-environ', 'read-memory', 'signal', 'daemon'].map((name) => `${name} of api`),
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
    // Not below /tmp: what a program sees there is its own.
    await mkdir(toolsFolder(process.env), { recursive: true, mode: 0o700 });
    folder = await realpath(await mkdtemp(join(toolsFolder(process.env), 'test-misdeeds-')));
    t.after(() => rm(folder, { recursive: true, force: true }));
    project = join(folder, 'misdeeds');
    await cp(join(root, 'examples', 'misdeeds'), project, {
      recursive: true,
      filter: (path) => !/\/(?:\.sallyport|node_modules|sallyport\.lock)$/.test(path),
    });
    host = await layOut(t, folder);
    const inside = join(project, '.sallyport', 'inside');
    // What lies outside the machine is aimed at as it is; what lies on it is this machine's own.
    const local = Object.entries(host.aims).filter(([name]) => !OUTSIDE.includes(name));
    const { keys, stores, projects, products } = host.aims as Record<
      'keys' | 'stores' | 'projects' | 'products',
      string[]
    >;
    const aims = {
      ...Object.fromEntries(local),
      products: [...products, root],
      keys: [...keys, ...['outside', 'inside'].map((side) => join(project, '.sallyport', side, 'keys', 'ledger.key'))],
      stores: [...stores, join(inside, 'store')],
      projects: [...projects, project],
    };
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
    test(`${name} stands in the report, by ${Object.keys(by).join(', ')}`, () => {
      for (const [machine, distribution] of Object.entries(by)) {
        const tried = report.attempts.filter((one) => one.from === machine && !one.deliberate && trace(one));
        assert.notEqual(tried.length, 0, `nothing of ${machine}`);
        if (distribution === undefined) continue;
        // Who read a decoy is not always found out in time; then nobody is named, and never somebody else.
        const named = tried.flatMap((one) => (one.kind === 'read' && one.package === undefined ? [] : [one.package]));
        assert.deepEqual(
          named.filter((known) => known !== distribution),
          [],
        );
      }
    });
  }

  test('every other misdeed that was committed is known to leave no trace', () => {
    const traced = TRACES.flatMap(([name, by]) => Object.keys(by).map((machine) => `${name} of ${machine}`));
    const asked = report.steps.flatMap(({ title }) => /^GET \/misdeeds\/(.*)$/.exec(title)?.[1] ?? []);
    assert.deepEqual(asked.filter((one) => !traced.includes(one)).sort(), UNWATCHED.sort());
  });

  test('what was read where a key would lie was carried out, and is known to be what lay there', () => {
    const leaks = report.attempts.filter(({ leaks: path }) => path !== undefined);
    for (const machine of Object.keys(BOTH)) {
      const paths = leaks
        .filter(({ from, address }) => from === machine && address === '203.0.113.7')
        .map((one) => one.leaks);
      assert.ok(
        paths.some((path) => path?.includes('/keys/') || path?.includes('/.ssh/')),
        `${machine}: ${paths.join(', ')}`,
      );
    }
  });

  test('greed is ended, by the limit that it overstepped, and poison is noticed', () => {
    const failed = report.steps.filter(({ side, outcome }) => side === 'enclave' && outcome !== 'ok');
    const said = new Map(failed.map(({ id, detail }) => [id, detail]));
    assert.deepEqual([...said.keys()].sort(), ['installed', 'npm-2', 'npm-3', 'npm-4', 'npm-5', 'services']);
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
    assert.equal(
      said.get('installed'),
      ['colours.mjs', 'widgets.mjs']
        .map((name) => `poison/node_modules/plain-widgets/${name} is not what plain-widgets@1.0.0 holds`)
        .join('; ') + '. Install scripts ran there of poisonous-widgets@1.0.0.',
    );
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
