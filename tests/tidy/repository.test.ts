import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToFileURL, fileURLToPath } from 'node:url';
import type { Catalogue } from '#kernel';
import { allOperations, operationsFor } from '#operations';
import { ecosystems as listed } from '#ecosystems/list';
import { readRepository } from './repository.ts';
import {
  addresses,
  cheapStart,
  commands,
  doors,
  ecosystems,
  faultCodes,
  layers,
  links,
  portable,
  purity,
  rooms,
  wayOut,
} from './rules.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const repository = readRepository();
const operations = await allOperations();

function clean(name: string, rule: () => string[] | Promise<string[]>): void {
  test(name, async () => {
    const troubles = await rule();
    if (troubles.length > 0) assert.fail(`${troubles.length} found:\n${troubles.join('\n')}`);
  });
}

clean('layers: contexts import only what is below them', () => layers(repository));
clean('doors: contexts are entered through them', () => doors(repository));
clean('purity: the core does not touch the machine', () => purity(repository));
clean('the way out: only capture has one', () => wayOut(repository));
clean('start: operations load lazily', () => cheapStart(repository));
test('start: a group of verbs that is loaded alone is all of that group', async () => {
  for (const word of new Set(operations.map(({ name }) => name[0]!))) {
    const names = (await operationsFor([word, 'x']))
      .map(({ name }) => name.join(' '))
      .filter((name) => name.split(' ')[0] === word);
    assert.deepEqual(
      names,
      operations.map(({ name }) => name.join(' ')).filter((name) => name.split(' ')[0] === word),
    );
  }
  for (const words of [[], ['help', 'policy'], ['--help'], ['__proto__'], ['polcy']]) {
    assert.equal((await operationsFor(words)).length, operations.length, words.join(' '));
  }
});
clean('rooms: every context has a door and says what it is', () => rooms(repository));
clean('addresses: nothing sends a user outside', () => addresses(repository));
clean('portable: locks name no registry, nothing names this machine', () => portable(repository));
clean('links: documents lead somewhere', () => links(repository));
clean('ecosystems: folders and list are the same', () =>
  ecosystems(
    repository,
    listed.map(({ id }) => id),
  ),
);

async function catalogues(): Promise<ReadonlyMap<string, Catalogue>> {
  const found = new Map<string, Catalogue>();
  for (const path of repository.keys()) {
    if (!/^src\/.*\/faults\.ts$/.test(path)) continue;
    const module = (await import(pathToFileURL(root + path).href)) as Record<string, unknown>;
    const names = Object.keys(module).filter((name) => name.endsWith('Catalogue'));
    assert.notEqual(names.length, 0, `${path} exports no catalogue`);
    for (const name of names) found.set(path, module[name] as Catalogue);
  }
  return found;
}

clean('faults: each is explained, used and named once', async () => {
  const all = await catalogues();
  const troubles: string[] = [];
  for (const [path, catalogue] of all) {
    for (const [code, { title, fix }] of Object.entries(catalogue)) {
      if (!/^\S.*[.?]$/s.test(title)) troubles.push(`${path}: the title of ${code} is not a sentence: ${title}`);
      if (!/^\S.*[.?)]$/s.test(fix)) troubles.push(`${path}: the fix of ${code} is not a sentence: ${fix}`);
    }
  }
  const codes = new Map([...all].map(([path, catalogue]) => [path, Object.keys(catalogue)]));
  return [...troubles, ...faultCodes(repository, codes)];
});

clean('faults: explain knows every code', async () => {
  const explain = operations.find(({ name }) => name.join(' ') === 'explain');
  assert.ok(explain !== undefined);
  const implementation = await explain.load();
  const known = JSON.stringify(await implementation.run({}, undefined as never));
  const troubles: string[] = [];
  for (const [path, catalogue] of await catalogues()) {
    for (const code of Object.keys(catalogue)) {
      if (!known.includes(`"${code}"`)) troubles.push(`${path}: 'explain' does not list ${code}`);
    }
  }
  return troubles;
});

clean('commands: documents name commands and flags that exist', () => {
  const verbs = operations.map(
    ({ name, parameters }) =>
      [
        name.join(' '),
        [...parameters, { form: '--home' }].flatMap(({ form }) => form.match(/(?<![\w-])--?[a-z][a-z-]*/g) ?? []),
      ] as const,
  );
  return commands(repository, new Map(verbs));
});
