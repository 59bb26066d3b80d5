import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault, type Target } from '#kernel';
import {
  admitted,
  ask,
  bytesOf,
  ecosystemContract,
  hashOf,
  linuxAmd64,
  linuxArm64,
  memoryCatalog,
  resolve,
  type Sample,
  textOf,
} from '#ecosystems/testing';
import { oci } from './index.ts';
import { type Descriptor, EMPTY, Layout, OCI_INDEX, OCI_MANIFEST } from './testing/layout.ts';

const IMAGE = 'registry.example.test/team/app:1.0';
const BASE = 'https://registry.example.test/v2/team/app';

function bytes(layout: Layout, { digest }: Descriptor): Uint8Array {
  const content = layout.blobs.get(digest);
  assert.ok(content);
  return content;
}

/** A layout of the project with an index, a signature on one of its children, and an SBOM of the index. */
function sample(
  targets: readonly Target[] = [linuxAmd64],
): Sample & { readonly layout: Layout } & Record<'index' | 'amd64' | 'arm64' | 'signature' | 'sbom', Descriptor> {
  const layout = new Layout();
  const { index, amd64, arm64 } = layout.index('app');
  const signature = layout.referrer(amd64, 'application/vnd.example.signature', 'signed', { by: 'us' });
  const sbom = layout.referrer(index, 'application/spdx+json', '{"sbom":1}');
  layout.add(index, '1.0');
  layout.add(signature);
  layout.add(sbom);
  const files = layout.files('image/layout');
  const path = 'image/layout/index.json';
  return {
    layout,
    index,
    amd64,
    arm64,
    signature,
    sbom,
    input: { path, bytes: files[path] ?? '', options: { oci: IMAGE, from: 'image/layout' } },
    files,
    targets,
    upstream: {},
    recognised: false,
    served: [
      { path: '/v2/team/app/manifests/1.0', bytes: bytes(layout, index) },
      { path: '/v2/registry.example.test/team/app/manifests/1.0', bytes: bytes(layout, index) },
      { path: `/v2/team/app/manifests/${amd64.digest}`, bytes: bytes(layout, amd64) },
      { path: `/v2/team/app/blobs/${amd64.digest}`, bytes: bytes(layout, amd64) },
    ],
    missing: {
      path: `/v2/team/app/manifests/${arm64.digest}`,
      says: /MANIFEST_UNKNOWN.*not for linux\/arm64\/v8.*Add a target/,
      name: 'registry.example.test/team/app',
    },
    tamper: { at: `image/layout/blobs/${amd64.digest.replace(':', '/')}`, bytes: '{"schemaVersion":2}' },
  };
}

ecosystemContract(oci, () => sample());

/** The same image in a registry, as a table of addresses. */
function registry(
  over: (routes: Record<string, { body: Uint8Array; headers?: Record<string, string> }>) => void = () => undefined,
) {
  const made = sample();
  const routes: Record<string, { body: Uint8Array; headers?: Record<string, string> }> = {};
  for (const [digest, body] of made.layout.blobs) {
    const text = Buffer.from(body).toString('latin1');
    const media = /"mediaType":"([^"]+)"/.exec(text)?.[1];
    if (text.startsWith('{"schemaVersion"') && media !== undefined) {
      routes[`${BASE}/manifests/${digest}`] = { body, headers: { 'content-type': media } };
    }
    routes[`${BASE}/blobs/${digest}`] = { body };
  }
  const at = (tag: string, descriptor: Descriptor): void => {
    routes[`${BASE}/manifests/${tag}`] = {
      body: bytes(made.layout, descriptor),
      headers: { 'content-type': descriptor.mediaType, 'docker-content-digest': descriptor.digest },
    };
  };
  at('1.0', made.index);
  const list = (subject: Descriptor, ...found: Descriptor[]): void => {
    routes[`${BASE}/referrers/${subject.digest}`] = {
      body: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: found })),
      headers: { 'content-type': OCI_INDEX },
    };
  };
  list(made.amd64, made.signature);
  over(routes);
  return { ...made, routes, at, list };
}

function fromRegistry(made: ReturnType<typeof registry>, image = IMAGE): Sample {
  return { ...made, input: { path: image, bytes: '{}', options: { oci: image } }, files: {}, upstream: made.routes };
}

const rejected = (code: string) => (error: unknown) => {
  assert.ok(isFault(error), String(error));
  assert.equal(error.code, code, error.message);
  return true;
};

test('from a registry: the tag is pinned, then everything is asked by digest; referrers come with it', async () => {
  const made = registry();
  const { closure, upstream } = await resolve(oci, fromRegistry(made));
  assert.equal(upstream.asked.filter((url) => url.endsWith('/manifests/1.0')).length, 1);
  const found = new Map(closure.artifacts.map((one) => [one.version, one]));
  assert.equal(found.get(made.index.digest)?.expected[0]?.grade, 'first-use');
  assert.equal(found.get(made.amd64.digest)?.expected[0]?.grade, 'strong');
  assert.equal(found.get(made.signature.digest)?.facts['subject'], made.amd64.digest);
  assert.equal(found.has(made.arm64.digest), false);
  assert.equal(found.get(made.index.digest)?.facts['absent'], `${made.arm64.digest}=linux/arm64/v8`);
  assert.match(closure.notes.join(), /linux\/arm64\/v8/);
  assert.deepEqual(
    closure.pointers.map(({ pointer, value }) => [pointer, value]),
    [['1.0', made.index.digest]],
  );
});

test("referrers are found by the tag that stands for the API, and by cosign's tags", async () => {
  const made = registry();
  delete made.routes[`${BASE}/referrers/${made.amd64.digest}`];
  const cosign = made.layout.image('amd64', 'a cosign signature');
  for (const [digest, body] of made.layout.blobs) {
    made.routes[`${BASE}/blobs/${digest}`] = { body };
    made.routes[`${BASE}/manifests/${digest}`] ??= { body };
  }
  const fallback = made.layout.json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [made.signature] }, OCI_INDEX);
  const hex = made.amd64.digest.replace(':', '-');
  made.at(hex, fallback);
  made.at(`${hex}.sig`, cosign);
  const { closure } = await resolve(oci, fromRegistry(made));
  const found = new Set(closure.artifacts.map((one) => one.version));
  assert.ok(found.has(made.signature.digest) && found.has(cosign.digest) && found.has(fallback.digest));
  assert.deepEqual(
    closure.pointers.map(({ pointer }) => pointer),
    ['1.0', hex, `${hex}.sig`],
  );
});

test('each target gets its platform; an image for none of them is a fault', async () => {
  const both = await resolve(oci, sample([linuxAmd64, linuxArm64]));
  const of = (digest: string) => both.closure.artifacts.find((one) => one.version === digest)?.targets;
  const made = sample();
  assert.deepEqual(of(made.amd64.digest), [linuxAmd64.name]);
  assert.deepEqual(of(made.arm64.digest), [linuxArm64.name]);
  assert.equal(of(made.index.digest), 'any');
  const riscv: Target = { name: 'riscv', os: 'linux', arch: 'riscv64' };
  await assert.rejects(resolve(oci, sample([riscv])), rejected('oci.no-platform'));

  const single = registry();
  single.at('1.0', single.amd64);
  await resolve(oci, fromRegistry(single));
  await assert.rejects(resolve(oci, { ...fromRegistry(single), targets: [linuxArm64] }), rejected('oci.no-platform'));
});

test('what a registry gives is judged', async () => {
  const cases: readonly (readonly [string, (made: ReturnType<typeof registry>) => void, string])[] = [
    ['no such tag', (made) => delete made.routes[`${BASE}/manifests/1.0`], 'oci.registry-answer'],
    [
      'a child that is missing',
      (made) => delete made.routes[`${BASE}/manifests/${made.amd64.digest}`],
      'oci.registry-answer',
    ],
    [
      'another child',
      (made) => (made.routes[`${BASE}/manifests/${made.amd64.digest}`] = { body: Buffer.from('{}') }),
      'oci.digest-mismatch',
    ],
    [
      'a child under another media type',
      (made) => {
        const url = `${BASE}/manifests/${made.amd64.digest}`;
        const route = made.routes[url];
        assert.ok(route);
        made.routes[url] = { ...route, headers: { 'content-type': OCI_INDEX } };
      },
      'oci.manifest-ambiguous',
    ],
    [
      'a tag whose digest header lies',
      (made) => {
        const route = made.routes[`${BASE}/manifests/1.0`];
        assert.ok(route);
        route.headers = { ...route.headers, 'docker-content-digest': made.amd64.digest };
      },
      'oci.digest-mismatch',
    ],
    [
      'an index that is an image too',
      (made) => {
        made.at(
          '1.0',
          made.layout.json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [made.amd64], layers: [] }, OCI_INDEX),
        );
      },
      'oci.manifest-ambiguous',
    ],
    [
      'a size that lies',
      (made) => {
        made.at(
          '1.0',
          made.layout.json(
            { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...made.amd64, size: 7 }] },
            OCI_INDEX,
          ),
        );
      },
      'oci.size-mismatch',
    ],
    [
      'a foreign layer',
      (made) => {
        const config = made.layout.blob(
          '{"os":"linux","architecture":"amd64"}',
          'application/vnd.oci.image.config.v1+json',
        );
        made.routes[`${BASE}/blobs/${config.digest}`] = { body: bytes(made.layout, config) };
        const layer = {
          ...config,
          mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
          urls: ['https://x.example.test/'],
        };
        made.at(
          '1.0',
          made.layout.json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] }, OCI_MANIFEST),
        );
      },
      'oci.foreign-layer',
    ],
    [
      'data that is other content than its digest',
      (made) => {
        const child = { ...made.amd64, data: Buffer.from('evil').toString('base64') };
        made.at('1.0', made.layout.json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [child] }, OCI_INDEX));
      },
      'oci.size-mismatch',
    ],
  ];
  for (const [what, change, code] of cases) {
    const made = registry();
    change(made);
    await assert.rejects(resolve(oci, fromRegistry(made)), rejected(code), what);
  }
});

test('an index that holds itself by nesting ends', async () => {
  const made = registry();
  let inner: Descriptor = made.index;
  for (let i = 0; i < 10; i++) {
    inner = made.layout.json(
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [inner], annotations: { i: `${i}` } },
      OCI_INDEX,
    );
    made.routes[`${BASE}/manifests/${inner.digest}`] = {
      body: bytes(made.layout, inner),
      headers: { 'content-type': OCI_INDEX },
    };
  }
  made.at('1.0', inner);
  await assert.rejects(resolve(oci, fromRegistry(made)), rejected('oci.too-deep'));
});

test('an image layout says which manifest is meant', async () => {
  const made = sample();
  const other = made.layout.index('other');
  made.layout.add(other.index, '2.0');
  const files = made.layout.files('image/layout');
  const { closure } = await resolve(oci, { ...made, files });
  assert.equal(closure.pointers[0]?.value, made.index.digest);
  const unknown = { ...made.input, options: { oci: 'registry.example.test/team/app:3.0', from: 'image/layout' } };
  await assert.rejects(resolve(oci, { ...made, files, input: unknown }), rejected('oci.layout-reference'));
  await assert.rejects(resolve(oci, { ...made, files: {} }), rejected('oci.layout-malformed'));
  const outside = { ...made.input, options: { oci: IMAGE, from: '../elsewhere' } };
  await assert.rejects(resolve(oci, { ...made, input: outside }), rejected('oci.input-malformed'));
});

test('tags are sorted and paged', async () => {
  const layout = new Layout();
  const image = layout.image('amd64', 'x');
  for (const tag of ['b', 'a', 'c', 'A']) layout.add(image, tag);
  const files = layout.files('l');
  const { catalog, rows, content } = await admitted(oci, {
    ...sample(),
    files,
    input: { path: 'l/index.json', bytes: '', options: { oci: 'registry.example.test/t:a', from: 'l' } },
  });
  const pointers = ['b', 'c', 'A'].map((pointer) => ({ ...rows.find((row) => row.row === 'pointer')!, pointer }));
  const all = memoryCatalog(content, [oci], [{ sequence: 1, rows: [...rows, ...(pointers as typeof rows)] }]);
  assert.equal(await textOf(await ask(oci, all, '/v2/t/tags/list'), catalog), '{"name":"t","tags":["A","a","b","c"]}');
  const first = await ask(oci, all, '/v2/t/tags/list?n=2');
  assert.equal(await textOf(first, all), '{"name":"t","tags":["A","a"]}');
  assert.equal(first.headers['link'], '</v2/t/tags/list?n=2&last=a>; rel="next"');
  const second = await ask(oci, all, '/v2/t/tags/list?n=2&last=a');
  assert.equal(await textOf(second, all), '{"name":"t","tags":["b","c"]}');
  assert.equal(second.headers['link'], undefined);
  assert.equal(await textOf(await ask(oci, all, '/v2/t/tags/list?n=0'), all), '{"name":"t","tags":[]}');
  assert.equal((await ask(oci, all, '/v2/t/tags/list?n=x')).status, 400);
});

test('referrers are listed with type and annotations, filtered, and never 404 for what is here', async () => {
  const made = sample();
  const { catalog } = await admitted(oci, made);
  const of = async (query: string, digest = made.amd64.digest) => {
    const answer = await ask(oci, catalog, `/v2/team/app/referrers/${digest}${query}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], OCI_INDEX);
    return { answer, manifests: (JSON.parse(await textOf(answer, catalog)) as { manifests: Descriptor[] }).manifests };
  };
  assert.deepEqual((await of('')).manifests, [
    {
      mediaType: OCI_MANIFEST,
      digest: made.signature.digest,
      size: made.signature.size,
      artifactType: 'application/vnd.example.signature',
      annotations: { by: 'us' },
    },
  ]);
  const none = await of('?artifactType=application/none');
  assert.deepEqual(none.manifests, []);
  assert.equal(none.answer.headers['oci-filters-applied'], 'artifactType');
  assert.deepEqual((await of('', `sha256:${'0'.repeat(64)}`)).manifests, []);
  assert.equal((await of('?artifactType=application/spdx%2Bjson', made.index.digest)).manifests.length, 1);
});

test('a client is given only what it accepts by tag, and everything by digest', async () => {
  const made = sample();
  const { catalog } = await admitted(oci, made);
  const by = async (reference: string, accept: string) =>
    (await ask(oci, catalog, `/v2/team/app/manifests/${reference}`, { accept })).status;
  assert.equal(await by('1.0', '*/*'), 200);
  assert.equal(await by('1.0', `${OCI_MANIFEST}, ${OCI_INDEX};q=0.5`), 200);
  assert.equal(await by('1.0', 'application/*'), 200);
  assert.equal(await by('1.0', OCI_MANIFEST), 404);
  assert.equal(await by('1.0', `${OCI_INDEX};q=0, text/html`), 404);
  assert.equal(await by(made.index.digest, OCI_MANIFEST), 200);
});

test('two registries with one name are never guessed between', async () => {
  const made = sample();
  const one = await admitted(oci, made);
  const other = {
    ...made,
    input: { ...made.input, options: { oci: 'other.example.test/team/app:1.0', from: 'image/layout' } },
  };
  const two = await admitted(oci, other);
  const catalog = memoryCatalog(one.content, [oci], [{ sequence: 1, rows: [...one.rows, ...two.rows] }]);
  const status = async (path: string, headers = {}) => (await ask(oci, catalog, path, headers)).status;
  const guess = await ask(oci, catalog, '/v2/team/app/manifests/1.0');
  assert.equal(guess.status, 404);
  assert.match(await textOf(guess, catalog), /Several registries.*other\.example\.test\/team\/app/);
  assert.equal(await status('/v2/team/app/manifests/1.0?ns=other.example.test'), 200);
  assert.equal(await status('/v2/team/app/manifests/1.0?ns=third.example.test'), 404);
  assert.equal(await status('/v2/other.example.test/team/app/manifests/1.0'), 200);
  assert.equal(await status('/v2/team/app/manifests/1.0', { host: 'registry.example.test' }), 200);
  const named = await ask(oci, catalog, '/v2/team/app/manifests/1.0?ns=other.example.test');
  assert.equal(named.headers['oci-namespace'], 'other.example.test');
  assert.equal((await bytesOf(named, catalog)).length, made.index.size);
});

test('content named by sha512 is checked and served under that name, and under its sha256', async () => {
  const layout = new Layout();
  const text = Buffer.from('named by another digest');
  const sha512 = `sha512:${hashOf('sha512', text)}`;
  const layer = { mediaType: 'text/plain', digest: sha512, size: text.length };
  const config = layout.blob('{}', EMPTY);
  layout.add(layout.json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] }, OCI_MANIFEST), '1.0');
  layout.blobs.set(sha512, text);
  const made = { ...sample(), files: layout.files('image/layout') };
  const { catalog } = await admitted(oci, made);
  for (const digest of [sha512, `sha256:${hashOf('sha256', text)}`]) {
    const answer = await ask(oci, catalog, `/v2/team/app/blobs/${digest}`);
    assert.equal(answer.headers['docker-content-digest'], digest);
    assert.ok(text.equals(await bytesOf(answer, catalog)));
  }
  const changed = {
    ...made.files,
    [`image/layout/blobs/${sha512.replace(':', '/')}`]: Buffer.from('x'.repeat(text.length)),
  };
  await assert.rejects(admitted(oci, { ...made, files: changed }));
});

test('nothing can be pushed', async () => {
  const { catalog } = await admitted(oci, sample());
  for (const [method, path] of [
    ['POST', '/v2/team/app/blobs/uploads/'],
    ['PUT', '/v2/team/app/manifests/2.0'],
    ['PATCH', '/v2/team/app/blobs/uploads/x'],
    ['DELETE', '/v2/team/app/manifests/1.0'],
  ] as const) {
    const answer = await ask(oci, catalog, path, {}, method);
    assert.equal(answer.status, 405);
    assert.match(await textOf(answer, catalog), /"code":"UNSUPPORTED"/);
  }
});
