import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type BundleHead, openMedium, readBundle } from '#bundle';
import { bundleLies, craftBundle, type Lies, type Member, type Sample } from '#bundle/testing';
import { decodeEnvelope, encodeBase64, encodeEnvelope, isProblem } from '#formats';
import { envelopeLies } from '#formats/testing';
import { hostileCorpus } from '#gate/testing';
import { type Digest, digestOf, hexOf } from '#kernel';
import { formatLock } from '#project';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { readRoot, type Signer, signEnvelope } from '#trust';
import { testKey } from '#trust/testing';

/** A bundle, or what is left of one, that the door must refuse, and by which name. */
export interface Tampered {
  readonly what:
    | 'medium'
    | 'structure'
    | 'envelope'
    | 'seal'
    | 'signatures'
    | 'roots'
    | 'ledger'
    | 'content'
    | 'hostile';
  readonly name: string;
  /** The one reason; of a hostile content those that must be among them. */
  readonly code: string;
  make(): Promise<Uint8Array>;
}

/** A sealed bundle taken apart. */
export interface Sealed {
  readonly bytes: Buffer;
  readonly head: BundleHead;
  readonly lock: Uint8Array;
  readonly contents: readonly Uint8Array[];
}

export async function takeApart(path: string): Promise<Sealed> {
  const found = new Map<Digest, Buffer>();
  const medium = await openMedium(testWorld(nodeFiles, '.'), path);
  try {
    const begin = async ({ digest }: { digest: Digest }) => {
      const parts: Buffer[] = [];
      return {
        write: async (part: Uint8Array) => void parts.push(Buffer.from(part)),
        end: async () => void found.set(digest, Buffer.concat(parts)),
        abort: async () => undefined,
      };
    };
    const { verdict, head, lock } = await readBundle(medium, { begin }, { until: 'end' });
    if (verdict !== 'whole' || head === undefined || lock === undefined) throw new Error('not a whole bundle');
    const contents = head.index.blobs.slice(1).map(({ digest }) => found.get(digest)!);
    return { bytes: Buffer.from(await nodeFiles.read(path, 64 * 1024 * 1024)), head, lock, contents };
  } finally {
    await medium.close();
  }
}

/** Contents for the project: one small, one compressed, one that is stored in a frame. */
export const sample: Sample = {
  small: Buffer.from('hello\n'),
  packed: gzipSync(randomBytes(20_000)),
  text: Buffer.from('some text '.repeat(3000)),
};

/**
 * The same bundle, written by other code than the writer's. Without a lie it has the same bytes; with one it is what a
 * dishonest or careless sealer would send, signed all the same.
 */
export function sealAgain({ head, lock, contents }: Sealed, signers: readonly Signer[], lies: Lies = {}) {
  let real: Member[] = [...head.carried].map(([name, bytes]) => ({ name, bytes }));
  return craftBundle(lock, contents, signers, {
    ...lies,
    seal: (crafted) => {
      const { index, indexBytes, lock: digest, blobs, bytes, signers: keyids } = crafted;
      // The log of the outside knows nothing of another index: its word is left out, as other writers do.
      if (index !== head.seal.index) real = real.filter(({ name }) => !name.startsWith('ledger.'));
      const carries = head.seal.carries.filter(({ name }) => real.some((one) => one.name === name));
      const seal = { ...head.seal, index, indexBytes, lock: digest, blobs, bytes, signers: keyids, carries };
      return lies.seal?.(seal) ?? seal;
    },
    carried: () => lies.carried?.([...real]) ?? real,
  });
}

/** Other documents in the bundle, and a seal that vouches for them. */
function carrying(sealed: Sealed, change: (members: Member[]) => Member[]): Lies {
  const members = change([...sealed.head.carried].map(([name, bytes]) => ({ name, bytes })));
  const carries = members.map(({ name, bytes }) => ({ name, sha256: hexOf(digestOf(bytes)) }));
  return { seal: (seal) => ({ ...seal, carries }), carried: () => members };
}

const replace = (name: string, change: (bytes: Uint8Array) => Uint8Array) => (members: Member[]) =>
  members.map((one) => (one.name === name ? { name, bytes: change(one.bytes) } : one));

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

/** What a reader of the bundle alone finds late, the door finds earlier: the index does not fit the lock. */
const AT_THE_DOOR: Readonly<Record<string, string>> = {
  'an index that says more': 'bundle.lock',
  'an index that says a terabyte': 'bundle.lock',
  'an index that gives the frame more': 'bundle.lock',
};

/** What happens to a medium on its way, and what somebody without any key can do to it. */
export function tamperedOnTheWay(sealed: Sealed): Tampered[] {
  const { bytes } = sealed;
  const middle = bytes.length >> 1;
  const raw = (name: string, code: string, make: () => Uint8Array): Tampered => {
    return { what: 'medium', name, code, make: async () => make() };
  };
  const envelope = Buffer.from(sealed.head.sealEnvelope);
  const at = bytes.indexOf(envelope);
  return [
    raw('empty', 'bundle.empty', () => Buffer.alloc(0)),
    raw('something else', 'bundle.foreign', () => randomBytes(20_000)),
    raw('of the next format', 'bundle.unknown-version', () =>
      Buffer.concat([Buffer.from('sallyport-bundle/2\0'), bytes.subarray(19)]),
    ),
    raw('cut in the middle', 'bundle.truncated', () => bytes.subarray(0, middle)),
    raw('cut before its last block', 'bundle.truncated', () => bytes.subarray(0, -512)),
    raw('a bit of the first header', 'bundle.header', () => flip(bytes, 200)),
    raw('a bit of a content', 'bundle.digest', () => flip(bytes, bytes.indexOf(sample.packed) + 9_000)),
    raw('a bit of the seek table', 'bundle.seek', () => flip(bytes, bytes.indexOf('sallyport-bundle/seek') + 515)),
    raw('a block behind the end', 'bundle.trailing', () => Buffer.concat([bytes, Buffer.alloc(512)])),
    raw('twice in one file', 'bundle.trailing', () => Buffer.concat([bytes, bytes])),
    // In place, byte for byte as long, so that nothing but the envelope is another: one for each rule.
    ...[...Map.groupBy(envelopeLies(envelope), ({ name }) => name.split(' ')[0]).values()]
      .flatMap((lies) => lies.filter((lie) => lie.bytes.length <= envelope.length && lie.bytes.length > 0).slice(0, 1))
      .map(({ name, bytes: other }): Tampered => {
        const padded = Buffer.alloc(envelope.length, ' ');
        padded.set(other);
        padded[padded.length - 1] = 0x0a;
        const make = async () => Buffer.concat([bytes.subarray(0, at), padded, bytes.subarray(at + envelope.length)]);
        return { what: 'envelope', name: `in its place: ${name}`, code: 'bundle.envelope', make };
      }),
  ];
}

/** What dishonest or careless sealers could send: signed by as many as it takes. */
export function tamperedBySealers(sealed: Sealed, signers: readonly Signer[]): Tampered[] {
  const lie = (what: Tampered['what'], name: string, code: string, lies: Lies, by = signers): Tampered => {
    return { what, name, code, make: () => sealAgain(sealed, by, lies) };
  };
  const structure = Object.entries(bundleLies(sample)).map(([name, [code, lies]]) =>
    lie('structure', name, AT_THE_DOOR[name] ?? code, lies),
  );
  const envelopes = envelopeLies(sealed.head.sealEnvelope).map(({ name, bytes }) =>
    lie('envelope', name, 'bundle.envelope', { envelope: () => bytes }),
  );
  const sealLies: [name: string, code: string, lies: Lies][] = [
    [
      'for another site',
      'admit.wrong-destination',
      { seal: (s) => ({ ...s, destinations: ['elsewhere'], rings: [] }) },
    ],
    ['sealed in a year', 'admit.sealed-in-future', { seal: (s) => ({ ...s, sealed: '2199-01-01T00:00:00Z' }) }],
    ['a ring of sites that it is not for', 'bundle.statement', { seal: (s) => ({ ...s, destinations: [] }) }],
    ['sealed ten years ago', 'admit.expired', { seal: (s) => ({ ...s, sealed: '2016-01-01T00:00:00Z' }) }],
  ];
  return [
    ...structure,
    ...envelopes,
    ...sealLies.map(([name, code, lies]) => lie('seal', name, code, lies)),
    ...lowLedgerLies(sealed).map(([name, change]) => lie('ledger', name, 'admit.low-ledger', carrying(sealed, change))),
    ...contentLies(sealed, signers),
  ];
}

/** Keys that are not the sealers', too few of them, or signatures that do not fit. */
export function tamperedSignatures(sealed: Sealed, sealers: readonly Signer[], others: readonly Signer[]): Tampered[] {
  const [first, second] = sealers;
  if (first === undefined || second === undefined) throw new TypeError('two sealers are needed');
  const stranger = testKey().signer('Mallory');
  const by = (name: string, code: string, signers: readonly Signer[], lies: Lies = {}): Tampered => {
    return { what: 'signatures', name, code, make: () => sealAgain(sealed, signers, lies) };
  };
  /** Changes the signatures in the envelope and beside it together. */
  const resigned = (
    change: (sigs: { keyid: string; sig: Uint8Array }[]) => { keyid: string; sig: Uint8Array }[],
  ): Lies => {
    const signatures = (bytes: Uint8Array) => {
      const envelope = decodeEnvelope(bytes);
      if (isProblem(envelope)) throw new Error(envelope.detail);
      return { ...envelope, signatures: change([...envelope.signatures]) };
    };
    const keyids = change(sealers.map(({ keyid }) => ({ keyid, sig: new Uint8Array(64) })).sort(byId)).map(
      ({ keyid }) => keyid,
    );
    return {
      seal: (s) => ({ ...s, signers: keyids }),
      members: (members) => {
        const [seal, pae, ...rest] = members;
        const after = signatures(seal!.bytes);
        const beside = after.signatures.map(({ sig }, i) => ({
          name: seal!.name.replace('dsse.json', `${i}.sig`),
          bytes: sig,
        }));
        const others = rest.filter(({ name }) => !/seal\.\d+\.sig$/.test(name));
        return [{ name: seal!.name, bytes: encodeEnvelope(after) }, pae!, ...beside, ...others];
      },
    };
  };
  return [
    by('by one of two sealers', 'trust.threshold', [first]),
    by('by one sealer and a stranger', 'trust.threshold', [first, stranger]),
    by('by a stranger', 'trust.foreign-key', [stranger]),
    by('by holders of other roles', 'trust.wrong-role', others),
    by(
      'a signature that does not fit',
      'trust.bad-signature',
      sealers,
      resigned(([a, ...rest]) => [{ ...a!, sig: flip(a!.sig, 5) }, ...rest]),
    ),
    by(
      'signatures exchanged',
      'trust.bad-signature',
      sealers,
      resigned(([a, b]) => [
        { ...a!, sig: b!.sig },
        { ...b!, sig: a!.sig },
      ]),
    ),
    by(
      'one signature twice',
      'trust.duplicate-signature',
      sealers,
      resigned(([a]) => [a!, a!]),
    ),
  ];
}

const byId = (a: { keyid: string }, b: { keyid: string }): number => (a.keyid < b.keyid ? -1 : 1);

/** Roots on the medium that are not the site's. `newest` is the file of the newest one that the bundle carries. */
export function tamperedRoots(sealed: Sealed, sealers: readonly Signer[], holder: Signer): Tampered[] {
  const name = [...sealed.head.carried.keys()].filter((one) => one.startsWith('root.')).at(-1)!;
  const bytes = sealed.head.carried.get(name)!;
  const read = readRoot(bytes);
  if (!read.ok) throw new Error(read.reason.detail);
  const { envelope } = read.value;
  const document = JSON.parse(Buffer.from(envelope.payload).toString('utf8')) as Record<string, unknown>;
  const next = (change: object): Uint8Array =>
    Buffer.from(JSON.stringify({ ...document, version: (document['version'] as number) + 1, ...change }));
  const following = `root.${(document['version'] as number) + 1}.dsse.json`;
  const lie = (what: string, code: string, change: (members: Member[]) => Member[]): Tampered => {
    return { what: 'roots', name: what, code, make: () => sealAgain(sealed, sealers, carrying(sealed, change)) };
  };
  const add = (root: Uint8Array) => (members: Member[]) => [...members, { name: following, bytes: root }];
  const stranger = testKey();
  const alone = {
    holders: [
      {
        name: 'Mallory',
        keys: [{ keyid: stranger.keyid, algorithm: 'ed25519', public: encodeBase64(stranger.spki) }],
        require: { root: [stranger.keyid], sealer: [stranger.keyid] },
      },
    ],
    roles: { root: ['Mallory'], sealer: ['Mallory'] },
    thresholds: { root: 1, sealer: 1 },
  };
  const type = envelope.payloadType;
  return [
    lie(
      'the newest one in another form',
      'trust.root-malformed',
      replace(name, (one) => one.subarray(1)),
    ),
    lie(
      'the newest one with fewer signatures',
      'trust.root-unsigned',
      replace(name, () => encodeEnvelope({ ...envelope, signatures: envelope.signatures.slice(0, 1) })),
    ),
    lie(
      'the next one, by a stranger alone',
      'trust.foreign-root',
      add(signEnvelope(type, next(alone), [stranger.signer('Mallory')])),
    ),
    lie('the next one, by one holder of two', 'trust.root-unsigned', add(signEnvelope(type, next({}), [holder]))),
    lie(
      'the next one, by one holder of the old two',
      'trust.root-not-succeeded',
      add(signEnvelope(type, next(alone), [stranger.signer('Mallory'), holder])),
    ),
    lie(
      'one of the next format',
      'trust.root-needs-newer',
      add(signEnvelope(type, next({ 'sallyport-root': '2.0' }), [holder])),
    ),
    lie(
      'one that needs what nobody knows',
      'trust.root-needs-newer',
      add(signEnvelope(type, next({ critical: ['quorum-of-quorums'] }), [holder])),
    ),
  ];
}

/** The outside's word about its own log, changed by whoever seals. */
function lowLedgerLies({ head }: Sealed): [name: string, change: (members: Member[]) => Member[]][] {
  const proof = Buffer.from(head.carried.get('ledger.proof')!).toString('utf8');
  const line = (change: (lines: string[]) => string[]) =>
    replace('ledger.proof', () => Buffer.from(change(proof.split('\n')).join('\n'), 'utf8'));
  const blank = proof.split('\n').indexOf('');
  return [
    ['the proof is none', replace('ledger.proof', () => Buffer.from('proof\n'))],
    ['the proof is of another index', line((lines) => lines.with(1, 'index 0'))],
    ['a hash of the path is another', line((lines) => lines.with(2, encodeBase64(randomBytes(32))))],
    ['the path is too short', line((lines) => lines.toSpliced(2, 1))],
    ['the checkpoint has another root', line((lines) => lines.with(blank + 3, encodeBase64(randomBytes(32))))],
    ['the checkpoint has another size', line((lines) => lines.with(blank + 2, '4711'))],
    ['the checkpoint has an extension line', line((lines) => lines.toSpliced(blank + 4, 0, 'extension'))],
    [
      'the checkpoint is of another site',
      line((lines) => lines.map((one) => one.replaceAll('works-outside/', 'somebody-else/'))),
    ],
    [
      'only an unknown key signed the checkpoint',
      line((lines) => lines.map((one) => one.replace(/^(— )works-outside/, '$1a-stranger'))),
    ],
    ['the entry is another', replace('ledger.entry', (bytes) => flip(bytes, 60))],
    ['the statement is another', replace('ledger.statement', (bytes) => flip(bytes, 80))],
    [
      'the list of consistency proofs is none',
      replace('ledger.consistency', () => Buffer.from('sallyport-consistency/2\n')),
    ],
  ];
}

/** Contents and a lock that do not belong together, or that nobody inside could use. */
function contentLies(sealed: Sealed, signers: readonly Signer[]): Tampered[] {
  const lock = Buffer.from(sealed.lock).toString('utf8');
  const withLock = (name: string, code: string, text: string, contents = sealed.contents): Tampered => ({
    what: 'content',
    name,
    code,
    make: () => sealAgain({ ...sealed, lock: Buffer.from(text, 'utf8'), contents }, signers),
  });
  return [
    withLock(
      'a lock of the next format',
      'admit.lock',
      lock.replace('"sallyport-lock":"1.0"', '"sallyport-lock":"2.0"'),
    ),
    withLock(
      'a lock that needs what nobody knows',
      'admit.lock',
      lock.replace('"critical":[]', '"critical":["volumes"]'),
    ),
    withLock('a lock that was merged by hand', 'admit.lock', lock.replaceAll('"row":', ' "row":')),
    withLock(
      'a lock of an ecosystem that nobody knows',
      'admit.unknown-ecosystem',
      lock.replaceAll('"row":"artifact","ecosystem":"files"', '"row":"artifact","ecosystem":"punchcards"'),
    ),
    withLock('a content that the lock does not name', 'bundle.lock', lock, [
      ...sealed.contents,
      Buffer.from('stowaway'),
    ]),
    withLock('a content missing that the lock names', 'bundle.lock', lock, sealed.contents.slice(1)),
  ];
}

export interface TamperedPromotion {
  readonly name: string;
  readonly code: string;
  readonly bytes: Uint8Array;
}

/** A promotion that says something else, signed anew. */
export function promotionWith(genuine: Uint8Array, signers: readonly Signer[], predicate: object, subject?: string) {
  const envelope = decodeEnvelope(genuine);
  if (isProblem(envelope)) throw new Error(envelope.detail);
  const statement = JSON.parse(Buffer.from(envelope.payload).toString('utf8')) as {
    subject: { digest: { sha256: string } }[];
    predicate: object;
  };
  if (subject !== undefined) statement.subject[0]!.digest.sha256 = subject;
  const payload = { ...statement, predicate: { ...statement.predicate, ...predicate } };
  return signEnvelope(envelope.payloadType, Buffer.from(JSON.stringify(payload), 'utf8'), signers);
}

/** Every way in which the word of the ring before can be wrong. */
export function tamperedPromotions(
  genuine: Uint8Array,
  approver: Signer,
  sealers: readonly Signer[],
): TamperedPromotion[] {
  const say = (name: string, code: string, predicate: object, subject?: string, by: readonly Signer[] = [approver]) => {
    return { name, code, bytes: promotionWith(genuine, by, predicate, subject) };
  };
  const other = 'admit.promotion-other';
  return [
    say('of another bundle', other, {}, '00'.repeat(32)),
    say('of another ring', other, { ring: 'production' }),
    say('by a site that is not of the ring', other, { site: 'plant' }),
    say('of the next format', other, { version: '2.0' }),
    say('that needs what nobody knows', other, { critical: ['quorum'] }),
    say('of a format without a number', other, { version: '1.x' }),
    say('by the sealers', 'trust.wrong-role', {}, undefined, sealers),
    say('by a stranger', 'trust.foreign-key', {}, undefined, [testKey().signer('Cat')]),
    ...envelopeLies(genuine).map(({ name, bytes }) => ({ name, bytes, code: 'trust.envelope-malformed' })),
  ];
}

/**
 * Whether the door opens and examines what clients unpack. Where it does, every class of the hostile corpus is sent by a
 * careless sealer too; all cases of each class are tried one by one in tests/conformance/hostile.
 */
const EXAMINES: boolean = true;

/** What is hostile in itself, sealed in good faith, under the name by which a client would unpack it. */
export function hostileContents(sealed: Sealed, signers: readonly Signer[]): Tampered[] {
  const first = JSON.parse(
    Buffer.from(sealed.lock)
      .toString('utf8')
      .split('\n')
      .find((line) => line.includes('"artifact"'))!,
  );
  const names: Partial<Record<string, object>> = {
    npm: { ecosystem: 'npm', authority: 'https://registry.example.test/', name: 'left', version: '1.0.0' },
    wheel: { ecosystem: 'pypi', authority: 'https://registry.example.test/simple/', name: 'left', version: '1.0.0' },
    tar: {},
    zip: {},
  };
  const found: Tampered[] = [];
  const seen = new Set<string>();
  for (const { id, name, as, extension, expect, codes, make } of EXAMINES ? hostileCorpus : []) {
    // One of each class and kind.
    if (seen.has(`${id} ${as}`)) continue;
    const material = expect === 'refuse' ? make() : undefined;
    const identity = names[as];
    if (!(material instanceof Uint8Array) || identity === undefined) continue;
    seen.add(`${id} ${as}`);
    const file = as === 'wheel' ? 'left-1.0.0-py3-none-any.whl' : `${name}.${extension}`;
    const digest = digestOf(material);
    const evidence = [{ ...first.evidence[0], value: hexOf(digest) }];
    const rows = [{ ...first, name, file, ...identity, digest, size: material.length, evidence }];
    const lock = formatLock({ rows });
    found.push({
      what: 'hostile',
      name: `${id} ${name}`,
      code: codes.join(),
      make: () => sealAgain({ ...sealed, lock, contents: [material] }, signers),
    });
  }
  return found;
}
