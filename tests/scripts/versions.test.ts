import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { decodeIndex, encodeIndex, readBundle } from '#bundle';
import { craftBundle } from '#bundle/testing';
import { judgeChain, judgeScans } from '#custody';
import { encodeBase64, encodeStatement, formatNote, isProblem, parseNote, STATEMENT_PAYLOAD_TYPE } from '#formats';
import { type Digest, digestOf, homeAt, isFault, type JsonObject } from '#kernel';
import { fixedClock, testWorld } from '#kernel/testing';
import { decodeEntry, openCheckpoint, openLedger, parseConsistency, parseLedgerVkey, parseProof } from '#ledger';
import { signText, testSigner } from '#ledger/testing';
import { allOperations } from '#operations';
import { readFlowSet } from '#policy';
import { formatLock, parseLock, parseProject, readRegisterPayload, registerPayload } from '#project';
import { reportShape } from '#rehearse';
import { sampleReport } from '#rehearse/testing';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { createSide, readRoot, signEnvelope, verifyEnvelope } from '#trust';
import { mustRead, signedRoot, testDraft, testKey } from '#trust/testing';

// One rule for every format of ours (docs/spec/envelope.md, "Versions"): another major version and a feature that we do
// not know close the door by name; what else we do not know is passed over and counts for nothing.

/** What is changed in a good document. Absent is as we write it. */
interface Change {
  readonly version?: string;
  readonly critical?: unknown;
  /** Fields that no version has, which would be worth a lot if anybody believed them. */
  readonly more?: JsonObject;
}

/** A refusal by its name, or all that the reader takes from the document. */
type Answer = { readonly code: string; readonly detail: string } | { readonly says: unknown };

interface Format {
  readonly name: string;
  /** Page of docs/spec. */
  readonly page: string;
  /** The name by which another major version is refused, and one by which an unknown feature is. */
  readonly codes: readonly [major: string, critical: string];
  /** Written by people: there is one version, and a word that is not known may be a misspelt rule, so it is refused. */
  readonly byHand?: boolean;
  read(change: Change): Promise<Answer> | Answer;
}

const MORE: JsonObject = {
  threshold: 0,
  roles: { sealer: ['Mallory'], approver: ['Mallory'] },
  signers: 'all',
  verdict: 'accepted',
  approved: true,
};

let folder: string;
let home: string;
const clock = fixedClock();
const ada = testKey();
const ben = testKey();
const root = testDraft({
  Ada: { key: ada, roles: ['root', 'sealer', 'reviewer'] },
  Ben: { key: ben, roles: ['approver'] },
});
const rootOf = () => mustRead(signedRoot(root, [ada.signer('Ada')]));
const lock = formatLock({ rows: [] });

before(async () => {
  folder = await temporaryFolder({ after: (clean) => void process.once('beforeExit', () => void clean()) });
  home = join(folder, 'home');
  await createSide(nodeFiles, home, { site: 'plant', purpose: 'one-person', clock });
  await mkdir(join(folder, 'manifests'));
  await writeFile(
    join(folder, 'manifests', 'pod.yaml'),
    'apiVersion: v1\nkind: Pod\nmetadata: { name: web, namespace: shop, labels: { app: web } }\nspec: { containers: [] }\n',
  );
});

/** Runs an operation as its command does; a Fault is an answer too. */
async function call(name: string, input: object, where = folder): Promise<Answer> {
  const operation = (await allOperations()).find((one) => one.name.join(' ') === name);
  assert.ok(operation !== undefined, name);
  const { run } = await operation.load();
  return answered(async () => ({ says: await run(input, testWorld(nodeFiles, where, { clock })) }));
}

async function answered(read: () => Promise<Answer> | Answer): Promise<Answer> {
  try {
    return await read();
  } catch (error) {
    if (!isFault(error)) throw error;
    return { code: error.code, detail: `${error.message} ${error.where}` };
  }
}

/** A JSON document of ours under its own name of the version. */
function document(good: object, mark: string, { version, critical, more }: Change): JsonObject {
  return {
    ...good,
    ...(version === undefined ? {} : { [mark]: version }),
    ...(critical === undefined ? {} : { critical }),
    ...more,
  } as JsonObject;
}

function predicate(good: object, change: Change): JsonObject {
  return document({ version: '1.0', critical: [], ...good }, 'version', change);
}

/** Writes a document of YAML by hand. */
async function yaml(path: string, mark: string, rest: string, { version, critical, more }: Change): Promise<string> {
  const extra = { ...(critical === undefined ? {} : { critical }), ...more };
  const lines = Object.entries(extra).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  const text = `${mark}: ${JSON.stringify(version ?? '1.0')}\n${lines.join('')}${rest}`;
  await writeFile(join(folder, path), text);
  return text;
}

const medium = (bytes: Uint8Array) => {
  let at = 0;
  return {
    async read(into: Uint8Array) {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
    async close() {},
  };
};

const formats: readonly Format[] = [
  {
    name: 'index of a bundle',
    page: 'bundle.md',
    codes: ['bundle.unknown-version', 'bundle.unknown-critical'],
    read(change) {
      const encoder = { name: 'zstd', library: '1.5.7', level: 3, frame: 8388608 };
      const blobs = [{ digest: digestOf(lock), size: lock.length, stored: 'raw' as const }];
      const good = Buffer.from(encodeIndex(digestOf(lock), encoder, blobs).bytes).toString('utf8');
      const [header = '', ...rows] = good.split('\n');
      const other = [JSON.stringify(document(JSON.parse(header) as object, 'version', change)), ...rows].join('\n');
      const index = decodeIndex(Buffer.from(other, 'utf8'));
      return 'code' in index ? index : { says: { ...index, digest: '', length: 0 } };
    },
  },
  {
    name: 'seal',
    page: 'bundle.md',
    codes: ['bundle.unknown-version', 'bundle.unknown-critical'],
    async read(change) {
      const payload = (bytes: Buffer) => {
        const statement = JSON.parse(bytes.toString('utf8')) as { predicate: JsonObject };
        // What it has already is not what is unknown.
        const { signers: _, ...more } = change.more ?? {};
        const over = document(statement.predicate, 'version', {
          ...change,
          ...(change.more === undefined ? {} : { more }),
        });
        return Buffer.from(JSON.stringify({ ...statement, predicate: over }), 'utf8');
      };
      const bytes = await craftBundle(lock, [], [ada.signer('Ada')], { payload });
      const { reasons, head } = await readBundle(medium(bytes), {}, { until: 'head' });
      return reasons[0] ?? { says: head?.seal };
    },
  },
  {
    name: 'root',
    page: 'root.md',
    codes: ['trust.root-needs-newer', 'trust.root-needs-newer'],
    read(change) {
      const { payload } = JSON.parse(Buffer.from(signedRoot(root, [ada.signer('Ada')])).toString('utf8'));
      const good = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as object;
      const { roles: _, ...more } = change.more ?? {};
      const other = document(good, 'sallyport-root', { ...change, ...(change.more === undefined ? {} : { more }) });
      const bytes = Buffer.from(JSON.stringify(other), 'utf8');
      const read = readRoot(signEnvelope('application/vnd.sallyport.root+json', bytes, [ada.signer('Ada')]));
      return read.ok ? { says: { ...read.value.root, fingerprint: '' } } : read.reason;
    },
  },
  {
    name: 'draft of a root',
    page: 'root.md',
    codes: ['trust.not-a-draft', 'trust.not-a-draft'],
    async read(change) {
      const signed = signedRoot(root, [ada.signer('Ada')]);
      const next = JSON.parse(Buffer.from(signedRoot({ ...root, version: 2 }, [ada.signer('Ada')])).toString('utf8'));
      const good = { 'sallyport-draft': '1.0', previous: encodeBase64(signed), ...next };
      await writeFile(join(folder, 'draft'), JSON.stringify(document(good, 'sallyport-draft', change)));
      return call('trust show', { file: 'draft' });
    },
  },
  {
    name: 'ceremony',
    page: 'ceremony.md',
    codes: ['trust.not-a-ceremony', 'trust.not-a-ceremony'],
    async read(change) {
      const signed = signedRoot(root, [ada.signer('Ada')]);
      const next = JSON.parse(Buffer.from(signedRoot({ ...root, version: 2 }, [ada.signer('Ada')])).toString('utf8'));
      const draft = { 'sallyport-draft': '1.0', previous: encodeBase64(signed), ...next, signatures: [] };
      const machine = { name: 'room', system: 'Linux', module: 'OpenSSL', network: [] };
      const good = {
        'sallyport-ceremony': '1.0',
        id: 'ab'.repeat(16),
        draft: Buffer.from(JSON.stringify(draft)).toString('base64'),
        network: 'forbidden',
        witnesses: [],
        steps: [{ what: 'opened', who: 'Ada', time: '2026-11-22T06:00:00Z', machine }],
        attestations: [],
      };
      await writeFile(join(folder, 'ceremony'), JSON.stringify(document(good, 'sallyport-ceremony', change)));
      return call('trust ceremony show', { file: 'ceremony' });
    },
  },
  {
    name: 'public half of a key',
    page: 'root.md',
    codes: ['trust.not-a-public-half', 'trust.not-a-public-half'],
    async read(change) {
      const { keyid, algorithm, spki } = ada;
      const good = { 'sallyport-key': '1.0', holder: 'Ada', algorithm, keyid, public: encodeBase64(spki) };
      await writeFile(join(folder, 'ada.pub.json'), JSON.stringify(document(good, 'sallyport-key', change)));
      await rm(join(folder, 'next'), { force: true });
      const add = { add: ['ada.pub.json'], role: ['Ada=reviewer'], out: 'next', home };
      const answer = await call('trust propose', add);
      if ('code' in answer) return answer;
      const { root: made, ...said } = answer.says as { root: object };
      return { says: { ...said, root: { ...made, fingerprint: '' }, fingerprint: '' } };
    },
  },
  {
    name: 'lock',
    page: 'lock.md',
    codes: ['lock.version', 'lock.version'],
    read: (change) =>
      answered(() => {
        const header = JSON.stringify(document({ 'sallyport-lock': '1.0', critical: [] }, 'sallyport-lock', change));
        return { says: parseLock(Buffer.from(`${header}\n`, 'utf8'), 'sallyport.lock').rows };
      }),
  },
  {
    name: 'custody statement',
    page: 'custody.md',
    codes: ['custody.chain', 'custody.chain'],
    read(change) {
      const sha256 = '00'.repeat(32);
      const good = {
        event: 'sealed',
        medium: 'USB-7',
        seals: ['1'],
        from: 'Ada',
        to: 'Ada',
        site: 'low',
        at: '2026-11-22T06:00:00Z',
        previous: '',
      };
      const payload = encodeStatement({
        predicateType: 'sallyport/custody/v1',
        subject: [{ name: 'one', digest: { sha256 } }],
        predicate: predicate(good, change),
      });
      const link = signEnvelope(STATEMENT_PAYLOAD_TYPE, payload, [ada.signer('Ada')]);
      const { links, reasons } = judgeChain(rootOf(), [link], { volumes: [sha256] });
      const broken = reasons.find(({ code }) => code === 'custody.chain' && links.length === 0) ?? reasons[1];
      const [first] = reasons;
      return first === undefined
        ? { says: links }
        : (reasons.find(({ where }) => where === 'link 1') ?? broken ?? first);
    },
  },
  {
    name: 'word of a scanner',
    page: 'custody.md',
    codes: ['custody.scan', 'custody.scan'],
    async read(change) {
      const sha256 = '00'.repeat(32);
      const { verdict: _, ...more } = change.more ?? {};
      const payload = encodeStatement({
        predicateType: 'sallyport/scan/v1',
        subject: [{ name: 'volume', digest: { sha256 } }],
        predicate: predicate(
          { scanner: 'kiosk', verdict: 'clean', engine: 'x', at: '2026-11-22T06:00:00Z' },
          { ...change, ...(change.more === undefined ? {} : { more }) },
        ),
      });
      await mkdir(join(home, 'trust', 'scanners'), { recursive: true });
      await writeFile(join(home, 'trust', 'scanners', 'kiosk.pem'), ada.signer('kiosk').publicKeyPem);
      const envelope = signEnvelope(STATEMENT_PAYLOAD_TYPE, payload, [ada.signer('kiosk')]);
      const reasons = await judgeScans(nodeFiles, homeAt(home), sha256, [envelope], ['kiosk']);
      return reasons[0] ?? { says: 'clean' };
    },
  },
  {
    name: 'statement of a ledger',
    page: 'ledger.md',
    codes: ['ledger.needs-newer', 'ledger.needs-newer'],
    async read({ version, critical, more }) {
      const own = join(folder, `ledger-${versions++}`);
      await createSide(nodeFiles, own, { site: 'plant', purpose: 'one-person', clock });
      const ledger = await openLedger(nodeFiles, homeAt(own), clock);
      await ledger.append({
        predicateType: `sallyport/medium/v${version?.split('.')[0] ?? '1'}`,
        subject: [{ name: 'USB-7', digest: { sha256: '00'.repeat(32) } }],
        predicate: {
          serial: 'USB-7',
          event: 'registered',
          to: '',
          due: '',
          at: '2026-11-22T06:00:00Z',
          ...(critical === undefined ? {} : { critical: critical as string[] }),
          ...more,
        },
      });
      await ledger.close();
      return call('medium list', { home: own });
    },
  },
  {
    name: 'owner’s signature of the register',
    page: 'flow-register.md',
    codes: ['register.signature-refused', 'register.signature-refused'],
    read({ version, critical, more }) {
      const good = JSON.parse(
        Buffer.from(registerPayload('shop', 'Ada', [], '2026-11-22T06:00:00Z')).toString('utf8'),
      ) as object;
      const format = `sallyport-flow-register/${version ?? '1.0'}`;
      const bytes = JSON.stringify({ ...good, format, ...(critical === undefined ? {} : { critical }), ...more });
      const read = readRegisterPayload(Buffer.from(bytes, 'utf8'), 'shop');
      return typeof read === 'string' ? { code: 'register.signature-refused', detail: read } : { says: read };
    },
  },
  {
    name: 'report of a rehearsal',
    page: 'rehearsal-report.md',
    codes: ['rehearse.report-malformed', 'rehearse.report-malformed'],
    read(change) {
      const { verdict: _, ...more } = change.more ?? {};
      const over = { ...change, ...(change.more === undefined ? {} : { more }) };
      const read = reportShape.safeParse(document(sampleReport(), 'sallyport-report', over));
      if (!read.success) return { code: 'rehearse.report-malformed', detail: read.error.issues[0]?.message ?? '' };
      const { 'sallyport-report': _version, critical: _critical, ...says } = read.data;
      return { says };
    },
  },
  {
    name: 'sallyport.yaml',
    page: 'project.md',
    byHand: true,
    codes: ['project.invalid', 'project.invalid'],
    read: (change) =>
      answered(async () => {
        const rest = 'name: shop\ntargets: { a: { os: linux, arch: amd64 } }\ninputs: [{ files: files }]\n';
        const text = await yaml('sallyport.yaml', 'sallyport', rest, change);
        return { says: parseProject(Buffer.from(text, 'utf8'), join(folder, 'sallyport.yaml')).name };
      }),
  },
  {
    name: 'admission.yaml',
    page: 'admission.md',
    byHand: true,
    codes: ['admit.policy', 'admit.policy'],
    async read(change) {
      await yaml('home/admission.yaml', 'sallyport-admission', '', change);
      const answer = await call('admit', { bundle: 'none', home });
      // Read it was: what is missing then is something else.
      return 'code' in answer && answer.code !== 'admit.policy' ? { says: answer.code } : answer;
    },
  },
  {
    name: 'crypto.yaml',
    page: 'crypto-profile.md',
    byHand: true,
    codes: ['trust.crypto-profile', 'trust.crypto-profile'],
    async read(change) {
      await yaml('home/crypto.yaml', 'sallyport-crypto', 'name: plant\n', change);
      try {
        return await call('trust show', { home });
      } finally {
        await rm(join(home, 'crypto.yaml'));
      }
    },
  },
  {
    name: 'release.yaml',
    page: 'release.md',
    byHand: true,
    codes: ['gate.outward-policy', 'gate.outward-policy'],
    async read(change) {
      await yaml('home/release.yaml', 'sallyport-release', 'allow: [request]\n', change);
      return call('release draft', { kind: 'request', want: ['npm/left@1.0.0'], out: 'draft', home });
    },
  },
  {
    name: 'flow set',
    page: 'flow-set.md',
    byHand: true,
    codes: ['policy.flows-invalid', 'policy.flows-invalid'],
    read: (change) =>
      answered(async () => {
        const text = await yaml('flows.yaml', 'sallyport-flows', 'flows: []\n', change);
        return { says: readFlowSet('flows.yaml', Buffer.from(text, 'utf8')).flows };
      }),
  },
  {
    name: 'invariants',
    page: 'invariants.md',
    byHand: true,
    codes: ['policy.invariant-invalid', 'policy.invariant-invalid'],
    async read(change) {
      const rest = 'invariants: [{ name: closed, deny: { from: "shop/*", to: 10.0.0.0/8 }, reason: r }]\n';
      await yaml('invariants.yaml', 'sallyport-invariants', rest, change);
      return call('policy invariant', { folder: 'manifests', file: 'invariants.yaml' });
    },
  },
  {
    name: 'assertions',
    page: 'assertions.md',
    byHand: true,
    codes: ['policy.assertion-invalid', 'policy.assertion-invalid'],
    async read(change) {
      const rest = 'assertions: [{ from: shop/web, to: 10.1.2.3, port: 80, expect: deny, reason: r }]\n';
      await yaml('assertions.yaml', 'sallyport-assertions', rest, change);
      return call('policy assert', { folder: 'manifests', file: 'assertions.yaml' });
    },
  },
];
let versions = 0;

for (const { name, page, codes, byHand = false, read } of formats) {
  test(`${name}: another major version and unknown features are refused by name, and nothing unknown counts`, async () => {
    const good = await read({});
    assert.ok('says' in good, `the good one is read: ${JSON.stringify(good)}`);
    const refused = async (change: Change, code: string) => {
      const answer = await read(change);
      const seen = `${JSON.stringify(change)}: ${JSON.stringify(answer)}`;
      assert.ok('code' in answer, seen);
      assert.equal(answer.code, code, seen);
      return answer.detail;
    };
    assert.match(await refused({ version: '2.0' }, codes[0]), byHand ? /1\.0/ : /2|major/);
    await refused({ version: '10.0' }, codes[0]);
    for (const version of name === 'statement of a ledger' ? [] : ['', '1', '1.x', '01.0', '1.01', '1.0.0', ' 1.0']) {
      assert.ok('code' in (await read({ version })), `'${version}' is no version`);
    }
    if (!byHand) assert.ok('code' in (await read({ critical: 'deltas' })), 'a list of names, or none');
    assert.match(await refused({ critical: ['what-nobody-knows'] }, codes[1]), /what-nobody-knows|not known|critical/);
    if (byHand) {
      await refused({ version: '1.1' }, codes[0]);
      await refused({ more: { accepted: true } }, codes[1]);
    } else {
      assert.deepEqual(await read({ version: '1.7' }), good, 'a later minor version is read');
      assert.deepEqual(await read({ critical: [] }), good);
      assert.deepEqual(await read({ version: '1.7', more: MORE }), good, 'what is unknown changes nothing');
    }
    const spec = await readFile(new URL(`../../docs/spec/${page}`, import.meta.url), 'utf8');
    assert.match(spec, byHand ? /VERS-4/ : /VERS-[125]/, `${page} says so`);
    const explained = await call('explain', {});
    const known = (explained as { says: { entries: { code: string }[] } }).says.entries.map(({ code }) => code);
    for (const code of codes) assert.ok(known.includes(code) || code.startsWith('register.'), `${code} is explained`);
  });
}

test('an envelope: unknown fields and unknown keys count for nothing, another payload type is refused', () => {
  const payload = Buffer.from('{}');
  const judge = (bytes: Uint8Array, type = 'application/x') =>
    verifyEnvelope(rootOf(), 'sealer', type, bytes, {
      now: Date.parse('2027-01-01T00:00:00Z'),
      expectRehearsal: false,
    });
  const good = JSON.parse(Buffer.from(signEnvelope('application/x', payload, [ada.signer('Ada')])).toString('utf8'));
  const bytes = (over: object): Uint8Array => Buffer.from(JSON.stringify({ ...good, ...over }), 'utf8');
  assert.deepEqual(judge(bytes({})).holders, ['Ada']);
  assert.equal(judge(bytes({}), 'application/y').reasons[0]?.code, 'trust.payload-type');
  const stranger = JSON.parse(
    Buffer.from(signEnvelope('application/x', payload, [testKey().signer('Ada')])).toString('utf8'),
  ).signatures[0];
  const more = { ...MORE, critical: ['threshold'], signatures: [{ ...good.signatures[0], ...MORE }, stranger] };
  assert.deepEqual(judge(bytes(more)).holders, ['Ada'], 'nobody more');
  const alone = judge(bytes({ ...MORE, signatures: [{ ...stranger, ...MORE }] }));
  assert.deepEqual([alone.verdict, alone.holders, alone.reasons[0]?.code], ['unverified', [], 'trust.foreign-key']);
});

test('a note: unknown keys are passed over wherever they stand, and never stand in for one that is due', () => {
  const [log, other] = [testSigner(1), testSigner(2)];
  const vkey = parseLedgerVkey(`${log.vkey}\n`);
  assert.ok(!isProblem(vkey));
  const text = `${log.name}\n0\n${encodeBase64(Buffer.alloc(32))}\n`;
  const signed = (...by: readonly (typeof log)[]) => {
    const bytes = Buffer.from(text, 'utf8');
    return formatNote(
      bytes,
      by.map(({ name, keyHash, sign }) => ({ name, keyHash, signature: sign(bytes) })),
    );
  };
  // The same name with another key, another name, and a type of signature that does not exist yet.
  const unknownType = Buffer.from(signed(log))
    .toString('utf8')
    .replace(
      /\n$/,
      `\n\u2014 ${log.name} ${encodeBase64(Buffer.concat([Buffer.from('ffffffff', 'hex'), Buffer.alloc(200, 1)]))}\n`,
    );
  for (const note of [signed(log), signed(other, log), signed(log, other, other), Buffer.from(unknownType, 'utf8')]) {
    assert.ok(!('code' in openCheckpoint(note, vkey)));
  }
  for (const note of [signed(other), signed(other, other, other)]) assert.ok('code' in openCheckpoint(note, vkey));
  const wrong = Buffer.from(signed(other, log))
    .toString('utf8')
    .replace(/[A-Za-z0-9]{4}(=*)\n$/, 'AAAA$1\n');
  assert.ok(!isProblem(parseNote(Buffer.from(wrong, 'utf8'))));
  assert.ok(
    'code' in openCheckpoint(Buffer.from(wrong, 'utf8'), vkey),
    'one that is known and does not fit rejects it',
  );
  assert.ok('code' in openCheckpoint(signText(`${text}extension\n`, log), vkey), 'no line more than the three');
});

test('what is no JSON says its version first, and another one is not read', async () => {
  const { reasons } = await readBundle(medium(Buffer.from('sallyport-bundle/2\0')), {}, { until: 'head' });
  assert.deepEqual(
    reasons.map(({ code }) => code),
    ['bundle.unknown-version'],
  );
  const checkpoint = `\n\nx/0123456789abcdef\n0\n${encodeBase64(Buffer.alloc(32))}\n\n\u2014 x AAAAAAA=\n`;
  const proof = (header: string) => parseProof(Buffer.from(`${header}\nindex 0${checkpoint}`, 'utf8'));
  assert.ok(!isProblem(proof('c2sp.org/tlog-proof@v1')));
  assert.ok(isProblem(proof('c2sp.org/tlog-proof@v2')));
  assert.ok(!isProblem(parseConsistency(Buffer.from('sallyport-consistency/1\n'))));
  assert.ok(isProblem(parseConsistency(Buffer.from('sallyport-consistency/2\n'))));

  const digest: Digest = `sha256:${'0'.repeat(64)}`;
  const entry = (over: object) =>
    decodeEntry(
      Buffer.from(JSON.stringify({ 'sallyport-entry': '1.0', statement: digest, size: 1, type: 't', ...over }), 'utf8'),
    );
  assert.deepEqual(entry({ 'sallyport-entry': '1.9', ...MORE }), entry({}));
  assert.equal(entry({ 'sallyport-entry': '2.0' }), 'malformed');
  assert.equal(entry({ critical: ['shards'] }), 'malformed');
});
