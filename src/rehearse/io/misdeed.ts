import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readBeneath } from '#enclave';
import { StepFailure } from '../story.ts';
import { clientEnvironment, noNpmConfig } from './installations.ts';
import { type Stage, words } from './stage.ts';

/** Bytes of what the package says about itself. */
const OUTCOME = 64 * 1024;

/** A package whose install script calls home, by name and by address. */
export async function tryMisdeed(stage: Stage, machine: string): Promise<void> {
  await stage.story.step('misdeed', 'A postinstall that calls home is blocked', 'enclave', async () => {
    const folder = join(stage.place.work, 'misdeed');
    await mkdir(join(folder, 'calls-home'), { recursive: true });
    const write = (name: string, value: unknown): Promise<void> =>
      writeFile(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
    // A workspace: npm 9 would look for a linked folder in the registry when it is told to replace its host.
    const workspaces = ['calls-home'];
    await write('package.json', { name: 'misdeed', version: '1.0.0', private: true, workspaces });
    await write('package-lock.json', {
      name: 'misdeed',
      version: '1.0.0',
      lockfileVersion: 3,
      requires: true,
      packages: {
        '': { name: 'misdeed', version: '1.0.0', workspaces },
        'calls-home': { version: '1.0.0', hasInstallScript: true },
        'node_modules/calls-home': { resolved: 'calls-home', link: true },
      },
    });
    await write('calls-home/package.json', {
      name: 'calls-home',
      version: '1.0.0',
      scripts: { postinstall: 'node postinstall.mjs' },
    });
    await write('calls-home/postinstall.mjs', CALLS_HOME);
    const { npm = '' } = stage.clients;
    const cache = join(stage.place.work, `${machine}-cache`);
    await mkdir(cache);
    // Everything that npm 11 asks to be allowed is allowed: it is the network that must stop it.
    const ended = await stage.enclave.run(machine, process.execPath, [npm, 'ci', '--no-fund'], {
      cwd: folder,
      env: stage.environment({
        ...(await clientEnvironment('npm', 'npm', stage.base)),
        npm_config_cache: cache,
        ...noNpmConfig(stage),
        npm_config_ignore_scripts: 'false',
      }),
      writable: [folder, cache],
      timeout: 120_000,
    });
    const outcomeFile = join(folder, 'calls-home', 'outcome.json');
    const said = await readBeneath(folder, outcomeFile, OUTCOME).catch(() => undefined);
    if (said === undefined) {
      throw new StepFailure(`The postinstall did not run: ${words(ended)}`, 'not-tested');
    }
    const outcome = JSON.parse(said.toString('utf8')) as { reached: string[]; stopped: string[] };
    if (outcome.reached.length > 0) throw new StepFailure(`It reached ${outcome.reached.join(', ')}.`);
    const seen = (await stage.enclave.attempts()).filter(({ from, kind }) => from === machine && kind === 'call');
    const named = seen.find(({ serverName }) => serverName === 'telemetry.example.test');
    const bare = seen.find(({ address }) => address === '203.0.113.7');
    if (named === undefined || bare === undefined) throw new StepFailure('Its calls left no trace.');
    const detail = `stopped: ${outcome.stopped.join(', ')}; the sink saw ${named.serverName}:${named.port} and ${bare.address}:${bare.port}`;
    return { value: true, detail, command: 'npm ci' };
  });
}

/** By name over TLS, and by bare address: each is tried, and what came back is written down. */
const CALLS_HOME = `import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
const outcome = { reached: [], stopped: [] };
const settle = (what, ok) => (ok ? outcome.reached : outcome.stopped).push(what);
await fetch('https://telemetry.example.test/installed', { signal: AbortSignal.timeout(5000) })
  .then(() => settle('https://telemetry.example.test', true), () => settle('https://telemetry.example.test', false));
await new Promise((resolve) => {
  const socket = connect({ host: '203.0.113.7', port: 8443, timeout: 5000 });
  let answered = false;
  socket.on('connect', () => socket.write('hello'));
  socket.on('data', () => (answered = true));
  socket.on('timeout', () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('close', () => resolve(settle('203.0.113.7:8443', answered)));
});
writeFileSync('outcome.json', JSON.stringify(outcome));
`;
