import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { story, type Story } from './story.ts';

// A site where two people have to agree before anything comes in, and where going back takes them too.

const codes = (json: { reasons: { code: string }[] }): string[] => json.reasons.map(({ code }) => code);

async function noteInside({ folder }: Story, text: string): Promise<boolean> {
  for (const entry of await readdir(join(folder, 'in', 'store', 'sha256'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    if ((await readFile(join(entry.parentPath, entry.name), 'utf8')) === text) return true;
  }
  return false;
}

test('a bundle is held until two approvers agree, who did not seal it; going back takes them too', async (t) => {
  const at = await story(t, ' --threshold approver=2');
  const { folder, run, deliver } = at;
  await deliver('one', 'first\n');
  const held = await run('admit one --hold --home in', 1);
  assert.deepEqual([held.verdict, codes(held)], ['held', ['admit.held']]);
  assert.equal((await readdir(join(folder, 'in'))).includes('store'), false, 'nothing of it is served');
  assert.equal((await run('ledger list --home in')).records.at(-1).type, 'sallyport/held/v1');
  const index: string = held.bundle.index.slice('sha256:'.length);

  // The medium is gone; what was verified waits here.
  await writeFile(join(folder, 'one'), 'another');
  const listed = await run('approve --home in');
  assert.deepEqual(
    listed.waiting.map((one: { index: string }) => one.index),
    [held.bundle.index],
  );
  assert.equal((await run('approve 0000 --key ben.key --home in', 2)).fault.code, 'admit.not-held');
  assert.equal((await run(`approve ${index} --key ada.key --home in`, 3)).fault.code, 'trust.key-unknown');
  const first = await run(`approve ${index.slice(0, 8)} --key ben.key --home in`, 1);
  assert.deepEqual([first.verdict, codes(first), first.approvers], ['held', ['admit.awaiting-approval'], ['Ben']]);
  const twice = await run(`approve ${index.slice(0, 8)} --key ben.key --home in`, 1);
  assert.deepEqual(twice.approvers, ['Ben'], 'one person twice is one person');
  const second = await run(`approve ${index.slice(0, 8)} --key cat.key --home in`);
  assert.deepEqual([second.verdict, second.approvers, second.waiting], ['admitted', ['Ben', 'Cat'], []]);
  const { signed } = (await run(`ledger show ${second.ledger.index} --home in`)).predicate;
  assert.deepEqual(
    signed.map(({ algorithm, module }: { algorithm: string; module: string }) => [
      algorithm,
      /^OpenSSL \d/.test(module),
    ]),
    [['ed25519', true]],
    'what made the signature of the last approver',
  );
  assert.equal(await noteInside(at, 'first\n'), true);
  assert.equal((await readdir(join(folder, 'in'))).includes('quarantine'), false);

  await deliver('two', 'second\n');
  await writeFile(join(folder, 'in', 'admission.yaml'), 'sallyport-admission: "1.0"\napproval: always\n');
  assert.equal((await run('admit two --home in', 1)).verdict, 'held');
  const waiting = (await run('approve --home in')).waiting[0].index;
  await run(`approve ${waiting} --key ben.key --key cat.key --home in`);
  const alone = await run(`rollback ${index.slice(0, 8)} --key ben.key --home in`, 1);
  assert.deepEqual([alone.verdict, codes(alone)], ['refused', ['admit.awaiting-approval']]);
  const back = await run(`rollback ${index.slice(0, 8)} --key ben.key --key cat.key --home in`);
  assert.deepEqual([back.verdict, back.from, back.to], ['rolled-back', 2, 1]);
  assert.equal((await run(`rollback ${index.slice(0, 8)} --home in`)).verdict, 'already-here');
  await run('ledger verify in/ledger --vkey in/trust/ledger.vkey');

  // A damaged copy in quarantine never comes in, whoever agrees.
  await deliver('three', 'third\n');
  const third = await run('admit three --home in', 1);
  await appendFile(join(third.held, 'bundle'), 'x');
  const damaged = await run(`approve ${third.bundle.index} --key ben.key --key cat.key --home in`, 1);
  assert.deepEqual([damaged.verdict, codes(damaged)], ['refused', ['bundle.trailing']]);
});

test('production takes what staging has tried, the same bytes', async (t) => {
  const at = await story(t, ' --threshold approver=2');
  const { folder, run, deliver } = at;
  const yaml = await readFile(join(folder, 'sallyport.yaml'), 'utf8');
  const rings = 'destinations: { staging: [test-hall], production: [high] }\n';
  await writeFile(join(folder, 'sallyport.yaml'), `${yaml}${rings}`);
  const { path, fingerprint } = (await run('trust show --home out')).root;
  await run('init --home stage --site test-hall');
  await run(`trust pin ${path} --fingerprint ${fingerprint} --home stage`);
  await writeFile(join(folder, 'in', 'admission.yaml'), 'sallyport-admission: "1.0"\npromoted: [staging]\n');
  await deliver('one', 'first\n');

  const early = await run('admit one --home in', 1);
  assert.deepEqual([early.verdict, codes(early)], ['refused', ['admit.not-promoted']]);
  const { bundle } = await run('admit one --home stage');
  const index = bundle.index.slice('sha256:'.length, 'sha256:'.length + 8);
  await writeFile(join(folder, 'bad.json'), '{"verdict":"not-proved"}');
  await writeFile(join(folder, 'good.json'), '{"verdict":"proved"}');
  const promote = `promote ${index} --home stage -o go.dsse.json`;
  const keys = '--key ben.key --key cat.key';
  const negative = await run(`${promote} --ring staging ${keys} --result bad.json`, 1);
  assert.deepEqual(codes(negative), ['admit.result-negative']);
  assert.deepEqual(codes(await run(`${promote} --ring production ${keys}`, 1)), ['admit.not-of-ring']);
  assert.equal((await run(`${promote} --ring staging`, 2)).fault.code, 'admit.no-key');
  await run(`${promote} --ring staging --key ben.key --result good.json`);
  const one = await run('admit one --promotion go.dsse.json --home in', 1);
  assert.deepEqual(codes(one), ['trust.threshold', 'admit.not-promoted'], 'one approver of two');
  const promoted = await run(`${promote} --ring staging ${keys} --result good.json`);
  assert.equal(promoted.results[0].verdict, 'proved');
  assert.equal((await run('admit one --promotion none --home in', 2)).fault.code, 'admit.no-promotion');
  assert.equal((await run(`${promote} --ring staging ${keys} --result none.json`, 2)).fault.code, 'admit.no-result');

  // Production may want the rehearsal and the tests: a result that is not there, or says nothing, is no yes.
  const wants = 'sallyport-admission: "1.0"\npromoted: [staging]\nresults: [rehearsal, tests]\n';
  await writeFile(join(folder, 'in', 'admission.yaml'), wants);
  await writeFile(join(folder, 'mute.json'), '{"tests":12}');
  await writeFile(join(folder, 'tests.json'), '{"verdict":"passed","tests":12}');
  const lacking = async (results: string) => {
    await run(`${promote} --ring staging ${keys} ${results}`);
    return codes(await run('admit one --promotion go.dsse.json --home in', 1));
  };
  const missing = ['admit.result-missing', 'admit.not-promoted'];
  assert.deepEqual(await lacking('--result good.json --result tests.json'), missing, 'of no kind');
  assert.deepEqual(await lacking('--result rehearsal=good.json'), missing, 'one of two');
  assert.deepEqual(await lacking('--result rehearsal=good.json --result tests=mute.json'), missing, 'says nothing');
  await run(`${promote} --ring staging ${keys} --result rehearsal=good.json --result tests=tests.json`);
  assert.equal((await run('admit one --promotion go.dsse.json --home in')).verdict, 'admitted');

  // The promotion of one bundle says nothing about the next.
  await deliver('two', 'second\n');
  const other = await run('admit two --promotion go.dsse.json --home in', 1);
  assert.deepEqual(codes(other), ['admit.promotion-other', 'admit.not-promoted']);
  await run('ledger verify stage/ledger --vkey stage/trust/ledger.vkey');
});

test('whoever sealed a bundle does not approve it, whatever the root allows', async (t) => {
  const at = await story(t, ' --threshold approver=2');
  const { folder, run } = at;
  await run('init --home solo --site solo');
  // One person has every role: nothing keeps two duties apart but the rule of admission.
  const { path, fingerprint } = (await run('trust show --home solo')).root;
  await run('init --home other --site other');
  await run(`trust pin ${path} --fingerprint ${fingerprint} --home other`);
  await writeFile(join(folder, 'files', 'note.txt'), 'alone\n');
  await run('capture --home solo');
  await run('seal -o alone --home solo');
  const { bundle } = await run('admit alone --hold --home other', 1);
  const refused = await run(`approve ${bundle.index} --key solo/keys/sealer.key --home other`, 1);
  assert.deepEqual([refused.verdict, codes(refused)], ['held', ['admit.approver-sealed', 'admit.awaiting-approval']]);
});
