import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEnvelope, encodeBase64, encodeEnvelope, isProblem } from '#formats';
import { algorithms } from './algorithm.ts';
import { mustRead, signedRoot, testDraft, testKey } from './testing/index.ts';
import { encodeRoot, parseRoot, readRoot, ROOT_PAYLOAD_TYPE } from './root.ts';
import { roles } from './role.ts';
import { signEnvelope } from './signing.ts';

const ada = testKey();
const ben = testKey('ecdsa-p256');
const log = testKey();
const draft = testDraft({
  Ada: { key: ada, roles: ['root', 'sealer'] },
  Ben: { key: ben, roles: ['root', 'approver'] },
  Log: { key: log, roles: ['ledger'] },
});

type Document = Record<string, unknown> & {
  holders: { name: string; keys: Record<string, unknown>[]; require: Record<string, unknown> }[];
  roles: Record<string, unknown>;
  thresholds: Record<string, unknown>;
};

function document(): Document {
  return JSON.parse(Buffer.from(encodeRoot(draft)).toString()) as Document;
}

/** The reason by which a changed document is refused, or 'taken'. */
function judged(change: (document: Document) => void): string {
  const changed = document();
  change(changed);
  const read = parseRoot(Buffer.from(JSON.stringify(changed)));
  return read.ok ? 'taken' : `${read.reason.code} ${read.reason.where}`;
}

test('a root comes back as it was written, for every algorithm', () => {
  for (const algorithm of algorithms) {
    const key = testKey(algorithm);
    const one = testDraft({ One: { key, roles: ['root', 'sealer'] } });
    const root = mustRead(signedRoot(one, [key.signer('One')]));
    assert.equal(root.holders[0]?.keys[0]?.algorithm, algorithm);
    assert.equal(root.holders[0]?.keys[0]?.keyid, key.keyid);
  }
});

test('the same draft gives the same bytes', () => {
  assert.deepEqual(encodeRoot(draft), encodeRoot(draft));
  assert.equal(
    judged(() => undefined),
    'taken',
  );
});

const malformed: [string, (document: Document) => void, string][] = [
  ['ROOT-2 no format version', (d) => delete d['sallyport-root'], "$['sallyport-root']"],
  ['ROOT-2 format version is a number', (d) => (d['sallyport-root'] = 1), "$['sallyport-root']"],
  ['ROOT-3 no critical list', (d) => delete d['critical'], '$.critical'],
  ['ROOT-4 version 0', (d) => (d['version'] = 0), '$.version'],
  ['ROOT-4 version 1.5', (d) => (d['version'] = 1.5), '$.version'],
  ['ROOT-4 version as text', (d) => (d['version'] = '1'), '$.version'],
  ['ROOT-4 version beyond 2^31', (d) => (d['version'] = 2 ** 31), '$.version'],
  ['ROOT-4 site with a slash', (d) => (d['site'] = '../x'), '$.site'],
  ['ROOT-4 unknown custody', (d) => (d['custody'] = 'trust me'), '$.custody'],
  ['ROOT-4 no custody', (d) => delete d['custody'], '$.custody'],
  ['ROOT-4 expiry without a zone', (d) => (d['expires'] = '2030-01-01T00:00:00'), '$.expires'],
  ['ROOT-4 no expiry', (d) => delete d['expires'], '$.expires'],
  ['ROOT-4 expiry on 30 February', (d) => (d['expires'] = '2030-02-31T25:00:00Z'), '$.expires'],
  ['ROOT-4 no channel', (d) => (d['channels'] = []), '$.channels'],
  ['ROOT-5 no holder', (d) => (d.holders = []), '$.holders'],
  ['ROOT-5 two holders of one name', (d) => void (d.holders[1]!.name = 'ADA'), '$.holders[1].name'],
  ['ROOT-5 name that moves the cursor', (d) => void (d.holders[0]!.name = 'A\u001b[2J'), '$.holders[0].name'],
  ['ROOT-5 holder without keys', (d) => void (d.holders[0]!.keys = []), '$.holders[0].keys'],
  ['ROOT-6 wrong key id', (d) => void (d.holders[0]!.keys[0]!['keyid'] = ben.keyid), '$.holders[0].keys[0].keyid'],
  [
    'ROOT-6 upper-case key id',
    (d) => void (d.holders[0]!.keys[0]!['keyid'] = ada.keyid.toUpperCase()),
    '$.holders[0].keys[0].keyid',
  ],
  [
    'ROOT-6 wrong algorithm',
    (d) => void (d.holders[0]!.keys[0]!['algorithm'] = 'ml-dsa-65'),
    '$.holders[0].keys[0].algorithm',
  ],
  ['ROOT-6 junk in base64', (d) => void (d.holders[0]!.keys[0]!['public'] += ' '), '$.holders[0].keys[0].public'],
  ['ROOT-7 one key under two holders', (d) => d.holders[1]!.keys.push(d.holders[0]!.keys[0]!), '$.holders[1].keys'],
  ['ROOT-7 one key twice', (d) => d.holders[0]!.keys.push(d.holders[0]!.keys[0]!), '$.holders[0].keys'],
  [
    'ROOT-8 requires a stranger’s key',
    (d) => void (d.holders[0]!.require['sealer'] = [ben.keyid]),
    '$.holders[0].require.sealer',
  ],
  ['ROOT-8 requires no key', (d) => void (d.holders[0]!.require['sealer'] = []), '$.holders[0].require.sealer'],
  [
    'ROOT-8 requires one key twice',
    (d) => void (d.holders[0]!.require['sealer'] = [ada.keyid, ada.keyid]),
    '$.holders[0].require.sealer',
  ],
  ['ROOT-9 nobody is root', (d) => (delete d.roles['root'], delete d.thresholds['root']), '$.roles.root'],
  ['ROOT-9 unknown holder', (d) => void (d.roles['sealer'] = ['Eve']), '$.roles.sealer'],
  ['ROOT-9 holder without a key for it', (d) => void (d.roles['sealer'] = ['Ada', 'Ben']), '$.roles.sealer'],
  ['ROOT-9 a holder twice', (d) => void (d.roles['root'] = ['Ada', 'Ada']), '$.roles.root'],
  ['ROOT-9 keys for a role not held', (d) => void (d.holders[0]!.require['auditor'] = [ada.keyid]), '$.roles.auditor'],
  ['ROOT-10 threshold 0 (CVE-2026-23992)', (d) => void (d.thresholds['root'] = 0), '$.thresholds.root'],
  ['ROOT-10 threshold −1', (d) => void (d.thresholds['root'] = -1), '$.thresholds.root'],
  ['ROOT-10 threshold 1.5', (d) => void (d.thresholds['root'] = 1.5), '$.thresholds.root'],
  ['ROOT-10 threshold null', (d) => void (d.thresholds['root'] = null), '$.thresholds.root'],
  ['ROOT-10 threshold as text', (d) => void (d.thresholds['root'] = '1'), '$.thresholds.root'],
  ['ROOT-10 no threshold', (d) => void delete d.thresholds['root'], '$.thresholds.root'],
  ['ROOT-10 threshold nobody can reach', (d) => void (d.thresholds['root'] = 3), '$.thresholds.root'],
  ['ROOT-10 threshold of no role', (d) => void (d.thresholds['auditor'] = 1), '$.thresholds.auditor'],
  [
    'ROOT-11 one key for the ledger and for sealing',
    (d) => {
      d.holders[2]!.require['sealer'] = [log.keyid];
      d.roles['sealer'] = ['Ada', 'Log'];
    },
    '$.holders',
  ],
  [
    'ROOT-12 shared custody with one person as sealer and approver',
    (d) => {
      d.holders[0]!.require['approver'] = [ada.keyid];
      d.roles['approver'] = ['Ada', 'Ben'];
    },
    '$.roles',
  ],
];

for (const [name, change, where] of malformed) {
  test(name, () => assert.equal(judged(change), `trust.root-malformed ${where}`));
}

test('ROOT-2, ROOT-3: a newer major or an unknown critical name is refused with what is needed', () => {
  assert.equal(
    judged((d) => (d['sallyport-root'] = '2.0')),
    "trust.root-needs-newer $['sallyport-root']",
  );
  assert.equal(
    judged((d) => (d['critical'] = ['delegations'])),
    'trust.root-needs-newer $.critical',
  );
});

test('ROOT-3: a newer minor, unknown fields and unknown roles that are not critical are passed over', () => {
  assert.equal(
    judged((d) => (d['sallyport-root'] = '1.9')),
    'taken',
  );
  assert.equal(
    judged((d) => (d['note'] = 'x')),
    'taken',
  );
  assert.equal(
    judged((d) => {
      d.roles['archivist'] = ['Ada'];
      d.thresholds['archivist'] = 1;
      d.holders[0]!.require['archivist'] = [ada.keyid];
    }),
    'taken',
  );
});

test('ROOT-12: one-person custody may hold every duty with one key, and says so', () => {
  const root = mustRead(
    signedRoot(
      testDraft({ Ada: { key: ada, roles: roles.filter((role) => role !== 'ledger') } }, { custody: 'one-person' }),
      [ada.signer('Ada')],
    ),
  );
  assert.equal(root.custody, 'one-person');
});

test('ROOT-1: bytes that are no strict JSON', () => {
  const payload = Buffer.from(encodeRoot(draft)).toString();
  for (const text of [
    '',
    'null',
    '[]',
    `\ufeff${payload}`,
    payload.replace('"version": 1', '"version": 1, "version": 2'),
    payload.replace('"version": 1', '"version": 1, "__proto__": {}'),
    payload.slice(0, -3),
  ]) {
    assert.equal(parseRoot(Buffer.from(text)).ok, false, JSON.stringify(text.slice(0, 40)));
  }
});

test('ROOT-6: no private key, no other key type, no small order in the place of a public key', async () => {
  const { generateKeyPairSync } = await import('node:crypto');
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
  const { privateKey } = generateKeyPairSync('ed25519');
  const low = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.alloc(32)]);
  const texts = [
    privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
    Buffer.from(privateKey.export({ format: 'pem', type: 'pkcs8' })).toString('base64'),
    Buffer.from(ada.object.export({ format: 'pem', type: 'spki' })).toString('base64'),
    rsa.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    p521.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    low.toString('base64'),
    Buffer.concat([ada.spki, Buffer.alloc(1)]).toString('base64'),
    '',
  ];
  for (const text of texts) {
    assert.equal(
      judged((d) => void (d.holders[0]!.keys[0]!['public'] = text)),
      'trust.root-malformed $.holders[0].keys[0].public',
    );
  }
});

test('ROOT-13: a root is signed by the threshold of its own root holders', () => {
  const two = { ...draft, thresholds: { ...draft.thresholds, root: 2 } };
  assert.equal(readRoot(signedRoot(two, [ada.signer('Ada'), ben.signer('Ben')])).ok, true);
  for (const signers of [
    [ada.signer('Ada')],
    [log.signer('Log')],
    [ada.signer('Ada'), log.signer('Log')],
    [testKey().signer('x')],
  ]) {
    const read = readRoot(signedRoot(two, signers));
    assert.ok(!read.ok);
    assert.equal(read.reason.code, 'trust.root-unsigned');
  }
});

test('ROOT-13: a changed byte, another payload type', () => {
  const bytes = signedRoot(draft, [ada.signer('Ada')]);
  const envelope = decodeEnvelope(bytes);
  assert.ok(!isProblem(envelope));
  const changed = Buffer.from(Buffer.from(envelope.payload).toString().replace('test-site', 'best-site'));
  const read = readRoot(encodeEnvelope({ ...envelope, payload: changed }));
  assert.ok(!read.ok && read.reason.code === 'trust.root-unsigned');
  const other = readRoot(signEnvelope('application/json', envelope.payload, [ada.signer('Ada')]));
  assert.ok(!other.ok && other.reason.code === 'trust.root-malformed');
  assert.equal(envelope.payloadType, ROOT_PAYLOAD_TYPE);
  assert.ok(encodeBase64(envelope.payload).length > 0);
});

test('ROOT-14: the list of revoked keys', () => {
  const [ada, eve] = [testKey(), testKey()];
  const gone = { keyid: eve.keyid, since: '2026-11-22T06:00:00Z', reason: 'stolen' };
  const judge = (revoked: unknown): string => {
    const draft = testDraft({ Ada: { key: ada, roles: ['root', 'sealer'] } });
    const document = JSON.parse(Buffer.from(encodeRoot(draft)).toString()) as Record<string, unknown>;
    const read = parseRoot(Buffer.from(JSON.stringify({ ...document, revoked })));
    return read.ok ? `${read.value.revoked.length} revoked` : read.reason.code;
  };
  assert.equal(judge(undefined), '0 revoked');
  assert.equal(judge([]), '0 revoked');
  assert.equal(judge([gone]), '1 revoked');
  assert.equal(judge([{ ...gone, later: true }]), '1 revoked', 'unknown fields are passed over');
  const bad: readonly unknown[] = [
    null,
    {},
    'x',
    [null],
    [gone, gone],
    [{ ...gone, keyid: ada.keyid }],
    [{ ...gone, keyid: eve.keyid.toUpperCase() }],
    [{ ...gone, keyid: 7 }],
    [{ ...gone, since: 'yesterday' }],
    [{ ...gone, reason: '' }],
    [{ ...gone, reason: 'a\u001b[2J' }],
    [{ ...gone, reason: 'x'.repeat(257) }],
    Array.from({ length: 1025 }, (_, index) => ({ ...gone, keyid: index.toString(16).padStart(64, '0') })),
  ];
  for (const revoked of bad) assert.equal(judge(revoked), 'trust.root-malformed', JSON.stringify(revoked).slice(0, 60));
});

test('ROOT-15: a channel is delegated by a role of its own, with a threshold of its own', () => {
  const [ada, dan, eve] = [testKey(), testKey(), testKey('ecdsa-p256')];
  const draft = testDraft(
    {
      Ada: { key: ada, roles: ['root', 'sealer'] },
      Dan: { key: dan, roles: ['sealer:db'] },
      Eve: { key: eve, roles: ['sealer:db', 'sealer:web'] },
    },
    { thresholds: { root: 1, sealer: 1, 'sealer:db': 2, 'sealer:web': 1 } },
  );
  const root = mustRead(signedRoot(draft, [ada.signer('Ada')]));
  assert.deepEqual(root.roles.get('sealer:db'), ['Dan', 'Eve']);
  assert.equal(root.thresholds.get('sealer:db'), 2);
  assert.deepEqual(Object.keys((JSON.parse(Buffer.from(encodeRoot(draft)).toString()) as { roles: object }).roles), [
    'root',
    'sealer',
    'sealer:db',
    'sealer:web',
  ]);
  const refused = (over: Parameters<typeof testDraft>[0], more: Parameters<typeof testDraft>[1] = {}) =>
    readRoot(signedRoot(testDraft({ Ada: { key: ada, roles: ['root'] }, ...over }, more), [ada.signer('Ada')]));
  const why = (read: ReturnType<typeof refused>): string => (read.ok ? 'read' : read.reason.detail);
  assert.match(why(refused({ Dan: { key: dan, roles: ['sealer:db', 'approver'] } })), /both approver and sealer:db/);
  assert.equal(why(refused({ Dan: { key: dan, roles: ['sealer:db', 'sealer:web', 'sealer'] } })), 'read', 'one duty');
  assert.match(
    why(refused({ Dan: { key: dan, roles: ['sealer:db'] } }, { thresholds: { root: 1, 'sealer:db': 2 } })),
    /from 1 to 1/,
  );
  const twice = { Dan: { key: dan, roles: ['sealer:db'] as const }, Eve: { key: dan, roles: ['sealer:web'] as const } };
  assert.match(why(refused(twice)), /also held by Dan/);
});
