import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NameBook, readQuestion, TYPE, writeAnswer } from './dns.ts';

/** A query for `name` as RFC 1035 writes it. */
function query(name: string, type: number): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([Buffer.from('beef01000001000000000000', 'hex'), ...labels, Buffer.from([0, 0, type, 0, 1])]);
}

test('a question is read, and the answer repeats it', () => {
  const question = readQuestion(query('Registry.Example.test', TYPE.A));
  assert.ok(question);
  assert.deepEqual([question.id, question.name, question.type], [0xbeef, 'registry.example.test', 1]);
  const answer = writeAnswer(question, [Buffer.from([198, 18, 0, 1])]);
  assert.equal(answer.subarray(0, 12).toString('hex'), 'beef85800001000100000000');
  assert.equal(answer.subarray(-4).toString('hex'), 'c6120001');
});

test('what is no question is none, whatever the bytes', () => {
  assert.equal(readQuestion(Buffer.alloc(12)), undefined);
  const answered = query('a.test', 1);
  answered[2] = 0x80;
  assert.equal(readQuestion(answered), undefined);
  const whole = query('registry.example.test', 1);
  for (let length = 0; length < whole.length; length++)
    assert.equal(readQuestion(whole.subarray(0, length)), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void readQuestion(bytes)));
});

test('a name keeps its address, another gets another, and the way back is known', () => {
  const book = new NameBook();
  const names = Array.from({ length: 70_000 }, (_, index) => `n${index}.test`);
  const addresses = names.map((name) => [...book.addressOf(name)].join('.'));
  assert.equal(new Set(addresses).size, names.length);
  assert.ok(addresses.every((address) => /^198\.1[89]\./.test(address)));
  assert.equal([...book.addressOf('n7.test')].join('.'), addresses[7]);
  assert.equal(book.nameOf(addresses[69_999] ?? ''), 'n69999.test');
});
