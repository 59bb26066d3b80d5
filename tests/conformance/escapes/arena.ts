/**
 * Runs every trick of the corpus once, in one of three ways, and prints an outcome a line. A process of its own, so that
 * it can run as another user. Arguments: `program`, `image` or `bare`; then a folder that this user may write to.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Enclave, openEnclave } from '#enclave';
import { errorMessage } from '#kernel';
import { debianTools, runProcess } from '#system';
import { type Given, PRELUDE, type Trick, TRICKS } from './corpus.ts';
import { PYTHON, pythonRoot } from './python-root.ts';

export interface Outcome {
  readonly name: string;
  /** `held: …`, `ESCAPED …`, or what else it said. */
  readonly said: string;
  readonly code: number | null;
}

/** What the host saw, in the end. */
export interface Aftermath {
  readonly troubles: readonly string[];
}

const PLACES = [
  ...[
    '/root',
    '/home',
    '/boot',
    '/srv',
    '/mnt',
    '/media',
    '/var/lib',
    '/var/log',
    '/etc/shadow',
    '/etc/ssh',
    '/etc/passwd',
  ],
  ...['/run/docker.sock', '/run/containerd', '/run/systemd', '/run/dbus', '/dev', '/sys', '/run', '/tmp', '/dev/shm'],
];

const [way = '', folder = ''] = process.argv.slice(2);
const tricks = TRICKS.filter(
  ({ only, control }) => (only ?? process.arch) === process.arch && (way !== 'bare' || control),
);
const secret = process.env['ESCAPES_HOST_SECRET'] ?? '';
const print = (line: Outcome | Aftermath): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const outsideFolder = join(folder, 'outside');
const outside = join(outsideFolder, 'secret');
await mkdir(outsideFolder, { recursive: true });
await writeFile(outside, secret);
const own = join(folder, 'own');
await mkdir(own, { recursive: true });
await writeFile(`/dev/shm/${secret}`, secret);

const heard: string[] = [];
const listening = async (
  name: string,
  at: string | { host: string; port: number },
): Promise<AddressInfo | string | null> => {
  const server = createServer((socket) => {
    heard.push(name);
    socket.end(secret);
    socket.on('error', () => undefined);
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen(at, resolve));
  return server.address();
};
const socket = join(folder, 'host.sock');
const abstract = `sallyport-escapes-${randomBytes(6).toString('hex')}`;
await listening('socket', socket);
await chmod(socket, 0o777);
await listening('abstract', `\0${abstract}`);
const address = (await listening('port', { host: '127.0.0.1', port: 0 })) as AddressInfo;
const victim = spawn(process.execPath, ['-e', 'setTimeout(() => 0, 1e8)', `victim-${secret}`], { stdio: 'ignore' });

const given: Given = {
  OUTSIDE: outside,
  OUTSIDE_FOLDER: outsideFolder,
  SECRET: secret,
  VICTIM: String(victim.pid),
  ABSTRACT: abstract,
  SOCKET: socket,
  PORT: String(address.port),
  PLACES: PLACES.filter((path) => existsSync(path))
    .map((path) => `${statSync(path).dev} ${statSync(path).ino} ${path}`)
    .join('\n'),
  OWN: own,
};
const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1', ...given };
const textOf = (trick: Trick): string => `${PRELUDE}\n${trick.program}`;
const report = (
  trick: Trick,
  { stdout, stderr, code }: { stdout: string; stderr: string; code: number | null },
): void => {
  const said = stdout.trim() === '' ? stderr.trim().slice(-2000) : stdout.trim();
  print({ name: trick.name, said, code });
};

try {
  if (way === 'bare') {
    for (const trick of tricks) {
      const place = join(own, randomBytes(4).toString('hex'));
      await mkdir(place);
      report(
        trick,
        await runProcess(PYTHON, ['-c', textOf(trick)], {
          cwd: place,
          env: { ...environment, OWN: place },
          timeout: 20_000,
        }),
      );
    }
  } else {
    await confined();
  }
} finally {
  victim.kill('SIGKILL');
  await rm(`/dev/shm/${secret}`, { force: true });
}

async function confined(): Promise<void> {
  const { ip, nft, runc } = await debianTools(['ip', 'nft', 'runc'], { env: process.env });
  const before = readFileSync(runc.path);
  const enclave: Enclave = await openEnclave({
    machines: ['arena'],
    flows: [],
    writable: [own],
    env: process.env,
    tools: { ip: ip.path, nft: nft.path, runc: runc.path },
    signal: AbortSignal.timeout(300_000),
  });
  const troubles: string[] = [];
  try {
    const image = way === 'image' ? await pythonRoot(enclave, 'arena', own) : undefined;
    const runner = async (queue: Trick[]): Promise<void> => {
      for (let trick = queue.shift(); trick !== undefined; trick = queue.shift()) {
        const place = join(own, randomBytes(4).toString('hex'));
        await mkdir(place);
        const ended = await enclave.run('arena', PYTHON, ['-c', textOf(trick)], {
          cwd: place,
          env: { ...environment, OWN: place },
          writable: [place],
          timeout: 60_000,
          ...(image === undefined ? {} : { root: image }),
        });
        report(trick, ended);
      }
    };
    const queue = [...tricks];
    await Promise.all([runner(queue), runner(queue), runner(queue)]);
    troubles.push(...(await fromOutside(enclave)));
    // The runtime's own descriptors as a working folder (CVE-2024-21626).
    for (let number = 3; number < 12; number++) {
      const ended = await enclave.run('arena', PYTHON, ['-c', 'import os; print(os.listdir("../../../../.."))'], {
        cwd: `/proc/self/fd/${number}`,
        env: environment,
        writable: [],
        ...(image === undefined ? {} : { root: { ...image, cwd: `/proc/self/fd/${number}` } }),
      });
      if (ended.code === 0) troubles.push(`a working folder of /proc/self/fd/${number}: ${ended.stdout}`);
    }
    // Variables for the linker of whoever starts it: the runtime and the agent must not read them.
    const log = join(own, 'linker');
    await enclave.run('arena', PYTHON, ['-c', ''], {
      cwd: '/',
      env: { ...environment, LD_DEBUG: 'all', LD_DEBUG_OUTPUT: log, LD_PRELOAD: '/none.so', GCONV_PATH: own },
      writable: [],
      ...(image === undefined ? {} : { root: image }),
    });
    if (readdirSync(own).some((name) => name.startsWith('linker'))) troubles.push('a program of ours read LD_DEBUG');
    // More words than the kernel takes.
    const long = await enclave.run('arena', PYTHON, ['-c', 'pass', 'x'.repeat(3_000_000)], {
      cwd: '/',
      env: environment,
      writable: [],
      ...(image === undefined ? {} : { root: image }),
    });
    if (long.code === 0) troubles.push('three million bytes of one argument went through');
    const after = await enclave.run('arena', PYTHON, ['-c', 'print(7 * 6)'], {
      cwd: '/',
      env: environment,
      writable: [],
      ...(image === undefined ? {} : { root: image }),
    });
    if (after.stdout.trim() !== '42') troubles.push(`nothing runs any more: ${after.stderr}`);
    const daemons = processesOf(`daemon-${secret}`);
    if (daemons.length > 0) troubles.push(`a daemon outlived its program: ${daemons.join(', ')}`);
  } finally {
    await enclave.close();
  }
  if (!readFileSync(runc.path).equals(before)) troubles.push('runc was changed');
  if ((await readFile(outside, 'utf8')) !== secret || readdirSync(outsideFolder).join() !== 'secret') {
    troubles.push('the file outside was changed');
  }
  if (victim.exitCode !== null || victim.signalCode !== null) troubles.push('the victim has ended');
  if (heard.length > 0) troubles.push(`the host heard of it: ${heard.join(', ')}`);
  print({ troubles });
}

/** Links that a program leaves in the place of what the product then uses. */
async function fromOutside(enclave: Enclave): Promise<string[]> {
  const troubles: string[] = [];
  const swapped = join(own, 'swapped');
  symlinkSync(outsideFolder, swapped);
  for (const options of [
    { writable: [swapped] },
    { readable: [swapped], writable: [] },
    { writable: [join(swapped, 'x')] },
  ]) {
    const script = `import os; print(os.listdir(${JSON.stringify(swapped)})); open(${JSON.stringify(`${swapped}/x`)}, 'w')`;
    const ended = await enclave
      .run('arena', PYTHON, ['-c', script], { cwd: '/tmp', env: environment, ...options })
      .catch((error: unknown) => ({ code: 1, stdout: '', stderr: errorMessage(error) }));
    if (ended.code === 0 || ended.stdout.includes('secret')) troubles.push(`a link was followed: ${ended.stdout}`);
  }
  writeFileSync(join(own, 'file'), 'mine');
  if (statSync(outsideFolder).uid !== process.getuid?.()) troubles.push('the folder outside has another owner');
  return troubles;
}

/** Processes of this machine with a word among their arguments. */
function processesOf(word: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(word);
    } catch {
      return false;
    }
  });
}
