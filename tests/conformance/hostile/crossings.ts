import { copyFile, cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import type { AdmitInput } from '#admit/operations';
import { type BundleHead, readBundle } from '#bundle';
import { seal } from '#bundle/operations';
import { craftBundle, type Lies, type Member, type Outside, outsideWith } from '#bundle/testing';
import { encodeStatement, STATEMENT_PAYLOAD_TYPE } from '#formats';
import { hostileCorpus } from '#gate/testing';
import { instantOf, type World } from '#kernel';
import { nodeFiles } from '#system';
import { type RootDraft, sealersOf, type Signer, signEnvelope } from '#trust';
import { signedRoot, testDraft, testKey, type TestKey } from '#trust/testing';
import { rowOf, type Sealable, sealable } from './contents.ts';
import { type Inside, put } from './side.ts';

/** One bundle that arrives, and everything that has to be so when it does. */
export interface Arrival {
  readonly bundle: string;
  readonly root: string;
  /** Bundles that come in before it. */
  readonly before?: readonly string[];
  /** `admission.yaml` behind its first line. */
  readonly rules?: string;
  readonly input?: Partial<AdmitInput>;
  readonly world?: Partial<World>;
  /** Done to the side inside right before. */
  readonly prepare?: (inside: Inside) => Promise<void>;
}

/** A case of the trust in a bundle: what is judged by `admit` and not by looking at one file. */
export interface Crossing {
  readonly id: string;
  readonly name: string;
  readonly cve: string;
  readonly expect: 'accept' | 'refuse';
  /** Codes that are among the reasons. */
  readonly codes: readonly string[];
  /** Verdict of `admit`, where it is not the usual one of its answer. */
  readonly verdict?: 'already-here';
  make(folder: string): Promise<Arrival>;
}

const HOUR = 60 * 60 * 1000;
const now = Date.parse('2026-11-22T06:00:00Z');
const clockAt = (time: number): Partial<World> => ({ clock: { now: () => time } });

/** People of a sealing side, each with a key. */
const people = {
  ada: testKey(),
  ben: testKey(),
  cat: testKey(),
  dan: testKey(),
  log: testKey(),
  eve: testKey(),
};
const half = { classic: testKey(), second: testKey('ecdsa-p256') };

/** The root of the corpus: Ada and Ben seal, Cat approves, Dan is the root. */
function draft(over: Partial<RootDraft> = {}): RootDraft {
  return testDraft(
    {
      ada: { key: people.ada, roles: ['sealer'] },
      ben: { key: people.ben, roles: ['sealer'] },
      cat: { key: people.cat, roles: ['approver'] },
      dan: { key: people.dan, roles: ['root'] },
      low: { key: people.log, roles: ['ledger'] },
    },
    { site: 'low', ...over },
  );
}
const byDan = (over: Partial<RootDraft> = {}): Uint8Array => signedRoot(draft(over), [people.dan.signer('dan')]);

/** A root whose text was changed before it was signed. */
function changedRoot(change: (text: string) => string, over: Partial<RootDraft> = { version: 2 }): Uint8Array {
  const envelope = JSON.parse(Buffer.from(byDan(over)).toString('utf8')) as { payload: string; payloadType: string };
  const text = change(Buffer.from(envelope.payload, 'base64').toString('utf8'));
  return signEnvelope(envelope.payloadType, Buffer.from(text, 'utf8'), [people.dan.signer('dan')]);
}

const plain: Sealable = goods('hello\n');

function goods(text: string): Sealable {
  const bytes = Buffer.from(text);
  return sealable([[rowOf(bytes, { ecosystem: 'files', name: 'a.txt', version: '', file: 'a.txt' }), bytes]]);
}

const sign = (...keys: readonly TestKey[]): Signer[] => keys.map((key, at) => key.signer(`holder ${at}`));

async function bundleOf(
  path: string,
  signers: readonly Signer[],
  lies: Lies = {},
  what: Sealable = plain,
): Promise<string> {
  return put(path, await craftBundle(what.lock, what.contents, signers, lies));
}

type How = {
  readonly signers?: readonly Signer[];
  readonly lies?: Lies;
  readonly root?: () => Uint8Array;
  readonly rest?: Partial<Arrival>;
  readonly expect?: 'accept';
};

/** A bundle that is right but for what is said. */
function one(id: string, name: string, cve: string, codes: string, how: How = {}): Crossing {
  return {
    id,
    name: `bundle-${name}`,
    cve,
    expect: how.expect ?? (id === 'control' ? 'accept' : 'refuse'),
    codes: codes === '' ? [] : codes.split(' '),
    make: async (folder) => ({
      bundle: await bundleOf(`${folder}/bundle`, how.signers ?? sign(people.ada), how.lies),
      root: await put(`${folder}/root.dsse.json`, (how.root ?? byDan)()),
      ...how.rest,
    }),
  };
}

/** A bundle that carries these envelopes beside its seal. */
const carrying = (members: readonly Member[]): Lies => ({
  seal: (statement) => ({
    ...statement,
    carries: members.map(({ name, bytes }) => ({ name, sha256: createHash('sha256').update(bytes).digest('hex') })),
  }),
  carried: () => [...members],
});
const withRoots = (...roots: readonly (() => Uint8Array)[]): Lies =>
  carrying(roots.map((root, at) => ({ name: `root.${at + 2}.dsse.json`, bytes: root() })));
const successor = (name: string, cve: string, codes: string, root: () => Uint8Array): Crossing =>
  one('HC-20', `root-${name}`, cve, codes, { lies: withRoots(root) });
const thresholdOf =
  (value: string): (() => Uint8Array) =>
  () =>
    changedRoot((text) => text.replace('"sealer": 1', `"sealer": ${value}`));

/** JSON of the corpus, as the statement that is signed. */
const documents: readonly Crossing[] = hostileCorpus
  .filter(({ as, expect, name }) => as === 'json' && expect === 'refuse' && name !== 'json-large')
  .map(({ id, name, cve, make }) =>
    one(id, `signed-${name}`, cve, 'bundle.statement', { lies: { payload: () => make() as Uint8Array } }),
  );

const more = (count: number): TestKey[] => Array.from({ length: count }, () => testKey());
const envelopeText =
  (change: (text: string) => string) =>
  (bytes: Uint8Array): Uint8Array =>
    Buffer.from(change(Buffer.from(bytes).toString('utf8')));

const endless: readonly Crossing[] = [
  one('HC-19', 'signatures-17', 'CVE-2023-33957', 'bundle.limit', { signers: sign(...more(17)) }),
  one('HC-19', 'signatures-5000', 'CVE-2023-33958, CVE-2024-29902', 'bundle.envelope', {
    lies: {
      envelope: envelopeText((text) =>
        text.replace(/\[(\{"keyid".*?\})\]/, (_, signature: string) => `[${Array(5000).fill(signature).join(',')}]`),
      ),
    },
  }),
  one('HC-19', 'signature-long', 'CVE-2025-66564', 'bundle.envelope', {
    lies: { envelope: envelopeText((text) => text.replace(/"sig":"[^"]*"/, `"sig":"${'AAAA'.repeat(3000)}"`)) },
  }),
  one('HC-19', 'attestations-300', 'CVE-2024-29903', 'bundle.limit', {
    lies: carrying(Array.from({ length: 300 }, (_, at) => ({ name: `a${at}.json`, bytes: Buffer.from('{}') }))),
  }),
  one('HC-19', 'attestations-large', 'CVE-2023-46737', 'bundle.limit', {
    lies: carrying(Array.from({ length: 18 }, (_, at) => ({ name: `a${at}.json`, bytes: Buffer.alloc(1024 ** 2) }))),
  }),
  one('HC-19', 'attestation-large', 'CVE-2024-45395', 'bundle.limit', {
    lies: carrying([{ name: 'a.json', bytes: Buffer.alloc(1024 ** 2 + 1) }]),
  }),
  one('HC-19', 'envelope-endless', 'CVE-2025-66506', 'bundle.limit', {
    lies: {
      members: (all) =>
        all.map((one) => (/seal\.dsse/.test(one.name) ? { ...one, bytes: Buffer.alloc(2 ** 21) } : one)),
    },
  }),
  one('HC-19', 'statement-deep', 'CVE-2025-55199', 'bundle.statement', {
    lies: {
      payload: (bytes) =>
        Buffer.from(
          bytes.toString().replace('"critical":[]', `"critical":[],"x":${'['.repeat(500)}${']'.repeat(500)}`),
        ),
    },
  }),
  one('HC-19', 'index-blobs', '', 'bundle.limit', {
    lies: { index: (bytes) => Buffer.from(bytes.toString().replace(/"blobs":\d+/, '"blobs":250001')) },
  }),
  one('HC-19', 'index-line', '', 'bundle.limit', {
    lies: {
      index: (bytes) =>
        Buffer.from(bytes.toString().replace('"critical":[]', `"critical":[],"x":"${'x'.repeat(5000)}"`)),
    },
  }),
];

const flipLast = (bytes: Uint8Array): Uint8Array => {
  const text = Buffer.from(bytes).toString('utf8');
  return Buffer.from(text.replace(/"sig":"(..)/, (_, two: string) => `"sig":"${two === 'AA' ? 'BB' : 'AA'}`));
};
const hybrid = (): RootDraft => {
  const base = draft();
  const keys = [half.classic, half.second];
  return {
    ...base,
    holders: base.holders.map((holder) =>
      holder.name === 'ada' ? { ...holder, keys, require: { sealer: keys.map(({ keyid }) => keyid) } } : holder,
    ),
  };
};
const twoNeeded = (): Uint8Array => byDan({ thresholds: { ...draft().thresholds, sealer: 2 } });
const revoking = (): Uint8Array => {
  const base = draft();
  return byDan({
    version: 2,
    holders: base.holders.filter(({ name }) => name !== 'ada'),
    roles: { ...base.roles, sealer: ['ben'] },
    revoked: [{ keyid: people.ada.keyid, since: '2026-11-01T00:00:00Z', reason: 'lost' }],
  });
};

const signatures: readonly Crossing[] = [
  one('HC-20', 'stranger', 'CVE-2026-54787', 'trust.foreign-key', { signers: sign(people.eve) }),
  one('HC-20', 'approver-seals', '', 'trust.wrong-role', { signers: sign(people.cat) }),
  one('HC-20', 'ledger-seals', '', 'trust.wrong-role', { signers: sign(people.log) }),
  one('HC-20', 'root-seals', '', 'trust.wrong-role', { signers: sign(people.dan) }),
  one('HC-20', 'one-of-two', 'CVE-2026-49834', 'trust.threshold', { root: twoNeeded }),
  one('HC-20', 'one-and-a-stranger', 'CVE-2026-49834', 'trust.threshold', {
    root: twoNeeded,
    signers: sign(people.ada, people.eve),
  }),
  one('HC-20', 'same-twice', 'CVE-2026-49834', 'bundle.envelope', {
    root: twoNeeded,
    signers: sign(people.ada, people.ada),
  }),
  one('HC-20', 'half-of-a-pair', '', 'trust.threshold', {
    root: () => signedRoot(hybrid(), [people.dan.signer('dan')]),
    signers: sign(half.classic),
  }),
  one('HC-20', 'root-expired', 'CVE-2026-24122', 'trust.root-expired', {
    root: () => byDan({ expires: instantOf(now - HOUR) }),
  }),
  one('HC-20', 'key-revoked', '', 'trust.revoked-key', { lies: withRoots(revoking) }),
  one('HC-20', 'wrong-destination', '', 'admit.wrong-destination', {
    lies: { seal: (statement) => ({ ...statement, destinations: ['mars'] }) },
  }),
  one('HC-20', 'channel-not-delegated', 'CVE-2024-47534', 'bundle.channel', {
    root: () => byDan({ channels: ['other'] }),
  }),
  one('HC-20', 'rehearsal', '', 'trust.rehearsal-root', { root: () => byDan({ custody: 'rehearsal' }) }),
  one('HC-20', 'bad-signature', '', 'trust.bad-signature', {
    lies: {
      envelope: flipLast,
      members: (all) =>
        all.map((member) => {
          if (!/seal\.0\.sig$/.test(member.name)) return member;
          const envelope = all.find(({ name }) => /seal\.dsse\.json$/.test(name))!;
          const { signatures: list } = JSON.parse(Buffer.from(envelope.bytes).toString()) as {
            signatures: { sig: string }[];
          };
          return { ...member, bytes: Buffer.from(list[0]!.sig, 'base64') };
        }),
    },
  }),
  one('HC-20', 'key-of-envelope', 'CVE-2026-23992', 'trust.foreign-key', {
    // Its own public key lies beside the seal, as in honest bundles.
    signers: sign(people.eve),
    lies: carrying([{ name: 'seal.0.pem', bytes: Buffer.from(people.eve.signer('eve').publicKeyPem) }]),
  }),
  successor('threshold-0', 'CVE-2026-23992', 'trust.root-malformed', thresholdOf('0')),
  successor('threshold-negative', 'CVE-2026-23992', 'trust.root-malformed', thresholdOf('-1')),
  successor('threshold-half', 'CVE-2026-23992', 'trust.root-malformed', thresholdOf('1.5')),
  successor('threshold-null', 'CVE-2026-23992', 'trust.root-malformed', thresholdOf('null')),
  successor('threshold-text', 'CVE-2026-23992', 'trust.root-malformed', thresholdOf('"1"')),
  successor('threshold-huge', 'CVE-2026-23992', 'trust.root-malformed', thresholdOf('3')),
  successor('threshold-twice', '', 'trust.root-malformed', thresholdOf('1, "sealer": 1')),
  successor('key-two-ids', 'CVE-2026-49834', 'trust.root-malformed', () =>
    changedRoot((text) => text.replaceAll(people.ben.keyid, 'f'.repeat(people.ben.keyid.length))),
  ),
  successor('key-two-holders', 'CVE-2026-49834', 'trust.root-malformed', () => {
    const base = draft({ version: 2 });
    const [ada, ben, ...rest] = base.holders;
    return signedRoot({ ...base, holders: [ada!, { ...ben!, keys: ada!.keys, require: ada!.require }, ...rest] }, [
      people.dan.signer('dan'),
    ]);
  }),
  successor('sealer-approves', '', 'trust.root-malformed', () => {
    const base = draft({ version: 2 });
    return signedRoot({ ...base, roles: { ...base.roles, approver: ['ada'] } }, [people.dan.signer('dan')]);
  }),
  successor('private-key', '', 'trust.root-malformed', () =>
    changedRoot((text) =>
      text.replace(
        /"public": "[^"]*"/,
        `"public": "${people.ada.private.export({ format: 'der', type: 'pkcs8' }).toString('base64')}"`,
      ),
    ),
  ),
  successor('unsigned', 'CVE-2026-23992', 'trust.root-unsigned', () =>
    signedRoot(draft({ version: 2 }), [people.eve.signer('dan')]),
  ),
  successor('by-itself', '', 'trust.foreign-root', () => {
    const base = draft({ version: 2 });
    const holders = base.holders.map((holder) =>
      holder.name === 'dan' ? { ...holder, keys: [people.eve], require: { root: [people.eve.keyid] } } : holder,
    );
    return signedRoot({ ...base, holders }, [people.eve.signer('dan')]);
  }),
  successor('gap', '', 'trust.root-gap', () => byDan({ version: 3 })),
  successor('other-site', 'CVE-2026-24686', 'trust.root-site', () => byDan({ version: 2, site: 'elsewhere' })),
  successor('site-path', 'CVE-2026-24686', 'trust.root-malformed', () => byDan({ version: 2, site: '../../etc' })),
  successor('version-again', '', 'trust.foreign-root', () => byDan({ version: 1, expires: '2029-01-01T00:00:00Z' })),
  one('HC-20', 'root-revocation-dropped', '', 'trust.revocation-dropped', {
    lies: withRoots(revoking, () => byDan({ version: 3 })),
    signers: sign(people.ben),
  }),
  one('control', 'plain', '', ''),
  one('control', 'two-of-two', '', '', { root: twoNeeded, signers: sign(people.ada, people.ben) }),
  one('control', 'stranger-beside-enough', '', '', { signers: sign(people.ada, people.eve) }),
  one('control', 'pair', '', '', {
    root: () => signedRoot(hybrid(), [people.dan.signer('dan')]),
    signers: sign(half.classic, half.second),
  }),
  one('control', 'root-2-carried', '', '', {
    lies: withRoots(() => byDan({ version: 2 })),
  }),
  one('control', 'other-key-after-revocation', '', '', { lies: withRoots(revoking), signers: sign(people.ben) }),
  one('control', 'for-this-site', '', '', {
    lies: { seal: (statement) => ({ ...statement, destinations: ['mars', 'high'] }) },
  }),
  one('control', 'fourteen-signatures', '', '', { signers: sign(people.ada, people.ben, ...more(12)) }),
];

const subject = (text: string): Lies => ({
  payload: (bytes) => Buffer.from(bytes.toString().replace(/"subject":\[.*?\}\}\]/, `"subject":${text}`)),
});
const attestations: readonly Crossing[] = [
  one('HC-24', 'predicate-of-a-root', 'CVE-2022-35929', 'bundle.statement', {
    lies: { payload: (bytes) => Buffer.from(bytes.toString().replace('sallyport/seal/v1', 'sallyport/root/v1')) },
  }),
  one('HC-24', 'predicate-of-an-approval', 'CVE-2022-35929', 'bundle.statement', {
    lies: { payload: (bytes) => Buffer.from(bytes.toString().replace('sallyport/seal/v1', 'sallyport/approval/v1')) },
  }),
  one('HC-24', 'payload-type', 'CVE-2025-62375', 'bundle.envelope', { lies: { payloadType: 'application/json' } }),
  one('HC-24', 'statement-type', 'CVE-2025-62375', 'bundle.statement', {
    lies: { payload: (bytes) => Buffer.from(bytes.toString().replace('Statement/v1', 'Statement/v0.1')) },
  }),
  one('HC-24', 'no-subject', 'CVE-2021-41087', 'bundle.statement', { lies: subject('[]') }),
  one('HC-24', 'glob-subject', 'CVE-2021-41087, GO-2026-5547', 'bundle.statement', {
    lies: subject('[{"name":"*","digest":{"sha256":"*"}}]'),
  }),
  one('HC-24', 'weak-subject', '', 'bundle.statement', {
    lies: subject(`[{"name":"index.jsonl","digest":{"sha1":"${'a'.repeat(40)}"}}]`),
  }),
  one('HC-24', 'other-subject', '', 'bundle.subject', {
    lies: subject(`[{"name":"index.jsonl","digest":{"sha256":"${'a'.repeat(64)}"}}]`),
  }),
  one('HC-24', 'two-subjects', '', 'bundle.statement', {
    lies: { payload: (bytes) => Buffer.from(bytes.toString().replace(/"subject":\[(.*?\}\})\]/, '"subject":[$1,$1]')) },
  }),
];

/** What a ring before this one signed, of which the bundle `make` is given. */
function promotion(name: string, cve: string, codes: string, change: (index: string) => PromotionLike): Crossing {
  return {
    id: codes === '' ? 'control' : 'HC-24',
    name: `promotion-${name}`,
    cve,
    expect: codes === '' ? 'accept' : 'refuse',
    codes: codes === '' ? [] : [codes],
    make: async (folder) => {
      const rings = [
        { ring: 'staging', sites: ['test'] },
        { ring: 'production', sites: ['high'] },
      ];
      const lies: Lies = { seal: (statement) => ({ ...statement, destinations: ['test', 'high'], rings }) };
      const bundle = await bundleOf(`${folder}/bundle`, sign(people.ada), lies);
      const { index } = (await headOf(bundle)).seal;
      const { by, predicateType, predicate, sha256 } = change(index.slice('sha256:'.length));
      const statement = { predicateType, subject: [{ name: 'index.jsonl', digest: { sha256 } }], predicate };
      const envelope = signEnvelope(STATEMENT_PAYLOAD_TYPE, encodeStatement(statement), sign(by));
      return {
        bundle,
        root: await put(`${folder}/root.dsse.json`, byDan()),
        rules: 'promoted: [staging]\n',
        input: { promotion: [await put(`${folder}/promotion.dsse.json`, envelope)] },
      };
    },
  };
}
interface PromotionLike {
  readonly by: TestKey;
  readonly predicateType: string;
  readonly sha256: string;
  readonly predicate: { readonly [key: string]: string | number | [] | { [key: string]: string | number } };
}
const promoted = (
  sha256: string,
  over: Partial<PromotionLike> = {},
  more: PromotionLike['predicate'] = {},
): PromotionLike => ({
  by: people.cat,
  predicateType: 'sallyport/promotion/v1',
  sha256,
  predicate: {
    version: '1.0',
    critical: [],
    ring: 'staging',
    site: 'test',
    channel: 'main',
    sequence: 1,
    receipt: { origin: 'test/0', index: 0, proof: 'cHJvb2Y=' },
    results: [],
    ...more,
  },
  ...over,
});
const promotions: readonly Crossing[] = [
  promotion('good', '', '', (index) => promoted(index)),
  promotion('without-receipt', '', 'admit.promotion-other', (index) =>
    promoted(index, {}, { receipt: { origin: 'test/0', index: 0, proof: '' } }),
  ),
  promotion('other-bundle', 'CVE-2026-22703', 'admit.promotion-other', () => promoted('a'.repeat(64))),
  promotion('other-ring', '', 'admit.promotion-other', (index) => promoted(index, {}, { ring: 'production' })),
  promotion('other-site', '', 'admit.promotion-other', (index) => promoted(index, {}, { site: 'mars' })),
  promotion('by-the-sealer', 'CVE-2024-47534', 'trust.wrong-role', (index) => promoted(index, { by: people.ada })),
  promotion('by-a-stranger', '', 'trust.foreign-key', (index) => promoted(index, { by: people.eve })),
  promotion('other-predicate', 'CVE-2022-35929', 'admit.promotion-other', (index) =>
    promoted(index, { predicateType: 'sallyport/approval/v1' }),
  ),
  one('HC-24', 'promotion-missing', 'CVE-2026-35205', 'admit.not-promoted', {
    rest: { rules: 'promoted: [staging]\n' },
  }),
];

/** What the scanner of a site said, of the bundle whose digest `say` is given. */
function scan(name: string, codes: string, say: (sha256: string) => Uint8Array | undefined, known = true): Crossing {
  return {
    id: codes === '' ? 'control' : 'HC-27',
    name: `scan-${name}`,
    cve: '',
    expect: codes === '' ? 'accept' : 'refuse',
    codes: codes === '' ? [] : [codes],
    make: async (folder) => {
      const bundle = await bundleOf(`${folder}/bundle`, sign(people.ada));
      const said = say(
        createHash('sha256')
          .update(await readFile(bundle))
          .digest('hex'),
      );
      return {
        bundle,
        root: await put(`${folder}/root.dsse.json`, byDan()),
        rules: 'scans: [kiosk]\n',
        input: said === undefined ? {} : { scan: [await put(`${folder}/scan.dsse.json`, said)] },
        prepare: async ({ home }) => {
          await mkdir(`${home}/trust/scanners`, { recursive: true });
          if (known) await writeFile(`${home}/trust/scanners/kiosk.pem`, scanner.signer('kiosk').publicKeyPem);
        },
      };
    },
  };
}
const scanner = testKey();
const scanned = (sha256: string, verdict: string, by = scanner, predicateType = 'sallyport/scan/v1'): Uint8Array =>
  signEnvelope(
    STATEMENT_PAYLOAD_TYPE,
    encodeStatement({
      predicateType,
      subject: [{ name: 'volume', digest: { sha256 } }],
      predicate: { version: '1.0', critical: [], scanner: 'kiosk', verdict, engine: 'test 1', at: instantOf(now) },
    }),
    [by.signer('kiosk')],
  );
const scans: readonly Crossing[] = [
  scan('clean', '', (sha256) => scanned(sha256, 'clean')),
  scan('silent', 'custody.scan', () => undefined),
  scan('empty', 'custody.scan', () => Buffer.alloc(0)),
  scan('cut', 'custody.scan', (sha256) => scanned(sha256, 'clean').subarray(0, 100)),
  scan('unsigned', 'custody.scan', (sha256) => flipLast(scanned(sha256, 'clean'))),
  scan('by-a-stranger', 'custody.scan', (sha256) => scanned(sha256, 'clean', people.eve)),
  scan('of-another-volume', 'custody.scan', () => scanned('a'.repeat(64), 'clean')),
  scan('infected', 'custody.scan', (sha256) => scanned(sha256, 'infected')),
  scan('unknown', 'custody.scan', (sha256) => scanned(sha256, 'unknown')),
  scan('verdict-new', 'custody.scan', (sha256) => scanned(sha256, 'probably')),
  scan('other-predicate', 'custody.scan', (sha256) => scanned(sha256, 'clean', scanner, 'sallyport/seal/v1')),
  scan('scanner-not-known', 'custody.scan', (sha256) => scanned(sha256, 'clean'), false),
];

async function headOf(path: string): Promise<BundleHead> {
  const bytes = await readFile(path);
  let at = 0;
  const medium = {
    read: async (into: Uint8Array) => {
      const count = bytes.copy(into, 0, at);
      at += count;
      return count;
    },
    close: async () => undefined,
  };
  const { head } = await readBundle(medium, {}, { until: 'head' });
  if (head === undefined) throw new Error(`${path} is no bundle`);
  return head;
}

/** A real sealing side with two releases, the first of which was sealed before the second. */
interface Releases {
  readonly outside: Outside;
  readonly one: string;
  readonly two: string;
  readonly signers: readonly Signer[];
}

async function releases(folder: string): Promise<Releases> {
  const outside = await outsideWith(folder, {});
  await outside.hold({ 'a.txt': Buffer.from('first release\n') }, { stable: '1' });
  const first = await outside.seal('one');
  await copyFile(`${folder}/sallyport.lock`, `${folder}/one.lock`);
  await outside.hold({ 'a.txt': Buffer.from('second release\n') }, { stable: '2' });
  const two = await outside.seal('two');
  return { outside, one: first, two, signers: await sealersOf(nodeFiles, outside.home) };
}

function of(
  id: string,
  name: string,
  cve: string,
  codes: string,
  make: (all: Releases, folder: string) => Promise<Partial<Arrival> & { readonly bundle: string }>,
  more: Partial<Crossing> = {},
): Crossing {
  return {
    id,
    name: `release-${name}`,
    cve,
    expect: id === 'control' ? 'accept' : 'refuse',
    codes: codes === '' ? [] : codes.split(' '),
    make: async (folder) => {
      const all = await releases(folder);
      return { root: all.outside.root, ...(await make(all, folder)) };
    },
    ...more,
  };
}

/** Bundles of the side of `all`, crafted: the second release with other parts. */
async function crafted(
  { outside, signers }: Releases,
  lies: Lies,
  text = 'second release\n',
  lock = 'sallyport.lock',
): Promise<string> {
  const bytes = await craftBundle(await readFile(`${outside.folder}/${lock}`), [Buffer.from(text)], signers, lies);
  return put(`${outside.folder}/crafted`, bytes);
}

/** What another bundle carries about the log, in this one. */
async function logOf(
  all: Releases,
  path: string,
  change: (members: Member[]) => Member[] = (one) => one,
): Promise<string> {
  const { carried, seal: sealed } = await headOf(path);
  const members = change(
    [...carried]
      .filter(([name]) => name.startsWith('ledger.'))
      .map(([name, bytes]) => ({ name, bytes: Buffer.from(bytes) })),
  );
  const lies = carrying(members);
  return crafted(all, { ...lies, seal: (statement) => ({ ...lies.seal!(statement), sequence: sealed.sequence + 5 }) });
}
const changed =
  (name: string, change: (text: string) => string) =>
  (members: Member[]): Member[] =>
    members.map((member) =>
      member.name === name ? { name, bytes: Buffer.from(change(Buffer.from(member.bytes).toString('utf8'))) } : member,
    );

const proofs: readonly Crossing[] = [
  of('HC-21', 'proof-of-another', 'CVE-2026-22703', 'admit.low-ledger', async (all) => ({
    bundle: await logOf(all, all.two),
  })),
  of('HC-21', 'proof-of-older', 'CVE-2026-22703', 'admit.low-ledger', async (all) => ({
    bundle: await logOf(all, all.one),
  })),
  of('HC-21', 'proof-malformed', 'CVE-2026-39395', 'admit.low-ledger', async (all) => ({
    bundle: await logOf(
      all,
      all.two,
      changed('ledger.proof', (text) => `x${text}`),
    ),
  })),
  of('HC-21', 'proof-empty', 'CVE-2026-39395', 'admit.low-ledger', async (all) => ({
    bundle: await logOf(
      all,
      all.two,
      changed('ledger.proof', () => ''),
    ),
  })),
  of('HC-21', 'entry-other', 'CVE-2026-22703', 'admit.low-ledger', async (all) => ({
    bundle: await logOf(
      all,
      all.two,
      changed('ledger.entry', (text) => text.replace('"size":', '"size":1')),
    ),
  })),
  of('HC-21', 'statement-other', 'CVE-2026-22703', 'admit.low-ledger', async (all) => ({
    bundle: await logOf(
      all,
      all.two,
      changed('ledger.statement', (text) => text.replace('"sig":"', '"sig":"A')),
    ),
  })),
  of('HC-21', 'checkpoint-unsigned', 'CVE-2026-56865', 'admit.low-ledger', async (all) => ({
    bundle: await logOf(
      all,
      all.two,
      changed('ledger.proof', (text) => text.replace(/\n— (\S+) .{8}/, '\n— $1 AAAAAAAA')),
    ),
  })),
  of('HC-21', 'consistency-malformed', 'CVE-2026-39395', 'admit.low-ledger', async (all) => ({
    bundle: await logOf(
      all,
      all.two,
      changed('ledger.consistency', () => 'nothing'),
    ),
  })),
  of('HC-21', 'seal-without-signature', 'CVE-2026-35205', 'bundle.member', async (all) => ({
    bundle: await crafted(all, { members: (members) => members.filter(({ name }) => !/seal\.\d+\.sig$/.test(name)) }),
  })),
  of('control', 'first', '', '', async ({ one: bundle }) => ({ bundle })),
  of('control', 'second-after-first', '', '', async ({ one: first, two }) => ({ bundle: two, before: [first] })),
];

const mixes: readonly Crossing[] = [
  of('HC-22', 'older', 'CVE-2022-29173, CVE-2024-23332', 'admit.older', async ({ one: first, two }) => ({
    bundle: first,
    before: [two],
  })),
  of('HC-22', 'same-number', 'CVE-2024-23332', 'admit.sequence-reused', async (all) => {
    await all.outside.hold({ 'a.txt': Buffer.from('third\n') }, { stable: '3' });
    const bundle = await crafted(all, { seal: (statement) => ({ ...statement, sequence: 2 }) }, 'third\n');
    return { bundle, before: [all.two] };
  }),
  of('HC-22', 'number-jumps', '', 'admit.sequence-jump', async (all) => ({
    bundle: await crafted(all, { seal: (statement) => ({ ...statement, sequence: 5000 }) }),
    before: [all.one],
  })),
  of('HC-22', 'index-of-another', '', 'bundle.subject', async (all) => {
    const other = await headOf(all.one);
    return {
      bundle: await crafted(all, {
        members: (members) =>
          members.map((member) =>
            /index\.jsonl$/.test(member.name) ? { ...member, bytes: other.indexBytes } : member,
          ),
      }),
    };
  }),
  of('HC-22', 'contents-of-another', '', 'bundle.lock', async (all) => ({
    bundle: await crafted(all, {}, 'first release\n'),
  })),
  of('HC-22', 'lock-of-another', '', 'bundle.lock', async (all) => ({
    bundle: await crafted(all, {}, 'second release\n', 'one.lock'),
  })),
  of('HC-22', 'sealed-in-future', '', 'admit.sealed-in-future', async (all) => ({
    bundle: await crafted(all, { seal: (statement) => ({ ...statement, sealed: instantOf(now + 48 * HOUR) }) }),
  })),
  of('HC-22', 'frozen', '', 'admit.expired', async ({ one: bundle }) => ({
    bundle,
    world: clockAt(now + 400 * 24 * HOUR),
  })),
  of('HC-22', 'clock-set-back', '', 'admit.clock-behind', async (all) => ({
    before: [all.one],
    bundle: await crafted(all, {
      seal: (statement) => ({ ...statement, sequence: 2, sealed: instantOf(now - 100 * HOUR) }),
    }),
    world: clockAt(now - 72 * HOUR),
  })),
  of('HC-22', 'half-a-medium', '', 'bundle.truncated', async ({ two, outside }) => ({
    bundle: await put(`${outside.folder}/half`, (await readFile(two)).subarray(0, -512)),
  })),
  of('HC-22', 'two-on-a-medium', '', 'bundle.trailing', async ({ one: first, two, outside }) => ({
    bundle: await put(`${outside.folder}/both`, Buffer.concat([await readFile(first), await readFile(two)])),
  })),
  of(
    'control',
    'replayed',
    '',
    'admit.replayed',
    async ({ one: first, two }) => ({ bundle: first, before: [first, two] }),
    {
      verdict: 'already-here',
    },
  ),
  of('control', 'again', '', '', async ({ one: bundle }) => ({ bundle, before: [bundle] }), {
    verdict: 'already-here',
  }),
];

/** The log of a copied side: the same key, another past. */
async function forkOf(all: Releases, folder: string, count: number): Promise<string> {
  const home = `${folder}/copy`;
  let last = '';
  for (let at = 0; at < count; at++) {
    await all.outside.hold({ 'a.txt': Buffer.from(`fork ${at}\n`) }, { stable: '9' });
    await cp(`${all.outside.home}/store`, `${home}/store`, { recursive: true, force: true });
    last = `${folder}/fork${at}`;
    await (await seal.load()).run({ out: last, home, file: `${folder}/sallyport.yaml` }, all.outside.world);
  }
  return last;
}
const logs: readonly Crossing[] = [
  {
    id: 'HC-23',
    name: 'low-log-forked',
    cve: 'CVE-2026-56864',
    expect: 'refuse',
    codes: ['ledger.forked'],
    make: async (folder) => {
      const outside = await outsideWith(folder, {});
      await cp(outside.home, `${folder}/copy`, { recursive: true });
      await outside.hold({ 'a.txt': Buffer.from('true\n') }, { stable: '1' });
      const first = await outside.seal('one');
      const all = { outside, one: first, two: first, signers: [] };
      return { bundle: await forkOf(all, folder, 3), root: outside.root, before: [first] };
    },
  },
];

/** What changes between the look and the use. */
const swaps: readonly Crossing[] = [
  of('HC-25', 'medium-changes-while-read', 'CVE-2025-47290', 'bundle.digest', async ({ two }) => ({
    bundle: two,
    // The medium gives other bytes from the second mebibyte, or the last blocks, on.
    world: {
      files: changing(two, (bytes, position) =>
        position > 0 ? Buffer.alloc(bytes.length, 0x41) : middleFlipped(bytes),
      ),
    },
  })),
  of('HC-25', 'one-bit-of-a-blob', '', 'bundle.digest', async ({ two, outside }) => ({
    bundle: await put(`${outside.folder}/changed`, middleFlipped(await readFile(two))),
  })),
  of('control', 'file-replaced-after-opening', '', '', async ({ one: first, two, outside }) => {
    const path = `${outside.folder}/arriving`;
    await copyFile(first, path);
    await copyFile(two, `${outside.folder}/next`);
    // What was opened is read to its end, whatever takes its name meanwhile.
    const files: World['files'] = {
      ...nodeFiles,
      async open(name, ...words) {
        const handle = await nodeFiles.open(name, ...words);
        if (name === path) await rename(`${outside.folder}/next`, path).catch(() => undefined);
        return handle;
      },
    };
    return { bundle: path, world: { files } };
  }),
  of('HC-25', 'tag-moved-back-by-another-channel', '', 'admit.older', async ({ outside, one: first }) => {
    const yaml = await readFile(`${outside.folder}/sallyport.yaml`, 'utf8');
    await writeFile(`${outside.folder}/fast.yaml`, yaml.replace('channel: main', 'channel: fast'));
    const later = { ...outside.world, clock: { now: () => outside.world.clock.now() + HOUR } };
    const fast = `${outside.folder}/fast`;
    await (await seal.load()).run({ out: fast, home: outside.home, file: `${outside.folder}/fast.yaml` }, later);
    return { bundle: first, before: [fast] };
  }),
];

function middleFlipped(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf('second release');
  if (at >= 0) copy[at]! ^= 1;
  return copy;
}

/** A medium that does not always give the same bytes. */
function changing(path: string, change: (bytes: Uint8Array, position: number) => Uint8Array): World['files'] {
  return {
    ...nodeFiles,
    async open(name, ...words) {
      const handle = await nodeFiles.open(name, ...words);
      if (name !== path) return handle;
      let position = 0;
      return {
        ...handle,
        async read(into, at) {
          const count = await handle.read(into, at);
          into.set(change(into.subarray(0, count), at ?? position).subarray(0, count));
          if (at === undefined) position += count;
          return count;
        },
      };
    },
  };
}

export const crossings: readonly Crossing[] = [
  ...documents,
  ...endless,
  ...signatures,
  ...attestations,
  ...promotions,
  ...proofs,
  ...mixes,
  ...logs,
  ...swaps,
  ...scans,
];
