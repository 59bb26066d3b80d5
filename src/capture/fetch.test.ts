import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type ArtifactRow, digestOf, type Evidence, homeAt, isFault, type Progress } from '#kernel';
import { memoryStore } from '#store/testing';
import { nodeFiles, openNetwork } from '#system';
import { temporaryFolder } from '#system/testing';
import { fetchAll, inLanes } from './io/fetch.ts';
import { openJournal } from './io/journal.ts';
import { artifactRow, type Job } from './plan.ts';

type After = { after(fn: () => Promise<void> | void): void };

function evidence(bytes: Uint8Array): Evidence[] {
  return [
    {
      algorithm: 'sha256',
      value: digestOf(bytes).slice(7),
      scope: 'file',
      source: 'package-lock.json',
      grade: 'strong',
    },
  ];
}

function job(over: Partial<Job>): Job {
  return {
    ecosystem: 'npm',
    authority: 'registry.example.test',
    name: 'left',
    version: '1.0.0',
    file: 'left-1.0.0.tgz',
    targets: 'any',
    sources: [],
    expected: [],
    media: '',
    published: '',
    facts: {},
    inputs: ['package-lock.json'],
    ...over,
  };
}

async function bench(t: After, handler: RequestListener, earlier?: ArtifactRow) {
  const folder = await temporaryFolder(t);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { signal } = new AbortController();
  const network = await openNetwork({ signal, agent: 'test', attempts: 2, backoff: 5 });
  const journal = await openJournal(nodeFiles, `${folder}/capture`);
  t.after(async () => {
    await network.close();
    await journal.close();
    server.closeAllConnections();
    server.close();
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = memoryStore(async (path) => readFile(path));
  const events: Progress[] = [];
  const run = (...jobs: Job[]) =>
    fetchAll(jobs, {
      files: nodeFiles,
      home: homeAt(folder),
      folder,
      store,
      network,
      journal,
      signal,
      report: (event) => void events.push(event),
      routeOf: async () => ({ httpProxy: '', httpsProxy: '', noProxy: '' }),
      earlier: () => earlier,
    });
  return { base, asked, store, events, folder, run };
}

test('content that nobody vouches for is taken at first use, and must stay the same', async (t) => {
  const bytes = randomBytes(100);
  const first = await bench(t, (_, response) => void response.end(bytes));
  const wanted = job({ sources: [{ kind: 'url', url: `${first.base}/left.tgz?token=x` }] });
  const { rows } = await first.run(wanted);
  assert.equal(rows[0]!.evidence[0]!.grade, 'first-use');
  assert.equal(rows[0]!.origin, `${first.base}/left.tgz`);
  const later = await bench(t, (_, response) => void response.end(randomBytes(100)), rows[0]);
  await assert.rejects(later.run(job({ sources: [{ kind: 'url', url: later.base }] })), (error) => {
    assert.ok(isFault(error) && error.code === 'capture.mismatch');
    assert.match(error.message, /at first use/);
    return true;
  });
});

test('another source is asked where one fails, and none after wrong bytes', async (t) => {
  const right = randomBytes(100);
  const b = await bench(t, (request, response) => {
    if (request.url === '/gone') response.writeHead(404).end();
    else response.end(request.url === '/right' ? right : randomBytes(100));
  });
  const from = (...paths: string[]): Job =>
    job({ expected: evidence(right), sources: paths.map((path) => ({ kind: 'url', url: b.base + path })) });
  assert.equal((await b.run(from('/gone', '/right'))).rows[0]!.origin, `${b.base}/right`);
  await b.store.remove(digestOf(right));
  b.asked.length = 0;
  await assert.rejects(b.run(from('/wrong', '/right')), { code: 'capture.mismatch' });
  assert.deepEqual(b.asked, ['/wrong']);
  await assert.rejects(b.run(from('/gone')), { code: 'capture.source-missing' });
  await assert.rejects(b.run(from()), { code: 'capture.source-missing' });
});

test('a size that differs is a mismatch, shorter and longer', async (t) => {
  const bytes = randomBytes(100);
  const b = await bench(t, (_, response) => void response.end(bytes));
  for (const size of [99, 101]) {
    const wanted = job({ size, expected: evidence(bytes), sources: [{ kind: 'url', url: b.base }] });
    await assert.rejects(b.run(wanted), (error) => {
      assert.ok(isFault(error) && error.code === 'capture.mismatch');
      assert.match(error.message, new RegExp(`Expected size ${size} bytes`));
      return true;
    });
  }
  assert.deepEqual(
    (await readdir(`${b.folder}/capture`)).filter((name) => name.endsWith('.part')),
    [],
  );
});

test('content that the resolver put into the store is taken from there, if it is what is expected', async (t) => {
  const bytes = randomBytes(100);
  const b = await bench(t, (_, response) => void response.end(bytes));
  const digest = await b.store.put(bytes);
  const sources = [
    { kind: 'content' as const, digest },
    { kind: 'url' as const, url: b.base },
  ];
  const { kept, rows } = await b.run(job({ expected: evidence(bytes), sources }));
  assert.equal(kept, 1);
  assert.equal(rows[0]!.origin, `${b.base}/`);
  assert.deepEqual(b.asked, []);
  b.store.rot(digest, randomBytes(100));
  assert.equal((await b.run(job({ expected: evidence(bytes), sources }))).fetched.count, 1);
  assert.equal(await b.store.verify(digest), 'whole');
});

test('files of the project cannot lie outside it', async (t) => {
  const b = await bench(t, () => undefined);
  for (const path of ['../secret', '/etc/passwd', 'a/../../b', 'none']) {
    await assert.rejects(b.run(job({ sources: [{ kind: 'file', path }] })), { code: 'capture.source-missing' });
  }
});

test('a large artifact tells how far it is', async (t) => {
  const bytes = randomBytes(5 * 1024 * 1024);
  const b = await bench(t, (_, response) => void response.end(bytes));
  await b.run(job({ size: bytes.length, expected: evidence(bytes), sources: [{ kind: 'url', url: b.base }] }));
  const amounts = b.events.filter((event) => event.type === 'amount');
  assert.ok(amounts.length >= 4 && amounts.length <= 6);
  assert.deepEqual(amounts[0]!.total, bytes.length);
  assert.ok(b.events.some((event) => event.type === 'note' && event.text.includes(`${bytes.length} bytes`)));
});

test('lanes run all, at most so many at once, and end at the first error', async () => {
  let now = 0;
  let most = 0;
  const done: number[] = [];
  const { signal } = new AbortController();
  const work = async (item: number): Promise<void> => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 2));
    now -= 1;
    if (item === 25) throw new Error('no');
    done.push(item);
  };
  const items = Array.from({ length: 50 }, (_, i) => i);
  await inLanes(items.slice(0, 20), 4, signal, work);
  assert.equal(most, 4);
  assert.equal(done.length, 20);
  await assert.rejects(inLanes(items.slice(20), 4, signal, work), /no/);
  assert.ok(done.length < 35);
  assert.equal(now, 0, 'nothing runs on after it has ended');
});

test('a row has its targets, inputs and evidence sorted, strong evidence first', () => {
  const weak: Evidence = { algorithm: 'sha1', value: 'a'.repeat(40), scope: 'file', source: 'a', grade: 'weak' };
  const row = artifactRow(
    job({ targets: ['b', 'a'], inputs: ['y', 'x'], expected: [weak, ...evidence(Buffer.from('x'))] }),
    digestOf('x'),
    1,
    '',
  );
  assert.deepEqual(row.targets, ['a', 'b']);
  assert.deepEqual(row.inputs, ['x', 'y']);
  assert.deepEqual(
    row.evidence.map(({ grade }) => grade),
    ['strong', 'weak'],
  );
});

test('a token that has run out is renewed once, and one that is refused again ends it', async (t) => {
  const bytes = randomBytes(100);
  let renewals = 0;
  const b = await bench(t, (request, response) => {
    if (request.headers.authorization === 'Bearer new') response.end(bytes);
    else response.writeHead(401).end();
  });
  const stale = (token: string): Job => {
    const renew = async (): Promise<Record<string, string>> => {
      renewals += 1;
      return { Authorization: `Bearer ${token}` };
    };
    const headers = { authorization: 'Bearer old' };
    return job({ expected: evidence(bytes), sources: [{ kind: 'url', url: `${b.base}/blob`, headers, renew }] });
  };
  await assert.rejects(b.run(stale('wrong')), { code: 'capture.source-missing' });
  assert.equal(renewals, 1);
  const { rows } = await b.run(stale('new'));
  assert.equal(rows[0]!.size, 100);
  assert.equal(renewals, 2);
});
