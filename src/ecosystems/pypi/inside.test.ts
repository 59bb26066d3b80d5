import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admitted, ask, captured, pypiIndex, pypiSample, resolve, textOf, wheel } from '#ecosystems/testing';
import { pypi } from './index.ts';

const JSON_V1 = 'application/vnd.pypi.simple.v1+json';
const HTML_V1 = 'application/vnd.pypi.simple.v1+html';

test('a page says what upstream says of what was admitted', async () => {
  const { catalog } = await admitted(pypi, pypiSample());
  const answer = await ask(pypi, catalog, '/pypi/simple/demo-pure/', { accept: JSON_V1 });
  assert.equal(answer.headers['content-type'], JSON_V1);
  const page = JSON.parse(await textOf(answer, catalog));
  assert.deepEqual(page.versions, ['1.4.0']);
  assert.equal(page.files.length, 1);
  const [file] = page.files;
  assert.equal(file['upload-time'], '2021-02-02T03:04:05.678901Z');
  assert.equal(file['requires-python'], '>=3.8');
  assert.equal(file['dist-info-metadata'], undefined);
  assert.match(file['core-metadata'].sha256, /^[0-9a-f]{64}$/);
  assert.equal(file.yanked, undefined);
  const url = new URL(file.url, 'http://127.0.0.1:4873/pypi/simple/demo-pure/');
  assert.equal((await ask(pypi, catalog, url.pathname)).status, 200);

  const html = await textOf(await ask(pypi, catalog, '/pypi/simple/demo-pure/'), catalog);
  assert.match(html, /data-requires-python="&#62;=3\.8"/);
  assert.match(html, /#sha256=[0-9a-f]{64}"/);
});

test('the form follows Accept', async () => {
  const { catalog } = await admitted(pypi, pypiSample());
  const media = async (accept?: string) => {
    const answer = await ask(pypi, catalog, '/pypi/simple/demo-pure/', accept === undefined ? {} : { accept });
    return answer.status === 200 ? answer.headers['content-type'] : answer.status;
  };
  assert.equal(await media(), 'text/html; charset=utf-8');
  assert.equal(await media('*/*'), 'text/html; charset=utf-8');
  assert.equal(await media('text/html'), 'text/html; charset=utf-8');
  assert.equal(await media(`${JSON_V1}, ${HTML_V1}; q=0.1, text/html; q=0.01`), JSON_V1);
  assert.equal(await media(`${HTML_V1}, ${JSON_V1}`), JSON_V1);
  assert.equal(await media(`${HTML_V1};q=0.9, ${JSON_V1};q=0.2`), HTML_V1);
  assert.equal(await media('application/vnd.pypi.simple.latest+json'), JSON_V1);
  assert.equal(await media('application/vnd.pypi.simple.v2+json'), 406);
  assert.equal(await media(`${JSON_V1};q=0`), 406);
});

test('names are normalised by a redirect', async () => {
  const { catalog } = await admitted(pypi, pypiSample());
  for (const path of ['/pypi/simple/Demo_Pure/', '/pypi/simple/demo-pure', '/pypi/simple/demo.PURE']) {
    const answer = await ask(pypi, catalog, path);
    assert.equal(answer.status, 301, path);
    assert.equal(answer.headers['location'], '/pypi/simple/demo-pure/');
  }
  assert.equal((await ask(pypi, catalog, '/pypi/simple')).headers['location'], '/pypi/simple/');
  const root = JSON.parse(await textOf(await ask(pypi, catalog, '/pypi/simple/', { accept: JSON_V1 }), catalog));
  assert.deepEqual(root.projects, [{ name: 'demo-native' }, { name: 'demo-pure' }]);
});

test('a file is served under its own hash only, and a tag keeps its form for If-None-Match', async () => {
  const { catalog } = await admitted(pypi, pypiSample());
  const [, pure] = pypiSample().wheels;
  assert.equal((await ask(pypi, catalog, `/pypi/files/${'0'.repeat(16)}/${pure?.file}`)).status, 404);
  const page = await ask(pypi, catalog, '/pypi/simple/demo-pure/');
  const again = await ask(pypi, catalog, '/pypi/simple/demo-pure/', { 'if-none-match': page.headers['etag'] ?? '' });
  assert.equal(again.status, 304);
});

test('files of several bundles stand on one page', async () => {
  const base = pypiSample();
  const first = await admitted(pypi, base);
  const next = wheel('demo-pure', '1.10.0');
  const second = await resolve(pypi, {
    ...base,
    input: { path: 'requirements.txt', bytes: `demo-pure==1.10 --hash=sha256:${next.sha256}\n` },
    upstream: pypiIndex([...base.wheels, next]),
  });
  for (const [digest, bytes] of second.content.blobs) first.content.blobs.set(digest, bytes);
  const rows = await captured(second.closure, second.input, second.upstream, first.content);
  first.catalog.admit({ sequence: 2, rows });
  const answer = await ask(pypi, first.catalog, '/pypi/simple/demo-pure/', { accept: JSON_V1 });
  const page = JSON.parse(await textOf(answer, first.catalog));
  assert.deepEqual(
    page.files.map((f: { filename: string }) => f.filename),
    ['demo_pure-1.4.0-py3-none-any.whl', 'demo_pure-1.10.0-py3-none-any.whl'],
  );
});
