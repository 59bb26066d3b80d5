import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatRelease, parseRelease, type ReleaseText } from './release-text.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const receipt: ReleaseText = {
  kind: 'receipt',
  site: 'high',
  level: 'verdicts',
  lines: [
    ['vkey', 'high/0123456789abcdef+00112233+AQAB'],
    ['checkpoint', 'AAAA'],
    ['from', '3'],
    ['hash', 'AAAA'],
    ['seen', 'AAAA'],
    ['outcome', 'main', '1', digest, 'refused', '4', 'bundle.digest', 'trust.threshold'],
    ['entry', 'AAAA', 'BBBB'],
    ['artifact', 'npm', '@scope/a', '1.0.0', digest],
  ],
};

test('what is written is read again, and has one form', () => {
  for (const text of [
    receipt,
    { kind: 'request', site: 'high', lines: [['want', 'npm', 'left-pad', '1.3.0']] },
    { kind: 'ledger', site: 'high', lines: [['record', '0', 'sallyport/admitted/v1', digest]] },
    {
      kind: 'support',
      site: 'high',
      lines: [
        ['version', 'node', '26.10.0'],
        ['check', 'nft', 'no'],
      ],
    },
  ] satisfies ReleaseText[]) {
    assert.deepEqual(parseRelease(formatRelease(text)), text);
  }
});

test('no line holds what somebody could write freely', () => {
  const text = Buffer.from(formatRelease(receipt)).toString();
  const bad = [
    '',
    text.slice(0, -1),
    text.replace('sallyport-release/1', 'sallyport-release/2'),
    text.replace('site high', 'site High Street'),
    text.replace('level verdicts\n', ''),
    text.replace('level verdicts', 'level everything'),
    text.replace('receipt', 'request'),
    `${text}note hello\n`,
    `${text}toString x\n`,
    `${text}__proto__ x\n`,
    `${text}want npm left-pad 1.3.0\n`,
    `${text}\n`,
    text.replace('outcome main 1', 'outcome  main 1'),
    text.replace(' refused 4', ' refused 04'),
    text.replace(' refused 4', ' perhaps 4'),
    text.replace('bundle.digest', 'bundle.digest: secret'),
    text.replace(digest, digest.toUpperCase()),
    text.replace('npm @scope/a', 'npm @scope/ü'),
    text.replace('hash AAAA', 'hash AA AA'),
    text.replace('\n', '\r\n'),
  ];
  for (const one of bad) assert.ok('ok' in parseRelease(Buffer.from(one)), JSON.stringify(one.slice(0, 200)));
});

test('whatever bytes come, it answers', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      parseRelease(Buffer.concat([Buffer.from('sallyport-release/1 receipt\nsite a\nlevel checkpoint\n'), bytes]));
    }),
  );
});
