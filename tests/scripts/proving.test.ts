import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { findProgram, runProcess } from '#system';
import { namespacesHere, temporaryFolder } from '#system/testing';
import { launcher, sallyport } from './sallyport.ts';

// Policies that are shown to hold by a kernel, and a change of them that is rehearsed under load.

const { skip } = await namespacesHere();

const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: c }] } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: db, namespace: shop }
spec: { template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: c, ports: [{ name: pg, containerPort: 5432 }] }] } } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress, Egress]
  ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: pg }] }]
`;
const assertions = (expect: string, more = ''): string => `sallyport-assertions: "1.0"
assertions:
  - { from: shop/web, to: shop/db, port: 5432, expect: allow, reason: orders }
  - { from: shop/web, to: shop/db, port: 5433, expect: deny, reason: nothing beside }
  - { from: shop/db, to: 192.0.2.1, port: 443, expect: ${expect}, reason: nothing leaves }
  - { from: "2001:db8::1", to: shop/db, port: 5432, expect: deny, reason: nobody comes in }
${more}`;

async function project(t: Parameters<typeof temporaryFolder>[0]): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'old'));
  await writeFile(join(folder, 'old', 'shop.yaml'), MANIFESTS);
  await writeFile(join(folder, 'good.yaml'), assertions('deny'));
  await writeFile(join(folder, 'bad.yaml'), assertions('allow'));
  await writeFile(
    join(folder, 'part.yaml'),
    assertions('deny', '  - { from: shop/web, to: shop/db, port: 9, protocol: sctp, expect: deny, reason: no SCTP }\n'),
  );
  return folder;
}

test('assertions that hold, that fail and that cannot be tested', { skip }, async (t) => {
  const folder = await project(t);
  const prove = (file: string) => sallyport(folder, ['policy', 'prove', 'old', '--file', file, '--json']);
  const good = await prove('good.yaml');
  assert.equal(good.code, 0, good.err);
  assert.equal(good.json.verdict, 'holds');
  assert.deepEqual(good.json.counts, { holds: 4, fails: 0, unknown: 0, notTested: 0 });
  // PRF-7: who enforced it, and what it chose.
  assert.match(good.json.enforcer.nft, /nftables v\d/);
  assert.match(good.json.enforcer.kernel, /^\d+\.\d+/);
  assert.ok(good.json.enforcer.choices.some((one: string) => one.startsWith('NP-11')));
  assert.ok(good.json.results.every((one: { control: string }) => /^node /.test(one.control)));
  const bad = await prove('bad.yaml');
  assert.deepEqual([bad.code, bad.json.verdict, bad.json.counts.fails], [1, 'fails', 1]);
  const row = bad.json.results.find((one: { verdict: string }) => one.verdict === 'fails');
  assert.deepEqual([row.live, row.analysed, row.expect], ['denied', 'denied', 'allow']);
  const part = await prove('part.yaml');
  assert.deepEqual([part.code, part.json.verdict, part.json.counts.notTested], [1, 'unknown', 1]);
  const whole = await sallyport(folder, ['policy', 'prove', 'old']);
  assert.equal(whole.code, 0, whole.out + whole.err);
  assert.match(whole.out, /samples of the relation hold/);
});

test('the words are wrong, the manifests cannot be read, there is nothing to test', { skip }, async (t) => {
  const folder = await project(t);
  const run = (...words: string[]) => sallyport(folder, ['policy', ...words, '--json']);
  assert.equal((await run('prove', 'old', '--file', 'good.yaml', '--flows', 'good.yaml')).code, 2);
  assert.equal((await run('prove', 'nowhere')).code, 2);
  assert.equal((await run('apply', '--from', 'old', '--to', 'old', '--flips', '3')).code, 2);
  await mkdir(join(folder, 'broken'));
  await writeFile(join(folder, 'broken', 'a.yaml'), MANIFESTS.replace('port: pg', 'port: 0'));
  const broken = await run('prove', 'broken');
  assert.deepEqual([broken.code, broken.json.verdict, broken.json.errors.length > 0], [1, 'unknown', true]);
  await mkdir(join(folder, 'empty'));
  await writeFile(join(folder, 'empty', 'a.yaml'), 'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n');
  const empty = await run('prove', 'empty');
  assert.deepEqual([empty.code, empty.json.verdict], [1, 'unknown']);
});

test('a change is performed step by step, at once, and there and back', { skip }, async (t) => {
  const folder = await project(t);
  await cp(join(folder, 'old'), join(folder, 'new'), { recursive: true });
  await writeFile(join(folder, 'new', 'shop.yaml'), MANIFESTS.replace('port: pg', 'port: 5433'));
  for (const [words, changes] of [
    [[], 1],
    [['--at-once'], 1],
    [['--flips', '20', '--established', 'cut'], 20],
  ] as const) {
    const { code, json, err } = await sallyport(folder, [
      'policy',
      'apply',
      '--from',
      'old',
      '--to',
      'new',
      ...words,
      '--json',
    ]);
    assert.equal(code, 0, err + JSON.stringify(json));
    assert.equal(json.verdict, 'applied');
    assert.equal(json.load.changes, changes);
    assert.ok(json.load.closed > 0 && json.load.fresh > 0 && json.before.holds > 50 && json.after.holds > 50);
  }
  // Another label is no change of a policy.
  await writeFile(join(folder, 'new', 'shop.yaml'), MANIFESTS.replace('labels: { app: web }', 'labels: { app: www }'));
  const other = await sallyport(folder, ['policy', 'apply', '--from', 'old', '--to', 'new', '--json']);
  assert.deepEqual(
    [other.code, other.json.verdict, other.json.errors[0].code],
    [1, 'unknown', 'policy.rollout-not-policy'],
  );
});

const two = (name: string, spec: string): string => `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name}, namespace: shop }
spec: ${spec}
`;

test(
  'a rollout of several steps; and one of which every order exposes something, which the kernel shows',
  { skip },
  async (t) => {
    const folder = await project(t);
    const write = async (name: string, policies: string): Promise<void> => {
      await mkdir(join(folder, name), { recursive: true });
      await writeFile(join(folder, name, 'shop.yaml'), MANIFESTS.split('---\n').slice(0, 3).join('---\n') + policies);
    };
    const apply = (from: string, to: string) =>
      sallyport(folder, ['policy', 'apply', '--from', from, '--to', to, '--json']);
    const db = (port: number) =>
      two(
        'db',
        `{ podSelector: { matchLabels: { app: db } }, policyTypes: [Ingress], ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: ${port} }] }] }`,
      );
    const web = (port: number) =>
      two(
        'web',
        `{ podSelector: { matchLabels: { app: web } }, policyTypes: [Egress], egress: [{ to: [{ podSelector: { matchLabels: { app: db } } }], ports: [{ port: ${port} }] }] }`,
      );
    // First the allow, then the deny.
    await write('open', '');
    await write('closed', two('deny', '{ podSelector: {}, policyTypes: [Ingress, Egress] }') + db(5432) + web(5432));
    const closing = await apply('open', 'closed');
    assert.equal(closing.code, 0, closing.err + JSON.stringify(closing.json));
    assert.deepEqual([closing.json.planned, closing.json.verdict, closing.json.load.changes], ['safe', 'applied', 3]);
    assert.equal(closing.json.steps.at(-1), 'create NetworkPolicy shop/deny');
    // Out on one port and in on the other, and the other way round: whichever comes first opens one of them.
    await write('one', web(80) + db(90));
    await write('other', web(90) + db(80));
    const crossed = await apply('one', 'other');
    assert.deepEqual([crossed.code, crossed.json.planned, crossed.json.verdict], [1, 'unsafe', 'unsafe']);
    assert.ok(crossed.json.load.leaked > 0);
    assert.ok(
      crossed.json.load.leaks.every((one: string) => /shop\/web.* -> shop\/db.* (?:80|90)\/tcp/.test(one)),
      crossed.json.load.leaks.join(),
    );
    assert.deepEqual([crossed.json.before.fails, crossed.json.after.fails], [0, 0]);
  },
);

test('PRF-8: where namespaces are forbidden nothing is proved, and it is said why', { skip }, async (t) => {
  const folder = await project(t);
  const unshare = (await findProgram('unshare', process.env))!;
  const script = `echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" policy prove "$1" --file "$2" --json`;
  const { code, stdout, stderr } = await runProcess(
    unshare,
    [
      '--user',
      '--map-root-user',
      '--',
      '/bin/sh',
      '-c',
      script,
      launcher,
      join(folder, 'old'),
      join(folder, 'good.yaml'),
    ],
    { env: process.env as Record<string, string>, cwd: folder },
  );
  assert.equal(code, 1, stderr);
  const { verdict, reason, results } = JSON.parse(stdout) as { verdict: string; reason: string; results: unknown[] };
  assert.deepEqual([verdict, results.length], ['unknown', 0]);
  assert.match(reason, /namespaces cannot be made here: .*max_user_namespaces is 0/);
});

// Where this is no root, every test of this file shows it.
if (process.getuid?.() === 0) {
  test('an ordinary user can do it', { skip }, async (t) => {
    const folder = await project(t);
    await chmod(folder, 0o755);
    const setpriv = (await findProgram('setpriv', process.env)) ?? 'setpriv';
    const words = ['policy', 'prove', join(folder, 'old'), '--file', join(folder, 'good.yaml'), '--json'];
    const { code, stdout, stderr } = await runProcess(
      setpriv,
      ['--reuid=61234', '--regid=61234', '--clear-groups', '--', launcher, ...words],
      {
        env: {
          ...(process.env as Record<string, string>),
          HOME: '/nonexistent',
          XDG_CACHE_HOME: join(folder, 'cache'),
        },
        cwd: '/',
      },
    );
    assert.equal(code, 0, stderr + stdout.slice(0, 2000));
  });
}

test('what is killed leaves nothing behind', { skip }, async (t) => {
  const folder = await project(t);
  await cp(join(folder, 'old'), join(folder, 'new'), { recursive: true });
  await writeFile(join(folder, 'new', 'shop.yaml'), MANIFESTS.replace('port: pg', 'port: 5433'));
  const child = spawn(launcher, ['policy', 'apply', '--from', 'old', '--to', 'new', '--flips', '10000'], {
    cwd: folder,
    stdio: 'ignore',
    detached: true,
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  // The agents whose command line names this checkout and that are descendants of it.
  const agents = async (): Promise<string[]> => {
    const { stdout } = await runProcess('/bin/ps', ['-eo', 'pid,ppid,args'], { env: { PATH: '/usr/bin:/bin' } });
    const rows = stdout.split('\n').map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []);
    const below = new Set([String(child.pid)]);
    for (let grown = true; grown;) {
      grown = false;
      for (const [, pid, parent] of rows) {
        if (pid !== undefined && parent !== undefined && below.has(parent) && !below.has(pid)) {
          below.add(pid);
          grown = true;
        }
      }
    }
    return rows.flatMap(([, pid, , args]) =>
      pid !== undefined && below.has(pid) && args!.includes('proving/agent/main') ? [pid] : [],
    );
  };
  let running: string[] = [];
  for (let i = 0; i < 200 && running.length < 2; i++) {
    await sleep(50);
    running = await agents();
  }
  assert.ok(running.length > 0, 'the agent never ran');
  process.kill(-child.pid!, 'SIGKILL');
  await ended;
  const alive = (): string[] =>
    running.filter((pid) => {
      try {
        process.kill(Number(pid), 0);
        return true;
      } catch {
        return false;
      }
    });
  for (let i = 0; i < 100 && alive().length > 0; i++) await sleep(50);
  assert.deepEqual(alive(), []);
});
