import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeFiles } from '#system';
import { analyse } from './analysis.ts';
import { connectionsOf, type Connectivity } from './connections.ts';
import { difference } from './difference.ts';
import { manifestsBelow } from './io/manifests.ts';
import { relation, type Row } from './testing/relation.ts';

const DATA = join(import.meta.dirname, '../../../shared/data/netpol-golden');
const missing = existsSync(DATA) ? false : `${DATA} is not beside the repository`;

/** What a plain comparison cannot be, and why. */
const APART: readonly (readonly [RegExp, string])[] = [
  [/_focus_workload_|_(?:tcp|udp|sctp)-\d+_/, 'a view that its flags filter'],
  [/^(?:c?udn|nad)_/, 'user-defined networks are outside this view (CONTRACTS, point 9)'],
];

const maps = new Map<string, Promise<Connectivity | string>>();
function mapOf(folder: string): Promise<Connectivity | string> {
  let found = maps.get(folder);
  if (found === undefined) {
    found = manifestsBelow(nodeFiles, join(DATA, 'manifests', folder)).then((files) => {
      const { connectivity, findings } = analyse(files, 'np-guard');
      if (connectivity !== undefined) return connectivity;
      return findings
        .filter(({ severity }) => severity === 'error')
        .map(({ where, detail }) => `${where}: ${detail}`)
        .join('\n');
    });
    maps.set(folder, found);
  }
  return found;
}

function goldenRows(name: string, text: string): Row[] {
  if (name.endsWith('.json')) {
    return (JSON.parse(text) as { src: string; dst: string; conn: string }[]).map(({ src, dst, conn }) => ({
      from: src,
      to: dst,
      ports: conn,
    }));
  }
  if (name.endsWith('.csv')) return csv(text).map(([from, to, ports]) => ({ from: from!, to: to!, ports: ports! }));
  return text.split('\n').flatMap((line) => {
    const match = /^(.+?) => (.+?) : (.+)$/.exec(line);
    return match === null ? [] : [{ from: match[1]!, to: match[2]!, ports: match[3]! }];
  });
}

function csv(text: string): string[][] {
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((cell) => cell[1] ?? cell[2] ?? ''));
}

const lists = missing
  ? []
  : readdirSync(join(DATA, 'expected/connlist')).filter((name) => /_connlist_output\./.test(name));
const diffs = missing ? [] : readdirSync(join(DATA, 'expected/diff'));
const apart = (name: string): string | undefined => APART.find(([pattern]) => pattern.test(name))?.[1];

test('every connectivity golden of np-guard is met under its profile', { skip: missing }, async () => {
  const wrong: string[] = [];
  let met = 0;
  for (const name of lists) {
    if (apart(name) !== undefined) continue;
    const map = await mapOf(name.replace(/_connlist_output\..*$/, ''));
    const text = readFileSync(join(DATA, 'expected/connlist', name), 'utf8');
    const ours = typeof map === 'string' ? [map] : relation(connectionsOf(map));
    const theirs = relation(goldenRows(name, text));
    if (ours.join('\n') === theirs.join('\n')) met++;
    else {
      const only = (a: string[], b: string[], sign: string) =>
        a.filter((one) => !b.includes(one)).map((one) => `  ${sign} ${one}`);
      wrong.push([name, ...only(theirs, ours, '-').slice(0, 4), ...only(ours, theirs, '+').slice(0, 4)].join('\n'));
    }
  }
  assert.equal(wrong.length, 0, `${met} met, ${wrong.length} not:\n${wrong.join('\n')}`);
  assert.ok(met >= 99, `only ${met} were compared`);
});

test('every diff golden of np-guard is met under its profile', { skip: missing }, async () => {
  const wrong: string[] = [];
  let met = 0;
  for (const name of diffs) {
    const match = /diff_between_(.+)_and_(.+)\.(?:txt|csv)$/.exec(name)!;
    const [after, before] = [await mapOf(match[1]!), await mapOf(match[2]!)];
    const text = readFileSync(join(DATA, 'expected/diff', name), 'utf8');
    const changes = name.endsWith('.csv')
      ? csv(text).map(([type, from, to, old, now]) => ({ type, from, to, old, now }))
      : [
          ...text.matchAll(
            /^diff-type: (\w+), source: (.+?), destination: (.+?), \w+: (.+?), \w+: (.+?)(?:, workloads-diff-info.*)?$/gm,
          ),
        ].map(([, type, from, to, old, now]) => ({ type, from, to, old, now }));
    const theirs = relation(
      changes.map(({ type, from, to, old, now }) => ({ from: from!, to: to!, ports: `${type}: ${old} -> ${now}` })),
      (ports) => ports,
    );
    let ours = [before, after].filter((one) => typeof one === 'string');
    if (typeof before !== 'string' && typeof after !== 'string') {
      const { added, removed, changed } = difference(before, after);
      ours = relation(
        [
          ...added.map((row) => ({ ...row, ports: `added: No Connections -> ${row.ports}` })),
          ...removed.map((row) => ({ ...row, ports: `removed: ${row.ports} -> No Connections` })),
          ...changed.map((row) => ({ ...row, ports: `changed: ${row.before} -> ${row.after}` })),
        ],
        (ports) => ports,
      );
    }
    if (ours.join('\n') === theirs.join('\n')) met++;
    else {
      const only = (a: string[], b: string[], sign: string) =>
        a.filter((one) => !b.includes(one)).map((one) => `  ${sign} ${one}`);
      wrong.push([name, ...only(theirs, ours, '-').slice(0, 4), ...only(ours, theirs, '+').slice(0, 4)].join('\n'));
    }
  }
  assert.equal(wrong.length, 0, `${met} met, ${wrong.length} not:\n${wrong.join('\n')}`);
  assert.ok(met > 25, `only ${met} were compared`);
});
