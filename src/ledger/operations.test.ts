import assert from 'node:assert/strict';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isProblem } from '#formats';
import { homeAt, isFault, type Operation } from '#kernel';
import { fixedClock, testWorld } from '#kernel/testing';
import {
  leafHash,
  openLedger,
  parseProof,
  parseLedgerVkey,
  openCheckpoint,
  readLedger,
  verifyConsistency,
  verifyInclusion,
} from '#ledger';
import { ledgerList, ledgerProve, ledgerShow, ledgerVerify, ledgerWitness } from '#ledger/operations';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { createSide } from '#trust';

const plain = {
  bold: (text: string) => text,
  dim: (text: string) => text,
  good: (text: string) => text,
  bad: (text: string) => text,
  warn: (text: string) => text,
  width: 100,
};

/** Runs an operation as the command line does: text in, validated, run, its exit code and words. */
async function perform<I, O>(operation: Operation<I, O>, input: unknown, cwd: string) {
  const parsed = operation.input.parse(input);
  const implementation = await operation.load();
  const output = await implementation.run(parsed, testWorld(nodeFiles, cwd));
  assert.deepEqual(operation.output.parse(output), output);
  return { output, exit: implementation.exit(output), text: implementation.show(output, plain) };
}

async function homeWith(path: string, names: readonly string[]): Promise<void> {
  const clock = fixedClock();
  await createSide(nodeFiles, path, { site: 'test-site', purpose: 'one-person', clock });
  const ledger = await openLedger(nodeFiles, homeAt(path), clock);
  for (const name of names) {
    await ledger.append({
      predicateType: 'sallyport/sealed/v1',
      subject: [{ name, digest: { sha256: 'ab'.repeat(32) } }],
      predicate: { name },
    });
  }
  await ledger.appendEntry(Buffer.from('opaque'));
  await ledger.close();
}

test('ledger verify: the home’s ledger, a folder, a key file, and a copy that was changed', async (t) => {
  const root = await temporaryFolder(t);
  await homeWith(`${root}/home`, ['a', 'b']);
  const right = await perform(ledgerVerify, { home: 'home' }, root);
  assert.equal(right.exit, 0);
  assert.deepEqual([right.output.verdict, right.output.size, right.output.statements], ['verified', 3, 2]);
  assert.match(right.text, /verified/);
  assert.equal((await perform(ledgerVerify, { folder: 'home/ledger' }, root)).exit, 0);

  await cp(`${root}/home/ledger`, `${root}/copy`, { recursive: true });
  const byKey = { folder: 'copy', vkey: 'home/trust/ledger.vkey' };
  assert.equal((await perform(ledgerVerify, byKey, root)).exit, 0);
  assert.equal((await perform(ledgerVerify, { folder: 'copy', home: 'home' }, root)).exit, 0);
  await rm(`${root}/copy/statements`, { recursive: true });
  const wrong = await perform(ledgerVerify, byKey, root);
  assert.equal(wrong.exit, 1);
  assert.match(wrong.text, /ledger\.statement-missing/);

  await mkdir(`${root}/empty`);
  assert.equal((await perform(ledgerVerify, { ...byKey, folder: 'empty' }, root)).exit, 1);
  await mkdir(`${root}/elsewhere/empty`, { recursive: true });
  const unsigned = await perform(ledgerVerify, { folder: 'elsewhere/empty' }, root);
  assert.deepEqual([unsigned.exit, unsigned.output.reasons[0]?.code], [1, 'ledger.no-checkpoint']);
  assert.equal((await perform(ledgerVerify, { folder: 'copy/checkpoint' }, root)).exit, 1);
  await assert.rejects(
    () => perform(ledgerVerify, { ...byKey, folder: 'none' }, root),
    (error) => isFault(error) && error.code === 'ledger.missing' && error.exit === 3,
  );
  await assert.rejects(
    () => perform(ledgerVerify, { folder: 'copy' }, root),
    (error) => isFault(error) && error.code === 'ledger.no-key',
  );
  await writeFile(`${root}/junk`, 'junk');
  await assert.rejects(
    () => perform(ledgerVerify, { folder: 'copy', vkey: 'junk' }, root),
    (error) => isFault(error) && error.code === 'ledger.key-malformed',
  );
});

test('ledger prove: a proof that verifies from its text alone, on stdout and in a file', async (t) => {
  const root = await temporaryFolder(t);
  await homeWith(`${root}/home`, ['a', 'b', 'c']);
  const { output, text } = await perform(ledgerProve, { index: '1', home: 'home' }, root);
  assert.equal(`${text}\n`, output.proofText);
  assert.match(output.statement ?? '', /^sha256:[0-9a-f]{64}$/);
  const proof = parseProof(Buffer.from(output.proofText));
  assert(!isProblem(proof));
  const vkey = parseLedgerVkey(await readFile(`${root}/home/trust/ledger.vkey`, 'utf8'));
  assert(!isProblem(vkey));
  const head = openCheckpoint(proof.checkpoint, vkey);
  assert(!('code' in head));
  const leaf = leafHash(Buffer.from(output.entry, 'base64'));
  assert(verifyInclusion(proof.index, head.size, leaf, proof.hashes, head.root));
  assert(!verifyInclusion(0, head.size, leaf, proof.hashes, head.root));

  const written = await perform(ledgerProve, { index: '1', home: 'home', out: 'entry.tlog-proof' }, root);
  assert.equal(await readFile(`${root}/entry.tlog-proof`, 'utf8'), output.proofText);
  assert.match(written.text, /entry\.tlog-proof/);
  await assert.rejects(
    () => perform(ledgerProve, { index: '4', home: 'home' }, root),
    (error) => isFault(error) && error.code === 'ledger.no-entry' && error.exit === 2,
  );
  for (const index of ['-1', '01', '1e3', '', ' 1', 'x']) {
    assert(!ledgerProve.input.safeParse({ index }).success, index);
  }
});

test('L29 ledger witness: the request of tlog-witness, with a proof that holds, and none where nothing was seen', async (t) => {
  const root = await temporaryFolder(t);
  await homeWith(`${root}/home`, ['a', 'b', 'c']);
  const first = (await perform(ledgerWitness, { from: '0', home: 'home' }, root)).output;
  const [old, empty, origin, size] = first.request.split('\n');
  assert.deepEqual([old, empty, size], ['old 0', '', String(first.size)]);
  const vkey = parseLedgerVkey(await readFile(`${root}/home/trust/ledger.vkey`, 'utf8'));
  assert(!isProblem(vkey));
  assert.equal(origin, vkey.name);
  const later = (await perform(ledgerWitness, { from: '2', home: 'home', out: 'request' }, root)).output;
  assert.equal(await readFile(`${root}/request`, 'utf8'), later.request);
  const split = later.request.indexOf('\n\n');
  const [line, ...proof] = later.request.slice(0, split).split('\n');
  assert.equal(line, 'old 2');
  const head = openCheckpoint(Buffer.from(later.request.slice(split + 2)), vkey);
  assert(!('code' in head));
  const view = await readLedger(nodeFiles, `${root}/home/ledger`, vkey);
  const [older, hashes] = [
    Buffer.from(await view.rootAt(2), 'base64'),
    proof.map((hash) => Buffer.from(hash, 'base64')),
  ];
  assert(verifyConsistency(2, head.size, older, head.root, hashes));
  await assert.rejects(
    () => perform(ledgerWitness, { from: '99', home: 'home' }, root),
    (error) => isFault(error) && error.code === 'ledger.no-entry',
  );
});

test('ledger list and show: what happened, with names escaped, and statements that are gone are said', async (t) => {
  const root = await temporaryFolder(t);
  await homeWith(`${root}/home`, ['a\u001b[2J', 'b']);
  const { output, text, exit } = await perform(ledgerList, { home: 'home' }, root);
  assert.equal(exit, 0);
  assert.deepEqual(
    output.records.map(({ index, type, subjects }) => [index, type, subjects]),
    [
      [0, 'sallyport/sealed/v1', ['a\u001b[2J']],
      [1, 'sallyport/sealed/v1', ['b']],
      [2, 'opaque', []],
    ],
  );
  assert(!text.includes('\u001b'));
  const later = await perform(ledgerList, { home: 'home', from: '1' }, root);
  assert.deepEqual(
    later.output.records.map(({ index }) => index),
    [1, 2],
  );
  const shown = await perform(ledgerShow, { index: '1', home: 'home' }, root);
  assert.deepEqual([shown.output.predicate, shown.exit], [{ name: 'b' }, 0]);
  await rm(`${root}/home/ledger/statements`, { recursive: true });
  const gone = await perform(ledgerShow, { index: '1', home: 'home' }, root);
  assert.deepEqual([gone.output.whole, gone.exit], [false, 1]);
});
