import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { encodeBase64, pae } from '#formats';
import { encodeRoot, readRoot, type Root, ROOT_PAYLOAD_TYPE } from './root.ts';
import { mustRead, signedRoot, testDraft, testKey } from './testing/index.ts';
import { signEnvelope } from './signing.ts';
import { verifyEnvelope } from './verification.ts';

// Where verifiers of DSSE envelopes and of roots fail open, by what is known of others: each case is one that a plain
// verifier (JSON.parse, Buffer base64, crypto.verify, a count of signatures) takes, or that has a CVE of its own.

const TYPE = 'application/vnd.in-toto+json';
const BODY = Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}~~~');
const NOW = Date.parse('2027-01-01T00:00:00Z');
const [ada, ben, eve, pq] = [testKey(), testKey('ecdsa-p256'), testKey(), testKey('ml-dsa-65')];
const draft = testDraft({
  Ada: { key: ada, roles: ['root', 'sealer'] },
  Ben: { key: ben, roles: ['sealer'] },
  Pam: { key: pq, roles: ['sealer'] },
  Eve: { key: eve, roles: ['approver'] },
});
const root = mustRead(signedRoot(draft, [ada.signer('Ada')]));
const two = mustRead(signedRoot({ ...draft, thresholds: { root: 1, sealer: 2, approver: 1 } }, [ada.signer('Ada')]));

interface Signature {
  keyid?: unknown;
  sig?: unknown;
}

const b64 = (bytes: Uint8Array): string => encodeBase64(bytes);
const by = (key: typeof ada, message: Uint8Array = pae(TYPE, BODY)): Buffer =>
  Buffer.from(key.signer('x').sign(message));
const signed = (key: typeof ada): Signature => ({ keyid: key.keyid, sig: b64(by(key)) });
const whole = (...signatures: Signature[]) => ({ payload: b64(BODY), payloadType: TYPE, signatures });
const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const good = whole(signed(ada));
const GOOD = text(good).toString('utf8');

function judge(
  bytes: Uint8Array,
  judging: Root = root,
  over: { now?: number; role?: 'sealer' | 'reviewer' } = {},
): string {
  const options = { now: over.now ?? NOW, expectRehearsal: false };
  const { verdict, reasons, payload } = verifyEnvelope(judging, over.role ?? 'sealer', TYPE, bytes, options);
  assert.equal(payload === undefined, verdict === 'unverified', 'a payload is given out only where it is verified');
  return verdict === 'verified' ? verdict : (reasons[0]?.code ?? 'no reason');
}

const MALFORMED = 'trust.envelope-malformed';
const BAD = 'trust.bad-signature';

/** The order of the group of Ed25519, by which a signature is malleable where S is not bounded (RFC 8032, 5.1.7). */
function plusOrder(signature: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
  const back = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([signature.subarray(0, 32), back]);
}

/** One encoding of base64 that is not canonical each, for the payload and for a signature. */
const BASE64: readonly (readonly [string, (canonical: string) => string])[] = [
  ['white space', (of) => `${of.slice(0, 8)} ${of.slice(8)}`],
  ['a line break', (of) => `${of.slice(0, 8)}\n${of.slice(8)}`],
  ['no padding', (of) => of.replace(/=+$/, '')],
  ['more padding', (of) => `${of}=`],
  ['data after padding', (of) => `${of.replace(/=*$/, '==')}AAAA`],
  ['junk between', (of) => `${of.slice(0, 8)}*${of.slice(8)}`],
  [
    'unused bits that are not zero',
    (of) =>
      of.replace(/(.)(=+)$/, (_, last: string, pad: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}${pad}`),
  ],
  ['the alphabet of URLs', (of) => of.replace(/[+/]/g, (one) => (one === '+' ? '-' : '_'))],
];

test('HC-17, ENV-1: what is no strict JSON, or no envelope, is never verified', () => {
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', Buffer.alloc(0)],
    ['a byte order mark', Buffer.concat([Buffer.from('efbbbf', 'hex'), Buffer.from(GOOD)])],
    ['UTF-16', Buffer.from(GOOD, 'utf16le')],
    ['garbage after it', Buffer.from(`${GOOD}x`)],
    ['two documents', Buffer.from(`${GOOD}\n${GOOD}`)],
    ['a comment', Buffer.from(`/**/${GOOD}`)],
    ['a comma too many', Buffer.from(GOOD.replace(/\}$/, ',}'))],
    [
      'an overlong form',
      Buffer.concat([Buffer.from('{"'), Buffer.from('c0af', 'hex'), Buffer.from(`":1,${GOOD.slice(1)}`)]),
    ],
    ['a second payload', Buffer.from(GOOD.replace(/\}$/, `,"payload":"${b64(Buffer.from('other'))}"}`))],
    ['a second payload, escaped', Buffer.from(GOOD.replace(/\}$/, ',"p\\u0061yload":"AAAA"}'))],
    ['a second list of signatures', Buffer.from(GOOD.replace(/\}$/, ',"signatures":[]}'))],
    ['__proto__', Buffer.from(GOOD.replace('{', '{"__proto__":{"payload":"AAAA"},'))],
    ['__proto__, escaped', Buffer.from(GOOD.replace('{', '{"__pr\\u006fto__":{},'))],
    ['half of a surrogate pair', Buffer.from(GOOD.replace('{', '{"x":"\\ud800",'))],
    ['a number beyond 2^53', Buffer.from(GOOD.replace('{', '{"x":9007199254740993,'))],
    ['too deep', Buffer.from(GOOD.replace('{', `{"x":${'['.repeat(100)}${']'.repeat(100)},`))],
    ['a list', text([good])],
    ['null', Buffer.from('null')],
    ['no payload', text({ payloadType: TYPE, signatures: good.signatures })],
    ['no type', text({ payload: good.payload, signatures: good.signatures })],
    ['no signatures (CVE-2026-35205)', text({ payload: good.payload, payloadType: TYPE })],
    ['an empty list of signatures', text(whole())],
    ['a payload that is no text', text({ ...good, payload: 7 })],
    ['signatures that are no list', text({ ...good, signatures: good.signatures[0] })],
    ['a signature that is null', text({ ...good, signatures: [null] })],
    ['a signature without bytes', text(whole({ keyid: ada.keyid }))],
    ['an empty signature', text(whole({ keyid: ada.keyid, sig: '' }))],
    ['a key id that is a number', text(whole({ ...signed(ada), keyid: 1 }))],
    ['a type with a space', text({ ...good, payloadType: 'application/x y' })],
    ['HC-19: 65 signatures (CVE-2023-33957)', text(whole(...Array.from({ length: 65 }, () => signed(ada))))],
    ['HC-19: a signature of 8,193 bytes', text(whole({ keyid: ada.keyid, sig: b64(Buffer.alloc(8193)) }))],
  ];
  for (const [name, bytes] of cases) assert.equal(judge(bytes), MALFORMED, name);
});

test('ENV-2: base64 that other readers take for the same bytes', () => {
  // An Ed25519 signature ends in "==", this body in "fn5+" or with padding: every form can be broken in one of them.
  const sig = b64(by(ada));
  const body = b64(BODY);
  let broken = 0;
  for (const [name, other] of BASE64) {
    for (const [where, document] of [
      ['payload', { ...good, payload: other(body) }],
      ['sig', whole({ keyid: ada.keyid, sig: other(sig) })],
    ] as const) {
      if (JSON.stringify(document) === GOOD || (where === 'payload' && other(body) === body)) continue;
      broken += 1;
      assert.equal(judge(text(document)), MALFORMED, `${name} in ${where}`);
    }
  }
  assert.ok(broken >= 12, `${broken}`);
});

test('VER-1, VER-7: signatures that fit something else, or nothing', () => {
  const [r, s] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const cut = (key: typeof ada): Buffer => by(key).subarray(0, -1);
  const raw = sign('sha256', pae(TYPE, BODY), { key: ben.private, dsaEncoding: 'ieee-p1363' });
  const zero = Buffer.from('3006020100020100', 'hex');
  const cases: readonly (readonly [string, typeof ada, Buffer])[] = [
    ['over the payload without PAE', ada, by(ada, BODY)],
    ['over PAE of another type (CVE-2022-35929)', ada, by(ada, pae('application/x', BODY))],
    ['over PAE of another payload', ada, by(ada, pae(TYPE, Buffer.from('{}')))],
    ['over its base64', ada, by(ada, Buffer.from(b64(BODY)))],
    ['by another key under this id', ada, by(eve)],
    ['cut off', ada, cut(ada)],
    ['with a byte more', ada, Buffer.concat([by(ada), Buffer.from([0])])],
    ['zeros', ada, Buffer.alloc(64)],
    ['Ed25519 with S beyond the order', ada, plusOrder(by(ada))],
    ['ECDSA as r and s beside each other', ben, raw],
    ['ECDSA with r = s = 0 (CVE-2022-21449)', ben, zero],
    ['ECDSA with something after it', ben, Buffer.concat([by(ben), Buffer.from([0, 0])])],
    [
      'ECDSA of invented numbers',
      ben,
      Buffer.concat([Buffer.from('30440220', 'hex'), r, Buffer.from('0220', 'hex'), s]),
    ],
    ['ECDSA over SHA-384', ben, sign('sha384', pae(TYPE, BODY), ben.private)],
    ['ML-DSA, cut off', pq, cut(pq)],
    ['ML-DSA over another payload', pq, by(pq, Buffer.from('x'))],
    ['Ed25519 in the place of ML-DSA', pq, by(ada)],
  ];
  for (const [name, key, sig] of cases) {
    assert.equal(judge(text(whole({ keyid: key.keyid, sig: b64(sig) }))), BAD, name);
    // Whoever else signed rightly does not help: a known key that fails refuses the whole.
    const beside = judge(text(whole({ keyid: key.keyid, sig: b64(sig) }, signed(key === ada ? ben : ada))));
    assert.equal(beside, BAD, `${name}, beside a good one`);
  }
});

test('HC-20, VER-3 to VER-6: whose signature it is', () => {
  const stranger = testKey();
  const key = stranger.object.export({ format: 'pem', type: 'spki' }).toString();
  const cases: readonly (readonly [string, string, Buffer, Root?])[] = [
    ['a stranger', 'trust.foreign-key', text(whole(signed(stranger)))],
    ['a stranger without an id', 'trust.foreign-key', text(whole({ sig: b64(by(stranger)) }))],
    [
      'a stranger with the key in the envelope',
      'trust.foreign-key',
      text({ ...whole(signed(stranger)), publicKey: key, cert: key }),
    ],
    ['a stranger under the id of Ada', BAD, text(whole({ keyid: ada.keyid, sig: b64(by(stranger)) }))],
    ['the right key in the wrong role', 'trust.wrong-role', text(whole(signed(eve)))],
    [
      'one key twice for two (CVE-2026-23992, CVE-2026-49834)',
      'trust.duplicate-signature',
      text(whole(signed(ada), signed(ada))),
      two,
    ],
    [
      'one key twice, once without an id',
      'trust.duplicate-signature',
      text(whole(signed(ada), { sig: b64(by(ada)) })),
      two,
    ],
    ['one and a stranger for two', 'trust.threshold', text(whole(signed(ada), signed(stranger))), two],
    ['one and another role for two', 'trust.threshold', text(whole(signed(ada), signed(eve))), two],
    ['one of two', 'trust.threshold', text(whole(signed(ben))), two],
    ['an id in capitals', 'trust.foreign-key', text(whole({ ...signed(ada), keyid: ada.keyid.toUpperCase() }))],
    [
      'another payload type',
      'trust.payload-type',
      Buffer.from(signEnvelope('application/x', BODY, [ada.signer('Ada')])),
    ],
    [
      'the same type in capitals',
      'trust.payload-type',
      Buffer.from(signEnvelope(TYPE.toUpperCase(), BODY, [ada.signer('Ada')])),
    ],
  ];
  for (const [name, code, bytes, judging] of cases) assert.equal(judge(bytes, judging), code, name);
  assert.equal(judge(text(good), root, { role: 'reviewer' }), 'trust.wrong-role', 'a role that nobody has');
});

test('VER-7 (CVE-2026-54787, CVE-2026-24122): time', () => {
  const end = Date.parse(root.expires);
  assert.equal(judge(text(good), root, { now: end - 1 }), 'verified');
  for (const now of [end, end + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(judge(text(good), root, { now }), 'trust.root-expired', String(now));
  }
  const revoked = { keyid: ada.keyid, since: '2026-06-01T00:00:00Z' as const, reason: 'stolen' };
  const without = {
    ...draft,
    holders: draft.holders.filter(({ name }) => name !== 'Ada'),
    roles: { root: ['Ben'], sealer: ['Ben', 'Pam'], approver: ['Eve'] },
    revoked: [revoked],
  };
  const held = without.holders.map((one) =>
    one.name === 'Ben' ? { ...one, require: { root: [ben.keyid], sealer: [ben.keyid] } } : one,
  );
  const later = mustRead(signedRoot({ ...without, holders: held }, [ben.signer('Ben')]));
  assert.equal(judge(text(good), later), 'trust.revoked-key');
  assert.equal(judge(text(whole(signed(ada), signed(ben))), later), 'verified', 'what others signed holds without it');
});

test('HC-20, VER-4: what a root must not say', async () => {
  const document = JSON.parse(Buffer.from(encodeRoot(draft)).toString('utf8')) as Record<string, never>;
  const refused = (edit: (root: Record<string, unknown>, holders: Record<string, unknown>[]) => void): string => {
    const copy = structuredClone(document) as Record<string, unknown>;
    edit(copy, copy['holders'] as Record<string, unknown>[]);
    const payload = text(copy);
    const read = readRoot(signEnvelope(ROOT_PAYLOAD_TYPE, payload, [ada.signer('Ada')]));
    return read.ok ? 'read' : read.reason.code;
  };
  const threshold = (value: unknown) =>
    refused((copy) => ((copy['thresholds'] as Record<string, unknown>)['sealer'] = value));
  for (const value of [0, -1, 1.5, null, '1', true, [], 4, 2 ** 31, 2 ** 53 + 2]) {
    assert.equal(threshold(value), 'trust.root-malformed', `threshold ${JSON.stringify(value)}`);
  }
  const key = (edit: (key: Record<string, unknown>) => void) =>
    refused((_, holders) => edit((holders[0]!['keys'] as Record<string, unknown>[])[0] ?? {}));
  const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
  const cases: readonly (readonly [string, string])[] = [
    ['no threshold', threshold(undefined)],
    ['a threshold of no role', refused((copy) => ((copy['thresholds'] as Record<string, unknown>)['carrier'] = 1))],
    ['a private key in the place of a public one', key((one) => (one['public'] = b64(pem)))],
    ['a key under an id that is not its own', key((one) => (one['keyid'] = 'ab'.repeat(32)))],
    ['another algorithm than the key', key((one) => (one['algorithm'] = 'ecdsa-p256'))],
    [
      'an Ed25519 point of small order',
      key((one) => (one['public'] = b64(Buffer.from(`302a300506032b6570032100${'01'.padEnd(64, '0')}`, 'hex')))),
    ],
    [
      'one key under two holders',
      refused((_, holders) => {
        holders[1]!['keys'] = holders[0]!['keys'];
        holders[1]!['require'] = { sealer: [ada.keyid] };
      }),
    ],
    [
      'one key twice under a holder',
      refused((_, holders) => (holders[0]!['keys'] as unknown[]).push((holders[0]!['keys'] as unknown[])[0])),
    ],
    [
      'one holder twice in a role',
      refused((copy) => ((copy['roles'] as Record<string, unknown>)['sealer'] = ['Ada', 'Ada', 'Ben', 'Pam'])),
    ],
    [
      'a holder whom nobody knows',
      refused((copy) => ((copy['roles'] as Record<string, unknown>)['sealer'] = ['Mallory', 'Ada', 'Ben', 'Pam'])),
    ],
    ['a required key of somebody else', refused((_, holders) => (holders[1]!['require'] = { sealer: [ada.keyid] }))],
    ['no required key', refused((_, holders) => (holders[1]!['require'] = { sealer: [] }))],
    ['two holders of one folded name', refused((_, holders) => (holders[1]!['name'] = 'ADA'))],
    ['nobody for the root', refused((copy) => delete (copy['roles'] as Record<string, unknown>)['root'])],
    [
      'duties that must be apart',
      refused((copy, holders) => {
        (copy['roles'] as Record<string, unknown>)['approver'] = ['Ada', 'Eve'];
        (holders[0]!['require'] as Record<string, unknown>)['approver'] = [ada.keyid];
      }),
    ],
  ];
  for (const [name, code] of cases) assert.equal(code, 'trust.root-malformed', name);
  assert.equal(
    refused((copy) => (copy['critical'] = ['quorum'])),
    'trust.root-needs-newer',
  );
  assert.equal(
    refused((copy) => (copy['sallyport-root'] = '2.0')),
    'trust.root-needs-newer',
  );
});

test('harmless forms stay verified: a trap that catches everybody is none', () => {
  const stranger = testKey();
  for (const [name, bytes] of [
    ['as we write it', Buffer.from(signEnvelope(TYPE, BODY, [ada.signer('Ada')]))],
    ['another order of keys', text({ signatures: good.signatures, payloadType: TYPE, payload: good.payload })],
    ['white space', Buffer.from(JSON.stringify(good, null, 4))],
    ['an escaped letter', Buffer.from(GOOD.replace('payloadType', 'payload\\u0054ype'))],
    ['unknown fields', text({ ...good, extra: { a: [1] } })],
    ['no key id', text(whole({ sig: b64(by(ada)) }))],
    ['an empty key id', text(whole({ keyid: '', sig: b64(by(ada)) }))],
    ["a stranger's signature beside it", text(whole(signed(stranger), signed(ada)))],
    ['a holder of another role beside it', text(whole(signed(eve), signed(ada)))],
    ['three holders', text(whole(signed(pq), signed(ben), signed(ada)))],
  ] as const) {
    assert.equal(judge(bytes), 'verified', name);
  }
});
