/**
 * The first process of the enclave. It runs inside the new namespaces, owns their network and everything that is
 * started there, and ends with its standard input: when the product dies, however it dies, the kernel takes the whole
 * PID namespace with it, and with the namespaces go links, routes and rules.
 */
import { createInterface } from 'node:readline';
import type { Event, Request } from '../protocol.ts';
import { Captures } from './capture.ts';
import { watchCrowds } from './crowd.ts';
import { openNetwork, type Network } from './network.ts';
import { Processes } from './processes.ts';
import { waitUntilReady } from './readiness.ts';

const send = (event: Event): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

let network: Network | undefined;
const processes = new Processes(send);
const captures = new Captures(send);

async function perform(request: Request): Promise<void> {
  switch (request.do) {
    case 'open': {
      network = await openNetwork(request, (attempt) => send({ event: 'attempt', attempt }));
      processes.useNetwork(network.machines, request);
      watchCrowds(network.machines, (machine) => processes.endCrowd(machine));
      const { writableMounts, ipv6, authority } = network;
      send({ event: 'open', writableMounts, ipv6, authority });
      return;
    }
    case 'start':
      processes.start(request);
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
      const running = (): boolean => processes.isRunning(request.process);
      const { ok, detail } = await waitUntilReady(machine.ipv4, request.check, request.timeout, running);
      send({ event: 'ready', call: request.call, ok, detail });
      return;
    }
    case 'flush':
      await network?.flush();
      send({ event: 'flushed', call: request.call, logs: processes.logged });
      return;
  }
}

/** Whoever waits for its end learns why there was no beginning. */
function neverRan(number: number, error: unknown): void {
  const data = Buffer.from(`${error instanceof Error ? error.message : String(error)}\n`).toString('base64');
  send({ event: 'output', process: number, from: 'stderr', data });
  const ended = { code: 127, signal: null, timedOut: false, crowded: false, milliseconds: 0 };
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
