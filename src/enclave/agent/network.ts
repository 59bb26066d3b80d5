import { execFile, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import type { Attempt } from '../attempt.ts';
import {
  type Machine,
  machineBatch,
  machinesOf,
  recorderPorts,
  routerBatch,
  ruleset,
  type Tuple,
  tuplesOf,
} from '../network.ts';
import type { OpenRequest } from '../protocol.ts';
import { openRecorder } from './recorder.ts';
import { openSink, type Observers } from './sink.ts';

const LOW_PORTS = '/proc/sys/net/ipv4/ip_unprivileged_port_start';

export interface Network {
  readonly machines: readonly Machine[];
  readonly ipv6: boolean;
  /** Certificate of the recorder's authority (PEM), or ''. */
  readonly authority: string;
  /** Reports everything that the kernel has counted and the sink has not seen. */
  flush(): Promise<void>;
}

export async function openNetwork(
  request: OpenRequest,
  tell: (attempt: Attempt) => void,
  observers: Observers,
): Promise<Network> {
  const machines = machinesOf(request.machines);
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
  const list = async (set: string): Promise<Tuple[]> =>
    tuplesOf(await run(request.nft, ['-j', 'list', 'set', 'inet', 'sallyport', set]));
  const recorder = async (): Promise<string> => {
    if (request.recorded.length === 0) return '';
    return openRecorder({
      ports: recorderPorts(request.recorded),
      ipv6,
      machineOf: (address) =>
        machines.find(({ ipv4, ipv6: other }) => address === ipv4 || address === other)?.name ?? address,
      tell: (attempt) => tell({ time: new Date().toISOString(), ...attempt }),
    });
  };
  // Nothing runs in a machine before all of it is done, so that the order does not matter: what needs the router's
  // links and addresses waits for them, and the rules, which name links, do not.
  const router = run(request.ip, ['-batch', '-'], families(routerBatch(machines, request.routes)));
  const [sink, authority] = await Promise.all([
    router.then(() => openSink({ machines, ipv6, answers: request.answers, tell, list, observers })),
    router.then(recorder),
    router.then(() =>
      Promise.all(
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
      ),
    ),
    run(
      request.nft,
      ['-f', '-'],
      ruleset(machines, request.flows, request.routes, request.recorded, request.answers.calls),
    ),
  ]);
  return { machines, ipv6, authority, flush: () => sink.flush() };
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
