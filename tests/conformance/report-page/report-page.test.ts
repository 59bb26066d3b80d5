// The page of a rehearsal's report in a real browser: accessible, usable by keyboard, silent, and deaf to what hostile
// programs wrote into it.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { renderPage, type Report, sampleAttempt, sampleReport, sampleStep } from '#rehearse/testing';
import { findProgram } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';

const program = (await findProgram('chromium', process.env)) ?? (await findProgram('google-chrome', process.env));
const skip = program === undefined ? skipped('Chromium', 'Chromium is not on this machine') : false;

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const digest = `sha256:${'9'.repeat(64)}`;
const PROOF = `c2sp.org/tlog-proof@v1\nindex 4\n${'q'.repeat(43)}=\n\nsite/0123456789abcdef\n9\nroot=\n\n— site/0123456789abcdef sig=\n`;

/** Everything that a page can hold, and nothing of it kind. */
function fullReport(): Report {
  const report = sampleReport();
  return {
    ...report,
    project: 'shop"><script>owned=1</script>',
    steps: [
      ...report.steps,
      sampleStep({
        title: '<img src=x onerror=owned=1>',
        detail: '\u202egnp.exe \u001b[31mred',
        command: 'a'.repeat(900),
      }),
      sampleStep({ side: 'both', title: 'שלום مرحبا 你好 🙂', detail: "';owned=1;//" }),
    ],
    attempts: [
      ...report.attempts,
      sampleAttempt({ name: 'x'.repeat(5000), serverName: undefined as never, count: 40 }),
      sampleAttempt({ from: '"><svg onload=owned=1>', serverName: '</script><script>owned=1</script>', count: 7 }),
    ],
    logs: [
      ...report.logs,
      { service: '<b>', lines: 1, bytes: 9, text: '</code></pre><script>owned=1</script>', cut: true },
    ],
    ledgers: [
      {
        side: 'inside',
        origin: 'site/0123456789abcdef',
        vkey: 'site/0123456789abcdef+00000000+AA==',
        size: 9,
        root: 'r=',
      },
    ],
    proofs: [
      { side: 'inside', index: 4, type: 'sallyport/admitted/v1', what: 'Admitted', entry: '{"a":1}', proof: PROOF },
    ],
    entry: { origin: 'site/0123456789abcdef', index: 8 },
    report: `/srv/${'folder'.repeat(40)}/report.json`,
  };
}

let browser: Browser;
before(async () => {
  if (program === undefined) return;
  browser = await chromium.launch({ executablePath: program });
  used('Chromium', browser.version());
  used('axe-core', axe.version, 'npm');
});
after(async () => browser?.close());

interface Opened {
  readonly page: Page;
  /** What it asked for beyond itself, and what it complained of. */
  readonly troubles: string[];
  readonly folder: string;
}

/** The page as a person opens it from disk, in a browser that is told to fetch nothing else. */
async function open(t: TestContext, report: Report, options: BrowserContextOptions = {}): Promise<Opened> {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'report.html');
  await writeFile(path, renderPage(report, { digest }));
  const context = await browser.newContext(options);
  t.after(() => context.close());
  const address = pathToFileURL(path).href;
  const troubles: string[] = [];
  await context.route('**/*', (route) => {
    if (route.request().url() === address) return route.continue();
    troubles.push(`fetched ${route.request().url()}`);
    return route.abort();
  });
  const page = await context.newPage();
  page.on('console', (message) => troubles.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => troubles.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== address && !request.url().startsWith('blob:')) troubles.push(`asked for ${request.url()}`);
  });
  await page.goto(address);
  return { page, troubles, folder };
}

const evaluate = <T>(page: Page, code: string): Promise<T> => page.evaluate(code) as Promise<T>;

describe('the page of a report in a browser', { skip }, () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [320, 1280]) {
      test(`no finding of axe-core by WCAG 2.2 AA: ${colorScheme}, ${width} px`, async (t) => {
        const { page, troubles } = await open(t, fullReport(), { colorScheme, viewport: { width, height: 900 } });
        await evaluate(page, "document.querySelectorAll('details').forEach((one) => { one.open = true; })");
        await evaluate(page, axe.source);
        const found = await evaluate<{
          violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
        }>(
          page,
          `axe.run(document, { runOnly: { type: 'tag', values: ${JSON.stringify(WCAG)} }, rules: { 'target-size': { enabled: true } } })`,
        );
        const told = found.violations.map(({ id, nodes }) => [
          id,
          nodes.slice(0, 3).map((node) => [node.html, node.failureSummary]),
        ]);
        assert.deepEqual(told, []);
        // Nothing scrolls sideways (1.4.10), whatever names are in it.
        assert.equal(await evaluate(page, 'document.documentElement.scrollWidth <= innerWidth'), true);
        assert.deepEqual(troubles, []);
      });
    }
  }

  test('text of twice the size still fits (1.4.4), and so does text set wider (1.4.12)', async (t) => {
    const { page } = await open(t, fullReport(), { viewport: { width: 640, height: 900 } });
    for (const style of ["fontSize = '200%'", "cssText = 'letter-spacing:.12em;word-spacing:.16em;line-height:1.5'"]) {
      await evaluate(page, `document.documentElement.style.${style}`);
      assert.equal(await evaluate(page, 'document.documentElement.scrollWidth <= innerWidth'), true, style);
    }
  });

  test('the keyboard reaches everything, in order, and sees where it is', async (t) => {
    const { page, troubles } = await open(t, fullReport());
    await page.keyboard.press('Tab');
    assert.equal(await evaluate(page, 'document.activeElement.className'), 'skip');
    assert.equal(await evaluate(page, 'document.activeElement.getBoundingClientRect().top >= 0'), true);
    await page.keyboard.press('Enter');
    assert.equal(await evaluate(page, 'document.activeElement.id'), 'main');

    // All that can be used, from the first to the last, each with a ring that is there and not covered.
    await evaluate(
      page,
      'document.activeElement.blur(); document.querySelectorAll("details").forEach((one) => { one.open = true; })',
    );
    const all = await evaluate<number>(
      page,
      `(() => {
      const list = [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')];
      list.forEach((one, index) => { one.dataset.walk = String(index); });
      return list.length;
    })()`,
    );
    await evaluate(page, 'document.querySelector(".skip").focus()');
    const order: number[] = [];
    for (let n = 0; n < all; n++) {
      const at = await evaluate<{ walk: string | null; ring: boolean; seen: boolean }>(
        page,
        `(() => {
        const one = document.activeElement;
        const style = getComputedStyle(one);
        const box = one.getBoundingClientRect();
        const seen = box.bottom > 0 && box.top < innerHeight && box.width > 0;
        return { walk: one.dataset.walk ?? null, ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, seen };
      })()`,
      );
      assert.ok(at.walk !== null, `lost after ${order.length} of ${all}`);
      assert.ok(at.ring, `no ring at ${at.walk}`);
      assert.ok(at.seen, `not in sight: ${at.walk}`);
      order.push(Number(at.walk));
      await page.keyboard.press('Tab');
    }
    assert.deepEqual(
      order,
      Array.from({ length: all }, (_, index) => index),
    );
    assert.deepEqual(troubles, []);
  });

  test('sorts and filters without a mouse, and says so aloud', async (t) => {
    const { page } = await open(t, fullReport());
    const times = '#attempts-table thead th:nth-child(6)';
    await page.focus(`${times} button`);
    await page.keyboard.press('Enter');
    assert.equal(await page.getAttribute(times, 'aria-sort'), 'ascending');
    assert.match((await page.textContent('#said')) ?? '', /Sorted by Times, ascending/);
    const counts = () =>
      page.$$eval('#attempts-table tbody tr td:nth-child(6)', (cells) => cells.map((cell) => Number(cell.textContent)));
    assert.deepEqual(await counts(), [1, 3, 7, 40]);
    await page.keyboard.press('Space');
    assert.equal(await page.getAttribute(times, 'aria-sort'), 'descending');
    assert.deepEqual(await counts(), [40, 7, 3, 1]);

    const shown = () => page.textContent('[data-filter="attempts-table"] .shown');
    await page.focus('[data-filter="attempts-table"] input');
    await page.keyboard.type('ID_ED25519');
    assert.equal(await shown(), '1 of 4 shown');
    assert.equal(await page.locator('#attempts-table tbody tr:visible').count(), 1);
    await page.keyboard.press('Control+A');
    await page.keyboard.press('Delete');
    assert.equal(await shown(), '4 shown');
    await page.selectOption('[data-filter="attempts-table"] [data-choice="asked"]', 'no');
    assert.equal(await shown(), '3 of 4 shown');
    assert.equal(await page.getAttribute('[data-filter="attempts-table"] .shown', 'role'), 'status');
  });

  test('copies a whole digest, and saves a proof byte for byte', async (t) => {
    const { page, troubles } = await open(t, fullReport(), { permissions: ['clipboard-read', 'clipboard-write'] });
    const button = page.locator('#files-table button[data-copy]').first();
    await button.focus();
    await page.keyboard.press('Enter');
    await page.locator('#said', { hasText: /^Copied$/ }).waitFor();
    assert.equal(await evaluate(page, 'navigator.clipboard.readText()'), `sha256:${'c'.repeat(64)}`);
    assert.equal(await button.getAttribute('aria-label'), `Copy sha256:${'c'.repeat(64)}`);
    // Where the browser has no clipboard for pages, the old way.
    await evaluate(page, "Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await page.locator('#files-table button[data-copy]').nth(1).click();
    await evaluate(page, "document.querySelector('input[type=search]').focus()");
    await page.keyboard.press('Control+V');
    assert.equal(await page.locator('input[type=search]').first().inputValue(), `sha256:${'d'.repeat(64)}`);

    await evaluate(page, "document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    const download = page.waitForEvent('download');
    await page.locator('button[data-file="inside-4.tlog-proof"]').click();
    const saved = await download;
    assert.equal(saved.suggestedFilename(), 'inside-4.tlog-proof');
    assert.equal(await readFile(await saved.path(), 'utf8'), PROOF);
    assert.deepEqual(troubles, []);
  });

  test('the theme changes by a switch that says what it is', async (t) => {
    const { page } = await open(t, fullReport(), { colorScheme: 'light' });
    const colour = () => evaluate<string>(page, 'getComputedStyle(document.body).backgroundColor');
    const day = await colour();
    assert.equal(await page.getAttribute('#theme', 'aria-pressed'), 'false');
    await page.focus('#theme');
    await page.keyboard.press('Space');
    assert.equal(await page.getAttribute('#theme', 'aria-pressed'), 'true');
    const night = await colour();
    assert.notEqual(night, day);
    await page.keyboard.press('Space');
    assert.equal(await colour(), day);
    const other = await open(t, fullReport(), { colorScheme: 'dark' });
    assert.equal(await evaluate(other.page, 'getComputedStyle(document.body).backgroundColor'), night);
    assert.equal(await other.page.getAttribute('#theme', 'aria-pressed'), 'true');
  });

  test('nothing that a hostile program wrote is run, and no handler or picture would be if it got in', async (t) => {
    const { page, troubles } = await open(t, fullReport());
    assert.equal(await evaluate(page, 'typeof owned'), 'undefined');
    assert.equal(await page.title(), 'Rehearsal of shop"><script>owned=1</script>: No');
    assert.ok(((await page.textContent('#steps-table')) ?? '').includes('\\u{202e}gnp.exe \\u{1b}[31mred'));
    assert.equal(troubles.length, 0, troubles.join('\n'));
    await evaluate(
      page,
      `document.body.insertAdjacentHTML('beforeend', '<img src="https://example.test/x" onerror="owned=1"><a id="o" onclick="owned=1">x</a><style>body{display:none}</style>')`,
    );
    await evaluate(page, "document.getElementById('o').click()");
    await evaluate(page, "fetch('https://example.test/').catch(() => undefined)");
    assert.equal(await evaluate(page, 'typeof owned'), 'undefined');
    assert.equal(await evaluate(page, 'getComputedStyle(document.body).display'), 'block');
    assert.ok(troubles.length > 0 && !troubles.some((one) => one.startsWith('fetched')), troubles.join('\n'));
  });

  test('without its script everything can be read, and no button is there that does nothing', async (t) => {
    const { page } = await open(t, fullReport(), { javaScriptEnabled: false });
    assert.equal(await page.locator('button:visible').count(), 0);
    assert.equal(await page.locator('#attempts-table tbody tr:visible').count(), 4);
    assert.equal(await page.locator('section h2:visible').count(), 10);
  });

  test('on paper digests are whole, and what is of no use there is gone', async (t) => {
    const { page } = await open(t, fullReport(), { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    assert.equal(await page.locator('nav:visible, button:visible').count(), 0);
    assert.match((await page.locator('#files-table tbody tr').first().innerText()) ?? '', /c{64}|sha256:c{12}\n?c{52}/);
    assert.equal(await evaluate(page, 'getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)');
    const ink = await evaluate<string>(page, 'getComputedStyle(document.body).color');
    assert.equal(ink, 'rgb(28, 32, 36)');
  });

  test('a hundred thousand attempts are counted and bounded, and the page stays usable', async (t) => {
    const many = Array.from({ length: 100_000 }, (_, index) =>
      sampleAttempt({ serverName: `host-${index}.example.test`, count: index, name: '<'.repeat(2000) }),
    );
    const { page, troubles, folder } = await open(t, { ...fullReport(), attempts: many });
    assert.ok((await readFile(join(folder, 'report.html'))).length < 5_000_000);
    assert.match(
      (await page.textContent('main')) ?? '',
      /1,000 of 100,000 are shown: those that nobody asked for first/,
    );
    assert.equal(await page.locator('#attempts-table tbody tr').count(), 1000);
    assert.match((await page.textContent('#attempts-table tbody tr')) ?? '', /host-99999\.example\.test/);
    assert.deepEqual(troubles, []);
  });

  test('who wants less motion gets none', async (t) => {
    const { page } = await open(t, fullReport(), { reducedMotion: 'reduce' });
    assert.equal(await evaluate(page, 'getComputedStyle(document.documentElement).scrollBehavior'), 'auto');
    const moving =
      "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).animationName !== 'none' || parseFloat(getComputedStyle(one).transitionDuration) > 0).length";
    assert.equal(await evaluate(page, moving), 0);
  });
});
