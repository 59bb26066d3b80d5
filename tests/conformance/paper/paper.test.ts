// Releases on paper before a reader that we did not write: the page, drawn by a real browser as a printer would get it,
// is read by zbarimg, and gives exactly the lines that were written.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { paperParts, readPaper, sheetsPage } from '#gate/testing';
import { debianTools, findProgram, lastWords, runProcess, runtimeEnvironment } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';

let browser = '';
let zbarimg = '';
let magick: Readonly<Record<string, string>> = {};
let skip: string | false = false;

before(async () => {
  const program = (await findProgram('chromium', process.env)) ?? (await findProgram('google-chrome', process.env));
  if (program === undefined) {
    skip = skipped('Chromium', 'Chromium is not on this machine');
    return;
  }
  browser = program;
  try {
    const tool = (await debianTools(['zbarimg'], { env: process.env })).zbarimg;
    zbarimg = tool.path;
    // ImageMagick, by which it opens pictures, looks for its parts where Debian would have installed them.
    const parts = join(dirname(dirname(tool.path)), 'root/usr/lib/*/ImageMagick-*');
    const [coders = ''] = tool.source === 'cache' ? globSync(`${parts}/modules-*/coders`) : [];
    const [configuration = ''] = tool.source === 'cache' ? globSync(`${parts}/config-*`) : [];
    if (coders !== '') magick = { MAGICK_CODER_MODULE_PATH: coders, MAGICK_CONFIGURE_PATH: configuration };
  } catch (error) {
    skip = skipped('zbarimg', `zbarimg could not be unpacked: ${error instanceof Error ? error.message : ''}`);
  }
});

async function run(args: readonly string[]): Promise<string> {
  const ended = await runProcess(zbarimg, args, {
    env: { ...runtimeEnvironment(process.env), ...magick },
    keep: 1024 * 1024,
  });
  assert.equal(ended.code, 0, lastWords(ended));
  return ended.stdout;
}

test('zbarimg reads from the printed sheets exactly what was written, also from a smudged one', async (t) => {
  if (skip !== false) return t.skip(skip);
  const folder = await temporaryFolder(t);
  const release = randomBytes(7000);
  const parts = paperParts(release);
  const sha256 = createHash('sha256').update(release).digest('hex');
  const page = join(folder, 'receipt.html');
  const html = sheetsPage({ site: 'high', kind: 'receipt', level: 'verdicts', sha256 }, parts);
  await writeFile(page, html);
  used('zbarimg', (await run(['--version'])).trim(), 'Debian');

  const program = await chromium.launch({ executablePath: browser, args: ['--no-sandbox'] });
  try {
    const context = await program.newContext({ viewport: { width: 794, height: 1123 }, deviceScaleFactor: 3 });
    const tab = await context.newPage();
    const asked: string[] = [];
    tab.on('request', (request) => asked.push(request.url()));
    await tab.emulateMedia({ media: 'print' });
    await tab.goto(pathToFileURL(page).href);
    const sheets = tab.locator('section');
    assert.equal(await sheets.count(), parts.at(-1)?.sheet);
    const read = async (name: string): Promise<string[]> => {
      const lines: string[] = [];
      for (let i = 0; i < (await sheets.count()); i++) {
        const image = join(folder, `${name}-${i}.png`);
        await sheets.nth(i).screenshot({ path: image });
        lines.push(...(await run(['--raw', '--quiet', '-Sdisable', '-Sqrcode.enable', image])).trim().split('\n'));
      }
      return lines;
    };
    const lines = await read('clean');
    assert.deepEqual(lines.toSorted(), parts.map(({ line }) => line).toSorted());
    const whole = readPaper(lines.join('\n'));
    assert.ok('release' in whole);
    assert.deepEqual(Buffer.from(whole.release), release);

    // A blot in each code, away from its corners: level Q bears it.
    const blotted = html.replace(/viewBox="0 0 (\d+) [^>]*><path [^>]*>/g, (drawn, side: string) => {
      const [at, size] = [Number(side) * 0.45, Number(side) / 10];
      return `${drawn}<rect x="${at}" y="${at}" width="${size}" height="${size}"/>`;
    });
    assert.notEqual(blotted, html);
    await writeFile(page, blotted);
    await tab.reload();
    const smudged = readPaper((await read('smudged')).join('\n'));
    assert.ok('release' in smudged);
    assert.deepEqual(Buffer.from(smudged.release), release);

    const pdf = await tab.pdf({ format: 'A4', preferCSSPageSize: true });
    assert.equal(
      Buffer.from(pdf)
        .toString('latin1')
        .match(/\/Type\s*\/Page\b/g)?.length,
      parts.at(-1)?.sheet,
    );
    assert.deepEqual(
      asked.filter((url) => !url.startsWith('file:')),
      [],
    );
  } finally {
    await program.close();
  }
});
