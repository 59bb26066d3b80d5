import { execFile, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { shellQuote } from '#kernel';
import type { Attempt } from '../attempt.ts';
import {
  type Machine,
  machineBatch,
  machinesOf,
  recorderPorts,
  routerBatch,
  ruleset,
  type FlowUse,
  type Tuple,
  tuplesOf,
  usesOf,
} from '../network.ts';
import type { OpenRequest } from '../protocol.ts';
import { openSink, type Observers } from './sink.ts';

const LOW_PORTS = '/proc/sys/net/ipv4/ip_unprivileged_port_start';

export interface Network {
  readonly machines: readonly Machine[];
  readonly ipv6: boolean;
  /** Certificate of the recorder's authority (PEM), or ''. */
  readonly authority: string;
  /** Reports everything that the kernel has counted and the sink has not seen. */
  flush(): Promise<void>;
  /** Declared flows that were used until now. */
  uses(): Promise<readonly FlowUse[]>;
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
  const listed = (set: string): Promise<string> => run(request.nft, ['-j', 'list', 'set', 'inet', 'sallyport', set]);
  const list = async (set: string): Promise<Tuple[]> => tuplesOf(await listed(set));
  const recorder = async (): Promise<string> => {
    if (request.recorded.length === 0) return '';
    const { openRecorder } = await import('./recorder.ts');
    return openRecorder({
      ports: recorderPorts(request.recorded),
      ipv6,
      machineOf: (address) =>
        machines.find(({ ipv4, ipv6: other }) => address === ipv4 || address === other)?.name ?? address,
      tell: (attempt) => tell({ time: new Date().toISOString(), ...attempt }),
      ownerOf: (machine, address, port) => observers.watch?.caller(machine, address, port),
      leaks: (bytes) => observers.leaks?.(bytes),
    });
  };
  // Nothing runs in a machine before all of it is done, so that the order does not matter: what needs the router's
  // links waits for them, and the rules, which name links, do not. One shell starts the programs: each that Node starts
  // costs many times what it does itself.
  const rules = ruleset(machines, request.flows, request.routes, request.recorded, request.answers.calls);
  await run(
    '/bin/sh',
    ['-s'],
    makingScript(request, {
      rules,
      router: families(routerBatch(machines, request.routes)),
      machines: machines.map((machine) => ({
        id: machine.id,
        batch: families(machineBatch(machine, request.routes)),
      })),
    }),
  );
  const [sink, authority] = await Promise.all([
    openSink({ machines, ipv6, answers: request.answers, tell, list, observers }),
    recorder(),
  ]);
  const uses = async (): Promise<FlowUse[]> => usesOf(await Promise.all([listed('used4'), listed('used6')]), machines);
  return { machines, ipv6, authority, flush: () => sink.flush(), uses };
}

/** Rules and router first, side by side, then all machines side by side; it fails with the words of what failed. */
function makingScript(
  { ip, nft, nsenter }: OpenRequest,
  texts: {
    readonly rules: string;
    readonly router: string;
    readonly machines: readonly { readonly id: string; readonly batch: string }[];
  },
): string {
  const fed = (command: string, text: string, after = ''): string =>
    `${command} <<'END-OF-INPUT'${after}\n${text.trimEnd()}\nEND-OF-INPUT`;
  const lines = [
    'set -e',
    fed(`${shellQuote(nft)} -f -`, texts.rules, ' &'),
    'rules=$!',
    fed(`${shellQuote(ip)} -batch -`, texts.router),
    'machines=',
  ];
  for (const { id, batch } of texts.machines) {
    // Programs run without rights, and the network is all theirs: port 80 is as good as 8080.
    const inside = `echo 0 > ${LOW_PORTS}; exec "$0" -batch -`;
    const command = `${shellQuote(nsenter)} --net=/run/netns/${id} -- /bin/sh -c ${shellQuote(inside)} ${shellQuote(ip)}`;
    lines.push(fed(command, batch, ' &'), 'machines="$machines $!"');
  }
  lines.push('for one in $rules $machines; do wait "$one"; done');
  return `${lines.join('\n')}\n`;
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
