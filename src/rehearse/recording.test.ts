import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { copyFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeEnvelope, encodeEnvelope, isProblem } from '#formats';
import { homeAt, type Files, type World } from '#kernel';
import { fixedClock, testWorld } from '#kernel/testing';
import { openLedger } from '#ledger';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { createSide, sealersOf, signEnvelope } from '#trust';
import { REPORT_PREDICATE } from './evidence.ts';
import { placeOf } from './io/place.ts';
import { besideReport, gatherProofs, writeReport, writeUnsigned } from './io/recording.ts';
import type { Report } from './report.ts';
import { sampleReport } from './testing/index.ts';
import { verifyReportVerb } from './verbs/verify.ts';

const clock = fixedClock();
const plain = {
  bold: (text: string) => text,
  dim: (text: string) => text,
  good: (text: string) => text,
  bad: (text: string) => text,
  warn: (text: string) => text,
  width: 100,
};

interface Told {
  readonly world: World;
  readonly folder: string;
  readonly report: Report;
  readonly inside: string;
}

/** Two sides with ledgers in which something about the bundle stands, and a report of it, written and signed. */
async function told(t: TestContext, files: Files = nodeFiles): Promise<Told> {
  const folder = await temporaryFolder(t);
  const place = placeOf(folder);
  const world = testWorld(files, folder, { clock });
  const draft = sampleReport();
  const index = draft.bundle?.index ?? '';
  for (const [side, type] of [
    ['outside', 'sealed'],
    ['inside', 'admitted'],
  ] as const) {
    await createSide(nodeFiles, place[side], { site: side, purpose: 'rehearsal', clock });
    const ledger = await openLedger(nodeFiles, homeAt(place[side]), clock);
    for (const digest of ['00'.repeat(32), index.slice(7)]) {
      const subject = [{ name: 'index.jsonl', digest: { sha256: digest } }];
      await ledger.append({ predicateType: `sallyport/${type}/v1`, subject, predicate: {} });
    }
    await ledger.close();
  }
  const crossed = { lockDigest: 'sha256:none', bundle: draft.bundle } as never;
  const proofs = await gatherProofs(world, place, crossed, draft.steps);
  const { entry: _, ...rest } = { ...draft, ...proofs, report: join(folder, 'report.json') };
  const paths = { page: join(folder, 'report.html'), signature: join(folder, 'report.dsse.json') };
  const report = await writeReport(world, place, { ...rest, ...paths });
  return { world, folder, report, inside: place.inside };
}

async function verify({ world, inside }: Told, over: { report?: string; signature?: string; root?: string } = {}) {
  const output = await verifyReportVerb.run(
    { report: 'report.json', root: join(inside, 'trust/root.1.dsse.json'), ...over },
    world,
  );
  return { ...output, exit: verifyReportVerb.exit(output), text: verifyReportVerb.show(output, plain) };
}

test('a report is signed, its digest stands in the ledger inside, and both can be checked without either home', async (t) => {
  const all = await told(t);
  assert.deepEqual(JSON.parse(await readFile(all.report.report, 'utf8')), all.report);
  assert.deepEqual(
    all.report.proofs.map(({ side, index, what }) => [side, index, what]),
    [
      ['outside', 1, 'The bundle was sealed'],
      ['inside', 1, 'The bundle was admitted'],
    ],
  );
  assert.equal(all.report.entry?.index, 2);
  for (const path of [all.report.report, all.report.page, all.report.signature]) {
    assert.equal((await stat(path)).mode & 0o777, 0o600, path);
  }
  assert.match(await readFile(all.report.page, 'utf8'), /c2sp\.org\/tlog-proof@v1\nindex 2\n/);
  // Everything that it takes is in two files and a root.
  const away = await temporaryFolder(t);
  for (const name of ['report.json', 'report.dsse.json']) await copyFile(join(all.folder, name), join(away, name));
  await copyFile(join(all.inside, 'trust/root.1.dsse.json'), join(away, 'root.json'));
  await rm(join(all.folder, '.sallyport'), { recursive: true });
  const world = testWorld(nodeFiles, away, { clock });
  const answer = await verify({ ...all, world }, { root: 'root.json' });
  assert.deepEqual(answer.reasons, []);
  assert.deepEqual([answer.verdict, answer.exit, answer.custody], ['verified', 0, 'rehearsal']);
  assert.deepEqual(answer.entry, all.report.entry);
  assert.deepEqual(answer.holders, ['inside']);
  assert.match(answer.text, /entry 2 of the ledger inside\/[0-9a-f]{16}; 2 further entries/);
  assert.match(answer.text, /not proved; without internet: no/);
});

test('the signature can be checked by other means: DSSE and in-toto as they are written down, with the key of the root', async (t) => {
  const all = await told(t);
  const envelope = JSON.parse(await readFile(all.report.signature, 'utf8')) as {
    payloadType: string;
    payload: string;
    signatures: { sig: string }[];
  };
  const payload = Buffer.from(envelope.payload, 'base64');
  const head = `DSSEv1 ${envelope.payloadType.length} ${envelope.payloadType} ${payload.length} `;
  const key = createPublicKey(await readFile(join(all.inside, 'keys', 'sealer.key')));
  const signature = Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64');
  assert.ok(verifySignature(null, Buffer.concat([Buffer.from(head), payload]), key, signature));

  const sha256 = (...parts: (string | Uint8Array)[]): Buffer => {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const statement = JSON.parse(payload.toString()) as {
    _type: string;
    subject: { name: string; digest: { sha256: string } }[];
    predicate: { ledger: { entry: string; statement: string; proof: string } };
  };
  assert.equal(statement._type, 'https://in-toto.io/Statement/v1');
  const report = await readFile(all.report.report);
  assert.deepEqual(statement.subject, [{ name: 'report.json', digest: { sha256: sha256(report).toString('hex') } }]);
  // RFC 6962 by hand: the third leaf of three stands alone, beside the node of the first two.
  const { ledger } = statement.predicate;
  assert.ok(ledger.entry.includes(sha256(Buffer.from(ledger.statement, 'base64')).toString('hex')));
  const [, index, sibling = '', , , size, root] = ledger.proof.split('\n');
  assert.deepEqual([index, size], ['index 2', '3']);
  const leaf = sha256(Uint8Array.of(0), ledger.entry);
  assert.equal(sha256(Uint8Array.of(1), Buffer.from(sibling, 'base64'), leaf).toString('base64'), root);
});

describe('a report that is not what was signed is unverified', () => {
  const cases: Readonly<Record<string, [code: string, change: (all: Told) => Promise<object | undefined>]>> = {
    'one byte changed': [
      'rehearse.report-changed',
      async ({ folder }) => {
        const path = join(folder, 'report.json');
        await writeFile(path, (await readFile(path, 'utf8')).replace('not-proved', 'not_proved'));
        return undefined;
      },
    ],
    'no signature': [
      'rehearse.unsigned',
      async ({ folder }) => {
        await rm(join(folder, 'report.dsse.json'));
        return undefined;
      },
    ],
    'a signature that is cut off': [
      'trust.envelope-malformed',
      async ({ folder }) => {
        await truncate(join(folder, 'report.dsse.json'), 100);
        return undefined;
      },
    ],
    'another key': [
      'trust.foreign-key',
      async ({ folder }) => {
        const side = await createSide(nodeFiles, join(folder, 'other'), { site: 'other', purpose: 'rehearsal', clock });
        return { root: side.rootPath };
      },
    ],
    'the report signed again by a stranger': [
      'trust.foreign-key',
      async ({ folder }) => {
        const { home } = await createSide(nodeFiles, join(folder, 'other'), {
          site: 'other',
          purpose: 'rehearsal',
          clock,
        });
        await resign(folder, home.path, (payload) => payload);
        return undefined;
      },
    ],
    'a statement about something else': [
      'rehearse.unsigned',
      async ({ folder, inside }) => {
        await resign(folder, inside, (payload) => payload.replace(REPORT_PREDICATE, 'sallyport/sealed/v1'));
        return undefined;
      },
    ],
    'an entry that is of another report': [
      'rehearse.not-in-ledger',
      async ({ folder, inside }) => {
        // Signed rightly, but the ledger was never told of it: the entry of the true report is shown instead.
        const path = join(folder, 'report.json');
        const before = await readFile(path, 'utf8');
        const after = before.replace('"project": "shop"', '"project": "bank"');
        await writeFile(path, after);
        const hash = (text: string) => createHash('sha256').update(text).digest('hex');
        await resign(folder, inside, (payload) => payload.replaceAll(hash(before), hash(after)));
        return undefined;
      },
    ],
    'no entry': [
      'rehearse.not-in-ledger',
      async ({ folder, inside }) => {
        await resign(folder, inside, (payload) => payload.replace('"ledger":', '"other":'));
        return undefined;
      },
    ],
    'an entry at another index': [
      'rehearse.not-in-ledger',
      async ({ folder, inside }) => {
        await resign(folder, inside, (payload) => payload.replace(/index 2\\n/, 'index 1\\n'));
        return undefined;
      },
    ],
    'a checkpoint that the ledger did not sign': [
      'rehearse.not-in-ledger',
      async ({ folder, inside }) => {
        await resign(folder, inside, (payload) => payload.replace(/\\n3\\n/, '\\n4\\n'));
        return undefined;
      },
    ],
  };
  for (const [name, [code, change]] of Object.entries(cases)) {
    test(name, async (t) => {
      const all = await told(t);
      const over = await change(all);
      const answer = await verify(all, over ?? {});
      assert.deepEqual([answer.verdict, answer.exit], ['unverified', 1]);
      assert.equal(answer.reasons[0]?.code, code, answer.text);
      assert.equal(answer.report, undefined);
      assert.match(answer.text, /^unverified /);
    });
  }
});

/** Changes what was signed and signs it again, rightly, with the sealer of a home. */
async function resign(folder: string, home: string, change: (payload: string) => string): Promise<void> {
  const path = join(folder, 'report.dsse.json');
  const envelope = decodeEnvelope(await readFile(path));
  assert.ok(!isProblem(envelope));
  const before = Buffer.from(envelope.payload).toString('utf8');
  const after = change(before);
  const signers = await sealersOf(nodeFiles, homeAt(home));
  await writeFile(path, signEnvelope(envelope.payloadType, Buffer.from(after), signers));
  assert.ok(before !== after || !home.endsWith('inside'), 'nothing was changed');
  assert.notDeepEqual(encodeEnvelope(envelope), await readFile(path));
}

test('cut off at any write, no signature stands beside a report that it is not over', async (t) => {
  const all = await told(t);
  const place = placeOf(all.folder);
  const { entry: _, ...draft } = all.report;
  for (let cut = 1; ; cut++) {
    let calls = 0;
    const files: Files = new Proxy(nodeFiles, {
      get(target, name: keyof Files) {
        const call = target[name] as (...args: unknown[]) => unknown;
        if (!['open', 'rename', 'link', 'remove', 'syncFolder'].includes(name)) return call.bind(target);
        return (...args: unknown[]) => {
          // The lock names this process, which goes on living; a process that ended leaves none that holds.
          if (args.some((arg) => String(arg).includes('/state/lock.'))) return call.apply(target, args);
          calls += 1;
          if (calls >= cut) throw Object.assign(new Error('cut off'), { code: 'EIO' });
          return call.apply(target, args);
        };
      },
    });
    const project = `project ${cut}`;
    const done = await writeReport(testWorld(files, all.folder, { clock }), place, { ...draft, project }).then(
      () => true,
      () => false,
    );
    const answer = await verify(all);
    const said = JSON.parse(await readFile(all.report.report, 'utf8')) as Report;
    if (answer.verdict === 'verified') assert.equal(answer.report?.project, said.project, `cut ${cut}`);
    if (done) {
      assert.equal(answer.verdict, 'verified', answer.text);
      assert.equal(said.project, project);
      break;
    }
    assert.ok(cut < 500);
  }
  // The ledger survived all of it.
  const ledger = await openLedger(nodeFiles, homeAt(place.inside), clock);
  assert.ok(ledger.size >= 4);
  await ledger.close();
});

test('a report of which nothing crossed is not signed, and an old signature does not stay beside it', async (t) => {
  const all = await told(t);
  const { entry: _, ...draft } = all.report;
  await writeUnsigned(all.world, { ...draft, bundle: undefined as never });
  assert.equal((await verify(all)).reasons[0]?.code, 'rehearse.unsigned');
  assert.match(await readFile(all.report.page, 'utf8'), /It is not signed and stands in no ledger/);
});

test('what lies beside a report is named after it', () => {
  assert.deepEqual(besideReport('/a/r.json'), { page: '/a/r.html', signature: '/a/r.dsse.json' });
  assert.deepEqual(besideReport('/a.json/r'), { page: '/a.json/r.html', signature: '/a.json/r.dsse.json' });
});

test('a later minor version is read, a later major is not, and neither is another shape', async (t) => {
  const all = await told(t);
  const place = placeOf(all.folder);
  const { entry: _, ...draft } = all.report;
  const cases: [string, object, boolean][] = [
    ['1.7', { 'sallyport-report': '1.7', new: true }, true],
    ['2.0', { 'sallyport-report': '2.0' }, false],
    ['another shape', { milliseconds: 'long' }, false],
  ];
  for (const [name, over, fits] of cases) {
    await writeReport(all.world, place, { ...draft, ...over } as Report);
    const { verdict, reasons } = await verify(all);
    assert.deepEqual(
      [verdict, reasons[0]?.code],
      fits ? ['verified', undefined] : ['unverified', 'rehearse.report-malformed'],
      name,
    );
  }
});

test('a proof in the report that does not hold is found, of either side', async (t) => {
  const all = await told(t);
  const place = placeOf(all.folder);
  const { entry: _, ...draft } = all.report;
  for (const side of ['outside', 'inside']) {
    const proofs = draft.proofs.map((one) => (one.side === side ? { ...one, entry: `${one.entry} ` } : one));
    await writeReport(all.world, place, { ...draft, proofs });
    const { reasons } = await verify(all);
    assert.deepEqual([reasons[0]?.code, reasons[0]?.where], ['rehearse.not-in-ledger', `${side} entry 1`]);
  }
  const foreign = draft.proofs.map((one) => ({ ...one, proof: one.proof.replace(/^index 1$/m, 'index 0') }));
  await writeReport(all.world, place, { ...draft, proofs: foreign });
  assert.equal((await verify(all)).verdict, 'unverified');
});

test('what is too large, or is no report, is judged and is no fault', async (t) => {
  const all = await told(t);
  await writeFile(join(all.folder, 'huge.json'), '');
  await truncate(join(all.folder, 'huge.json'), 300 * 1024 * 1024);
  const huge = await verify(all, { report: 'huge.json', signature: 'report.dsse.json' });
  assert.deepEqual([huge.verdict, huge.reasons[0]?.code], ['unverified', 'rehearse.report-malformed']);
  await assert.rejects(verify(all, { report: 'nowhere.json' }), { code: 'ENOENT' });
  await assert.rejects(verify(all, { root: fileURLToPath(import.meta.url) }), { code: 'trust.not-a-root' });
});
