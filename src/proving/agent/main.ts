/**
 * The first process of a proving ground: inside new namespaces, it is the node, makes the pods and the outside, and asks
 * the probes. It ends with its standard input, and with it goes everything that it made, however the product ends.
 */
import { createInterface } from 'node:readline';
import { openNamespaceSockets } from '#system/namespace-sockets';
import type { Answer, Request } from '../protocol.ts';
import { applyRules, openPlaces } from './network.ts';
import { Prober } from './prober.ts';

const send = (answer: Answer): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);

let nft = '';
let prober: Prober | undefined;

async function perform(request: Request): Promise<Answer> {
  if (request.do === 'open') {
    const sockets = await openNamespaceSockets();
    if ('unavailable' in sockets) throw new Error(sockets.unavailable);
    nft = request.nft;
    const { namespaces, ...told } = await openPlaces(request.ip, request.nft, request.places);
    prober = new Prober(sockets, namespaces);
    return { answer: 'open', ...told };
  }
  if (prober === undefined) throw new Error('it is not open');
  switch (request.do) {
    case 'rules':
      await applyRules(nft, request.texts);
      return { answer: 'done' };
    case 'listen':
      prober.listen(request.listeners);
      return { answer: 'done' };
    case 'round': {
      const started = performance.now();
      const seen = prober.round(request.probes, request.patience, request.controls).join('');
      return { answer: 'round', seen, milliseconds: performance.now() - started };
    }
    case 'load': {
      const { runLoad } = await import('./load.ts');
      return { answer: 'load', load: await runLoad(prober, nft, request) };
    }
  }
}

createInterface({ input: process.stdin, crlfDelay: Infinity })
  .on('line', (line) => {
    perform(JSON.parse(line) as Request)
      .catch((error: unknown): Answer => ({
        answer: 'failed',
        detail: error instanceof Error ? error.message : String(error),
      }))
      .then(send, () => process.exit(1));
  })
  .on('close', () => process.exit(0));
// Nobody reads any more: there is nothing left to do.
process.stdout.on('error', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));
