import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault, type Progress } from '#kernel';
import { runProcess } from './processes.ts';
import { temporaryFolder } from './testing/index.ts';
import { debianTools, findProgram, toolsFolder } from './tools.ts';

/** apt-get, apt-config and dpkg-deb that write down how they were called and make one package. */
async function fakeApt(folder: string, options: { fails?: boolean; empty?: boolean } = {}): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const program = (name: string, script: string) =>
    writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  await program(
    'apt-config',
    `printf '%s\\n' 'Dir::Etc "etc/apt";' 'Acquire::http::Proxy "http://proxy.example.test:3128";' 'APT::Update::Post-Invoke-Success:: "touch ${folder}/hook";'`,
  );
  await program(
    'apt-get',
    options.fails === true
      ? 'echo "E: no network" >&2; exit 100'
      : `echo "$*" >> ${folder}/calls; cp "$APT_CONFIG" ${folder}/conf; for last; do :; done; [ "$last" = update ] || : > "$(dirname "$APT_CONFIG")/archives/skopeo_1_all.deb"`,
  );
  await program(
    'dpkg-deb',
    options.empty === true
      ? 'exit 0'
      : `mkdir -p "$3/usr/bin" "$3/usr/lib/x86_64-linux-gnu"; printf '#!/bin/sh\\necho "$LD_LIBRARY_PATH $1"\\n' > "$3/usr/bin/skopeo"; chmod 755 "$3/usr/bin/skopeo"`,
  );
  return bin;
}

test('a tool is unpacked once, by two at the same time, and runs with its own libraries', async (t) => {
  const folder = await temporaryFolder(t);
  const bin = await fakeApt(folder);
  const events: Progress[] = [];
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: folder };
  const options = { env, ignoreHost: true, report: (event: Progress) => void events.push(event) };
  const [one, two] = await Promise.all([debianTools(['skopeo'], options), debianTools(['skopeo'], options)]);
  assert.deepEqual(one, two);
  assert.equal(one.skopeo.source, 'cache');
  const ended = await runProcess(one.skopeo.path, ['--version'], { env });
  assert.match(ended.stdout, /^\/.*\/root\/usr\/lib\/x86_64-linux-gnu --version\n$/);
  assert.equal((await readdir(toolsFolder(env))).length, 1);
  assert.equal(events.filter(({ type }) => type === 'step').length, 2);
  const before = events.length;
  await debianTools(['skopeo'], options);
  assert.equal(events.length, before);
});

test("the machine's proxy is kept, its hooks are not, and nothing is installed", async (t) => {
  const folder = await temporaryFolder(t);
  const env = { PATH: `${await fakeApt(folder)}:/usr/bin:/bin`, HOME: folder };
  await debianTools(['skopeo'], { env, ignoreHost: true });
  const read = async (name: string) => (await runProcess('cat', [join(folder, name)], { env })).stdout;
  const conf = await read('conf');
  assert.match(conf, /Acquire::http::Proxy "http:\/\/proxy\.example\.test:3128";/);
  assert.doesNotMatch(conf, /Post-Invoke/);
  assert.ok((await read('calls')).split('\n').every((line) => line === '' || /update$|--download-only/.test(line)));
});

test('a failure is a fault with the last words, and leaves nothing; leftovers of the dead are removed', async (t) => {
  for (const [options, words] of [
    [{ fails: true }, /no network/],
    [{ empty: true }, /holds no such program/],
  ] as const) {
    const folder = await temporaryFolder(t);
    const env = { PATH: `${await fakeApt(folder, options)}:/usr/bin:/bin`, HOME: folder };
    const tools = toolsFolder(env);
    await mkdir(join(tools, 'skopeo-0000000000000000.4194305.00000000.tmp', 'lists'), { recursive: true });
    await assert.rejects(
      debianTools(['skopeo'], { env, ignoreHost: true }),
      (error) => isFault(error) && error.code === 'tool.fetch' && words.test(error.message),
    );
    assert.deepEqual(await readdir(tools), []);
  }
});

test('without HOME there is no place for tools, and programs are found where the system has them', async () => {
  await assert.rejects(debianTools(['skopeo'], { env: {}, ignoreHost: true }), { code: 'tool.no-cache' });
  assert.match((await findProgram('sh', {})) ?? '', /\/sh$/);
  assert.equal(await findProgram('no-such-program', { PATH: 'relative:/nowhere' }), undefined);
});
