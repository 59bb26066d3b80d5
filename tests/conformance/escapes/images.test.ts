import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Enclave, type ImageRoot, type InsideOptions, openEnclave } from '#enclave';
import { errorMessage } from '#kernel';
import { debianTools, namespacesAllowed, removeTree } from '#system';
import { hasPython, PYTHON, pythonRoot } from './python-root.ts';

const found = await debianTools(['ip', 'nft', 'runc'], { env: process.env }).catch((error: unknown) =>
  errorMessage(error),
);
const answer =
  typeof found === 'string'
    ? ({ allowed: false, reason: found } as const)
    : await namespacesAllowed(process.env, { ip: found.ip.path, nft: found.nft.path });
const skip = !answer.allowed
  ? `no namespaces: ${answer.reason}`
  : hasPython
    ? false
    : 'no python3 in /usr/bin: the programs of the corpus are Python';

describe('images as containers', { skip }, () => {
  let enclave: Enclave;
  let work = '';
  let image: ImageRoot;
  /** Whether an image's own users are somebody. */
  let several = false;
  before(async () => {
    if (typeof found === 'string') return;
    work = await mkdtemp(join(tmpdir(), 'sallyport-images-'));
    const tools = { ip: found.ip.path, nft: found.nft.path, runc: found.runc.path };
    enclave = await openEnclave({
      machines: ['a', 'b'],
      flows: [],
      writable: [work],
      env: process.env,
      tools,
      signal: AbortSignal.timeout(240_000),
    });
    const config = { User: 'app', WorkingDir: '/srv', Volumes: { '/var/data': {}, '/srv/more': {} } };
    image = await pythonRoot(enclave, 'a', work, config);
    several = enclave.keepsOwners;
  });
  after(async () => {
    await enclave.close();
    await removeTree(work);
  });

  const python = async (root: ImageRoot, script: string, also: Partial<InsideOptions> = {}): Promise<string> => {
    const ended = await enclave.run('b', PYTHON, ['-c', script], { cwd: '/', env: { ...root.env }, root, ...also });
    assert.equal(ended.stderr, '');
    return ended.stdout.trim();
  };

  const asRoot = (): ImageRoot => ({ ...image, user: { uid: 0, gid: 0 }, cwd: '/' });

  test('one that names nobody is root of its own ids, and may become somebody of them', { skip }, async () => {
    const root = asRoot();
    const script = `
import os
print(os.getuid(), os.getgid(), os.stat('/srv/data').st_uid, open('/closed/more').read())
try:
    open('/tmp/x', 'w').close(); os.chown('/tmp/x', 101, 102); os.setgid(102); os.setuid(101)
    print(os.getuid(), open('/srv/data').read())
except OSError as error: print(error.strerror)
`;
    const said = await python(root, script);
    // With further ids of a user's own, and with none.
    if (several) assert.equal(said, '0 0 101 in it\n101 of the image');
    else assert.match(said, /^0 0 0 in it\n(Permission denied|Invalid argument)$/);
  });

  test('one that names a user is that user, by name and by number', { skip }, async () => {
    const root = image;
    const said = await python(
      root,
      `import os; print(os.getuid(), os.getgid(), os.getcwd(), open('data').read(), open('/proc/self/status').read().split('CapEff:')[1].split()[0])`,
    );
    assert.match(said, /^(101 102|0 0) \/srv of the image 0000000000000000$/);
    if (several) assert.match(said, /^101/);
    const other = { ...root, user: { uid: 2_147_483_647, gid: 65_534 } };
    const largest = await python({ ...other, cwd: '/' }, 'import os; print(os.getuid(), os.getgid())');
    assert.match(largest, several ? /^2147483647 65534$/ : /^(2147483647 65534|0 0)$/);
  });

  test('its root is read-only, and its volumes are not', { skip }, async () => {
    const root = { ...image, user: { uid: 65_532, gid: 65_532 }, cwd: '/' };
    const script = `
import os
for path in ('/x', '/etc/passwd', '/usr/bin/python3', '/etc/hosts', '/etc/resolv.conf', '/var/data/x', '/tmp/x', '/run/x', '/var/tmp/x', '/dev/shm/x', '/srv/more/x'):
    try: open(path, 'a').write('x'); print('wrote', path)
    except OSError as error: print(error.strerror.split()[0], path)
print(os.listdir('/srv/more'), [line for line in open('/etc/hosts') if 'b' in line.split()][0].strip().split()[-1])
`;
    const wrote = ['/var/data/x', '/tmp/x', '/run/x', '/var/tmp/x', '/dev/shm/x', '/srv/more/x'].map(
      (path) => `wrote ${path}`,
    );
    const said = (await python(root, script)).split('\n');
    assert.deepEqual(
      said.filter((line) => line.startsWith('wrote')),
      wrote,
    );
    assert.equal(said.at(-1), "['x'] b");
  });

  test('a layer over its root can be written to, is bounded, and is thrown away', { skip }, async () => {
    const root = { ...asRoot(), writable: true };
    const script = `
open('/etc/passwd', 'a').write('more'); open('/new', 'w').write('x')
try:
    with open('/large', 'wb') as file:
        for _ in range(64): file.write(bytes(1 << 20))
except OSError as error: print(error.strerror)
`;
    const limits = { temporary: 16 * 1024 * 1024 };
    assert.equal(await python(root, script, { limits }), 'No space left on device');
    assert.equal(
      await python(root, `import os; print(os.path.exists('/new'), 'more' in open('/etc/passwd').read())`, { limits }),
      'False False',
    );
  });

  test('nothing of the host is in it but names', { skip }, async () => {
    const root = asRoot();
    const names = await python(
      root,
      `import os; print(' '.join(sorted(os.listdir('/'))), '|', ' '.join(sorted(os.listdir('/etc'))))`,
    );
    assert.match(
      names,
      /^closed dev etc lib lib64 proc run srv tmp usr var \| hosts passwd resolv\.conf$|^closed dev etc lib proc run srv tmp usr var \| hosts passwd resolv\.conf$/,
    );
  });
});
