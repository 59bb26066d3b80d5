import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { endOf, socketAddress } from './namespace-sockets.ts';

const MODULE = new URL('./namespace-sockets.ts', import.meta.url).href;

/** Runs in a worker, where the module is switched on or off. */
function inWorker(code: string, flag: string): Promise<Record<string, unknown>> {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    execArgv: [flag, '--no-warnings'],
    workerData: MODULE,
  });
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}

const inside = `
import { parentPort, workerData } from 'node:worker_threads';
const { endOf, openNamespaceSockets, socketAddress } = await import(workerData);
const s = await openNamespaceSockets();
if ('unavailable' in s) throw new Error(s.unavailable);
const here = (port) => socketAddress(new Uint8Array([127, 0, 0, 1]), port);
const open = (protocol) => {
  const listener = s.socket(protocol, 4);
  const bound = s.bind(listener, here(0), 'listener');
  if (bound < 0 || (protocol === 'TCP' && s.listen(listener) < 0)) throw new Error('it does not listen');
  return { listener, port: s.localPort(listener) };
};
const [tcp, udp] = [open('TCP'), open('UDP')];
const watcher = s.watcher();
watcher.add(tcp.listener);
watcher.add(udp.listener);
const told = { silent: watcher.wait(0).length };

const client = s.socket('TCP', 4);
s.bind(client, here(0), 'source');
told.connect = s.connect(client, here(tcp.port));
told.heard = watcher.wait(1000).includes(tcp.listener);
const end = s.accept(tcp.listener);
told.from = s.from() === endOf(here(s.localPort(client)));
told.nobodyElse = s.accept(tcp.listener);
told.connected = s.ready([client], 'write', 1000)[0] && s.error(client) === 0;
const bytes = Buffer.alloc(16);
s.send(client, Buffer.from('hello'));
s.ready([end], 'read', 1000);
told.stream = bytes.subarray(0, s.receive(end, bytes)).toString();

const sender = s.socket('UDP', 4);
s.connect(sender, here(udp.port));
s.send(sender, Buffer.from('ping'));
told.udpHeard = watcher.wait(1000).includes(udp.listener);
told.datagram = bytes.subarray(0, s.receive(udp.listener, bytes)).toString();
s.answer(udp.listener, Buffer.from('pong'));
s.ready([sender], 'read', 1000);
told.echo = bytes.subarray(0, s.receive(sender, bytes)).toString();
told.empty = s.receive(sender, bytes);

const closed = tcp.port;
for (const one of [client, end, tcp.listener]) s.close(one);
const refused = s.socket('TCP', 4);
told.refused = s.connect(refused, here(closed));
if (told.refused === -115) { s.ready([refused], 'write', 1000); told.refused = -s.error(refused); }
told.badNamespace = s.enter(9999);
told.badSocket = s.listen(9999);
for (const one of [sender, udp.listener, refused]) s.close(one);
parentPort.postMessage(told);
`;

test('connections and datagrams come and go, and errors are those of the kernel', async () => {
  const { connect, ...told } = await inWorker(inside, '--experimental-ffi');
  assert.ok(connect === 0 || connect === -115, String(connect));
  assert.deepEqual(told, {
    silent: 0,
    heard: true,
    from: true,
    nobodyElse: -11,
    connected: true,
    stream: 'hello',
    udpHeard: true,
    datagram: 'ping',
    echo: 'pong',
    empty: -11,
    refused: -111,
    badNamespace: -9,
    badSocket: -9,
  });
});

test('where it is switched off there are none, and it is said why', async () => {
  const code = `
    import { parentPort, workerData } from 'node:worker_threads';
    parentPort.postMessage(await (await import(workerData)).openNamespaceSockets());`;
  const { unavailable } = await inWorker(code, '--no-experimental-ffi');
  assert.match(String(unavailable), /ffi/i);
});

test('an address of either family is as the C library has it', () => {
  const [four, six] = [socketAddress(new Uint8Array([10, 0, 0, 1]), 80), socketAddress(new Uint8Array(16).fill(7), 80)];
  assert.deepEqual([four.length, six.length], [16, 28]);
  assert.equal(four.subarray(2, 8).toString('hex'), '00500a000001');
  assert.equal(six.subarray(2, 24).toString('hex'), `005000000000${'07'.repeat(16)}`);
  assert.notEqual(endOf(four), endOf(socketAddress(new Uint8Array([10, 0, 0, 1]), 81)));
});
