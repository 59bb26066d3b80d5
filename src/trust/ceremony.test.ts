import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEnvelope, encodeBase64, isProblem, pae } from '#formats';
import {
  attestationMessage,
  attestedBy,
  attestedTranscript,
  type Ceremony,
  encodeCeremony,
  endOf,
  joinCeremonies,
  type Machine,
  parseCeremony,
  type Step,
  transcriptDigest,
  transcriptOf,
  unattested,
  withAttestation,
  withStep,
} from './ceremony.ts';
import { mergeSignatures } from './draft.ts';
import { encodeRoot, parseRoot, ROOT_PAYLOAD_TYPE } from './root.ts';
import { mustRead, signedRoot, type TestKey, testDraft, testKey } from './testing/index.ts';

const [ada, ben, cat, eve] = [testKey(), testKey('ecdsa-p384'), testKey(), testKey('ecdsa-p256')];
const KEYS: Readonly<Record<string, TestKey>> = { Ada: ada, Ben: ben, Cat: cat, Eve: eve };
const OFFLINE: Machine = { name: 'room', system: 'Linux', module: 'OpenSSL', network: [] };
const at = (minute: number): string => `2027-01-01T09:${String(minute).padStart(2, '0')}:00Z`;

function step(what: Step['what'], who: string, minute: number, more: Partial<Step> = {}): Step {
  return { what, who, time: at(minute) as Step['time'], machine: OFFLINE, ...more };
}

function must(ceremony: Ceremony | string): Ceremony {
  assert.ok(typeof ceremony !== 'string', String(ceremony));
  return ceremony;
}

/** Version 2, for which two of Ada, Ben and Cat sign; Ada alone held version 1. */
function opened(over: Partial<Ceremony> = {}): Ceremony {
  const bytes = signedRoot(testDraft({ Ada: { key: ada, roles: ['root'] } }), [ada.signer('Ada')]);
  const holders = {
    Ada: { key: ada, roles: ['root'] },
    Ben: { key: ben, roles: ['root'] },
    Cat: { key: cat, roles: ['root'] },
  } as const;
  const payload = encodeRoot(testDraft(holders, { version: 2, thresholds: { root: 2 } }));
  const root = parseRoot(payload);
  assert.ok(root.ok);
  const previous = { root: mustRead(bytes), bytes };
  return must(
    withStep(
      {
        id: 'ab'.repeat(16),
        draft: { payload, root: root.value, signatures: [], previous },
        network: 'forbidden',
        witnesses: [{ holder: 'Eve', key: eve }],
        steps: [],
        attestations: [],
        ...over,
      },
      step('opened', 'Ada', 0),
    ),
  );
}

function confirmed(ceremony: Ceremony, who: string, minute: number): Ceremony {
  return must(withStep(ceremony, step('confirmed', who, minute)));
}

function signing(ceremony: Ceremony, who: string, minute: number): Ceremony | string {
  const key = KEYS[who];
  assert.ok(key !== undefined);
  const sig = key.signer(who).sign(pae(ROOT_PAYLOAD_TYPE, ceremony.draft.payload));
  const draft = mergeSignatures(ceremony.draft, [{ keyid: key.keyid, sig }]);
  return withStep(ceremony, step('signed', who, minute, { keyid: key.keyid, module: 'a test' }), draft);
}

function attested(ceremony: Ceremony, ...who: readonly string[]): Ceremony {
  return who.reduce((now, name) => {
    const key = KEYS[name];
    assert.ok(key !== undefined);
    return must(withAttestation(now, key.keyid, key.signer(name).sign(attestationMessage(now))));
  }, ceremony);
}

function closed(): Ceremony {
  let ceremony = ['Ada', 'Ben', 'Eve'].reduce((now, who, index) => confirmed(now, who, index + 1), opened());
  ceremony = must(signing(ceremony, 'Ada', 5));
  ceremony = must(signing(ceremony, 'Ben', 6));
  return must(withStep(ceremony, step('closed', 'Ada', 7)));
}

/** What a reader says of a file in which something was changed. */
function read(ceremony: Ceremony, edit: (document: Record<string, unknown>) => void): string {
  const document = JSON.parse(Buffer.from(encodeCeremony(ceremony)).toString('utf8')) as Record<string, unknown>;
  edit(document);
  const parsed = parseCeremony(Buffer.from(JSON.stringify(document)));
  return typeof parsed === 'string' ? parsed : 'understood';
}

test('a ceremony comes back as it was written, and its transcript is one text', () => {
  const done = attested(closed(), 'Ada', 'Ben', 'Eve');
  const back = must(parseCeremony(encodeCeremony(done)));
  assert.equal(transcriptOf(back), transcriptOf(done));
  assert.equal(transcriptDigest(back), transcriptDigest(done));
  const lines = transcriptOf(done).split('\n');
  assert.equal(lines[0], 'sallyport-ceremony/1.0');
  assert.equal(lines.at(-1), '');
  assert.ok(lines.includes(`root 2 ${done.draft.root.fingerprint}`));
  assert.ok(lines.includes('demands 2 2 of "Ada", "Ben", "Cat"'));
  assert.ok(lines.includes(`witness "Eve" ecdsa-p256 ${eve.keyid} ${encodeBase64(eve.spki)}`));
  assert.match(
    transcriptOf(done),
    /^step 5 2027-01-01T09:05:00Z signed "Ada" [0-9a-f]{64} "a test" on "room" "Linux" "OpenSSL" offline$/m,
  );
  const envelope = decodeEnvelope(attestedTranscript(done));
  assert.ok(!isProblem(envelope));
  assert.equal(Buffer.from(envelope.payload).toString('utf8'), transcriptOf(done));
  assert.deepEqual(attestedBy(done), { holders: ['Ada', 'Ben'], witnesses: ['Eve'] });
  assert.deepEqual(unattested(done), []);
});

test('CER-1: the form', () => {
  const done = closed();
  const of = (edit: (document: Record<string, unknown>) => void) => read(done, edit);
  const first = (edit: (step: Record<string, unknown>) => void) =>
    of((document) => edit((document['steps'] as Record<string, unknown>[])[0] ?? {}));
  assert.equal(
    of(() => undefined),
    'understood',
  );
  for (const said of [
    parseCeremony(Buffer.from('{"id":1,"id":2}')),
    parseCeremony(Buffer.from('[]')),
    of((document) => (document['sallyport-ceremony'] = '2.0')),
    of((document) => (document['id'] = '../x')),
    of((document) => (document['network'] = 'some')),
    of((document) => (document['witnesses'] = [{ holder: 'Eve', public: encodeBase64(Buffer.from('x')) }])),
    of((document) => (document['witnesses'] = {})),
    of((document) => (document['steps'] = Array.from({ length: 513 }, () => ({})))),
    of((document) => (document['attestations'] = [{ keyid: 'x' }])),
    first((one) => (one['what'] = 'danced')),
    first((one) => (one['who'] = 'A\u001b[2J')),
    first((one) => (one['time'] = 'yesterday')),
    first((one) => (one['colour'] = 'red')),
    first((one) => (one['machine'] = {})),
    first((one) => (one['text'] = 'said')),
    first((one) => (one['keyid'] = ada.keyid)),
  ]) {
    assert.match(String(said), /^CER-1/);
  }
});

test('CER-2: the draft in it is one', () => {
  const done = closed();
  assert.match(
    read(done, (document) => (document['draft'] = 'AAAA')),
    /^CER-2/,
  );
  const alone = { ...done.draft, previous: undefined };
  const root = Buffer.from(
    JSON.stringify({ payloadType: ROOT_PAYLOAD_TYPE, payload: encodeBase64(alone.payload), signatures: [] }),
  );
  assert.match(
    read(done, (document) => (document['draft'] = encodeBase64(root))),
    /^CER-2/,
  );
});

test('CER-3: a witness is nobody who signs', () => {
  const make = (holder: string, key: TestKey, more: Ceremony['witnesses'] = []): string | Ceremony => {
    const base = opened();
    return parseCeremony(encodeCeremony({ ...base, witnesses: [...more, { holder, key }] }));
  };
  assert.match(String(make('ada', eve)), /^CER-3/, 'the name of a holder');
  assert.match(String(make('Eve', cat)), /^CER-3/, 'the key of a holder');
  assert.match(String(make('EVE', testKey(), [{ holder: 'Eve', key: eve }])), /^CER-3/, 'one witness twice');
  assert.match(String(make('Mallory', eve, [{ holder: 'Eve', key: eve }])), /^CER-3/, 'one key twice');
  assert.equal(typeof make('Eve', eve), 'object');
});

test('CER-4: the order of steps', () => {
  const done = closed();
  const steps = (edit: (list: Record<string, unknown>[]) => unknown): string =>
    read(done, (document) => edit(document['steps'] as Record<string, unknown>[]));
  assert.match(
    steps((list) => list.reverse()),
    /^CER-4/,
  );
  assert.match(
    steps((list) => list.shift()),
    /^CER-4: its first/,
  );
  assert.match(
    steps((list) => list.push({ ...list.at(-1) })),
    /^CER-4/,
  );
  assert.match(
    steps((list) => list.splice(1, 0, { ...list[0], time: at(1), who: 'Ben' })),
    /^CER-4: it is opened twice/,
  );
  assert.match(
    steps((list) => list.push({ ...list[1], what: 'noted', text: 'later', time: at(9) })),
    /^CER-4: there are steps after its end/,
  );
  assert.match(String(withStep(done, step('noted', 'Eve', 9, { text: 'later' }))), /closed; nothing is added/);
  // A clock that is behind does not write history: the step stands after those that its maker saw.
  const late = must(withStep(confirmed(opened(), 'Ada', 5), step('noted', 'Eve', 1, { text: 'late' })));
  assert.equal(late.steps.find(({ what }) => what === 'noted')?.time, at(5));
});

test('CER-5: nothing is signed that the transcript does not tell, nor without having confirmed', () => {
  assert.match(String(withStep(opened(), step('confirmed', 'Mallory', 1))), /^CER-5/);
  assert.match(String(signing(opened(), 'Ada', 1)), /^CER-5: Ada signed without/);
  const ready = confirmed(confirmed(opened(), 'Ada', 1), 'Ben', 2);
  const other = step('signed', 'Ben', 3, { keyid: ada.keyid, module: 'a test' });
  assert.match(String(withStep(ready, other)), /^CER-5: step 4 names no key of Ben/);
  const empty = step('signed', 'Ada', 3, { keyid: ada.keyid, module: 'a test' });
  assert.match(String(withStep(ready, empty)), /^CER-5: the signature of step 4 is missing/);
  const one = must(signing(ready, 'Ada', 3));
  assert.match(
    read(one, (document) => (document['steps'] as unknown[]).pop()),
    /^CER-5: no step says/,
  );
  const again = { ...one.steps.at(-1), time: at(4) };
  assert.match(
    read(one, (document) => (document['steps'] as unknown[]).push(again)),
    /^CER-5: a key signed in two/,
  );
});

test('CER-6: a network is forbidden unless everybody agreed', () => {
  const online = { ...OFFLINE, network: ['eth0'] };
  assert.match(String(withStep(opened(), step('confirmed', 'Ada', 1, { machine: online }))), /^CER-6/);
  assert.equal(
    typeof withStep(opened({ network: 'allowed' }), step('confirmed', 'Ada', 1, { machine: online })),
    'object',
  );
  assert.match(
    read(closed(), (document) =>
      (document['steps'] as { machine: { network: string[] } }[])[1]!.machine.network.push('eth0'),
    ),
    /^CER-6/,
  );
});

test('CER-7: it is closed when enough signed and the witnesses confirmed, aborted at any time', () => {
  const end = (ceremony: Ceremony) => withStep(ceremony, step('closed', 'Ada', 9));
  assert.match(
    String(end(opened())),
    /^CER-7: .*0 of 1 holders of version 1.*0 of 2 holders of version 2.*Eve has not/,
  );
  const ready = confirmed(confirmed(opened(), 'Ada', 1), 'Ben', 2);
  assert.match(String(end(must(signing(ready, 'Ada', 3)))), /^CER-7: .*1 of 2/);
  const both = must(signing(must(signing(ready, 'Ada', 3)), 'Ben', 4));
  assert.match(String(end(both)), /^CER-7: .*Eve has not confirmed/);
  assert.equal(endOf(must(end(confirmed(both, 'Eve', 5)))), 'closed');
  for (const ceremony of [opened(), ready, both]) {
    assert.equal(endOf(must(withStep(ceremony, step('aborted', 'Eve', 9, { text: 'a seal was broken' })))), 'aborted');
  }
});

test('CER-8: attestations are over the transcript as it ended, by those who took part', () => {
  const sign = (ceremony: Ceremony, name: string, key: TestKey) =>
    withAttestation(ceremony, key.keyid, key.signer(name).sign(attestationMessage(ceremony)));
  assert.match(String(sign(opened(), 'Ada', ada)), /^CER-8: it is attested and has not ended/);
  const done = closed();
  const stranger = testKey();
  assert.match(String(sign(done, 'Mallory', stranger)), /^CER-8/);
  assert.match(String(withAttestation(done, ada.keyid, ben.signer('Ben').sign(attestationMessage(done)))), /^CER-8/);
  assert.match(String(sign(attested(done, 'Ada'), 'Ada', ada)), /^CER-8: .*twice/);
  const whole = attested(done, 'Ada', 'Eve');
  for (const edit of [
    (list: Record<string, unknown>[]) => (list[1]!['time'] = at(0)),
    (list: Record<string, unknown>[]) => (list[0]!['who'] = 'Ben'),
    (list: Record<string, unknown>[]) => ((list[4]!['module'] as unknown) = 'another'),
  ]) {
    assert.match(
      read(whole, (document) => edit(document['steps'] as Record<string, unknown>[])),
      /^CER-8/,
    );
  }
});

test('CER-9: who has to attest before it is recorded', () => {
  const done = closed();
  assert.deepEqual(unattested(done), ['0 of 2 holders of version 2 attested', 'Eve has not attested']);
  assert.deepEqual(unattested(attested(done, 'Ada', 'Eve')), ['1 of 2 holders of version 2 attested']);
  assert.deepEqual(unattested(attested(done, 'Cat', 'Ben', 'Eve')), [], 'any two holders');
  const aborted = must(withStep(opened(), step('aborted', 'Ada', 2, { text: 'no' })));
  assert.equal(unattested(aborted).length, 1);
  assert.deepEqual(unattested(attested(aborted, 'Eve')), []);
});

test('CER-10: copies come together, whatever the order, and two ceremonies never do', () => {
  const start = confirmed(confirmed(opened(), 'Ada', 1), 'Eve', 2);
  const here = must(signing(start, 'Ada', 3));
  const there = must(signing(confirmed(start, 'Ben', 3), 'Ben', 4));
  const joined = must(joinCeremonies(here, there));
  assert.equal(transcriptOf(joined), transcriptOf(must(joinCeremonies(there, here))));
  assert.equal(transcriptOf(must(joinCeremonies(joined, here))), transcriptOf(joined));
  assert.deepEqual(joined.draft.signatures.map(({ keyid }) => keyid).sort(), [ada.keyid, ben.keyid].sort());
  const ended = must(withStep(joined, step('closed', 'Ada', 9)));
  const [byAda, byEve] = [attested(ended, 'Ada'), attested(ended, 'Eve')];
  assert.deepEqual(attestedBy(must(joinCeremonies(byAda, byEve))), { holders: ['Ada'], witnesses: ['Eve'] });
  assert.equal(endOf(must(joinCeremonies(here, ended))), 'closed', 'an older copy brings nothing');
  const meanwhile = must(withStep(joined, step('noted', 'Ben', 10, { text: 'not yet' })));
  assert.match(String(joinCeremonies(ended, meanwhile)), /^CER-4/);
  assert.match(String(joinCeremonies(here, { ...there, id: 'cd'.repeat(16) })), /two ceremonies/);
  assert.match(String(joinCeremonies(here, { ...there, network: 'allowed' })), /two ceremonies/);
  assert.match(String(joinCeremonies(here, { ...there, witnesses: [] })), /two ceremonies/);
});
