import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isProblem } from '#formats';
import { type Files, isFault } from '#kernel';
import { fixedClock } from '#kernel/testing';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { type Ledger, openLog, parseLedgerVkey, verifyLedger } from '#ledger';
import { signText, testSigner } from '#ledger/testing';

const signer = testSigner();
const vkey = parseLedgerVkey(signer.vkey);
assert(!isProblem(vkey));

const open = (folder: string, files: Files = nodeFiles, wait = 0): Promise<Ledger> =>
  openLog(files, folder, signer, fixedClock(), { wait });

async function logOf(folder: string, size: number): Promise<void> {
  const ledger = await open(folder);
  await Promise.all(
    Array.from({ length: size - ledger.size }, (_, i) => ledger.appendEntry(Buffer.from(`${size} ${i}`))),
  );
  await ledger.close();
}

function refuses(code: string) {
  return (error: unknown): boolean => {
    assert(isFault(error), String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };
}

/** All files of a folder with their bytes, without the lock, which opening takes and leaves. */
async function contents(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`;
    if (entry.isFile() && !entry.name.startsWith('lock.')) found.set(path, await readFile(path, 'hex'));
  }
  return found;
}

const REFUSALS: readonly { name: string; code: string; change(folder: string, older: string): Promise<unknown> }[] = [
  {
    name: 'an older signing state beside a newer tree',
    code: 'ledger.state-behind',
    change: (folder, older) => cp(`${older}/state/signing-state`, `${folder}/state/signing-state`),
  },
  {
    name: 'an older tree and checkpoint beside a newer signing state',
    code: 'ledger.tree-behind',
    change: async (folder, older) => {
      await rm(`${folder}/tile`, { recursive: true });
      await cp(`${older}/tile`, `${folder}/tile`, { recursive: true });
      await cp(`${older}/checkpoint`, `${folder}/checkpoint`);
    },
  },
  { name: 'no signing state', code: 'ledger.state-missing', change: (folder) => rm(`${folder}/state/signing-state`) },
  {
    name: 'no signing state and no checkpoint, but a tree',
    code: 'ledger.state-missing',
    change: async (folder) => {
      await rm(`${folder}/state`, { recursive: true });
      await rm(`${folder}/checkpoint`);
    },
  },
  {
    name: 'a signing state that is cut off',
    code: 'ledger.state-damaged',
    change: (folder) => truncate(`${folder}/state/signing-state`, 50),
  },
  {
    name: 'an empty signing state',
    code: 'ledger.state-damaged',
    change: (folder) => truncate(`${folder}/state/signing-state`, 0),
  },
  {
    name: 'a signing state whose size is changed',
    code: 'ledger.state-damaged',
    change: async (folder) => {
      const text = await readFile(`${folder}/state/signing-state`, 'utf8');
      await writeFile(`${folder}/state/signing-state`, text.replace('"size":300', '"size":301'));
    },
  },
  {
    name: 'a checkpoint of the same size with another root',
    code: 'ledger.fork',
    change: (folder) =>
      writeFile(
        `${folder}/checkpoint`,
        signText(`${signer.name}\n300\n${Buffer.alloc(32, 1).toString('base64')}\n`, signer),
      ),
  },
  {
    name: 'a checkpoint of a smaller size with another root',
    code: 'ledger.fork',
    change: (folder) =>
      writeFile(
        `${folder}/checkpoint`,
        signText(`${signer.name}\n299\n${Buffer.alloc(32, 1).toString('base64')}\n`, signer),
      ),
  },
  {
    name: 'a checkpoint of another key',
    code: 'ledger.fork',
    change: (folder) =>
      writeFile(
        `${folder}/checkpoint`,
        signText(`${signer.name}\n300\n${Buffer.alloc(32, 1).toString('base64')}\n`, testSigner(2)),
      ),
  },
  {
    name: 'no partial tile at the edge',
    code: 'ledger.tree-behind',
    change: (folder) => rm(`${folder}/tile/0/001.p/44`),
  },
  {
    name: 'a changed partial tile of the upper level',
    code: 'ledger.tree-behind',
    change: (folder) => writeFile(`${folder}/tile/1/000.p/1`, Buffer.alloc(32)),
  },
  {
    name: 'no entry bundle at the edge',
    code: 'ledger.tree-behind',
    change: (folder) => rm(`${folder}/tile/entries/001.p/44`),
  },
  {
    name: 'an entry bundle at the edge with other entries',
    code: 'ledger.tree-behind',
    change: async (folder) => {
      const path = `${folder}/tile/entries/001.p/44`;
      const bytes = await readFile(path);
      bytes[3] = (bytes[3] ?? 0) ^ 1;
      await writeFile(path, bytes);
    },
  },
];

for (const { name, code, change } of REFUSALS) {
  test(`refused, and nothing is changed: ${name} (${code})`, async (t) => {
    const root = await temporaryFolder(t);
    const folder = `${root}/ledger`;
    await logOf(folder, 200);
    await cp(folder, `${root}/older`, { recursive: true });
    await logOf(folder, 300);
    await change(folder, `${root}/older`);
    const before = await contents(folder);
    await assert.rejects(() => open(folder), refuses(code));
    assert.deepEqual(await contents(folder), before);
  });
}

test('another key cannot continue a log', async (t) => {
  const folder = `${await temporaryFolder(t)}/ledger`;
  await logOf(folder, 3);
  await assert.rejects(
    () => openLog(nodeFiles, folder, testSigner(3), fixedClock(), { wait: 0 }),
    refuses('ledger.state-damaged'),
  );
});

test('a signing state ahead of the checkpoint is rolled forward, also without any checkpoint', async (t) => {
  const root = await temporaryFolder(t);
  const folder = `${root}/ledger`;
  await logOf(folder, 200);
  await cp(`${folder}/checkpoint`, `${root}/older`);
  await logOf(folder, 300);
  const newer = await readFile(`${folder}/checkpoint`);
  await cp(`${root}/older`, `${folder}/checkpoint`);
  const ledger = await open(folder);
  assert.equal(ledger.size, 300);
  await ledger.close();
  assert.deepEqual(await readFile(`${folder}/checkpoint`), newer);
  await rm(`${folder}/checkpoint`);
  await (await open(folder)).close();
  assert.deepEqual(await readFile(`${folder}/checkpoint`), newer);
});

test('what an append left beyond the signed size is gone after opening, at every level', async (t) => {
  const root = await temporaryFolder(t);
  const folder = `${root}/ledger`;
  await logOf(folder, 200);
  await cp(folder, `${root}/at200`, { recursive: true });
  await logOf(folder, 700);
  // The newer tiles beside the older signing state and checkpoint: a commit that was cut before it signed.
  await cp(`${root}/at200/state/signing-state`, `${folder}/state/signing-state`);
  await cp(`${root}/at200/checkpoint`, `${folder}/checkpoint`);
  const again = await open(folder);
  assert.equal(again.size, 200);
  await again.close();
  const [left, right] = [await contents(`${folder}/tile`), await contents(`${root}/at200/tile`)];
  assert.deepEqual([...left.values()], [...right.values()]);
  await logOf(folder, 710);
  assert.equal((await verifyLedger(nodeFiles, folder, vkey)).verdict, 'verified');
});

test('entries of 0 and of 65,535 bytes are kept; one more byte is refused, and what looks like ours too', async (t) => {
  const folder = `${await temporaryFolder(t)}/ledger`;
  const ledger = await open(folder);
  await ledger.appendEntry(Buffer.alloc(0));
  await ledger.appendEntry(Buffer.alloc(65_535, 'x'));
  await assert.rejects(() => ledger.appendEntry(Buffer.alloc(65_536)), refuses('ledger.entry-too-large'));
  await assert.rejects(() => ledger.appendEntry(Buffer.from('{"sallyport-entry": 1}')), TypeError);
  await assert.rejects(() => ledger.prove(2), refuses('ledger.no-entry'));
  await ledger.close();
  assert.equal((await verifyLedger(nodeFiles, folder, vkey)).size, 2);
});

// --------------------------------------------------------------------------------------------------------- one writer

test('a second writer waits for the first, and goes on when it ends', async (t) => {
  const folder = `${await temporaryFolder(t)}/ledger`;
  const first = await open(folder);
  await first.appendEntry(Buffer.from('first'));
  await assert.rejects(() => open(folder), refuses('ledger.busy'));
  const second = open(folder, nodeFiles, 5000);
  await new Promise((done) => setTimeout(done, 100));
  await first.close();
  const ledger = await second;
  assert.equal(ledger.size, 1);
  await ledger.close();
});

test('locks of dead processes, of earlier boots and half locks are taken over; of another namespace never', async (t) => {
  const folder = `${await temporaryFolder(t)}/ledger`;
  await logOf(folder, 1);
  const lock = async (): Promise<string> => {
    const names = (await readdir(`${folder}/state`)).filter((name) => name.startsWith('lock.'));
    assert.equal(names.length, 1);
    return `${folder}/state/${names[0]}`;
  };
  const first = await open(folder);
  const mine = JSON.parse(await readFile(await lock(), 'utf8')) as Record<string, unknown>;
  await first.close();
  const child = spawn('true');
  await new Promise((done) => child.once('close', done));
  for (const [change, free] of [
    [{ pid: child.pid }, true],
    [{ started: '1' }, true],
    [{ boot: 'another' }, true],
    [{}, false],
    [{ space: 'pid:[1]' }, false],
    [{ pid: 'x' }, true],
  ] as const) {
    const path = await lock();
    await writeFile(path, JSON.stringify({ ...mine, ...change }));
    if (free) await (await open(folder)).close();
    else await assert.rejects(() => open(folder), refuses('ledger.busy'), JSON.stringify(change));
    assert.equal(path === (await lock()), !free);
  }
  await writeFile(await lock(), '{"pid":');
  await (await open(folder)).close();
});

test('eight processes append at once: every answer is another index, and the log verifies', async (t) => {
  const folder = `${await temporaryFolder(t)}/ledger`;
  const program = `
    import { openLog } from '#ledger';
    import { testSigner } from '#ledger/testing';
    import { nodeFiles } from '#system';
    for (let round = 0; round < 3; round++) {
      const ledger = await openLog(nodeFiles, process.argv[1], testSigner(), { now: () => Date.now() });
      const all = await Promise.all([1, 2, 3].map((i) => ledger.appendEntry(Buffer.from(process.pid + ' ' + i))));
      for (const { index } of all) console.log(index);
      await ledger.close();
    }`;
  const outputs = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder], {
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
      const code = await new Promise((done) => child.once('close', done));
      assert.equal(code, 0);
      return out.trim().split('\n').map(Number);
    }),
  );
  const indexes = outputs.flat().sort((a, b) => a - b);
  assert.deepEqual(
    indexes,
    Array.from({ length: 72 }, (_, i) => i),
  );
  const report = await verifyLedger(nodeFiles, folder, vkey);
  assert.deepEqual([report.verdict, report.size], ['verified', 72]);
});

// ------------------------------------------------------------------------------------------------ full and closed disks

/** Runs a program in a mount namespace of its own, where it may mount; skipped where the kernel forbids it. */
function unshared(script: string): string {
  return execFileSync('unshare', ['-Urm', 'sh', '-euc', script], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function cannotUnshare(): string | false {
  try {
    unshared('mount -t tmpfs -o size=1m none /mnt');
    return false;
  } catch {
    return 'this machine lets no user mount in a namespace of its own';
  }
}

test(
  'a full disk is a fault, and what was acknowledged verifies and goes on with space',
  { skip: cannotUnshare() },
  async (t) => {
    const root = await temporaryFolder(t);
    const program = `
    import { openLog, parseLedgerVkey, verifyLedger } from '#ledger';
    import { testSigner } from '#ledger/testing';
    import { nodeFiles } from '#system';
    import { rmSync } from 'node:fs';
    const folder = process.argv[1] + '/ledger';
    const ledger = await openLog(nodeFiles, folder, testSigner(), { now: () => 0 });
    let acknowledged = 0;
    let code = '';
    for (let i = 0; code === ''; i++) {
      try {
        acknowledged = (await ledger.appendEntry(Buffer.alloc(20000, i))).size;
      } catch (error) {
        code = error.code;
      }
    }
    const vkey = parseLedgerVkey(testSigner().vkey);
    const full = await verifyLedger(nodeFiles, folder, vkey);
    rmSync(process.argv[1] + '/ballast');
    const after = (await ledger.appendEntry(Buffer.from('with space'))).size;
    await ledger.close();
    const end = await verifyLedger(nodeFiles, folder, vkey);
    console.log(JSON.stringify({ code, acknowledged, full, after, end }));`;
    const out = unshared(
      `mount -t tmpfs -o size=2m none '${root}'; head -c 1000000 /dev/zero > '${root}/ballast'; cd '${import.meta.dirname}'; ` +
        `'${process.execPath}' --input-type=module -e "$(cat <<'END'\n${program}\nEND\n)" '${root}'`,
    );
    const { code, acknowledged, full, after, end } = JSON.parse(out) as {
      code: string;
      acknowledged: number;
      full: { verdict: string; size: number };
      after: number;
      end: { verdict: string; size: number };
    };
    assert.equal(code, 'ledger.full');
    assert.equal(full.verdict, 'verified');
    assert(acknowledged > 2 && full.size >= acknowledged);
    assert.equal(end.verdict, 'verified');
    assert.equal(end.size, after);
  },
);

test(
  'a folder that cannot be written is a fault that says so, and can still be verified',
  { skip: cannotUnshare() },
  async (t) => {
    const root = await temporaryFolder(t);
    await logOf(`${root}/ledger`, 3);
    const program = `
    import { openLog, parseLedgerVkey, verifyLedger } from '#ledger';
    import { testSigner } from '#ledger/testing';
    import { nodeFiles } from '#system';
    const folder = process.argv[1] + '/ledger';
    const code = await openLog(nodeFiles, folder, testSigner(), { now: () => 0 }).catch((error) => error.code);
    const { verdict } = await verifyLedger(nodeFiles, folder, parseLedgerVkey(testSigner().vkey));
    console.log(JSON.stringify({ code, verdict }));`;
    const out = unshared(
      `mount --bind '${root}' '${root}'; mount -o remount,ro,bind '${root}'; cd '${import.meta.dirname}'; ` +
        `'${process.execPath}' --input-type=module -e "$(cat <<'END'\n${program}\nEND\n)" '${root}'`,
    );
    assert.deepEqual(JSON.parse(out), { code: 'ledger.read-only', verdict: 'verified' });
  },
);
