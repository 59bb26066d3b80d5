import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isProblem } from '#formats';
import { isFault } from '#kernel';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { ledgerCatalogue, parseLedgerVkey, verifyLedger } from '#ledger';
import {
  forgeries,
  FORGERY_SIZE,
  forgerySigner,
  signText,
  testSigner,
  writeForgeryBase,
  writeLog,
} from '#ledger/testing';

function keyOf(signer: { vkey: string }) {
  const vkey = parseLedgerVkey(`${signer.vkey}\n`);
  assert(!isProblem(vkey));
  return vkey;
}
const vkey = keyOf(forgerySigner);

test('a good log verifies, with partial tiles of older checkpoints', async (t) => {
  const folder = `${await temporaryFolder(t)}/log`;
  await writeForgeryBase(folder);
  const report = await verifyLedger(nodeFiles, folder, vkey);
  assert.deepEqual(report.reasons, []);
  assert.equal(report.verdict, 'verified');
  assert.equal(report.size, FORGERY_SIZE);
  assert.equal(report.statements, 2);
  assert.equal(report.origin, forgerySigner.name);
});

test('partial tiles that became full may be gone, and files beyond the size are no part of the log', async (t) => {
  const folder = `${await temporaryFolder(t)}/log`;
  await writeForgeryBase(folder);
  await rm(`${folder}/tile/0/000.p`, { recursive: true });
  await rm(`${folder}/tile/entries/000.p`, { recursive: true });
  await writeFile(`${folder}/tile/0/001.p/45`, 'left by an append that was cut');
  await writeFile(`${folder}/tile/0/002`, 'left by an append that was cut');
  assert.equal((await verifyLedger(nodeFiles, folder, vkey)).verdict, 'verified');
});

for (const { name, code, forge } of forgeries) {
  test(`refused: ${name} (${code})`, async (t) => {
    const folder = `${await temporaryFolder(t)}/log`;
    await writeForgeryBase(folder);
    await forge(folder);
    const report = await verifyLedger(nodeFiles, folder, vkey);
    assert.equal(report.verdict, 'unverified');
    assert(
      report.reasons.some((reason) => reason.code === code),
      JSON.stringify(report.reasons),
    );
    for (const reason of report.reasons) assert(reason.code in ledgerCatalogue, reason.code);
  });
}

test('every single file of a good log matters: with one bit of it changed, the log is refused', async (t) => {
  const root = await temporaryFolder(t);

  const folder = `${root}/log`;
  await writeForgeryBase(folder);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath}/${entry.name}`;
    const bytes = await readFile(path);
    const forged = Uint8Array.from(bytes);
    const at = Math.floor(forged.length / 2);
    forged[at] = (forged[at] ?? 0) ^ 0x10;
    await writeFile(path, forged);
    assert.equal((await verifyLedger(nodeFiles, folder, vkey)).verdict, 'unverified', `changed ${path}`);
    await writeFile(path, bytes);
  }
  assert.equal((await verifyLedger(nodeFiles, folder, vkey)).verdict, 'verified');
});

test('an empty folder is unverified, a file too, and no folder is a fault', async (t) => {
  const root = await temporaryFolder(t);
  await mkdir(`${root}/empty`);
  const empty = await verifyLedger(nodeFiles, `${root}/empty`, vkey);
  assert.deepEqual([empty.verdict, empty.reasons[0]?.code], ['unverified', 'ledger.no-checkpoint']);
  await writeFile(`${root}/file`, '');
  const file = await verifyLedger(nodeFiles, `${root}/file`, vkey);
  assert.deepEqual([file.verdict, file.reasons[0]?.code], ['unverified', 'ledger.not-a-file']);
  await assert.rejects(
    () => verifyLedger(nodeFiles, `${root}/none`, vkey),
    (error) => isFault(error) && error.code === 'ledger.missing' && error.exit === 3,
  );
});

test('the key of another log does not verify, and a tree of size 0 must have the root of nothing', async (t) => {
  const root = await temporaryFolder(t);
  await writeForgeryBase(`${root}/log`);
  const other = await verifyLedger(nodeFiles, `${root}/log`, keyOf(testSigner(9, 'other/0123456789abcdef')));
  assert.deepEqual([other.verdict, other.reasons[0]?.code], ['unverified', 'ledger.checkpoint-unsigned']);
  await writeLog(`${root}/zero`, [], forgerySigner, []);
  assert.equal((await verifyLedger(nodeFiles, `${root}/zero`, vkey)).verdict, 'verified');
  await writeFile(
    `${root}/zero/checkpoint`,
    signText(`${forgerySigner.name}\n0\n${Buffer.alloc(32).toString('base64')}\n`, forgerySigner),
  );
  assert.equal((await verifyLedger(nodeFiles, `${root}/zero`, vkey)).verdict, 'unverified');
});

test('reasons are listed up to a limit, and the rest is counted', async (t) => {
  const folder = `${await temporaryFolder(t)}/log`;
  await writeForgeryBase(folder);
  await writeFile(`${folder}/tile/entries/000`, Buffer.alloc(512));
  const { reasons } = await verifyLedger(nodeFiles, folder, vkey);
  assert(reasons.length <= 101);
  assert.equal(reasons.at(-1)?.code, 'ledger.more-reasons');
});
