/**
 * The first process of the enclave. It runs inside the new namespaces, owns their network and everything that is
 * started there, and ends with its standard input: when the product dies, however it dies, the kernel takes the whole
 * PID namespace with it, and with the namespaces go links, routes and rules.
 */
import { createInterface } from 'node:readline';
import type { Attempt } from '../attempt.ts';
import { hostsFile, machinesOf, resolverFile } from '../network.ts';
import type { Event, Request } from '../protocol.ts';
import { Captures } from './capture.ts';
import { Cgroups } from './cgroups.ts';
import { type Decoys, openDecoys } from './decoy-posts.ts';
import { openNetwork, type Network } from './network.ts';
import { Processes } from './processes.ts';
import type { Observers } from './sink.ts';
import { CGROUPS, View } from './view.ts';
import { openWatch, type Watch } from './watch.ts';

// What needs HTTP or TLS is loaded when it is used: most enclaves open without either, and opening is to be quick.
const send = (event: Event): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

let network: Network | undefined;
const processes = new Processes(send);
const captures = new Captures(send);

async function perform(request: Request): Promise<void> {
  switch (request.do) {
    case 'open': {
      // First of all: /run is the agent's own from then on, and the network's names are kept there.
      const view = await View.open(request.writable, await namesFor(request));
      const tell = (attempt: Attempt): void => send({ event: 'attempt', attempt });
      const observers: Observers = {};
      const observing = observe(request, tell, observers);
      network = await openNetwork(request, tell, observers);
      const { machines, ipv6, authority } = network;
      const { watch, decoys } = await observing;
      const cgroups = Cgroups.open(request.cgroup, CGROUPS.moved);
      processes.use({
        machines,
        view,
        cgroups,
        ids: request.ids,
        runc: request.runc,
        ...(watch === undefined ? {} : { listener: (...about) => watch.listener(...about) }),
        ...(decoys === undefined ? {} : { decoys: (...about) => decoys.shown(...about) }),
      });
      const unwatched = watch === undefined ? 'it was not asked for' : watch.unavailable;
      send({ event: 'open', ipv6, unwatched, cgroups: cgroups.controllers, authority });
      return;
    }
    case 'start':
      await processes.start(request);
      return;
    case 'stop':
      processes.stop(request.process);
      captures.stop(request.process);
      return;
    case 'capture':
      captures.start(request, network?.machines ?? []);
      return;
    case 'input':
      processes.input(request.process, request.data);
      return;
    case 'ready': {
      const machine = network?.machines.find(({ name }) => name === request.machine);
      if (machine === undefined) throw new Error(`no machine ${request.machine}`);
      const { waitUntilReady } = await import('./readiness.ts');
      const running = (): boolean => processes.isRunning(request.process);
      const { ok, detail } = await waitUntilReady(machine.ipv4, request.check, request.timeout, running);
      send({ event: 'ready', call: request.call, ok, detail });
      return;
    }
    case 'flush':
      await network?.flush();
      send({ event: 'flushed', call: request.call, logs: processes.logged });
      return;
    case 'uses':
      send({ event: 'uses', call: request.call, uses: (await network?.uses()) ?? [] });
      return;
  }
}

/** Who tries what is known from system calls, and from decoys that stand where a host has its sockets and keys. */
async function observe(
  { machines: names, observe: { calls, writes, keys } }: Request & { do: 'open' },
  tell: (attempt: Attempt) => void,
  observers: Observers,
): Promise<{ readonly watch?: Watch; readonly decoys?: Decoys }> {
  if (!calls) return {};
  const machines = machinesOf(names);
  const decoys = await openDecoys({ folder: '/run/sallyport/decoys', machines, keys, tell });
  const namespaces = Object.fromEntries(machines.map(({ name, id }) => [name, `/run/netns/${id}`]));
  const watch = await openWatch({ path: '/run/sallyport/watch', writes, tell, namespaces, decoys });
  decoys.use(watch);
  observers.watch = watch;
  observers.leaks = (bytes) => decoys.leaks(bytes);
  return { watch, decoys };
}

/** How names are found in every machine, and whose certificates are believed where that is not the host's affair. */
async function namesFor({
  machines,
  routes,
  recorded,
}: Request & { do: 'open' }): Promise<Record<string, string | Uint8Array>> {
  const certificates = recorded.length === 0 ? {} : (await import('./recorder.ts')).recorderCertificates();
  return { hosts: hostsFile(machinesOf(machines)), 'resolv.conf': resolverFile(routes), ...certificates };
}

/** Whoever waits for its end learns why there was no beginning. */
function neverRan(number: number, error: unknown): void {
  const data = Buffer.from(`${error instanceof Error ? error.message : String(error)}\n`).toString('base64');
  send({ event: 'output', process: number, from: 'stderr', data });
  const ended = { code: 127, signal: null, timedOut: false, stopped: null, milliseconds: 0 };
  send({ event: 'ended', process: number, ...ended });
}

createInterface({ input: process.stdin, crlfDelay: Infinity })
  .on('line', (line) => {
    const request = JSON.parse(line) as Request;
    perform(request).catch((error: unknown) => {
      if (request.do === 'start' || request.do === 'capture') return neverRan(request.process, error);
      send({ event: 'failed', detail: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    });
  })
  .on('close', () => process.exit(0));
// Nobody reads any more: there is nothing left to do.
process.stdout.on('error', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));
