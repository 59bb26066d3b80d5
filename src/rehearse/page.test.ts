import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Report } from './report.ts';
import { renderPage } from './page.ts';

const report: Report = {
  verdict: 'not-proved',
  reasons: [{ code: 'rehearse.step-failed', where: 'npm-1', detail: 'It <ended> with 1.' }],
  offline: 'no',
  project: 'shop"><script>alert(1)</script>',
  folder: '/tmp/shop',
  started: '2026-11-22T06:00:00Z',
  milliseconds: 12_345,
  version: '0.1.0',
  steps: [
    {
      id: 'npm-1',
      title: 'npm ci \u202egnp.exe',
      outcome: 'failed',
      side: 'enclave',
      command: 'npm ci',
      milliseconds: 900,
      digest: `sha256:${'a'.repeat(64)}`,
      ledger: 7,
      detail: '\u001b[31mred',
    },
  ],
  bundle: { path: '/tmp/b', size: 1234, index: `sha256:${'b'.repeat(64)}`, sequence: 2 },
  artifacts: {
    locked: 2,
    served: 1,
    bytes: 10,
    foreign: [],
    notAsked: [{ artifact: 'npm fsevents 2.0.0', digest: `sha256:${'c'.repeat(64)}`, targets: 'mac' }],
  },
  attempts: [
    {
      time: '2026-11-22T06:00:01Z',
      from: 'web',
      kind: 'call',
      name: 'telemetry.example.test',
      address: '198.18.0.1',
      port: 443,
      protocol: 'tcp',
      serverName: 'telemetry.example.test',
      firstBytes: '1603',
      count: 3,
      deliberate: false,
    },
  ],
  refusals: [
    {
      what: 'a flipped bit',
      bundle: '/tmp/f',
      refused: true,
      codes: ['bundle.digest'],
      detail: 'It differs.',
      ledger: 3,
    },
  ],
  check: ["tar -xf 'x'"],
  report: '/tmp/report.json',
  page: '/tmp/report.html',
};

test('every text from outside is escaped, and nothing can move or turn round', () => {
  const page = renderPage(report);
  assert.ok(!page.includes('<script>alert'));
  assert.ok(page.includes('shop&quot;&gt;&lt;script&gt;'));
  assert.ok(!/[\u001b\u202e]/.test(page));
  assert.ok(page.includes('It &lt;ended&gt; with 1.'));
});

test('it asks nobody for anything', () => {
  const page = renderPage(report);
  assert.match(page, /default-src 'none'/);
  assert.ok(!/(?:src|href)="(?!#)/.test(page));
  assert.ok(!/https?:\/\//.test(page));
});

test('it says all that the report holds', () => {
  const page = renderPage(report);
  for (const part of [
    'telemetry.example.test',
    '198.18.0.1:443/tcp',
    'bundle.digest',
    'npm fsevents 2.0.0',
    `sha256:${'a'.repeat(64)}`,
    'rehearse.step-failed',
    'tar -xf',
    'Could this run without internet?',
    '1 of 2',
  ]) {
    assert.ok(page.includes(part.replaceAll("'", '&#39;')), part);
  }
});

test('its structure can be walked by keyboard and read aloud', () => {
  const page = renderPage(report);
  assert.match(page, /<html lang="en">/);
  assert.match(page, /<a class="skip" href="#steps">/);
  const tables = page.match(/<table>/g)?.length ?? 0;
  assert.ok(tables >= 4);
  assert.equal(page.match(/<caption>/g)?.length, tables);
  for (const button of page.match(/<button[^>]*>/g) ?? []) assert.match(button, /aria-label="[^"]+"/);
  assert.match(page, /role="status" aria-live="polite"/);
});
