import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { decodeEnvelope, isProblem, pae, parseVkey } from '#formats';
import { digestOf } from '#kernel';
import { testSigner } from '#ledger/testing';
import { decodeEntry, encodeEntry, statementPath } from './entry.ts';
import { readStatement, signStatement } from './statement.ts';

const happening = {
  predicateType: 'sallyport/sealed/v1',
  subject: [{ name: 'bundle', digest: { sha256: 'ab'.repeat(32) } }],
  predicate: { sequence: 1 },
};

test('a statement is a DSSE envelope over an in-toto statement that the log’s own key signed', () => {
  const signer = testSigner();
  const bytes = signStatement(happening, signer);
  assert.deepEqual(readStatement(bytes), happening);
  const envelope = decodeEnvelope(bytes);
  assert(!isProblem(envelope));
  const vkey = parseVkey(signer.vkey);
  assert(!isProblem(vkey));
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), vkey.key]);
  const [signature] = envelope.signatures;
  assert(signature !== undefined);
  assert.equal(signature.keyid, createHash('sha256').update(spki).digest('hex'));
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  assert(verify(null, pae(envelope.payloadType, envelope.payload), key, signature.sig));
  assert.equal(envelope.payloadType, 'application/vnd.in-toto+json');
  assert.equal(readStatement(Buffer.from('{}')), undefined);
});

test('an entry has one form, and says where its statement is', () => {
  const entry = { statement: digestOf('x'), size: 1, type: 'sallyport/sealed/v1' };
  const bytes = encodeEntry(entry);
  assert.equal(
    Buffer.from(bytes).toString(),
    `{"sallyport-entry":"1.0","statement":"${entry.statement}","size":1,"type":"sallyport/sealed/v1"}`,
  );
  assert.deepEqual(decodeEntry(bytes), entry);
  const newer = Buffer.from(`${Buffer.from(bytes).toString().slice(0, -1)},"more":[1]}`.replace('"1.0"', '"1.7"'));
  assert.deepEqual(decodeEntry(newer), entry);
  assert.equal(decodeEntry(Buffer.from('{"other":1}')), 'opaque');
  assert.equal(decodeEntry(Buffer.alloc(0)), 'opaque');
  const hex = entry.statement.slice(7);
  assert.equal(statementPath(entry.statement), `statements/sha256/${hex.slice(0, 2)}/${hex}`);
});
