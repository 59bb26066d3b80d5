/**
 * How long clients are held up where they cannot get out: by each way in which a name or a call can be answered. Run by
 * itself it prints the table of docs/operate/stalls.md; it takes about eight minutes, which is what it measures.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEnclave, type EnclaveOptions } from '#enclave';
import { debianTools, findProgram, runtimeEnvironment } from '#system';

/** Seconds after which a client is stopped: who waits longer waits for the kernel, or for ever. */
const LIMIT = 150;

type Answers = NonNullable<EnclaveOptions['answers']>;
interface Way {
  readonly title: string;
  readonly answers: Answers;
  /** What is called: an address, or a name. */
  readonly host: string;
}

const ADDRESS = '203.0.113.9';
const NAME = 'calls-home.example.test';
const WAYS: readonly Way[] = [
  { title: 'accepted, then reset (default)', answers: {}, host: ADDRESS },
  { title: 'refused', answers: { calls: 'refuse' }, host: ADDRESS },
  { title: 'dropped', answers: { calls: 'drop' }, host: ADDRESS },
  { title: 'name given an address, call reset (default)', answers: {}, host: NAME },
  { title: 'name unknown', answers: { names: 'unknown' }, host: NAME },
  { title: 'name dropped', answers: { names: 'drop' }, host: NAME },
];

interface Client {
  readonly name: string;
  readonly program: string;
  readonly args: (url: string) => readonly string[];
}

const CLIENTS: readonly Client[] = [
  { name: 'curl', program: 'curl', args: (url) => ['-sS', '-o', '/dev/null', url] },
  { name: 'git', program: 'git', args: (url) => ['ls-remote', `${url}/x.git`] },
  { name: 'npm', program: 'npm', args: (url) => ['view', 'x', `--registry=${url}`, '--cache=/tmp/npm'] },
  {
    name: 'pip',
    program: 'pip3',
    args: (url) => ['download', '--no-deps', '--disable-pip-version-check', '-i', `${url}/simple`, '-d', '/tmp/x', 'x'],
  },
  {
    name: 'Python, urllib',
    program: 'python3',
    args: (url) => ['-c', `import urllib.request as r; r.urlopen("${url}")`],
  },
  {
    name: 'Node, fetch',
    program: '',
    args: (url) => ['-e', `fetch("${url}").catch((e) => console.error(e.cause?.code ?? e))`],
  },
  {
    name: 'Node, https.get',
    program: '',
    args: (url) => ['-e', `require("https").get("${url}").on("error", (e) => console.error(e.code))`],
  },
];

interface Held {
  readonly seconds: number;
  readonly stopped: boolean;
  readonly words: string;
}

async function measure(way: Way): Promise<Held[]> {
  const work = await mkdtemp(join(tmpdir(), 'sallyport-stalls-'));
  const { ip, nft } = await debianTools(['ip', 'nft'], { env: process.env });
  const machines = CLIENTS.map((_, index) => `client${index}`);
  const enclave = await openEnclave({
    machines,
    flows: [],
    writable: [work],
    env: process.env,
    tools: { ip: ip.path, nft: nft.path },
    answers: way.answers,
    signal: new AbortController().signal,
  });
  try {
    return await Promise.all(
      CLIENTS.map(async ({ program, args }, index) => {
        const own = join(work, `client ${index}`);
        await mkdir(own);
        const path = program === '' ? process.execPath : await findProgram(program, { PATH: '/usr/bin:/bin' });
        if (path === undefined) return { seconds: Number.NaN, stopped: false, words: 'not on this machine' };
        const started = performance.now();
        const ended = await enclave.run(machines[index] ?? '', path, args(`https://${way.host}`), {
          cwd: own,
          env: { PATH: '/usr/bin:/bin', ...runtimeEnvironment(process.env) },
          timeout: LIMIT * 1000,
        });
        const words = `${ended.stderr}${ended.stdout}`.trim().split('\n').at(-1) ?? '';
        return { seconds: (performance.now() - started) / 1000, stopped: ended.timedOut, words };
      }),
    );
  } finally {
    await enclave.close();
    await rm(work, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const rows: Held[][] = [];
  for (const way of WAYS) {
    const held = await measure(way);
    rows.push(held);
    for (const [index, one] of held.entries()) {
      console.error(`${way.title} | ${CLIENTS[index]?.name} | ${one.seconds.toFixed(1)} | ${one.words.slice(0, 140)}`);
    }
  }
  const cell = ({ seconds, stopped }: Held): string =>
    stopped
      ? `more than ${LIMIT}`
      : Number.isNaN(seconds)
        ? ''
        : seconds < 0.95
          ? seconds.toFixed(1)
          : String(Math.round(seconds));
  console.log(`| client | ${WAYS.map(({ title }) => title).join(' | ')} |`);
  console.log(`|---|${WAYS.map(() => '---:').join('|')}|`);
  for (const [index, { name }] of CLIENTS.entries()) {
    console.log(`| ${name} | ${rows.map((held) => cell(held[index] as Held)).join(' | ')} |`);
  }
}
