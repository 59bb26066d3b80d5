import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { story } from './story.ts';

// The outward gate: nothing leaves the inside except what the site allowed, two people read whole, and the ledger has.

const codes = (json: { reasons: { code: string; where?: string }[] }): string[] => json.reasons.map(({ code }) => code);

test('each kind leaves only when it is allowed, bounded, read by two, and recorded; without a secret or a name of anybody', async (t) => {
  const at = await story(t);
  const { folder, run, deliver } = at;
  await deliver('one', 'first\n');
  await run('admit one --home in --medium SECRET-STICK');
  const policy = (text: string): Promise<void> => writeFile(join(folder, 'in', 'release.yaml'), text);
  const kinds = ['receipt', 'request', 'ledger', 'support'];
  const draft = (kind: string): string =>
    `release draft ${kind} -o d-${kind} --home in${kind === 'request' ? ' --want npm/left-pad@1.3.0' : ''}`;

  for (const kind of kinds) assert.equal((await run(draft(kind), 3)).fault.code, 'gate.outward-off', kind);
  for (const text of [
    'allow: [receipt]\n',
    'sallyport-release: "2.0"\nallow: [receipt]\n',
    'sallyport-release: "1.0"\nallow: []\n',
    ': {',
  ]) {
    await policy(text);
    assert.equal((await run(draft('receipt'), 3)).fault.code, 'gate.outward-policy', text);
  }
  await policy('sallyport-release: "1.0"\nallow: [support]\n');
  for (const kind of ['receipt', 'request', 'ledger']) {
    assert.deepEqual(codes(await run(draft(kind), 1)), ['gate.not-allowed'], kind);
    await assert.rejects(stat(join(folder, `d-${kind}`)), kind);
  }
  await policy('sallyport-release: "1.0"\nallow: [receipt, request, ledger, support]\nlevel: inventory\nlimit: 256\n');
  const long = await run(draft('receipt'), 1);
  assert.deepEqual([codes(long), long.reasons[0].where], [['gate.not-allowed'], 'limit']);
  await policy('sallyport-release: "1.0"\nallow: [receipt, request, ledger, support]\nlevel: inventory\n');

  const before = (await run('ledger list --home in')).size;
  for (const kind of kinds) {
    const { text, bytes } = await run(draft(kind));
    assert.equal(text.length, bytes, 'shown whole');
    assert.match(text, /^[\x20-\x7e\n]+$/);
    // Nothing of the home, its people, its media, its keys or its files: names in it are of sites, software and codes.
    const encoded = text.match(/[A-Za-z0-9+/]{40,}={0,2}/g) ?? [];
    const inside = encoded.map((field: string) => Buffer.from(field, 'base64').toString('latin1')).join('\n');
    const secret = /SECRET-STICK|\b(?:Ada|Ben|Cat|Dan)\b|\.key\b|\/tmp\/|PRIVATE/;
    assert.doesNotMatch(text.replace(/[A-Za-z0-9+/]{40,}={0,2}/g, ''), secret, kind);
    assert.doesNotMatch(inside, /SECRET-STICK|"(?:Ada|Ben|Cat|Dan)"|\.key\b|\/tmp\/|PRIVATE/, kind);
    await run(`release approve d-${kind} --key ben.key --home in`);
    const half = await run(`release send d-${kind} -o ${kind}.out --home in`, 1);
    assert.deepEqual(codes(half), ['gate.awaiting-approval'], 'two people by default');
    await run(`release approve d-${kind} --key ben.key --home in`);
    assert.deepEqual(codes(await run(`release send d-${kind} -o ${kind}.out --home in`, 1)), [
      'gate.awaiting-approval',
    ]);
    await assert.rejects(stat(join(folder, `${kind}.out`)));
    const shown = await run(`release approve d-${kind} --key cat.key --home in`);
    assert.equal(shown.text, text, 'who approves sees all of it');
    await run(`release send d-${kind} -o ${kind}.out --home in`);
    const envelope = JSON.parse(await readFile(join(folder, `${kind}.out`), 'utf8')) as { payload: string };
    assert.equal(Buffer.from(envelope.payload, 'base64').toString('latin1'), text, 'what left is what was shown');
  }
  const { records } = await run('ledger list --home in');
  const released = records.slice(before).filter(({ type }: { type: string }) => type === 'sallyport/released/v1');
  assert.equal(released.length, kinds.length, 'each is recorded, once');

  // A draft that was touched, and a field in which somebody writes what they like.
  const honest = await readFile(join(folder, 'd-support'), 'utf8');
  for (const line of ['note call me', 'version sallyport 1 2', 'check password hunter2', 'version a\tb c']) {
    await writeFile(join(folder, 'touched'), `${honest}${line}\n`);
    assert.equal(
      (await run('release approve touched --key ben.key --home in', 2)).fault.code,
      'gate.not-a-release',
      line,
    );
  }
  for (const wish of ['npm/$(id)@1', '../x', 'npm/x@1\u2028', 'npm/a;b@1']) {
    assert.equal((await run(`release draft request --want ${wish} -o w --home in`, 2)).fault.code, 'gate.wanted', wish);
  }
  assert.ok(!(await readdir(folder)).includes('w'));
});
