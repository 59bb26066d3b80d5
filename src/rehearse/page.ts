import { describeAttempt } from '#enclave';
import { printable } from '#kernel';
import { size } from './figures.ts';
import type { Report, ReportedAttempt, Step } from './report.ts';
import type { RecordedEntry } from './evidence.ts';

export interface PageEvidence {
  readonly digest: string;
  readonly recorded?: RecordedEntry;
}

/**
 * The report as one HTML page that opens from disk without a network: no address in it is fetched, and its policy
 * forbids it. Everything in it comes from outside (names, output of programs), so every text is escaped.
 */
export function renderPage(report: Report, _evidence: PageEvidence): string {
  const title = `Rehearsal of ${report.project === '' ? report.folder : report.project}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${text(title)}: ${answerOf(report).word}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#steps">Skip to the steps</a>
<header>
<h1>${text(title)}</h1>
<p class="answer ${answerOf(report).tone}"><span>Could this run without internet?</span> <strong>${answerOf(report).word}</strong></p>
<p class="meta">${text(report.started)} · took ${seconds(report.milliseconds)} · Sallyport ${text(report.version)} · ${
    report.verdict === 'proved' ? 'everything holds' : 'not everything holds'
  }</p>
</header>
<main>
${summary(report)}
${reasons(report)}
${steps(report)}
${attempts(report)}
${refusals(report)}
${artifacts(report)}
${check(report)}
</main>
<p id="said" role="status" aria-live="polite"></p>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

const ANSWERS = {
  yes: { word: 'Yes', tone: 'good' },
  no: { word: 'No', tone: 'bad' },
  unknown: { word: 'Unknown: not everything could be tried', tone: 'open' },
} as const;

function answerOf(report: Report): { word: string; tone: string } {
  return ANSWERS[report.offline];
}

function summary(report: Report): string {
  const unasked = report.attempts.filter(({ deliberate }) => !deliberate).length;
  const well = report.steps.filter(({ outcome }) => outcome === 'ok').length;
  const facts: [string, string][] = [
    ['Steps that hold', `${well} of ${report.steps.length}`],
    ...(report.artifacts === undefined
      ? []
      : ([['Artifacts served by the depot', `${report.artifacts.served} of ${report.artifacts.locked}`]] as [
          string,
          string,
        ][])),
    ['Calls out that nobody asked for', String(unasked)],
    ['Bundles refused', `${report.refusals.filter(({ refused }) => refused).length} of ${report.refusals.length}`],
    ...(report.bundle === undefined ? [] : ([['Bundle', size(report.bundle.size)]] as [string, string][])),
  ];
  return `<dl class="facts">${facts.map(([name, value]) => `<div><dt>${text(name)}</dt><dd>${text(value)}</dd></div>`).join('')}</dl>`;
}

function reasons(report: Report): string {
  if (report.reasons.length === 0) return '';
  const rows = report.reasons.map(
    ({ code, where, detail }) => `<li><code>${text(code)}</code> ${text(where)}: ${text(detail)}</li>`,
  );
  return `<section aria-labelledby="why"><h2 id="why">Why not everything holds</h2><ul>${rows.join('')}</ul></section>`;
}

const OUTCOMES = {
  ok: { word: 'holds', tone: 'good' },
  failed: { word: 'failed', tone: 'bad' },
  'not-tested': { word: 'unknown', tone: 'open' },
} as const;

function steps(report: Report): string {
  const longest = Math.max(1, ...report.steps.map(({ milliseconds }) => milliseconds));
  const rows = report.steps.map((step) => stepRow(step, longest)).join('\n');
  return `<section aria-labelledby="steps"><h2 id="steps" tabindex="-1">Steps</h2>
<table><caption>What was done, on which side, how long it took, and its entry in that side's ledger</caption>
<thead><tr><th scope="col">Result</th><th scope="col">Step</th><th scope="col">Side</th><th scope="col" class="number">Time</th><th scope="col" class="number">Bytes</th><th scope="col" class="number">Entry</th></tr></thead>
<tbody>
${rows}
</tbody></table></section>`;
}

function stepRow(step: Step, longest: number): string {
  const { word, tone } = OUTCOMES[step.outcome];
  const width = Math.max(1, Math.round((step.milliseconds / longest) * 100));
  const more = [
    step.detail === '' ? '' : `<p>${text(step.detail)}</p>`,
    step.command === undefined ? '' : `<p><code>${text(step.command)}</code></p>`,
    step.digest === undefined || step.digest === '' ? '' : `<p>${copyable(step.digest)}</p>`,
  ].join('');
  const title = more === '' ? text(step.title) : `<details><summary>${text(step.title)}</summary>${more}</details>`;
  return (
    `<tr><td><span class="mark ${tone}">${word}</span></td><th scope="row">${title}</th><td>${text(step.side)}</td>` +
    `<td class="number">${seconds(step.milliseconds)}<span class="bar" style="inline-size:${width}%"></span></td>` +
    `<td class="number">${step.bytes === undefined || step.bytes === 0 ? '' : size(step.bytes)}</td>` +
    `<td class="number">${step.ledger === undefined ? '' : String(step.ledger)}</td></tr>`
  );
}

function attempts(report: Report): string {
  const unasked = report.attempts.filter(({ deliberate }) => !deliberate);
  const own = report.attempts.filter(({ deliberate }) => deliberate);
  const head =
    '<thead><tr><th scope="col">Who</th><th scope="col">What</th><th scope="col">Address</th><th scope="col" class="number">Times</th><th scope="col">First bytes</th></tr></thead>';
  const table = (caption: string, list: readonly ReportedAttempt[]): string =>
    list.length === 0
      ? ''
      : `<table><caption>${caption}</caption>${head}<tbody>${list.map(attemptRow).join('\n')}</tbody></table>`;
  const none = unasked.length === 0 ? '<p>Nothing tried to reach the outside by itself.</p>' : '';
  return `<section aria-labelledby="attempts"><h2 id="attempts">Attempts to call out</h2>
<p>All of them were blocked and recorded: no route leads out of the enclave.</p>${none}
${table('Not asked for: somebody should know why', unasked)}
${table('Made on purpose, to show that they are stopped', own)}</section>`;
}

function attemptRow(attempt: ReportedAttempt): string {
  const { time: _time, count, address, port, protocol, firstBytes } = attempt;
  const target = [address ?? '', port === undefined ? '' : `:${port}`].join('');
  return (
    `<tr><th scope="row">${text(attempt.from)}</th><td>${text(describeAttempt(attempt as never))}</td>` +
    `<td><code>${text(`${target}/${protocol}`)}</code></td><td class="number">${count}</td>` +
    `<td>${firstBytes === undefined ? '' : `<details><summary>show</summary><code>${text(firstBytes)}</code></details>`}</td></tr>`
  );
}

function refusals(report: Report): string {
  if (report.refusals.length === 0) return '';
  const rows = report.refusals.map(
    ({ what, refused, codes, detail, ledger }) =>
      `<tr><td><span class="mark ${refused ? 'good' : 'bad'}">${refused ? 'refused' : 'NOT refused'}</span></td>` +
      `<th scope="row">${text(what)}</th><td><code>${text(codes.join(', '))}</code></td><td>${text(detail)}</td>` +
      `<td class="number">${ledger === undefined ? '' : String(ledger)}</td></tr>`,
  );
  return `<section aria-labelledby="refused"><h2 id="refused">Bundles that must be refused</h2>
<table><caption>Each given to the real admission; a refusal is an entry in the ledger</caption>
<thead><tr><th scope="col">Result</th><th scope="col">Bundle</th><th scope="col">Code</th><th scope="col">Why</th><th scope="col" class="number">Entry</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></section>`;
}

function artifacts(report: Report): string {
  const { bundle } = report;
  const parts: string[] = [];
  if (bundle !== undefined) {
    parts.push(`<p>The bundle, sequence ${bundle.sequence}, by the digest of its index: ${copyable(bundle.index)}</p>`);
  }
  if (report.artifacts !== undefined) {
    const { served, locked, bytes, files, foreign } = report.artifacts;
    const notAsked = files.filter((file) => !file.served);
    parts.push(
      `<p>The depot served ${served} of ${locked} artifacts of the lock, ${size(bytes)}, each by its digest. ${
        foreign.length === 0
          ? 'It served nothing that the lock does not name.'
          : `<strong class="bad">It served what the lock does not name: ${text(foreign.join(', '))}</strong>`
      }</p>`,
    );
    if (notAsked.length > 0) {
      const rows = notAsked.map(
        ({ artifact, digest, targets }) =>
          `<tr><th scope="row">${text(artifact)}</th><td>${text(targets)}</td><td>${copyable(digest)}</td></tr>`,
      );
      parts.push(
        `<details><summary>${notAsked.length} artifacts that nobody here asked for</summary><table><caption>Of other targets, or optional</caption><thead><tr><th scope="col">Artifact</th><th scope="col">Targets</th><th scope="col">Digest</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></details>`,
      );
    }
  }
  return parts.length === 0
    ? ''
    : `<section aria-labelledby="digests"><h2 id="digests">What was used, by digest</h2>${parts.join('')}</section>`;
}

function check(report: Report): string {
  if (report.check.length === 0) return '';
  const lines = report.check.join('\n');
  return `<section aria-labelledby="check"><h2 id="check">Check the bundle without Sallyport</h2>
<p>In an empty folder, with openssl, zstd and sha256sum. It ends with “checked”.</p>
<pre tabindex="0" aria-label="Shell lines"><code>${text(lines)}</code></pre><p>${button(lines, 'Copy the lines')}</p></section>`;
}

function copyable(digest: string): string {
  return `<code class="digest">${text(digest)}</code> ${button(digest, 'Copy', `Copy ${digest}`)}`;
}

function button(value: string, label: string, name = label): string {
  return `<button type="button" data-copy="${text(value)}" aria-label="${text(name)}">${text(label)}</button>`;
}

/** Escaped for elements and quoted attributes; control and bidirectional characters are shown, not obeyed. */
function text(value: string): string {
  const lines = value.split('\n').map((line) => printable(line));
  return lines
    .join('\n')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
}

/** Colours have at least 4.5 to 1 against what they stand on, in both schemes (WCAG 2.2, 1.4.3). */
const STYLE = `
:root{--page:#fff;--ink:#1b1f24;--quiet:#57606a;--line:#d0d7de;--raised:#f6f8fa;--good:#116329;--bad:#a40e26;--open:#7d4e00;--link:#0550ae;--bar:#8c959f}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--ink:#e6edf3;--quiet:#9da7b3;--line:#30363d;--raised:#161b22;--good:#56d364;--bad:#ff8b82;--open:#e3b341;--link:#79c0ff;--bar:#6e7681}}
*{box-sizing:border-box}
body{margin:0 auto;max-inline-size:76rem;padding:1.5rem;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:2rem 0 .5rem}
.answer{font-size:1.3rem;margin:.5rem 0}.meta{color:var(--quiet);margin:0}
.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}
.answer.good span,.answer.bad span,.answer.open span{color:var(--ink)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.75rem;margin:1.5rem 0}
.facts div{background:var(--raised);border:1px solid var(--line);border-radius:.5rem;padding:.75rem}
dt{color:var(--quiet);font-size:.875rem}dd{margin:0;font-size:1.25rem;font-variant-numeric:tabular-nums}
section{overflow-x:auto}
table{border-collapse:collapse;inline-size:100%;margin:.5rem 0 1rem}
caption{text-align:start;color:var(--quiet);padding:.25rem 0}
th,td{text-align:start;vertical-align:top;padding:.4rem .6rem;border-block-start:1px solid var(--line)}
thead th{font-size:.875rem;color:var(--quiet);font-weight:600}tbody th{font-weight:400}
.number{text-align:end;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{display:block;block-size:.25rem;margin-inline-start:auto;background:var(--bar);border-radius:.125rem}
.mark{font-weight:600;white-space:nowrap}
summary{cursor:pointer}details p{margin:.25rem 0}
code,pre{font-family:ui-monospace,monospace;font-size:.875rem;overflow-wrap:anywhere}
pre{background:var(--raised);border:1px solid var(--line);border-radius:.5rem;padding:.75rem;white-space:pre-wrap}
button{font:inherit;font-size:.875rem;min-block-size:1.75rem;padding:.125rem .6rem;color:var(--ink);background:var(--raised);border:1px solid var(--bar);border-radius:.375rem;cursor:pointer}
:focus-visible{outline:.1875rem solid var(--link);outline-offset:.125rem}
.skip{position:absolute;inset-inline-start:-99rem}.skip:focus{position:static}
#said:not(:empty){position:fixed;inset-block-end:1rem;inset-inline-end:1rem;margin:0;padding:.5rem .75rem;background:var(--ink);color:var(--page);border-radius:.375rem}
@media print{button,.skip,#said{display:none}body{max-inline-size:none}}
`;

/** Copying from a page on disk: the clipboard API where the browser allows it, else a selection. */
const SCRIPT = `
document.addEventListener('click', async (event) => {
  const button = event.target.closest('button[data-copy]');
  if (!button) return;
  const said = document.getElementById('said');
  const value = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(value);
  } catch {
    const area = document.createElement('textarea');
    area.value = value;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    button.focus();
  }
  said.textContent = 'Copied';
  setTimeout(() => { said.textContent = ''; }, 2000);
});
`;
