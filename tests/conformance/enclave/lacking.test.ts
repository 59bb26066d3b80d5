import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { shellQuote } from '#kernel';
import { findProgram, runProcess } from '#system';
import { skipped } from '../../components.ts';
import { launcher, smallProject, whyNoEnclave } from './small-project.ts';

const why = await whyNoEnclave();
const unshare = (await findProgram('unshare', process.env)) ?? 'unshare';

interface Said {
  readonly code: number | null;
  // oxlint-disable-next-line no-explicit-any
  readonly json: any;
  readonly text: string;
}

/** A machine that lacks something: namespaces of our own in which `made` changes it before the product runs. */
async function onMachine(
  made: string,
  words: readonly string[],
  more: { root?: string; home?: string } = {},
): Promise<Said> {
  const command = words.map(shellQuote).join(' ');
  const script = `set -e\n${made}\nexec ${command}`;
  const env: Record<string, string> = { ...(process.env as Record<string, string>) };
  if (more.home !== undefined) {
    env['HOME'] = more.home;
    delete env['XDG_CACHE_HOME'];
  }
  const args = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const ended = await runProcess(unshare, [...args, '--', '/bin/sh', '-c', script], {
    env,
    keep: 64 * 1024 * 1024,
    timeout: 240_000,
  });
  let json: unknown;
  try {
    json = JSON.parse(ended.stdout);
  } catch {
    json = undefined;
  }
  return { code: ended.code, json, text: `${ended.stdout.slice(0, 4000)}${ended.stderr.slice(0, 4000)}` };
}

const outcomes = ({ json }: Said): Map<string, string> =>
  new Map((json?.steps ?? []).map(({ id, outcome }: { id: string; outcome: string }) => [id, outcome]));

describe('a machine that lacks something', { skip: why !== false && skipped('namespaces', why) }, () => {
  let base = '';
  let folder = '';
  const rehearse = (at = folder): string[] => [launcher, 'rehearse', at, '--json', '--log', 'quiet'];
  const doctor = [launcher, 'doctor', '--json'];

  before(async () => {
    if (why !== false) return;
    base = await mkdtemp(join(tmpdir(), 'sallyport-lacking-'));
    folder = join(base, 'project');
    await smallProject(folder);
  });
  after(() => rm(base, { recursive: true, force: true }));

  /** All up to serving is done, the rest is told as not proved, and the doctor names the same. */
  async function stopsBefore(said: Said, reason: RegExp): Promise<void> {
    assert.equal(said.code, 1, said.text);
    assert.deepEqual([said.json.verdict, said.json.offline], ['not-proved', 'unknown']);
    const all = outcomes(said);
    assert.deepEqual(
      ['capture', 'seal', 'inspect', 'pin', 'admit', 'serve', 'refuse-flipped', 'ledger-inside', 'clients'].map((id) =>
        all.get(id),
      ),
      [...Array.from({ length: 8 }, () => 'ok'), 'not-tested'],
      JSON.stringify(said.json.reasons),
    );
    const [first] = said.json.reasons as { code: string; where: string; detail: string }[];
    assert.deepEqual([first?.code, first?.where], ['rehearse.not-tested', 'clients']);
    assert.match(first?.detail ?? '', reason);
  }
  function lacks({ code, json, text }: Said, name: string, costs: RegExp): void {
    assert.equal(code, 1, text);
    const check = json.checks.find((one: { name: string }) => one.name === name);
    assert.equal(check.ok, false, JSON.stringify(check));
    assert.match(check.costs, costs);
    assert.notEqual(check.fix, '');
  }

  test('user namespaces', async () => {
    const made = 'echo 0 > /proc/sys/user/max_user_namespaces';
    await stopsBefore(await onMachine(made, rehearse()), /user\.max_user_namespaces is 0/);
    lacks(await onMachine(made, doctor), 'namespaces', /no rehearsal/);
  });

  test('nftables, and the means to unpack it', async () => {
    const home = join(base, 'empty-home');
    await mkdir(home);
    const hidden = ['nft', 'apt-get', 'dpkg-deb'];
    const paths = (await Promise.all(hidden.map((name) => findProgram(name, process.env)))).filter(
      (path) => path !== undefined,
    );
    const made = paths.map((path) => `mount --bind /dev/null ${shellQuote(path)}`).join('\n');
    await stopsBefore(await onMachine(made, rehearse(), { home }), /nft/);
    lacks(await onMachine(made, doctor, { home }), 'nft', /no rehearsal/);
  });

  /** An unprivileged container: another root with the folders of this machine, read-only, and its own /proc and /tmp. */
  const container = (proc: string, sys = 'mount --rbind /sys sys'): string => {
    const root = join(base, 'root');
    const product = dirname(launcher);
    const home = process.env['HOME'] ?? '/root';
    return [
      `mkdir -p ${shellQuote(root)}`,
      `mount -t tmpfs tmpfs ${shellQuote(root)}`,
      `cd ${shellQuote(root)}`,
      'mkdir -p proc dev tmp run var/tmp old sys',
      'for folder in usr etc bin sbin lib lib64 lib32 opt var/lib; do',
      '  if [ -h /$folder ]; then cp -P /$folder $folder',
      '  elif [ -d /$folder ]; then mkdir -p $folder; mount --rbind /$folder $folder; mount -o remount,bind,ro $folder 2>/dev/null || :; fi',
      'done',
      // Where the product, its Node and the tools lie: in a real container they are in its image.
      ...[product, dirname(dirname(process.execPath)), home, base].map(
        (path) => `mkdir -p .${shellQuote(path)}; mount --rbind ${shellQuote(path)} .${shellQuote(path)}`,
      ),
      'mount --rbind /dev dev',
      sys,
      'mount -t proc proc proc',
      proc,
      'pivot_root . old',
      'umount -l /old',
      'cd /',
    ].join('\n');
  };

  test('privileges: in a container of an ordinary user that allows user namespaces it works', async () => {
    const said = await onMachine(container(':'), rehearse());
    assert.equal(said.code, 0, said.text);
    assert.equal(said.json.verdict, 'proved');
  });

  test('cgroups: it works, and says that their limits are watched', async () => {
    const made = container(':', ':');
    const said = await onMachine(made, rehearse());
    assert.equal(said.code, 0, said.text);
    const check = (await onMachine(made, doctor)).json.checks.find(({ name }: { name: string }) => name === 'cgroups');
    assert.deepEqual([check.ok, check.minor], [false, true]);
    assert.match(check.costs, /limits of memory and processes are watched/);
  });

  test('an open /proc: a container that masks parts of it is told what is needed', async () => {
    const masks = 'mount -t tmpfs -o ro tmpfs proc/acpi 2>/dev/null || mount -t tmpfs -o ro tmpfs proc/irq';
    await stopsBefore(await onMachine(container(masks), rehearse()), /proc/);
  });

  test('space: the full disk is named, and with space the same command goes on', async () => {
    const place = join(base, 'small-disk');
    await mkdir(place);
    const made = (size: string): string =>
      `mount -t tmpfs -o size=${size} tmpfs ${shellQuote(place)}\ncp -r ${shellQuote(folder)}/data ${shellQuote(folder)}/sallyport.yaml ${shellQuote(place)}`;
    for (const size of ['64k', '200k', '500k', '1m']) {
      const said = await onMachine(made(size), rehearse(place));
      // Either the whole command cannot be done, or a step of it: never a bug, never a pass.
      assert.ok(said.code === 3 || said.code === 1, `${size}: ${said.code} ${said.text}`);
      assert.match(said.text, /space|ENOSPC|full/i, size);
    }
  });

  test('the right to write: a project that is read-only is named', async () => {
    const place = join(base, 'read-only');
    await smallProject(place);
    const made = `mount --bind ${shellQuote(place)} ${shellQuote(place)}\nmount -o remount,bind,ro ${shellQuote(place)}`;
    const said = await onMachine(made, rehearse(place));
    assert.deepEqual([said.code, said.json?.fault?.code], [3, 'system.read-only'], said.text);
    assert.ok(said.json.fault.where.startsWith(place));
  });

  test('plain letters: strange names work, and a path that is too long is named', async () => {
    const strange = join(base, '-rf --help', 'it\'s; $(id) `id` "x"', 'проект 工程 \u{1f512}', 'y'.repeat(200));
    await mkdir(strange, { recursive: true });
    await smallProject(strange);
    const env = process.env as Record<string, string>;
    const options = { env, keep: 64 * 1024 * 1024, timeout: 240_000 };
    const ended = await runProcess(launcher, ['rehearse', '--json', '--log', 'quiet'], { ...options, cwd: strange });
    assert.equal(ended.code, 0, ended.stdout.slice(0, 4000) + ended.stderr.slice(0, 2000));
    const { check } = JSON.parse(ended.stdout) as { check: string[] };
    assert.ok(check.join('\n').includes(strange.replaceAll("'", String.raw`'\''`)));
    const long = join(strange, 'z'.repeat(200));
    await mkdir(long);
    await smallProject(long);
    const refused = await runProcess(launcher, ['rehearse', '--json', '--log', 'quiet'], { ...options, cwd: long });
    assert.equal(refused.code, 2, refused.stdout.slice(0, 2000));
    assert.equal(JSON.parse(refused.stdout).fault.code, 'rehearse.long-path');
  });
});
