import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '#kernel';
import { Recording } from './recording.ts';

const asked = (url: string, machine = 'prepare') => ({
  time: '2026-01-01T00:00:00.000Z',
  machine,
  method: 'GET',
  url: url.replace(/\?.*$/, ''),
  ...(url.includes('?') ? { query: digestOf(url.slice(url.indexOf('?'))) } : {}),
});
const begin = (recording: Recording, url: string, machine?: string) => recording.begin(asked(url, machine), url);
const whole = { outcome: 'answered', status: 200, digest: digestOf('x'), size: 1 } as const;

describe('a recording', () => {
  test('a chain of redirects is one request, with the digest of its last body', () => {
    const recording = new Recording();
    const a = 'https://a.example.test/x?token=1';
    const b = 'https://b.example.test/y?sig=2';
    begin(recording, a).end({ outcome: 'answered', status: 302, size: 0, location: b });
    begin(recording, b).end({ outcome: 'answered', status: 307, size: 0, location: 'https://c.example.test/z' });
    begin(recording, 'https://c.example.test/z').end(whole);
    assert.deepEqual(recording.requests(), [
      {
        ...asked(a),
        redirects: ['https://b.example.test/y', 'https://c.example.test/z'],
        ...whole,
      },
    ]);
  });

  test('only who was sent there continues a chain, and each chain once', () => {
    const recording = new Recording();
    const target = 'https://b.example.test/y';
    for (const from of ['1', '2'])
      begin(recording, `https://a.example.test/${from}`).end({
        outcome: 'answered',
        status: 302,
        size: 0,
        location: target,
      });
    begin(recording, target, 'other').end(whole);
    begin(recording, `${target}?other`).end(whole);
    for (let i = 0; i < 3; i++) begin(recording, target).end(whole);
    assert.deepEqual(
      recording.requests().map(({ url, redirects, machine }) => [machine, url, redirects.length]),
      [
        ['prepare', 'https://a.example.test/1', 1],
        ['prepare', 'https://a.example.test/2', 1],
        ['other', target, 0],
        ['prepare', target, 0],
        ['prepare', target, 0],
      ],
    );
  });

  test('what has not ended is broken, and a redirect that nobody followed stays one', () => {
    const recording = new Recording();
    begin(recording, 'https://a.example.test/1');
    begin(recording, 'https://a.example.test/2').end({
      outcome: 'answered',
      status: 301,
      size: 3,
      location: 'https://a.example.test/3',
    });
    assert.deepEqual(
      recording.requests().map(({ outcome, status }) => [outcome, status]),
      [
        ['broken', undefined],
        ['answered', 301],
      ],
    );
  });

  test('a program that asks without end is known by the first of its requests', () => {
    const recording = new Recording();
    for (let i = 0; i < 100_010; i++) begin(recording, `https://a.example.test/${i}`).end(whole);
    assert.equal(recording.requests().length, 100_000);
    assert.equal(recording.unkept(), 10);
  });
});
