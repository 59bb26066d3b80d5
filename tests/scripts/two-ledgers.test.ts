import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { story } from './story.ts';

// Two ledgers that check each other over a gap, and the outward gate, by which alone anything goes back.

const codes = (json: { reasons: { code: string }[] }): string[] => json.reasons.map(({ code }) => code);

test('what was sent, received and refused is reconciled without a key, and a receipt goes back through the outward gate', async (t) => {
  const at = await story(t);
  const { folder, run, deliver } = at;
  await deliver('one', 'first\n');
  const open = await run('ledger reconcile --low out/ledger --high in/ledger', 1);
  assert.deepEqual([open.verdict, codes(open)], ['open', ['ledger.never-received']]);
  await run('admit one --home in');
  await writeFile(join(folder, 'junk'), 'not a bundle');
  await run('admit junk --home in', 1);
  await deliver('two', 'second\n');
  const bytes = await readFile(join(folder, 'two'));
  bytes[bytes.indexOf('second\n')]! ^= 1;
  await writeFile(join(folder, 'damaged'), bytes);
  await run('admit damaged --home in', 1);

  // Nothing leaves before the site has decided what may, and who reads it.
  assert.equal((await run('release draft receipt -o r1 --home in', 3)).fault.code, 'gate.outward-off');
  const rules = 'sallyport-release: "1.0"\nallow: [receipt, request]\nlevel: verdicts\napprovers: 2\n';
  await writeFile(join(folder, 'in', 'release.yaml'), rules);
  assert.deepEqual(codes(await run('release draft receipt --level inventory -o r1 --home in', 1)), [
    'gate.not-allowed',
  ]);
  const draft = await run('release draft receipt -o r1 --home in');
  assert.match(draft.text, /^sallyport-release\/1 receipt\nsite high\nlevel verdicts\n/);
  assert.match(draft.text, /\noutcome main 1 sha256:[0-9a-f]{64} admitted 2\n/);
  assert.doesNotMatch(draft.text, /junk|damaged|\.key/, 'no name of a medium or a file leaves');
  assert.deepEqual(codes(await run('release send r1 -o out.receipt --home in', 1)), ['gate.awaiting-approval']);
  assert.equal((await run('release approve r1 --key ada.key --home in', 3)).fault.code, 'trust.key-unknown');
  await run('release approve r1 --key ben.key --home in');
  assert.deepEqual(codes(await run('release send r1 -o out.receipt --home in', 1)), ['gate.awaiting-approval']);
  const read = await run('release approve r1 --key cat.key --home in');
  assert.deepEqual([read.approvers, read.needed], [['Ben', 'Cat'], 2]);
  const honest = await readFile(join(folder, 'r1'));
  await writeFile(join(folder, 'r1'), honest.toString().replace(' admitted ', ' refused '));
  assert.deepEqual(codes(await run('release send r1 -o out.receipt --home in', 1)), ['gate.release-changed']);
  await writeFile(join(folder, 'r1'), honest);
  const sent = await run('release send r1 -o out.receipt --home in');
  assert.deepEqual([sent.verdict, sent.approvers], ['released', ['Ben', 'Cat']]);

  // Nothing has come back yet: all that this side knows is that it was sent.
  const alone = async () => {
    const known = await run('ledger reconcile --low out/ledger', 1);
    assert.equal(known.high, undefined);
    return known.deliveries.map((one: { state: string }) => one.state);
  };
  assert.deepEqual(await alone(), ['sent-unconfirmed', 'sent-unconfirmed']);
  const received = await run('receive out.receipt --home out');
  assert.deepEqual(await alone(), ['received', 'refused']);
  assert.equal(received.verdict, 'received');
  assert.ok(received.seen > 0, 'they have seen our log');
  assert.ok(
    received.outcomes.some(
      (one: { sequence: number; verdict: string }) => one.sequence === 1 && one.verdict === 'admitted',
    ),
  );
  assert.equal((await run('receive out.receipt --home out')).verdict, 'already-here');
  const forged = JSON.parse(await readFile(join(folder, 'out.receipt'), 'utf8')) as { payload: string };
  forged.payload = Buffer.from(
    Buffer.from(forged.payload, 'base64').toString().replace(' admitted ', ' refused '),
  ).toString('base64');
  await writeFile(join(folder, 'forged'), JSON.stringify(forged));
  assert.equal(codes(await run('receive forged --home out', 1))[0], 'gate.receipt-unsigned');

  const second = await run('ledger reconcile --low out/ledger --high in/ledger', 1);
  assert.deepEqual(
    second.deliveries.map((one: { state: string; confirmed?: number }) => [one.state, one.confirmed !== undefined]),
    [
      ['received', true],
      ['refused', true],
    ],
  );
  await run('admit two --home in');
  await run('release draft receipt -o r2 --home in');
  await run('release approve r2 --key ben.key --key cat.key --home in');
  await run('release send r2 -o second.receipt --home in');
  await run('receive second.receipt --home out');
  assert.equal((await run('ledger reconcile --low out/ledger --high in/ledger')).verdict, 'reconciled');
  for (const home of ['out', 'in']) await run(`ledger fsck ${home}/ledger`);

  const wanted = await run('release draft request --want npm/left-pad@1.3.0 -o wish --home in');
  assert.match(wanted.text, /\nwant npm left-pad 1\.3\.0\n$/);
  assert.equal((await run('release draft request --want x;rm -o wish --home in', 2)).fault.code, 'gate.wanted');
});

test('a log that was rewound or forked is found on both sides', async (t) => {
  const at = await story(t);
  const { folder, run, deliver } = at;
  await deliver('one', 'first\n');
  await cp(join(folder, 'out'), join(folder, 'old'), { recursive: true });
  await deliver('two', 'second\n');
  await run('admit one --home in');
  await run('admit two --home in');
  const rewound = await run('ledger reconcile --low old/ledger --high in/ledger', 1);
  assert.deepEqual(
    [rewound.verdict, new Set(codes(rewound))],
    ['differs', new Set(['ledger.rewound', 'ledger.never-sent'])],
  );

  // The outside is put back from an older copy and goes on: what it then seals never comes in.
  await deliver('other-two', 'another second\n', 'old');
  assert.deepEqual(codes(await run('admit other-two --home in', 1)), ['admit.sequence-reused']);
  await deliver('other-three', 'another third\n', 'old');
  assert.deepEqual(codes(await run('admit other-three --home in', 1)), ['ledger.forked']);
  const forked = await run('ledger reconcile --low old/ledger --high in/ledger', 1);
  assert.ok(codes(forked).includes('ledger.forked'));

  // Outside, a receipt from the other side shows it as well.
  await writeFile(join(folder, 'in', 'release.yaml'), 'sallyport-release: "1.0"\nallow: [receipt]\napprovers: 1\n');
  await run('release draft receipt -o r --home in');
  await run('release approve r --key ben.key --home in');
  await run('release send r -o receipt --home in');
  assert.deepEqual(codes(await run('receive receipt --home old', 1)), ['ledger.forked']);
  assert.equal((await run('receive receipt --home out')).verdict, 'received');

  // A witness that lost what it saw is not started again.
  await rm(join(folder, 'in', 'witness', 'state.json'));
  await deliver('three', 'third\n');
  assert.equal((await run('admit three --home in', 3)).fault.code, 'ledger.witness-lost');
});
