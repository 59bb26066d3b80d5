import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeWords, encodeWords, endToEnd, type HeaderPair, pairsOf, readHost } from './recorder-channel.ts';

describe('what recorder and product say', () => {
  test('words come back as they were, whatever stands in them', () => {
    const words = {
      machine: 'prepare',
      method: 'GET',
      url: 'https://a.example.test/?q=%00',
      headers: [
        ['x', 'a\r\nb: c'],
        ['y', '\u00e9\u{1f600}'],
      ] as HeaderPair[],
      hasBody: false,
    };
    assert.deepEqual(decodeWords(encodeWords(words)), words);
    assert.match(encodeWords(words), /^[A-Za-z0-9_-]+$/);
  });

  test('headers about one connection stay behind, also those that Connection names', () => {
    const pairs: HeaderPair[] = [
      ['Connection', 'close, X-Private'],
      ['x-private', '1'],
      ['Transfer-Encoding', 'chunked'],
      ['Alt-Svc', 'h3=":443"'],
      ['Set-Cookie', 'a'],
      ['set-cookie', 'b'],
      ['ETag', '"x"'],
    ];
    assert.deepEqual(endToEnd(pairs), [
      ['Set-Cookie', 'a'],
      ['set-cookie', 'b'],
      ['ETag', '"x"'],
    ]);
    assert.deepEqual(pairsOf(['a', '1', 'b', '2', 'c']), [
      ['a', '1'],
      ['b', '2'],
    ]);
  });

  test('a host is a name or an address, with a port or without, and nothing else', () => {
    assert.deepEqual(readHost('Registry.Example.Test'), { name: 'registry.example.test' });
    assert.deepEqual(readHost('a:8443'), { name: 'a', port: 8443 });
    assert.deepEqual(readHost('[2001:DB8::1]:80'), { name: '[2001:db8::1]', port: 80 });
    for (const wrong of [
      undefined,
      '',
      'a b',
      'user@a',
      'a/b',
      'a:0',
      'a:65536',
      'a:',
      'a#',
      'a?b',
      '[::1',
      'a,b',
      'ä',
    ]) {
      assert.equal(readHost(wrong), undefined, String(wrong));
    }
  });
});
