import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Style } from '#kernel';
import { showReport } from './screen.ts';
import { sampleAttempt, sampleReport, sampleStep } from './testing/index.ts';

const same = (text: string): string => text;
const style = (width: number): Style => ({ bold: same, dim: same, good: same, bad: same, warn: same, width });

/** Lines that are prose; paths and shell lines are whole, for copying. */
function prose(shown: string): string[] {
  const end = shown.indexOf('\nTook ');
  return shown.slice(0, end).split('\n');
}

test('it says what happened, what was tried, and why not everything holds', () => {
  const shown = showReport(sampleReport({ entry: { origin: 'inside/0123456789abcdef', index: 8 } }), style(100));
  for (const part of [
    /^In the enclave$/m,
    /^failed   npm ci of web\/package-lock\.json {2}0\.90 s, entry 7, sha256:aaaaaaaaaaaa…$/m,
    /^unknown  GET \/ of web/m,
    /web called telemetry\.example\.test:443\/tcp \(3 times\)/,
    /Shop: telemetry: silenced by TELEMETRY=0/,
    /^Could this run without internet\? {2}no$/m,
    /^Not proved:\n {2}npm-1: It ended with 1\.$/m,
    /^Took 12\.3 s\. Signed, and entry 8 of the ledger inside\.$/m,
    /^ {2}signature {2}\/srv\/shop\/\.sallyport\/report\.dsse\.json$/m,
  ]) {
    assert.match(shown, part);
  }
  assert.match(showReport(sampleReport(), style(100)), /It is not signed: nothing crossed\./);
});

test('what ran side by side is told one thing after the other', () => {
  const steps = [
    sampleStep({ id: 'admit', title: 'admit', side: 'inside', start: 0 }),
    sampleStep({ id: 'refuse-older', title: 'older', side: 'inside', start: 10 }),
    sampleStep({ id: 'clients', title: 'clients', start: 5 }),
    sampleStep({ id: 'npm-1', title: 'npm', start: 30 }),
    sampleStep({ id: 'pip-1', title: 'pip', start: 20 }),
    sampleStep({ id: 'ledger-inside', title: 'ledger', side: 'inside', start: 90 }),
  ];
  const shown = showReport(sampleReport({ steps }), style(100));
  const titles = [...shown.matchAll(/^(?:ok {7}(\w+)|(Inside|In the enclave))/gm)].map(([, a, b]) => a ?? b);
  assert.deepEqual(titles, ['Inside', 'admit', 'In the enclave', 'clients', 'pip', 'npm', 'Inside', 'older', 'ledger']);
});

test('no line of prose is wider than the terminal, whatever is in it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), fc.integer({ min: 40, max: 140 }), (text, width) => {
      const report = sampleReport({
        steps: [sampleStep({ title: text, detail: text, bytes: 5 })],
        attempts: [sampleAttempt({ serverName: text })],
        reasons: [{ code: 'c', where: text, detail: text }],
        refusals: [{ what: text, bundle: '', refused: false, codes: [], detail: '' }],
      });
      // Letters that take two columns count as two for us, and as one here; marks that combine take none.
      for (const line of prose(showReport(report, style(width))))
        assert.ok([...line.replaceAll(/\p{Mn}/gu, '')].length <= Math.min(width, 120), line);
    }),
    { numRuns: 100 },
  );
});

test('wide letters count as two columns, and combining marks as none', () => {
  const shown = showReport(sampleReport({ steps: [sampleStep({ title: '界'.repeat(60), detail: '' })] }), style(49));
  assert.match(shown, /^failed|^ok {7}界{20}$/m);
  const marks = showReport(sampleReport({ steps: [sampleStep({ title: 'e\u0301'.repeat(39) })] }), style(60));
  assert.match(marks, /^ok {7}(?:e\u0301){39} {2}0\.90 s$/m);
});

test('nothing in it can move the cursor, and lists are bounded', () => {
  const evil = '\u001b]0;owned\u0007\u001b[2J\u202e';
  const shown = showReport(
    sampleReport({
      steps: [sampleStep({ title: evil, detail: evil })],
      report: `/srv/${evil}`,
      attempts: Array.from({ length: 500 }, (_, index) => sampleAttempt({ serverName: `h${index}${evil}` })),
      reasons: Array.from({ length: 500 }, (_, index) => ({ code: 'c', where: `${index}`, detail: evil })),
    }),
    style(100),
  );
  // eslint-disable-next-line no-control-regex
  assert.ok(!/[\u0000-\u0009\u000b-\u001f\u202e]/.test(shown));
  assert.equal(shown.match(/and 480 more, in the report/g)?.length, 2);
  assert.ok(shown.split('\n').length < 120);
});
