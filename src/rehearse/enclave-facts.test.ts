import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsOf, type Witness } from './enclave-facts.ts';

const enclave = { ipv6: true, cgroups: ['memory'], unwatched: '' } as const;
const status = (over: Readonly<Record<string, string>> = {}): string =>
  Object.entries({
    Name: 'cat',
    Uid: '1000\t1000\t1000\t1000',
    Gid: '1000\t1000\t1000\t1000',
    CapPrm: '0000000000000000',
    CapEff: '0000000000000000',
    CapBnd: '0000000000000000',
    CapAmb: '0000000000000000',
    NoNewPrivs: '1',
    Seccomp: '2',
    ...over,
  })
    .map(([name, value]) => `${name}:\t${value}`)
    .join('\n');
const kernel = 'Linux 6.1.0 x86_64';
const mountinfo = [
  '277 182 0:90 /root / ro,nosuid - tmpfs tmpfs rw',
  '278 277 0:62 / /proc rw,nosuid - proc proc rw',
  '290 277 0:67 / /tmp rw,nosuid - tmpfs tmpfs rw',
  String.raw`296 277 254:0 /usr /usr/a\040b ro,relatime shared:1 - ext4 /dev/vda rw`,
  '287 277 254:0 / /dev/null rw,nosuid - devtmpfs devtmpfs rw',
].join('\n');

function states(witness: Witness | undefined, over: object = {}): Record<string, string> {
  const { limits } = factsOf({ ...enclave, ...over }, 3, witness);
  return Object.fromEntries(limits.map(({ what, state }) => [what, state]));
}

test('what a program in there saw of itself is what is told', () => {
  const facts = factsOf(enclave, 3, { status: status(), mountinfo, kernel });
  assert.ok(facts.limits.every(({ state }) => state === 'in-force'));
  assert.deepEqual(facts.visible, ['/usr/a b']);
  assert.deepEqual([facts.machines, facts.kernel], [3, kernel]);
  const details = Object.fromEntries(facts.limits.map(({ what, detail }) => [what, detail]));
  assert.match(details['Memory'] ?? '', /held by a cgroup/);
  assert.match(details['Processes'] ?? '', /watched and ended/);
});

test('a measure that is missing is absent, by name', () => {
  const cases: [string, Witness][] = [
    ['Capabilities', { status: status({ CapBnd: '00000000a80425fb' }), mountinfo, kernel }],
    ['New privileges', { status: status({ NoNewPrivs: '0' }), mountinfo, kernel }],
    ['System calls', { status: status({ Seccomp: '0' }), mountinfo, kernel }],
    ['User', { status: status({ Gid: '1000\t0\t1000\t1000' }), mountinfo, kernel }],
    [
      'Files of the host',
      { status: status(), mountinfo: `${mountinfo}\n9 1 8:1 /srv /srv rw,nosuid - xfs /dev/sda rw`, kernel },
    ],
  ];
  for (const [name, witness] of cases) {
    const told = states(witness);
    assert.equal(told[name], 'absent', name);
    assert.equal(Object.values(told).filter((state) => state !== 'in-force').length, 1, name);
  }
  const writable = factsOf(enclave, 1, {
    status: status(),
    mountinfo: '9 1 8:1 /srv /srv rw - xfs /dev/sda rw',
    kernel,
  });
  assert.deepEqual(writable.visible, ['/srv (writable)']);
  assert.equal(states({ status: status(), mountinfo, kernel }, { ipv6: false })['IPv6'], 'absent');
});

test('where nobody could look it is unknown, which is not in force', () => {
  const seen = ['Files of the host', 'Capabilities', 'New privileges', 'System calls', 'User'];
  const blind = states(undefined);
  for (const name of seen) assert.equal(blind[name], 'unknown', name);
  assert.equal(states({ status: 'Name:\tcat\n', mountinfo, kernel })['Capabilities'], 'unknown');
  assert.equal(
    states({ status: status(), mountinfo, kernel }, { unwatched: 'no ptrace here' })['Who tried'],
    'unknown',
  );
});
