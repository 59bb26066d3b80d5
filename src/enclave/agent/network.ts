import { execFile, spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Attempt } from '../attempt.ts';
import { EMPTIED, emptyScript, readMounts, readOnlyScript } from '../confinement.ts';
import {
  hostsFile,
  type Machine,
  machineBatch,
  machinesOf,
  recorderPorts,
  resolverFile,
  routerBatch,
  ruleset,
  type Tuple,
  tuplesOf,
} from '../network.ts';
import type { OpenRequest } from '../protocol.ts';
import { openRecorder } from './recorder.ts';
import { openSink } from './sink.ts';

const LOW_PORTS = '/proc/sys/net/ipv4/ip_unprivileged_port_start';

export interface Network {
  readonly machines: readonly Machine[];
  /** Mount points of the host that could not be made read-only. */
  readonly writableMounts: readonly string[];
  readonly ipv6: boolean;
  /** Certificate of the recorder's authority (PEM), or ''. */
  readonly authority: string;
  /** Reports everything that the kernel has counted and the sink has not seen. */
  flush(): Promise<void>;
}

export async function openNetwork(request: OpenRequest, tell: (attempt: Attempt) => void): Promise<Network> {
  const machines = machinesOf(request.machines);
  const writableMounts = await closeFiles(request, machines);
  const ipv6 = existsSync('/proc/sys/net/ipv6/conf/all/forwarding');
  const families = (lines: string): string =>
    ipv6
      ? lines
      : lines
          .split('\n')
          .filter((line) => !line.includes('::'))
          .join('\n');
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  if (ipv6) writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1');
  await run(request.ip, ['-batch', '-'], families(routerBatch(machines, request.routes)));
  await Promise.all(
    machines.map((machine) =>
      run(
        request.nsenter,
        // Programs run without rights, and the network is all theirs: port 80 is as good as 8080.
        [
          '--net=/run/netns/' + machine.id,
          '--',
          '/bin/sh',
          '-c',
          `echo 0 > ${LOW_PORTS}; exec "$0" -batch -`,
          request.ip,
        ],
        families(machineBatch(machine, request.routes)),
      ),
    ),
  );
  // The sink listens before anything may reach it, and the rules stand before any program runs.
  const list = async (set: string): Promise<Tuple[]> =>
    tuplesOf(await run(request.nft, ['-j', 'list', 'set', 'inet', 'sallyport', set]));
  const sink = await openSink({ machines, ipv6, tell, list });
  const authority =
    request.recorded.length === 0
      ? ''
      : await openRecorder({
          ports: recorderPorts(request.recorded),
          ipv6,
          machineOf: (address) =>
            machines.find(({ ipv4, ipv6: other }) => address === ipv4 || address === other)?.name ?? address,
          tell: (attempt) => tell({ time: new Date().toISOString(), ...attempt }),
        });
  await run(request.nft, ['-f', '-'], ruleset(machines, request.flows, request.routes, request.recorded));
  return { machines, writableMounts, ipv6, authority, flush: () => sink.flush() };
}

/** Everything of the host becomes read-only, its sockets and temporary files vanish, names are the enclave's. */
async function closeFiles(request: OpenRequest, machines: readonly Machine[]): Promise<string[]> {
  const present = EMPTIED.filter((folder) => existsSync(folder) && !lstatSync(folder).isSymbolicLink());
  const names = {
    '/etc/hosts': hostsFile(machines),
    '/etc/resolv.conf': resolverFile(request.routes),
  };
  const targets = Object.entries(names).map(([path, text]) => {
    let target = path;
    try {
      target = realpathSync(path);
    } catch {
      // Not there, or a link to nowhere: nothing can be put over it, and readers find nothing.
    }
    return { path: target, text };
  });
  await run('/bin/sh', ['-s'], emptyScript(request.needed, request.writable, present));
  mkdirSync('/run/sallyport');
  for (const [index, { path, text }] of targets.entries()) {
    const own = `/run/sallyport/${index}`;
    writeFileSync(own, text);
    // /etc/resolv.conf is often a link into /run, which is empty now.
    if (path.startsWith('/run/')) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, '');
    }
    if (existsSync(path)) await run('/bin/sh', ['-c', 'mount --bind "$0" "$1"', own, path]);
  }
  const mounts = readMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  const failed = await run('/bin/sh', ['-s'], readOnlyScript(mounts, request.writable, present));
  return failed.split('\n').filter((line) => line !== '');
}

function run(command: string, args: readonly string[], input?: string): Promise<string> {
  if (input === undefined) {
    return new Promise((resolve, reject) => {
      execFile(command, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${command} ${args.join(' ')}: ${stderr.trim() || error.message}`));
      });
    });
  }
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let words = '';
    child.stdout.on('data', (piece: Buffer) => (out += piece.toString()));
    child.stderr.on('data', (piece: Buffer) => (words += piece.toString()));
    child.stdin.on('error', () => undefined);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ${args.join(' ')}: ${words.trim() || `exit ${code}`}`));
    });
    child.stdin.end(input);
  });
}
