import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CLOSED, otherThan, seccompProfile } from './seccomp.ts';

type Profile = ReturnType<typeof seccompProfile>;

/** What a filter of these rules answers: the first rule whose conditions hold, as they never overlap. */
function answer(profile: Profile, name: string, args: readonly number[]): string {
  const hits = profile.syscalls.filter(
    (rule) =>
      rule.names.includes(name) &&
      (rule.args ?? []).every(({ index, value, valueTwo, op }) => {
        const given = BigInt(args[index] ?? 0);
        if (op === 'SCMP_CMP_MASKED_EQ') return (given & BigInt(value)) === BigInt(valueTwo ?? 0);
        return (given === BigInt(value)) === (op === 'SCMP_CMP_EQ');
      }),
  );
  assert.ok(new Set(hits.map(({ action }) => action)).size <= 1, `${name}(${args.join()}) has two answers`);
  const [hit] = hits;
  if (hit === undefined) return `errno ${profile.defaultErrnoRet}`;
  return hit.action === 'SCMP_ACT_ERRNO' ? `errno ${hit.errnoRet}` : hit.action;
}

const profile = seccompProfile('x64');

test('what programs need is allowed, and what leads out of a container is not', () => {
  for (const name of ['read', 'openat', 'execve', 'connect', 'epoll_wait', 'rseq', 'futex', 'getrandom']) {
    assert.equal(answer(profile, name, []), 'SCMP_ACT_ALLOW', name);
  }
  for (const name of CLOSED) assert.equal(answer(profile, name, []), 'errno 1', name);
  assert.equal(answer(profile, 'clone3', []), 'errno 38');
  assert.equal(answer(profile, 'a_call_of_the_next_kernel', []), 'errno 38');
  assert.equal(answer(profile, 'personality', [0x0040000]), 'errno 38');
  assert.equal(answer(profile, 'personality', [0xffffffff]), 'SCMP_ACT_ALLOW');
});

test('no call is both allowed and closed', () => {
  const allowed = new Set(profile.syscalls.flatMap(({ action, names }) => (action === 'SCMP_ACT_ALLOW' ? names : [])));
  assert.deepEqual(
    CLOSED.filter((name) => allowed.has(name)),
    [],
  );
});

test('clone makes threads and processes, and no namespaces', () => {
  assert.equal(answer(profile, 'clone', [0x3d0f00]), 'SCMP_ACT_ALLOW');
  assert.equal(answer(profile, 'clone', [0x01200011]), 'SCMP_ACT_ALLOW');
  for (const flag of [0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]) {
    assert.equal(answer(profile, 'clone', [flag + 0x11]), 'errno 38');
  }
});

test('sockets are TCP, UDP, Unix and the list of addresses', () => {
  const cloexec = 0x80800;
  for (const family of [2, 10]) {
    for (const args of [
      [family, 1, 0],
      [family, 1 + cloexec, 6],
      [family, 2, 17],
      [family, 2 + cloexec, 0],
    ]) {
      assert.equal(answer(profile, 'socket', args), 'SCMP_ACT_ALLOW');
    }
    for (const args of [
      [family, 3, 1],
      [family, 3 + cloexec, 255],
      [family, 5, 132],
    ]) {
      assert.equal(answer(profile, 'socket', args), 'errno 97');
    }
    // SCTP and MPTCP dressed as streams, ping as datagrams.
    for (const args of [
      [family, 1, 132],
      [family, 1, 262],
      [family, 2, 1],
    ]) {
      assert.equal(answer(profile, 'socket', args), 'errno 97');
    }
  }
  assert.equal(answer(profile, 'socket', [1, 5, 0]), 'SCMP_ACT_ALLOW');
  assert.equal(answer(profile, 'socketpair', [2, 1, 0]), 'errno 38');
  assert.equal(answer(profile, 'socket', [16, 3 + cloexec, 0]), 'SCMP_ACT_ALLOW');
  // NETLINK_NETFILTER, NETLINK_AUDIT, NETLINK_KOBJECT_UEVENT.
  for (const protocol of [12, 9, 15]) assert.equal(answer(profile, 'socket', [16, 3, protocol]), 'errno 97');
  // vsock, packet, alg, bluetooth, tipc, xdp.
  for (const family of [40, 17, 38, 31, 30, 44]) assert.equal(answer(profile, 'socket', [family, 1, 0]), 'errno 97');
});

test('an ioctl that types into a terminal is closed whatever stands in its upper half', () => {
  for (const number of [0x5412, 0x541c]) {
    assert.equal(answer(profile, 'ioctl', [1, number]), 'errno 38');
    assert.equal(answer(profile, 'ioctl', [1, number + 2 ** 32]), 'errno 38');
  }
  for (const number of [0x5413, 0x5401, 0x541b, 0x8912, 0, 0xffffffff]) {
    assert.equal(answer(profile, 'ioctl', [1, number]), 'SCMP_ACT_ALLOW', number.toString(16));
  }
});

test('every number but the forbidden ones meets exactly one condition', () => {
  const number = fc.nat({ max: 255 });
  fc.assert(
    fc.property(fc.uniqueArray(number, { minLength: 1, maxLength: 5 }), number, (forbidden, candidate) => {
      const hits = otherThan(0, 8, forbidden).filter(({ value, valueTwo }) => (candidate & value) === valueTwo);
      assert.equal(hits.length, forbidden.includes(candidate) ? 0 : 1);
    }),
  );
});

test('a listener is told of connections, of datagrams, of closed sockets and, where it wants, of writes', () => {
  const listener = { path: '/run/x.sock', metadata: '7', writes: true };
  const asked = seccompProfile('arm64', listener);
  assert.deepEqual(asked.architectures, ['SCMP_ARCH_AARCH64']);
  assert.deepEqual([asked.listenerPath, asked.listenerMetadata], ['/run/x.sock', '7']);
  const told: readonly [string, readonly number[]][] = [
    ['connect', []],
    ['sendto', [3, 1, 1, 0, 0x7fff0000]],
    ['socket', [40, 1, 0]],
    ['socket', [2, 3, 1]],
    ['socket', [16, 3, 12]],
    ['openat', [0, 0, 0x241]],
    ['openat', [0, 0, 0x2]],
    ['mkdir', []],
  ];
  for (const [name, args] of told) assert.equal(answer(asked, name, args), 'SCMP_ACT_NOTIFY', name);
  assert.equal(answer(asked, 'sendto', [3, 1, 1, 0, 0]), 'SCMP_ACT_ALLOW');
  assert.equal(answer(asked, 'openat', [0, 0, 0x80000]), 'SCMP_ACT_ALLOW');
  assert.equal(answer(asked, 'socket', [2, 1, 6]), 'SCMP_ACT_ALLOW');
  assert.equal(answer(asked, 'mount', []), 'errno 1');
  const quiet = seccompProfile('x64', { ...listener, writes: false });
  assert.equal(answer(quiet, 'openat', [0, 0, 0x241]), 'SCMP_ACT_ALLOW');
  assert.equal(profile.listenerPath, undefined);
});
