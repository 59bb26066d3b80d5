import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { admit } from '#admit/operations';
import { memoryFolder } from '#bundle/testing';
import { encodeBase64 } from '#formats';
import { testWorld } from '#kernel/testing';
import { ledgerFsck } from '#ledger/operations';
import { forgeries, forgerySigner, writeForgeryBase } from '#ledger/testing';
import { nodeFiles, systemClock } from '#system';
import { readRootFile, roleSigners, type Signer } from '#trust';
import { unflushed } from '#trust/testing';
import { type Auditor, auditor } from './auditor.ts';
import { homes, listing, Operator, unchanged } from './sites.ts';
import {
  hostileContents,
  sample,
  sealAgain,
  takeApart,
  type Tampered,
  tamperedBySealers,
  promotionWith,
  tamperedOnTheWay,
  type TamperedPromotion,
  tamperedPromotions,
  tamperedRoots,
  tamperedSignatures,
} from './tampering.ts';

// One outside, two enclaves, five people with a key each, and an auditor who has none of our programs: from the first
// root to the last proof, by the real command, and nothing that happens goes unrecorded.

const yaml = `sallyport: "1.0"
name: plant-control
channel: main
destinations: { staging: [test-hall], production: [plant] }
targets:
  linux-amd64: { os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }
inputs:
  - files: files
`;

/** Who may do what: nobody has two duties that must be apart. Ada, Ben and Cat hold the root, two of three. */
const people = [
  ['ada', 'Ada=root,sealer'],
  ['ben', 'Ben=root,sealer'],
  ['eve', 'Eve=sealer'],
  ['cat', 'Cat=root,approver,reviewer'],
  ['dan', 'Dan=receiver'],
] as const;

async function found(test: { after(fn: () => Promise<void>): void }): Promise<Operator> {
  const folder = await memoryFolder(test);
  const at = new Operator(folder);
  await mkdir(join(folder, 'files'));
  await mkdir(join(folder, 'usb'));
  for (const [name, bytes] of Object.entries(sample)) await writeFile(join(folder, 'files', name), bytes);
  await writeFile(join(folder, 'sallyport.yaml'), yaml);
  await Promise.all([
    at.run('init --home out --site works-outside'),
    at.run('init --home staging --site test-hall'),
    at.run('init --home production --site plant'),
    ...people.map(([name]) => at.run(`trust key new ${name}.key --holder ${name[0]!.toUpperCase()}${name.slice(1)}`)),
  ]);
  await at.settle();
  return at;
}

test('two enclaves and five keys', async (t) => {
  const at = await found(t);
  const { folder } = at;
  const path = (...names: string[]) => join(folder, ...names);

  await t.test(
    'five people take over from the one key of the first day, and both enclaves pin what they agreed',
    async () => {
      const add = people.map(([name]) => `--add ${name}.key.pub.json`).join(' ');
      const roles = `${people.map(([, role]) => `--role ${role}`).join(' ')} --role works-outside=ledger`;
      await at.step(
        `trust propose --home out -o two ${add} ${roles} --threshold root=2 --threshold sealer=2 --custody shared`,
      );
      await at.step('trust sign two --key out/keys/sealer.key --key ada.key');
      const few = ['trust.root-not-succeeded', 'trust.root-unsigned'];
      await at.step('trust accept two --home out', { code: 1, verdict: 'refused', codes: few.slice(1) });
      await at.step('trust sign two --key cat.key');
      await at.step('trust accept two --home out', { verdict: 'accepted', entries: { out: ['root-rotated'] } });
      await rm(path('out', 'keys', 'sealer.key'));
      const { root } = await at.step('trust show --home out');
      assert.equal(root.version, 2);
      const pin = `trust pin ${root.path} --fingerprint`;
      await at.step(`${pin} ${'0'.repeat(64)} --home staging`, { code: 1, codes: ['trust.fingerprint-differs'] });
      for (const home of ['staging', 'production'] as const) {
        await at.step(`${pin} ${root.fingerprint} --home ${home}`, {
          verdict: 'pinned',
          entries: { [home]: ['pinned'] },
        });
        await at.step(`medium record registered USB-7 --home ${home}`, { entries: { [home]: ['medium'] } });
      }
      const rules = 'sallyport-admission: "1.0"\nmedium: registered\n';
      await writeFile(path('staging', 'admission.yaml'), rules);
      await writeFile(path('production', 'admission.yaml'), `${rules}custody: required\npromoted: [staging]\n`);
      for (const home of ['staging', 'production']) {
        await writeFile(
          path(home, 'release.yaml'),
          'sallyport-release: "1.0"\nallow: [receipt]\nlevel: verdicts\napprovers: 1\n',
        );
      }
    },
  );

  await t.test('two of three seal; one alone is refused; the medium goes from hand to hand', async () => {
    await at.step('capture --home out', { entries: { out: ['captured'] } });
    await at.step('seal -o usb/no --home out', { code: 3, fault: 'trust.key-missing' });
    await at.step('seal -o usb/no --home out --key cat.key', { code: 3, fault: 'trust.key-unknown' });
    const alone = await at.step('seal -o usb/alone --home out --key ada.key', { entries: { out: ['sealed'] } });
    assert.deepEqual([alone.trust.threshold, alone.trust.enough], [2, false]);
    await at.step('admit usb/alone --medium USB-7 --home staging', {
      ...refused('trust.threshold'),
      entries: { staging: ['refused'] },
    });
    const one = await at.step('seal -o usb/one --home out --key ada.key --key ben.key', {
      entries: { out: ['sealed'] },
    });
    assert.deepEqual([one.trust.holders, one.trust.enough], [['Ada', 'Ben'], true]);
    const link = (event: string, more: string) =>
      `custody record ${event} usb/one --chain usb/one.custody --medium USB-7 --seal 4711 ${more}`;
    await at.step(link('sealed', '--to Ada --key ada.key --home out'), { entries: { out: ['custody'] } });
    await at.step(link('handed-over', '--to Dan --key ada.key --key dan.key --home out'), {
      entries: { out: ['custody'] },
    });
    await at.step(link('arrived', '--to Dan --key dan.key --home staging'), { entries: { staging: ['custody'] } });
  });

  const sealed = await takeApart(path('usb', 'one'));
  const sealers = await signers(path('out', 'trust', 'root.2.dsse.json'), 'sealer', [path('ada.key'), path('ben.key')]);

  await t.test(
    'the bundle is tampered with in every way: each is refused by its own name, and nothing moves',
    async () => {
      const { root } = await readRootFile(nodeFiles, path('out', 'trust', 'root.2.dsse.json'));
      const others = await roleSigners(nodeFiles, root, ['approver', 'receiver'], [path('cat.key'), path('dan.key')]);
      const [cat] = others;
      assert.ok(cat !== undefined);
      assert.ok(
        (await sealAgain(sealed, sealers)).equals(sealed.bytes),
        'without a lie it is the same bundle, byte for byte',
      );
      const all = [
        ...tamperedOnTheWay(sealed),
        ...tamperedBySealers(sealed, sealers),
        ...tamperedSignatures(sealed, sealers, others),
        ...tamperedRoots(sealed, sealers, cat),
        ...hostileContents(sealed, sealers),
      ];
      await refuseAll(at, all);
    },
  );

  const door = (bundle: string, home: string, more = '') =>
    `admit usb/${bundle} --medium USB-7 --home ${home} ${more}`.trim();
  const chain = '--seal 4711 --custody usb/one.custody';
  const indexOf = async (bundle: string): Promise<string> =>
    (await at.run(`inspect usb/${bundle}`)).bundle.index.slice('sha256:'.length, 'sha256:'.length + 12);
  /** Another content, captured and sealed. */
  const deliver = async (name: string, keys: string) => {
    await writeFile(path('files', 'small'), `${name}\n`);
    await at.step('capture --home out', { entries: { out: ['captured'] } });
    await at.step(`seal -o usb/${name} --home out ${keys}`, { entries: { out: ['sealed'] } });
  };
  const receipt = async (home: 'staging' | 'production', name: string, key: string) => {
    await at.step(`release draft receipt -o ${name} --home ${home}`, { verdict: 'drafted' });
    await at.step(`release approve ${name} --key ${key} --home ${home}`);
    await at.step(`release send ${name} -o usb/${name}.receipt --home ${home}`, {
      verdict: 'released',
      entries: { [home]: ['released'] },
    });
    return at.step(`receive usb/${name}.receipt --home out`, {
      verdict: 'received',
      entries: { out: ['receipt-seen'] },
    });
  };

  await t.test('production takes nothing that staging has not tried; staging admits, once', async () => {
    await at.step(door('one', 'production', chain), {
      ...refused('admit.not-promoted'),
      entries: { production: ['refused'] },
    });
    const lines = (await readFile(path('usb', 'one.custody'), 'utf8')).trimEnd().split('\n');
    await writeFile(path('usb', 'cut.custody'), `${lines[0]}\n${lines[2]}\n`);
    await at.step(door('one', 'staging', '--seal 4711 --custody usb/cut.custody'), {
      ...refused('custody.chain', 'custody.hands'),
      entries: { staging: ['refused'] },
    });
    await at.step(door('one', 'staging', '--seal 4712 --custody usb/one.custody'), {
      ...refused('custody.seal'),
      entries: { staging: ['refused'] },
    });
    await at.step('admit usb/one --medium USB-8 --home staging', {
      ...refused('custody.unregistered'),
      entries: { staging: ['refused'] },
    });
    const admitted = await at.step(door('one', 'staging', chain), {
      verdict: 'admitted',
      codes: [],
      entries: { staging: ['admitted'] },
    });
    assert.deepEqual(
      [admitted.trust.custody, admitted.trust.holders, admitted.trust.root.version],
      ['shared', ['Ada', 'Ben'], 2],
    );
    await at.step(door('one', 'staging'), { verdict: 'already-here', codes: [] });
    const tried = await at.step('verify usb/one --home staging', { verdict: 'verified' });
    await writeFile(path('tried.json'), JSON.stringify(tried));
  });

  await t.test('staging promotes the same bytes, with receipt and results; production requires it', async () => {
    const promote = `promote ${await indexOf('one')} --home staging -o usb/one.promotion`;
    await writeFile(path('failed.json'), '{"verdict":"failed"}');
    await writeFile(path('newer.json'), '{"sallyport-report":"2.0","verdict":"proved"}');
    await at.step(
      `${promote} --ring staging --key cat.key --result failed.json --result newer.json`,
      refused('admit.result-negative', 'admit.result-negative'),
    );
    await at.step(`${promote} --ring production --key cat.key`, refused('admit.not-of-ring'));
    await at.step(`${promote} --ring staging --key ada.key`, { code: 3, fault: 'trust.key-unknown' });
    const promoted = await at.step(`${promote} --ring staging --key cat.key --result tried.json`, {
      verdict: 'promoted',
      entries: { staging: ['promoted'] },
    });
    assert.deepEqual(
      promoted.results.map(({ name, verdict }: { name: string; verdict: string }) => [name, verdict]),
      [['tried.json', 'verified']],
    );
    const hands = '--chain usb/one.custody --medium USB-7 --seal 4711 --to Dan --key dan.key';
    await at.step(`custody record carried usb/one ${hands} --home staging`, { entries: { staging: ['custody'] } });
    await at.step(`custody record arrived usb/one ${hands} --home production`, {
      entries: { production: ['custody'] },
    });
    await at.step(door('one', 'production', '--promotion usb/one.promotion'), {
      ...refused('custody.required'),
      entries: { production: ['refused'] },
    });
    const genuine = await readFile(path('usb', 'one.promotion'));
    const [cat] = await signers(path('out', 'trust', 'root.2.dsse.json'), 'approver', [path('cat.key')]);
    await refusePromotions(at, tamperedPromotions(genuine, cat!, sealers));
    await at.step(door('one', 'production', `${chain} --promotion usb/one.promotion`), {
      verdict: 'admitted',
      codes: [],
      entries: { production: ['admitted'] },
    });
    assert.deepEqual(await contents(path('production')), await contents(path('staging')), 'the same bytes');
  });

  await t.test('receipts go back through the outward gate, and no other word does', async () => {
    await at.step('release draft ledger -o no --home staging', refused('gate.not-allowed'));
    await at.step('release draft receipt -o early --home staging', { verdict: 'drafted' });
    await at.step('release send early -o usb/early.receipt --home staging', refused('gate.awaiting-approval'));
    const { outcomes, seen } = await receipt('staging', 'r1', 'cat.key');
    assert.ok(seen > 0, 'the enclave has seen our log');
    assert.deepEqual(outcomes.at(-1).verdict, 'admitted');
    assert.deepEqual(
      outcomes.slice(0, -1).filter(({ verdict }: { verdict: string }) => verdict !== 'refused'),
      [],
      'all that was tampered with is in it, by its codes alone',
    );
    await at.step('receive usb/r1.receipt --home out', { verdict: 'already-here' });
    const text = await readFile(path('usb', 'r1.receipt'), 'utf8');
    await writeFile(path('usb', 'lie.receipt'), text.replace('{"payloadType', '{"payloadType":"x","payloadType'));
    await at.step('receive usb/lie.receipt --home out', { code: 1, verdict: 'refused' });
  });

  await t.test('production is away: the root changes twice, a sealer is revoked, a bundle is lost', async () => {
    await cp(path('out'), path('old'), { recursive: true });
    await at.run('trust key new cat2.key --holder Cat');
    await at.step('trust rotate Cat cat2.key.pub.json --home out -o three --reason lost');
    await at.step('trust sign three --key ada.key --key ben.key');
    await at.step('trust accept three --home out', { verdict: 'accepted', entries: { out: ['root-rotated'] } });
    await deliver('two', '--key ada.key --key ben.key');
    const two = await at.step(door('two', 'staging'), { verdict: 'admitted', entries: { staging: ['admitted'] } });
    assert.equal(two.trust.root.version, 3);
    await deliver('three.bundle', '--key ben.key --key eve.key');
    await rm(path('usb', 'three.bundle'));
    await cp(path('out'), path('thief'), { recursive: true });
    await at.step('trust revoke Ben --home out -o four --reason left');
    await at.step('trust sign four --key ada.key --key cat2.key');
    await at.step('trust accept four --home out', { verdict: 'accepted', entries: { out: ['root-rotated'] } });
    await at.step('seal -o usb/no --home out --key ada.key --key ben.key', { code: 3, fault: 'trust.key-unknown' });
    await deliver('four', '--key ada.key --key eve.key');
    const four = await at.step(door('four', 'staging'), { verdict: 'admitted', entries: { staging: ['admitted'] } });
    assert.deepEqual([four.trust.root.version, four.trust.holders], [4, ['Ada', 'Eve']]);
  });

  await t.test(
    'what the revoked sealer still seals is refused; what he sealed before is evidence as it was',
    async () => {
      // He has a copy of the outside from before, and the key of somebody who is trusted.
      await at.run('capture --home thief');
      await at.run('seal -o usb/stolen --home thief --key ben.key --key eve.key');
      await at.step(door('stolen', 'staging'), { ...refused('trust.revoked-key'), entries: { staging: ['refused'] } });
      await at.step('verify usb/one --root staging/trust/root.2.dsse.json', { verdict: 'verified' });
      await at.step('verify usb/one --root staging/trust/root.4.dsse.json', refused('trust.revoked-key'));
    },
  );

  await t.test(
    'production comes back: the roots in the bundle bring it up to date, and old bundles move nothing',
    async () => {
      const hands = '--chain usb/four.custody --medium USB-7 --seal 4712';
      await at.step(`custody record sealed usb/four ${hands} --to Eve --key eve.key --home out`, {
        entries: { out: ['custody'] },
      });
      await at.step(`custody record handed-over usb/four ${hands} --to Dan --key eve.key --key dan.key --home out`, {
        entries: { out: ['custody'] },
      });
      const promote = `promote ${await indexOf('four')} --ring staging --home staging`;
      await at.step(`${promote} -o usb/no --key cat.key`, { code: 3, fault: 'trust.key-unknown' });
      await at.step(`${promote} -o usb/four.promotion --key cat2.key --result tried.json`, {
        verdict: 'promoted',
        entries: { staging: ['promoted'] },
      });
      assert.equal((await at.step('trust show --home production')).root.version, 2);
      // What is here is offered again while production is still away.
      await at.step(door('one', 'production', chain), { verdict: 'already-here' });
      // The key that Cat lost still says what somebody likes: the roots on the medium revoke it.
      const [lost] = await signers(path('out', 'trust', 'root.2.dsse.json'), 'approver', [path('cat.key')]);
      const genuine = await readFile(path('usb', 'four.promotion'));
      await writeFile(path('usb', 'forged.promotion'), promotionWith(genuine, [lost!], {}));
      const carried = '--seal 4712 --custody usb/four.custody --promotion';
      await at.step(door('four', 'production', `${carried} usb/forged.promotion`), {
        ...refused('trust.revoked-key', 'admit.not-promoted'),
        entries: { production: ['refused'] },
      });
      assert.equal((await at.step('trust show --home production')).root.version, 2, 'a refused bundle brings no root');
      const admitted = await at.step(door('four', 'production', `${carried} usb/four.promotion`), {
        verdict: 'admitted',
        entries: { production: ['admitted'] },
      });
      assert.equal(admitted.trust.root.version, 4);
      const shown = await at.step('trust show --home production');
      assert.deepEqual([shown.root.version, shown.chain.length], [4, 3], 'pinned at 2, and all that followed');
      const revoked = { ...refused('trust.revoked-key'), entries: { production: ['refused'] } };
      await at.step(door('one', 'production', chain), revoked);
      await at.step(`${door('one', 'production', chain)} --root production/trust/root.2.dsse.json`, revoked);
      await at.step(door('two', 'production', chain), revoked);
      // The outside, put back from a copy, goes on from there: another past, under numbers that are taken.
      await at.run('trust accept three --home old');
      await at.run('trust accept four --home old');
      await writeFile(path('files', 'small'), 'another past\n');
      await at.run('capture --home old');
      await at.run('seal -o usb/past --home old --key ada.key --key eve.key');
      await at.step(door('past', 'staging'), {
        ...refused('admit.sequence-reused'),
        entries: { staging: ['refused'] },
      });
    },
  );

  await t.test('both ledgers are put beside each other, for each enclave', async () => {
    await receipt('production', 'r2', 'cat2.key');
    const states = ({ deliveries }: { deliveries: { sequence: number; state: string; confirmed?: number }[] }) =>
      deliveries.map(
        ({ sequence, state, confirmed }) => `${sequence} ${state}${confirmed === undefined ? '' : ' confirmed'}`,
      );
    // The first was sealed anew with enough keys: the same content, under the next number.
    const staging = await at.step('ledger reconcile --low out/ledger --high staging/ledger', {
      code: 1,
      verdict: 'open',
      codes: ['ledger.never-received'],
    });
    assert.deepEqual(states(staging), ['2 received confirmed', '3 received', '4 sent-unconfirmed', '5 received']);
    const production = await at.step('ledger reconcile --low out/ledger --high production/ledger', {
      code: 1,
      verdict: 'differs',
      codes: ['ledger.refused', 'ledger.never-received'],
    });
    assert.deepEqual(states(production), [
      '2 received confirmed',
      '3 refused confirmed',
      '4 sent-unconfirmed',
      '5 received confirmed',
    ]);
    const past = await at.step('ledger reconcile --low old/ledger --high staging/ledger', {
      code: 1,
      verdict: 'differs',
    });
    assert.ok(past.reasons.some(({ code }: { code: string }) => code === 'ledger.forked'));
    for (const home of homes) await at.step(`ledger fsck ${home}/ledger`, { verdict: 'verified' });
    await refuseForgedLogs(at);
  });

  await t.test(
    'an auditor with standard tools proves a seal, an admission, and that both speak of one tree',
    async () => {
      const seal = path('audit-seal');
      const admission = path('audit-admission');
      for (const where of [seal, admission]) await mkdir(where);
      execFileSync('tar', ['-xf', path('usb', 'four'), '-C', seal]);
      const envelopes = join(seal, 'sallyport-bundle', 'envelopes');
      await cp(join(envelopes, 'ledger.proof'), join(seal, 'entry.proof'));
      await cp(join(envelopes, 'ledger.statement'), join(seal, 'statement'));
      await cp(path('out', 'trust', 'ledger.vkey'), join(seal, 'ledger.vkey'));
      const entry = (await at.records('staging')).findLast(({ type }) => type === 'sallyport/admitted/v1')!;
      await at.step(`ledger prove ${entry.index} --home staging -o audit-admission/entry.proof`);
      const hex = entry.statement!.slice('sha256:'.length);
      await cp(path('staging', 'ledger', 'statements', 'sha256', hex.slice(0, 2), hex), join(admission, 'statement'));
      await cp(path('staging', 'trust', 'ledger.vkey'), join(admission, 'ledger.vkey'));
      await refuseForgedProofs(await auditor(folder), seal, admission, path('staging', 'trust', 'witness.vkey'));
    },
  );
  t.diagnostic(`${at.steps.length} steps by the command`);
});

const refused = (...codes: string[]) => ({ code: 1, verdict: 'refused', codes });

async function signers(
  root: string,
  role: 'sealer' | 'approver',
  paths: readonly string[],
): Promise<readonly Signer[]> {
  return roleSigners(nodeFiles, (await readRootFile(nodeFiles, root)).root, role, paths);
}

/**
 * The first of each kind goes by the real command to the enclave itself. The others go through the same operation in
 * this process, each kind to a copy of the enclave of its own: what a command adds to it has been shown by then. After
 * each, every disk is compared; after each kind, the ledger has one refusal for each, by its name.
 */
async function refuseAll(at: Operator, all: readonly Tampered[]): Promise<void> {
  const { run, exit } = await admit.load();
  // Room for whatever a sealer claims: how much this machine has decides nothing here.
  const space = async () => ({ free: Number.MAX_SAFE_INTEGER, largestFile: Number.MAX_SAFE_INTEGER });
  const world = testWorld({ ...unflushed(nodeFiles), space }, at.folder, { clock: systemClock });
  const bundle = join(at.folder, 'usb', 'tampered');
  const home = join(at.folder, 'copy');
  const wrong: string[] = [];
  for (const [what, [first, ...others]] of Map.groupBy(all, (one) => one.what)) {
    assert.ok(first !== undefined);
    await writeFile(bundle, await first.make());
    await at.step('admit usb/tampered --medium USB-7 --home staging', {
      ...refused(first.code),
      entries: { staging: ['refused'] },
    });
    await rm(bundle);
    await cp(join(at.folder, 'staging'), home, { recursive: true });
    const size = (await at.records('copy')).length;
    const before = await at.disks();
    for (const { name, code, make } of others) {
      await writeFile(bundle, await make());
      const output = await run({ bundle, home, medium: 'USB-7' }, world);
      await rm(bundle);
      const codes = output.reasons.map((reason) => reason.code).join();
      const named =
        what === 'hostile' ? code.split(',').every((one) => codes.split(',').includes(one)) : codes === code;
      if (exit(output) !== 1 || output.verdict !== 'refused' || !named) {
        wrong.push(`${what}, ${name}: ${output.verdict} ${codes}, not ${code}`);
      }
      unchanged(before, await at.disks(), `${what}, ${name}`);
    }
    const records = (await at.records('copy')).slice(size);
    assert.deepEqual(
      records.map(({ type }) => type),
      others.map(() => 'sallyport/refused/v1'),
    );
    await rm(home, { recursive: true });
  }
  assert.deepEqual(wrong, []);
}

/** Wrong promotions, at a copy of production; the first by the real command. */
async function refusePromotions(at: Operator, all: readonly TamperedPromotion[]): Promise<void> {
  const { run } = await admit.load();
  const world = testWorld(unflushed(nodeFiles), at.folder, { clock: systemClock });
  const promotion = join(at.folder, 'usb', 'tampered.promotion');
  const [first, ...others] = all;
  await writeFile(promotion, first!.bytes);
  const words = '--medium USB-7 --seal 4711 --custody usb/one.custody --promotion usb/tampered.promotion';
  await at.step(`admit usb/one --home production ${words}`, {
    ...refused(first!.code, 'admit.not-promoted'),
    entries: { production: ['refused'] },
  });
  await cp(join(at.folder, 'production'), join(at.folder, 'copy'), { recursive: true });
  await rm(promotion);
  const before = await at.disks();
  const wrong: string[] = [];
  for (const { name, bytes, code } of others) {
    await writeFile(promotion, bytes);
    const { verdict, reasons } = await run(
      {
        bundle: 'usb/one',
        home: 'copy',
        medium: 'USB-7',
        seal: ['4711'],
        custody: 'usb/one.custody',
        promotion: [promotion],
      },
      world,
    );
    await rm(promotion);
    const codes = reasons.map((reason) => reason.code).join();
    if (verdict !== 'refused' || codes !== `${code},admit.not-promoted`) wrong.push(`${name}: ${verdict} ${codes}`);
    unchanged(before, await at.disks(), `${name}`);
  }
  assert.deepEqual(wrong, []);
  await rm(join(at.folder, 'copy'), { recursive: true });
}

/** What is in the store of an enclave, by digest. */
async function contents(home: string): Promise<string[]> {
  return listing(join(home, 'store', 'sha256'));
}

/** The low side's log as it travels to whoever reconciles: every forgery of it is found, by its name. */
async function refuseForgedLogs(at: Operator): Promise<void> {
  const { run } = await ledgerFsck.load();
  const world = testWorld(nodeFiles, at.folder);
  const low = join(at.folder, 'usb', 'low');
  await mkdir(join(low, 'trust'), { recursive: true });
  await writeFile(join(low, 'trust', 'ledger.vkey'), `${forgerySigner.vkey}\n`);
  await writeForgeryBase(join(at.folder, 'base'));
  const wrong: string[] = [];
  for (const [number, { name, code, forge }] of forgeries.entries()) {
    await cp(join(at.folder, 'base'), join(low, 'ledger'), { recursive: true });
    await forge(join(low, 'ledger'));
    if (number === 0) {
      const words = '--low usb/low/ledger --high staging/ledger';
      await at.step(`ledger reconcile ${words}`, { code: 1, verdict: 'differs', codes: [code] });
      await at.step('ledger fsck usb/low/ledger', { code: 1, verdict: 'unverified', codes: [code] });
    }
    const { verdict, reasons } = await run({ folder: 'usb/low/ledger' }, world);
    const codes = reasons.map((reason) => reason.code);
    if (verdict !== 'unverified' || !codes.includes(code)) wrong.push(`${name}: ${verdict} ${codes.join()}`);
    for (const left of ['ledger', 'ledger.outside']) await rm(join(low, left), { recursive: true, force: true });
  }
  assert.deepEqual(wrong, []);
}

/** The page's own lines, on what is right and on everything that is not. */
async function refuseForgedProofs(who: Auditor, seal: string, admission: string, vkey: string): Promise<void> {
  for (const [folder, type] of [
    [seal, 'sallyport/sealed/v1'],
    [admission, 'sallyport/admitted/v1'],
  ] as const) {
    const proved = who.run('entry', folder);
    assert.deepEqual([proved.code, proved.err], [0, '']);
    assert.match(
      proved.out,
      new RegExp(`^proved: entry \\d+ of [a-z-]+/[0-9a-f]{16}, ${type}, in the tree of size \\d+ `),
    );
  }
  await cp(join(admission, 'payload'), join(seal, 'admission'));
  await cp(vkey, join(seal, 'witness.vkey'));
  const seen = who.run('witness', seal);
  assert.deepEqual([seen.code, seen.err], [0, '']);
  assert.match(seen.out, /^cosigned by test-hall\/[0-9a-f]{16} at \d+: works-outside\//);

  const good = Object.fromEntries(
    await Promise.all(
      ['statement', 'entry.proof', 'ledger.vkey', 'admission', 'text', 'witness.vkey'].map(
        async (name) => [name, await readFile(join(seal, name), 'utf8')] as const,
      ),
    ),
  ) as Record<'statement' | 'entry.proof' | 'ledger.vkey' | 'admission' | 'text' | 'witness.vkey', string>;
  const proof = good['entry.proof'].split('\n');
  const blank = proof.indexOf('');
  const line = (number: number, change: (text: string) => string) =>
    proof.with(number, change(proof[number]!)).join('\n');
  const other = (text: string) => text.replace(/[A-Za-z0-9](?=[A-Za-z0-9+/]{3})/, (one) => (one === 'A' ? 'B' : 'A'));
  const stranger = `\u2014 somebody/else ${encodeBase64(Buffer.alloc(68, 7))}`;
  const inner = await readFile(join(admission, 'statement'), 'utf8');
  const cases: [name: string, block: 'entry' | 'witness', file: keyof typeof good, text: string, says: RegExp][] = [
    ['another statement', 'entry', 'statement', inner, /does not lead/],
    [
      'a bit of the payload',
      'entry',
      'statement',
      good.statement.replace('"payload":"eyJf', '"payload":"eyJg'),
      /not proved/,
    ],
    ['a statement of two lines', 'entry', 'statement', `${good.statement}{}\n`, /not one line/],
    [
      'a statement in another form',
      'entry',
      'statement',
      good.statement.replace('{', '{"payload":"e30=",'),
      /another form/,
    ],
    ['no statement', 'entry', 'statement', '', /not one line/],
    ['another index', 'entry', 'entry.proof', line(1, () => 'index 0'), /path/],
    ['an index that is none', 'entry', 'entry.proof', line(1, () => 'index 1; true'), /no number/],
    ['an index beyond the tree', 'entry', 'entry.proof', line(1, () => 'index 999999'), /ends before/],
    ['another hash', 'entry', 'entry.proof', line(2, other), /does not lead/],
    ['a hash too few', 'entry', 'entry.proof', proof.toSpliced(2, 1).join('\n'), /path/],
    ['a hash too many', 'entry', 'entry.proof', proof.toSpliced(2, 0, proof[2]!, proof[2]!).join('\n'), /path/],
    ['another root', 'entry', 'entry.proof', line(blank + 3, other), /does not lead/],
    ['another size', 'entry', 'entry.proof', line(blank + 2, (size) => String(Number(size) + 1)), /not proved/],
    ['a size with a zero', 'entry', 'entry.proof', line(blank + 2, (size) => `0${size}`), /no number/],
    ['another origin', 'entry', 'entry.proof', line(blank + 1, () => 'somebody/else'), /another log/],
    ['an extension line', 'entry', 'entry.proof', proof.toSpliced(blank + 4, 0, 'more').join('\n'), /three lines/],
    [
      'a signature that does not fit',
      'entry',
      'entry.proof',
      line(blank + 5, (text) => text.replace(/[^=]{2}(=*)$/, 'AA$1')),
      /does not fit/,
    ],
    ['only a stranger signed', 'entry', 'entry.proof', line(blank + 5, () => stranger), /did not sign/],
    ['nobody signed', 'entry', 'entry.proof', proof.slice(0, blank + 5).join('\n'), /did not sign/],
    [
      'a key of somebody else',
      'entry',
      'ledger.vkey',
      await readFile(join(admission, 'ledger.vkey'), 'utf8'),
      /another log/,
    ],
    [
      'a key under another name',
      'entry',
      'ledger.vkey',
      good['ledger.vkey'].replace('works', 'walks'),
      /not that of its name/,
    ],
    [
      'a witness as a log',
      'entry',
      'ledger.vkey',
      `${good['witness.vkey'].split('\n')[0]}\n`,
      /no Ed25519 key of a log/,
    ],
    ['a log as a witness', 'witness', 'witness.vkey', good['ledger.vkey'], /no Ed25519 key of a witness/],
    ['another tree was seen', 'witness', 'text', good.text.replace('\n', '\n1'), /another tree/],
    [
      'a checkpoint that nobody cosigned',
      'witness',
      'admission',
      good.admission.replaceAll('test-hall/', 'rest-hall/'),
      /did not cosign/,
    ],
    [
      'a cosigned checkpoint with another size',
      'witness',
      'admission',
      good.admission.replace(/(works-outside\/[0-9a-f]+\\n)/, '$11'),
      /does not fit/,
    ],
  ];
  for (const [name, block, file, text, says] of cases) {
    assert.notEqual(text, good[file], name);
    await writeFile(join(seal, file), text);
    const { code, out, err } = who.run(block, seal);
    assert.ok(code !== 0 && says.test(err), `${name}: ${code} ${out}${err}`);
    for (const [restored, content] of Object.entries(good)) await writeFile(join(seal, restored), content);
  }
  // A signature by a key that nobody asked for is passed over, wherever it stands.
  await writeFile(join(seal, 'entry.proof'), proof.toSpliced(blank + 5, 0, stranger).join('\n'));
  assert.equal(who.run('entry', seal).code, 0);
}
