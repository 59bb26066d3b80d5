import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Enclave, openEnclave, probeFrom } from '#enclave';
import { debianTools, findProgram, runtimeEnvironment } from '#system';
import { type Figure, median } from './figure.ts';

const RUNS = 11;
const MACHINES = 5;
const MANY = 50;

/**
 * The least that five machines cost: the same namespaces, links, addresses, routes and one table of rules, by a shell
 * script with nothing else in it.
 */
const BARE = String.raw`set -e
mount -t tmpfs tmpfs /run
lines='link set lo up
route add local 0.0.0.0/0 dev lo table main
route add local ::/0 dev lo table main'
for i in $(seq "$3"); do lines="$lines
netns add m$i
link add m$i type veth peer name eth0 netns m$i
addr add fe80::1/64 dev m$i nodad
link set m$i up
route add 10.231.0.$i/32 dev m$i"; done
echo "$lines" | "$1" -batch -
for i in $(seq "$3"); do
  printf 'link set lo up\nlink set eth0 up\naddr add 10.231.0.%s/32 dev eth0\nroute add 10.231.255.1 dev eth0\nroute add default via 10.231.255.1 dev eth0\n' "$i" |
    "$1" -n "m$i" -batch - &
done
wait
printf 'table inet t {\n chain c {\n type nat hook prerouting priority dstnat\n meta nfproto ipv4 meta l4proto tcp dnat to :15001\n }\n}\n' | "$2" -f -
`;

/** What it costs to open an enclave, beside what the kernel takes for it, and how many stand side by side. */
export async function run(): Promise<Figure[]> {
  const found = await debianTools(['ip', 'nft'], { env: process.env });
  const tools = { ip: found.ip.path, nft: found.nft.path };
  const unshare = (await findProgram('unshare', process.env)) ?? 'unshare';
  const work = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const open = (machines: readonly string[]): Promise<Enclave> =>
    openEnclave({
      machines,
      flows: [],
      writable: [work],
      env: process.env,
      tools,
      signal: new AbortController().signal,
    });
  try {
    const names = Array.from({ length: MACHINES }, (_, index) => `m${index}`);
    const opened: number[] = [];
    const closed: number[] = [];
    const bare: number[] = [];
    const node: number[] = [];
    const namespaces = [
      ...['--user', '--map-root-user', '--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child'],
      '--mount-proc',
      '--',
      unshare,
      '--net',
      '--',
    ];
    // One after the other in turn: what else this machine does falls on both.
    for (let n = 0; n <= RUNS; n++) {
      const began = performance.now();
      const enclave = await open(names);
      const stands = performance.now();
      await enclave.close();
      const gone = performance.now();
      const least = await seconds(unshare, [
        ...namespaces,
        '/bin/sh',
        '-c',
        BARE,
        '-',
        tools.ip,
        tools.nft,
        String(MACHINES),
      ]);
      const empty = await seconds(process.execPath, ['--eval', '0']);
      // The first fills the compile cache and is not counted.
      if (n === 0) continue;
      opened.push((stands - began) / 1000);
      closed.push((gone - stands) / 1000);
      bare.push(least);
      node.push(empty);
    }
    const limit = median(bare) + median(node);
    const note = `median of ${RUNS}; the limit is unshare, ip and nft in a bare shell script (${median(bare).toFixed(3)} s) and the start of an empty Node (${median(node).toFixed(3)} s)`;
    return [
      { name: `open an enclave of ${MACHINES} machines`, unit: 's', ours: median(opened), promise: { atMost: 0.3 } },
      {
        name: `open an enclave of ${MACHINES} machines`,
        unit: 's',
        ours: median(opened),
        peer: { name: 'the least', value: limit },
        note,
      },
      { name: 'close it', unit: 's', ours: median(closed) },
      ...(await many(open, work)),
    ];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Fifty at once, each with two machines and one attempt that must be recorded. */
async function many(open: (machines: readonly string[]) => Promise<Enclave>, work: string): Promise<Figure[]> {
  const began = performance.now();
  const enclaves = await Promise.all(Array.from({ length: MANY }, () => open(['a', 'b'])));
  try {
    const opened = performance.now();
    const env = { PATH: '/usr/bin:/bin', ...runtimeEnvironment(process.env) };
    const seen = await Promise.all(
      enclaves.map(async (enclave, index) => {
        const probe = { probe: 'connect', host: `203.0.113.${index}`, port: 1000 + index, timeout: 30_000 } as const;
        await probeFrom(enclave, 'a', probe, { cwd: work, env });
        const attempts = await enclave.attempts();
        // Its own attempt, and nobody else's.
        return attempts.length === 1 && attempts[0]?.address === probe.host && attempts[0].port === probe.port;
      }),
    );
    const right = seen.filter(Boolean).length;
    if (right !== MANY) throw new Error(`${MANY - right} of ${MANY} enclaves did not record their one attempt`);
    const memory = (await memoryBelow(process.pid)) / 1e6;
    return [
      { name: `${MANY} enclaves: open all`, unit: 's', ours: (opened - began) / 1000 },
      { name: `${MANY} enclaves: one attempt in each`, unit: 's', ours: (performance.now() - opened) / 1000 },
      {
        name: `${MANY} enclaves: memory of all`,
        unit: 'MB',
        ours: memory,
        note: `${(memory / MANY).toFixed(1)} MB each; proportional set size`,
      },
    ];
  } finally {
    await Promise.all(enclaves.map((enclave) => enclave.close()));
  }
}

/** Proportional set size of all processes that descend from this one, in bytes. */
async function memoryBelow(root: number): Promise<number> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0));
  }
  const ours = (pid: number): boolean => {
    for (let at = parents.get(pid) ?? 0; at > 0; at = parents.get(at) ?? 0) if (at === root) return true;
    return false;
  };
  let sum = 0;
  for (const pid of parents.keys()) {
    if (!ours(pid)) continue;
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    sum += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  }
  return sum;
}

function seconds(command: string, words: readonly string[]): Promise<number> {
  const began = performance.now();
  const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve((performance.now() - began) / 1000);
      else reject(new Error(`${command} ended with ${code}`));
    });
  });
}
