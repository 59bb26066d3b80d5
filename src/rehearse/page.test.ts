import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderPage, sampleAttempt, sampleReport, sampleStep } from './testing/index.ts';

const digest = `sha256:${'9'.repeat(64)}`;
const report = sampleReport({
  project: 'shop"><script>alert(1)</script>',
  reasons: [{ code: 'rehearse.step-failed', where: 'npm-1', detail: 'It <ended> with 1.' }],
  steps: [sampleStep({ title: 'npm ci \u202egnp.exe', detail: '\u001b[31mred', digest: `sha256:${'a'.repeat(64)}` })],
  attempts: [sampleAttempt()],
});

test('every text from outside is escaped, and nothing can move or turn round', () => {
  const page = renderPage(report, { digest });
  assert.ok(!page.includes('<script>alert'));
  assert.ok(page.includes('shop&quot;&gt;&lt;script&gt;'));
  assert.ok(!/[\u001b\u202e]/.test(page));
  assert.ok(page.includes('It &lt;ended&gt; with 1.'));
});

test('it asks nobody for anything', () => {
  const page = renderPage(report, { digest });
  assert.match(page, /default-src 'none'/);
  assert.ok(!/(?:src|href)="(?!#)/.test(page));
  assert.ok(!/https?:\/\//.test(page));
});

test('it says all that the report holds', () => {
  const page = renderPage(report, { digest });
  for (const part of [
    'telemetry.example.test',
    '198.18.0.1:443/tcp',
    'bundle.frame',
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
  const page = renderPage(report, { digest });
  assert.match(page, /<html lang="en">/);
  assert.match(page, /<a class="skip" href="#steps">/);
  const tables = page.match(/<table>/g)?.length ?? 0;
  assert.ok(tables >= 3);
  assert.equal(page.match(/<caption>/g)?.length, tables);
  for (const button of page.match(/<button[^>]*>/g) ?? []) assert.match(button, /aria-label="[^"]+"/);
  assert.match(page, /role="status" aria-live="polite"/);
});
