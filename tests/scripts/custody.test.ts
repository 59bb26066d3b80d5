import assert from 'node:assert/strict';
import { appendFile, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { type Ran, sallyport } from './sallyport.ts';

// From hand to hand: a medium that is registered, links that are signed, seals that are counted, a scanner that is asked.

const codes = (json: { reasons: { code: string }[] }): string[] => json.reasons.map(({ code }) => code);

test('a bundle comes in on a registered medium, with its chain of custody and the word of the scanner', async (t) => {
  const folder = await temporaryFolder(t);
  const run = async (command: string, code = 0): Promise<Ran['json']> => {
    const ran = await sallyport(folder, [...command.split(' '), '--json']);
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'files', 'note.txt'), 'carried by hand\n');
  const target = '{ os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }';
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: custody\nchannel: main\ntargets:\n  linux-amd64: ${target}\ninputs:\n  - files: files\n`,
  );
  await run('init --home out --site low');
  await run('init --home in --site high');
  for (const [name, holder] of [
    ['ada', 'Ada'],
    ['kim', 'Kim'],
    ['lee', 'Lee'],
    ['dan', 'Dan'],
    ['scan', 'kiosk'],
  ] as const) {
    await run(`trust key new ${name}.key --holder ${holder}`);
  }
  const add = ['ada', 'kim', 'lee', 'dan'].map((name) => `--add ${name}.key.pub.json`).join(' ');
  const roles = '--role Ada=sealer --role Kim=carrier --role Lee=receiver --role Dan=root --role low=ledger';
  await run(`trust propose --home out -o two ${add} ${roles} --custody shared`);
  await run('trust sign two --key out/keys/sealer.key --key dan.key');
  await run('trust accept two --home out');
  const { path, fingerprint } = (await run('trust show --home out')).root;
  await run(`trust pin ${path} --fingerprint ${fingerprint} --home in`);
  await run('capture --home out');
  await run('seal -o one --home out --key ada.key');

  const link = (event: string, hands: string, also = '') =>
    `custody record ${event} one --chain one.custody --medium USB-7 --seal 4711 ${hands} ${also}`.trim();
  await run(link('sealed', '--to Ada --key ada.key --home out'));
  await run(link('handed-over', '--to Kim --key ada.key --key kim.key --home out'));
  assert.equal((await run(link('carried', '--to Kim --key dan.key --home out'), 3)).fault.code, 'trust.key-unknown');
  assert.equal((await run(link('carried', '--to Kim --key lee.key --home out'), 2)).fault.code, 'custody.person');
  await run(link('carried', '--to Kim --key kim.key --home out'));
  await copyFile(join(folder, 'one.custody'), join(folder, 'cut'));
  await run(link('handed-over', '--to Lee --key kim.key --key lee.key --home in'));
  const arrived = await run(link('arrived', '--to Lee --key lee.key --home in'));
  assert.equal(arrived.links, 5);

  const verify = 'custody verify one --home in --medium USB-7 --seal 4711 --chain';
  assert.equal((await run(`${verify} one.custody`)).verdict, 'verified');
  assert.deepEqual(codes(await run('custody verify one --home in --medium USB-8 --seal 4712 --chain one.custody', 1)), [
    'custody.medium',
    'custody.seal',
  ]);
  const lines = (await readFile(join(folder, 'one.custody'), 'utf8')).trimEnd().split('\n');
  const write = (name: string, links: readonly string[]) => writeFile(join(folder, name), `${links.join('\n')}\n`);
  await write('without-second', [lines[0]!, ...lines.slice(2)]);
  assert.ok(codes(await run(`${verify} without-second`, 1)).includes('custody.chain'));
  const second = JSON.parse(lines[1]!) as { signatures: { keyid: string }[] };
  await write('half-signed', [lines[0]!, JSON.stringify({ ...second, signatures: second.signatures.slice(0, 1) })]);
  assert.ok(codes(await run(`${verify} half-signed`, 1)).includes('custody.unsigned'));
  await copyFile(join(folder, 'one'), join(folder, 'swapped'));
  await appendFile(join(folder, 'swapped'), 'x');
  const swapped = await run('custody verify swapped --home in --chain one.custody', 1);
  assert.deepEqual(codes(swapped), ['custody.volume']);

  // Inside, the site demands all three.
  await writeFile(
    join(folder, 'in', 'admission.yaml'),
    'sallyport-admission: "1.0"\nmedium: registered\ncustody: required\nscans: [kiosk]\n',
  );
  assert.deepEqual(codes(await run('admit one --home in', 1)), [
    'custody.required',
    'custody.required',
    'custody.scan',
  ]);
  const full = 'admit one --home in --medium USB-7 --seal 4711 --custody one.custody --scan clean.json';
  await run('custody scan one --scanner kiosk --verdict clean --engine site-av-1 --key scan.key -o clean.json');
  assert.deepEqual(codes(await run(full, 1)), ['custody.unregistered', 'custody.scan']);
  const scanner = createPublicKey(createPrivateKey(await readFile(join(folder, 'scan.key'))));
  await mkdir(join(folder, 'in', 'trust', 'scanners'));
  await writeFile(
    join(folder, 'in', 'trust', 'scanners', 'kiosk.pem'),
    scanner.export({ format: 'pem', type: 'spki' }),
  );
  await run('medium record registered USB-7 --home in');
  await run('custody scan one --scanner kiosk --verdict infected --engine site-av-1 --key scan.key -o infected.json');
  const infected = await run(full.replace('clean.json', 'infected.json'), 1);
  assert.deepEqual(codes(infected), ['custody.scan']);
  assert.ok(
    codes(await run(full.replace('one.custody', 'cut').replace('USB-7', 'USB-9'), 1)).includes('custody.medium'),
  );
  assert.equal((await run(full)).verdict, 'admitted');

  await run('medium record issued USB-7 --to Kim --due 2020-01-01T00:00:00Z --home in');
  const late = await run('medium list --home in', 1);
  assert.deepEqual([late.verdict, codes(late), late.media[0].to], ['overdue', ['custody.overdue'], 'Kim']);
  assert.equal((await run('medium record registered USB-7 --home in', 2)).fault.code, 'custody.not-possible');
  await run('medium record lost USB-7 --home in');
  assert.equal((await run('medium record returned USB-7 --home in', 2)).fault.code, 'custody.not-possible');
  await writeFile(join(folder, 'files', 'note.txt'), 'second\n');
  await run('capture --home out');
  await run('seal -o two.bundle --home out --key ada.key');
  await writeFile(join(folder, 'in', 'admission.yaml'), 'sallyport-admission: "1.0"\nmedium: registered\n');
  assert.deepEqual(codes(await run('admit two.bundle --medium USB-7 --home in', 1)), ['custody.gone']);
  for (const home of ['out', 'in']) await run(`ledger verify ${home}/ledger`);
});
