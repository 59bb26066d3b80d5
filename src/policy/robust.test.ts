import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { analyse } from './analysis.ts';
import { connectionsOf } from './connections.ts';
import { CNIS } from './enforcers.ts';
import { randomCluster } from './testing/random-cluster.ts';

const utf8 = new TextEncoder();

/** Every place in a tree that can be replaced. */
function placesIn(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Array.isArray(value) ? value.map((one, i) => [i, one] as const) : Object.entries(value);
  return [path, ...inner.flatMap(([key, one]) => placesIn(one, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: readonly (string | number)[], by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((one, i) => (i === key ? replaced(one, rest, by) : (one as unknown)));
  return { ...(value as object), [key]: replaced((value as Record<string, unknown>)[key as string], rest, by) };
}

const strange = fc.oneof(
  fc.constantFrom(
    null,
    true,
    0,
    -1,
    1e9,
    0.5,
    '',
    '{}',
    '*',
    '0.0.0.0/0',
    '::/0',
    'all()',
    '!',
    "a == 'b'",
    'has(',
    'TCP',
  ),
  fc.constantFrom({}, [], [[]], [{}], [null], { matchLabels: null }, { matchExpressions: [{}] }, { __proto__: null }),
  fc.jsonValue({ maxDepth: 2 }),
);

test('whatever stands anywhere in a manifest, the answer is a map or findings with file and line, and never a crash', () => {
  let refused = 0;
  let mapped = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      fc.constantFrom('Cilium' as const, 'Calico' as const),
      fc.nat(),
      strange,
      fc.constantFrom(undefined, ...CNIS),
      (seed, dialect, at, by, cni) => {
        const items: unknown = randomCluster(seed, dialect).objects;
        const places = placesIn(items);
        const changed = replaced(items, places[at % places.length]!, by);
        const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: changed });
        const { connectivity, findings } = analyse(
          [{ name: 'm.json', bytes: utf8.encode(text) }],
          'specification',
          cni,
        );
        const errors = findings.filter(({ severity }) => severity === 'error');
        assert.equal(connectivity === undefined, errors.length > 0);
        for (const { where } of findings) assert.match(where, /^m\.json:\d+$/);
        if (connectivity === undefined) refused++;
        else {
          mapped++;
          connectionsOf(connectivity);
        }
      },
    ),
    { numRuns: 200, seed: 5 },
  );
  assert.ok(refused > 20 && mapped > 20, `${refused} refused, ${mapped} mapped`);
});
