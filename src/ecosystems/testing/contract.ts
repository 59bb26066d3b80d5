import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Digest, isInstant, type Target } from '#kernel';
import type { Catalog, ClientSettings, Closure, DepotAnswer, DepotRequest, Ecosystem } from '#ecosystems';
import { memoryCatalog, memoryContent } from './memory.ts';
import { captured, Mismatch, projectInput, type Route, stubUpstream } from './upstream.ts';

/** A small project of an ecosystem with an upstream that has what it needs. */
export interface Sample {
  readonly input: {
    readonly path: string;
    readonly bytes: Uint8Array | string;
    readonly options?: Readonly<Record<string, unknown>>;
  };
  /** Other files of the project, by path. */
  readonly files?: Readonly<Record<string, Uint8Array | string>>;
  readonly targets: readonly Target[];
  readonly settings?: Partial<Record<'npm' | 'pip', ClientSettings>>;
  /** Upstream's answers by whole address. */
  readonly upstream: Readonly<Record<string, Route | string | Uint8Array>>;
  /** Whether `recognise` finds the input by its path; images and folders are named in sallyport.yaml alone. Default: true. */
  readonly recognised?: boolean;
  /** What a client asks inside, and the exact bytes that it must get. */
  readonly served: readonly {
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly bytes: Uint8Array;
  }[];
  /** Something that was not captured: the answer must be `status` (default 404) and its text must match. */
  readonly missing: { readonly path: string; readonly says: RegExp; readonly name: string; readonly status?: number };
  /**
   * Changes one artifact that the input vouches for. Resolving or fetching must then fail: with a Fault, or because the
   * bytes do not match the evidence.
   */
  readonly tamper: {
    /** Address in `upstream`, or a path in `files`. */
    readonly at: string;
    readonly bytes: Uint8Array | string;
  };
}

/** What every ecosystem must do; `describe`s itself. The sample is made anew for each test. */
export function ecosystemContract(ecosystem: Ecosystem, makeSample: () => Sample | Promise<Sample>): void {
  describe(`contract of an ecosystem: ${ecosystem.id}`, () => {
    test('has a plain id and a look-up key that is its own normal form', () => {
      assert.match(ecosystem.id, /^[a-z][a-z0-9]*$/);
      assert.notEqual(ecosystem.title, '');
      for (const name of ['a', 'A.b_c-D', '@s/n', 'x/y']) {
        const key = ecosystem.lookupKey(name);
        assert.equal(ecosystem.lookupKey(key), key);
      }
    });

    test('recognises its input and no foreign file', async () => {
      const sample = await makeSample();
      const outside = await ecosystem.outside();
      const head = Buffer.from(sample.input.bytes).subarray(0, 4096);
      assert.equal(outside.recognise(sample.input.path, head), sample.recognised ?? true);
      assert.equal(outside.recognise('README.md', Buffer.from('# Read me')), false);
    });

    test('resolves to an exact closure, the same each time', async () => {
      const sample = await makeSample();
      const first = await resolve(ecosystem, sample);
      const second = await resolve(ecosystem, sample);
      assert.deepEqual(first.closure, second.closure);
      assert.ok(first.closure.artifacts.length > 0, 'no artifacts');
      checkClosure(ecosystem, first.closure, sample.targets);
    });

    test('keeps every document that it names', async () => {
      const { closure, content } = await resolve(ecosystem, await makeSample());
      for (const document of closure.documents) {
        assert.equal(await content.size(document.digest), document.size, `${document.name} ${document.role}`);
      }
    });

    test('serves what was captured byte for byte', async () => {
      const sample = await makeSample();
      const { catalog } = await admitted(ecosystem, sample);
      for (const { path, headers, bytes } of sample.served) {
        const answer = await ask(ecosystem, catalog, path, headers);
        assert.equal(answer.status, 200, `${path}: ${await textOf(answer, catalog)}`);
        const got = await bytesOf(answer, catalog);
        assert.ok(Buffer.from(got).equals(bytes), `${path}: other bytes`);
        assert.equal(answer.headers['content-encoding'], undefined, `${path}: encoded`);
        const head = await ask(ecosystem, catalog, path, headers, 'HEAD');
        assert.equal(head.status, 200, `HEAD ${path}`);
      }
    });

    test('says why something is not here and notes it', async () => {
      const { missing, ...sample } = await makeSample();
      const { catalog } = await admitted(ecosystem, { ...sample, missing });
      const answer = await ask(ecosystem, catalog, missing.path);
      assert.equal(answer.status, missing.status ?? 404);
      assert.match(await textOf(answer, catalog), missing.says);
      assert.equal(answer.missed?.ecosystem, ecosystem.id);
      assert.equal(answer.missed?.name, missing.name);
    });

    test('refuses a tampered artifact', async () => {
      const sample = await makeSample();
      const { at, bytes } = sample.tamper;
      const known = Object.hasOwn(sample.upstream, at) || Object.hasOwn(sample.files ?? {}, at);
      assert.ok(known, `${at} is not part of the sample`);
      const route = sample.upstream[at];
      const changed: Sample = Object.hasOwn(sample.upstream, at)
        ? {
            ...sample,
            upstream: {
              ...sample.upstream,
              [at]: typeof route === 'object' && 'body' in route ? { ...route, body: bytes } : bytes,
            },
          }
        : { ...sample, files: { ...sample.files, [at]: bytes } };
      await assert.rejects(
        () => admitted(ecosystem, changed),
        (error: unknown) => error instanceof Mismatch || (error instanceof Error && error.name === 'Fault'),
      );
    });

    test('answers hostile requests without failing', async () => {
      const { catalog } = await admitted(ecosystem, await makeSample());
      const { prefix } = await ecosystem.inside();
      const tails = [
        '',
        '/',
        '%',
        '%ff%fe',
        '..%2f..%2fetc%2fpasswd',
        '../../etc/passwd',
        '%00',
        '__proto__',
        'constructor/-/constructor.tgz',
        'a'.repeat(5000),
        '%2e%2e/',
        '-/',
        '\u202e',
        '//evil.example.test/',
      ];
      for (const tail of tails) {
        for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'POST']) {
          const answer = await ask(ecosystem, catalog, `${prefix}${tail}`, {}, method);
          assert.ok(answer.status >= 200 && answer.status < 600, `${method} ${tail}`);
          if (method === 'PUT' || method === 'DELETE') assert.ok(answer.status >= 400, `${method} ${tail}`);
          for (const value of Object.values(answer.headers)) assert.doesNotMatch(value, /[\r\n]/);
        }
      }
    });

    test('tells its clients how to reach the depot, and nothing else', async () => {
      const { clients, prefix } = await ecosystem.inside();
      assert.match(prefix, /^\/[a-z0-9]+\/$/);
      for (const client of clients) {
        assert.match(client.client, /^[a-z][a-z0-9-]*$/);
        const text = client.render('http://depot.example.test:4873');
        assert.match(text, /depot\.example\.test/);
        const addresses = `${text}\n${Object.values(client.environment('http://depot.example.test:4873')).join('\n')}`;
        for (const [address] of addresses.matchAll(/https?:\/\/[^\s"']+/g)) {
          assert.ok(address.startsWith('http://depot.example.test:4873'), address);
        }
      }
    });
  });
}

/** The input resolved against the stub. */
export async function resolve(ecosystem: Ecosystem, sample: Sample) {
  const content = memoryContent();
  const upstream = stubUpstream(sample.upstream, content, sample.settings);
  const input = projectInput(sample.input.path, sample.input.bytes, sample.files, sample.input.options);
  const closure = await (await ecosystem.outside()).resolve(input, sample.targets, upstream);
  return { closure, content, upstream, input };
}

/** Resolved, fetched, checked, and in a catalogue as after an admission. */
export async function admitted(ecosystem: Ecosystem, sample: Sample) {
  const { closure, content, upstream, input } = await resolve(ecosystem, sample);
  const rows = await captured(closure, input, upstream, content);
  const catalog = memoryCatalog(content, [ecosystem], [{ sequence: 1, rows }]);
  return { closure, content, upstream, input, rows, catalog };
}

/** One request to the inside half, as the depot would hand it on. */
export async function ask(
  ecosystem: Ecosystem,
  catalog: Catalog,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<DepotAnswer> {
  const [bare = '', search = ''] = path.split('?');
  const request: DepotRequest = {
    method,
    path: bare,
    query: new URLSearchParams(search),
    headers,
    base: 'http://127.0.0.1:4873',
  };
  return (await ecosystem.inside()).handle(request, catalog);
}

export async function bytesOf(answer: DepotAnswer, catalog: Catalog): Promise<Uint8Array> {
  const { body } = answer;
  if (body === undefined) return new Uint8Array();
  if (typeof body === 'string') return Buffer.from(body, 'utf8');
  if (body instanceof Uint8Array) return body;
  const bytes = await catalog.content.read(body.blob as Digest, Number.MAX_SAFE_INTEGER);
  assert.ok(bytes, `the store lacks ${body.blob}`);
  assert.equal(bytes.length, body.size);
  return bytes;
}

export async function textOf(answer: DepotAnswer, catalog: Catalog): Promise<string> {
  return Buffer.from(await bytesOf(answer, catalog)).toString('utf8');
}

const HEX_LENGTH: Readonly<Record<string, number>> = { sha1: 40, md5: 32, sha256: 64, sha384: 96, sha512: 128 };

function checkClosure(ecosystem: Ecosystem, closure: Closure, targets: readonly Target[]): void {
  const names = new Set(targets.map((t) => t.name));
  const seen = new Set<string>();
  for (const wanted of closure.artifacts) {
    const what = `${wanted.name} ${wanted.version} ${wanted.file}`;
    assert.equal(wanted.ecosystem, ecosystem.id, what);
    assert.ok(wanted.sources.length > 0, `${what}: no source`);
    const id = [wanted.authority, wanted.name, wanted.version, wanted.file].join('\0');
    assert.ok(!seen.has(id), `${what}: twice`);
    seen.add(id);
    if (wanted.targets !== 'any') {
      assert.ok(wanted.targets.length > 0, `${what}: for no target`);
      assert.deepEqual(wanted.targets, [...new Set(wanted.targets)].sort(), `${what}: targets`);
      for (const name of wanted.targets) assert.ok(names.has(name), `${what}: ${name} is no target`);
    }
    if (wanted.published !== '') assert.ok(isInstant(wanted.published), `${what}: ${wanted.published}`);
    for (const e of wanted.expected) {
      const length = HEX_LENGTH[e.algorithm];
      if (length !== undefined) assert.match(e.value, new RegExp(`^[0-9a-f]{${length}}$`), what);
      assert.notEqual(e.source, '', what);
    }
    for (const source of wanted.sources) {
      if (source.kind !== 'url') continue;
      const url = new URL(source.url);
      assert.equal(url.username + url.password, '', `${what}: credentials in an address`);
    }
    assert.deepEqual(Object.keys(wanted.facts), Object.keys(wanted.facts).sort(), `${what}: facts are not sorted`);
  }
  for (const document of closure.documents) {
    assert.equal(document.ecosystem, ecosystem.id);
    assert.notEqual(document.role, '');
    if (URL.canParse(document.origin)) assert.equal(new URL(document.origin).password, '');
  }
  for (const pointer of closure.pointers) {
    assert.equal(pointer.ecosystem, ecosystem.id);
    assert.equal(pointer.version + pointer.file, '');
  }
}
