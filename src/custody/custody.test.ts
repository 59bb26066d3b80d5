import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEnvelope, isProblem } from '#formats';
import type { Instant } from '#kernel';
import { mustRead, signedRoot, testDraft, testKey } from '#trust/testing';
import { formatChain, judgeChain, linkDigest, parseChain } from './custody-chain.ts';
import { type Custody, custodyEvents, readCustody, signCustody } from './custody-statement.ts';
import { isSerial, mayFollow, mediumEvents, MediaRegister } from './medium.ts';

const people = { Ada: testKey(), Kim: testKey(), Lee: testKey(), Dan: testKey() } as const;
type Person = keyof typeof people;
const root = mustRead(
  signedRoot(
    testDraft({
      Ada: { key: people.Ada, roles: ['sealer'] },
      Kim: { key: people.Kim, roles: ['carrier'] },
      Lee: { key: people.Lee, roles: ['receiver'] },
      Dan: { key: people.Dan, roles: ['root'] },
    }),
    [people.Dan.signer('Dan')],
  ),
);
const volumes = [
  { name: 'one', sha256: 'aa'.repeat(32) },
  { name: 'two', sha256: 'bb'.repeat(32) },
];
const hand = { volumes: volumes.map(({ sha256 }) => sha256), medium: 'USB-7', seals: ['4711', '4712'] };

interface Link extends Partial<Omit<Custody, 'from' | 'to'>> {
  readonly from?: Person;
  readonly to?: Person;
  readonly by?: readonly Person[];
}

/** A chain whose links follow one another, but for what a link says of itself. */
function chain(links: readonly Link[]): Uint8Array[] {
  const made: Uint8Array[] = [];
  let holder: Person = 'Ada';
  for (const [i, { by, ...change }] of links.entries()) {
    const to: Person = change.to ?? holder;
    const from: Person = change.from ?? holder;
    const custody: Custody = {
      event: 'carried',
      volumes,
      medium: 'USB-7',
      seals: ['4711', '4712'],
      site: 'low',
      at: `2026-11-22T0${i}:00:00Z` as Instant,
      previous: made.length === 0 ? '' : linkDigest(made.at(-1) ?? new Uint8Array()),
      ...change,
      from,
      to,
    };
    const signers = by ?? (custody.event === 'handed-over' ? [from, to] : [to]);
    made.push(
      signCustody(
        custody,
        [...new Set(signers)].map((name) => people[name].signer(name)),
      ),
    );
    holder = to;
  }
  return made;
}

const whole: readonly Link[] = [
  { event: 'sealed', to: 'Ada' },
  { event: 'handed-over', to: 'Kim' },
  { event: 'carried' },
  { event: 'handed-over', to: 'Lee' },
  { event: 'arrived' },
];
const codes = (links: readonly Uint8Array[], now = hand): string[] => [
  ...new Set(judgeChain(root, links, now).reasons.map(({ code }) => code)),
];
const having = (at: number, change: Link): readonly Link[] =>
  whole.map((link, i) => (i === at ? { ...link, ...change } : link));

test('a whole chain holds, to arrival, refusal or destruction, and every event can be said', () => {
  assert.deepEqual(codes(chain(whole)), []);
  assert.deepEqual(codes(chain([...whole, { event: 'refused' }])), []);
  assert.deepEqual(codes(chain([...whole, { event: 'destroyed' }])), []);
  const said = new Set(judgeChain(root, chain([...whole, { event: 'refused' }]), hand).links.map(({ event }) => event));
  for (const event of custodyEvents) assert.ok(said.has(event) || event === 'destroyed', event);
  const text = formatChain(chain(whole));
  const parsed = parseChain(text);
  assert.ok(parsed !== undefined);
  assert.deepEqual(codes(parsed), []);
});

test('CUS-3 to CUS-6: one broken chain a rule', () => {
  const cases: [string, readonly Uint8Array[], string][] = [
    ['CUS-3 the first names one before it', chain(having(0, { previous: 'cc'.repeat(32) })), 'custody.chain'],
    ['CUS-3 a link names another before it', chain(having(2, { previous: 'cc'.repeat(32) })), 'custody.chain'],
    ['CUS-3 a link is left out', chain(whole).toSpliced(2, 1), 'custody.chain'],
    [
      'CUS-3 two links changed places',
      chain(whole).toSpliced(1, 2, ...chain(whole).slice(1, 3).reverse()),
      'custody.chain',
    ],
    ['CUS-3 no link', [], 'custody.chain'],
    ['CUS-4 a hand-over that the giver did not sign', chain(having(1, { by: ['Kim'] })), 'custody.unsigned'],
    ['CUS-4 a hand-over that the taker did not sign', chain(having(1, { by: ['Ada'] })), 'custody.unsigned'],
    ['CUS-4 signed by somebody else', chain(having(4, { by: ['Kim'] })), 'custody.unsigned'],
    [
      'CUS-4 by a person without a duty on media',
      chain([{ event: 'sealed', to: 'Dan', from: 'Dan' }]),
      'custody.unsigned',
    ],
    ['CUS-5 given away by who did not have it', chain(having(3, { from: 'Ada', by: ['Ada', 'Lee'] })), 'custody.hands'],
    ['CUS-5 another medium', chain(having(2, { medium: 'USB-8' })), 'custody.medium'],
    ['CUS-5 other volumes', chain(having(2, { volumes: volumes.slice(0, 1) })), 'custody.volume'],
    ['CUS-5 another seal', chain(having(2, { seals: ['4711', '4799'] })), 'custody.seal'],
    ['CUS-5 a seal fewer', chain(having(2, { seals: ['4711'] })), 'custody.seal'],
    ['CUS-5 time goes back', chain(having(2, { at: '2026-11-21T00:00:00Z' as Instant })), 'custody.chain'],
    ['CUS-5 after a refusal', chain([...whole, { event: 'refused' }, { event: 'carried' }]), 'custody.chain'],
    ['CUS-5 after destruction', chain([...whole, { event: 'destroyed' }, { event: 'arrived' }]), 'custody.chain'],
  ];
  for (const [name, links, code] of cases) assert.ok(codes(links).includes(code), `${name}: ${codes(links).join()}`);
  const good = chain(whole);
  assert.deepEqual(codes(good, { ...hand, volumes: ['dd'.repeat(32)] }), ['custody.volume'], 'CUS-6 another volume');
  assert.deepEqual(codes(good, { ...hand, medium: 'USB-9' }), ['custody.medium'], 'CUS-6 another medium');
  assert.deepEqual(codes(good, { ...hand, seals: ['4711'] }), ['custody.seal'], 'CUS-6 a seal is gone');
});

test('a link that says anything else, or is changed in one byte, is none', () => {
  const [link = new Uint8Array()] = chain(whole);
  const envelope = decodeEnvelope(link);
  assert.ok(!isProblem(envelope));
  const other = (from: string, to: string): Uint8Array => {
    const payload = Buffer.from(Buffer.from(envelope.payload).toString().replace(from, to));
    const text = Buffer.from(link)
      .toString()
      .replace(Buffer.from(envelope.payload).toString('base64'), payload.toString('base64'));
    return Buffer.from(text);
  };
  for (const [from, to] of [
    ['"sealed"', '"given"'],
    ['"version":"1.0"', '"version":"2.0"'],
    ['"critical":[]', '"critical":["x"]'],
    ['"USB-7"', '"USB 7"'],
    ['custody/v1', 'custody/v2'],
    ['T00:00:00Z', ' yesterday'],
  ] as const) {
    assert.equal(typeof readCustody(other(from, to)), 'string', to);
  }
  for (const [from, to] of [
    ['USB-7', 'USB-8'],
    ['4711', '4710'],
    ['aaaa', 'aaab'],
    ['"low"', '"out"'],
  ] as const) {
    assert.ok(
      codes([other(from, to)], { ...hand, medium: 'USB-8' }).includes('custody.unsigned'),
      `${to} is not what was signed`,
    );
  }
  assert.equal(parseChain(Buffer.from('{}')), undefined, 'no line end');
  assert.equal(parseChain(Buffer.from('{}\n'.repeat(257))), undefined, 'CUS: more than 256 links');
});

test('CUS-1, CUS-2: media go only ways that media can go', () => {
  for (const serial of ['USB-7', 'a', '0.1_x', 'x'.repeat(64)]) assert.ok(isSerial(serial), serial);
  for (const serial of ['', '-x', 'a b', 'ä', 'x'.repeat(65), '../x']) assert.ok(!isSerial(serial), serial);
  const allowed = new Set([
    ' registered',
    'registered issued',
    'registered lost',
    'registered destroyed',
    'issued returned',
    'issued lost',
    'issued destroyed',
    'returned issued',
    'returned lost',
    'returned destroyed',
  ]);
  const at = '2026-11-22T00:00:00Z';
  for (const before of [undefined, ...mediumEvents]) {
    for (const event of mediumEvents) {
      const medium =
        before === undefined ? undefined : { serial: 'a', state: before, to: '', due: '' as const, entry: 0, at };
      assert.equal(mayFollow(medium, event), allowed.has(`${before ?? ''} ${event}`), `${before} ${event}`);
    }
  }
  const register = new MediaRegister();
  const say = (entry: number, event: string, over = {}): void =>
    register.add(entry, { serial: 'USB-7', event, at, ...over });
  assert.deepEqual(
    register.judge('USB-7').map(({ code }) => code),
    ['custody.unregistered'],
  );
  say(1, 'registered');
  say(2, 'issued', { to: 'Kim', due: '2026-11-23T00:00:00Z' });
  assert.deepEqual(register.judge('USB-7'), []);
  assert.deepEqual(register.overdue(Date.parse('2026-11-22T12:00:00Z')), []);
  assert.deepEqual(
    register.overdue(Date.parse('2026-11-24T00:00:00Z')).map(({ code }) => code),
    ['custody.overdue'],
  );
  say(3, 'returned');
  assert.deepEqual(register.overdue(Date.parse('2026-11-24T00:00:00Z')), [], 'it is back');
  say(4, 'destroyed');
  say(5, 'registered');
  assert.equal(register.get('USB-7')?.state, 'destroyed', 'what is gone stays gone');
  assert.deepEqual(
    register.judge('USB-7').map(({ code }) => code),
    ['custody.gone'],
  );
  assert.deepEqual(
    register.judge('usb-7').map(({ code }) => code),
    ['custody.unregistered'],
    'byte for byte',
  );
});
