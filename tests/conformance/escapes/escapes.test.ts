import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chown, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '#kernel';
import { debianTools, findProgram, namespacesAllowed, removeTree, runProcess, runtimeEnvironment } from '#system';
import type { Aftermath, Outcome } from './arena.ts';
import { TRICKS } from './corpus.ts';
import { hasPython } from './python-root.ts';

const found = await debianTools(['ip', 'nft', 'runc'], { env: process.env }).catch((error: unknown) =>
  errorMessage(error),
);
const answer =
  typeof found === 'string'
    ? ({ allowed: false, reason: found } as const)
    : await namespacesAllowed(process.env, { ip: found.ip.path, nft: found.nft.path });
const skip = !answer.allowed
  ? `no namespaces: ${answer.reason}`
  : hasPython
    ? false
    : 'no python3 in /usr/bin: the programs of the corpus are Python';

/** A user of this machine without a name, a home or a group. */
const STRANGER = 61_234;
const isRoot = process.getuid?.() === 0;
const arena = fileURLToPath(new URL('arena.ts', import.meta.url));

async function run(
  way: string,
  user: number | undefined,
): Promise<{ outcomes: Outcome[]; troubles?: readonly string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-escapes-'));
  try {
    if (user !== undefined) await chown(folder, user, user);
    const setpriv = (await findProgram('setpriv', process.env)) ?? '';
    const as = user === undefined ? [] : [setpriv, `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'];
    const [command = '', ...words] = [...as, process.execPath, arena, way, folder];
    const ended = await runProcess(command, words, {
      cwd: '/',
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: user === undefined ? (process.env['HOME'] ?? '') : folder,
        ESCAPES_HOST_SECRET: `secret-${randomBytes(8).toString('hex')}`,
        ...runtimeEnvironment(process.env),
      },
      timeout: 300_000,
      keep: 8 * 1024 * 1024,
    });
    assert.equal(ended.code, 0, ended.stderr);
    const lines = ended.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Outcome | Aftermath);
    const outcomes = lines.filter((line) => 'name' in line);
    const aftermath = lines.find((line) => 'troubles' in line);
    return { outcomes, ...(aftermath === undefined ? {} : { troubles: aftermath.troubles }) };
  } finally {
    await removeTree(folder);
  }
}

describe('known ways out of a container', { skip }, () => {
  const here = TRICKS.filter(({ only }) => only === undefined || only === process.arch);

  before(() => {
    assert.ok(here.length >= 25, String(here.length));
    assert.equal(new Set(here.map(({ name }) => name)).size, here.length);
  });

  test('unconfined, those that do no harm get out: the harness notices', { skip }, async () => {
    const { outcomes } = await run('bare', undefined);
    const expected = here.filter(({ control }) => control === true).map(({ name }) => name);
    assert.deepEqual(
      outcomes.filter(({ said }) => said.startsWith('ESCAPED')).map(({ name }) => name),
      expected,
      JSON.stringify(outcomes, null, 1),
    );
  });

  const users = [
    { whose: isRoot ? 'root' : 'this user', user: undefined },
    ...(isRoot ? [{ whose: 'an ordinary user', user: STRANGER }] : []),
  ];
  for (const { whose, user } of users) {
    for (const way of ['program', 'image'] as const) {
      test(
        `as ${whose}, from the root of ${way === 'image' ? 'an image' : 'tools'}: all are held`,
        { skip },
        async () => {
          const { outcomes, troubles } = await run(way, user);
          const said = new Map(outcomes.map((one) => [one.name, one]));
          const loose = here.flatMap(({ name, mayDie }) => {
            const outcome = said.get(name);
            if (outcome?.said.startsWith('held: ') === true) return [];
            // 128 + SIGSYS: the filter ends what comes by another convention.
            if (mayDie === true && outcome?.code === 159) return [];
            return [`${name}: ${outcome === undefined ? 'no outcome' : `${outcome.code} ${outcome.said}`}`];
          });
          assert.deepEqual([...loose, ...(troubles ?? ['no aftermath'])], []);
        },
      );
    }
  }
});
