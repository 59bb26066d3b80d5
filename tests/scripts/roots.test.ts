import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { launcher, type Ran, sallyport } from './sallyport.ts';

// Keys held by several people, from the first root to a revoked sealer, by the real command.

const PASSPHRASE = 'correct horse battery staple';

interface Story {
  readonly folder: string;
  /** Runs a command that must end with `code`, and gives its JSON. */
  // oxlint-disable-next-line no-explicit-any
  readonly run: (command: string, code?: number) => Promise<any>;
  readonly said: string[];
}

async function story(t: { after(fn: () => Promise<void>): void }): Promise<Story> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'files', 'hello.txt'), 'hello\n');
  const target = '{ os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }';
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: roots\nchannel: main\ntargets:\n  linux-amd64: ${target}\ninputs:\n  - files: files\n`,
  );
  await writeFile(join(folder, 'pass'), `${PASSPHRASE}\n`, { mode: 0o600 });
  const said: string[] = [];
  const run = async (command: string, code = 0): Promise<Ran['json']> => {
    const ran = await sallyport(folder, [...command.split(' '), '--json']);
    said.push(ran.out, ran.err);
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  await run('init --home out --site low');
  await run('init --home in --site high');
  await run('capture --home out');
  return { folder, run, said };
}

/** Ada, Ben (who seals with a pair of keys) and Cat hold the root, two of three; Ada, Ben and Dan seal, two of three. */
async function share({ run }: Story): Promise<void> {
  await run('trust key new ada.key --holder Ada --passphrase-file pass');
  await run('trust key new ben.key --holder Ben --algorithm ecdsa-p256');
  await run('trust key new ben-pq.key --holder Ben --algorithm ml-dsa-65');
  await run('trust key new cat.key --holder Cat --algorithm ecdsa-p384');
  await run('trust key new dan.key --holder Dan');
  const add = ['ada', 'ben', 'ben-pq', 'cat', 'dan'].map((name) => `--add ${name}.key.pub.json`).join(' ');
  const roles =
    '--role Ada=root,sealer --role Ben=root,sealer --role Cat=root,approver --role Dan=sealer --role low=ledger';
  const both = await run(
    `trust propose --home out -o no ${add} ${roles} --role Ben=sealer,approver --custody shared`,
    2,
  );
  assert.equal(both.fault.code, 'trust.duties-apart');
  const made = await run(
    `trust propose --home out -o two ${add} ${roles} --threshold root=2 --threshold sealer=2 --custody shared`,
  );
  assert.deepEqual([made.root.version, made.custody, made.signatures.ready], [2, 'shared', false]);
}

const reasons = (json: { reasons: { code: string }[] }): string[] => json.reasons.map(({ code }) => code);

test('several people hold the root: keys, a draft that goes around, two thresholds, and what is refused', async (t) => {
  const at = await story(t);
  const { folder, run, said } = at;
  await share(at);
  await copyFile(join(folder, 'two'), join(folder, 'copy'));
  assert.deepEqual(reasons(await run('trust accept two --home out', 1)), [
    'trust.root-not-succeeded',
    'trust.root-unsigned',
  ]);
  const locked = await run('trust sign two --key ada.key', 3);
  assert.equal(locked.fault.code, 'trust.passphrase-needed');
  await writeFile(join(folder, 'wrong'), 'not the one at all', { mode: 0o600 });
  assert.equal(
    (await run('trust sign two --key ada.key --passphrase-file wrong', 3)).fault.code,
    'trust.passphrase-wrong',
  );
  const first = await run('trust sign two --key out/keys/sealer.key --key ada.key --passphrase-file pass');
  assert.deepEqual([first.signatures.previous.enough, first.signatures.own.signed], [true, ['Ada']]);
  assert.equal((await run('trust sign two --key dan.key', 2)).fault.code, 'trust.key-not-of-root');
  const half = await run('trust sign copy --key ben.key');
  assert.deepEqual(half.signatures.own.signed, [], 'one key of a pair is nobody');
  await run('trust sign copy --key ben-pq.key');
  const together = await run('trust sign two copy');
  assert.deepEqual([together.signatures.own.signed, together.signatures.ready], [['Ada', 'Ben'], true]);
  assert.equal((await run('trust show two')).signatures.ready, true);

  const accepted = await run('trust accept two --home out');
  assert.equal(accepted.verdict, 'accepted');
  assert.equal((await run('trust accept two --home out')).verdict, 'already-here');
  const shown = await run('trust show --home out');
  assert.deepEqual([shown.root.version, shown.chain.length, shown.custody], [2, 2, 'shared']);
  const entries = await run('ledger list --home out');
  assert.match(JSON.stringify(entries), /sallyport\/root-rotated\/v1/);
  await run('ledger verify out/ledger --vkey out/trust/ledger.vkey');
  assert.ok(!said.join('').includes(PASSPHRASE), 'no passphrase is ever said');
  assert.equal(
    (await run('seal --home out -o no.bundle', 3)).fault.code,
    'trust.key-unknown',
    'the first key has no role now',
  );
});

test('two of three seal; the inside was away for two rotations; a revoked sealer and an old bundle are refused', async (t) => {
  const at = await story(t);
  const { folder, run } = at;
  const fingerprint = (await run('trust show --home out')).root.fingerprint;
  await run('seal --home out -o one.bundle');
  await copyFile(join(folder, 'out/trust/root.1.dsse.json'), join(folder, 'root.1'));
  await run(`trust pin root.1 --fingerprint ${fingerprint} --home in`);
  await share(at);
  await run('trust sign two --key out/keys/sealer.key --key ada.key --key cat.key --passphrase-file pass');
  await run('trust accept two --home out');

  const tooFew = await run('seal --home out -o ada.bundle --key ada.key --passphrase-file pass');
  assert.deepEqual([tooFew.trust.threshold, tooFew.trust.enough], [2, false], 'whoever seals hears it before the way');
  const alone = await run('admit ada.bundle --home in', 1);
  assert.deepEqual(reasons(alone), ['trust.threshold']);
  assert.equal((await run('trust show --home in')).root.version, 1, 'a refused bundle brings no root');
  await run('seal --home out -o half.bundle --key ada.key --key ben.key --passphrase-file pass');
  assert.deepEqual(reasons(await run('admit half.bundle --home in', 1)), ['trust.threshold'], 'half of a pair');
  const seal = 'seal --home out --key ben.key --key ben-pq.key --key dan.key';
  await run(`${seal} -o dan.bundle`);

  const revoked = await run('trust revoke Dan --home out -o three --reason stolen');
  assert.deepEqual([revoked.root.version, revoked.signatures.previous.threshold], [3, 2]);
  await run('trust sign three --key cat.key --key ben.key --key ben-pq.key');
  await run('trust accept three --home out');
  assert.equal((await run(`${seal} -o no.bundle`, 3)).fault.code, 'trust.key-unknown');

  const sealed = await run(
    'seal --home out -o two.bundle --key ada.key --key ben.key --key ben-pq.key --passphrase-file pass',
  );
  assert.equal(sealed.trust.enough, true);
  const admitted = await run('admit two.bundle --home in');
  assert.deepEqual(
    [admitted.verdict, admitted.trust.custody, admitted.trust.holders, admitted.trust.root.version],
    ['admitted', 'shared', ['Ada', 'Ben'], 3],
  );
  const inside = await run('trust show --home in');
  assert.deepEqual([inside.root.version, inside.chain.length, inside.pinned], [3, 3, true]);
  assert.equal(inside.revoked[0].reason, 'stolen');

  const sealedBefore = await run('admit dan.bundle --home in', 1);
  assert.deepEqual(
    reasons(sealedBefore),
    ['trust.revoked-key'],
    'sealed by two of root 2, one of whom is revoked since',
  );
  const old = await run('admit one.bundle --home in', 1);
  assert.deepEqual(reasons(old), ['trust.foreign-key'], 'the key of root 1 seals nothing any more');
  assert.equal((await run('admit two.bundle --home in')).verdict, 'already-here');
  await run('ledger verify in/ledger --vkey in/trust/ledger.vkey');
});

test('an emergency: a root alone, on any medium, revokes a sealer on the inside', async (t) => {
  const at = await story(t);
  const { folder, run } = at;
  const { fingerprint, path } = (await run('trust show --home out')).root;
  await run(`trust pin ${path} --fingerprint ${fingerprint} --home in`);
  await run('trust key new new.key --holder low');
  await run('seal --home out -o one.bundle');
  await run('trust rotate low new.key.pub.json --home out -o two --reason stolen');
  await run('trust sign two --key out/keys/sealer.key --key new.key');
  assert.equal((await run('trust accept two --home in')).verdict, 'accepted');
  assert.deepEqual(reasons(await run('admit one.bundle --home in', 1)), ['trust.revoked-key']);
  await run('trust accept two --home out');
  await run('seal --home out -o two.bundle --key new.key');
  assert.equal((await run('admit two.bundle --home in')).verdict, 'admitted');
  const forged = JSON.parse(await readFile(join(folder, 'two'), 'utf8')) as { signatures: unknown[] };
  forged.signatures.pop();
  await writeFile(join(folder, 'cut'), JSON.stringify(forged));
  await run('init --home third --site third');
  await run(`trust pin ${path} --fingerprint ${fingerprint} --home third`);
  assert.equal((await run('trust accept cut --home third', 1)).verdict, 'refused');
  assert.equal((await run('trust show --home third')).root.version, 1);
});

test('an emergency medium: an inside that missed several roots takes them all, and nothing half', async (t) => {
  const at = await story(t);
  const { folder, run } = at;
  await run('trust init --home away --site away');
  await run('trust init --home late --site late');
  const first = (await run('trust show --home out')).root;
  await run(`trust pin ${first.path} --fingerprint ${first.fingerprint} --home away`);
  await run('seal --home out -o one.bundle');
  await run('trust key new second.key --holder low');
  await run('trust key new third.key --holder low');
  await run('trust rotate low second.key.pub.json --home out -o two --reason stolen');
  await run('trust sign two --key out/keys/sealer.key --key second.key');
  await run('trust accept two --home out');
  const second = (await run('trust show --home out')).root;
  await run(`trust pin ${second.path} --fingerprint ${second.fingerprint} --home late`);
  await run('trust rotate low third.key.pub.json --home out -o three --reason stolen');
  await run('trust sign three --key second.key --key third.key');
  await run('trust accept three --home out');
  const stop = await run('trust stop -o medium --home out');
  assert.deepEqual([stop.roots, stop.root.version, stop.revoked.length], [3, 3, 2]);
  // A medium on which one root is not signed as it must be changes as much as fits, and says no.
  await cp(join(folder, 'medium'), join(folder, 'bad'), { recursive: true });
  const unsigned = JSON.parse(await readFile(join(folder, 'bad', 'root.3.dsse.json'), 'utf8')) as {
    signatures: unknown[];
  };
  unsigned.signatures.pop();
  await writeFile(join(folder, 'bad', 'root.3.dsse.json'), JSON.stringify(unsigned));
  assert.equal((await run('trust accept bad --home late', 1)).verdict, 'refused');
  assert.equal((await run('trust show --home late')).root.version, 2);
  for (const home of ['away', 'late']) {
    const taken = await run(`trust accept medium --home ${home}`);
    assert.deepEqual([taken.verdict, taken.root.version], ['accepted', 3]);
    assert.equal((await run(`trust accept medium --home ${home}`)).verdict, 'already-here');
    assert.deepEqual(reasons(await run(`admit one.bundle --home ${home}`, 1)), ['trust.revoked-key']);
    await run(`ledger verify ${home}/ledger`);
  }
  await mkdir(join(folder, 'empty'));
  assert.equal((await run('trust accept empty --home away', 3)).fault.code, 'trust.not-a-draft');
  await run('trust init --home other --site other');
  const foreign = (await run('trust show --home other')).root;
  await run('trust stop -o foreign --home other');
  assert.notEqual(foreign.fingerprint, first.fingerprint);
  assert.equal((await run('trust accept foreign --home away', 1)).verdict, 'refused');
});

test('a channel is delegated: its sealers seal it and no other', async (t) => {
  const at = await story(t);
  const { folder, run } = at;
  for (const holder of ['Dan', 'Eve']) await run(`trust key new ${holder}.key --holder ${holder}`);
  await run(
    'trust propose --home out -o two --add Dan.key.pub.json --add Eve.key.pub.json --role sealer:db --threshold sealer:db=2',
  );
  await run('trust sign two --key out/keys/sealer.key');
  await run('trust accept two --home out');
  const { path, fingerprint } = (await run('trust show --home out')).root;
  await run(`trust pin ${path} --fingerprint ${fingerprint} --home in`);
  const yaml = await readFile(join(folder, 'sallyport.yaml'), 'utf8');
  const both = '--key Dan.key --key Eve.key';
  assert.equal((await run(`seal -o no --home out ${both}`, 3)).fault.code, 'trust.key-unknown');
  await writeFile(join(folder, 'sallyport.yaml'), yaml.replace('channel: main', 'channel: db'));
  assert.equal((await run('seal -o half --home out --key Dan.key')).trust.enough, false);
  assert.deepEqual(reasons(await run('admit half --home in', 1)), ['trust.threshold']);
  assert.equal((await run(`seal -o db.bundle --home out ${both}`)).trust.enough, true);
  const admitted = await run('admit db.bundle --home in');
  assert.deepEqual([admitted.verdict, [...admitted.trust.holders].sort()], ['admitted', ['Dan', 'Eve']]);
  assert.equal((await run(`verify db.bundle --root ${path}`)).verdict, 'verified');
});

test('a passphrase that a person types is not seen', async (t) => {
  const folder = await temporaryFolder(t);
  if (spawnSync('script', ['--version']).status !== 0) return t.skip('no terminal can be had without script');
  // util-linux's script gives the command a real terminal, and copies what that shows.
  const child = spawn('script', ['-qec', `'${launcher}' trust key new ada.key --holder Ada`, '/dev/null'], {
    cwd: folder,
  });
  let shown = '';
  let questions = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    const asked = shown.match(/not encrypted\): |again: /g)?.length ?? 0;
    for (; questions < asked; questions++) setTimeout(() => child.stdin.write(`${PASSPHRASE}\r`), 200);
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  assert.equal(code, 0, shown);
  assert.equal(questions, 2);
  assert.match(shown, /encrypted by its passphrase/);
  assert.ok(!shown.includes(PASSPHRASE.slice(0, 8)), shown);
  assert.match(await readFile(join(folder, 'ada.key'), 'utf8'), /ENCRYPTED/);
});
