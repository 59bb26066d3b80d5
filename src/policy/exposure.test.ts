import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeFiles } from '#system';
import { Engine, type Profile } from './engine.ts';
import { type Exposure, exposureOf } from './exposure.ts';
import { manifestsBelow } from './io/manifests.ts';
import { type Cluster, peerName, type Pod } from './model.ts';
import { portText } from './port-set.ts';
import { readCluster } from './read-cluster.ts';

const DATA = join(import.meta.dirname, '../../../shared/data/netpol-golden');
const missing = existsSync(DATA) ? false : `${DATA} is not beside the repository`;

/** `EGRESS workload peer : ports`, IPv4 ranges one by one, IPv6 left out. */
function linesOf({ rows }: Exposure): string[] {
  return rows
    .filter(({ peer }) => !peer.startsWith(':'))
    .filter(({ peer }) => !/^[0-9a-f]*:/.test(peer))
    .flatMap(({ direction, workload, peer, ports }) =>
      peer.split(',').length > 1 && !peer.includes('/')
        ? peer.split(',').map((one) => `${direction} ${workload} ${one} : ${ports}`)
        : [`${direction} ${workload} ${peer} : ${ports}`],
    )
    .sort();
}

/** The selectors of netpol-analyzer's texts as kubectl writes them: `{foo=a,{Key:b,Operator:Exists,Values:[],}}`. */
function plainSelectors(peer: string): string {
  return peer.replaceAll(/ with \{(.*?)\}(?=\])/g, (_, inside: string) => {
    const words: [string, string][] = [];
    for (const match of inside.matchAll(/\{Key:([^,]*),Operator:(\w+),Values:\[([^\]]*)\],\}|([^,={}]+)=([^,{}]*)/g)) {
      const [, key, operator, values = '', label, value] = match;
      if (label !== undefined) words.push([label, `${label}=${value}`]);
      else {
        const list = values.split(' ').sort();
        const one = list.length === 1;
        const text = {
          In: one ? `${key}=${list[0]}` : `${key} in (${list.join(',')})`,
          NotIn: one ? `${key}!=${list[0]}` : `${key} notin (${list.join(',')})`,
          Exists: key!,
          DoesNotExist: `!${key}`,
        }[operator as 'In'];
        words.push([key!, text]);
      }
    }
    return ` with {${words
      .map(([, text]) => text)
      .sort(bare)
      .join(',')}}`;
  });
}

function bare(a: string, b: string): number {
  const [x, y] = [a, b].map((one) => one.replace(/^!/, ''));
  return x! < y! ? -1 : 1;
}

function golden(name: string, text: string): { lines: string[]; unprotected: string[] | undefined } {
  const line = (direction: string, workload: string, peer: string, ports: string): string =>
    `${direction} ${workload} ${plainSelectors(peer.replace('[External]', ''))} : ${ports}`;
  const lines: string[] = [];
  let unprotected: string[] | undefined;
  if (name.endsWith('.json')) {
    const { exposure_results: found } = JSON.parse(text) as {
      exposure_results: Record<
        'egress_exposure' | 'ingress_exposure',
        { src: string; dst: string; conn: string }[] | null
      >;
    };
    for (const { src, dst, conn } of found.egress_exposure ?? []) lines.push(line('egress', src, dst, conn));
    for (const { src, dst, conn } of found.ingress_exposure ?? []) lines.push(line('ingress', dst, src, conn));
  } else if (name.endsWith('.csv')) {
    let direction = '';
    for (const row of text.split('\n')) {
      if (row.startsWith('Egress Exposure')) direction = 'egress';
      else if (row.startsWith('Ingress Exposure')) direction = 'ingress';
      else if (direction !== '' && row !== '' && !/^(?:src,dst|dst,src)/.test(row)) {
        const [own, peer, ports] = [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
          (cell) => cell[1] ?? cell[2] ?? '',
        );
        lines.push(line(direction, own!, peer!, ports!));
      }
    }
  } else {
    unprotected = [];
    for (const row of text.split('\n')) {
      const match = /^(\S+)\s+\t(=>|<=) \t(.+) : ([^:]+)$/.exec(row);
      if (match !== null) lines.push(line(match[2] === '=>' ? 'egress' : 'ingress', match[1]!, match[3]!, match[4]!));
      const open = /^(\S+) is not protected on (Egress|Ingress)$/.exec(row);
      if (open !== null) unprotected.push(`${open[2]!.toLowerCase()} ${open[1]}`);
    }
  }
  return { lines: lines.sort(), unprotected: unprotected?.sort() };
}

async function exposure(folder: string, profile: Profile): Promise<Exposure> {
  const { cluster, findings } = readCluster(await manifestsBelow(nodeFiles, join(DATA, 'manifests', folder)));
  assert.deepEqual(findings.errors, []);
  return exposureOf(cluster, profile);
}

const names = missing
  ? []
  : readdirSync(join(DATA, 'expected/connlist')).filter(
      (name) => /_exposure_output\./.test(name) && !/_focus_workload_|_(?:tcp|udp|sctp)-\d+_/.test(name),
    );

/** How our rows differ from those of the goldens, `- theirs` and `+ ours`, by the name of the golden. */
async function differences(profile: Profile): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const name of names) {
    const own = await exposure(name.replace(/(?:_explain)?_exposure_output\..*$/, ''), profile);
    const { lines, unprotected } = golden(name, readFileSync(join(DATA, 'expected/connlist', name), 'utf8'));
    const open = own.unprotected.map(({ workload, direction }) => `unprotected ${direction} ${workload}`);
    const theirs = [...lines, ...(unprotected ?? []).map((one) => `unprotected ${one}`)];
    const ours = [...linesOf(own), ...(unprotected === undefined ? [] : open)];
    const only = (one: string[], other: string[], sign: string): string[] =>
      one.filter((line) => !other.includes(line)).map((line) => `${sign} ${line}`);
    const apart = [...only(theirs, ours, '-'), ...only(ours, theirs, '+')];
    if (apart.length > 0) found.set(name, apart);
  }
  return found;
}

test('every exposure golden of np-guard is met under its profile', { skip: missing }, async () => {
  assert.ok(names.length >= 90, `only ${names.length} are there`);
  assert.deepEqual([...(await differences('np-guard'))], []);
});

test('under the specification only addresses that netpol-analyzer leaves out are more', { skip: missing }, async () => {
  const found = await differences('specification');
  // It names addresses only of workloads of which it names pods; this one is closed to all pods and open to addresses.
  const more = ['egress', 'ingress'].map(
    (direction) => `+ ${direction} hello-world/workload-b[Deployment] 0.0.0.0-255.255.255.255 : All Connections`,
  );
  assert.deepEqual(
    [...found],
    ['csv', 'json', 'txt'].map((form) => [`exposure_test_with_anp_14_exposure_output.${form}`, more]),
  );
});

test('a pod that comes with the labels of a row gets what the row says', { skip: missing }, async () => {
  let tried = 0;
  for (const folder of new Set(names.map((name) => name.replace(/(?:_explain)?_exposure_output\..*$/, '')))) {
    const { cluster } = readCluster(await manifestsBelow(nodeFiles, join(DATA, 'manifests', folder)));
    for (const { direction, workload, peer, ports, namespaces, pods } of exposureOf(cluster, 'specification').rows) {
      if (namespaces === undefined || pods === undefined) continue;
      const own = satisfying(namespaces);
      const namespace = own['kubernetes.io/metadata.name'] ?? 'a-new-one';
      const come: Pod = {
        namespace,
        name: 'come',
        kind: 'Pod',
        labels: satisfying(pods),
        ports: [],
        hostNetwork: false,
        addresses: [],
        place: cluster.pods[0]!.place,
      };
      const known = cluster.namespaces.get(namespace);
      const labels = known?.labels ?? { ...own, 'kubernetes.io/metadata.name': namespace };
      const grown: Cluster = {
        ...cluster,
        namespaces: new Map([...cluster.namespaces, [namespace, { name: namespace, labels, place: come.place }]]),
        pods: [...cluster.pods, come],
      };
      const engine = new Engine(grown, 'specification');
      const subject = engine.classOf(grown.pods.find((pod) => peerName(pod) === workload)!);
      const { possible } = engine.admits(subject, direction, engine.classOf(come));
      const plain = ports.split(',').filter((word) => !/^(?:[A-Z]+ )?[a-z]/.test(word));
      const numbers = plain.length === 0 ? 'No Connections' : plain.join();
      assert.equal(portText(possible), numbers, `${folder}: ${direction} of ${workload}, ${peer}`);
      tried++;
    }
  }
  assert.ok(tried > 100, `only ${tried} rows were tried`);
});

/** Labels that a selector of kubectl's form selects, and no more of them than need be. */
function satisfying(selector: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, word] of selector.matchAll(/(?:^|,)((?:[^,(]|\([^)]*\))+)/g)) {
    const match = /^([^!= ]+)(?:=([^=]*)| in \(([^,)]*).*)?$/.exec(word!);
    if (match !== null) labels[match[1]!] = match[2] ?? match[3] ?? 'any';
  }
  return labels;
}
