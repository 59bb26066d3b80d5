import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { diffVerb } from '../verbs/diff.ts';
import { mapVerb } from '../verbs/map.ts';
import { written } from '../verbs/written.ts';
import { csv } from './csv.ts';
import { dot } from './dot.ts';
import { type Drawing, groupsOf, STATES } from './drawing.ts';
import { html } from './html.ts';
import { DARK, LIGHT } from './page-style.ts';
import { svg } from './svg.ts';

const HOSTILE = '</script><img src=x onerror=alert(1)>"\'&\u202e\n=cmd';

function drawing(pairs: [string, string, string?, (typeof STATES)[number]?][]): Drawing {
  return {
    title: `Title ${HOSTILE}`,
    facts: [HOSTILE],
    blank: 'closed',
    pairs: pairs.map(([from, to, ports = 'TCP 80', state = 'open']) => ({ from, to, ports, state, note: HOSTILE })),
  };
}

test('peers are grouped by namespace, and what is no workload stands behind', () => {
  const groups = groupsOf(
    drawing([
      ['shop/web[Deployment]', '10.0.0.0-10.255.255.255'],
      ['{ingress-controller}', 'app/db[Pod]'],
      ['entire-cluster', 'shop/api[Pod]'],
      ['shop/[pod with {app=x}]', 'shop/api[Pod]'],
      ['[all namespaces]/[pod with {a}]', 'fd00::-fd00::1'],
    ]),
  );
  assert.deepEqual(
    groups.map(({ name, peers }) => `${name}: ${peers.length}`),
    ['app: 1', 'shop: 2', 'what may come: 3', 'entrances: 1', 'addresses: 2'],
  );
});

test('CSV: quotes, commas and line ends are kept, and no cell is a formula', () => {
  assert.equal(
    csv(
      ['a', 'b'],
      [
        ['x,y', 'say "no"'],
        ['=1+1', '-2'],
        ['@x', 'a\nb'],
      ],
    ),
    'a,b\r\n"x,y","say ""no"""\r\n\'=1+1,\'-2\r\n\'@x,"a\nb"\r\n',
  );
});

test('DOT: a text cannot end its quotes', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (from, to) => {
      const lines = dot(drawing([[from, to]])).split('\n');
      for (const line of lines) {
        const rest = line.replaceAll(/"(?:[^"\\]|\\.)*"/g, '');
        assert.ok(!rest.includes('"'), line);
      }
    }),
  );
});

test('SVG: well formed, hostile names shown as text, a matrix of namespaces where there are many workloads', () => {
  const small = svg(
    drawing([
      [`a/${HOSTILE}`, 'b/x[Pod]'],
      ['b/x[Pod]', 'c/y[Pod]', 'UDP 53', 'depends'],
    ]),
  );
  assert.ok(!small.includes('<img') && !small.includes('NaN'));
  assertWellFormed(small);
  const many = svg(drawing(Array.from({ length: 200 }, (_, i) => [`n${i % 4}/w${i}[Pod]`, 'db/db[Pod]'])));
  assertWellFormed(many);
  assert.equal(many.match(/<g><g class="open">/g)!.length, 4);
});

/** Each element is closed, in order, and no other markup is there. */
function assertWellFormed(text: string): void {
  const open: string[] = [];
  const body = text.replaceAll(/<style>[^<]*<\/style>/g, '');
  for (const [, close, name, , empty] of body.matchAll(/<(\/?)([a-z]+)((?:\s[\w:-]+="[^"<]*")*)(\/?)>/g)) {
    if (close === '/') assert.equal(open.pop(), name);
    else if (empty !== '/') open.push(name!);
  }
  assert.deepEqual(open, []);
  assert.equal((body.match(/</g) ?? []).length, (body.match(/<\/?[a-z]+(?:\s[\w:-]+="[^"<]*")*\/?>/g) ?? []).length);
}

test('HTML: nothing outside is named, only its own style and script may run, hostile names stay data', () => {
  const page = html(drawing([[`a/${HOSTILE}`, 'b/x[Pod]', 'TCP 80', 'opened']]));
  assert.ok(!page.includes('<img'));
  assert.doesNotMatch(page, /(?:src|href)="(?!#)/);
  assert.doesNotMatch(page, /https?:|url\(|@import|\bon[a-z]+="/);
  const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)![1]!;
  assert.match(policy, /^default-src 'none';/);
  const digest = (content: string): string => `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
  assert.ok(policy.includes(`style-src ${digest(/<style>([\s\S]*?)<\/style>/.exec(page)![1]!)}`));
  assert.ok(policy.includes(`script-src ${digest(/<script>([\s\S]*?)<\/script>/.exec(page)![1]!)}`));
  const data = JSON.parse(/id="data">([\s\S]*?)<\/script>/.exec(page)![1]!) as {
    groups: { peers: string[] }[];
    edges: number[];
  };
  assert.equal(data.groups[0]!.peers[0], `a/${HOSTILE}`);
  assert.deepEqual(data.edges, [0, 1, 0, STATES.indexOf('opened'), 0]);
});

test('HTML: a thousand workloads stay below a megabyte', () => {
  const pairs = Array.from(
    { length: 33_000 },
    (_, i) => [`n${i % 20}/w${i % 1000}[Deployment]`, `n${i % 7}/d${i % 900}[Deployment]`] as [string, string],
  );
  assert.ok(html(drawing(pairs)).length < 1_000_000);
});

test('colours: text has 4.5 to 1 against what it stands on (WCAG 2.2, 1.4.3)', () => {
  for (const palette of [LIGHT, DARK]) {
    const colours = new Map(palette.split(';').map((one) => one.split(':') as [string, string]));
    const luminance = (name: string): number => {
      const hex = colours.get(`--${name}`)!.slice(1);
      const long = hex.length === 3 ? [...hex].map((one) => one + one).join('') : hex;
      const [r, g, b] = [0, 2, 4].map((at) => {
        const part = Number.parseInt(long.slice(at, at + 2), 16) / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    for (const text of ['ink', 'quiet', 'link', 'open', 'depends', 'opened', 'closed', 'changed']) {
      for (const back of ['page', 'raised', 'over']) {
        const [a, b] = [luminance(text), luminance(back)].sort((x, y) => y - x) as [number, number];
        assert.ok((a + 0.05) / (b + 0.05) >= 4.5, `${text} on ${back}`);
      }
    }
  }
});

test('more pairs than can be drawn are refused, not cut', () => {
  const pairs = drawing(Array.from({ length: 250_001 }, () => ['a/x', 'a/z']));
  const none = { json: () => ({}), csv: () => ({ head: [], rows: [] }), table: () => '', drawing: () => pairs };
  assert.throws(() => written('html', none), { code: 'policy.too-many-pairs', exit: 2 });
  assert.match(written('svg', none), /^<svg /);
});

const folder = mkdtempSync(join(tmpdir(), 'sallyport-drawing-'));
after(() => rmSync(folder, { recursive: true }));

test('the format follows the name of the file; what is unknown is not written', async () => {
  const world = testWorld(nodeFiles, folder);
  const pods = `{ apiVersion: v1, kind: List, items: [
    { apiVersion: v1, kind: Pod, metadata: { name: web, namespace: shop, labels: { app: web } } },
    { apiVersion: v1, kind: Pod, metadata: { name: db, namespace: shop, labels: { app: db } } }] }
`;
  writeFileSync(join(folder, 'old.yaml'), pods);
  writeFileSync(
    join(folder, 'new.yaml'),
    `${pods}---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec: { podSelector: { matchLabels: { app: db } }, policyTypes: [Ingress] }
`,
  );
  writeFileSync(join(folder, 'bad.yaml'), 'kind: NetworkPolicy');
  for (const [out, begins] of [
    ['m.csv', 'from,to,ports,certain,depends\r\nshop/web[Pod],shop/db[Pod],All Connections,'],
    ['m.dot', 'digraph {'],
    ['m.svg', '<svg '],
    ['m.html', '<!doctype html>'],
    ['m.json', '{\n  "verdict": "mapped"'],
    ['m.txt', 'shop/web[Pod] => shop/db[Pod] : All Connections'],
  ] as const) {
    const result = await mapVerb.run({ folder: 'old.yaml', out }, world);
    assert.ok(readFileSync(join(folder, out), 'utf8').startsWith(begins), out);
    assert.equal(mapVerb.exit(result), 0);
  }
  await assert.rejects(mapVerb.run({ folder: 'old.yaml', summary: true, out: 'empty.csv' }, world), {
    code: 'policy.format-unknown',
  });
  const changed = await diffVerb.run({ from: 'old.yaml', to: 'new.yaml', output: 'csv' }, world);
  const style = { bold: String, dim: String, good: String, bad: String, warn: String, width: 80 };
  assert.match(
    diffVerb.show(changed, style),
    /^change,from,to,before,after,cause\r\nclosed,shop\/web\[Pod\],shop\/db\[Pod\],All Connections,No Connections,by NetworkPolicy shop\/db added/,
  );
  const unknown = await mapVerb.run({ folder: 'bad.yaml', out: 'bad.csv' }, world);
  assert.deepEqual([mapVerb.exit(unknown), existsSync(join(folder, 'bad.csv'))], [1, false]);
});
