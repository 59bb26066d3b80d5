import { createInterface } from 'node:readline';
import { spawn } from 'node:child_process';
import { digestOf } from '#kernel';
import { runtimeEnvironment } from '#system';
import { StepFailure, type Story } from '../story.ts';
import type { World } from '#kernel';
import type { Crossed } from './crossing.ts';
import type { Place } from './place.ts';

/** Files of the lock that are fetched: they stand for the rest. */
const FILES = 5;
const TIME = 60_000;

/**
 * Where no enclave can be made: the depot serves on the loopback of this machine, and files are fetched from it and
 * compared. It proves nothing about a network, only that what was admitted can be served.
 */
export async function serveHere(world: World, place: Place, story: Story, crossed: Crossed): Promise<void> {
  await story.step(
    'serve',
    'The depot serves what was admitted, on this machine, without an enclave',
    'inside',
    async () => {
      const [program = '', ...leading] = world.self;
      const args = ['serve', '--listen', '127.0.0.1:0', '--home', place.inside, '--json'];
      const env = { PATH: world.env['PATH'] ?? '/usr/bin:/bin', HOME: place.work, ...runtimeEnvironment(world.env) };
      const child = spawn(program, [...leading, ...args], { cwd: place.work, env, stdio: ['ignore', 'pipe', 'pipe'] });
      const said: string[] = [];
      createInterface({ input: child.stderr }).on('line', (line) => said.length < 20 && said.push(line));
      const ended = new Promise<undefined>((resolve) => {
        child.once('close', () => resolve(undefined));
        child.once('error', (error) => {
          said.push(error.message);
          resolve(undefined);
        });
      });
      const stop = (): void => void child.kill('SIGTERM');
      world.signal.addEventListener('abort', stop);
      const timer = setTimeout(stop, TIME);
      try {
        const line = await Promise.race([
          new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve)),
          ended,
        ]);
        world.signal.throwIfAborted();
        const base = line === undefined ? undefined : (JSON.parse(line) as { listening?: string[] }).listening?.[0];
        if (base === undefined)
          throw new StepFailure(`It did not listen: ${[line ?? '', ...said].slice(-5).join(' ')}`);
        const files = crossed.lock.rows.flatMap((row) =>
          row.row === 'artifact' && row.ecosystem === 'files'
            ? [{ name: row.name === '' ? row.file : row.name, digest: row.digest }]
            : [],
        );
        for (const { name, digest } of files.slice(0, FILES)) {
          const url = new URL(`/files/${name.split('/').map(encodeURIComponent).join('/')}`, base);
          const answer = await fetch(url, { signal: AbortSignal.any([world.signal, AbortSignal.timeout(TIME)]) });
          const found = digestOf(new Uint8Array(await answer.arrayBuffer()));
          if (found !== digest)
            throw new StepFailure(`${url.href} answered ${answer.status} with ${found}, expected ${digest}.`);
        }
        const compared = Math.min(files.length, FILES);
        const detail = compared === 0 ? `it listens on ${base}` : `${compared} files are as locked`;
        return { value: true, detail, command: `sallyport ${args.join(' ')}` };
      } finally {
        clearTimeout(timer);
        world.signal.removeEventListener('abort', stop);
        stop();
        await ended;
      }
    },
  );
}
