import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeFiles } from '#system';
import { type Direction, Engine } from './engine.ts';
import { type Decision, endOf, explainConnection } from './explanation.ts';
import { manifestsBelow } from './io/manifests.ts';
import type { Protocol } from './port-set.ts';
import { readCluster } from './read-cluster.ts';

const DATA = join(import.meta.dirname, '../../../shared/data/netpol-golden');
const missing = existsSync(DATA) ? false : `${DATA} is not beside the repository`;

/** Some ports of a pair that are treated alike, and who decides that. */
interface Group {
  readonly from: string;
  readonly to: string;
  readonly allowed: boolean;
  readonly ports: readonly { readonly protocol: Protocol; readonly port: number }[];
  readonly sides: Readonly<Record<Direction, { allowed: boolean; policies: string[] }>>;
}

/** The words of netpol-analyzer are free; the pair, the verdict and the policies that decide are not. */
function groupsOf(text: string): Group[] {
  const groups: Group[] = [];
  let pair: [string, string] = ['', ''];
  let side: { allowed: boolean; policies: string[] } | undefined;
  for (const line of text.split('\n')) {
    if (/^Exposure Analysis Result/.test(line)) break;
    const between = /^Connections between (.+) => (.+):$/.exec(line);
    if (between !== null) pair = [between[1]!, between[2]!];
    const group = /^\t(Allowed|Denied) (.+?) due to (.+)$/.exec(line);
    if (group !== null) {
      const sides = { egress: { allowed: true, policies: [] }, ingress: { allowed: true, policies: [] } };
      const ports = [...group[2]!.matchAll(/(TCP|UDP|SCTP)(?::\[([\d,-]+)\])?/g)].flatMap(([, protocol, list]) =>
        (list ?? '1-65535').split(',').map((range) => ({
          protocol: protocol as Protocol,
          port: Number(range.split('-')[0]),
        })),
      );
      groups.push({ from: pair[0], to: pair[1], allowed: group[1] === 'Allowed', ports, sides });
    }
    const direction = /^\t\t(Egress|Ingress) \((Allowed|Denied)\)/.exec(line);
    if (direction !== null) {
      side = groups.at(-1)!.sides[direction[1]!.toLowerCase() as Direction];
      side.allowed = direction[2] === 'Allowed';
    }
    const policy = /^\t\t\t\t?(?:- )?(\w+Policy) '([^']+)' /.exec(line);
    if (policy !== null) side!.policies.push(`${policy[1]} ${policy[2]}`);
  }
  return groups;
}

/** The first address of a range, or the peer. */
function wordFor(peer: string): string {
  return /^([\d.]+)-[\d.]+\[External\]$/.exec(peer)?.[1] ?? peer;
}

function deciding(decisions: readonly Decision[], direction: Direction): { allowed: boolean; policies: string[] } {
  const own = decisions.filter((one) => one.direction === direction);
  const policies = own.flatMap(({ verdict, rules, isolatedBy }) => {
    const open = verdict === 'allowed' || rules.some(({ action }) => action === 'deny');
    return [...rules, ...(open ? [] : isolatedBy)].map(({ policy }) => policy);
  });
  return { allowed: own.every(({ verdict }) => verdict === 'allowed'), policies: [...new Set(policies)].sort() };
}

const names = missing
  ? []
  : readdirSync(join(DATA, 'expected/connlist')).filter(
      (name) => /_explain_(?:exposure_)?output\.txt$/.test(name) && !/^(?:c?udn|nad)_|_focus_workload_/.test(name),
    );

test('explanations of np-guard: the same pairs, verdicts and deciding policies', { skip: missing }, async () => {
  let compared = 0;
  const wrong: string[] = [];
  for (const name of names) {
    const folder = name.replace(/(?:_(?:tcp|udp|sctp)-\d+)?(?:_allow|_deny)?_explain_(?:exposure_)?output\.txt$/, '');
    const { cluster, findings } = readCluster(await manifestsBelow(nodeFiles, join(DATA, 'manifests', folder)));
    assert.deepEqual(findings.errors, []);
    const engine = new Engine(cluster, 'np-guard');
    for (const { from, to, allowed, ports, sides } of groupsOf(
      readFileSync(join(DATA, 'expected/connlist', name), 'utf8'),
    )) {
      const [source, destination] = [from, to].map((one) => endOf(wordFor(one), cluster, engine));
      assert.ok(source && destination, `${name}: ${from} => ${to}`);
      for (const { protocol, port } of ports) {
        const answer = explainConnection(cluster, engine, source, destination, protocol, port);
        const at = `${name}: ${from} => ${to} ${protocol} ${port}`;
        compared++;
        if (answer.verdict !== (allowed ? 'allowed' : 'denied')) wrong.push(`${at}: ${answer.verdict}`);
        for (const direction of ['egress', 'ingress'] as const) {
          // What an Ingress opens has an object in its place there; an address has no policies.
          if (from.startsWith('{') || (direction === 'egress' ? from : to).includes('[External]')) continue;
          const ours = deciding(answer.decisions, direction);
          const theirs = {
            allowed: sides[direction].allowed,
            policies: [...new Set(sides[direction].policies)].sort(),
          };
          if (JSON.stringify(ours) !== JSON.stringify(theirs)) {
            wrong.push(`${at} ${direction}: ${JSON.stringify(ours)} for ${JSON.stringify(theirs)}`);
          }
        }
      }
    }
  }
  assert.equal(wrong.length, 0, `${compared} compared, ${wrong.length} differ:\n${wrong.slice(0, 20).join('\n')}`);
  assert.ok(compared > 500, `only ${compared} were compared`);
});
