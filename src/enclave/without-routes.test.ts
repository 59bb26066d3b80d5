import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runtimeEnvironment } from '#system';
import { namespacesHere, temporaryFolder } from '#system/testing';
import { openEnclave, probeFrom } from './index.ts';

const { skip, tools } = await namespacesHere();
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...runtimeEnvironment(process.env) };

describe('an enclave without routes', { skip }, () => {
  test('has machines that reach one another as declared, and nobody else, not even the sink', async (t) => {
    const work = await temporaryFolder(t);
    const enclave = await openEnclave({
      machines: ['web', 'user', 'other'],
      flows: [{ from: 'user', to: 'web', port: 8080, protocol: 'tcp' }],
      routes: 'none',
      writable: [work],
      env: process.env,
      tools,
      signal: new AbortController().signal,
    });
    try {
      const options = { cwd: work, env };
      const serve = `require('node:http').createServer((q, s) => s.end('well')).listen(8080, '::')`;
      const web = await enclave.start('web', process.execPath, ['-e', serve], options);
      assert.equal(await web.listening(8080, 10_000), true);
      const get = (url: string) => probeFrom(enclave, 'user', { probe: 'http', url, timeout: 5000 }, options);
      const connect = (from: string, host: string, port: number) =>
        probeFrom(enclave, from, { probe: 'connect', host, port, timeout: 5000 }, options);
      const [name, ipv6, edge, call, callIpv6, resolver, sink] = await Promise.all([
        get('http://web:8080/'),
        get('http://[fd53:616c:6c79::1:2]:8080/'),
        connect('other', 'web', 8080),
        connect('user', '203.0.113.9', 443),
        connect('user', '2001:db8::9', 443),
        connect('user', 'registry.example.test', 443),
        connect('user', '10.231.255.1', 15001),
      ]);
      assert.equal(name.text, 'well');
      if (enclave.ipv6) assert.equal(ipv6.text, 'well');
      assert.equal(edge.ok, false);
      for (const one of [call, callIpv6, sink]) assert.match(one.detail, /ENETUNREACH/);
      assert.match(resolver.detail, /EAI_AGAIN|ENOTFOUND/);
      const routes = await enclave.run('user', tools.ip, ['route', 'show', 'table', 'all'], options);
      assert.doesNotMatch(routes.stdout, /default/);
      const attempts = await enclave.attempts();
      // One a family: the probe asked for the name in both.
      assert.deepEqual(
        [...new Set(attempts.map(({ kind, from, to, port }) => `${kind} ${from} ${to} ${port}`))],
        ['edge other web 8080'],
      );
    } finally {
      await enclave.close();
    }
  });
});
