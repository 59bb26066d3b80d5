import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { decodeEnvelope, encodeEnvelope, pae } from './envelope.ts';
import { isProblem } from './problem.ts';
import { decodeStatement, encodeStatement } from './statement.ts';
import { envelopeLies } from './testing/index.ts';

const text = (value: string): Uint8Array => Buffer.from(value, 'utf8');
const good = { payloadType: 'application/x', payload: 'aGk=', signatures: [{ keyid: 'k', sig: 'c2ln' }] };
const read = (over: object): ReturnType<typeof decodeEnvelope> =>
  decodeEnvelope(text(JSON.stringify({ ...good, ...over })));

test('PAE of the DSSE specification', () => {
  const bytes = pae('http://example.com/HelloWorld', text('hello world'));
  assert.equal(Buffer.from(bytes).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('PAE counts bytes of UTF-8, not characters', () => {
  assert.equal(Buffer.from(pae('ä', text('€'))).toString(), 'DSSEv1 2 ä 3 €');
});

test('two pairs of type and payload never have the same PAE', () => {
  fc.assert(
    fc.property(fc.string(), fc.uint8Array(), fc.string(), fc.uint8Array(), (typeA, bodyA, typeB, bodyB) => {
      const same = typeA.toWellFormed() === typeB.toWellFormed() && Buffer.from(bodyA).equals(bodyB);
      assert.equal(Buffer.from(pae(typeA, bodyA)).equals(pae(typeB, bodyB)), same);
    }),
  );
});

test('what is encoded is decoded, and has one text', () => {
  const signature = fc.record({
    keyid: fc.stringMatching(/^[ -~]{0,40}$/),
    sig: fc.uint8Array({ minLength: 1, maxLength: 80 }),
  });
  const envelopes = fc.record({
    payloadType: fc.stringMatching(/^[!-~]{1,40}$/),
    payload: fc.uint8Array({ maxLength: 200 }),
    signatures: fc.array(signature, { minLength: 1, maxLength: 5 }),
  });
  fc.assert(
    fc.property(envelopes, (envelope) => {
      const bytes = encodeEnvelope(envelope);
      const back = decodeEnvelope(bytes);
      assert.ok(!isProblem(back));
      assert.ok(Buffer.from(encodeEnvelope(back)).equals(bytes));
    }),
  );
});

test('ENV-1 to ENV-6: what is refused, and where', () => {
  for (const { name, bytes, where } of envelopeLies(text(JSON.stringify(good)))) {
    const envelope = decodeEnvelope(bytes);
    assert.ok(isProblem(envelope), name);
    if (where !== undefined) assert.equal(envelope.where, where, name);
  }
  assert.ok(isProblem(decodeEnvelope(text(JSON.stringify(good)), { size: 10 })), 'ENV-6 size');
});

test('unknown fields are ignored and a missing key id is an empty one, as DSSE asks', () => {
  const envelope = read({ more: 1, signatures: [{ sig: 'c2ln', cert: 'x' }] });
  assert.ok(!isProblem(envelope));
  assert.deepEqual(
    envelope.signatures.map(({ keyid }) => keyid),
    [''],
  );
});

test('base64 has one text for each bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.deepEqual(Buffer.from(decodeBase64(encodeBase64(bytes)) ?? []), Buffer.from(bytes));
    }),
  );
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9+/=\n _-]{0,16}$/), (encoded) => {
      const bytes = decodeBase64(encoded);
      if (bytes !== undefined) assert.equal(encodeBase64(bytes), encoded);
    }),
    { numRuns: 2000 },
  );
});

const happening = {
  predicateType: 'sallyport/sealed/v1',
  subject: [{ name: 'index', digest: { sha256: 'ab'.repeat(32) } }],
  predicate: { z: 1, a: ['x'] },
};

test('a statement keeps the order of its predicate and comes back', () => {
  const bytes = encodeStatement(happening);
  assert.equal(
    Buffer.from(bytes).toString(),
    `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"index","digest":{"sha256":"${'ab'.repeat(32)}"}}],` +
      '"predicateType":"sallyport/sealed/v1","predicate":{"z":1,"a":["x"]}}',
  );
  assert.deepEqual(decodeStatement(bytes), happening);
});

test('STM-1 to STM-3: statements that are refused', () => {
  const base = JSON.parse(Buffer.from(encodeStatement(happening)).toString()) as Record<string, unknown>;
  const cases: [string, object][] = [
    ['STM-1 older type', { _type: 'https://in-toto.io/Statement/v0.1' }],
    ['STM-1 no type', { _type: undefined }],
    ['STM-2 no predicate type', { predicateType: '' }],
    ['STM-2 predicate is a list', { predicate: [] }],
    ['STM-2 no predicate', { predicate: undefined }],
    ['STM-3 subject is an object', { subject: {} }],
    ['STM-3 upper-case digest', { subject: [{ name: 'x', digest: { sha256: 'AB'.repeat(32) } }] }],
    ['STM-3 short digest', { subject: [{ name: 'x', digest: { sha256: 'ab' } }] }],
    ['STM-3 weak digest only', { subject: [{ name: 'x', digest: { sha1: 'ab'.repeat(20) } }] }],
    ['STM-3 no name', { subject: [{ digest: { sha256: 'ab'.repeat(32) } }] }],
  ];
  for (const [name, over] of cases) {
    const read = decodeStatement(text(JSON.stringify({ ...base, ...over })));
    assert.ok('ok' in read, name);
  }
});

test('what has no faithful JSON form is a bug of the caller', () => {
  assert.throws(() => encodeStatement({ ...happening, predicate: { big: 2 ** 60 } }), TypeError);
  assert.throws(() => encodeStatement({ ...happening, predicate: { half: '\ud800' } }), TypeError);
});
