import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatNote,
  formatVkey,
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  noteKeyHash,
  type NoteSignature,
  openNote,
  parseNote,
  parseVkey,
  type Vkey,
} from './note.ts';
import { isProblem } from './problem.ts';

const bytes = (value: string): Uint8Array => Buffer.from(value, 'utf8');

function signer(name: string, type = NOTE_ED25519): { vkey: Vkey; sign(text: Uint8Array): NoteSignature } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const vkey = parseVkey(formatVkey(name, type, key));
  assert.ok(!isProblem(vkey));
  return {
    vkey,
    sign(text) {
      if (type === NOTE_ED25519) return { name, keyHash: vkey.keyHash, signature: sign(null, text, privateKey) };
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(1_700_000_000n);
      const message = Buffer.concat([bytes('cosignature/v1\ntime 1700000000\n'), text]);
      return { name, keyHash: vkey.keyHash, signature: Buffer.concat([time, sign(null, message, privateKey)]) };
    },
  };
}

test('the worked example of the Go note package', () => {
  const vkey = parseVkey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
  assert.ok(!isProblem(vkey));
  const note =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
    '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
  const opened = openNote(bytes(note), [vkey]);
  assert.ok(!isProblem(opened));
  assert.equal(opened.signers[0]?.vkey.name, 'PeterNeumann');
  assert.ok(isProblem(openNote(bytes(note.replace('answer', 'Answer')), [vkey])), 'changed text');
});

test('the key hash covers name, type and key', () => {
  const key = new Uint8Array(32).fill(7);
  const hashes = new Set([
    noteKeyHash('a', 1, key),
    noteKeyHash('b', 1, key),
    noteKeyHash('a', 4, key),
    noteKeyHash('a', 1, new Uint8Array(32)),
  ]);
  assert.equal(hashes.size, 4);
});

test('NOTE-1: the text ends at the last blank line', () => {
  const log = signer('example.test/log');
  const text = bytes('head\n\nbody\n\n— example.test/log AAAA\n');
  const opened = openNote(formatNote(text, [log.sign(text)]), [log.vkey]);
  assert.ok(!isProblem(opened));
  assert.deepEqual(Buffer.from(opened.text), Buffer.from(text));
  // What a reader that splits at the first blank line would have believed:
  const signed = bytes('head\n');
  const trick = Buffer.concat([formatNote(signed, [log.sign(signed)]), bytes('\nmore\n')]);
  assert.ok(isProblem(openNote(trick, [log.vkey])));
});

test('NOTE-2 to NOTE-5: notes that are refused', () => {
  const log = signer('example.test/log');
  const text = bytes('example.test/log\n1\nAAAA\n');
  const good = Buffer.from(formatNote(text, [log.sign(text)])).toString();
  const cases: [string, string][] = [
    ['NOTE-2 CRLF', good.replaceAll('\n', '\r\n')],
    ['NOTE-2 tab', good.replace('1\n', '1\t\n')],
    ['NOTE-2 NUL', good.replace('1\n', '1\0\n')],
    ['NOTE-3 no blank line', good.replace('\n\n', '\n')],
    ['NOTE-3 no final newline', good.slice(0, -1)],
    ['NOTE-3 text after the signatures', `${good}more\n`],
    ['NOTE-3 no signature', 'text\n\n'],
    ['NOTE-4 hyphen for the dash', good.replace('—', '-')],
    ['NOTE-4 name with a plus', good.replace('— example.test/log', '— example.test+log')],
    ['NOTE-4 two spaces', good.replace('— ', '—  ')],
    ['NOTE-4 base64 without padding', good.replace(/=+\n$/, '\n')],
    ['NOTE-4 short signature', 'text\n\n— x AAAA\n'],
    ['empty', ''],
  ];
  for (const [name, note] of cases) assert.ok(isProblem(openNote(bytes(note), [log.vkey])), name);
  const notUtf8 = Buffer.concat([Buffer.from([0xff, 0x0a]), bytes('\n— x AAAAAAAA\n')]);
  assert.ok(isProblem(parseNote(notUtf8)), 'NOTE-2 UTF-8');
  const line = good.slice(good.indexOf('—'));
  assert.ok(isProblem(parseNote(bytes(good + line.repeat(100)))), 'NOTE-5 too many signatures');
  assert.ok(isProblem(parseNote(new Uint8Array(1_000_001))), 'NOTE-5 size');
});

test('NOTE-2: a text that no note may have, rightly signed', () => {
  const log = signer('example.test/log');
  for (const text of ['a\tb\n', 'a\r\n', 'a\0\n', '\u001b[2J\n']) {
    const { name, keyHash, signature } = log.sign(bytes(text));
    const line = Buffer.concat([Buffer.from(keyHash, 'hex'), signature]).toString('base64');
    assert.ok(isProblem(openNote(bytes(`${text}\n— ${name} ${line}\n`), [log.vkey])), JSON.stringify(text));
    assert.throws(() => formatNote(bytes(text), [{ name, keyHash, signature }]), TypeError);
  }
  assert.throws(() => formatNote(bytes('no newline'), []), TypeError);
});

test('NOTE-6: unknown keys are ignored, sixteen and more signatures read, each signer counted once', () => {
  const log = signer('example.test/log');
  const strangers = Array.from({ length: 20 }, (_, n) => signer(`witness-${n}.test`));
  const text = bytes('example.test/log\n1\nAAAA\n');
  const signatures = [...strangers, log, log].map((key) => key.sign(text));
  const opened = openNote(formatNote(text, signatures), [log.vkey]);
  assert.ok(!isProblem(opened));
  assert.equal(opened.signers.length, 1);
  const all = openNote(
    formatNote(text, signatures),
    [log, ...strangers].map(({ vkey }) => vkey),
  );
  assert.ok(!isProblem(all));
  assert.equal(all.signers.length, 21);
});

test('NOTE-6: the key hash alone or the name alone is no match', () => {
  const log = signer('example.test/log');
  const text = bytes('example.test/log\n1\nAAAA\n');
  const signature = log.sign(text);
  assert.ok(isProblem(openNote(formatNote(text, [{ ...signature, name: 'other.test' }]), [log.vkey])));
  assert.ok(isProblem(openNote(formatNote(text, [{ ...signature, keyHash: '00000000' }]), [log.vkey])));
});

test('NOTE-7: a known key that fails rejects the note, beside good ones too', () => {
  const log = signer('example.test/log');
  const witness = signer('witness.test', NOTE_COSIGNATURE);
  const text = bytes('example.test/log\n1\nAAAA\n');
  const bad = { ...witness.sign(text), signature: new Uint8Array(72) };
  assert.ok(isProblem(openNote(formatNote(text, [log.sign(text), bad]), [log.vkey, witness.vkey])));
  const again = { ...log.sign(text), signature: new Uint8Array(64) };
  assert.ok(isProblem(openNote(formatNote(text, [log.sign(text), again]), [log.vkey])), 'good first, bad second');
  assert.ok(isProblem(openNote(formatNote(text, [log.sign(text)]), [])), 'nobody is known');
});

test('a cosignature carries its time', () => {
  const witness = signer('witness.test', NOTE_COSIGNATURE);
  const text = bytes('example.test/log\n1\nAAAA\n');
  const opened = openNote(formatNote(text, [witness.sign(text)]), [witness.vkey]);
  assert.ok(!isProblem(opened));
  assert.equal(opened.signers[0]?.time, 1_700_000_000);
});

test('NOTE-8: verifier keys that are refused', () => {
  const good = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
  const low = new Uint8Array(32);
  const cases: [string, string][] = [
    ['hash of another name', good.replace('Peter', 'Pater')],
    ['upper-case hash', good.replace('c74f20a3', 'C74F20A3')],
    ['no key', 'PeterNeumann+c74f20a3+'],
    ['junk in base64', good.replace('ARpc', 'AR pc')],
    ['line end', `${good}\n`],
    ['space in the name', 'a b+00000000+AQ=='],
    ['short key', `x+${noteKeyHash('x', 1, new Uint8Array(31))}+${Buffer.alloc(32, 1).toString('base64')}`],
    [
      'point of small order',
      `x+${noteKeyHash('x', 1, low)}+${Buffer.concat([Uint8Array.of(1), low]).toString('base64')}`,
    ],
  ];
  for (const [name, vkey] of cases) assert.ok(isProblem(parseVkey(vkey)), name);
});

test('any text survives, and parsing never throws', () => {
  const lines = fc.array(fc.stringMatching(/^[ -~äß€]{0,20}$/), { minLength: 1, maxLength: 6 });
  const log = signer('example.test/log');
  fc.assert(
    fc.property(lines, (parts) => {
      const text = bytes(`${parts.join('\n')}\n`);
      const opened = openNote(formatNote(text, [log.sign(text)]), [log.vkey]);
      assert.ok(!isProblem(opened));
      assert.deepEqual(Buffer.from(opened.text), Buffer.from(text));
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (raw) => void parseNote(raw)));
});
