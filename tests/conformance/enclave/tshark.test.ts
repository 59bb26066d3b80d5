// Another program's eyes on the sink's link: tcpdump takes every packet, tshark reads them, and each attempt in the
// capture must be in the report, and each in the report in the capture.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Attempt, openEnclave } from '#enclave';
import { debianTools, findProgram, lastWords, runProcess, runtimeEnvironment, toolsFolder } from '#system';
import { skipped, used } from '../../components.ts';
import { whyNoEnclave } from './small-project.ts';

const why = await whyNoEnclave();
const AIOQUIC = '1.7.2';
const PYTHON = '/usr/bin/python3';

/** What many programs do, in one: names of many types, datagrams, connections that say nothing, both families. */
const WORKLOAD = String.raw`
import socket, struct, threading, time
def quiet(f):
    try: return f()
    except OSError: pass
def query(name, kind, port=53, to='10.231.255.1'):
    body = b''.join(bytes([len(l)]) + l for l in name.encode().split(b'.')) + b'\0' + struct.pack('>HH', kind, 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(3)
    s.sendto(struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + body, (to, port))
    quiet(lambda: s.recv(2000))
for kind in (1, 28, 16, 10, 15, 255, 65): query('types.example.test', kind)
query('elsewhere.example.test', 1, 53, '203.0.113.53')
for index in range(300): query(('tunnelled data number %d' % index).encode().hex() + '.t.evil.test', 16)
for port in (123, 514, 8125):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b'datagram', ('203.0.113.10', port))
    s.sendto(b'again', ('203.0.113.10', port))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for last in range(20, 25): s.sendto(b'fan out', ('203.0.113.%d' % last, 9))
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
quiet(lambda: s.sendto(b'six', ('2001:db8::10', 123)))
def silent(port):
    s = socket.socket()
    s.settimeout(5)
    quiet(lambda: s.connect(('203.0.113.11', port)))
    quiet(lambda: s.recv(1))
threads = [threading.Thread(target=silent, args=(port,)) for port in range(7000, 7040)]
for t in threads: t.start()
for t in threads: t.join()
for _ in range(3): silent(7777)
quiet(lambda: socket.create_connection(('10.231.0.3', 5432), 3))
quiet(lambda: socket.create_connection(('10.231.0.3', 5432), 3))
quiet(lambda: socket.create_connection(('203.0.113.12', 25), 3).sendall(b'EHLO x\r\n'))
time.sleep(0.5)
`;

const QUIC = String.raw`
import asyncio, ssl, sys
from aioquic.asyncio import connect
from aioquic.quic.configuration import QuicConfiguration
async def main():
    for version in (0x00000001, 0x6b3343cf):
        own = QuicConfiguration(is_client=True, alpn_protocols=['h3'], verify_mode=ssl.CERT_NONE)
        own.original_version = version
        own.supported_versions = [version]
        own.server_name = 'quic-%x.example.test' % version
        own.idle_timeout = 2.0
        try:
            async with connect('203.0.113.%d' % (30 + (version & 1)), 443, configuration=own) as client: await client.ping()
        except (ConnectionError, asyncio.TimeoutError): pass
asyncio.run(main())
`;

/** A real QUIC client, from PyPI into the user's cache. */
async function quicClient(): Promise<{ folder: string } | { reason: string }> {
  const folder = join(toolsFolder(process.env), `test-aioquic-${AIOQUIC}`);
  if (await stat(folder).catch(() => undefined)) return { folder };
  await mkdir(toolsFolder(process.env), { recursive: true, mode: 0o700 });
  const work = await mkdtemp(`${folder}.`);
  try {
    const pip = await findProgram('pip3', { PATH: '/usr/bin:/bin' });
    if (pip === undefined) throw new Error('no pip');
    const words = ['install', '--quiet', '--only-binary', ':all:', '--target', work, `aioquic==${AIOQUIC}`];
    const env = Object.fromEntries(
      Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const ended = await runProcess(pip, words, { env, timeout: 180_000 });
    if (ended.code !== 0) throw new Error(lastWords(ended));
    await rename(work, folder);
    await runProcess('chmod', ['-R', 'a+rX', folder], { env });
    return { folder };
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    return { reason: `aioquic could not be installed: ${error instanceof Error ? error.message : String(error)}` };
  }
}

type Row = Readonly<Record<string, string>>;

describe('tshark', { skip: why !== false && skipped('namespaces', why) }, () => {
  test('agrees with the record, packet for packet on attempts', async (t) => {
    const { ip, nft, tcpdump, tshark } = await debianTools(['ip', 'nft', 'tcpdump', 'tshark'], { env: process.env });
    const python = await findProgram('python3', { PATH: '/usr/bin:/bin' });
    const curl = await findProgram('curl', { PATH: '/usr/bin:/bin' });
    if (python !== PYTHON || curl === undefined) return t.skip(skipped('curl, python3', 'it is not on this machine'));
    const quic = await quicClient();
    const work = await mkdtemp(join(tmpdir(), 'sallyport tshark '));
    const env = { PATH: '/usr/bin:/bin', ...runtimeEnvironment(process.env) };
    const enclave = await openEnclave({
      machines: ['one', 'two'],
      flows: [],
      writable: [work],
      readable: 'folder' in quic ? [quic.folder] : [],
      env: process.env,
      tools: { ip: ip.path, nft: nft.path },
      signal: new AbortController().signal,
    });
    try {
      const pcap = join(work, 'link.pcap');
      const capture = enclave.capture('one', tcpdump.path, pcap, 64 * 1024 * 1024);
      for (let left = 200; left > 0 && ((await stat(pcap).catch(() => undefined))?.size ?? 0) < 24; left--) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const own = join(work, 'own');
      await mkdir(own);
      await writeFile(join(own, 'workload.py'), WORKLOAD);
      await writeFile(join(own, 'quic.py'), QUIC);
      const run = (program: string, ...args: string[]) =>
        enclave.run('one', program, args, {
          cwd: own,
          env: { ...env, ...('folder' in quic ? { PYTHONPATH: quic.folder } : {}) },
          timeout: 120_000,
        });
      const ran = await run(PYTHON, 'workload.py');
      assert.equal(ran.code, 0, ran.stderr);
      await run(curl, '-s', 'https://curl.example.test/path', 'http://plain.example.test:8080/x');
      await run(
        process.execPath,
        '-e',
        `fetch('https://node.example.test:8443/').catch(() => 0); fetch('http://[2001:db8::20]:81/').catch(() => 0)`,
      );
      if ('folder' in quic) {
        used('aioquic', AIOQUIC, 'PyPI');
        const client = await run(PYTHON, 'quic.py');
        assert.equal(client.code, 0, client.stderr);
      } else {
        t.diagnostic(skipped('aioquic', quic.reason));
      }
      const attempts = (await enclave.attempts()).filter(({ from }) => from === 'one');
      await capture.stop();

      const version = await runProcess(tshark.path, ['--version'], { env: { ...env } });
      used('tshark', /[\d.]+\d/.exec(version.stdout)?.[0] ?? '', tshark.source === 'host' ? 'machine' : 'Debian');
      const read = async (filter: string, ...fields: string[]): Promise<Row[]> => {
        const words = ['-r', pcap, '-n', '-Y', filter, '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=f'];
        const ended = await runProcess(tshark.path, [...words, ...fields.flatMap((field) => ['-e', field])], {
          env: { ...env, HOME: work },
          keep: 32 * 1024 * 1024,
        });
        assert.equal(ended.code, 0, ended.stderr);
        const lines = ended.stdout.split('\n').filter((line) => line !== '');
        return lines.map((line) => Object.fromEntries(line.split('\t').map((value, index) => [fields[index], value])));
      };

      // ---- connections: each first SYN is one attempt; the same SYN again is the kernel's, not the program's.
      const out = '(ip.src == 10.231.0.2 or ipv6.src == fd53:616c:6c79::1:2)';
      const syns = await read(
        `${out} and tcp.flags.syn == 1 and tcp.flags.ack == 0`,
        'ip.dst',
        'ipv6.dst',
        'tcp.dstport',
        'tcp.srcport',
        'tcp.seq_raw',
      );
      const flows = new Map(syns.map((row) => [JSON.stringify(row), row]));
      const to = (row: Row, port: string): string => `${row['ip.dst'] || row['ipv6.dst']} ${row[port]}`;
      const toMachine = (target: string): boolean => target.startsWith('10.231.0.');
      const tcp = [...flows.values()].map((row) => to(row, 'tcp.dstport')).filter((target) => !/ 53$/.test(target));
      const told = (kind: Attempt['kind'], protocol: string): string[] =>
        attempts
          .filter((one) => one.kind === kind && one.protocol === protocol)
          .flatMap((one) => Array.from({ length: one.count ?? 1 }, () => `${one.address} ${one.port}`));
      assert.ok(tcp.length > 45, `${tcp.length} connections`);
      assert.deepEqual(told('call', 'tcp').sort(), tcp.filter((target) => !toMachine(target)).sort());
      // An undeclared edge is told once, however often it is tried.
      assert.deepEqual(told('edge', 'tcp'), [...new Set(tcp.filter(toMachine))]);

      // ---- datagrams: each first of one socket to one place.
      const datagrams = await read(
        `${out} and udp and not icmp and not icmpv6`,
        'ip.dst',
        'ipv6.dst',
        'udp.dstport',
        'udp.srcport',
      );
      const sent = new Set(datagrams.map((row) => `${to(row, 'udp.dstport')} from ${row['udp.srcport']}`));
      const targets = [...sent]
        .map((flow) => flow.replace(/ from .*/, ''))
        .filter((target) => target !== '10.231.255.1 53');
      assert.deepEqual(told('call', 'udp').sort(), targets.sort());

      // ---- names: each name by type of question; of a tunnel the number.
      const queries = await read(`${out} and dns.flags.response == 0`, 'dns.qry.name', 'dns.qry.type');
      const group = (type: string): string => (['1', '28', '64', '65'].includes(type) ? 'address' : type);
      const asked = new Set(queries.map((row) => `${row['dns.qry.name']} ${group(row['dns.qry.type'] ?? '')}`));
      const names = attempts.filter(({ kind }) => kind === 'name');
      assert.equal(
        names.reduce((sum, { count }) => sum + (count ?? 1), 0),
        asked.size,
      );
      const whole = new Set([...asked].map((one) => one.split(' ')[0] ?? ''));
      for (const { name = '' } of names) {
        if (!name.startsWith('*.')) assert.ok(whole.has(name), name);
        else
          assert.ok(
            [...whole].some((one) => one.endsWith(name.slice(1))),
            name,
          );
      }
      const summary = names.find(({ name }) => name === '*.evil.test');
      assert.equal(summary?.count, 280);

      // ---- what they said: server names, which tshark reads out of TLS and decrypts out of QUIC by itself.
      const hellos = await read(`${out} and tls.handshake.type == 1`, 'tls.handshake.extensions_server_name');
      const servers = new Set(
        hellos.map((row) => row['tls.handshake.extensions_server_name'] ?? '').filter((name) => name !== ''),
      );
      assert.deepEqual(
        [...new Set(attempts.flatMap(({ serverName }) => serverName ?? []))].sort(),
        [...servers].sort(),
      );
      assert.ok(servers.has('curl.example.test') && servers.has('node.example.test'));
      if ('folder' in quic) assert.ok(servers.has('quic-1.example.test') && servers.has('quic-6b3343cf.example.test'));
      const requests = await read(`${out} and http.request`, 'http.request.method', 'http.host', 'http.request.uri');
      const said = requests.map((row) => `${row['http.request.method']} ${row['http.host']}${row['http.request.uri']}`);
      assert.deepEqual(
        attempts.flatMap(({ request, kind }) => (kind === 'call' ? (request ?? []) : [])).sort(),
        said.sort(),
      );

      // ---- nothing else left the machine but what finds neighbours.
      const rest = await read(`${out} and not tcp and not udp and not icmpv6`, 'frame.protocols');
      assert.deepEqual(rest, []);
    } finally {
      await enclave.close();
      await rm(work, { recursive: true, force: true });
    }
  });
});
