import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeQR } from 'qr/decode.js';
import { paperParts } from '#gate/testing';
import { type Story, story } from './story.ts';

// A receipt goes back on paper, where no medium may: printed inside, scanned outside.

const codes = (json: { reasons: { code: string }[] }): string[] => json.reasons.map(({ code }) => code);

/** A receipt of this level, through the outward gate; the next one has what came in meanwhile. */
async function released({ run }: Story, level: string): Promise<void> {
  await run(`release draft receipt -o r-${level} --home in --level ${level}`);
  await run(`release approve r-${level} --key ben.key --key cat.key --home in`);
  await run(`release send r-${level} -o ${level} --home in`);
}

/** What a hand scanner types for each code of a page, in the page's order. */
function scanned(page: string): string[] {
  return [...page.matchAll(/viewBox="0 0 (\d+) \1" shape-rendering="crispEdges"><path d="([^"]+)"/g)].map(
    ([, size = '', path = '']) => {
      const side = Number(size);
      const scale = 3;
      const width = side * scale;
      const data = new Uint8Array(width * width * 4).fill(255);
      for (const [, x = '', y = '', run = ''] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
        for (let row = Number(y) * scale; row < (Number(y) + 1) * scale; row++) {
          for (let at = Number(x) * scale; at < (Number(x) + Number(run)) * scale; at++) {
            data.fill(0, (row * width + at) * 4, (row * width + at) * 4 + 3);
          }
        }
      }
      return decodeQR({ width, height: width, data });
    },
  );
}

test('a receipt goes back on paper and says the same as its file; what is missing, foreign or forged is named', async (t) => {
  const at = await story(t);
  const { folder, run, deliver } = at;
  await deliver('one', 'first\n');
  await run('admit one --home in');
  await writeFile(
    join(folder, 'in', 'release.yaml'),
    'sallyport-release: "1.0"\nallow: [receipt]\nlevel: inventory\napprovers: 2\n',
  );
  for (const level of ['checkpoint', 'inventory']) {
    await released(at, level);
    const before = await readFile(join(folder, 'in', 'ledger', 'checkpoint'));
    const printed = await run(`release print ${level} -o receipt.html --home in`);
    assert.equal(printed.verdict, 'printed');
    assert.deepEqual(await readFile(join(folder, 'in', 'ledger', 'checkpoint')), before, 'printing only reads');
    const lines = scanned(await readFile(join(folder, 'receipt.html'), 'utf8'));
    assert.equal(lines.length, printed.parts);
    t.diagnostic(`${level}: ${(await stat(join(folder, level))).size} bytes, ${printed.parts} codes`);

    const lost = lines.slice(1);
    await writeFile(join(folder, 'some.txt'), lost.join('\r\n'));
    const own = await readFile(join(folder, 'out', 'ledger', 'checkpoint'));
    const missing = await run('receive --qr some.txt --home out', 1);
    assert.deepEqual(codes(missing), ['gate.paper-missing']);
    assert.equal(missing.reasons[0].where, `sheet 1, part 1 of ${printed.parts}`);
    assert.deepEqual(await readFile(join(folder, 'out', 'ledger', 'checkpoint')), own, 'nothing was recorded');

    await writeFile(join(folder, 'all.txt'), [...lost.reverse(), '', lines[0]?.toLowerCase(), lost[0]].join('\r\n'));
    const received = await run('receive --qr all.txt --home out');
    assert.deepEqual([received.verdict, received.level, received.approvers], ['received', level, ['Ben', 'Cat']]);
    assert.equal(received.outcomes.length, level === 'checkpoint' ? 0 : 1);
    assert.equal((await run(`receive ${level} --home out`)).verdict, 'already-here', 'the file is the same receipt');
  }

  const receipt = await readFile(join(folder, 'inventory'), 'utf8');
  await writeFile(join(folder, 'other'), `${receipt} `);
  assert.deepEqual(codes(await run('release print other -o other.html --home in', 1)), ['gate.not-released']);
  await assert.rejects(stat(join(folder, 'other.html')));
  assert.equal((await run('release print nothing -o other.html --home in', 2)).fault.code, 'gate.not-a-release');
  assert.equal((await run('receive --home out', 2)).fault.code, 'gate.no-receipt');
  assert.equal((await run('receive inventory --qr inventory --home out', 2)).fault.code, 'gate.no-receipt');

  await writeFile(join(folder, 'junk.txt'), 'SPR1 nothing of ours\n');
  assert.deepEqual(codes(await run('receive --qr junk.txt --home out', 1)), ['gate.paper-wrong', 'gate.paper-damaged']);
  // A whole sequence, made by somebody whom no root names: paper vouches for nothing.
  const text = Buffer.from((JSON.parse(receipt) as { payload: string }).payload, 'base64').toString('latin1');
  const payload = Buffer.from(text.replace(' admitted ', ' refused '), 'latin1').toString('base64');
  const sheets = paperParts(Buffer.from(JSON.stringify({ ...JSON.parse(receipt), payload })));
  await writeFile(join(folder, 'forged.txt'), sheets.map(({ line }) => line).join('\n'));
  assert.equal(codes(await run('receive --qr forged.txt --home out', 1))[0], 'gate.receipt-unsigned');
  await writeFile(join(folder, 'long.txt'), Buffer.alloc(5 * 1024 * 1024, 'A'));
  assert.deepEqual(codes(await run('receive --qr long.txt --home out', 1)), ['gate.paper-wrong']);
});
