import { resolve } from 'node:path';
import type { Implementation, World } from '#kernel';
import { homePath, makeFolderDurably, openHome } from '#system';
import { depotFault } from '../faults.ts';
import { openDepot } from '../io/depot.ts';
import { DEFAULT_LISTEN, parseListen } from '../listen.ts';
import type { Recover, ServeInput, ServeOutput } from '../operations.ts';
import { parseTokens, type Tokens } from '../tokens.ts';

const PEM_LIMIT = 1024 * 1024;

type Verb = Implementation<ServeInput, ServeOutput> & {
  follow(input: ServeInput, world: World, emit: (output: ServeOutput) => void): Promise<void>;
};

export const serveVerb = (recover: Recover): Verb => ({
  async run(input, world) {
    let output: ServeOutput | undefined;
    await this.follow(input, world, (listening) => {
      output = listening;
    });
    if (output === undefined) throw new Error('serve ended before it listened');
    return output;
  },

  async follow(input, world, emit) {
    const text = input.listen ?? DEFAULT_LISTEN;
    const listen = parseListen(text);
    if (listen === undefined) throw depotFault('depot.listen-malformed', { where: text });
    if ((input.tlsCert === undefined) !== (input.tlsKey === undefined)) throw depotFault('depot.tls-incomplete');
    const guarded = input.tlsCert !== undefined && input.tokenFile !== undefined;
    if (!listen.isLoopback && !guarded && input.insecureNoAuth !== true) {
      throw depotFault('depot.open-to-others', { where: text });
    }
    const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const read = (path: string): Promise<Uint8Array> => world.files.read(resolve(world.cwd, path), PEM_LIMIT);
    const tls =
      input.tlsCert === undefined || input.tlsKey === undefined
        ? undefined
        : { cert: await read(input.tlsCert), key: await read(input.tlsKey) };
    const tokens = input.tokenFile === undefined ? undefined : await readTokens(input.tokenFile, world, read);

    const folder = input.journal === undefined ? home.path : resolve(world.cwd, input.journal);
    await makeFolderDurably(world.files, folder, 0o700);

    await recover(world.files, home, world.clock);
    const depot = await openDepot({
      files: world.files,
      home,
      journal: folder,
      clock: world.clock,
      report: world.report,
      listen,
      ...(tls === undefined ? {} : { tls }),
      ...(tokens === undefined ? {} : { tokens }),
    });
    emit({
      listening: [...depot.addresses],
      pid: process.pid,
      home: home.path,
      served: `${folder}/served.jsonl`,
      misses: `${folder}/misses.jsonl`,
    });
    await aborted(world.signal);
    await depot.close();
    const { served, missed, bytes } = depot.counts;
    world.report({
      type: 'note',
      level: 'info',
      text: `${served} artifacts served (${bytes} bytes), ${missed} requests for what is not here.`,
    });
  },

  exit: () => 0,

  show: ({ listening, served, misses }, style) =>
    `${style.bold('Serving')} on ${listening.join(', ')}\n` +
    `  what goes out    ${served}\n` +
    `  what is missing  ${misses}\n` +
    `'sallyport client-config' prints what a client needs. Ctrl-C ends it.`,
});

async function readTokens(path: string, world: World, read: (path: string) => Promise<Uint8Array>): Promise<Tokens> {
  const look = await world.files.look(resolve(world.cwd, path));
  if (look !== undefined && look.kind === 'file' && (look.mode & 0o077) !== 0) {
    throw depotFault('depot.tokens-open', { where: path });
  }
  const parsed = parseTokens(Buffer.from(await read(path)).toString('utf8'));
  if ('line' in parsed) throw depotFault('depot.tokens-malformed', { where: `${path}:${parsed.line}` });
  return parsed.tokens;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
