import { htmlPage } from '#formats';
import { duration, size } from './figures.ts';
import { artifactsSection, checkSection, refusalsSection } from './page/artifacts.ts';
import { attemptsSection, hostsSection } from './page/attempts.ts';
import { enclaveSection, logsSection } from './page/enclave.ts';
import { ledgersSection, type PageEvidence } from './page/ledgers.ts';
import { section, type Section } from './page/parts.ts';
import { SCRIPT } from './page/script.ts';
import { reasonsSection, stepsSection } from './page/steps.ts';
import { STYLE } from './page/style.ts';
import { count, text } from './page/text.ts';
import type { Report } from './report.ts';

export { type PageEvidence } from './page/ledgers.ts';

/**
 * The report as one HTML page that opens from disk without a network. Everything in it comes from outside (names, output
 * of programs), so every text is escaped and bounded, and the page's policy allows its own style and script, each by its
 * digest, and nothing else: no address, no form, no image, no handler in an attribute.
 */
export function renderPage(report: Report, evidence: PageEvidence): string {
  const title = `Rehearsal of ${report.project === '' ? report.folder : report.project}`;
  const sections: readonly Section[] = [
    reasonsSection(report),
    stepsSection(report),
    attemptsSection(report),
    hostsSection(report),
    artifactsSection(report),
    refusalsSection(report),
    enclaveSection(report),
    logsSection(report),
    ledgersSection(report, evidence),
    checkSection(report),
  ].filter((one) => one !== undefined);
  const { word, tone, sign } = ANSWERS[report.offline];
  return htmlPage({
    title: `${title}: ${word}`,
    style: STYLE,
    script: SCRIPT,
    body: `<a class="skip" href="#main">Skip to the report</a>
<div class="frame">
<header>
<div class="top"><span><strong>Sallyport</strong> rehearsal report</span><button type="button" id="theme" class="needs-script" aria-pressed="false">Dark theme</button></div>
<h1>${text(title)}</h1>
<p class="meta">${text(when(report.started))} · took ${duration(report.milliseconds)} · Sallyport ${text(report.version)} · ${
      report.verdict === 'proved' ? 'everything holds' : 'not everything holds'
    }</p>
<div class="verdict ${tone}"><svg aria-hidden="true" width="40" height="40" viewBox="0 0 40 40"><circle cx="20" cy="20" r="17"/><path d="${sign}"/></svg><p class="question">Could this run without internet?</p><p class="answer">${word}</p></div>
${facts(report)}
</header>
<div class="columns">
<nav aria-label="Sections"><ul>
${sections.map(({ id, short, note }) => `<li><a href="#${id}">${text(short)}${note === '' ? '' : ` <span>${text(note)}</span>`}</a></li>`).join('\n')}
</ul></nav>
<main id="main" tabindex="-1">
${sections.map(section).join('\n')}
</main>
</div>
<footer><p>Drawn from ${text(report.report)}. It opens from disk, asks nobody for anything, and holds no more than the report does.</p></footer>
</div>
<p id="said" role="status" aria-live="polite"></p>`,
  });
}

const ANSWERS = {
  yes: { word: 'Yes', tone: 'good', sign: 'M12 21l5.500 5.500L28 14' },
  no: { word: 'No', tone: 'bad', sign: 'M14 14l12 12M26 14 14 26' },
  unknown: {
    word: 'Unknown: not everything could be tried',
    tone: 'open',
    sign: 'M15.500 15.500a4.500 4.500 0 1 1 6.400 4.100c-1.400.7-1.900 1.500-1.900 3M20 27.500v.1',
  },
} as const;

/** `2026-11-22 06:00:00 UTC`. */
function when(instant: string): string {
  return instant.replace('T', ' ').replace(/Z$/, ' UTC');
}

function facts({ steps, artifacts, attempts, refusals, bundle }: Report): string {
  const well = steps.filter(({ outcome }) => outcome === 'ok').length;
  const purpose = attempts.filter(({ deliberate }) => deliberate).length;
  const refused = refusals.filter((one) => one.refused).length;
  const rows: [string, string][] = [
    ['steps hold', `${count(well)} of ${count(steps.length)}`],
    ...(artifacts === undefined
      ? []
      : ([['artifacts served by the depot', `${count(artifacts.served)} of ${count(artifacts.locked)}`]] as [
          string,
          string,
        ][])),
    ['attempts that nobody asked for', count(attempts.length - purpose)],
    ['tried on purpose', count(purpose)],
    ['bad bundles refused', `${count(refused)} of ${count(refusals.length)}`],
    ...(bundle === undefined ? [] : ([['bundle', size(bundle.size)]] as [string, string][])),
  ];
  return `<dl class="facts">${rows.map(([name, value]) => `<div><dt>${text(name)}</dt><dd>${text(value)}</dd></div>`).join('')}</dl>`;
}
