import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseListen } from './listen.ts';
import { parseHost, parseTarget } from './target.ts';
import { parseTokens, whoAsks } from './tokens.ts';

test('request targets are read strictly', () => {
  for (const [raw, path] of [
    ['/', '/'],
    ['/npm/@a%2fb', '/npm/@a%2fb'],
    ['/a/b?c=d', '/a/b'],
    ['/a/...', '/a/...'],
    ['/a/%252e%252e/b', '/a/%252e%252e/b'],
    ['http://h.example.test/a', '/a'],
    ['http://h.example.test', '/'],
    ['/a//b', '/a//b'],
  ] as const) {
    assert.equal(parseTarget(raw)?.path, path, raw);
  }
  for (const raw of [
    '',
    '*',
    'a',
    '//evil.example.test/a',
    '/../a',
    '/a/..',
    '/a/./b',
    '/a/%2e%2e/b',
    '/a/%2E./b',
    '/a%2f..%2fb',
    '/a\\b',
    '/a%5c..%5cb',
    '/a%00',
    '/a%0d%0ab',
    '/%',
    '/%zz',
    '/%ff',
    '/%c0%ae%c0%ae/',
    '/a#b',
    '/a b',
    '/\u00e4',
    'ftp://h.example.test/a',
    `/${'a'.repeat(8192)}`,
  ]) {
    assert.equal(parseTarget(raw), undefined, raw);
  }
});

test('property: no target that is read has a segment that leads up', () => {
  const piece = fc.constantFrom('/', '.', '..', '%2e', '%2F', '%5c', '%00', 'a', '%', '%25', '?', '#', '\\', '%c3%a4');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const target = parseTarget(`/${pieces.join('')}`);
      if (target === undefined) return;
      const decoded = decodeURIComponent(target.path);
      assert.ok(!decoded.split('/').some((part) => part === '..' || part === '.'));
      assert.ok(!decoded.includes('\0') && !decoded.includes('\\'));
    }),
  );
});

test('hosts and addresses', () => {
  assert.equal(parseHost('Depot.example.test:80'), 'depot.example.test:80');
  assert.equal(parseHost('[::1]:80'), '[::1]:80');
  for (const host of ['', 'a b', 'a/b', 'a@b', 'a"b', 'h:99999999', '[a'])
    assert.equal(parseHost(host), undefined, host);
  assert.deepEqual(parseListen('127.0.0.1:0'), { host: '127.0.0.1', port: 0, isLoopback: true });
  assert.deepEqual(parseListen('[::1]:80'), { host: '::1', port: 80, isLoopback: true });
  assert.deepEqual(parseListen('4873'), { host: '127.0.0.1', port: 4873, isLoopback: true });
  assert.deepEqual(parseListen('0.0.0.0:80'), { host: '0.0.0.0', port: 80, isLoopback: false });
  assert.equal(parseListen('127.0.0.1.example.test:80')?.isLoopback, false);
  for (const text of ['', 'host', 'h:70000', ':80', '::1:80', 'http://a:1', 'a:-1']) {
    assert.equal(parseListen(text), undefined, text);
  }
});

test('tokens by Bearer and by Basic, and nothing else', () => {
  const parsed = parseTokens('# who may ask\nci-1 aaaaaaaaaaaaaaaa\nbbbbbbbbbbbbbbbb\n');
  assert.ok('tokens' in parsed);
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  assert.equal(whoAsks(parsed.tokens, 'Bearer aaaaaaaaaaaaaaaa'), 'ci-1');
  assert.equal(whoAsks(parsed.tokens, basic('anyone:aaaaaaaaaaaaaaaa')), 'ci-1');
  assert.equal(whoAsks(parsed.tokens, 'bearer bbbbbbbbbbbbbbbb'), 'line 3');
  for (const header of [undefined, '', 'Bearer', 'Bearer c', basic('aaaaaaaaaaaaaaaa'), 'Digest aaaaaaaaaaaaaaaa']) {
    assert.equal(whoAsks(parsed.tokens, header), undefined);
  }
  assert.deepEqual(parseTokens('ci short'), { line: 1 });
  assert.deepEqual(parseTokens('# nothing\n'), { line: 1 });
  assert.deepEqual(parseTokens('aaaaaaaaaaaaaaaa\na b aaaaaaaaaaaaaaaa'), { line: 2 });
});
