import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { dark, light, type Palette } from './page/palette.ts';
import { renderPage, sampleAttempt, sampleReport, sampleStep } from './testing/index.ts';

const digest = `sha256:${'9'.repeat(64)}`;
const render = (over: Parameters<typeof sampleReport>[0] = {}): string => renderPage(sampleReport(over), { digest });

test('every text from outside is escaped, and nothing can move or turn round', () => {
  const page = render({
    project: 'shop"><script>alert(1)</script>',
    reasons: [{ code: 'rehearse.step-failed', where: 'npm-1', detail: 'It <ended> with 1.' }],
    steps: [sampleStep({ title: 'npm ci \u202egnp.exe', detail: '\u001b[31mred' })],
  });
  assert.ok(!page.includes('<script>alert'));
  assert.ok(page.includes('shop&quot;&gt;&lt;script&gt;'));
  assert.ok(!/[\u001b\u202e]/.test(page));
  assert.ok(page.includes('It &lt;ended&gt; with 1.'));
});

test('whatever a text is, the page has the same elements', () => {
  const tags = (page: string): string => (page.match(/<\/?[a-z][^\s>]*/g) ?? []).join(' ');
  const withText = (text: string): string =>
    render({
      project: `p${text}`,
      folder: text,
      reasons: [{ code: text, where: `w${text}`, detail: text }],
      steps: [sampleStep({ title: text, detail: `d${text}`, command: text })],
      attempts: [sampleAttempt({ from: text, serverName: text, request: text, package: text, speaks: `s${text}` })],
      runtimeHosts: [
        { host: text, protocol: text, verdict: 'needed', by: [text], count: 1, setting: text, what: `w${text}` },
      ],
      refusals: [{ what: text, bundle: text, refused: false, codes: [text], detail: text }],
      logs: [{ service: text, lines: 1, bytes: 1, text: `l${text}`, cut: false }],
      proofs: [{ side: 'inside', index: 0, type: text, what: text, entry: text, proof: text }],
      ledgers: [{ side: 'inside', origin: text, vkey: text, size: 1, root: text }],
      check: [text],
    });
  const expected = tags(withText('plain'));
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      const page = withText(text);
      assert.equal(tags(page), expected);
      // eslint-disable-next-line no-control-regex
      assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(page));
    }),
    {
      numRuns: 25,
      examples: [['"><script>x</script>'], ["' onload='x"], ['--><!--'], ['</style></title>'], ['\u2028']],
    },
  );
});

test('it asks nobody for anything, and its policy allows its own style and script alone', () => {
  const page = render({ attempts: [] });
  assert.ok(!/\s(?:src|href|action|srcset|style|on[a-z]+)="(?!#)/.test(page));
  assert.ok(!/https?:\/\/|url\(|@import/.test(page));
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? '';
  const digestOf = (tag: string): string => {
    const content = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(page)?.[1] ?? '';
    return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
  };
  assert.deepEqual(policy.split('; '), [
    "default-src 'none'",
    `style-src ${digestOf('style')}`,
    `script-src ${digestOf('script')}`,
    "base-uri 'none'",
    "form-action 'none'",
  ]);
  assert.ok(page.indexOf('Content-Security-Policy') < page.indexOf('<style>'));
});

test('it says all that the report holds', () => {
  const page = render();
  for (const part of [
    'telemetry.example.test',
    '198.18.0.1:443/tcp',
    'bundle.frame',
    'npm fsevents 2.0.0',
    'of another target',
    'rehearse.step-failed',
    'tar -xf &#39;x&#39;',
    'Could this run without internet?',
    '1 of 2',
    'TELEMETRY=0',
    'calls-home@1.0.0',
    'node postinstall.mjs',
    '/etc/keys/id_ed25519',
    'decoy',
    '1.50 s',
    'no cgroup may be made here',
    'the kernel does not say',
    'listening on 8080',
    digest,
    'It is not signed',
  ]) {
    assert.ok(page.includes(part), part);
  }
});

test('unknown is told from well, and from absent', () => {
  const limits = [{ what: 'Memory', state: 'unknown' as const, detail: '' }];
  const enclave = { enforcer: 'x', kernel: '', machines: 1, limits, visible: [] };
  const page = render({ offline: 'unknown', enclave, steps: [sampleStep({ outcome: 'not-tested' })] });
  assert.match(page, /class="verdict open"/);
  assert.match(page, /Unknown: not everything could be tried/);
  assert.match(page, /1 not in force/);
  assert.ok(!/class="mark good"/.test(/<table id="(?:steps|limits)-table".*?<\/table>/s.exec(page)?.[0] ?? ''));
});

test('what is long is cut and counted: names, lists and logs', () => {
  const long = render({ steps: [sampleStep({ title: 'x'.repeat(1_000_000) })] });
  assert.ok(long.length < 200_000);
  assert.match(long, /… \(1,000,000 characters, whole in the JSON\)/);
  const many = render({
    attempts: Array.from({ length: 100_000 }, (_, count) => sampleAttempt({ count, serverName: `host-${count}.test` })),
    steps: Array.from({ length: 10_000 }, () => sampleStep()),
    logs: Array.from({ length: 1000 }, () => ({
      service: 's',
      lines: 1,
      bytes: 1,
      text: 'x'.repeat(80_000),
      cut: false,
    })),
  });
  assert.ok(many.length < 20_000_000, `${many.length} characters`);
  assert.match(many, /1,000 of 100,000 are shown/);
  assert.match(many, /500 of 10,000 are shown/);
  assert.match(many, /host-99999\.test/);
  assert.ok(!many.includes('host-10.test'));
});

test('its structure can be walked by keyboard and read aloud', () => {
  const page = render();
  assert.match(page, /<html lang="en">/);
  assert.match(page, /<a class="skip" href="#main">/);
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const [, target = ''] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.includes(target), target);
  const tables = page.match(/<table /g)?.length ?? 0;
  assert.ok(tables >= 5);
  assert.equal(page.match(/<caption>/g)?.length, tables);
  for (const button of page.match(/<button[^>]*data-copy[^>]*>/g) ?? []) assert.match(button, /aria-label="[^"]+"/);
  assert.match(page, /role="status" aria-live="polite"/);
});

test('colours differ enough in both palettes: 4.5 to 1 for text, 3 to 1 for shapes (WCAG 2.2, 1.4.3 and 1.4.11)', () => {
  const channel = (hex: string): number => {
    const part = Number.parseInt(hex, 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const luminance = (colour: string): number =>
    0.2126 * channel(colour.slice(1, 3)) + 0.7152 * channel(colour.slice(3, 5)) + 0.0722 * channel(colour.slice(5, 7));
  const contrast = (a: string, b: string): number => {
    const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const text: (readonly [keyof Palette, keyof Palette])[] = (['page', 'raised'] as const).flatMap((back) =>
    (['ink', 'quiet', 'link', 'good', 'bad', 'open'] as const).map((front) => [front, back] as const),
  );
  for (const tone of ['good', 'bad', 'open'] as const) text.push([tone, `${tone}-back`], ['ink', `${tone}-back`]);
  text.push(['ink', 'line'], ['page', 'ink'], ['quiet', 'bad-back']);
  const shapes = (['control', 'outside', 'inside', 'enclave', 'both'] as const).flatMap((front) =>
    (['page', 'raised'] as const).map((back) => [front, back] as const),
  );
  for (const palette of [light, dark]) {
    for (const [front, back] of text) assert.ok(contrast(palette[front], palette[back]) >= 4.5, `${front} on ${back}`);
    for (const [front, back] of shapes) assert.ok(contrast(palette[front], palette[back]) >= 3, `${front} on ${back}`);
  }
});
