import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cgroupName, cgroupOwner, memoryRefused, processRefused, readHierarchies, settingsFor } from './cgroups.ts';
import { identityOf, NOBODY, rangeFor } from './identity.ts';
import { userOf } from './image-user.ts';
import { LIMITS, overstepped, readHardLimits } from './limits.ts';
import { type Confined, runtimeSpec } from './runtime-spec.ts';
import { seccompProfile } from './seccomp.ts';
import { outermost } from './surroundings.ts';

const range = { first: 1, count: 65_536 };

test('where root starts the enclave no program is its root, whatever an image asks for', () => {
  const id = fc.nat({ max: 0x7fff_ffff });
  const count = fc.integer({ min: 2, max: 65_536 });
  fc.assert(
    fc.property(id, id, count, (uid, gid, size) => {
      const identity = identityOf({ root: true, range: { first: 1, count: size } }, { uid, gid });
      assert.deepEqual([identity.uid, identity.gid], [uid, gid]);
      for (const mappings of [identity.uidMappings, identity.gidMappings]) {
        assert.ok(mappings.every(({ hostID, size: length }) => hostID >= 1 && hostID + length <= 1 + size));
        assert.ok(mappings.some(({ containerID }) => containerID === 0));
        // No id twice on either side.
        for (const side of ['containerID', 'hostID'] as const) {
          const ends = mappings.map((one) => [one[side], one[side] + one.size] as const);
          for (const [index, [from, to]] of ends.entries()) {
            assert.ok(ends.every(([start, end], other) => other === index || end <= from || start >= to));
          }
        }
      }
      const { uid: outer } = identity.owner;
      assert.ok(
        identity.uidMappings.some(
          ({ containerID, hostID, size: length }) =>
            uid >= containerID && uid < containerID + length && outer === hostID + uid - containerID,
        ),
      );
    }),
  );
  assert.throws(() => identityOf({ root: true }, NOBODY), /cannot run as the root/);
});

test('an ordinary user owns what their programs make, with further ids and without', () => {
  const several = identityOf({ root: false, range }, NOBODY);
  assert.deepEqual(several.uidMappings, [
    { containerID: 0, hostID: 1, size: 1000 },
    { containerID: 1000, hostID: 0, size: 1 },
    { containerID: 1001, hostID: 1001, size: 64_536 },
  ]);
  assert.deepEqual([several.uid, several.owner.uid], [1000, 0]);
  assert.deepEqual(identityOf({ root: false, range }, { uid: 0, gid: 0 }).uidMappings[0], {
    containerID: 0,
    hostID: 0,
    size: 1,
  });
  const single = identityOf({ root: false }, { uid: 101, gid: 101 });
  assert.deepEqual([single.uid, single.several, single.uidMappings.length], [0, false, 1]);
});

test('ids are taken that nobody has, and other ones in each of two enclaves', () => {
  const whole = '         0          0 4294967295\n';
  assert.deepEqual(rangeFor(whole, 0), { first: 1_879_048_192, count: 65_536 });
  assert.notDeepEqual(rangeFor(whole, 4711), rangeFor(whole, 4712));
  assert.ok((rangeFor(whole, 3999)?.first ?? 0) + 65_536 < 2_147_352_576);
  assert.deepEqual(rangeFor('0 100000 65536\n', 12), { first: 32_768, count: 32_768 });
  assert.equal(rangeFor('0 1000 1\n', 12), undefined);
  assert.equal(rangeFor('', 12), undefined);
});

test('an image runs as whom it names', () => {
  const passwd = 'root:x:0:0::/:/bin/sh\nnats:x:101:102::/:/bin/sh\nbroken\nbig:x:99999999999:1::/:\n';
  const group = 'root:x:0:\nstaff:x:50:\n';
  const cases: readonly [string, { uid: number; gid: number } | undefined][] = [
    ['', { uid: 0, gid: 0 }],
    ['nats', { uid: 101, gid: 102 }],
    ['101', { uid: 101, gid: 102 }],
    ['65532', { uid: 65_532, gid: 0 }],
    ['65532:65532', { uid: 65_532, gid: 65_532 }],
    ['nats:staff', { uid: 101, gid: 50 }],
    ['nobody', undefined],
    ['nats:nobody', undefined],
    ['big', undefined],
    ['2147483647', { uid: 2_147_483_647, gid: 0 }],
    ['2147483648', undefined],
    ['-1', undefined],
  ];
  for (const [words, user] of cases) assert.deepEqual(userOf(words, passwd, group), user, words);
});

test('cgroups of each layout are found where limits can be set', () => {
  const first = [
    '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
    '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
    '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
    '40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd',
    '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
  ].join('\n');
  const own = '4:memory:/a/b\n3:cpuset:/\n2:cpu,cpuacct:/\n0::/\n';
  assert.deepEqual(
    readHierarchies(first, own).map(({ version, controllers, place }) => [version, controllers.join(), place]),
    [
      [1, 'cpu', '/sys/fs/cgroup/cpu,cpuacct'],
      [1, 'memory', '/sys/fs/cgroup/memory/a/b'],
      [2, '', '/sys/fs/cgroup/unified'],
    ],
  );
  const second = '31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate';
  const place = (membership: string, mount = second): string | undefined =>
    readHierarchies(mount, membership)[0]?.place;
  assert.equal(place('0::/'), '/sys/fs/cgroup');
  assert.equal(place('0::/user.slice/app.slice/x.scope'), '/sys/fs/cgroup/user.slice/app.slice');
  // A container that sees its own part of the host's hierarchy.
  const part = '31 23 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory';
  assert.equal(place('4:memory:/docker/abc', part), '/sys/fs/cgroup/memory');
});

test('limits are written as each version has them, and read back', () => {
  const limits = { ...LIMITS, memory: 1024, processes: 7, cpus: 0.5 };
  const written = (version: 1 | 2, controller: 'memory' | 'pids' | 'cpu'): string =>
    settingsFor(version, controller, limits)
      .filter(({ needed }) => needed)
      .map(({ file, value }) => `${file} ${value}`)
      .join();
  assert.equal(written(1, 'memory'), 'memory.limit_in_bytes 1024');
  assert.equal(written(2, 'memory'), 'memory.max 1024');
  assert.equal(written(1, 'pids') + written(2, 'pids'), 'pids.max 7pids.max 7');
  assert.equal(written(1, 'cpu'), 'cpu.cfs_period_us 100000,cpu.cfs_quota_us 50000');
  assert.equal(written(2, 'cpu'), 'cpu.max 50000 100000');
  assert.deepEqual(settingsFor(2, 'cpu', LIMITS), []);
  assert.equal(memoryRefused('low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\n'), false);
  assert.equal(memoryRefused('low 0\noom_kill 2\n'), true);
  assert.equal(memoryRefused('oom_kill_disable 1\nunder_oom 1\noom_kill 0\n'), true);
  assert.deepEqual([processRefused('max 0\n'), processRefused('max 3\n'), processRefused('')], [false, true, false]);
});

test('a cgroup says whose it is', () => {
  assert.deepEqual(cgroupOwner(cgroupName(12, '345', '67', 'ab')), { pid: 12, start: '345', space: '67' });
  for (const name of ['sallyport', 'sallyport-1', 'sallyport-1-2-x y', 'docker']) {
    assert.equal(cgroupOwner(name), undefined);
  }
});

test('each limit has its name', () => {
  const limits = { ...LIMITS, memory: 10, processes: 10, disk: 10, output: 10 };
  assert.equal(overstepped(limits, { output: 10, memory: 10, processes: 10, written: 10 }), undefined);
  assert.equal(overstepped(limits, { output: 0, memory: 11 }), 'memory');
  assert.equal(overstepped(limits, { output: 0, memoryRefused: true }), 'memory');
  assert.equal(overstepped(limits, { output: 0, processRefused: true }), 'processes');
  assert.equal(overstepped(limits, { output: 0, written: Infinity }), 'disk');
  assert.equal(overstepped(limits, { output: 11 }), 'output');
});

test('hard limits are kept: nobody could raise them', () => {
  const text = [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max file size             unlimited            unlimited            bytes     ',
    'Max data size             1000                 2000                 bytes     ',
    'Max processes             96395                96396                processes ',
    'Max open files            1024                 4096                 files     ',
    'Max locked memory         8192                 8192                 bytes     ',
  ].join('\n');
  assert.deepEqual(readHardLimits(text), {
    files: 4096,
    fileSize: Infinity,
    processes: 96_396,
    locked: 8192,
    data: 2000,
  });
});

test('of paths that lie in one another the outer ones are bound', () => {
  assert.deepEqual(outermost(['/a/b', '/a', '/ab', '/a', '/a/b/c']), ['/a', '/ab']);
});

test('a container has nothing but what stands in its description', () => {
  const confined: Confined = {
    rootfs: '/r',
    writableRoot: false,
    hostname: 'web',
    network: '/run/netns/m0',
    args: ['true'],
    env: { A: 'b=c' },
    cwd: '/w/x',
    identity: identityOf({ root: true, range }, NOBODY),
    ownIds: false,
    shown: [
      { source: '/s/1', path: '/w/x', writable: true },
      { source: '/s/0', path: '/w', writable: false },
    ],
    temporary: ['/tmp'],
    limits: LIMITS,
    hard: readHardLimits('Max open files            50                   100                  files\n'),
    oomScore: 0,
    boundData: true,
    seccomp: seccompProfile('x64'),
  };
  const spec = runtimeSpec(confined) as {
    process: {
      capabilities: Record<string, string[]>;
      env: string[];
      noNewPrivileges: boolean;
      rlimits: { type: string; hard: number }[];
    };
    root: { readonly: boolean };
    mounts: { destination: string; type: string; options: string[] }[];
    linux: { namespaces: { type: string; path?: string }[]; uidMappings: unknown[] };
  };
  assert.deepEqual(Object.values(spec.process.capabilities).flat(), []);
  assert.deepEqual(spec.process.env, ['A=b=c']);
  assert.equal(spec.process.noNewPrivileges && spec.root.readonly, true);
  assert.deepEqual(spec.linux.namespaces.map(({ type, path }) => `${type}${path ?? ''}`).sort(), [
    'cgroup',
    'ipc',
    'mount',
    'network/run/netns/m0',
    'pid',
    'user',
    'uts',
  ]);
  const binds = spec.mounts.filter(({ type }) => type === 'bind');
  // The outer one first, or it would hide the inner one.
  assert.deepEqual(
    binds.map(({ destination, options }) => [destination, options.includes('rro')]),
    [
      ['/w', true],
      ['/w/x', false],
    ],
  );
  for (const { destination, type, options } of spec.mounts) {
    assert.ok(options.includes('nosuid') || options.includes('rnosuid'), destination);
    if (type === 'tmpfs')
      assert.ok(
        options.some((option) => option.startsWith('size=')),
        destination,
      );
  }
  const limit = (type: string): number | undefined => spec.process.rlimits.find((one) => one.type === type)?.hard;
  assert.deepEqual(
    [limit('RLIMIT_NOFILE'), limit('RLIMIT_DATA'), limit('RLIMIT_CORE')],
    [100, LIMITS.memory + 4 * 1024 ** 3, 0],
  );
  const asRoot = { ...confined, ownIds: true, identity: identityOf({ root: true, range }, { uid: 0, gid: 0 }) };
  const own = (runtimeSpec(asRoot) as typeof spec).process.capabilities['effective'];
  assert.ok(own?.includes('CAP_SETUID') === true && !own.some((name) => /SYS|NET|MKNOD|PTRACE|SETPCAP/.test(name)));
  const alone = { ...asRoot, identity: identityOf({ root: false }, { uid: 0, gid: 0 }) };
  assert.deepEqual((runtimeSpec(alone) as typeof spec).process.capabilities['effective'], [
    'CAP_DAC_OVERRIDE',
    'CAP_FOWNER',
  ]);
});
