import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { type ManifestDocument, placeText, splitDocuments, wholePlaceText, wholeYaml } from './document.ts';
import { quickYaml } from './quick-yaml.ts';

/** Where the quick reader has an answer, it is that of the whole one. */
function agrees(text: string): boolean {
  const quick = quickYaml(text);
  if (quick === undefined) return false;
  const whole = wholeYaml({ file: 'a.yaml', line: 1, text });
  assert.ok(whole.ok, `only the quick reader takes ${JSON.stringify(text)}`);
  assert.deepEqual(quick.value, whole.value, text);
  return true;
}

const word = fc.oneof(
  fc.constantFrom(
    'y',
    'n',
    'on',
    'Off',
    'null',
    '~',
    '',
    '1',
    '01',
    '0x1f',
    '1.5',
    '-3',
    '1e3',
    '12:30',
    '1_000',
    '10.0.0.0/8',
    '10.1.2.3',
  ),
  fc.constantFrom(
    '::1',
    'fd00::/8',
    'a: b',
    'a #b',
    '#a',
    '- a',
    '-',
    '{}',
    '[]',
    '[a',
    '"',
    "'",
    "it's",
    '|',
    '>',
    '&a',
    '*a',
    '!x',
    '%',
    '@',
    '100m',
    '2Gi',
    '.5',
    '+1',
    '=',
    '<<',
    '2026-01-01',
    '.inf',
    '0o17',
    '-0',
  ),
  fc.string({ maxLength: 8 }),
);
const tree = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(word, fc.integer(), fc.boolean(), fc.constant(null)),
    tie('list'),
    tie('map'),
  ),
  list: fc.array(tie('node'), { maxLength: 4 }),
  map: fc.dictionary(fc.oneof(fc.stringMatching(/^[a-z][a-zA-Z./-]{0,8}$/), word), tie('node'), { maxKeys: 4 }),
})).node;

test('the quick reader agrees with the whole one on written trees, or leaves them to it', () => {
  let quick = 0;
  fc.assert(
    fc.property(tree, fc.constantFrom('PLAIN', 'QUOTE_DOUBLE'), (value, style) => {
      if (agrees(stringify(value, { version: '1.1', defaultStringType: style as 'PLAIN', lineWidth: 0 }))) quick++;
    }),
    { numRuns: 1500 },
  );
  assert.ok(quick > 200, `only ${quick} were read quickly`);
});

test('the quick reader agrees with the whole one on lines put together at random, or leaves them to it', () => {
  const line = fc.tuple(
    fc.nat(3),
    fc.constantFrom('', '- ', '- - ', 'k: ', 'a: ', '- k: ', "'q': ", '"q": ', 'y: '),
    word,
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 7 }), (lines) => {
      const text = lines.map(([indent, lead, rest]) => `${'  '.repeat(indent)}${lead}${rest}`).join('\n');
      const whole = wholeYaml({ file: 'a.yaml', line: 1, text });
      const quick = quickYaml(text);
      if (quick === undefined) return;
      assert.ok(whole.ok, `only the quick reader takes ${JSON.stringify(text)}`);
      assert.deepEqual(quick.value, whole.value, JSON.stringify(text));
    }),
    { numRuns: 6000 },
  );
});

test('the quick reader agrees with the whole one on flow collections put together at random, or leaves them to it', () => {
  const token = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      ',',
      ', ',
      ' ',
      ': ',
      ':',
      'a',
      'b: ',
      'c: {',
      'd: [',
      '- ',
      '-1',
      '.5',
      '0x1f',
      '12:30',
      '::1',
      '#',
      ' # c',
    ],
    ...[
      'n',
      'null',
      '~',
      '1',
      '10.0.0.0/8',
      'fd00::/8',
      'x y',
      '"q"',
      "'it''s'",
      '"a, b"',
      "'k': ",
      '"k":',
      '&a',
      '*a',
      '!t',
      '?',
      '<<: ',
      '__proto__: ',
    ],
  );
  const text = fc
    .tuple(
      fc.constantFrom('', 'k: ', '- '),
      fc.constantFrom('{', '['),
      fc.array(token, { maxLength: 9 }),
      fc.constantFrom('}', ']', '}]', ' }'),
    )
    .map(([lead, open, middle, close]) => `${lead}${open}${middle.join('')}${close}`);
  fc.assert(
    fc.property(text, (one) => void agrees(one)),
    { numRuns: 6000 },
  );
});

test('flow collections of one line are read quickly', () => {
  for (const text of [
    'metadata: { name: a, namespace: n, labels: { app: web, "x/y": \'z\' } }',
    'spec: { podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/8, except: [ 10.1.0.0/16 ] } }], ports: [{ port: 80, endPort: 90 }] }] } # why',
    '- [a, [b, c], "d # e", true, n, 7]',
    'a: {}\nb: []',
  ]) {
    assert.ok(agrees(text), text);
  }
  // These say something, or nothing, only to the whole reader.
  for (const text of [
    'a: {b}',
    'a: {b:c}',
    'a: [b, ]',
    'a: {b: }',
    'a: [b',
    'a: {b: 1, b: 2}',
    'a: {b: c}d',
    'a: {1: b}',
    'a: {y: b}',
    'a: [x y]',
    'a: {b: c}#d',
  ]) {
    assert.equal(quickYaml(text), undefined, text);
  }
});

const DATA = join(import.meta.dirname, '../../../shared/data/netpol-golden/manifests');

test(
  'real manifests: most are read quickly, and all alike',
  { skip: existsSync(DATA) ? false : `${DATA} is not beside the repository` },
  () => {
    const documents: ManifestDocument[] = globSync(`${DATA}/{anp,acs,online,test,k8s,exposure}*/*.yaml`).flatMap(
      (file) => splitDocuments(file, readFileSync(file, 'utf8')),
    );
    let quick = 0;
    const placed = (text: string, value: unknown, path: readonly (string | number)[] = []): void => {
      const place = { document: { file: 'a.yaml', line: 1, text }, path };
      if (path.length > 0) assert.equal(placeText(place), wholePlaceText(place), `${path.join('/')} of ${text}`);
      if (typeof value !== 'object' || value === null) return;
      for (const [key, inner] of Object.entries(value)) {
        placed(text, inner, [...path, Array.isArray(value) ? Number(key) : key]);
      }
    };
    for (const { text } of documents) {
      const whole = wholeYaml({ file: 'a.yaml', line: 1, text });
      if (!whole.ok || !agrees(text)) continue;
      quick++;
      if (quick % 8 === 0) placed(text, { ...(whole.value as object), absent: 1 });
    }
    assert.ok(quick > documents.length * 0.6, `${quick} of ${documents.length}`);
  },
);

test('literal blocks keep their lines', () => {
  for (const text of [
    'a: |\n  one\n\n  two\nb: 1\n',
    'a: |-\n  one\n    two\n',
    '- |\n  x\n- y\n',
    'a: |\r\n  one\r\n\r\nb: two\r\n',
    'a: |\n  # no comment\n  x: 1\n',
  ]) {
    assert.ok(agrees(text), text);
  }
});
