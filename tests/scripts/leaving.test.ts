import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { type Ran, sallyport } from './sallyport.ts';

// Somebody leaves; then so many keys are lost that the root cannot be changed any more, and both sides begin again.

const codes = (json: { reasons: { code: string }[] }): string[] => json.reasons.map(({ code }) => code);

test('a person leaves; keys fall below the threshold; both sides are enrolled again, and old evidence still holds', async (t) => {
  const folder = await temporaryFolder(t);
  const run = async (command: string, code = 0): Promise<Ran['json']> => {
    // A reason has spaces: it is written with underscores here.
    const words = command.split(' ').map((word) => word.replaceAll('_', ' '));
    const ran = await sallyport(folder, [...words, '--json']);
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  await mkdir(join(folder, 'files'));
  const target = '{ os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }';
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: leaving\nchannel: main\ntargets:\n  linux-amd64: ${target}\ninputs:\n  - files: files\n`,
  );
  const deliver = async (name: string, key: string) => {
    await writeFile(join(folder, 'files', 'note.txt'), `${name}\n`);
    await run('capture --home out');
    await run(`seal -o ${name} --home out --key ${key}.key`);
  };
  await run('init --home out --site low');
  await run('init --home in --site high');
  for (const [name, holder] of [
    ['ada', 'Ada'],
    ['ben', 'Ben'],
    ['cat', 'Cat'],
    ['dan', 'Dan'],
    ['eve', 'Eve'],
  ] as const) {
    await run(`trust key new ${name}.key --holder ${holder}`);
  }
  const pubs = (...names: string[]) => names.map((name) => `--add ${name}.key.pub.json`).join(' ');
  await run(
    `trust propose --home out -o two ${pubs('ada', 'ben', 'cat')} --role Ada=root,sealer --role Ben=root --role Cat=sealer --role low=ledger --threshold root=2`,
  );
  await run('trust sign two --key out/keys/sealer.key --key ada.key --key ben.key');
  await run('trust accept two --home out');
  const second = (await run('trust show --home out')).root;
  await run(`trust pin ${second.path} --fingerprint ${second.fingerprint} --home in`);
  await deliver('one', 'cat');
  await run('admit one --home in');

  const left = await run('trust leave Cat -o three --home out');
  assert.deepEqual([left.duties, left.keys.length, left.todo.length], [['sealer'], 1, 5]);
  await run('trust sign three --key ada.key --key ben.key');
  await run('trust accept three --home out');
  await deliver('two.bundle', 'ada');
  await run('admit two.bundle --home in');
  await writeFile(join(folder, 'files', 'note.txt'), 'by Cat\n');
  await run('capture --home out');
  assert.equal((await run('seal -o no --home out --key cat.key', 3)).fault.code, 'trust.key-unknown');

  // Ada's key is lost: one of two who are needed is left. Dan and Eve are to hold the root with Ben.
  await run(
    `trust propose --home out -o four ${pubs('dan', 'eve')} --role Dan=root,sealer --role Eve=root --remove Ada --threshold root=2`,
  );
  const four = await run('trust sign four --key ben.key --key dan.key --key eve.key');
  assert.deepEqual(codes(await run('trust accept four --home out', 1)), ['trust.root-not-succeeded']);
  const { fingerprint } = four.root;
  const again = (home: string, hex = fingerprint) =>
    `trust reenrol four --fingerprint ${hex} --reason Ada_lost_her_key,_Ben_alone_is_left --home ${home}`;
  assert.deepEqual(codes(await run(again('out', 'ab'.repeat(32)), 1)), ['trust.fingerprint-differs']);
  assert.equal((await run(again('out'))).verdict, 'pinned');
  assert.equal((await run(again('out'))).verdict, 'already-pinned');
  await deliver('three.bundle', 'dan');
  const stranger = await run('admit three.bundle --home in', 1);
  assert.deepEqual(codes(stranger), ['trust.root-not-succeeded'], 'inside nobody has vouched for it yet');
  assert.equal((await run(again('in'))).verdict, 'pinned');
  assert.equal((await run('admit three.bundle --home in')).verdict, 'admitted');
  for (const home of ['out', 'in']) {
    const list = await run(`ledger list --home ${home}`);
    assert.match(JSON.stringify(list), /sallyport\/re-enrolled\/v1/);
    await run(`ledger verify ${home}/ledger`);
  }

  // What the old root signed is judged by the old root, which both sides keep.
  const ended = await readdir(join(folder, 'in', 'trust', 'ended'));
  const old = join('in', 'trust', 'ended', ended[0] ?? '', 'root.3.dsse.json');
  assert.equal((await run(`verify two.bundle --root ${old}`)).verdict, 'verified');
  assert.equal((await run(`verify three.bundle --root ${old}`, 1)).verdict, 'refused');

  // A root that simply follows needs no new beginning, and a revoked key never comes back by one.
  await run('trust propose --home out -o five --expires 2031-01-01');
  const five = await run('trust sign five --key ben.key --key dan.key');
  const follows = await run(`trust reenrol five --fingerprint ${five.root.fingerprint} --reason x --home out`, 1);
  assert.deepEqual(codes(follows), ['trust.succeeds']);
});
